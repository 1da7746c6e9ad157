"""Differences are no better than their error bars say, and no worse than they must be."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck.core.evidence.jacobian import combined
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.methods.differences import QUICK, THOROUGH, Lines, textbook

pytestmark = pytest.mark.kernels

SMOOTH = {
    "square": (lambda x: x * x, lambda x: 2 * x),
    "sin": (np.sin, mpmath.cos),
    "exp": (np.exp, mpmath.exp),
    "tanh": (np.tanh, lambda x: mpmath.sech(x) ** 2),
    "log1p of square": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "cubic": (lambda x: x**3 - 2 * x, lambda x: 3 * x * x - 2),
    "expm1 over": (
        lambda x: np.expm1(x) * np.cos(x),
        lambda x: mpmath.exp(x) * (mpmath.cos(x) - mpmath.sin(x)) + mpmath.sin(x),
    ),
}


def line(fn, x, room=(math.inf, math.inf), evaluation_noise=0.0):
    def evaluate(points):
        return np.stack([np.atleast_1d(np.asarray(fn(v), dtype=float)) for (v,) in points])

    point = np.array([x])
    (value,) = evaluate(point[None])
    jitters = np.full((1, value.size), evaluation_noise)
    return Lines(evaluate, lambda v: v, point, value, np.zeros(1, dtype=int), jitters, np.array([room]).T)


def slopes(fn, x, steps=THOROUGH, scale=None, **kwargs):
    """The slopes of one line: arrays of shape ``(m,)``."""
    found = line(fn, x, **kwargs).slopes(np.array([scale or abs(x) or 1.0]), steps, EPS64)
    return combined(lambda array: array[0], found)


@pytest.mark.parametrize("steps", [QUICK, THOROUGH], ids=["quick", "thorough"])
@pytest.mark.parametrize("side", ["central", "right", "left"])
def test_the_error_is_within_three_bars_and_the_bar_is_no_excuse(steps, side):
    outside, total, excess = [], 0, []
    rng = np.random.default_rng(7)
    for name, (fn, derivative) in SMOOTH.items():
        for x in [*rng.uniform(-3, 3, 40), 1e-8, 1e-3, 20.0]:
            estimate = getattr(slopes(fn, float(x), steps), side)
            truth = float(derivative(mpmath.mpf(float(x))))
            error, bar = abs(float(estimate.value[0]) - truth), float(estimate.uncertainty[0])
            total += 1
            if error > 3 * bar + 4 * EPS64 * abs(truth):
                outside.append((name, x, error, bar))
            excess.append(bar / max(abs(truth), 1e-300))
    assert len(outside) <= 0.01 * total, outside
    assert np.median(excess) < (1e-9 if side == "central" else 1e-6)


@given(st.floats(-100, 100), st.sampled_from(sorted(SMOOTH)))
def test_central_and_one_sided_slopes_agree_within_their_bars(x, name):
    s = slopes(SMOOTH[name][0], x)
    for a, b in [(s.central, s.right), (s.central, s.left), (s.right, s.left)]:
        allowed = 5 * (a.uncertainty + b.uncertainty) + 1e-12 * np.abs(a.value)
        assert (np.isnan(a.value) | np.isnan(b.value) | (np.abs(a.value - b.value) <= allowed)).all()
    assert not s.kink.any()
    assert not s.jump.any()


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("left", [-2.0, 0.0, 0.5])
def test_a_kink_has_two_slopes(size, left):
    s = slopes(lambda x: size * np.where(x > 0, x + x**2, left * x), 0.0)

    assert s.kink.all()
    assert s.right.value[0] == pytest.approx(size)
    assert s.left.value[0] == pytest.approx(left * size)
    assert s.central.uncertainty[0] >= 0.5 * size


@pytest.mark.parametrize(
    "fn", [lambda x: np.where(x > 1, 1.0, 0.0), lambda x: np.floor(x), lambda x: np.sign(x - 1)]
)
def test_a_jump_has_no_slope(fn):
    s = slopes(fn, 1.0)

    assert s.jump.all()
    assert np.isinf(s.central.uncertainty).all()


def test_noise_widens_the_bar():
    rng = np.random.default_rng(0)
    quiet = slopes(np.sin, 0.7).central
    noisy = slopes(lambda x: np.sin(x) + 1e-8 * rng.uniform(-1, 1), 0.7).central

    assert quiet.uncertainty[0] < 1e-11
    assert 1e-9 < noisy.uncertainty[0] < 1e-5
    assert abs(noisy.value[0] - math.cos(0.7)) < 3 * noisy.uncertainty[0]


def test_a_function_rounded_on_the_way_is_not_flat():
    s = slopes(lambda x: float(np.float16(x * x)), 1.3)

    assert np.isinf(s.central.uncertainty[0]) or s.central.uncertainty[0] > 1e-4


@given(st.floats(1e-6, 10), st.floats(1e-6, 10))
def test_samples_stay_in_the_room(right, left):
    seen = []

    def fn(x):
        seen.append(float(x))
        return x * x

    s = slopes(fn, 2.0, room=(right, left))

    assert min(seen) >= 2.0 - left * (1 + 1e-12)
    assert max(seen) <= 2.0 + right * (1 + 1e-12)
    assert s.central.value[0] == pytest.approx(4.0)


@pytest.mark.parametrize("room", [(math.inf, 0.0), (0.0, math.inf)])
def test_at_the_edge_one_side_stands_for_both(room):
    s = slopes(np.exp, 1.0, room=room)

    for estimate in (s.central, s.right, s.left):
        assert estimate.value[0] == pytest.approx(math.e, rel=1e-9)


def test_neighbours_that_are_not_finite_are_left_out():
    s = slopes(lambda x: np.log(x), 1e-3, scale=1.0)

    assert s.central.value[0] == pytest.approx(1000.0, rel=1e-6)


def test_textbook_quotients_are_plain_arithmetic():
    def f(v):
        return np.array([2 * v[0] ** 2 - 3 * v[0] + 4])

    central, forward = textbook(f, np.array([2.0]), f([2.0]), 0, 1e-6)

    assert forward[0] == (f([2.0 + 1e-6])[0] - f([2.0])[0]) / 1e-6 == 5.000002000876691
    assert central[0] == (f([2.0 + 1e-6])[0] - f([2.0 - 1e-6])[0]) / (2 * 1e-6)


def test_the_widest_step_inside_the_domain_is_trusted_no_more_than_its_correction():
    """With two per cent of it, the bar of the power 1.5 at 0.001 was 1.7e-10 for an error of 5.3e-10."""
    central = slopes(lambda v: v**1.5, 1e-3, scale=1.0).central
    assert abs(central.value - 1.5 * np.sqrt(1e-3)) <= central.uncertainty < 1e-7


FUNCTIONS = st.sampled_from(
    [np.sin, np.abs, np.floor, np.sqrt, lambda x: np.float16(x * x), lambda x: x**3 - 2 * x]
)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=5), FUNCTIONS, st.sampled_from([QUICK, THOROUGH]))
def test_many_lines_at_a_time_give_what_each_gives_by_itself(points, fn, steps):
    point = np.array(points)
    scales = np.where(point == 0, 1.0, np.abs(point))

    def evaluate(there):
        # The other entries stay as they are, so each output is a function of one line's entry. Called
        # for each number by itself: of a whole array NumPy may take another kernel, which rounds otherwise.
        return np.array([[fn(v) for v in point] for point in there], dtype=float)

    with np.errstate(all="ignore"):
        value = evaluate(point[None])[0]
    room = np.full((2, point.size), math.inf)
    evaluation_noise = np.zeros((point.size, point.size))
    along = Lines(evaluate, lambda v: v, point, value, np.arange(point.size), evaluation_noise, room)
    across = Lines(evaluate, lambda v: v, point, value, np.eye(point.size), evaluation_noise, room)
    together, by_tangents = (lines.slopes(scales, steps, EPS64) for lines in (along, across))

    for k, x in enumerate(points):
        with np.errstate(all="ignore"):
            alone = numbers(slopes(fn, x, steps, scale=scales[k]))
        for found in (together, by_tangents):
            at_k = numbers(combined(lambda a, k=k: a[k] if a.ndim == 1 else a[k, k], found))
            # To the last bit under any kernel: from the values on, Lines adds, subtracts, multiplies, divides
            # and compares, each of which IEEE 754 rounds in one way.
            assert np.array_equal(at_k, alone, equal_nan=True)


def numbers(found):
    """All that slopes say of one output along one line."""
    out = []
    combined(lambda array: out.append(float(np.squeeze(array))), found)
    return out
