"""Slopes from a polynomial that is fitted over a window of steps, whose residuals measure the noise.

A ladder of steps trusts the dtype to say how far values waver. A fit does not: what the polynomial leaves
over is the noise of the function, whatever made it: float32 inside of float64, the stopping tolerance of a
solver, quantised outputs, cancellation. Moré and Wild ("Estimating computational noise", SIAM J. Sci. Comput.
33, 2011) see it in the same way, as what high differences of evenly spaced values leave over.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.differences import ROOT2, TINY, Lines

Array = np.ndarray[Any, Any]

#: Symmetric points, in units of the window's half width. No two are a power of two apart: steps that are hide
#: a grain that is a power of two itself, such as that of float32.
LEVELS = np.array([1.0, 0.837, 0.709, 0.573, 0.45, 0.299, 0.218])

#: The half width of a window in units of its scale. The terms of the series that are left out of the fit are
#: 0.12 to the power of seven there, and a grain of 1e-8 is seven digits below the step.
WIDTH = 0.12

#: Standard errors in a bar. With eight degrees of freedom one bar in a thousand is wider.
STANDARD_ERRORS = 5.0

#: Share of the last term of the fit that is added to the bar for those after it.
#: tests/methods/test_windows.py holds the bars of smooth functions.
LAST_TERM = 0.1

#: Windows whose scales differ by less than this are one and the same.
APART = 8.0

#: A polynomial fits where it leaves no more than this share of the way that the values go.
FITS = 0.1

#: A value that wavers by more than so many of its roundings does so for a reason of its own.
WAVERS = 1e3

#: What a value moves by within so many of its roundings is no movement.
ROUNDINGS = 4.0

#: The least noise of a value at few points, in roundings: what is left over may be small by chance. A single
#: rounding is a third of one in the root mean square.
FLOOR = 1.0

#: Values that take fewer steps than this over the points of a window show their grain. A smooth function
#: takes as many as there are points, fewer where it turns: an even function half of them.
FEW = 6

_ODD = np.stack([LEVELS**0, LEVELS**2, LEVELS**4], axis=1)
_EVEN = np.stack([LEVELS**0, LEVELS, LEVELS**2, LEVELS**4], axis=1)
# The noise of a quotient is that of a value over the step: weights make them alike.
_ODD_INVERSE = np.linalg.pinv(_ODD * LEVELS[:, None]) * LEVELS
_EVEN_INVERSE = np.linalg.pinv(_EVEN)
_ODD_ERRORS = np.linalg.norm(np.linalg.pinv(_ODD * LEVELS[:, None]), axis=1)
_EVEN_ERRORS = np.linalg.norm(_EVEN_INVERSE, axis=1)
#: What a noise of one adds to the bar of a slope, in units of one over the scale.
BAR_OF_NOISE = float(STANDARD_ERRORS * _ODD_ERRORS[0] / WIDTH)

_FREEDOM = 2 * len(LEVELS) - _ODD.shape[1] - _EVEN.shape[1]


@dataclass(frozen=True, eq=False)
class Window:
    """What a window shows along each line: arrays of shape ``(lines, rows)``.

    ``slope`` is the two-sided derivative at the middle of the window, ``right`` and ``left`` are the
    one-sided ones. ``kink`` marks one-sided slopes that differ beyond the noise, ``jump`` a middle that lies
    apart from both sides. ``still`` marks values that do not move at all, and ``grainy`` those that take few
    steps: the window is near the grain of the function, or below it, and its residuals are no measure of the
    noise. ``noise`` is how far a value wavers, and
    ``wavers`` says that it is far more than its rounding. ``fits``
    says that a polynomial is what the values go along.
    """

    slope: Estimate
    right: Estimate
    left: Estimate
    kink: Array
    jump: Array
    still: Array
    grainy: Array
    noise: Array
    wavers: Array
    fits: Array


def window(lines: Lines, scales: Array, cotangents: Array | None, eps: float) -> Window:
    """Fit the function over one window per line; see `fitted`."""
    return fitted(lines, looked(lines, scales), scales, cotangents, eps)


def looked(lines: Lines, scales: Array) -> tuple[Array, Array]:
    """Evaluate at the points of one window per line: the steps, and the values."""
    t = np.multiply.outer(WIDTH * LEVELS, scales)
    with np.errstate(all="ignore"):
        return lines.sample(np.stack([t, -t]))


def fitted(
    lines: Lines, values: tuple[Array, Array], scales: Array, cotangents: Array | None, eps: float
) -> Window:
    """Fit what was evaluated over one window per line.

    Parameters
    ----------
    lines
        The function along some lines; ``value`` is that at the point.
    values
        What `looked` gave for these scales.
    scales
        The scale of each line's window, shape ``(lines,)``.
    cotangents
        What the outputs are contracted with, shape ``(rows, m)``; None for each output by itself.
    eps
        The unit roundoff of a value.
    """
    (up, down), (above, below) = values
    with np.errstate(all="ignore"):
        size = np.fmax(np.abs(above).max(axis=0), np.abs(below).max(axis=0))
        # An entry that is all but cancelled wavers by the rounding of those next to it.
        size = np.fmax(eps * size, lines.output_rounding)
        high, low, middle, wavers = above, below, lines.value, lines.evaluation_noise
        if cotangents is not None:
            high, low, middle = (_contracted(cotangents, values) for values in (above, below, lines.value))
            size, wavers = (_contracted(np.abs(cotangents), values) for values in (size, wavers))
        h = WIDTH * scales[:, None]
        quotients = (high - low) / (up - down)
        even = (high + low) / 2 - middle
        odd = np.einsum("kl,l...->k...", _ODD_INVERSE, quotients)
        bent = np.einsum("kl,l...->k...", _EVEN_INVERSE, even)
        # In units of a value: what is left of half the sum and half the difference of two values.
        left_over = (quotients - np.einsum("lk,k...->l...", _ODD, odd)) * LEVELS[:, None, None] * h
        rest = even - np.einsum("lk,k...->l...", _EVEN, bent)
        # Squares of what is large or small leave the range of float64.
        unit = np.fmax(np.fmax(np.abs(left_over).max(axis=0), np.abs(rest).max(axis=0)), TINY)
        squares = ((left_over / unit) ** 2).sum(axis=0) + ((rest / unit) ** 2).sum(axis=0)
        spread = unit * np.sqrt(squares / _FREEDOM)
        half = spread + size + wavers + TINY
        bar = STANDARD_ERRORS * _ODD_ERRORS[0] * half / h + LAST_TERM * np.abs(odd[2])
        step, steepness = np.abs(bent[0]), bent[1] / h
        gap_bar = STANDARD_ERRORS * _EVEN_ERRORS[1] * half / h + LAST_TERM * np.abs(bent[3]) / h
        kink = np.abs(steepness) > gap_bar + 1e-6 * np.abs(odd[0])
        # The value at the middle wavers as much as half the sum of two others, and once more.
        jump = step > 2 * STANDARD_ERRORS * _EVEN_ERRORS[0] * half + LAST_TERM * np.abs(bent[3])
    bar = np.where(np.isfinite(bar) & np.isfinite(odd[0]), bar, np.inf)
    sides = np.where(np.isfinite(gap_bar), bar + gap_bar, np.inf)
    taken = np.sort(np.concatenate([high, low]), axis=0)
    steps = (np.diff(taken, axis=0) > ROUNDINGS * size).sum(axis=0)
    slope, right, left = odd[0], odd[0] + steepness, odd[0] - steepness
    return Window(
        Estimate(slope, bar),
        Estimate(right, sides),
        Estimate(left, sides),
        kink & ~jump,
        jump,
        steps == 0,
        steps < FEW,
        half,
        spread > WAVERS * size,
        spread <= FITS * (taken[-1] - taken[0]),
    )


@dataclass(frozen=True, eq=False)
class Few:
    """A window of so few points that noise is pooled over several lines.

    ``width`` is the half width in units of the scale and ``levels`` the points in units of it. The odd part
    of the values is fitted by ``odd`` even powers of the step from 1 on, and the even part by ``even`` of
    them from the square on: what a kink does to them is left over, and counts as noise. A value wavers by
    ``floor`` of its roundings at least.
    """

    width: float
    levels: Array
    odd: int
    even: int
    floor: float = FLOOR

    @functools.cached_property
    def fits(self) -> tuple[Array, Array, Array, Array]:
        """The powers of the odd and the even part, ``(levels, terms)``, and what fits each, turned."""
        odd = np.stack([self.levels ** (2 * k) for k in range(self.odd)], axis=1)
        even = np.stack([self.levels ** (2 * k) for k in range(1, self.even + 1)], axis=1)
        weighted = np.linalg.pinv(odd * self.levels[:, None])
        return odd, even, weighted * self.levels, np.linalg.pinv(even)

    @functools.cached_property
    def error(self) -> float:
        """The standard error of the slope, for a noise of one over a half width of one."""
        odd = self.fits[0]
        return float(np.linalg.norm(np.linalg.pinv(odd * self.levels[:, None])[0]))

    @functools.cached_property
    def freedom(self) -> int:
        """How many numbers are left over per line."""
        return 2 * len(self.levels) - self.odd - self.even


#: For values with the roundings of float64, which leave room for steps that jump over few kinks.
FINE = Few(2.0**-10, np.array([1.0, 0.45]), 2, 1)

#: For values that waver by 1e-7, or by what a solver stops at: the noise of a slope is theirs over the step.
COARSE = Few(WIDTH, np.array([1.0, 0.7, 0.45, 0.25]), 3, 2)

#: The same where noise hides what a slope of little weight makes of the values.
WIDE = Few(3 * WIDTH, COARSE.levels, 3, 2)

#: For values in half precision, whose roundings fill a narrower window. Its points are evenly spaced, which
#: steps can be that such a dtype holds exactly.
HALF = Few(3 * WIDTH, np.arange(6, 0, -1) / 6, 2, 2, 0.5)


#: For second derivatives, whose noise is that of the values over the square of the step: for values with the
#: roundings of float64, and for those that waver.
BENDS = tuple(Few(width, np.array([1.0, 0.8, 0.6, 0.42, 0.25]), 3, 3) for width in (WIDTH / 4, WIDTH))


#: A line has a kink where a fit that has one leaves this many times less. Smooth functions differ by chance.
KINKED = 10.0


@dataclass(frozen=True, eq=False)
class Sample:
    """Values at the points of a `Few` along some lines; ``middle`` is that at the point, shape ``(m,)``."""

    shape: Few
    up: Array
    down: Array
    above: Array
    below: Array
    middle: Array
    evaluation_noise: Array

    @property
    def range_of_values(self) -> Array:
        """How far each output moves along each line, shape ``(lines, m)``."""
        return np.asarray(
            np.fmax(np.abs(self.above - self.middle), np.abs(self.below - self.middle)).max(axis=0)
        )


@dataclass(frozen=True, eq=False)
class Glance:
    """Slopes from few points, shape ``(lines, rows)``, and the noise of a value, shape ``(rows,)``."""

    slope: Estimate
    noise: Array


def _moving(cotangents: Array, moves: Array, sample: Sample) -> Array:
    """Return how much of the noise of rows is that of outputs that move along a line, ``(lines, rows)``.

    An output that does not move at all does not waver either. ``moves`` has shape ``(levels, lines, m)``.
    """
    squares = sample.middle**2
    size = _contracted(cotangents**2, squares)
    return np.sqrt(
        _contracted(cotangents**2, np.where(moves.any(axis=0), squares, 0.0)) / np.fmax(size, TINY)
    )


def sampled(lines: Lines, shape: Few) -> Sample:
    """Evaluate at the points of a few-point window along every line, at the scale of its tangent."""
    t = np.multiply.outer(shape.width * shape.levels, np.ones(len(lines.tangents)))
    (up, down), (above, below) = lines.sample(np.stack([t, -t]))
    return Sample(shape, up, down, above, below, lines.value, lines.evaluation_noise)


def glanced(sample: Sample, cotangents: Array | None, eps: float, noise: Array | None = None) -> Glance:
    """Fit the values of a sample, contracted with cotangents of shape ``(rows, m)``; None for each output.

    The noise is the root mean square of what all lines leave over, one rounding of the value, or the
    ``noise`` that other lines were seen to have, shape ``(rows,)``: what is most.
    """
    shape, values = sample.shape, (sample.above, sample.below, sample.middle)
    wavers = sample.evaluation_noise.max(axis=0)
    with np.errstate(all="ignore"):
        if cotangents is None:
            high, low, middle = values
            floor, share = shape.floor * eps * np.abs(middle), np.ones(1)
        else:
            share = _moving(
                cotangents, (sample.above != sample.middle) | (sample.below != sample.middle), sample
            )
            high, low, middle = (_contracted(cotangents, v) for v in values)
            floor = shape.floor * eps * np.sqrt(_contracted(cotangents**2, sample.middle**2))
            wavers = _contracted(np.abs(cotangents), wavers)
        odd_powers, even_powers, fit_odd, fit_even = shape.fits
        quotients = (high - low) / (sample.up - sample.down)
        halves = (high + low) / 2 - middle
        odd, even = np.tensordot(fit_odd, quotients, 1), np.tensordot(fit_even, halves, 1)
        step = shape.width * shape.levels[:, None, None]
        rest = (
            (quotients - np.tensordot(odd_powers, odd, 1)) * step,
            halves - np.tensordot(even_powers, even, 1),
        )
        unit = np.fmax(np.fmax(np.abs(rest[0]).max(axis=(0, 1)), np.abs(rest[1]).max(axis=(0, 1))), TINY)
        squares = sum(((part / unit) ** 2).sum(axis=0) for part in rest)
        # A line that bends tells nothing of the noise along another one, and has it for itself.
        each = unit * np.sqrt(squares / shape.freedom)
        pooled = unit * np.sqrt(squares.mean(axis=0) / shape.freedom)
        seen = np.fmax(pooled, floor + wavers)
        seen = seen if noise is None else np.fmax(seen, noise)
        half = np.fmax(each, seen * share)
        bar = STANDARD_ERRORS * shape.error * half / shape.width + LAST_TERM * np.abs(odd[-1])
    bar = np.where(np.isfinite(bar) & np.isfinite(odd[0]), bar, np.inf)
    return Glance(Estimate(odd[0], bar), np.where(np.isfinite(seen), seen, np.inf))


def bent(sample: Sample, eps: float) -> tuple[Estimate, Array]:
    """Fit second derivatives along the lines of a sample, shape ``(lines, m)``, and mark lines with a kink.

    The even part of the values is a series in the square of the step. What the fit leaves over is the noise,
    or a kink; each line has its own, and no less than the others show. With a kink the even part begins with
    the step itself, and a fit with that in place of the last term leaves next to nothing.
    """
    shape = sample.shape
    _, powers, _, fit = shape.fits
    sharp = np.concatenate([shape.levels[:, None], powers[:, :-1]], axis=1)
    with np.errstate(all="ignore"):
        halves = (sample.above - sample.middle) / 2 + (sample.below - sample.middle) / 2
        even, kinked = np.tensordot(fit, halves, 1), np.tensordot(np.linalg.pinv(sharp), halves, 1)
        each, left = (
            np.sqrt(((halves - np.tensordot(terms, found, 1)) ** 2).sum(axis=0) / (len(powers) - shape.even))
            for terms, found in ((powers, even), (sharp, kinked))
        )
        largest = np.fmax(np.abs(sample.above).max(axis=0), np.abs(sample.below).max(axis=0))
        floor = shape.floor * eps * np.fmax(largest, np.abs(sample.middle)) + sample.evaluation_noise
        noise = np.fmax(np.fmax(each, floor), np.sqrt((each**2).mean(axis=0)))
        bar = STANDARD_ERRORS * np.linalg.norm(fit[0]) * noise + LAST_TERM * np.abs(even[-1])
        kink = (each > KINKED * np.fmax(left, floor)) & (np.abs(kinked[0]) > KINKED * left)
    scale = 2 / shape.width**2
    bar = np.where(np.isfinite(bar) & np.isfinite(even[0]), bar, np.inf)
    return Estimate(scale * even[0], scale * bar), kink


#: Points of a line with one side, in units of its width, and how many powers of the step are fitted: where
#: values have the roundings of float64, and where they waver.
_ONE_SIDE = {
    True: (np.array([1.0, 0.7, 0.45, 0.25]), 3),
    False: (np.array([1.0, 0.8, 0.6, 0.4, 0.25, 0.12]), 4),
}


def one_sided(line: Lines, shape: Few, cotangents: Array, eps: float, noise: Array) -> tuple[Estimate, Array]:
    """Return the slope to the right along one line, shape ``(1, rows)``, and how far each output moves.

    It is asked for at the edge of a domain. ``noise`` is that of a value, shape ``(rows,)``.
    """
    levels, count = _ONE_SIDE[shape is FINE]
    t = shape.width * levels[:, None]
    powers = np.stack([levels**k for k in range(1, count + 1)], axis=1)
    with np.errstate(all="ignore"):
        (steps, _), (values, _) = line.sample(np.stack([t, np.full_like(t, np.nan)]))
        moves = values[:, 0] - line.value
        # Steps are rounded by less than a hundredth of the noise in most dtypes.
        ahead = _contracted(cotangents, moves) * (t / steps[:, 0])
        inverse = np.linalg.pinv(powers)
        fit = inverse @ ahead
        rest = np.sqrt(((ahead - powers @ fit) ** 2).sum(axis=0) / (len(levels) - count))
        # The value at the edge wavers too.
        # An output that does not move at all does not waver either.
        still = (moves == 0).all(axis=0)
        size = _contracted(cotangents**2, line.value**2)
        share = _contracted(cotangents**2, np.where(still, 0.0, line.value**2)) / np.fmax(size, TINY)
        half = np.fmax(rest, noise * np.sqrt(share)) * ROOT2
        bar = STANDARD_ERRORS * np.linalg.norm(inverse[0]) * half + LAST_TERM * np.abs(fit[-1])
        slope, bar = fit[0] / shape.width, bar / shape.width
    bar = np.where(np.isfinite(bar) & np.isfinite(slope), bar, np.inf)
    return Estimate(slope[None], bar[None]), np.abs(moves).max(axis=0)


def _contracted(cotangents: Array, values: Array) -> Array:
    """Contract values, shape ``(..., m)``, to ``(..., rows)``; what a row does not look at may be nan."""
    return np.stack([np.where(u != 0, values * u, 0.0).sum(axis=-1) for u in cotangents], axis=-1)


def natural_scales(*scales: Array) -> list[Array]:
    """Return scales of the same lines from wide to fine, each of shape ``(lines,)``, without close ones.

    Two within a factor of eight are one; a scale that is left out, or is zero, is nan. Two that are finer
    than all of them follow.
    """
    last, out = np.full(len(scales[0]), np.inf), []
    for row in np.sort(np.where(np.array(scales) > 0, scales, 0.0), axis=0)[::-1]:
        apart = (row > 0) & (last > APART * row)
        out.append(np.where(apart, row, np.nan))
        last = np.where(apart, row, last)
    # Finer ones see what the natural ones jump over, and say the same as these where there is nothing to see.
    woven = []
    for wide, fine in zip(out, [*out[1:], np.full(len(last), np.nan)], strict=True):
        woven += [wide, np.where(APART**2 * fine < wide, wide / APART, np.nan)]
    return woven + [last / APART**k for k in (1, 2)]


def settled(lines: Lines, scales: Sequence[Array], eps: float) -> Estimate:
    """Return the derivatives of which two windows say the same, shape ``(lines, m)``; unknown where none do.

    ``scales`` has the scales of each line's windows from wide to fine, nan where a line has none.
    """
    shape = len(lines.tangents), lines.value.size
    value, bar = np.zeros(shape), np.full(shape, np.inf)
    before = Estimate(value, bar)
    moved = np.zeros(shape, dtype=bool)
    for each in scales:
        found = window(lines, np.where(np.isfinite(each), each, 1.0), None, eps)
        asked = np.isfinite(each)[:, None]
        # Below the grain of the function nothing moves, which is no evidence of a slope.
        known = (
            asked
            & ~(found.kink | found.jump)
            & np.isfinite(found.slope.uncertainty)
            & ~(found.grainy & moved)
        )
        moved |= asked & ~found.still
        gap = np.abs(found.slope.value - before.value) - found.slope.uncertainty
        alike = known & np.isfinite(before.uncertainty) & (gap <= before.uncertainty)
        # A finer window sees what the wider ones jumped over.
        bar = np.where(known & (gap > before.uncertainty), np.inf, bar)
        for one in (before, found.slope):
            better = alike & (one.uncertainty < bar)
            value, bar = np.where(better, one.value, value), np.where(better, one.uncertainty, bar)
        before = Estimate(
            np.where(known, found.slope.value, before.value),
            np.where(known, found.slope.uncertainty, before.uncertainty),
        )
    return Estimate(value, bar)
