"""The numbers that points are made of, by magnitude, each as often as it is to be met.

A code of 16 bits, a place in the table and a sign, picks one number per style: a whole one, a half, any one,
one near zero, a large one. Smaller codes are simpler numbers, to which Hypothesis shrinks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_gradcheck.strategies.dtypes import largest, rounded, rounded_down, rounded_up

Codes = NDArray[np.intp]

#: What numbers are rounded or moved to.
WHOLE, HALVES, ANY, TINY, LARGE = range(5)

#: Range of the values where no bound is given: wide enough for saturation, far from overflow.
MODERATE = 10.0

#: Negative powers of ten that are near zero, as far as a dtype has them, and what is large where no bound is.
_TINY_EXPONENTS = (3, 8, 16, 30, 200, 300)
_LARGE_EXPONENTS = (2, 3, 4, 6, 8)
_DIGITS = (1, 3, 7)

_IRREGULAR = 512
_WEIGHTS = 4096


class Range(NamedTuple):
    """Where numbers lie: between ``low`` and ``high``, large ones within the bounds that were given."""

    low: float
    high: float
    lowest: float
    highest: float
    component: str

    @classmethod
    def within(cls, low: float | None, high: float | None, component: str) -> Range:
        """Return the range of a dtype's numbers within bounds, moderate where there are none.

        Bounds are rounded inwards; ``low`` is above ``high`` if no value of the dtype lies within.
        """
        lowest, highest = low, high
        most = largest(component)
        if low is None:
            low = -MODERATE if high is None else max(min(-MODERATE, high - max(MODERATE, abs(high))), -most)
        if high is None:
            high = MODERATE if lowest is None else min(max(MODERATE, low + max(MODERATE, abs(low))), most)
        return cls(
            rounded_up(low, component),
            rounded_down(high, component),
            -most if lowest is None else rounded_up(lowest, component),
            most if highest is None else rounded_down(highest, component),
            component,
        )

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of some numbers the bounds allow; -0.0 only if there are negative ones too."""
        inside: NDArray[np.bool_] = (self.lowest <= values) & (values <= self.highest)
        if self.lowest == 0.0:
            inside &= ~np.signbit(values)
        return inside


class Table(NamedTuple):
    """The numbers of a range: ``values[sign, style, :lengths[sign]]``, by magnitude.

    Sign 0 holds those from zero up, sign 1 those from zero down; a range on one side of zero has the same
    numbers under both. Those of each style are the numbers of `ANY`, moved within the bounds: a point keeps
    its signs and zeros when its style changes.

    Where zero is a bound, at which logarithms and roots have no derivative, it is met as a feature of a point
    only: most large points would have some zeros else. The code 0, to which Hypothesis shrinks, still stands
    for it (``starts_at_zero``).
    """

    values: NDArray[np.float64]
    lengths: NDArray[np.intp]
    starts_at_zero: bool

    def at(self, codes: Codes, style: int | Codes) -> NDArray[np.float64]:
        """Return the numbers that 16 bits each stand for: 15 of magnitude, the last one the sign."""
        signs = codes & 1
        found: NDArray[np.float64] = self.values[signs, style, (codes >> 1) * self.lengths[signs] >> 15]
        return np.where(codes >> 1 == 0, 0.0, found) if self.starts_at_zero else found


@functools.lru_cache(maxsize=128)
def table(within: Range, special: bool) -> Table:
    """Return the numbers of a range: of few digits, spread evenly and by magnitude.

    With ``special``, two fifths are zero, ones, small whole numbers, halves, ±1e-3 and the bounds.
    """
    ordered, weights = _ordered(within, _IRREGULAR)
    rest = len(ordered) - len(weights)
    times = [max(1, w * special * rest * 5 // 3 // _WEIGHTS) for w in weights] + [1] * rest
    by_magnitude = sorted(np.repeat(ordered, times).tolist(), key=abs)
    # A range of zero alone has nothing else.
    starts_at_zero = 0.0 in (within.lowest, within.highest) and any(by_magnitude)
    if starts_at_zero:
        by_magnitude = [v for v in by_magnitude if v]
    up, down = [v for v in by_magnitude if v >= 0.0], [v for v in by_magnitude if v <= 0.0]
    # A side that holds nothing but zero is none.
    sides = [np.array(side if any(side) else other) for side, other in ((up, down), (down, up))]
    lengths = np.array([len(side) for side in sides], dtype=np.intp)
    values = np.zeros((2, 5, lengths.max()))
    for sign, side in enumerate(sides):
        moved = values[sign, :, : len(side)]
        for style, scale in ((WHOLE, 1.0), (HALVES, 2.0)):
            with np.errstate(over="ignore"):
                away = np.copysign(np.ceil(np.abs(side) * scale) / scale, side)
            away = rounded(away, within.component) + 0.0
            moved[style] = np.where((within.low <= away) & (away <= within.high), away, side)
        moved[ANY] = side
        for style in (TINY, LARGE):
            magnitudes = _magnitudes(style, within.component)
            others = np.array([v for v in magnitudes if within.holds(np.copysign(v, side[-1:]))[0]])
            nonzero = np.flatnonzero(side)
            moved[style] = side
            # The smallest codes stay what they are as whole numbers: what fails at 3 is not shown at 100.
            first = nonzero.size // 4 if style == LARGE else 0
            moved[style, nonzero[:first]] = _spread(moved[WHOLE, nonzero], first)
            if others.size and nonzero.size:
                chosen = _spread(others, nonzero.size - first)
                moved[style, nonzero[first:]] = np.copysign(chosen, side[nonzero[first:]])
    return Table(values, lengths, starts_at_zero)


def _spread(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return so many of some values, evenly from the first to the last."""
    return values[np.arange(count) * values.size // max(count, 1)]


def _magnitudes(style: int, component: str) -> list[float]:
    """Return the numbers near zero, or the large ones, of a real dtype."""
    # float16 loses digits from 6e-5 on.
    ends = {"float16": 4, "float32": 37, "bfloat16": 37}.get(component, 307)
    exponents = [e for e in _LARGE_EXPONENTS if 10.0 ** (e + 1) <= largest(component)]
    if style == TINY:
        exponents = [-e for e in _TINY_EXPONENTS if e <= ends]
    exact = rounded(np.array([float(f"{d}e{e}") for e in exponents for d in _DIGITS]), component)
    return [float(v) for v in exact]


@functools.lru_cache(maxsize=128)
def distinct(within: Range, count: int) -> NDArray[np.float64]:
    """Return ``count`` or more different numbers of few digits, if a range has so many, simplest first."""
    # A size that serves many counts keeps the cache useful when shapes vary.
    wanted = max(_IRREGULAR, 1 << max(count, 1).bit_length())
    out = _ordered(within, wanted)[0]
    out.setflags(write=False)
    return out


def _ordered(within: Range, irregular: int) -> tuple[NDArray[np.float64], list[int]]:
    """Return different numbers within a range, simplest first, and the weights of the leading ones."""
    low, high, component = within.low, within.high, within.component
    weighted: dict[float, int] = {}
    for value, weight in _special(low, high):
        exact = float(rounded(np.array([value]), component)[0]) + 0.0
        if low <= value <= high and low <= exact <= high:
            weighted.setdefault(exact, weight)
    others = sorted(_irregular(low, high, irregular), key=lambda v: (len(repr(abs(v))), abs(v), v < 0))
    in_dtype = np.clip(rounded(np.array(others), component), low, high) + 0.0
    ordered = dict.fromkeys([*weighted, *in_dtype.tolist()])
    return np.array(list(ordered)), list(weighted.values())


def _special(low: float, high: float) -> Iterator[tuple[float, int]]:
    """Yield numbers at which gradients break or are easy to read, with their weights of 4096."""
    yield 0.0, 128
    for magnitude, weight in ((1.0, 128), (2.0, 48), (0.5, 48), *((float(n), 24) for n in range(3, 11))):
        yield from ((magnitude, weight), (-magnitude, weight))
    yield from ((float(math.ceil(low) + n), 24) for n in range(4))
    yield from ((low, 96), (high, 96), (1e-3, 48), (-1e-3, 48))


def _irregular(low: float, high: float, count: int) -> Iterator[float]:
    """Yield numbers of few digits, half spread evenly over the range, half evenly by magnitude."""
    digits = 3 + max(0, math.ceil(math.log10(count / _IRREGULAR)))
    width = high - low if high - low < math.inf else max(abs(low), abs(high))
    for i in range(count // 2):
        u = (i + 0.5) / (count // 2)
        value = low * (1.0 - u) + high * u
        yield _shortened(value, digits + _exponent(value) - _exponent(width))
    top = max(abs(low), abs(high))
    signs = [sign for sign, inside in ((1.0, high > 0.0), (-1.0, low < 0.0)) if inside]
    if not signs:
        return
    for i in range(count // 2 // len(signs)):
        magnitude = top * 10.0 ** (-3.0 * (i + 0.5) / (count // 2 // len(signs)))
        for sign in signs:
            value = _shortened(sign * magnitude, digits)
            if low <= value <= high:
                yield value


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _shortened(value: float, digits: int) -> float:
    return float(f"{value:.{min(max(digits, 2), 17)}g}")
