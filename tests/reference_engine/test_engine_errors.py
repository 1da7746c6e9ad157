"""Every way out of the graph and every wrong argument ends in an error that says what to do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

import reference_engine as engine
from reference_engine import MissingRuleError, OutOfGraphError, Tensor, grad

ESCAPES = {
    "float": float,
    "int": int,
    "complex": complex,
    "math.sin": math.sin,
    "np.asarray": np.asarray,
    "np.array of a list": lambda t: np.array([t, t]),
    "assignment into an array": lambda t: np.zeros(2).__setitem__(0, t),
    "in-place add to an array": lambda t: np.zeros(()).__iadd__(t),
    "out=": lambda t: np.sin(t, out=np.zeros(())),
    "out by position": lambda t: np.sum(t, None, None, np.zeros(())),
    "ufunc.at": lambda t: np.add.at(np.zeros(2), [0], t),
    "range": range,
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_taking_the_value_out_is_refused(escape):
    for call in (lambda: escape(Tensor(0.5, requires_grad=True)), lambda: grad(escape)(0.5)):
        with pytest.raises((OutOfGraphError, ValueError)) as caught:
            call()
        # Where an array's element is set, NumPy raises an error of its own on top of ours.
        error = caught.value if isinstance(caught.value, OutOfGraphError) else caught.value.__cause__
        assert isinstance(error, OutOfGraphError)
        assert "takes the value out of the graph" in str(error)


@pytest.mark.parametrize("escape", [lambda t: t.item(), lambda t: t.tolist(), lambda t: (t * t).backward()])
def test_item_and_backward_are_refused_while_a_transform_traces(escape):
    with pytest.raises(OutOfGraphError, match="takes the value out of the graph"):
        grad(escape)(0.5)


def test_a_function_of_scipy_that_asks_nobody_is_refused_with_the_way_out():
    with pytest.raises(OutOfGraphError, match=r"use the one in reference_engine\.scipy"):
        scipy.linalg.expm(Tensor([[0.0, 1.0], [0.0, 0.0]], requires_grad=True))


def test_constants_may_leave():
    t = Tensor(0.5)
    assert float(t) == 0.5
    assert math.sin(t) == math.sin(0.5)
    assert np.asarray(t) == 0.5
    assert list(range(Tensor(2))) == [0, 1]
    assert Tensor(0.5, requires_grad=True).item() == 0.5


def test_branches_on_values_are_free():
    assert grad(lambda x: x * x if x > 1 else -x)(3.0) == 6
    assert grad(lambda x: x * x if x > 1 else -x)(0.5) == -1


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: np.isnat(x), "isnat"),
        (lambda x: np.busday_offset(x, 1), "busday_offset"),
        (lambda x: np.pad(x, 1, mode="empty"), "pad"),
        (lambda x: np.quantile(np.ones(3), x), "quantile.*by q"),
        (lambda x: np.logaddexp.reduce(x, where=[True]), "logaddexp.reduce"),
        (lambda x: np.sin(x, where=np.array(True)), "where"),
        (lambda x: np.add(x, 1, where=[False]), "where"),
    ],
)
def test_missing_rule_names_the_function_and_the_remedy(call, name):
    with pytest.raises(MissingRuleError, match=name):
        call(Tensor(np.ones(1), requires_grad=True))


def test_missing_rule_shows_extend():
    with pytest.raises(MissingRuleError, match=r"extend\.primitive\(rules="):
        np.isnat(Tensor(1.0, requires_grad=True))


def test_argument_without_a_rule_is_refused_not_zero():
    import scipy.special

    with pytest.raises(MissingRuleError, match="betainc has no derivative by its argument number 0"):
        grad(lambda a: scipy.special.betainc(a, 1.0, 0.5))(2.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Tensor("abc"), TypeError, "expected numbers"),
        (
            lambda: Tensor([1, 2], requires_grad=True),
            TypeError,
            r"requires_grad=True needs a real or complex",
        ),
        (lambda: Tensor(np.ma.array([1.0])), TypeError, "plain numpy.ndarray"),
        (lambda: Tensor(1.0, requires_grad=True) * np.ma.array([1.0]), TypeError, "MaskedArray"),
        (lambda: Tensor(1.0, label=3), TypeError, "label must be a string"),
        (lambda: Tensor(1.0).backward(), TypeError, "requires_grad=True"),
        (lambda: Tensor([1.0, 2.0], requires_grad=True).backward(), ValueError, "needs cotangent"),
        (lambda: Tensor(1j, requires_grad=True).backward(), ValueError, "needs cotangent"),
        (lambda: Tensor(1.0, requires_grad=True).backward([1.0]), ValueError, r"shape \(\), got \(1,\)"),
        (lambda: Tensor(1.0, requires_grad=True).backward(1j), TypeError, "must be real"),
        (lambda: Tensor([1.0])["a"], TypeError, "indexed with integers"),
        (lambda: Tensor(1.0).__array_namespace__(api_version="1999"), ValueError, "api_version"),
        (lambda: grad(lambda x: x)(np.ones(2)), ValueError, "one number as its result"),
        (lambda: grad(lambda x: x * 1j)(1.0), TypeError, "real result"),
        (lambda: grad(lambda x: "a")(1.0), TypeError, "result of f"),
        (lambda: grad(lambda x: x, argnums=2)(1.0), ValueError, "argnums"),
        (lambda: grad(lambda x: x)(np.arange(3)), TypeError, "args must hold"),
        (lambda: grad(3)(1.0), TypeError, "f must be callable"),
        (lambda: engine.vjp(np.sin, 1.0)[1]((1.0, 2.0)), ValueError, "nesting of the value"),
        (lambda: engine.jvp(np.sin, 1.0, (1.0,)), TypeError, "args must be a tuple"),
        (lambda: engine.jvp(np.sin, (1.0,), (np.ones(2),)), ValueError, "tangents must have"),
        (lambda: engine.draw(3.0), TypeError, "tensor must be a Tensor"),
        (lambda: engine.windows(np.ones(3), (4,)), ValueError, "does not fit"),
        (
            lambda: engine.convolution(np.ones((1, 2, 3)), np.ones((1, 1, 2))),
            ValueError,
            "channels do not match",
        ),
        (
            lambda: grad(lambda a: np.linalg.svd(a)[2][2, 0])(np.eye(2, 3)),
            MissingRuleError,
            "through the rows of Vh from 2 on.*full_matrices=False",
        ),
    ],
)
def test_wrong_use(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_later_changes_to_arrays_do_no_harm():
    data, constant, index = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([0, 1])
    t = Tensor(data, requires_grad=True)
    y = np.sum((t * constant * t)[index])
    data[:] = constant[:] = 99.0
    index[:] = 0
    y.backward()
    assert t.grad.tolist() == [6.0, 16.0]
    with pytest.raises(ValueError, match="read-only"):
        t.data[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        t.grad[0] = 1.0
    with pytest.raises(ValueError, match=r"data must have the Tensor's shape \(2,\), got \(\)"):
        t.data = 3.0
    with pytest.raises(TypeError, match="data of a Tensor that was computed"):
        y.data = 3.0


@pytest.mark.parametrize(
    ("method", "instead"),
    [
        ("tanh", r"np\.tanh\(x\)"),
        ("exp", r"np\.exp\(x\)"),
        ("det", r"np\.linalg\.det\(x\)"),
        ("sigmoid", r"scipy\.special\.expit\(x\)"),
        ("numel", r"x\.size"),
        ("unsqueeze", r"np\.expand_dims\(x, axis\)"),
    ],
)
def test_a_method_of_other_arrays_is_named_in_numpys_words(method, instead):
    with pytest.raises(AttributeError, match=f"a Tensor has no attribute {method}.* write {instead}"):
        getattr(Tensor(0.5), method)
    assert not hasattr(Tensor(0.5), method)


def test_an_unknown_attribute_gets_no_advice():
    with pytest.raises(AttributeError, match=r"has no attribute colour, as an array has none$"):
        _ = Tensor(0.5).colour
