"""Numbers that underflow, and functions at scales where a bar of the wrong scale holds nothing.

1e-200 and 0 are the same slope of a function of the size one. And where the slope is 1e8 or 1e40, differences
either see it or say that they don't.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from twins import fails, not_accused, one_entry, passes, times

from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels


class Small(NamedTuple):
    """A function, its gradient, points at which something underflows, and a generic one."""

    function: Callable[[Any], Any]
    gradient: Callable[[Any], Any]
    tiny: tuple[list[float], ...]
    generic: list[float]


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / e.sum()


SMALL = {
    "squared norm": Small(
        lambda x: np.linalg.norm(x) ** 2,
        lambda x: 2 * x,
        ([0.0, 1e-200, 0.0], [0.0, 1e-170, 0.0]),
        [0.3, -1.0, 2.0],
    ),
    "root of squares and one": Small(
        lambda x: np.sqrt(np.sum(x**2) + 1),
        lambda x: x / np.sqrt(np.sum(x**2) + 1),
        ([1e-200, 0.0], [1e-170, 1.0], [1e-300, 1e-200]),
        [0.3, -1.0],
    ),
    "log(1 + x²)": Small(
        lambda x: np.sum(np.log1p(x**2)),
        lambda x: 2 * x / (1 + x**2),
        ([1e-200, 0.0], [1e-180, 0.5]),
        [0.3, -1.0],
    ),
    "cube": Small(lambda x: np.sum(x**3), lambda x: 3 * x**2, ([1e-200, 0.0], [1e-170, 1.0]), [0.3, -1.0]),
    "log-sum-exp": Small(
        lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))),
        softmax,
        ([0.0, -700.0], [1.0, -745.0, 0.0], [0.0, -800.0]),
        [0.3, -1.0, 0.5],
    ),
    "product of Gaussians": Small(
        lambda x: np.exp(-0.5 * x[0] ** 2) + np.exp(-0.5 * x[1] ** 2),
        lambda x: -x * np.exp(-0.5 * x**2),
        ([0.5, 37.0], [1e-200, 1.0], [0.5, 40.0]),
        [0.3, -1.0],
    ),
    "cosine": Small(
        lambda x: np.sum(np.cos(x)), lambda x: -np.sin(x), ([1e-200, 0.0], [1e-170, 1.0]), [0.3, -1.0]
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_what_underflows_is_not_accused(name: str) -> None:
    case = SMALL[name]
    for point in case.tiny:
        passes(case.function, np.array(point), gradient=case.gradient)


@pytest.mark.parametrize("name", SMALL)
def test_a_wrong_gradient_of_the_same_function_fails(name: str) -> None:
    case = SMALL[name]
    fails(case.function, np.array(case.generic), gradient=one_entry(case.gradient, -1))
    fails(case.function, np.array(case.generic), gradient=times(-1, case.gradient))


def test_a_wrong_entry_next_to_one_that_underflows_fails() -> None:
    def root(x: Any) -> Any:
        return np.sqrt(np.sum(x**2) + 1)

    point = np.array([1e-200, 1.0])
    fails(root, point, gradient=lambda x: np.array([0.0, 1.1 / np.sqrt(2)]))
    fails(root, point, gradient=lambda x: np.array([1.0, 1 / np.sqrt(2)]))
    # A small function is not a vanishing one.
    fails(lambda x: 1e-30 * np.sin(x), np.array([0.3]), gradient=lambda x: 1.1e-30 * np.cos(x))
    fails(lambda x: 1e-200 * np.sin(x), np.array([0.3]), gradient=lambda x: 0 * x)


def test_plain_torch_code_with_a_norm_that_underflows() -> None:
    def function(m: torch.Tensor) -> torch.Tensor:
        return torch.sqrt(torch.linalg.norm(m) ** 2 + 1)

    for point in ([1e-200, 0.0], [1e-170, 0.0], [1e-200, 0.5]):
        passes(function, torch.tensor(point, dtype=torch.float64))


# -- tiny scales -----------------------------------------------------------------------------------------


def torsion(x: Any) -> Any:
    a, b, c = x[1:] - x[:-1]
    m, n = np.cross(a, b), np.cross(b, c)
    return np.cos(np.arctan2(np.sqrt(np.sum(b * b)) * np.sum(a * n), np.sum(m * n)) - 0.4)


def torsion_gradient(x: Any) -> Any:
    a, b, c = x[1:] - x[:-1]
    m, n, r = np.cross(a, b), np.cross(b, c), np.linalg.norm(b)
    phi = np.arctan2(r * (a @ n), m @ n)
    g0, g3 = -r / (m @ m) * m, r / (n @ n) * n
    s = (a @ b) / r**2 * g0 - (c @ b) / r**2 * g3
    return -np.sin(phi - 0.4) * np.stack([g0, -g0 - s, -g3 + s, g3])


ATOMS = np.array([[1.0, 0.2, 0.0], [0.0, 0.0, 0.0], [0.3, 1.1, 0.0], [0.9, 1.0, 0.8]])


def close_atoms(gap: float) -> Any:
    """Four atoms of which two nearly coincide."""
    x = ATOMS.copy()
    x[1] = x[0] + gap * np.array([0.3, 0.7, -0.5])
    return x


def test_a_torsion_of_four_atoms() -> None:
    passes(torsion, ATOMS, gradient=torsion_gradient)
    fails(torsion, ATOMS, gradient=times(1.1, torsion_gradient))
    fails(torsion, ATOMS, gradient=one_entry(torsion_gradient, 10))


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12])
def test_a_torsion_of_atoms_that_nearly_coincide(gap: float) -> None:
    not_accused(torsion, close_atoms(gap), gradient=torsion_gradient)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_torsion_of_atoms_that_coincide() -> None:
    # Constant along each axis, it jumps in any other direction.
    not_accused(torsion, np.zeros((4, 3)), gradient=torsion_gradient)
    not_accused(torsion, ATOMS * 1e-9, gradient=torsion_gradient)


def angle(x: Any) -> Any:
    """The angle at the second of three atoms."""
    a, b = x[0] - x[1], x[2] - x[1]
    return np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)


def angle_gradient(x: Any) -> Any:
    a, b = x[0] - x[1], x[2] - x[1]
    n = np.cross(a, b)
    n = n / np.linalg.norm(n)
    ga, gb = np.cross(a, n) / (a @ a), -np.cross(b, n) / (b @ b)
    return np.stack([ga, -ga - gb, gb])


def unit(x: Any) -> Any:
    return (x / np.linalg.norm(x)) @ np.array([0.3, -0.5, 0.7])


def unit_gradient(x: Any) -> Any:
    w, r = np.array([0.3, -0.5, 0.7]), np.linalg.norm(x)
    return (w - (w @ x) * x / r**2) / r


def polar(x: Any) -> Any:
    return np.arctan2(x[1], x[0])


def polar_gradient(x: Any) -> Any:
    return np.array([-x[1], x[0]]) / (x @ x)


def pair_energy(x: Any) -> Any:
    """The sum of 1/r over three points of a line."""
    return 1 / np.abs(x[0] - x[1]) + 1 / np.abs(x[1] - x[2]) + 1 / np.abs(x[0] - x[2])


def pair_gradient(x: Any) -> Any:
    def pull(i: int, j: int) -> float:
        d = x[i] - x[j]
        return float(-np.sign(d) / d**2)

    return np.array([pull(0, 1) + pull(0, 2), pull(1, 0) + pull(1, 2), pull(2, 0) + pull(2, 1)])


def log_distance(x: Any) -> Any:
    return np.log(np.sum((x[:2] - x[2:]) ** 2))


def log_gradient(x: Any) -> Any:
    d = x[:2] - x[2:]
    g = 2 * d / (d @ d)
    return np.concatenate([g, -g])


BENT = np.array([[1.0, 0.2, 0.1], [0.0, 0.0, 0.0], [0.3, 1.1, -0.4]])

TINY = {
    "angle of close atoms": (
        angle,
        angle_gradient,
        BENT,
        [
            np.stack([BENT[0], BENT[0] + gap * np.array([0.5, 0.4, -0.3]), BENT[2]])
            for gap in (1e-4, 1e-8, 1e-11)
        ],
    ),
    "unit vector": (
        unit,
        unit_gradient,
        np.array([1.0, 0.5, -2.0]),
        [np.array([1.0, 0.5, -2.0]) * s for s in (1e-8, 1e-100, 1e8)],
    ),
    "polar angle": (
        polar,
        polar_gradient,
        np.array([0.5, 1.0]),
        [np.array([1e-9, 2e-9]), np.array([1e-9, 0.0]), np.array([1.0, 1e-9])],
    ),
    "pairs": (
        pair_energy,
        pair_gradient,
        np.array([0.0, 0.7, 2.0]),
        [np.array([1.0, 1.0 + 1e-6, 2.0]), np.array([0.0, 1e-9, 1.0]), np.array([0.0, 1e-20, 1e-19])],
    ),
    "log distance": (
        log_distance,
        log_gradient,
        np.array([0.3, 0.4, 1.0, 2.0]),
        [
            np.array([1.0, 1.0, 1.0 + 1e-7, 1.0]),
            np.array([0.0, 1e-9, 0.0, -1e-9]),
            np.array([1.0, 1.0, 1.0 + 1e-12, 1.0]),
        ],
    ),
}


@pytest.mark.parametrize("name", TINY)
def test_a_function_that_is_steep_at_tiny_scales(name: str) -> None:
    function, gradient, generic, tiny = TINY[name]
    passes(function, generic, gradient=gradient)
    fails(function, generic, gradient=times(1.1, gradient))
    fails(function, generic, gradient=one_entry(gradient, -1, -1.0))
    for point in tiny:
        not_accused(function, point, gradient=gradient)


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1e8])
def test_a_wrong_gradient_fails_at_any_scale(scale: float) -> None:
    point = scale * np.array([1.0, 0.5, -2.0])
    passes(unit, point, gradient=unit_gradient)
    fails(unit, point, gradient=times(1.1, unit_gradient))
    fails(unit, point, gradient=one_entry(unit_gradient, 1, -1.0))


# -- tails whose values are stairs ---------------------------------------------------------------------

TAILS = {
    "gelu": (torch.nn.functional.gelu, (-5.5, -6.0, -7.0, -8.0, -8.5, -9.0)),
    "normal distribution": (lambda x: 0.5 * (1 + torch.erf(x / 2**0.5)), (-5.5, -7.5, -8.2)),
    "from the other side": (lambda x: 1 - torch.sigmoid(x), (30.0, 35.0, 36.5)),
    "softplus by its formula": (lambda x: torch.log(1 + torch.exp(x)), (-34.0, -36.0, -37.0)),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", TAILS)
def test_a_tail_of_which_no_digit_is_left_is_not_accused(name: str, dtype: torch.dtype) -> None:
    """1 + erf(x) takes a step of 1e-16 now and then, and is flat in between."""
    function, tail = TAILS[name]
    for at in tail:
        not_accused(function, torch.full((3, 4), at, dtype=dtype))


@pytest.mark.parametrize("name", TAILS)
def test_what_is_wrong_where_the_digits_are_fails(name: str) -> None:
    function, _ = TAILS[name]
    x = torch.linspace(-2.0, 2.0, 12, dtype=torch.float64).reshape(3, 4)
    passes(function, x)
    fails(corrupt(function, lambda grads: [g * (1 + 0.01 * (x > 0)) for g in grads]), x, "torch")
