"""Functions that stop gradients, and mean to."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck import InvalidArgument, check_gradients

pytestmark = pytest.mark.kernels

torch = pytest.importorskip("torch")


class Square(torch.autograd.Function):
    """A hand-written backward, and blocks inside that do not matter outside."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        with torch.no_grad():
            y = x * x
        with torch.enable_grad():
            return y * 1

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


class WrongSquare(Square):
    @staticmethod
    def backward(ctx, g):
        return 2.1 * g * ctx.saved_tensors[0]


def straight_through(x):
    return x + (torch.round(x) - x).detach()


def weighted(x):
    with torch.no_grad():
        weight = torch.softmax(x, 0)
    return (weight * x**2).sum()


def beside_a_function(x):
    return Square.apply(x) * x.detach()[0]


def of_a_function(x):
    with torch.no_grad():
        scale = Square.apply(x)
    return scale * x


@torch.no_grad()
def mean(x):
    return x.mean()


def by_decorator(x):
    return x**2 - mean(x) * x


FUNCTIONS = {
    "straight through": straight_through,
    "weights": weighted,
    "next to a function": beside_a_function,
    "of a function": of_a_function,
    "data": lambda x: x.data.exp()[1:] * x[1:],
    "decorator": by_decorator,
    "view of a detached tensor": lambda x: x.detach().reshape(3, 1)[1:, 0] * x[:2],
    "several": lambda x: (x * x.detach(), x.sin().detach() + x),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("fn", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_declared_passes(fn, dtype):
    x = torch.tensor([0.3, 1.7, -2.2], dtype=dtype)
    assert check_gradients(fn, x).verdict == "fail"
    result = check_gradients(fn, x, stop_gradients="intended", order=2)
    assert result.verdict == "pass", str(result)
    assert any("test_stop_gradients.py" in item.what for item in result.not_checked), result.not_checked


@pytest.mark.parametrize("methods", [("central", "torch"), ("reference", "torch")])
@pytest.mark.parametrize("fn", [straight_through, weighted, of_a_function])
def test_each_witness_holds_them_still(fn, methods):
    x = torch.tensor([0.3, 1.7, -2.2], dtype=torch.float64)
    result = check_gradients(fn, x, stop_gradients="intended", order=2, methods=methods)
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize(
    "fn", [lambda x: WrongSquare.apply(x) * x.detach(), lambda x: WrongSquare.apply(x).sum() * weighted(x)]
)
def test_a_wrong_gradient_beside_a_stopped_one_is_caught(fn):
    x = torch.tensor([0.3, 1.7, -2.2], dtype=torch.float64)
    result = check_gradients(fn, x, stop_gradients="intended")
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert "stop_gradients='intended'" in result.reproduce


def test_a_function_that_stops_nothing_is_checked_as_ever():
    x = torch.tensor([0.3, 1.7, -2.2], dtype=torch.float64)
    result = check_gradients(torch.sin, x, stop_gradients="intended")
    assert (result.verdict, result.not_checked) == ("pass", ())


def test_the_failure_names_the_option():
    result = check_gradients(straight_through, torch.tensor([0.3, 1.7]))
    assert result.diagnosis.code == "stop-gradient"
    assert 'stop_gradients="intended"' in result.diagnosis.text


def clamped(x):
    y = x * 2
    with torch.no_grad():
        y.clamp_(0)
    return y


def written(x):
    y = x * 2
    y.detach().mul_(3)
    return y


@pytest.mark.parametrize("fn", [clamped, written])
def test_what_cannot_be_held_still_is_not_passed(fn):
    """Autograd sees the value before such a write, and nothing else tells the two apart."""
    result = check_gradients(fn, torch.tensor([0.3, -1.7]), stop_gradients="intended")
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nothing-checked")
    assert "cannot treat" in result.methods["central"].reason
    assert "test_stop_gradients.py" in result.methods["reference"].reason


@pytest.mark.parametrize(
    ("inputs", "value", "message"),
    [
        (np.ones(2), "intended", "torch and JAX functions only"),
        (torch.ones(2), "meant", "one of wrong, intended"),
        (torch.ones(2), True, "one of wrong, intended"),
    ],
)
def test_wrong_use(inputs, value, message):
    with pytest.raises(InvalidArgument, match=f"stop_gradients.*{message}"):
        check_gradients(lambda x: x * 2, inputs, stop_gradients=value)


class InNumPy(torch.autograd.Function):
    """What is computed elsewhere, and has a backward of its own."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(x.detach().numpy()))

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class WrongInNumPy(InNumPy):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.cos() + x)


def test_a_function_that_leaves_torch_is_not_blamed_for_it():
    """A kernel called by NumPy is not a value that leaves the graph: its backward is what is wrong."""
    x = torch.tensor([0.3, 1.7, -2.2], dtype=torch.float64)
    result = check_gradients(WrongInNumPy.apply, x)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "wrong-values")
    assert "out of the graph" not in str(result)
    assert "in the forward of a Function" in result.methods["reference"].reason
    beside = check_gradients(lambda x: InNumPy.apply(x) * x.numpy(force=True).sum(), x)
    assert (beside.verdict, beside.diagnosis.code) == ("fail", "out-of-graph")


@pytest.mark.parametrize(
    "options", [{"stop_gradients": "intended"}, {"methods": ("reference", "torch")}], ids=str
)
def test_what_the_engine_cannot_see_makes_no_gradient_wrong(options):
    x = torch.tensor([0.3, 1.7, -2.2], dtype=torch.float64)
    result = check_gradients(lambda x: InNumPy.apply(x) * x.detach(), x, **options)
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nothing-checked"), str(result)
    assert "in the forward of a Function" in result.methods["reference"].reason


def test_a_float_that_a_torch_function_returns_keeps_its_digits():
    """As a float32 it would be another value, and the check would not report that it left the graph."""
    x = torch.tensor([0.3, 1.7, -2.2], dtype=torch.float64)
    result = check_gradients(lambda x: (x * x).sum().item(), x)
    assert (result.verdict, result.diagnosis.code) == ("fail", "out-of-graph"), str(result)
