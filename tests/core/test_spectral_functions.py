"""Functions of eigenvalues: smooth, or without a derivative, where states coincide.

Where the function is symmetric in the states that coincide (a determinant, a trace, a projector on both of
them) it has a derivative, which an eigendecomposition's own backward divides by zero for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from twins import fails, not_accused, passes, times

from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.kernels


def with_spectrum(*eigenvalues: float) -> Any:
    n = len(eigenvalues)
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))[0]
    a = q @ np.diag(np.array(eigenvalues, dtype=float)) @ q.T
    return (a + a.T) / 2


def symmetric(a: Any) -> Any:
    return (a + a.T) / 2


def density(a: Any) -> Any:
    """The projector on the two lowest states."""
    v = np.linalg.eigh(symmetric(a))[1][:, :2]
    return v @ v.T


def density_vjp(a: Any, cotangent: Any) -> Any:
    w, v = np.linalg.eigh(symmetric(a))
    gap = w[:2, None] - w[None, 2:]
    c = v.T @ symmetric(cotangent) @ v
    x = np.zeros_like(a)
    equal = abs(gap) < 1e-8 * abs(w).max()
    x[:2, 2:] = np.where(equal, 0, c[:2, 2:] / np.where(equal, 1, gap))
    return v @ (x + x.T) @ v.T


def matrix_function(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def function(a: Any) -> Any:
        w, v = np.linalg.eigh(symmetric(a))
        return v @ np.diag(f(w)) @ v.T

    return function


def matrix_vjp(f: Callable[[Any], Any], df: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """The formula of Daleckii and Krein: divided differences, and derivatives where two states coincide."""

    def vjp(a: Any, cotangent: Any) -> Any:
        w, v = np.linalg.eigh(symmetric(a))
        gap = w[:, None] - w
        equal = abs(gap) < 1e-6 * abs(w).max()
        middle = (w[:, None] + w) / 2
        divided = np.where(equal, df(middle), (f(w)[:, None] - f(w)) / np.where(equal, 1, gap))
        return v @ (divided * (v.T @ symmetric(cotangent) @ v)) @ v.T

    return vjp


class Spectral(NamedTuple):
    """A function of a symmetric matrix, its ``vjp``, and spectra at which it has a derivative."""

    function: Callable[[Any], Any]
    vjp: Callable[[Any, Any], Any]
    smooth: tuple[tuple[float, ...], ...]
    none: tuple[tuple[float, ...], ...] = ()


def largest(a: Any) -> Any:
    return np.linalg.eigvalsh(symmetric(a))[-1]


def largest_vjp(a: Any, g: Any) -> Any:
    v = np.linalg.eigh(symmetric(a))[1][:, -1]
    return g * np.outer(v, v)


CASES = {
    "projector": Spectral(
        density,
        density_vjp,
        ((1, 2, 3, 5), (1, 1, 3, 5), (1, 1, 3, 3)),
        ((1, 2, 2, 5),),
    ),
    "logarithm of the determinant": Spectral(
        lambda a: np.linalg.slogdet(symmetric(a))[1],
        lambda a, g: g * np.linalg.inv(symmetric(a)),
        ((1, 2, 5), (2, 2, 2), (1, 3, 3)),
    ),
    "trace of the exponential": Spectral(
        lambda a: np.sum(np.exp(np.linalg.eigvalsh(symmetric(a)))),
        lambda a, g: g * matrix_function(np.exp)(a),
        ((1, 2, 0.5), (1, 1, 1), (0, 1, 1)),
    ),
    "matrix logarithm": Spectral(
        matrix_function(np.log), matrix_vjp(np.log, lambda w: 1 / w), ((1, 2, 5), (1, 1, 1), (1, 3, 3))
    ),
    "matrix root": Spectral(
        matrix_function(np.sqrt),
        matrix_vjp(np.sqrt, lambda w: 0.5 / np.sqrt(w)),
        ((1, 2, 5), (2, 2, 2), (1, 1, 3)),
    ),
    "largest eigenvalue": Spectral(largest, largest_vjp, ((1, 2, 5), (1, 1, 3)), ((1, 3, 3), (2, 2, 2))),
    "sum of the two largest": Spectral(
        lambda a: np.sum(np.linalg.eigvalsh(symmetric(a))[-2:]),
        lambda a, g: g * (lambda v: v @ v.T)(np.linalg.eigh(symmetric(a))[1][:, -2:]),
        ((1, 2, 5), (1, 3, 3)),
        ((1, 1, 3), (2, 2, 2)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_spectral_function_passes_where_it_is_smooth(name: str) -> None:
    case = CASES[name]
    for spectrum in case.smooth:
        passes(case.function, with_spectrum(*spectrum), vjp=case.vjp)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].none])
def test_a_spectral_function_is_not_accused_where_states_coincide(name: str) -> None:
    case = CASES[name]
    for spectrum in case.none:
        not_accused(case.function, with_spectrum(*spectrum), vjp=case.vjp)
        not_accused(case.function, np.diag(np.array(spectrum, dtype=float)), vjp=case.vjp)


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_gradient_of_a_spectral_function_fails(name: str) -> None:
    case = CASES[name]
    generic = with_spectrum(*case.smooth[0])
    fails(case.function, generic, vjp=times(1.1, case.vjp))

    def one_off(a: Any, g: Any) -> Any:
        out = np.array(case.vjp(a, g))
        out[0, 1] *= -1.5
        return out

    fails(case.function, generic, vjp=one_off)
    # So does one that is wrong where states coincide alone, and the function is smooth.
    # How far the engine's rounding reaches there depends on the kernels of LAPACK, and may hide it.
    if len(case.smooth) > 1:
        result = check_gradients(case.function, with_spectrum(*case.smooth[1]), vjp=times(1.1, case.vjp))
        assert result.verdict == "fail" or (result.verdict, name) == ("inconclusive", "matrix root"), str(
            result
        )


@pytest.mark.parametrize("scale", [1e-40, 1e9])
def test_a_projector_of_matrices_of_any_size(scale: float) -> None:
    a = scale * with_spectrum(1, 2, 3, 5)
    passes(density, a, vjp=density_vjp)
    fails(density, a, vjp=times(1.1, density_vjp))


def test_no_gradient_is_on_trial_where_a_projector_has_none() -> None:
    for a in (np.full((4, 4), 1.0), with_spectrum(1, 2, 2, 5)):
        not_accused(density, a)


def test_repeated_eigenvalues_with_noise_next_to_them() -> None:
    a = torch.tensor(
        [
            [1.0, -1.507146666548358e-16, -7.132993827019549e-17],
            [-1.507146666548358e-16, 1.0, -1.0087576610494613e-16],
            [-7.132993827019549e-17, -1.0087576610494613e-16, 0.9999999999999998],
        ],
        dtype=torch.float64,
    )
    not_accused(lambda a: torch.linalg.eigvalsh((a + a.mT) / 2), a)
    not_accused(lambda a: torch.linalg.svdvals(a), a)
    generic = torch.tensor(with_spectrum(1, 2, 5))
    passes(lambda a: torch.linalg.eigvalsh((a + a.mT) / 2), generic)
    # Symmetric in the eigenvalues, these have a derivative here.
    for function in (torch.logdet, lambda a: torch.trace(a @ a), lambda a: torch.matrix_exp(a).sum()):
        passes(function, a)


# -- polynomials, whose roots are eigenvalues of a companion matrix ------------------------------------


def root_squares(c: Any) -> Any:
    """The sum of the squared roots of x³ + c₂x² + c₁x + c₀, which is c₂² - 2c₁."""
    return np.sum(np.roots([1.0, float(c[2]), float(c[1]), float(c[0])]) ** 2).real


def root_squares_gradient(c: Any) -> Any:
    return np.array([0.0, -2.0, 2 * c[2]])


def test_roots_of_a_polynomial() -> None:
    passes(root_squares, np.array([-6.0, 11.0, -6.0]), gradient=root_squares_gradient)
    # Double and triple roots move like a root of the perturbation; a symmetric function of them does not.
    not_accused(root_squares, np.array([-2.0, 5.0, -4.0]), gradient=root_squares_gradient)
    not_accused(root_squares, np.array([-1.0, 3.0, -3.0]), gradient=root_squares_gradient)
    fails(root_squares, np.array([-6.0, 11.0, -6.0]), gradient=times(1.1, root_squares_gradient))


# -- stable backward passes of functions of torch ------------------------------------------------------


class Projector(torch.autograd.Function):
    """The projector on the second and the third of four states; the gap between these two does not enter."""

    factor = 1.0

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor) -> torch.Tensor:
        w, v = torch.linalg.eigh(a)
        ctx.save_for_backward(w, v)
        return v[:, 1:3] @ v[:, 1:3].T

    @classmethod
    def backward(cls, ctx: Any, g: torch.Tensor) -> torch.Tensor:
        w, v = ctx.saved_tensors
        inside = torch.tensor([0.0, 1, 1, 0], dtype=g.dtype)
        apart = inside[:, None] - inside
        f = torch.where(apart == 0, 0, apart / torch.where(apart == 0, 1, w[:, None] - w))
        return cls.factor * v @ (f * (v.T @ ((g + g.T) / 2) @ v)) @ v.T


class WrongProjector(Projector):
    factor = 1.1


def pair(projector: type[Projector]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    def function(p: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        q = torch.matrix_exp(p - p.T)
        a = q @ torch.diag(torch.tensor([1.0, 2, 2, 4], dtype=p.dtype)) @ q.T
        return (m * projector.apply((a + a.T) / 2)).sum()

    return function


def test_a_stable_backward_where_that_of_an_eigendecomposition_is_not() -> None:
    generator = torch.Generator().manual_seed(0)

    def draw() -> torch.Tensor:
        return torch.rand(4, 4, generator=generator, dtype=torch.float64) * 2 - 1

    for _ in range(2):
        passes(pair(Projector), (draw(), draw()))
    not_accused(pair(Projector), (torch.zeros(4, 4, dtype=torch.float64), draw()))
    fails(pair(WrongProjector), (draw(), draw()), "torch")


class Series(torch.autograd.Function):
    """A forward pass that cancels, and a backward pass by its series near zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, f: Any, df: Any) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.df = df
        return f(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return g * ctx.df(ctx.saved_tensors[0]), None, None


SERIES = {
    "(exp(x) - 1) / x": (
        lambda x: (torch.exp(x) - 1) / x,
        lambda x: 0.5 + x / 3 + x**2 / 8 + x**3 / 30,
    ),
    "coth(x) - 1 / x": (lambda x: 1 / torch.tanh(x) - 1 / x, lambda x: 1 / 3 - x**2 / 15 + 2 * x**4 / 189),
    "log(1 + x) / x": (lambda x: torch.log(1 + x) / x, lambda x: -0.5 + 2 * x / 3 - 0.75 * x**2 + 0.8 * x**3),
    "sin(x) / x": (lambda x: torch.sin(x) / x, lambda x: -x / 3 + x**3 / 30 - x**5 / 840),
    "(1 - cos(x)) / x": (lambda x: (1 - torch.cos(x)) / x, lambda x: 0.5 - x**2 / 8 + x**4 / 144),
}


@pytest.mark.parametrize("name", SERIES)
def test_a_stable_backward_of_a_forward_that_cancels(name: str) -> None:
    f, df = SERIES[name]
    for x in (1e-6, 1e-7):
        passes(lambda x: Series.apply(x, f, df), torch.tensor([x, 0.01], dtype=torch.float64), rtol=1e-5)
    point = torch.tensor([0.003, 0.01], dtype=torch.float64)
    fails(lambda x: Series.apply(x, f, lambda x: 1.1 * df(x)), point, "torch", rtol=1e-5)


def test_no_wrong_gradient_passes_where_states_coincide() -> None:
    """A gradient that is wrong everywhere may be in doubt at a coincidence; it may not pass."""
    result = check_gradients(density, with_spectrum(2, 1, 1, 1), vjp=times(-1, density_vjp))
    assert result.verdict != "pass", str(result)
