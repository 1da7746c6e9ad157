"""A fit over a window holds the error in its bar whatever the noise is, and tells kinks, jumps and grain."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from chance import most

from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.methods.differences import Lines
from pytest_gradcheck.methods.windows import APART, LEVELS, WIDTH, Window, natural_scales, settled, window

pytestmark = pytest.mark.kernels

Scalar = Callable[[Any], Any]

float32 = np.float32


def lines(function: Scalar, x: float, evaluation_noise: float = 0.0) -> Lines:
    """One line, along the one input."""

    def evaluate(points: Any) -> Any:
        return np.stack([np.atleast_1d(np.asarray(function(v), dtype=float)) for (v,) in points])

    point = np.array([x])
    (value,) = evaluate(point[None])
    noise, room = np.full((1, value.size), evaluation_noise), np.full((2, 1), math.inf)
    return Lines(evaluate, lambda points: points, point, value, np.zeros(1, dtype=int), noise, room)


def at(function: Scalar, x: float, scale: float, **options: Any) -> Window:
    return window(lines(function, x, **options), np.array([scale]), None, EPS64)


def alone(array: Any) -> Any:
    """The number in an array of one line and one output."""
    return array[0, 0]


def noisy(x: float, level: float) -> float:
    """A sine with noise that is the same for the same x."""
    seed = np.frombuffer(np.float64(x).tobytes(), dtype=np.uint32)
    return float(np.sin(x) + level * np.random.default_rng(seed).uniform(-1, 1))


SMOOTH: dict[str, tuple[Scalar, Scalar]] = {
    "sin": (np.sin, mpmath.cos),
    "exp": (np.exp, mpmath.exp),
    "tanh": (np.tanh, lambda x: mpmath.sech(x) ** 2),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "cubic": (lambda x: x**3 - 2 * x, lambda x: 3 * x * x - 2),
    "1 / (1 + x²)": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "log(1 + x²)": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    "sin(5 x)": (lambda x: np.sin(5 * x), lambda x: 5 * mpmath.cos(5 * x)),
}

NOISY = {
    f"noise of {level:g}": (functools.partial(noisy, level=level), mpmath.cos)
    for level in (1e-12, 1e-9, 1e-6, 1e-3)
}

FLOAT32 = {
    "sin": (lambda x: float(np.sin(float32(x))), mpmath.cos),
    "exp": (lambda x: float(np.exp(float32(x))), mpmath.exp),
    "softplus squared": (
        lambda x: float(np.logaddexp(float32(0), float32(x)) ** 2),
        lambda x: 2 * mpmath.log(1 + mpmath.exp(x)) / (1 + mpmath.exp(-x)),
    ),
    "tanh in float16": (lambda x: float(np.tanh(np.float16(x))), lambda x: mpmath.sech(x) ** 2),
}

QUANTISED = {
    "eight decimals": (lambda x: round(math.sin(x), 8), mpmath.cos),
    "four decimals": (lambda x: round(math.sin(x), 4), mpmath.cos),
    "twenty binary places": (lambda x: round(math.exp(x) * 2**20) / 2**20, mpmath.exp),
    "a table of values": (lambda x: math.sin(round(x * 1000) / 1000), mpmath.cos),
}

CANCELLING = {
    "1 - cos": (lambda x: 1 - math.cos(x), mpmath.sin),
    "pseudo-Huber": (lambda x: math.sqrt(1 + x * x) - 1, lambda x: x / mpmath.sqrt(1 + x * x)),
    "1e6 + sin": (lambda x: 1e6 + math.sin(x), mpmath.cos),
    "log cosh": (lambda x: math.log(math.cosh(x)), mpmath.tanh),
    "exp(x) - 1 - x": (lambda x: math.exp(x) - 1 - x, mpmath.expm1),
}

FAMILIES: dict[str, dict[str, tuple[Scalar, Scalar]]] = {
    "smooth": SMOOTH,
    "noisy": NOISY,
    "float32 inside": FLOAT32,
    "quantised": QUANTISED,
    "cancelling": CANCELLING,
}


def points(count: int, seed: int = 0) -> list[tuple[float, float]]:
    """Points, and the scales of a window at each."""
    rng = np.random.default_rng(seed)
    return [
        (float(x), float(s))
        for x, s in zip(rng.uniform(-3, 3, count), rng.uniform(0.5, 2, count), strict=True)
    ]


def errors(family: dict[str, tuple[Scalar, Scalar]], each: int) -> list[tuple[float, float]]:
    """The error and the bar of each window that is above the grain of its function."""
    out = []
    for k, (function, derivative) in enumerate(family.values()):
        for x, scale in points(each, k):
            found = at(function, x, scale)
            if not alone(found.grainy):
                error = abs(alone(found.slope.value) - float(derivative(mpmath.mpf(x))))
                out.append((error, float(alone(found.slope.uncertainty))))
    return out


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bar_holds_the_error(name: str) -> None:
    found = errors(FAMILIES[name], 60)
    assert len(found) >= 200
    beyond = sum(error > bar for error, bar in found)
    # One in a hundred may exceed its bar, and does so by a little. Elsewhere 1 of 5,200 did, but 1 in 90
    # for functions that round their input to float32: the grid may round all points of a window alike.
    assert beyond <= most(len(found), 0.01), [each for each in found if each[0] > each[1]]
    assert all(error < 3 * bar for error, bar in found)


@pytest.mark.parametrize("name", ["noisy", "float32 inside", "quantised"])
def test_the_bar_is_not_far_wider_than_the_noise(name: str) -> None:
    family = {key: value for key, value in FAMILIES[name].items() if key != "noise of 1e-12"}
    ratios = [bar / error for error, bar in errors(family, 30) if error]
    # Five standard errors are 7.4 times the median error of a normal distribution.
    assert 3 < float(np.median(ratios)) < 40


def test_bars_that_are_too_small_are_seen() -> None:
    found = errors({**NOISY, **QUANTISED}, 60)
    assert sum(error > bar / 5 for error, bar in found) > most(len(found), 0.01)


def test_the_noise_is_measured() -> None:
    for level in (1e-9, 1e-6, 1e-3):
        found = [float(alone(at(functools.partial(noisy, level=level), x, 1.0).noise)) for x, _ in points(40)]
        # Its standard deviation is 0.58 of the level, as it is uniform, and that of half a sum of two 0.41.
        assert 0.3 * level < float(np.median(found)) < 0.6 * level
        assert max(found) < level


# -- kinks and jumps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_smooth_functions_have_no_kink_and_no_jump(name: str) -> None:
    family = {key: value for key, value in FAMILIES[name].items() if key not in ("a table of values",)}
    found = [at(function, x, s) for function, _ in family.values() for x, s in points(60, 1)]
    assert sum(bool(alone(each.kink) or alone(each.jump)) for each in found) <= most(len(found), 0.01)


BENT: dict[str, tuple[Scalar, float, float, float]] = {
    # With the slopes to the left and to the right.
    "abs": (abs, 0.0, -1.0, 1.0),
    "rectifier": (lambda x: max(x, 0.0), 0.0, 0.0, 1.0),
    "bent sine": (lambda x: math.sin(x) + 0.1 * abs(x - 0.7), 0.7, math.cos(0.7) - 0.1, math.cos(0.7) + 0.1),
    "bent in float32": (lambda x: float(np.abs(float32(x) - float32(0.5))), 0.5, -1.0, 1.0),
    "Huber's derivative": (lambda x: min(max(x, -1.0), 1.0), 1.0, 1.0, 0.0),
    "large and bent": (lambda x: 1e5 + abs(x), 0.0, -1.0, 1.0),
}


@pytest.mark.parametrize("name", BENT)
def test_a_kink_is_marked_with_its_slopes(name: str) -> None:
    function, x, left, right = BENT[name]
    for scale in (1.0, 0.3, 1e-3):
        found = at(function, x, scale)
        assert alone(found.kink)
        assert not alone(found.jump)
        for side, slope in ((found.left, left), (found.right, right)):
            assert abs(alone(side.value) - slope) <= alone(side.uncertainty)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        pytest.param(np.sign, 0.0, id="sign"),
        pytest.param(lambda x: math.sin(x) + (x == 0.7), 0.7, id="one value apart"),
        pytest.param(lambda x: math.floor(x) + 0.1 * x, 1.0, id="stairs that rise"),
    ],
)
def test_a_jump_is_no_kink(function: Scalar, x: float) -> None:
    found = at(function, x, 1.0)
    assert not alone(found.kink)
    # A step has another value on each side: a fit of both is a poor one, with a bar as wide as the step.
    assert alone(found.jump) or alone(found.slope.uncertainty) > 1


def test_a_kink_next_to_the_point_is_not_in_the_bar_of_a_narrow_window() -> None:
    found = at(lambda x: abs(x - 0.01), 0.0, 0.05)
    assert abs(alone(found.slope.value) + 1) <= alone(found.slope.uncertainty)
    assert alone(found.slope.uncertainty) < 1e-12


# -- grain ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "grain"),
    [
        pytest.param(lambda x: round(x, 6), 1e-6, id="six decimals"),
        pytest.param(lambda x: float(np.sin(float32(x))), 1e-7, id="float32"),
        pytest.param(lambda x: round(math.exp(x) * 4096) / 4096, 1e-4, id="fixed point"),
    ],
)
def test_a_window_below_the_grain_says_so(function: Scalar, grain: float) -> None:
    wide, fine, still = (at(function, 1.1, scale) for scale in (1.0, 5 * grain, 1e-4 * grain))
    assert not alone(wide.grainy)
    assert alone(fine.grainy)
    assert alone(still.still)
    assert alone(still.slope.value) == 0


def test_functions_that_turn_are_not_grainy() -> None:
    for function in (np.cos, lambda x: x * x, lambda x: math.cosh(x) - 1, np.sin, np.exp):
        assert not alone(at(function, 0.0, 1.0).grainy)
    assert alone(at(lambda x: 3.0, 0.0, 1.0).still)


def test_no_two_levels_are_a_power_of_two_apart() -> None:
    octaves = np.log2(LEVELS[:, None] / LEVELS)
    away = np.abs(octaves - np.round(octaves))[~np.eye(len(LEVELS), dtype=bool)]
    assert away.min() > 0.01


# -- several windows -----------------------------------------------------------------------------------


def test_natural_scales_go_from_wide_to_fine_and_none_is_close_to_another() -> None:
    found = np.array(
        natural_scales(np.array([1e-3, 2.0, 0.0]), np.array([1.0, 1.0, 5.0]), np.array([1e-3, 0.0, 4.9]))
    )
    for column in found.T:
        known = column[np.isfinite(column)]
        assert (known[:-1] >= APART * known[1:] * (1 - 1e-12)).all()
    assert found[0].tolist() == [1.0, 2.0, 5.0]
    # Two finer ones follow.
    assert found[-1] == pytest.approx(found[0] * [1e-3, 1, 1] / APART**2)


def test_two_windows_settle_a_slope() -> None:
    scales = natural_scales(np.array([1.0]))
    for family in FAMILIES.values():
        outside = total = 0
        for function, derivative in family.values():
            for x, _ in points(20, 2):
                found = settled(lines(function, x), scales, EPS64)
                total += 1
                error = abs(alone(found.value) - float(derivative(mpmath.mpf(x))))
                outside += not error <= alone(found.uncertainty)
        assert outside <= most(total, 0.01)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        pytest.param(abs, 0.0, id="kink"),
        pytest.param(np.sign, 0.0, id="jump"),
        pytest.param(lambda x: math.sqrt(abs(x)), 0.0, id="cusp"),
        pytest.param(lambda x: math.nan if x > 0 else x, 0.0, id="end of the domain"),
    ],
)
def test_windows_settle_nothing_where_there_is_no_derivative(function: Scalar, x: float) -> None:
    found = settled(lines(function, x), natural_scales(np.array([1.0])), EPS64)
    assert alone(found.uncertainty) == np.inf


def test_what_does_not_move_below_the_grain_is_no_evidence() -> None:
    """Float32 inside: the two wide windows see the slope, and the fine ones nothing."""

    def function(x: float) -> float:
        return float(np.sin(float32(x)))

    wide, fine = [np.array([1.0]), np.array([1 / APART])], [np.array([1e-9]), np.array([1e-9 / APART])]
    for scales in (wide, wide + fine):
        found = settled(lines(function, 0.3), scales, EPS64)
        assert abs(alone(found.value) - math.cos(0.3)) <= alone(found.uncertainty) < 1e-3


# -- magnitudes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("magnitude", [1e-200, 1e-100, 1.0, 1e100, 1e200])
def test_squares_of_large_and_small_values_stay_in_range(magnitude: float) -> None:
    for x in (0.3, 1.7):
        for function, slope in (
            (lambda v: magnitude * np.sin(v), magnitude * math.cos(x)),
            (lambda v: magnitude * noisy(v, 1e-6), magnitude * math.cos(x)),
        ):
            found = at(function, x, 1.0)
            error, bar = abs(alone(found.slope.value) - slope), alone(found.slope.uncertainty)
            assert error <= bar < 1e-3 * magnitude
            assert not any(alone(mark) for mark in (found.kink, found.jump, found.grainy))
    assert alone(at(lambda v: magnitude * abs(v - 0.3), 0.3, 1.0).kink)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e100, 1e200])
def test_windows_of_any_width(scale: float) -> None:
    found = at(lambda v: np.sin(v / scale), 0.3 * scale, scale)
    assert (
        abs(alone(found.slope.value) * scale - math.cos(0.3)) <= alone(found.slope.uncertainty) * scale < 1e-5
    )


def test_rows_of_cotangents_and_outputs() -> None:
    def function(x: float) -> Any:
        return [math.sin(x), math.nan if x > 1 else x * x, 1e3 * x]

    of_each = window(lines(function, 0.99), np.array([1.0]), None, EPS64)
    cotangents = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    rows = window(lines(function, 0.99), np.array([1.0]), cotangents, EPS64)
    assert of_each.slope.value.shape == rows.slope.value.shape == (1, 3)
    expected = [math.cos(0.99), 2 * math.cos(0.99) - 1e3]
    assert rows.slope.value[0, :2] == pytest.approx(expected)
    # What a row does not look at may be nan; what it looks at may not.
    assert np.isfinite(rows.slope.uncertainty[0, :2]).all()
    assert rows.slope.uncertainty[0, 2] == np.inf
    assert of_each.slope.uncertainty[0, 1] == np.inf


def test_noise_that_is_known_widens_the_bar() -> None:
    quiet, wavering = at(np.sin, 0.3, 1.0), at(np.sin, 0.3, 1.0, evaluation_noise=1e-6)
    assert alone(wavering.slope.uncertainty) > 1e-6 / WIDTH > alone(quiet.slope.uncertainty)
