"""Slopes from a polynomial that is fitted over a window of steps, whose residuals measure the noise.

A ladder of steps trusts the dtype to say how far values waver. A fit does not: what the polynomial leaves
over is the noise of the function, whatever made it: float32 inside of float64, the stopping tolerance of a
solver, quantised outputs, cancellation. Moré and Wild ("Estimating computational noise", SIAM J. Sci. Comput.
33, 2011) see it in the same way, as what high differences of evenly spaced values leave over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.differences import TINY, Lines

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
    """Fit the function over one window per line.

    Parameters
    ----------
    lines
        The function along some lines; ``value`` is that at the point.
    scales
        The scale of each line's window, shape ``(lines,)``.
    cotangents
        What the outputs are contracted with, shape ``(rows, m)``; None for each output by itself.
    eps
        The unit roundoff of a value.
    """
    t = np.multiply.outer(WIDTH * LEVELS, scales)
    with np.errstate(all="ignore"):
        (up, down), (above, below) = lines.sample(np.stack([t, -t]))
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
