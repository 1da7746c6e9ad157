"""Central and forward differences with error bars, from function values alone.

Both are extrapolated over a ladder of steps (Richardson's deferred approach to the limit; Press et al.,
Numerical Recipes, 3rd ed., section 5.7). The error bar is the change by the last extrapolation (truncation)
plus the noise of the function divided by the step (rounding).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.methods.base import Estimate

Array = np.ndarray[Any, Any]

#: Below the smallest normal number values lose digits, and vanish.
TINY = float(np.finfo(np.float64).tiny)

ROOT2 = float(np.sqrt(2.0))

#: Ratio of successive steps. With 4, one level removes a factor of 16 of a central difference's
#: truncation error, and six levels span from 1e-3 to 1e-6 of the scale.
RATIO = 4.0

#: Three levels, six evaluations: enough for a smooth function, and to detect that one is not smooth.
QUICK = tuple(2.0**-9 / RATIO**k for k in range(3))

#: The whole range of useful steps in float64.
THOROUGH = tuple(2.0**-1 / RATIO**k for k in range(16))


#: Values that take fewer steps than this on the 32 points of a long ladder show their grain: a smooth
#: function takes 16 at least.
FEW_STEPS = 8

#: Variations below this share at the finest steps are not noise. Two sides with one degree of freedom each
#: are both that small by chance once in a million times.
NOT_NOISE = 1e-3

#: And a sample of so few may underestimate the noise by this factor.
ROOM_FOR_CHANCE = 0.1

#: A slope has settled where its error bar is no more than this share of it.
SETTLED_SHARE = 0.1

#: Finer steps contradict if they are off by more than so many times their noise.
STRAY_NOISE = 3.0

#: So many numbers are worked on at a time: with what is computed from them, they fit a processor's cache.
CHUNK = 2**17


@dataclass(frozen=True, eq=False)
class Slopes:
    """Derivatives along some lines: two-sided, to the right, to the left; each of shape ``(lines, m)``.

    ``kink`` marks outputs whose one-sided derivatives exist and differ, ``jump`` outputs that do not approach
    their value at the point. ``range_of_values`` is how far the function moves over the widest step.
    ``one_sided``, of shape ``(lines,)``, says that the domain leaves one side only, where a kink cannot be
    seen. ``noise`` is the measured noise of the value; zero from a short ladder. ``grainy`` marks values that
    take few steps over a long ladder, or none: nothing but their grain is seen.
    """

    central: Estimate
    right: Estimate
    left: Estimate
    kink: Array
    jump: Array
    range_of_values: Array
    one_sided: Array
    noise: Array
    grainy: Array


@dataclass(eq=False)
class Lines:
    """A function along ``point + t · tangent`` for every row of ``tangents``, shape ``(lines, n)``.

    Lines along single coordinates have their numbers as ``tangents``, shape ``(lines,)``. ``evaluate`` takes
    many points at a time, shape ``(points, n)``, to values, shape ``(points, m)``. ``room``, of shape ``(2,
    lines)``, is how far t may go to the right and to the left. ``value`` is that at the point, shape
    ``(m,)``; ``evaluation_noise``, of shape ``(lines, m)``, how much it moves by itself. ``output_rounding``
    is the roundoff of the entries next to each output: an entry of a transform that is zero up to rounding is
    a different 1e-17 at every point, which is not a jump.
    """

    evaluate: Callable[[Array], Array]
    rounded: Callable[[Array], Array]
    point: Vector
    value: Vector
    tangents: Array
    evaluation_noise: Array
    room: Array
    output_rounding: Vector | float = 0.0

    def only(self, which: Array) -> Lines:
        """Return some of the lines."""
        tangents, evaluation_noise = self.tangents[which], self.evaluation_noise[which]
        return replace(self, tangents=tangents, evaluation_noise=evaluation_noise, room=self.room[:, which])

    def slopes(self, scales: Array, steps: tuple[float, ...], eps: float) -> Slopes:
        """Differentiate with the steps ``scale · steps`` of every line, ``scales`` of shape ``(lines,)``.

        ``eps`` is the unit roundoff of the evaluation.
        """
        t = np.multiply.outer(np.array(steps), scales)
        with np.errstate(all="ignore"):
            (up, down), (above, below) = self.sample(np.stack([t, -t]))
            return self._differentiate(up, above, -down, below, eps)

    def sample(self, t: Array) -> tuple[Array, Array]:
        """Evaluate at all t, shape ``(2, levels, lines)``: the steps actually taken, and the values.

        Both have an extra axis for the outputs. NaN stands for a step that leaves the room, or none.
        """
        inside = np.flatnonzero(np.abs(t) <= self.room[:, None])
        count = max(1, CHUNK // max(self.point.size, self.value.size))
        if inside.size == t.size <= count:
            # The usual case: nothing to leave out, and nothing to copy.
            there, steps = self._move(inside % len(self.tangents), t.reshape(-1))
            if (steps != 0.0).all():
                return steps.reshape(*t.shape, 1), self.evaluate(there).reshape(*t.shape, -1)
        real, values = np.full(t.size, np.nan), np.full((t.size, self.value.size), np.nan)
        for start in range(0, inside.size, count):
            at = inside[start : start + count]
            there, steps = self._move(at % len(self.tangents), t.reshape(-1)[at])
            made = steps != 0.0
            if not made.all():
                at, there, steps = at[made], there[made], steps[made]
            if at.size:
                real[at], values[at] = steps, self.evaluate(there)
        return real.reshape(*t.shape, 1), values.reshape(*t.shape, -1)

    def _move(self, lines: Array, t: Vector) -> tuple[Array, Vector]:
        """Return points on some lines, shape ``(points, n)``, and the steps actually taken.

        x + h differs from x by h only up to rounding.
        """
        tangents = self.tangents[lines]
        if tangents.ndim == 1:
            entry = np.arange(len(lines)), tangents
            points = np.tile(self.point, (len(lines), 1))
            points[entry] += t
            points = self.rounded(points)
            return points, points[entry] - self.point[tangents]
        points = self.rounded(self.point + t[:, None] * tangents)
        # nan and infinite inputs are not moved.
        moved = np.where(np.isfinite(self.point), points - self.point, 0.0)
        along = np.einsum("pn,pn->p", moved, tangents)
        return points, along / np.einsum("pn,pn->p", tangents, tangents)

    def _differentiate(self, up: Array, above: Array, down: Array, below: Array, eps: float) -> Slopes:
        value = self.value
        long = len(up) > len(QUICK)
        # Of a ladder of three steps only the last one has an error bar.
        barred = slice(0 if long else 2, None)
        ulps = eps * np.fmax(np.fmax(np.abs(above[barred]), np.abs(below[barred])), np.abs(value))
        noise = rounding = 4 * ulps + self.evaluation_noise + TINY
        if long:
            wavers, finest = (
                np.fmax(_measured_noise(up, above, count), _measured_noise(down, below, count))
                for count in (6, 4)
            )
            # Noise is the same at the finest steps. A trend of the function is not, and would hide how far
            # the wider steps are off.
            moves = np.abs(np.diff(above[-4:], axis=0)).min(axis=0) > finest / NOT_NOISE
            wavers = np.where(moves & (finest < NOT_NOISE * wavers), finest / ROOM_FOR_CHANCE, wavers)
            noise = np.fmax(rounding, wavers)
        # The noise of a difference of two values. Where it is that of roundoff, the long ladder need not take
        # the worst; docs/reference/calibration.md holds the bars against mpmath.
        spread = 2 * noise
        if long:
            roundoff = ROOT2 * (0.45 * np.fmax(ulps, wavers) + self.evaluation_noise + TINY)
            spread = np.where(wavers <= 4 * ulps, roundoff, spread)
        spread = spread[2 - len(up) :]
        both = up + down
        # How far the function goes on both sides.
        ahead, behind = above - value, below - value
        central = _extrapolate((above - below) / both, spread / both[2:], powers=(2, 4))
        right = _extrapolate(ahead / up, spread / up[2:], powers=(1, 2))
        left = _extrapolate(-behind / down, spread / down[2:], powers=(1, 2))
        stairs = _stairs(ahead, behind, noise) if long else 0.0
        np.abs(ahead, out=ahead), np.abs(behind, out=behind)
        gap = np.abs(right.value - left.value)
        level = np.fmax(np.abs(right.value), np.abs(left.value))
        bars = right.uncertainty + left.uncertainty
        if not long:
            # The long ladder has measured what an output that is all but cancelled (1 + erf) wavers by.
            bars = bars + 8 * self.output_rounding / np.fmin(up[-1], down[-1])
        kink = (gap > (12 if long else 3) * bars) & (gap > 1e-6 * level)
        if kink.any():
            # A two-sided difference there is the mean of two slopes and the derivative of nothing.
            bars = np.where(kink, np.fmax(central.uncertainty, gap), central.uncertainty)
            central = Estimate(central.value, bars)
        moved = np.fmax(ahead, behind)
        range_of_values = np.fmax.reduce(moved, axis=0)
        if not np.isfinite(range_of_values).all():
            range_of_values = np.fmax.reduce(np.where(np.isfinite(moved), moved, 0.0), axis=0)
        # Where large parts cancel (sin x − x near zero) the value says nothing of the rounding inside; the
        # way that the function goes over the whole ladder does.
        extra = 32 * eps * range_of_values / np.fmax.reduce(np.fmax(up, down), axis=0, initial=0.0)
        jump = np.zeros(kink.shape, dtype=bool)
        if long:
            cusp = _steeper(ahead, up) & _steeper(behind, down)
            extra = extra + np.where(cusp, np.inf, 0.0) + stairs
            extra = extra + _barely_reached(ahead, rounding) + _barely_reached(behind, rounding)
            level_noise = np.fmax(noise, self.output_rounding)
            jump = _jumps(ahead, level_noise) | _jumps(behind, level_noise)
            extra = np.where(jump | _beside_the_edge(up, above, down, below), np.inf, extra)
        central, right, left = (Estimate(e.value, e.uncertainty + extra) for e in (central, right, left))
        if np.isnan(central.value + right.value + left.value).any():
            # At the edge of the domain one side is all there is.
            central, right, left = _instead(central, right), _instead(right, left), _instead(left, right)
            central = _instead(central, right)
        one_sided = np.asarray(np.isnan(up).all(axis=(0, 2)) | np.isnan(down).all(axis=(0, 2)))
        wavers = wavers if long else np.zeros(kink.shape)
        grainy = np.zeros(kink.shape, dtype=bool)
        if long:
            grainy = _few_steps(above, below, rounding) | np.isinf(stairs)
        return Slopes(central, right, left, kink & ~jump, jump, range_of_values, one_sided, wavers, grainy)


def _few_steps(above: Array, below: Array, rounding: Array) -> Array:
    """Whether the values of a long ladder take few steps from its widest to its finest, or none.

    Steps that are no higher than rounding are those of a dtype, which has its error bar already.
    """
    values = np.sort(np.concatenate([above, below]), axis=0)
    steps = np.diff(values, axis=0)
    lowest = np.fmin.reduce(np.where(steps > 0, steps, np.inf), axis=0)
    low = lowest <= 2 * np.fmax.reduce(rounding, axis=0)
    return np.asarray(((steps > 0).sum(axis=0) < FEW_STEPS) & ~low)


def _extrapolate(quotients: Array, noise: Array, powers: tuple[int, int]) -> Estimate:
    """Extrapolate difference quotients, shape ``(levels, lines, m)``, to a step of zero, twice.

    ``powers`` are the leading powers of the step in the truncation error; ``noise`` is that of the quotients
    from the third level on. Of all levels the one with the smallest error bar is taken, separately for each
    output.
    """
    twice = quotients
    for power in powers:
        once = twice
        # In place: new memory costs as much as the arithmetic.
        twice = once[1:] - once[:-1]
        twice /= RATIO**power - 1
        twice += once[1:]
    correction = np.abs(twice - once[1:])
    if len(twice) == 1:
        error = correction[0] + noise[0]
        return Estimate(twice[0], np.where(np.isfinite(error), error, np.inf))
    change = np.abs(np.diff(twice, axis=0))
    # The first level inside the domain has no predecessor to compare with, like the very first.
    change = np.where(np.isnan(change), correction[1:], change)
    # Two neighbours may agree by chance: the correction, which overestimates the error of what
    # was corrected, keeps a part in the bar.
    error = np.concatenate([correction[:1], np.fmax(change, 0.02 * correction[1:])])
    error = error + noise
    error = np.where(np.isfinite(error) & np.isfinite(twice), error, np.inf)
    error = np.where(_contradicted(twice, error), np.inf, error)
    best = np.argmin(error, axis=0)[None]
    value, bar = (np.take_along_axis(each, best, 0)[0] for each in (twice, error))
    # A slope that has not settled is only a guess while finer steps disagree: the quotients of an apparent
    # jump grow down to the finest step.
    stray = np.abs(twice - value) - STRAY_NOISE * noise
    stray = np.where((np.arange(len(twice))[:, None, None] > best) & np.isfinite(stray), stray, 0.0)
    open_ = ~(bar <= SETTLED_SHARE * np.abs(value))
    return Estimate(value, np.where(open_, np.fmax(bar, stray.max(axis=0)), bar))


def _contradicted(values: Array, errors: Array) -> Array:
    """Mark the levels that a finer one contradicts, shape ``(levels, lines, m)``.

    The derivative is the limit of the quotient as the step goes to zero. A staircase has a slope for steps
    that span many stairs, and a pole one for steps across it; both look settled until the steps are finer.
    """
    low, high = values - errors, values + errors
    out = np.zeros(values.shape, dtype=bool)
    finest_low, finest_high = np.full(values.shape[1:], -np.inf), np.full(values.shape[1:], np.inf)
    for k in range(len(values) - 1, -1, -1):
        known = np.isfinite(errors[k])
        out[k] = known & ((low[k] > finest_high) | (high[k] < finest_low))
        keep = known & ~out[k]
        finest_low = np.where(keep, np.fmax(finest_low, low[k]), finest_low)
        finest_high = np.where(keep, np.fmin(finest_high, high[k]), finest_high)
    return out


def _measured_noise(steps: Array, values: Array, count: int) -> Array:
    """Return the noise of the function between neighbouring points, shape ``(lines, m)``.

    At the ``count`` smallest steps a smooth function is a parabola to within rounding; what remains after
    subtracting the parabola through the first, the second and the last is noise.
    """
    last = slice(-count, None)
    t, f = steps[last], values[last]
    slope = (f[0] - f[-1]) / (t[0] - t[-1])
    rest = f - f[-1] - slope * (t - t[-1])
    bow = (t - t[0]) * (t - t[-1])
    bend = np.abs(rest - rest[1] * bow / bow[1]).max(axis=0)
    return np.where(np.isfinite(bend) & ~_curved(steps, values), bend, 0.0)


def _curved(steps: Array, values: Array) -> Array:
    """Whether the function is clearly monotonic and bends one way over the six finest steps.

    So it does next to a root or a pole that is no farther away than they are. That is not noise, and taking
    it for noise would hide how far the wider steps are off. Dominant noise looks like this once in 500 times.
    """
    last = slice(-6, None)
    slopes = np.diff(values[last], axis=0) / np.diff(steps[last], axis=0)
    bends = np.diff(slopes, axis=0)

    steep = np.abs(slopes)
    much = steep.max(axis=0) > 1.5 * steep.min(axis=0)
    one_way, bent = ((of > 0).all(axis=0) | (of < 0).all(axis=0) for of in (slopes, bends))
    return np.asarray(one_way & bent & much)


def _beside_the_edge(up: Array, above: Array, down: Array, below: Array) -> Array:
    """Whether one side is out of reach at every step, and the slope on the other grows down to the finest.

    The domain of a root or a logarithm then ends closer to the point than the finest step, and the quotients
    do not show the slope at the point.
    """
    return np.asarray(
        (np.isnan(above).all(axis=0) & _curved(down, below))
        | (np.isnan(below).all(axis=0) & _curved(up, above))
    )


def _steeper(moved: Array, steps: Array) -> Array:
    """Whether the one-sided quotient grows without bound as the step shrinks: a root at zero.

    On both sides of a cusp the slopes are infinite and may cancel in a two-sided difference.
    """
    middle = slice(len(moved) // 4, 3 * len(moved) // 4)
    quotients = moved[middle] / steps[middle]
    # The root of the step grows by 2 from one level to the next; noise would by RATIO.
    growth = quotients[1:] / quotients[:-1]
    return np.asarray(((growth > 1.2) & (growth < 0.9 * RATIO)).all(axis=0))


def _stairs(right: Array, left: Array, noise: Array) -> Array:
    """Return infinity for a function that is constant at fine steps and moves alike on both sides beyond
    them.

    It is rounded somewhere on the way (``1 + erf(x)`` near minus one, a result stored in float16), or a
    staircase by design; no difference can tell whether its slope is that of the stair or that of the flight.
    A flat piece of a piecewise function (a rectifier on its dead side) ends on one side first, and a smooth
    extremum goes the same way on both: there the slope of the flight is that of the stair.
    """
    still = (right[-1] == 0) & (left[-1] == 0)
    signed_right, signed_left = _first_move(right), _first_move(left)
    still &= signed_right * signed_left < 0
    first_right, first_left = np.abs(signed_right), np.abs(signed_left)
    alike = (first_right < 4 * first_left) & (first_left < 4 * first_right)
    # The error bar covers stairs as low as the noise already.
    high = np.fmin(first_right, first_left) > np.fmax.reduce(noise, axis=0, initial=0.0)
    return np.where(still & alike & high, np.inf, 0.0)


def _first_move(moved: Array) -> Array:
    """Return the first step at which the function moves as t grows, infinity for none."""
    known = ((moved != 0) & np.isfinite(moved))[::-1]
    first = np.take_along_axis(moved[::-1], np.argmax(known, axis=0)[None], 0)[0]
    return np.where(known.any(axis=0), first, np.inf)


def _jumps(moved: Array, noise: Array) -> Array:
    """Whether the distance to the value at the point stays when the step goes to zero."""
    tail = moved[-4:]
    finite = np.isfinite(tail).all(axis=0)
    steady = tail.min(axis=0) > 0.5 * tail.max(axis=0)
    return np.asarray(finite & steady & (tail.min(axis=0) > 1e3 * np.fmax.reduce(noise, axis=0)))


def _barely_reached(moved: Array, rounding: Array) -> Array:
    """Return infinity for what looks like a jump until the steps are a sixteenth as wide, and then shrinks.

    ``tanh(3e8 (x - 1))`` at one: only the two finest of the steps see that it is smooth, and the quotients of
    all others, 1 / h, have been taken for a slope of 21 ± 12.
    """
    # The measured noise is useless here, since it is the bend of exactly those finest steps; but noise is far
    # smaller than the movement of the function. Where that movement is only a rounding, the function is
    # constant.
    far = np.fmax(1e-6 * np.where(np.isfinite(moved), moved, 0.0), 1e-3 * rounding).max(axis=0, keepdims=True)
    return np.where(_jumps(moved[:-1], far) | _jumps(moved[:-2], far), np.inf, 0.0)


def _instead(first: Estimate, second: Estimate) -> Estimate:
    missing = ~np.isfinite(first.uncertainty) & np.isnan(first.value)
    return Estimate(
        np.where(missing, second.value, first.value), np.where(missing, second.uncertainty, first.uncertainty)
    )


def textbook(
    evaluate: Callable[[Vector], Vector], point: Vector, value: Vector, coordinate: int, step: float
) -> tuple[Vector, Vector]:
    """Return the central and the forward quotient at a fixed step, exactly as they are written.

    Shapes ``(m,)`` each: ``(f(x + h) − f(x − h)) / (2h)`` and ``(f(x + h) − f(x)) / h``, in float64, without
    any correction: the numbers that a reader of a textbook gets at a prompt.
    """
    above, below = point.copy(), point.copy()
    above[coordinate] += step
    below[coordinate] -= step
    ahead = evaluate(above)
    return (ahead - evaluate(below)) / (2 * step), (ahead - value) / step
