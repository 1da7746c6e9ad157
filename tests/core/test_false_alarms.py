"""Right functions of NumPy at points where a check once called them wrong, or could not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check_gradients
from pytest_gradcheck.testing import corrupt
from reference_engine.definitions import PRIMITIVES

pytestmark = pytest.mark.kernels

CONJUGATES = np.array([[1.35j, -1.45 - 2j, -1.17 + 2.24j]] * 4)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        # The second derivative is zero, in float32 to the last bit; disturbed runs alone show rounding.
        pytest.param(lambda x: x.std(0, ddof=1), np.array([[0.0, 1.0], [-1.0, 2.0]]), id="std of two"),
        # torch's own second derivatives are wrong at these points, or its first.
        pytest.param(np.sinc, np.array([0.0, 0.1, 0.159, 0.16, 0.9, 3.0]), id="sinc at zero"),
        pytest.param(lambda x: np.ldexp(x, -2), np.array([0.0, 0.3]), id="ldexp by a number"),
        pytest.param(lambda x: np.ldexp(x, np.array([1, -3])), np.array([0.0, 0.3]), id="ldexp by an array"),
        # torch gives these marked as conjugated.
        pytest.param(np.fft.ihfft, np.array([1.0, -2.0, 0.5]), id="conjugated result"),
        pytest.param(np.power, (np.array([1.0, 2.0, 2.0]), np.array([0.0, 0.0, -1.0])), id="power of zero"),
        pytest.param(np.power, (np.array([1 + 2j, 2]), np.array([0j, 1j])), id="complex power of zero"),
        # torch's backward divides and multiplies by x; the engine's rounds nothing here.
        pytest.param(np.copysign, (np.array(0.275), np.array(1.0)), id="copysign"),
    ],
)
def test_methods_agree_at_the_second_order(function: Callable[..., Any], inputs: Any) -> None:
    result = check_gradients(function, inputs, order=2)
    assert result.verdict == "pass", str(result)
    assert result.culprit is None
    assert {name for name, method in result.methods.items() if method.status == "ok"} >= {
        "reference",
        "torch",
    }


def test_torch_is_no_witness_where_its_rule_for_numpy_code_is_nan() -> None:
    result = check_gradients(lambda x: x.std(0), np.array([[1.0, 0.0], [0.0, 0.0]]), order=2)
    # The gradient jumps where a column has no spread, so the check is inconclusive; torch's nan proves
    # nothing.
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "jump"), str(result)
    assert result.methods["torch"].status == "unavailable"
    assert "not finite" in str(result.methods["torch"].reason)


def test_a_torch_function_whose_own_gradient_is_nan_still_fails() -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    result = check_gradients(lambda x: x.std(0), x, order=2)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


@pytest.mark.parametrize(
    ("function", "point", "order"),
    [
        pytest.param(lambda x: np.maximum(x, 0), -1.0, 1, id="rectifier on its dead side"),
        pytest.param(lambda x: np.imag(x), np.array([2.0, 3.0]), 2, id="imaginary part of real numbers"),
        pytest.param(lambda x: x[0], np.array([2.0, 3.0]), 2, id="second derivative of an unused entry"),
    ],
)
def test_zero_everywhere_is_an_agreement(function: Callable[..., Any], point: Any, order: int) -> None:
    methods = ("central", "forward", "reference")
    result = check_gradients(function, point, order=order, methods=methods)
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize(
    ("function", "point"),
    [
        pytest.param(lambda x: 1e-30 * x, 2.0, id="a small slope"),
        pytest.param(lambda x: np.maximum(x, 0), 1e-9, id="next to the dead side"),
        pytest.param(lambda x: x**30, 1e-3, id="a value near zero"),
    ],
)
def test_a_wrong_zero_is_still_seen(function: Callable[..., Any], point: float) -> None:
    wrong = {"gradient": lambda x: 0.0, "methods": ("central", "forward", "user")}
    assert check_gradients(function, point, **wrong).verdict == "fail"


def test_two_that_err_alike_do_not_excuse_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    sine = PRIMITIVES["sin"]
    monkeypatch.setattr(sine, "rules", (lambda c, result, x: 1.01 * c * np.cos(x),))
    wrong = {"gradient": lambda x: 1.01 * np.cos(x)}
    assert check_gradients(np.sin, 0.5, **wrong).verdict == "fail"
    assert check_gradients(np.sin, 0.5, **wrong, methods=("central", "torch", "user")).culprit == "user"


def test_nobody_is_blamed_for_rounding_where_all_derivatives_vanish() -> None:
    # The condition number of a 1x1 matrix is one, whatever the matrix.
    result = check_gradients(lambda x: np.linalg.cond(x, "nuc"), np.array([[3.4]]), order=2)
    assert result.verdict == "pass", str(result)
    assert result.culprit is None


@pytest.mark.parametrize("seed", [1, 8, 11])
def test_rounding_beside_large_entries_is_no_jump(seed: int) -> None:
    def transform(x: Any) -> Any:
        return np.fft.irfft(x, axis=0, norm="forward")

    result = check_gradients(transform, CONJUGATES, order=2, seed=seed)
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize("slope", [1e5, 1e7, 1e8, 3e8, 1e9, 1e10])
def test_what_is_steeper_than_the_steps_are_fine_is_not_blamed(slope: float) -> None:
    def gradient(x: Any) -> Any:
        return slope / np.cosh(np.minimum(slope * (x - 1), 700)) ** 2

    x = np.array([1.0, 2.0])
    result = check_gradients(
        lambda x: np.tanh(slope * (x - 1)).sum(), x, gradient=gradient, methods=("central", "user")
    )
    assert result.verdict == ("pass" if slope <= 1e7 else "inconclusive"), str(result)


def test_own_rounding_excuses_no_gradient_that_does_not_vanish() -> None:
    torch = pytest.importorskip("torch")

    class Loses(torch.autograd.Function):  # type: ignore[misc, name-defined]  # torch is any here
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ((ctx.saved_tensors[0].cos() + 1e6) - 1e6)

    x = torch.tensor([0.3, -1.2, 0.8])
    assert check_gradients(Loses.apply, x.double()).verdict == "pass"
    result = check_gradients(Loses.apply, x)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "precision-loss")


def test_a_small_jump_is_still_one() -> None:
    result = check_gradients(lambda x: np.where(x > 1, x + 1e-6, x), np.array([1.0, 2.0]))
    assert result.verdict == "inconclusive"
    assert result.diagnosis.code == "jump"


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("at", [30.0, 34.0, 37.0, 100.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_a_saturated_output_has_lost_is_no_fault_of_the_backward(at: float, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor([at if dtype == "float64" else at / 2.5], dtype=getattr(torch, dtype))
    # Here torch's s · (1 - s) is off by at least 1e-3. From 37 on it is zero, and what is right is less than
    # a rounding of the value, which is zero too.
    drowned = at == 100.0 or (at, dtype) == (37.0, "float64")
    # What values leave in doubt is proven.
    settled = check_gradients(torch.sigmoid, x)
    expected = ("pass", "agree") if drowned else ("pass", "proved")
    assert (settled.verdict, settled.diagnosis.code) == expected, str(settled)
    result = check_gradients(torch.sigmoid, x, methods=("central", "forward", "reference", "torch"))
    expected = ("pass", "agree") if drowned else ("inconclusive", "unresolved")
    assert (result.verdict, result.diagnosis.code) == expected, str(result)
    assert any("rounding of the function" in one.reason for one in result.not_checked) == drowned
    beside = check_gradients(torch.sigmoid, torch.cat([x, torch.ones_like(x)]))
    assert beside.verdict == "pass", str(beside)


@pytest.mark.parametrize("factor", [1.01, -1.0])
def test_saturation_excuses_no_backward_that_the_value_tells_apart(factor: float) -> None:
    torch = pytest.importorskip("torch")
    wrong = corrupt(torch.sigmoid, lambda g: factor * g)
    for x in (torch.tensor([10.0]), torch.tensor([15.0]).double()):
        result = check_gradients(wrong, x)
        assert result.verdict != "pass", str(result)
    assert check_gradients(wrong, torch.tensor([5.0])).verdict == "fail"
    assert check_gradients(wrong, torch.tensor([15.0]).double()).verdict == "fail"


def test_the_textbook_gradient_of_a_saturated_sigmoid_is_not_blamed() -> None:
    def gradient(x: Any) -> Any:
        return logistic(x) * (1 - logistic(x))

    for at in (30.0, 34.0, 37.0, 100.0):
        result = check_gradients(logistic, np.array([at]), gradient=gradient)
        expected = ("pass", "agree") if at > 36 else ("inconclusive", "unresolved")
        assert (result.verdict, result.diagnosis.code) == expected, str(result)
    assert check_gradients(logistic, np.array([20.0]), gradient=gradient).verdict == "pass"
    wrong = check_gradients(logistic, np.array([20.0]), gradient=lambda x: 1.01 * gradient(x))
    assert (wrong.verdict, wrong.culprit) == ("fail", "user")


def test_numpy_code_is_not_blamed_for_what_autodiff_makes_of_a_branch_not_taken() -> None:
    def elu(x: Any) -> Any:
        return np.where(x > 0, x, np.expm1(x)).sum()

    result = check_gradients(elu, np.array([1000.0, 1.0]))
    assert (result.verdict, result.culprit, result.diagnosis.code) == (
        "inconclusive",
        None,
        "non-finite-gradient",
    )
    by_hand = check_gradients(elu, np.array([1000.0, 1.0]), gradient=lambda x: np.exp(np.minimum(x, 0)))
    assert by_hand.verdict == "pass", str(by_hand)
    wrong = check_gradients(elu, np.array([1000.0, 1.0]), gradient=lambda x: np.exp(x))
    assert (wrong.verdict, wrong.culprit) == ("fail", "user")


@pytest.mark.parametrize("matrix", [np.diag([1.0, 2.0, 0.0]), np.array([[1.0, 2.0], [2.0, 4.0]])])
def test_numpy_code_is_not_blamed_for_what_torch_makes_of_it(matrix: Any) -> None:
    # torch's gradient of the determinant of a singular matrix is zero.
    result = check_gradients(np.linalg.det, matrix)
    assert (result.verdict, result.methods["torch"].status) == ("pass", "unavailable"), str(result)


def log_cosh(x: Any) -> Any:
    return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2)


@pytest.mark.parametrize("at", [1e-150, -1e-100, 1e-16, 1e-9, 0.3])
def test_a_gradient_that_knows_more_than_the_function_is_not_blamed(at: float) -> None:
    # Near zero the function cancels to nothing, and so does its derivative; the hand-written tanh does not.
    result = check_gradients(
        log_cosh, at, gradient=np.tanh, methods=("central", "forward", "reference", "user")
    )
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize("wrong", [1.0, -1e-3])
def test_what_is_wrong_where_the_function_does_not_move_is_still_seen(wrong: float) -> None:
    relu = check_gradients(lambda x: np.maximum(x, 0.0), -1.5, gradient=lambda x: wrong)
    assert (relu.verdict, relu.culprit) == ("fail", "user"), str(relu)
    halves = check_gradients(
        lambda x: np.maximum(x, 0.0),
        np.array([-1.5, 2.0]),
        vjp=lambda x, cotangent: np.where(x > 0, 1, wrong) * cotangent,
    )
    assert (halves.verdict, halves.culprit) == ("fail", "user"), str(halves)


@pytest.mark.parametrize("condition", [1e4, 1e10, 1e14])
def test_a_system_whose_condition_eats_all_digits_is_nobodys_fault(condition: float) -> None:
    """A rounding of float32 moves the gradient by all of its size from 1e8 on, and says no more beyond."""
    size = condition**0.5
    a = size * np.array([[1.0, 0.0, 1.0], [1e-5, 1.0, 1e-5], [1.0, 0.0, 1.0]])
    b = size * np.array([1.0, 0.0, 1.0])

    def solve(a: Any, b: Any) -> Any:
        return np.linalg.solve(a @ a.T + np.eye(3), b)

    assert check_gradients(solve, (a, b)).verdict in (
        ("pass",) if condition < 1e12 else ("pass", "inconclusive")
    )
    result = check_gradients(solve, (a, b), methods=("central", "forward", "reference", "torch"))
    assert result.verdict == ("pass" if condition < 1e12 else "inconclusive"), str(result)
    if condition < 1e8:
        broken = check_gradients(corrupt(solve, "percent"), (a, b))
        assert broken.verdict == "fail", str(broken)
