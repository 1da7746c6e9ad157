"""The numbers that points are made of, by magnitude and with their frequencies.

A code of 16 bits, a place in the table and a sign, picks one number per style: whole, half, short, near zero,
large, or spread evenly over the range. Smaller codes are simpler numbers, and Hypothesis shrinks towards
them.
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

#: What numbers are rounded or moved to. Those of `SPREAD` fall into a band of the range as often as uniform
#: draws.
WHOLE, HALVES, ANY, TINY, LARGE, SPREAD = range(6)

#: Range of the values where no bound is given: wide enough for saturation, far from overflow.
MODERATE = 10.0

#: Negative powers of ten that are near zero, as far as a dtype has them, and what is large where no bound is.
_TINY_EXPONENTS = (3, 8, 16, 30, 200, 300)
_LARGE_EXPONENTS = (2, 3, 4, 6, 8)
_DIGITS = (1, 3, 7)

_IRREGULAR = 512
#: How many numbers are spread evenly: 40 in a band of 2 % of the range.
_SPREAD = 2048
_WEIGHTS = 4096


class Range(NamedTuple):
    """Where the numbers are: between ``low`` and ``high``, large ones within the bounds that were given."""

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
    """The numbers of a range: ``values[sign, style, :lengths[sign, style]]``, by magnitude.

    Sign 0 holds those from zero up, sign 1 those from zero down; a range on one side of zero has the same
    numbers under both. Those of each style but `SPREAD` are the numbers of `ANY`, moved within the bounds: a
    point keeps its signs and zeros when its style changes. Those of `SPREAD` begin with the first of `ANY`;
    beyond the nearer end of the range they have the sign of the farther one under both signs.

    If zero is a bound, where logarithms and roots have no derivative, it occurs only as a feature of a point;
    otherwise most large points would contain zeros. The code 0, to which Hypothesis shrinks, still stands for
    it (``starts_at_zero``).
    """

    values: NDArray[np.float64]
    lengths: NDArray[np.intp]
    starts_at_zero: bool

    def at(self, codes: Codes, style: int | Codes) -> NDArray[np.float64]:
        """Return the numbers that 16 bits each stand for: 15 of magnitude, the last one the sign."""
        rows = (codes & 1) * self.values.shape[1] + style
        places = (codes >> 1) * self.lengths.ravel()[rows] >> 15
        found: NDArray[np.float64] = self.values.ravel()[rows * self.values.shape[2] + places]
        return np.where(codes >> 1 == 0, 0.0, found) if self.starts_at_zero else found


@functools.lru_cache(maxsize=128)
def table(within: Range, special: bool) -> Table:
    """Return the numbers of a range: of few digits, spread evenly and by magnitude.

    With ``special``, two fifths are zero, ones, small whole numbers, halves, ±1e-3 and the bounds.
    """
    ordered, weights = _ordered(within, _IRREGULAR)
    rest = len(ordered) - len(weights)
    times = [max(1, w * special * rest * 11 // _WEIGHTS) for w in weights] + [1] * rest
    # Zero occurs as a feature of a point, and at code 0.
    times = [1 if v == 0.0 else n for v, n in zip(ordered, times, strict=True)]
    by_magnitude = sorted(np.repeat(ordered, times).tolist(), key=abs)
    # A range of zero alone has nothing else.
    starts_at_zero = 0.0 in (within.lowest, within.highest) and any(by_magnitude)
    if starts_at_zero:
        by_magnitude = [v for v in by_magnitude if v]
    up, down = [v for v in by_magnitude if v >= 0.0], [v for v in by_magnitude if v <= 0.0]
    # A side that holds only zero does not count.
    sides = [np.array(side if any(side) else other) for side, other in ((up, down), (down, up))]
    spread = [np.append(side[0], evenly) for side, evenly in zip(sides, _evenly(within), strict=True)]
    magnitudes = {style: _magnitudes(style, within.component) for style in (TINY, LARGE)}
    of_style = [_styled(*both, within, magnitudes) for both in zip(sides, spread, strict=True)]
    lengths = np.array([[some.size for some in styled] for styled in of_style], dtype=np.intp)
    values = np.zeros((*lengths.shape, lengths.max()))
    for at, count in np.ndenumerate(lengths):
        values[(*at, slice(count))] = of_style[at[0]][at[1]]
    return Table(values, lengths, starts_at_zero)


def _styled(
    side: NDArray[np.float64],
    spread: NDArray[np.float64],
    within: Range,
    magnitudes: dict[int, NDArray[np.float64]],
) -> list[NDArray[np.float64]]:
    """Return the numbers of one sign by style, from those of `ANY` and those that are spread evenly."""
    numbers = {ANY: side, SPREAD: spread}
    # Away from zero, where that lies within: what fails at 2.4 is shown at 3.
    for style, away in ((WHOLE, np.ceil(np.abs(spread))), (HALVES, np.ceil(np.abs(spread) - 0.5) + 0.5)):
        numbers[style] = spread
        for size in (np.maximum(away - 1.0, 0.0), away):
            moved = rounded(np.copysign(np.where(spread, size, 0.0), spread), within.component) + 0.0
            inside = (within.low <= moved) & (moved <= within.high)
            numbers[style] = np.where(inside, moved, numbers[style])
    nonzero = np.flatnonzero(side)
    for style, some in magnitudes.items():
        others = some[within.holds(np.copysign(some, side[-1]))]
        if not (others.size and nonzero.size):
            numbers[style] = spread
            continue
        moved = side.copy()
        # The smallest codes stay whole numbers: what fails at 3 is not shown at 100.
        first = nonzero.size // 4 if style == LARGE else 0
        moved[nonzero[:first]] = _spread(numbers[WHOLE][numbers[WHOLE] != 0.0], first)
        moved[nonzero[first:]] = np.copysign(_spread(others, nonzero.size - first), side[nonzero[first:]])
        numbers[style] = moved
    return [numbers[style] for style in sorted(numbers)]


def _evenly(within: Range) -> NDArray[np.float64]:
    """Return the numbers that are spread evenly over a range: of shape ``(2, n)``, by sign and magnitude."""
    low, high = within.low, within.high
    # One digit more than the other numbers, since there are more of them.
    numbers = np.array([float(v) for v in _even(low, high, _SPREAD, 5)])
    numbers = np.clip(rounded(numbers, within.component), low, high) + 0.0
    if numbers.any():
        numbers = numbers[numbers != 0.0]
    numbers = numbers[np.argsort(np.abs(numbers), kind="stable")]
    up, down = numbers[numbers >= 0.0], numbers[numbers < 0.0]
    both = min(up.size, down.size)
    rest = np.concatenate([up[both:], down[both:]])
    if rest.size % 2:
        rest = np.append(rest, rest[-1])
    return np.stack([np.append(up[:both], rest[::2]), np.append(down[:both], rest[1::2])])


def _spread(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return so many of some values, evenly from the first to the last."""
    return values[np.arange(count) * values.size // max(count, 1)]


def _magnitudes(style: int, component: str) -> NDArray[np.float64]:
    """Return the numbers near zero, or the large ones, of a real dtype."""
    # float16 loses digits from 6e-5 on.
    ends = {"float16": 4, "float32": 37, "bfloat16": 37}.get(component, 307)
    exponents = [e for e in _LARGE_EXPONENTS if 10.0 ** (e + 1) <= largest(component)]
    if style == TINY:
        exponents = [-e for e in _TINY_EXPONENTS if e <= ends]
    return rounded(np.array([float(f"{d}e{e}") for e in exponents for d in _DIGITS]), component)


@functools.lru_cache(maxsize=128)
def distinct(within: Range, count: int) -> NDArray[np.float64]:
    """Return ``count`` or more different numbers of few digits, if a range has so many, simplest first."""
    # One size for many counts keeps the cache useful when shapes vary.
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
    yield from _even(low, high, count // 2, digits)
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


def _even(low: float, high: float, count: int, digits: int) -> Iterator[float]:
    """Yield numbers that are spread evenly over the range, of so many digits where they are large."""
    width = high - low if high - low < math.inf else max(abs(low), abs(high))
    for i in range(count):
        u = (i + 0.5) / count
        value = low * (1.0 - u) + high * u
        yield _shortened(value, digits + _exponent(value) - _exponent(width))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _shortened(value: float, digits: int) -> float:
    return float(f"{value:.{min(max(digits, 2), 17)}g}")
