# ruff: noqa: E501  # a table: one row per line
"""Kinks, ties, zeros and infinities: torch's conventions, or the documented other one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sp

from reference_engine import grad, hessian, logsumexp, vjp

pytestmark = pytest.mark.kernels

torch = pytest.importorskip("torch")

CASES = {
    "abs at 0": (np.abs, torch.abs, [0.0, -0.0, 1.0]),
    "sign": (lambda x: np.sign(x) * x, lambda x: torch.sign(x) * x, [0.0, -2.0]),
    "max of a tie": (np.max, torch.amax, [1.0, 3.0, 3.0]),
    "min of a tie": (np.min, torch.amin, [1.0, 1.0, 3.0, 1.0]),
    "max along an axis": (lambda x: np.max(x, 1), lambda x: torch.amax(x, 1), [[1.0, 1.0], [2.0, 0.0]]),
    "maximum of a tie": (lambda x: np.maximum(x, 1.0), lambda x: torch.maximum(x, torch.ones_like(x)), [1.0, 0.0, 2.0]),
    "fmax of a tie": (lambda x: np.fmax(x, 1.0), lambda x: torch.fmax(x, torch.ones_like(x)), [1.0, 0.0, np.nan]),
    "fmin of a tie": (lambda x: np.fmin(1.0, x), lambda x: torch.fmin(torch.ones_like(x), x), [1.0, 0.0, np.nan]),
    "clip on its bounds": (lambda x: np.clip(x, 0, 1), lambda x: torch.clamp(x, 0, 1), [0.0, 1.0, 0.5, 2.0, -1.0]),
    "norm at 0": (np.linalg.norm, torch.linalg.norm, [0.0, 0.0]),
    "norm 3 at 0": (lambda x: np.linalg.norm(x, 3), lambda x: torch.linalg.norm(x, 3), [0.0, 0.0]),
    "std of equal entries": (lambda x: np.std(x, ddof=1), torch.std, [2.0, 2.0, 2.0]),
    "prod with one zero": (np.prod, torch.prod, [0.0, 2.0, 3.0]),
    "prod with two zeros": (np.prod, torch.prod, [0.0, 2.0, 0.0]),
    "cumprod with a zero": (lambda x: np.cumprod(x), lambda x: torch.cumprod(x, 0), [2.0, 0.0, 3.0]),
    "x ** 0 at 0": (lambda x: x**0, lambda x: x**0, [0.0, 2.0]),
    "x ** 2 at 0": (lambda x: x**2, lambda x: x**2, [0.0, -2.0]),
    "x ** 1 at 0": (lambda x: x ** np.array([1.0, 0.0]), lambda x: x ** torch.tensor([1.0, 0.0]).double(), [0.0, 0.0]),
    "0 ** y": (lambda y: 0.0**y, lambda y: torch.zeros(2).double() ** y, [2.0, 0.0]),
    "sort of ties": (lambda x: np.sort(x) * np.arange(3), lambda x: torch.sort(x, stable=True)[0] * torch.arange(3), [1.0, 0.0, 1.0]),
    "logsumexp of -inf": (logsumexp, lambda x: torch.logsumexp(x, 0), [-np.inf, -np.inf]),
    "logsumexp with -inf": (logsumexp, lambda x: torch.logsumexp(x, 0), [-np.inf, 0.0, 1.0]),
    "sinc at 0": (np.sinc, torch.sinc, [0.0, 0.3]),
    "hypot at 0": (lambda x: np.hypot(x, 0.0) * 0 + np.sum(x), lambda x: x + torch.sum(x) - x, [0.0]),
    "remainder": (lambda x: np.remainder(x, 2.0), lambda x: torch.remainder(x, 2.0), [4.0, -1.0]),
    "i0e at 0": (sp.i0e, torch.special.i0e, [0.0, 0.5]),
    "slope of i0e at 0": (grad(lambda x: np.sum(sp.i0e(x))), lambda x: torch.special.i1e(x) - torch.sign(x) * torch.special.i0e(x), [0.0, 0.5]),
    "xlogy at 0": (lambda x: sp.xlogy(x, [2.0, 0.0, 3.0]), lambda x: torch.special.xlogy(x, torch.tensor([2.0, 0.0, 3.0]).double()), [0.0, 0.0, 1.0]),
    "round": (lambda x: np.round(x) + 0 * x, lambda x: torch.round(x) + 0 * x, [0.5, 2.2]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("mine", "theirs", "x"), CASES.values(), ids=CASES)
def test_same_as_torch(mine, theirs, x):
    x = np.array(x)
    value, pullback = vjp(mine, x)
    (gradient,) = pullback(np.ones_like(value))
    t = torch.tensor(x, requires_grad=True)
    result = theirs(t)
    result.backward(torch.ones_like(result))
    np.testing.assert_allclose(value, result.detach().numpy())
    np.testing.assert_allclose(gradient, t.grad.numpy(), rtol=1e-14, atol=0)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_sqrt_has_an_infinite_slope_at_0():
    assert grad(np.sqrt)(0.0) == np.inf
    assert grad(np.log)(0.0) == np.inf


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_where_trap():
    """0 * inf from the branch not taken is nan, as in torch; an inner where avoids it."""
    assert np.isnan(grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(0.0))
    t = torch.tensor(0.0, requires_grad=True)
    torch.where(t > 0, torch.sqrt(t), 0.0).backward()
    assert torch.isnan(t.grad)
    assert grad(lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))(0.0) == 0


def test_hypot_at_0_is_the_norm_that_it_is():
    """torch gives nan there, and 0 for the norm."""
    assert grad(np.hypot, argnums=(0, 1))(0.0, 0.0) == (0, 0)
    assert grad(np.arctan2, argnums=(0, 1))(0.0, 0.0) == (0, 0)


def test_second_derivatives_at_special_points():
    np.testing.assert_allclose(hessian(np.prod)(np.array([0.0, 2.0, 3.0])), [[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    assert grad(grad(np.sinc))(0.0) == pytest.approx(-(np.pi**2) / 3)
    assert grad(grad(lambda x: x**2))(0.0) == 2
    assert grad(grad(lambda x: x**3))(0.0) == 0
    assert grad(grad(np.abs))(0.0) == 0


def test_determinant_of_singular_matrices():
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(grad(np.linalg.det)(a), [[4.0, -2.0], [-2.0, 1.0]])


def test_eigenvalues_may_coincide_where_only_they_are_used():
    a = np.eye(3)
    np.testing.assert_allclose(grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(a), np.eye(3))
