"""Functions that search: what follows their comparisons once more is not a witness against a gradient.

The reference engine and torch run the same NumPy code. In a bisection, a sort, an argmax or a table they see
comparisons, and are wrong together; at ties they take paths of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from twins import fails, not_accused, one_entry, passes, times

pytestmark = pytest.mark.kernels


def argmax_gradient(x: Any) -> Any:
    return np.eye(len(x))[np.argmax(x)]


# -- searches that end at a number -------------------------------------------------------------------


def bisected_root(y: Any) -> Any:
    low, high = 0.0, 2.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if middle * middle > y else (middle, high)
    return (low + high) / 2


def bisected_quantile(p: Any) -> Any:
    """The logistic distribution's quantile."""
    low, high = -4.0, 4.0
    for _ in range(52):
        middle = (low + high) / 2
        low, high = (low, middle) if 1 / (1 + np.exp(-middle)) > p else (middle, high)
    return (low + high) / 2


def water_level(x: Any) -> Any:
    """The level at which sum(max(level - x, 0)) is one."""
    low, high = np.min(x) + 0.0, np.max(x) + 1.0
    for _ in range(52):
        middle = (low + high) / 2
        full = np.sum(np.maximum(middle - x, 0)) > 1
        low, high = (low, middle) if full else (middle, high)
    return (low + high) / 2


def water_gradient(x: Any) -> Any:
    wet = (x < water_level(x)).astype(float)
    return wet / wet.sum()


def illinois_root(y: Any) -> Any:
    """The root of t + t³ = y by regula falsi, which halves the value that stands still."""
    a, b = -4.0, 4.0
    fa, fb = a + a**3 - y, b + b**3 - y
    for _ in range(200):
        c = b - fb * (b - a) / (fb - fa)
        fc = c + c**3 - y
        if abs(fc) < 1e-14:
            return c
        a, fa, b, fb = (b, fb, c, fc) if fc * fb < 0 else (a, fa / 2, c, fc)
    return c


class Search(NamedTuple):
    function: Callable[[Any], Any]
    gradient: Callable[[Any], Any]
    points: tuple[Any, ...]
    bounds: tuple[Any, ...]


SEARCHES = {
    "square root by bisection": Search(
        bisected_root, lambda y: 0.5 / np.sqrt(y), (1.3, 0.5), ((0.5, (0.5, 2.0)),)
    ),
    "quantile by bisection": Search(
        bisected_quantile,
        lambda p: 1 / (p * (1 - p)),
        (0.5, 0.3),
        ((0.25, (0.25, 0.75)), (0.75, (0.25, 0.75))),
    ),
    "water level by bisection": Search(
        water_level,
        water_gradient,
        (np.array([0.3, 1.7, 0.2]),),
        ((np.array([0.0, 0.5, 3.0]), (0, 3)),),
    ),
    "root by regula falsi": Search(
        illinois_root,
        lambda y: 1 / (1 + 3 * illinois_root(y) ** 2),
        (0.7, 2.0),
        ((2.0, (None, 2.0)),),
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_passes_where_it_is_smooth(name: str) -> None:
    search = SEARCHES[name]
    for point in search.points:
        passes(search.function, point, gradient=search.gradient)
    for point, domain in search.bounds:
        passes(search.function, point, gradient=search.gradient, domain=domain)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_wrong_gradient_of_a_search_fails(name: str) -> None:
    search = SEARCHES[name]
    fails(search.function, search.points[0], gradient=times(0.0, search.gradient))
    for point in search.points:
        fails(search.function, point, gradient=times(1.1, search.gradient))
    for point, domain in search.bounds:
        fails(search.function, point, gradient=times(1.1, search.gradient), domain=domain)


# -- projections and sorts -------------------------------------------------------------------------


def soft_threshold(x: Any) -> Any:
    return np.sign(x) * np.maximum(np.abs(x) - 0.5 * np.max(np.abs(x)), 0.0)


def soft_vjp(x: Any, cotangent: Any) -> Any:
    i = np.argmax(np.abs(x))
    out = cotangent * (np.abs(x) > 0.5 * np.abs(x[i]))
    out[i] -= 0.5 * np.sign(x[i]) * np.sum(np.sign(x) * out)
    return out


def simplex(x: Any) -> Any:
    u = np.sort(x)[::-1]
    c = np.cumsum(u) - 1.0
    k = np.count_nonzero(u - c / np.arange(1, len(x) + 1) > 0)
    return np.maximum(x - c[k - 1] / k, 0.0)


def simplex_vjp(x: Any, cotangent: Any) -> Any:
    s = (simplex(x) > 0).astype(float)
    return s * cotangent - (s @ cotangent) / s.sum() * s


def above_mean(x: Any) -> Any:
    return np.maximum(x - np.mean(x), 0.0)


def above_vjp(x: Any, cotangent: Any) -> Any:
    g = cotangent * (x > x.mean())
    return g - g.sum() / len(x)


def blocks(x: Any) -> list[list[int]]:
    """The blocks of an isotonic regression, by pooling adjacent violators."""
    out: list[list[int]] = []
    for i in range(len(x)):
        out.append([i])
        while len(out) > 1 and np.mean(x[out[-2]]) >= np.mean(x[out[-1]]):
            out[-2:] = [out[-2] + out[-1]]
    return out


def isotonic(x: Any) -> Any:
    return np.concatenate([np.full(len(b), 1.0) * np.mean(x[b]) for b in blocks(x)])


def isotonic_vjp(x: Any, cotangent: Any) -> Any:
    return np.concatenate([np.full(len(b), cotangent[b].mean()) for b in blocks(x)])


def sorted_weights(x: Any) -> Any:
    """An ordered weighted average: weights by rank."""
    return np.sort(x) @ np.arange(1.0, len(x) + 1)


def rank_gradient(x: Any) -> Any:
    return np.argsort(np.argsort(x, kind="stable"), kind="stable") + 1.0


def interpolated(x: Any) -> Any:
    return np.interp(x, [-2.0, -1.0, 0.0, 1.0, 2.0], [3.0, 0.5, 1.0, -2.0, 4.0])


def interpolated_vjp(x: Any, cotangent: Any) -> Any:
    slopes = np.array([-2.5, 0.5, -3.0, 6.0])
    return cotangent * slopes[np.clip(np.floor(x).astype(int) + 2, 0, 3)]


class Vector(NamedTuple):
    function: Callable[[Any], Any]
    vjp: Callable[[Any, Any], Any]
    ties: tuple[list[float], ...]
    smooth: list[float]


VECTORS = {
    "soft threshold": Vector(
        soft_threshold, soft_vjp, ([0.0, 0.0, 0.0], [3.0, 3.0, 0.0], [3.0, 1.5, -3.0]), [3.0, -2.1, 0.3, 1.7]
    ),
    "projection on the simplex": Vector(
        simplex,
        simplex_vjp,
        ([-1.0, 1e-16, 1e-16, 1e-16, 1.0], [0.5, -0.5, -0.5, -0.5], [1.0, 0.0], [2.0, 2.0, 1.0]),
        [0.3, 0.9, -0.7, 0.4],
    ),
    "above the mean": Vector(above_mean, above_vjp, ([0.0, 0.0, 0.0], [3.0, -3.0, 0.0]), [0.3, 1.2, -2.0]),
    "isotonic regression": Vector(
        isotonic,
        isotonic_vjp,
        ([1.0, 1.0, 1.0], [0.0, 2.0, 1.0, 1.5], [3.0, 3.0, -3.0]),
        [0.1, 2.0, 1.3, 4.0],
    ),
    "table with interpolation": Vector(
        interpolated, interpolated_vjp, ([0.0, 1.0, -1.0], [2.0, -2.0, 0.5]), [0.3, -1.4, 1.9]
    ),
}


@pytest.mark.parametrize("bounded", [False, True], ids=["free", "at the bounds"])
@pytest.mark.parametrize("name", VECTORS)
def test_a_piecewise_function_passes_at_its_ties(name: str, bounded: bool) -> None:
    """At bounds it may be inconclusive."""
    case = VECTORS[name]
    for tie in case.ties:
        point = np.array(tie)
        domain = (point.min(), point.max()) if bounded and np.ptp(point) else None
        # All blocks of an isotonic regression of equal numbers meet: its derivative does not exist.
        check = not_accused if bounded or name == "isotonic regression" else passes
        check(case.function, point, vjp=case.vjp, domain=domain)


@pytest.mark.parametrize("name", VECTORS)
def test_a_piecewise_function_has_right_and_wrong_gradients_away_from_ties(name: str) -> None:
    case = VECTORS[name]
    passes(case.function, np.array(case.smooth), vjp=case.vjp)
    fails(case.function, np.array(case.smooth), vjp=times(1.1, case.vjp))
    fails(case.function, np.array(case.smooth), vjp=lambda x, g: case.vjp(x, g) + 0.1 * g)


# -- the best of many ----------------------------------------------------------------------------------


def viterbi(A: Any, E: Any) -> Any:
    s = E[0]
    for e in E[1:]:
        s = np.max(s[:, None] + A, axis=0) + e
    return np.max(s)


def viterbi_gradient(A: Any, E: Any) -> Any:
    """The gradient along the best path, the first one on ties."""
    s, back = E[0], []
    for e in E[1:]:
        m = s[:, None] + A
        back.append(np.argmax(m, 0))
        s = np.max(m, 0) + e
    j, by_a, by_e = int(np.argmax(s)), np.zeros_like(A), np.zeros_like(E)
    for t in range(len(E) - 1, 0, -1):
        i = back[t - 1][j]
        by_e[t, j] += 1
        by_a[i, j] += 1
        j = i
    by_e[0, j] += 1
    return by_a, by_e


def product_gradient(x: Any, y: Any) -> Any:
    e = argmax_gradient(x * y)
    return e * y, e * x


def warping(x: Any, y: Any) -> Any:
    """Dynamic time warping with squared distances."""
    cost = np.full((len(x) + 1, len(y) + 1), np.inf).tolist()
    cost[0][0] = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            best = cost[i][j]
            best = cost[i][j + 1] if cost[i][j + 1] < best else best
            best = cost[i + 1][j] if cost[i + 1][j] < best else best
            cost[i + 1][j + 1] = (x[i] - y[j]) ** 2 + best
    return cost[-1][-1]


def warping_gradient(x: Any, y: Any) -> Any:
    cost = np.full((len(x) + 1, len(y) + 1), np.inf)
    cost[0, 0] = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            cost[i + 1, j + 1] = (x[i] - y[j]) ** 2 + min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
    by_x, by_y, i, j = np.zeros_like(x), np.zeros_like(y), len(x), len(y)
    while i and j:
        by_x[i - 1] += 2 * (x[i - 1] - y[j - 1])
        by_y[j - 1] -= 2 * (x[i - 1] - y[j - 1])
        steps = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        i, j = min(steps, key=lambda at: cost[at])
    return by_x, by_y


class Pair(NamedTuple):
    function: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], Any]
    ties: tuple[tuple[Any, Any], ...]
    smooth: tuple[Any, Any]


PAIRS = {
    "viterbi": Pair(
        viterbi,
        viterbi_gradient,
        (
            (np.zeros((2, 2)), np.zeros((3, 2))),
            (np.array([[3.0, -3.0], [3.0, 0.0]]), np.full((3, 2), 3.0)),
            (np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 0.0], [0.5, 0.5]])),
        ),
        (np.array([[0.3, -0.4], [1.2, 0.1]]), np.array([[0.9, 0.2], [-0.3, 0.7], [0.5, 1.4]])),
    ),
    "largest product": Pair(
        lambda x, y: np.max(x * y),
        product_gradient,
        (
            (np.zeros(3), np.zeros(3)),
            (np.array([0.0, 1.0, 2.0]), np.array([3.0, 2.0, 1.0])),
            (np.array([3.0, -3.0, 1.0]), np.array([3.0, -3.0, 1.0])),
        ),
        (np.array([0.3, -1.2, 2.0]), np.array([0.7, 0.4, 1.1])),
    ),
    "dynamic time warping": Pair(
        warping,
        warping_gradient,
        (
            (np.zeros(3), np.zeros(3)),
            (np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0])),
            (np.array([3.0, -3.0]), np.array([-3.0, 3.0])),
        ),
        (np.array([0.3, 1.7, -0.4]), np.array([0.1, 0.9, 2.2])),
    ),
}


@pytest.mark.parametrize("bounded", [False, True], ids=["free", "at the bounds"])
@pytest.mark.parametrize("name", PAIRS)
def test_the_best_of_many_passes_at_its_ties(name: str, bounded: bool) -> None:
    """At bounds it may be inconclusive."""
    case = PAIRS[name]
    names = inspect.signature(case.function).parameters
    bounds = dict.fromkeys(names, (-3, 3)) if bounded else None
    for inputs in case.ties:
        check = not_accused if bounded else passes
        check(case.function, inputs, gradient=case.gradient, domain=bounds)


@pytest.mark.parametrize("name", PAIRS)
def test_the_best_of_many_has_right_and_wrong_gradients_away_from_ties(name: str) -> None:
    case = PAIRS[name]
    passes(case.function, case.smooth, gradient=case.gradient)
    fails(case.function, case.smooth, gradient=times(1.1, case.gradient))

    def without_the_second(a: Any, b: Any) -> Any:
        by_a, by_b = case.gradient(a, b)
        return by_a, 0 * by_b

    fails(case.function, case.smooth, gradient=without_the_second)


def test_ranks_and_one_wrong_entry() -> None:
    passes(sorted_weights, np.array([0.3, -1.0, 2.0]), gradient=rank_gradient)
    not_accused(sorted_weights, np.array([1.0, 1.0, 0.0]), gradient=rank_gradient)
    not_accused(sorted_weights, np.array([1.0, 1.0, 0.0]), gradient=rank_gradient, domain=(0, 1))
    fails(sorted_weights, np.array([0.3, -1.0, 2.0]), gradient=one_entry(rank_gradient))
