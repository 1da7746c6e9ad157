"""Many points in one call give what single calls give, or are not evaluated in one call."""

import dataclasses
import functools
import random

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.survey import compare_block, wrong_beyond_doubt
from pytest_gradcheck.core.options import Options, Tolerance
from pytest_gradcheck.core.orders import FirstOrder
from pytest_gradcheck.core.thresholds import MEASURED_NOISE
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.torch.pullback import prepare
from pytest_gradcheck.function import problem as problem_file
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import reference
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.differences import QUICK
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels


class OldStyle(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.exp(-x * x)

    @staticmethod
    def backward(ctx, cotangent):
        (x,) = ctx.saved_tensors
        return -2 * x * torch.exp(-x * x) * cotangent


class NewStyle(torch.autograd.Function):
    """Without a rule for vmap."""

    @staticmethod
    def forward(x):
        return torch.exp(-x * x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    backward = OldStyle.backward


class ThroughNumpy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(np.exp(-(x.numpy() ** 2)))

    backward = OldStyle.backward


def writes_into_its_input(x):
    y = x * 1
    y[0] = x[1] * x[2]
    y.mul_(x.cos())
    return y


#: Torch functions of five numbers that take an axis more, and how each step of a drawn one is written.
TOGETHER = {
    "sin": torch.sin,
    "softmax": lambda x: torch.softmax(x, 0),
    "cumsum": lambda x: torch.cumsum(x, 0),
    "mean": lambda x: x - x.mean(),
    "matrix": lambda x: torch.linspace(-1, 1, 25, dtype=x.dtype).reshape(5, 5) @ x,
    "outer": lambda x: torch.outer(x, x).tanh().sum(1),
    "sorted": lambda x: x.sort().values,
    "where": lambda x: torch.where(x > 0, x * x, x.sin()),
    "first dimension": lambda x: x / x.shape[0] + x[0] + torch.stack([x, x], 0).sum(0),
    "old style": OldStyle.apply,
    "new style": NewStyle.apply,
    "in place": writes_into_its_input,
    "convolution": lambda x: functional.conv1d(x[None, None], x[None, None, :3], padding=1)[0, 0],
    "norm": lambda x: functional.layer_norm(x, (5,)),
}

drawn = st.lists(st.sampled_from(sorted(TOGETHER)), min_size=1, max_size=3)
points = st.lists(st.floats(-3, 3), min_size=5, max_size=5)


def composed(names):
    return lambda x: functools.reduce(lambda value, name: TOGETHER[name](value), names, x)


def function_at(fn, x):
    options = Options(methods=("central", "forward"), mode="full")
    return FirstOrder(Problem(fn, x), options).function


@settings(deadline=None)
@given(drawn, points, st.sampled_from([torch.float64, torch.float32]))
def test_one_call_gives_the_values_of_many(names, numbers, dtype):
    x = torch.tensor(numbers, dtype=dtype)
    problem = Problem(composed(names), x)
    moved = problem.point + np.random.default_rng(0).normal(size=(20, 5))

    values, _ = problem.evaluate_many(moved)

    singly = np.stack([problem.evaluate(point) for point in moved])
    np.testing.assert_allclose(values, singly, rtol=1e-12, atol=1e-13 * np.abs(singly).max())


@pytest.mark.parametrize("name", TOGETHER)
def test_one_call_is_what_it_takes(name):
    # Of a composition whose outputs are far smaller than its terms the two ways may round too differently.
    problem = Problem(TOGETHER[name], torch.tensor([0.3, -1.2, 2.0, 0.7, -0.4], dtype=torch.float64))

    _, calls = problem.evaluate_many(problem.point + np.random.default_rng(0).normal(size=(20, 5)))

    assert calls < 20


@settings(max_examples=30, deadline=None)
@given(drawn, points)
@example(["matrix", "norm"], [0.0, 0.0, 1.0, 0.0, 1.0])
@example(["matrix"], [5e-324, 1.0, 2.0, 0.0, 1.0])
def test_differences_are_the_same_within_their_bars(names, numbers):
    fn, x = composed(names), torch.tensor(numbers, dtype=torch.float64)
    assume(fn(x).abs().max() > 1e-6)
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for few in (problem_file.FEW, 10**9):
            patch.setattr(problem_file, "FEW", few)
            jacobian = Jacobian(function_at(fn, x), {}, ("central", "forward"))
            with np.errstate(all="ignore"):
                found.append([jacobian.columns(range(5), None, thorough=t) for t in (False, True)])
    # The short ladder does not measure what an output that cancels wavers by, and clears nothing that wavers.
    sizes = np.abs(x.numpy())
    with np.errstate(over="ignore", divide="ignore"):
        wavers = 16 * EPS64 * float(fn(x).abs().max()) / (min(QUICK) * np.where(sizes > 0, sizes, 1.0))
    for together, singly, wavering in zip(*found, (wavers, 0.0), strict=True):
        for a, b in [(together.central, singly.central), (together.forward, singly.forward)]:
            # As a check compares them: three bars, and the rounding of the largest entry.
            output_rounding = MEASURED_NOISE * np.abs(b.value).max() + wavering
            allowed = 3 * (a.uncertainty + b.uncertainty) + output_rounding
            apart = np.abs(a.value - b.value) > allowed
            assert not (apart & np.isfinite(allowed)).any()


@pytest.mark.parametrize("fault", [None, "sign", "entry-percent"])
@pytest.mark.parametrize("name", TOGETHER)
def test_checks_take_few_calls(name, fault):
    x = torch.tensor([0.3, -1.2, 0.7, 1.9, -0.4], dtype=torch.float64)
    fn = TOGETHER[name] if fault is None else corrupt(TOGETHER[name], fault)
    result = check_gradients(fn, x)

    assert result.verdict == ("pass" if fault is None else "fail")
    central = result.methods["central"]
    assert central.calls < central.evaluations / 2
    assert result.calls < result.evaluations
    assert result.to_dict()["methods"]["central"]["calls"] == central.calls


class Counting(nn.Module):
    """Its buffer counts the calls, as that of a batch norm does, and its values depend on no other."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(5, dtype=torch.float64))

    def forward(self, x):
        self.seen.add_(x)
        return x * x


def branches(x):
    return x * x if x.sum() > 0.5 else x.sin()


def swallows_the_refusal(x):
    """What is batched is refused here, and another function answers."""
    try:
        positive = bool(x[0] > 0)
    except RuntimeError:
        return x.cos()
    return x.sin() if positive else x


def looks_at_the_batch(x):
    """Knows, by illicit means, that it is given many points, and mixes them."""
    if torch._C._functorch.is_batchedtensor(x):
        whole = torch._C._functorch.get_unwrapped(x)
        return x * whole.mean()
    return x * x.mean()


def right_at_the_point_alone(x):
    """Many points are given wrong values, except for the point itself."""
    if torch._C._functorch.is_batchedtensor(x):
        return x * x + 1e-3 * (x - torch.tensor(X, dtype=x.dtype))
    return x * x


class Dropout(nn.Module):
    def forward(self, x):
        return functional.dropout(x, 0.4, training=True) * x


X = [0.3, -1.2, 0.7, 1.9, -0.4]

SINGLY = {
    "branch": branches,
    "item": lambda x: x * x[0].item() + x * x[0],
    "numpy inside": lambda x: ThroughNumpy.apply(x) * 1.5,
    "random": lambda x: x * torch.rand(5, dtype=x.dtype),
    "Python's random": lambda x: x * (1 + random.random()),
    "dropout": Dropout(),
    "buffer": Counting(),
    "batch norm": functools.partial(nn.BatchNorm1d.__call__, nn.BatchNorm1d(5, dtype=torch.float64)),
    "swallowed": swallows_the_refusal,
    "looks at the batch": looks_at_the_batch,
    "right at the point alone": right_at_the_point_alone,
    "list": lambda x: torch.tensor([v * v for v in x.tolist()], dtype=x.dtype) + 0 * x + x.detach() * 0,
    "nonzero": lambda x: x.sin() * len(x[x > 0]),
    "gradient inside": lambda x: torch.autograd.grad((x.sin() * x).sum(), x, create_graph=True)[0],
}


@pytest.mark.parametrize("name", SINGLY)
def test_what_many_points_would_change_is_called_point_by_point(name):
    x = torch.tensor([X, X[::-1]] if name == "batch norm" else X, dtype=torch.float64)
    problem = Problem(SINGLY[name], x)
    moved = problem.point + np.random.default_rng(0).normal(size=(20, problem.point.size))

    values, calls = problem.evaluate_many(moved)

    assert calls == len(moved)
    assert np.array_equal(values, np.stack([problem.evaluate(point) for point in moved]))


class Backward(torch.autograd.Function):
    """The identity, with a backward that is given."""

    @staticmethod
    def forward(ctx, x, backward):
        ctx.backward = backward
        return x.clone()

    @staticmethod
    def backward(ctx, cotangent):
        return ctx.backward(cotangent), None


def counting_backward():
    calls = []

    def backward(g):
        calls.append(g)
        return g * len(calls)

    return backward


BACKWARDS = {
    "plain": (lambda g: g * 1.0, True),
    "wrong": (lambda g: -g, True),
    "of the first entry": (lambda g: g * g[0], True),
    "None": (lambda g: None, True),
    "in place": (lambda g: g.mul_(2), True),
    "branch": (lambda g: g if g.sum() > 0 else -g, False),
    "item": (lambda g: g * g[0].item(), False),
    "numpy": (lambda g: torch.from_numpy(2 * g.numpy()), False),
    "random": (lambda g: g * torch.rand(20, dtype=g.dtype), False),
    "memory": (counting_backward(), False),
}


@pytest.mark.parametrize("name", BACKWARDS)
def test_many_cotangents_are_pulled_back_as_each_by_itself(name):
    backward, together = BACKWARDS[name]
    x = torch.linspace(-1, 1, 20, dtype=torch.float64)
    pullback = prepare(Problem(lambda x: Backward.apply(x.sin(), backward), x))
    cotangents = np.random.default_rng(0).normal(size=(30, 20))
    torch.manual_seed(0)

    rows = pullback.vjps(cotangents)

    assert pullback.takes_batches is together
    assert (pullback.calls < 10) is together
    assert pullback.evaluations >= 30
    if name not in ("random", "memory"):
        np.testing.assert_allclose(rows, np.stack([pullback.vjp(u) for u in cotangents]), rtol=1e-12)


@given(drawn, points)
@settings(max_examples=30, deadline=None)
def test_rows_are_the_same_one_by_one(names, numbers):
    # Four times as many, for rows enough.
    x = torch.tensor(numbers * 4, dtype=torch.float64).reshape(4, 5)
    pullback = prepare(Problem(lambda x: torch.stack([composed(names)(row) for row in x]), x))
    cotangents = np.random.default_rng(0).normal(size=(30, 20))

    rows = pullback.vjps(cotangents)

    singly = np.stack([pullback.vjp(u) for u in cotangents])
    np.testing.assert_allclose(rows, singly, rtol=1e-9, atol=1e-12 * np.abs(singly).max())


def test_what_is_clearly_wrong_takes_few_evaluations():
    x = torch.linspace(-1, 2, 60, dtype=torch.float64)
    result = check_gradients(corrupt(lambda x: torch.softmax(x, 0), "sign"), x)

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "sign")
    # Six for each of 60 columns and two tangents, three columns with 32 at up to three scales, and a few of
    # 64 at other points; all of them at the long ladder would be 5,760.
    assert result.methods["central"].evaluations + result.methods["forward"].evaluations < 900


def test_a_case_is_clear_only_if_the_long_ladder_says_the_same(monkeypatch):
    x = torch.linspace(-1, 2, 40, dtype=torch.float64)
    problem = Problem(corrupt(lambda x: torch.softmax(x, 0), "sign"), x)
    function, tolerance = function_at(problem.fn, x), Tolerance(1e-6, 0.0, 1e-3)
    pullbacks = {"reference": reference.prepare(problem), "torch": prepare(problem)}
    jacobian = Jacobian(function, pullbacks, ("central", "forward"))
    entries = compare_block(jacobian, tolerance, np.eye(40), coordinates=list(range(40)))
    found = wrong_beyond_doubt(jacobian, tolerance, entries)
    assert found is not None
    assert 1 <= len(found.refined) <= 3

    columns = jacobian.columns

    def as_torch_has_them(at, seeds, *, thorough):
        found = columns(at, seeds, thorough=thorough)
        turned = Estimate(-found.central.value, found.central.uncertainty)
        return dataclasses.replace(found, central=turned) if thorough else found

    monkeypatch.setattr(jacobian, "columns", as_torch_has_them)
    assert wrong_beyond_doubt(jacobian, tolerance, entries) is None


@pytest.mark.parametrize("size", [9, 40, 200])
def test_ripples_that_only_the_finest_steps_see_are_no_clear_case(size):
    x = torch.linspace(-1, 2, size, dtype=torch.float64)
    result = check_gradients(lambda x: x + 1e-5 * torch.sin(1e8 * x), x)

    assert result.verdict != "fail", str(result)


def test_a_module_keeps_what_a_single_call_left():
    class Keeping(nn.Module):
        def forward(self, x):
            self.last = x.sin()
            return self.last * x

    module = Keeping()
    result = check_gradients(module, torch.tensor(X, dtype=torch.float64), methods=("central", "torch"))

    assert result.methods["central"].calls < result.methods["central"].evaluations
    assert module.last.shape == (5,)
    assert torch.isfinite(module.last + 1).all()


def test_functions_refuse_again_once_the_batch_is_done():
    x = torch.tensor(X, dtype=torch.float64)
    check_gradients(OldStyle.apply, x)

    with pytest.raises(RuntimeError, match="setup_context"):
        torch.func.vmap(OldStyle.apply)(x[None])


def test_the_costs_say_how_many_calls_it_took():
    x = torch.tensor(X, dtype=torch.float64)
    together, singly = (check_gradients(fn, x).methods["central"] for fn in (torch.sin, branches))

    assert together.evaluations == singly.evaluations
    assert together.calls < singly.calls == singly.evaluations


@pytest.mark.parametrize("fault", ["sign", "entry-percent"])
def test_a_large_gradient_that_is_clearly_wrong_takes_few_evaluations(fault):
    x = torch.linspace(-1, 2, 300, dtype=torch.float64)
    result = check_gradients(corrupt(lambda x: x * torch.tanh(x), fault), x)

    assert (result.verdict, result.culprit) == ("fail", "torch")
    # Six for each of two tangents, of four columns, and of these again; 32 for the worst column, and before
    # that for the worst, the first and the last, which may be two or three: rounding decides which is the
    # worst of columns that are all wrong by the same factor. The long road takes 436, or 196 for one entry.
    taken = result.methods["central"].evaluations + result.methods["forward"].evaluations
    # Two windows along the worst column confirm it, two along another line and one at tiny steps each; six
    # slopes close by, of four evaluations and one for the point, say that the function is smooth there.
    assert taken <= 6 * (2 + 4 + 4) + 32 * (3 + 1) + 14 * (3 + 3) + 6 * 5
