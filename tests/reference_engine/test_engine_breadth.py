"""Whatever HIPS autograd can differentiate, plain NumPy on Tensors can, or the page on coverage says why not.

autograd's own registers are walked through, so a function which it learns is missed here.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import autograd
import autograd.core
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.builtins import SequenceBox
from autograd.numpy import numpy_boxes
from engine_hips import BEYOND, CALLS, CONSTANT, METHODS, METHODS_WITHOUT_USE, REFUSED, Call

import reference_engine as engine
from docs.coverage_page.hips import HELPERS, INSTEAD, constant, differentiable, wrappers

pytestmark = [
    pytest.mark.kernels,
    # A function that is linear has a gradient that depends on nothing.
    pytest.mark.filterwarnings("ignore:Output seems independent of input:UserWarning"),
    # autograd's own advice on numpy.r_ and numpy.c_.
    pytest.mark.filterwarnings("ignore:._ is slow for array inputs:UserWarning"),
]


def cases(table: Any) -> list[Any]:
    return [
        pytest.param(name, call, id=f"{name}-{i}") for name in table for i, call in enumerate(table[name])
    ]


def parts(result: Any) -> list[Any]:
    several = isinstance(result, tuple | list | SequenceBox)
    return [result[i] for i in range(len(result))] if several else [result]


def is_active(arg: Any) -> bool:
    return isinstance(arg, np.ndarray | np.generic) and arg.dtype.kind in "fc"


def like(rng: np.random.Generator, x: Any) -> Any:
    values = rng.standard_normal(np.shape(x))
    return values + 1j * rng.standard_normal(np.shape(x)) if np.iscomplexobj(x) else values


class Scalar(NamedTuple):
    """A call as a real function of its active arguments: weighted, and not linear in what the call gives."""

    loss: Any
    inputs: list[Any]


def scalar(xp: Any, call: Call) -> Scalar:
    rng = np.random.default_rng(3)
    places = [i for i, arg in enumerate(call.args) if is_active(arg)]
    weights = [np.conj(like(rng, value)) for value in parts(call.function(xp, *call.args))]

    def loss(*inputs: Any) -> Any:
        args = list(call.args)
        for i, x in zip(places, inputs, strict=True):
            args[i] = x
        products = zip(weights, parts(call.function(xp, *args)), strict=True)
        return sum(xp.sum(xp.real(weight * value * (1 + value))) for weight, value in products)

    return Scalar(loss, [call.args[i] for i in places])


def gradients(package: Any, xp: Any, call: Call, order: int) -> list[Any]:
    """The gradients of `scalar`, and for order 2 those of a fixed combination of them.

    HIPS autograd's complex gradient is the conjugate of ours.
    """
    loss, inputs = scalar(xp, call)
    rng = np.random.default_rng(4)
    directions = [np.conj(like(rng, x)) for x in inputs]
    argnums = tuple(range(len(inputs)))
    turn = np.conjugate if xp is anp else np.positive
    gradient = package.grad(loss, argnums)
    if order == 2:

        def along(*inputs: Any) -> Any:
            pairs = zip(directions, gradient(*inputs), strict=True)
            return sum(xp.sum(xp.real(turn(v) * g)) for v, g in pairs)

        return [turn(g) for g in package.grad(along, argnums)(*inputs)]
    return [turn(g) for g in gradient(*inputs)]


def near(got: Any, want: Any) -> bool:
    size = 1 + np.max(np.abs(want), initial=0.0)
    return np.shape(got) == np.shape(want) and np.allclose(got, want, rtol=0, atol=1e-10 * size)


class Watched(dict):  # type: ignore[type-arg]  # autograd's own dict has no types
    """autograd's rules, which note who asks for them."""

    def __init__(self, rules: Any) -> None:
        super().__init__(rules)
        self.met: set[Any] = set()

    def __getitem__(self, primitive: Any) -> Any:
        self.met.add(getattr(primitive, "fun", primitive))
        return super().__getitem__(primitive)


@pytest.fixture
def watched(monkeypatch):
    rules = Watched(autograd.core.primitive_vjps)
    monkeypatch.setattr(autograd.core, "primitive_vjps", rules)
    return rules


def test_every_function_that_autograd_differentiates_is_called():
    rest = set(differentiable()) - set(HELPERS)
    assert set(HELPERS) <= set(differentiable())
    assert rest | set(wrappers()) <= {*CALLS, *(name.partition("(")[0].partition("[")[0] for name in INSTEAD)}


@pytest.mark.parametrize(("name", "call"), cases(CALLS))
def test_numpy_on_tensors_agrees_with_autograd(name, call, watched):
    active = [x for x in call.args if is_active(x)]
    assert active
    traced = [engine.Tensor(x, requires_grad=True) if is_active(x) else x for x in call.args]
    values = parts(call.function(np, *traced))
    assert all(isinstance(value, engine.Tensor) and value.requires_grad for value in values)
    for got, want in zip(values, parts(call.function(anp, *call.args)), strict=True):
        assert near(got.data, want)
        assert got.dtype == np.result_type(want)
    for order in (1, 2):
        for got, want in zip(
            gradients(engine, np, call, order), gradients(autograd, anp, call, order), strict=True
        ):
            assert near(got, want), f"order {order}: {got} for {want}"
    raw = differentiable().get(name)
    assert raw is None or raw in watched.met, "the call does not meet the primitive that it is to show"


def test_every_rule_of_autograd_is_met(watched):
    for calls in CALLS.values():
        for call in calls:
            gradients(autograd, anp, call, 2)
    for refused in REFUSED.values():
        gradients(autograd, anp, Call(refused.there, (np.float64(0.7), np.float64(1.9))), 1)
    assert {name for name, raw in differentiable().items() if raw not in watched.met} == set()


def test_every_function_that_autograd_takes_as_constant_is_called():
    instead = {name.partition("(")[0] for name in INSTEAD}
    assert set(constant()) <= {*CONSTANT, *instead}


@pytest.mark.parametrize(("name", "call"), cases(CONSTANT))
def test_what_autograd_takes_as_constant_is_constant(name, call):
    traced = [engine.Tensor(x, requires_grad=True) if is_active(x) else x for x in call.args]
    got, want = (parts(call.function(xp, *args)) for xp, args in ((np, traced), (anp, call.args)))
    for a, b in zip(got, want, strict=True):
        assert not (isinstance(a, engine.Tensor) and a.requires_grad)
        np.testing.assert_array_equal(a, b)


def test_every_attribute_of_autograds_arrays_is_used():
    attributes = set(vars(numpy_boxes.ArrayBox)) - {
        "__module__", "__slots__", "__doc__", "__hash__", "__array_priority__", "__array_ufunc__",
        "__div__", "__rdiv__",  # Python 2 had them
    }  # fmt: skip
    assert attributes == {*METHODS, *METHODS_WITHOUT_USE}


@pytest.mark.parametrize(("name", "call"), cases(METHODS))
def test_attributes_agree_with_autograds(name, call):
    traced = [engine.Tensor(x, requires_grad=True) if is_active(x) else x for x in call.args]
    values = parts(call.function(np, *traced))
    for got, want in zip(values, parts(call.function(np, *call.args)), strict=True):
        assert near(getattr(got, "data", got), want)
    pairs = zip(gradients(engine, np, call, 1), gradients(autograd, anp, call, 1), strict=True)
    assert all(near(got, want) for got, want in pairs)


@pytest.mark.parametrize("name", METHODS_WITHOUT_USE)
def test_attributes_of_autograds_arrays_without_use(name):
    error, *args = METHODS_WITHOUT_USE[name]
    with pytest.raises(error):
        autograd.grad(lambda x: anp.sum(getattr(x, name)(*args)))(np.ones(2))


@pytest.mark.parametrize("name", REFUSED)
def test_where_plain_numpy_refuses_there_is_a_way_round(name):
    there, error, here = REFUSED[name]
    args = np.float64(0.7), np.float64(1.9)
    want = gradients(autograd, anp, Call(there, args), 1)
    tensors = [engine.Tensor(x, requires_grad=True) for x in args]
    if error is None:
        assert not near(gradients(engine, np, Call(there, args), 1)[0], want[0])
    else:
        with pytest.raises(error):
            there(np, *tensors)
    for function in here:
        value = function(np, *tensors)
        assert near(value.data, there(anp, *args))
        # In a call without Tensors, like= needs an array.
        found = gradients(engine, np, Call(function, tuple(map(np.array, args))), 1)
        assert all(map(near, found, want))


def test_the_page_gives_the_reason_for_each_refusal():
    assert list(INSTEAD) == list(REFUSED)


def slopes(call: Call) -> list[Any]:
    """The gradient of `scalar` by central differences of order 4."""
    loss, inputs = scalar(np, call)
    found = []
    for k, x in enumerate(inputs):
        gradient = np.zeros_like(x)
        for index in np.ndindex(np.shape(x)):
            for unit in (1.0, 1j) if np.iscomplexobj(x) else (1.0,):
                for step, weight in ((1e-3, 2 / 3), (2e-3, -1 / 12)):
                    for sign in (1, -1):
                        moved = np.array(x)
                        moved[index] += sign * step * unit
                        value = loss(*inputs[:k], moved, *inputs[k + 1 :])
                        gradient[index] += unit * sign * weight * value / 1e-3
        found.append(gradient)
    return found


@pytest.mark.parametrize("reason", BEYOND)
def test_where_autograd_refuses_or_is_wrong(reason):
    what, call = BEYOND[reason]
    ours = gradients(engine, np, call, 1)
    for got, want in zip(ours, slopes(call), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        if what == "nan":
            warnings.simplefilter("ignore")
            assert np.isnan(gradients(autograd, anp, call, 1)[0]).any()
        elif what == "wrong":
            assert not all(map(near, gradients(autograd, anp, call, 1), ours))
        else:
            with pytest.raises(Exception) as caught:  # noqa: PT011  # its name is compared below
                gradients(autograd, anp, call, 1)
            assert type(caught.value).__name__ == what
