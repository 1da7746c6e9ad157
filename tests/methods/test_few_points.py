"""Windows of few points: the bar holds the error, noise is seen, and one side is enough at an edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck.frameworks.leaves import EPS32, EPS64
from pytest_gradcheck.methods.differences import Lines
from pytest_gradcheck.methods.windows import COARSE, FINE, WIDE, Few, glanced, one_sided, sampled

pytestmark = pytest.mark.kernels

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "cubic": (lambda x: x**3 - 2 * x, lambda x: 3 * x * x - 2),
}


def lines(function: Callable[[Any], Any], x: Any, tangents: Any, dtype: Any = np.float64) -> Lines:
    def evaluate(points: Any) -> Any:
        return function(points.astype(dtype)).astype(float)

    def rounded(points: Any) -> Any:
        return points.astype(dtype).astype(float)

    x = rounded(x)
    free, noise = np.full((2, len(tangents)), np.inf), np.zeros((len(tangents), x.size))
    return Lines(evaluate, rounded, x, evaluate(x[None])[0], tangents, noise, free)


def drawn(seed: int, size: int = 20) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(size)
    v, u = (rng.choice([-1.0, 1.0], (2, size)) * rng.uniform(0.5, 1.5, (2, size)) for _ in range(2))
    return x, v, u


@given(st.sampled_from(sorted(FUNCTIONS)), st.integers(0, 10_000))
@pytest.mark.parametrize(
    ("shape", "dtype", "eps", "narrow"),
    [(FINE, np.float64, EPS64, 1e-5), (COARSE, np.float32, EPS32, 2e-2), (WIDE, np.float32, EPS32, 0.5)],
    ids=["fine", "coarse", "wide"],
)
def test_the_bar_holds_the_error_and_is_narrow(
    shape: Few, dtype: Any, eps: float, narrow: float, name: str, seed: int
) -> None:
    function, derivative = FUNCTIONS[name]
    x, v, u = drawn(seed)
    line = lines(function, x, v, dtype)
    slope = glanced(sampled(line, shape), u, eps).slope
    right = (v * derivative(line.point)) @ u.T
    assert (np.abs(slope.value - right) <= slope.uncertainty).all()
    size = np.abs(u * derivative(line.point))[:, None] * np.abs(v)
    assert (narrow * size.sum(axis=2) >= slope.uncertainty.T).all()


def test_noise_widens_the_bar() -> None:
    """Values rounded to five digits: with six degrees of freedom one bar in 400 is short."""
    short = 0
    for seed in range(200):
        x, v, u = drawn(seed)
        found = glanced(sampled(lines(lambda p: np.round(np.sin(p), 5), x, v), COARSE), u, EPS64)
        errors = np.abs(found.slope.value - (v * np.cos(x)) @ u.T)
        short += int((errors > found.slope.uncertainty).sum())
        assert (found.noise > 1e-7).all()
    assert short <= 8


@pytest.mark.parametrize("shape", [FINE, COARSE])
def test_a_kink_inside_of_the_window_counts_as_noise(shape: Few) -> None:
    x, v = np.array([shape.width / 3, 1.0]), np.array([[1.0, 0.5]])
    slope = glanced(sampled(lines(np.abs, x, v), shape), np.ones((1, 2)), EPS64).slope
    assert abs(slope.value[0, 0] - 1.5) <= slope.uncertainty[0, 0]
    assert slope.uncertainty[0, 0] > 0.05


@given(st.sampled_from(sorted(FUNCTIONS)), st.integers(0, 10_000))
@pytest.mark.parametrize(
    ("shape", "dtype", "eps"),
    [(FINE, np.float64, EPS64), (COARSE, np.float32, EPS32)],
    ids=["fine", "coarse"],
)
def test_one_side_is_enough_at_an_edge(shape: Few, dtype: Any, eps: float, name: str, seed: int) -> None:
    function, derivative = FUNCTIONS[name]
    x, v, u = drawn(seed)

    def inside(points: Any) -> Any:
        # Nothing behind the edge: a step back is never made.
        assert ((points - line.point) * v[0] >= 0).all()
        return function(points)

    line = lines(function, x, v[:1], dtype)
    noise = glanced(sampled(lines(function, x, v, dtype), shape), u, eps).noise
    line.evaluate = lambda points: inside(points.astype(dtype)).astype(float)
    slope, moves = one_sided(line, shape, u, eps, noise)
    right = (v[:1] * derivative(line.point)) @ u.T
    assert (np.abs(slope.value - right) <= slope.uncertainty).all()
    assert moves.shape == x.shape


def test_a_point_outside_of_the_room_leaves_the_slope_open() -> None:
    x, v, u = drawn(0)
    line = lines(np.sin, x, v)
    line.room = np.full((2, 2), COARSE.width / 2)
    assert np.isinf(glanced(sampled(line, COARSE), u, EPS64).slope.uncertainty).all()
