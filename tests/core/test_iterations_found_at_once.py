"""Iterations whose start is the solution: autograd differentiates the one step taken, and so does the engine.

The steps that are taken elsewhere are missing in the recording. Next to the point it moves otherwise than the
function does, whose differences add up as those of a smooth function: the gradient is wrong, not in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pytest_gradcheck import check_gradients  # noqa: E402  # after the skip

pytestmark = pytest.mark.kernels


def number(*values: float) -> Any:
    return torch.tensor(values, dtype=torch.float64)


def until_it_stands(step: Callable[[Any], Any], x: Any) -> Any:
    while True:
        before, x = x, step(x)
        if (x - before).abs().max() < 1e-14:
            return x


def damped_root(a: Any) -> Any:
    """The square root; the step taken at a = 4 has the slope 0.3 instead of 1/4."""
    return until_it_stands(lambda x: x + 0.3 * (a - x * x), torch.full_like(a, 2.0))


def cosine_point(a: Any) -> Any:
    """The x with x = a cos(x), found at once for a = 0.5 / cos(0.5)."""
    return until_it_stands(lambda x: a * torch.cos(x), torch.full_like(a, 0.5))


def scaled_rows(m: Any) -> Any:
    """The cost of Sinkhorn's plan, found at once where all rows are equal."""
    kernel, rows, columns = torch.exp(-m), number(0.2, 0.8), number(0.4, 0.6)
    u = torch.ones_like(rows)
    while True:
        v = columns / (kernel.T @ u)
        u = rows / (kernel @ v)
        plan = u[:, None] * kernel * v
        if (plan.sum(0) - columns).abs().max() < 1e-14:
            return (plan * m).sum()


AT_ONCE = {
    "a damped square root": (damped_root, number(4.0)),
    "a fixed point of the cosine": (cosine_point, 0.5 / torch.cos(number(0.5))),
    "Sinkhorn's plan": (scaled_rows, number(1.0, 0.0, 1.0, 0.0).reshape(2, 2)),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_gradient_of_one_step_fails(name: str) -> None:
    fn, x = AT_ONCE[name]
    result = check_gradients(fn, x)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    # What agrees with the culprit alone is not taken for right.
    assert "1 times" not in result.diagnosis.text


@pytest.mark.parametrize("name", AT_ONCE)
def test_away_from_there_the_same_code_passes(name: str) -> None:
    fn, x = AT_ONCE[name]
    moved = x + number(*[0.1 * k**2 + 0.05 for k in range(x.numel())]).reshape(x.shape)
    result = check_gradients(fn, moved)
    assert result.verdict == "pass", str(result)


def test_a_recording_that_function_values_contradict_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flint")
    # As where the recording cannot be replayed at another point, which says nothing by itself.
    monkeypatch.setattr("pytest_gradcheck.core.orders.follows", lambda *args: True)

    def bisected(a: Any) -> Any:
        low, high = torch.zeros_like(a).detach(), torch.full_like(a, 10.0).detach()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if middle * middle > a else (middle, high)
        return (low + high) / 2 + 0 * a

    result = check_gradients(bisected, torch.tensor(2.0, dtype=torch.float64))
    assert result.verdict != "pass", str(result)
    assert not result.proofs
    assert "function values move otherwise" in str(result.methods["exact"].reason)


class Root(torch.autograd.Function):
    """The damped square root, with the derivative of the root."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        x = damped_root(a)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        (x,) = ctx.saved_tensors
        return cotangent / (2 * x)


def test_a_right_gradient_by_hand_passes_there() -> None:
    result = check_gradients(Root.apply, number(4.0))
    assert result.verdict == "pass", str(result)


def test_the_middle_of_three_equal_numbers_stays_in_doubt() -> None:
    # Python's branches make the recording one of many; the differences do not add up.
    def middle(x: Any) -> Any:
        a, b, c = x
        low, high = (a, b) if a < b else (b, a)
        return low if c < low else c if c < high else high

    result = check_gradients(middle, number(1.0, 1.0, 1.0))
    assert result.verdict != "fail", str(result)
