"""What numbers a point is made of, and how an example's choices become them.

A table holds the numbers of a range by magnitude, each as often as it is to be met. Two drawn bytes make
an element: a place in the table and a sign. One more choice says whether a point is of whole numbers, of
halves or of any. Hypothesis shrinks all of them towards 0, and points with them towards zeros and small
whole numbers.

The choices are bytes, because those are drawn evenly on every version of Hypothesis; integers are not.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_gradcheck.strategies.dtypes import largest, rounded, rounded_down, rounded_up

if TYPE_CHECKING:
    from hypothesis.internal.conjecture.data import ConjectureData

Codes = NDArray[np.intp]

#: Up to here every element is a choice of its own; beyond, a few choices make them all.
INDIVIDUAL = 64

#: Range of the values where no bound is given: wide enough for saturation, far from overflow.
MODERATE = 10.0

_IRREGULAR = 512
_WEIGHTS = 4096

#: One example in so many is of whole numbers, one of halves, one of two numbers.
_STYLES = 8


def effective_range(low: float | None, high: float | None, component: str) -> tuple[float, float]:
    """Return the range from which values are drawn: the bounds, and moderate ones where there are none.

    Bounds are rounded inwards to values of the dtype; the result is empty (its first number above its
    second) if no value of the dtype lies within.
    """
    if low is None and high is None:
        return -MODERATE, MODERATE
    if low is None:
        assert high is not None
        low = max(min(-MODERATE, high - max(MODERATE, abs(high))), -largest(component))
    elif high is None:
        high = min(max(MODERATE, low + max(MODERATE, abs(low))), largest(component))
    return rounded_up(low, component), rounded_down(high, component)


class Table(NamedTuple):
    """The numbers of a range: ``values[sign, style, :lengths[sign]]``, by magnitude.

    Sign 0 holds those from zero up, sign 1 those from zero down; a range on one side of zero has the
    same numbers under both. Style 2 is any number, styles 1 and 0 are the same ones rounded away from
    zero to halves and to whole numbers (where that stays in the range), so that a point keeps its signs
    and zeros when its style changes.
    """

    values: NDArray[np.float64]
    lengths: NDArray[np.intp]

    def at(self, bits: Codes, style: int) -> NDArray[np.float64]:
        """Return the numbers that 16 bits each stand for: 15 of magnitude, the last one the sign."""
        signs = bits & 1
        found: NDArray[np.float64] = self.values[signs, style, (bits >> 1) * self.lengths[signs] >> 15]
        return found


@functools.lru_cache(maxsize=128)
def table(low: float, high: float, component: str) -> Table:
    """Return the numbers within ``[low, high]``.

    Zero, ones, small whole numbers, halves, ±1e-3 and the bounds make up about two fifths of the default
    range's; numbers of few digits, spread evenly and by magnitude, are the rest.
    """
    ordered, weights = _ordered(low, high, component, _IRREGULAR)
    rest = len(ordered) - len(weights)
    times = [max(1, w * rest * 5 // 3 // _WEIGHTS) for w in weights] + [1] * rest
    by_magnitude = sorted(np.repeat(ordered, times).tolist(), key=abs)
    up, down = [v for v in by_magnitude if v >= 0.0], [v for v in by_magnitude if v <= 0.0]
    sides = [np.array(up or down), np.array(down or up)]
    lengths = np.array([len(side) for side in sides], dtype=np.intp)
    values = np.zeros((2, 3, lengths.max()))
    for sign, side in enumerate(sides):
        for style, scale in enumerate((1.0, 2.0)):
            with np.errstate(over="ignore"):
                away = np.copysign(np.ceil(np.abs(side) * scale) / scale, side)
            values[sign, style, : len(side)] = _where_inside(away, side, low, high, component)
        values[sign, 2, : len(side)] = side
    return Table(values, lengths)


def _where_inside(
    wanted: NDArray[np.float64], otherwise: NDArray[np.float64], low: float, high: float, component: str
) -> NDArray[np.float64]:
    exact = rounded(wanted, component) + 0.0
    return np.where((low <= exact) & (exact <= high), exact, otherwise)


@functools.lru_cache(maxsize=128)
def distinct(low: float, high: float, component: str, count: int) -> NDArray[np.float64]:
    """Return at least ``count`` different numbers within ``[low, high]``, simplest first.

    Fewer only if the range does not hold so many numbers of few digits.
    """
    # A size that serves many counts keeps the cache useful when shapes vary.
    wanted = max(_IRREGULAR, 1 << max(count, 1).bit_length())
    out = _ordered(low, high, component, wanted)[0]
    out.setflags(write=False)
    return out


def draw_values(
    data: ConjectureData, count: int, low: float, high: float, component: str
) -> NDArray[np.float64]:
    """Draw ``count`` numbers within a range: a float64 array of shape ``(count,)``."""
    numbers = table(low, high, component)
    style = _drawn(data, 1) % _STYLES
    if count > INDIVIDUAL:
        bits = _draw_bulk(data, count)
    elif style == _STYLES - 1 and count > 1:
        # Two numbers only: ties of every kind, and all entries equal.
        palette = [_drawn(data, 2), _drawn(data, 2)]
        bits = np.array([palette[_drawn(data, 1) % 2] for _ in range(count)], dtype=np.intp)
    else:
        bits = np.array([_drawn(data, 2) for _ in range(count)], dtype=np.intp)
    return numbers.at(bits, min(style, 2))


def draw_distinct(
    data: ConjectureData, count: int, low: float, high: float, component: str
) -> NDArray[np.float64]:
    """Draw ``count`` different numbers within a range, which must hold so many."""
    numbers = distinct(low, high, component, count)
    if count > INDIVIDUAL:
        seed = _drawn(data, 3)
        order = np.argsort(_hashed(seed, len(numbers)), kind="stable") if seed else np.arange(count)
        return numbers[order[:count]]
    taken: dict[int, None] = {}
    for _ in range(count):
        code = _drawn(data, 2) * len(numbers) >> 16
        while code in taken:
            code = (code + 1) % len(numbers)
        taken[code] = None
    return numbers[list(taken)]


# -- choices ---------------------------------------------------------------------------------------


def _drawn(data: ConjectureData, size: int) -> int:
    """Draw a whole number of so many bytes, all equally likely."""
    return int.from_bytes(data.draw_bytes(size, size), "big")


def _draw_bulk(data: ConjectureData, count: int) -> Codes:
    """Make many elements of few choices, each of which shrinks towards a point with more zeros.

    A seed gives 16 bits for every position, whose magnitude a cap limits. For each binary digit of the
    position a byte may say that only positions with a 0 there, or a 1, differ from zero: digits, unlike
    the ends of a window, can be settled one by one. A few single elements then override the rest, so
    that Hypothesis can vary elements one by one.
    """
    seed = _drawn(data, 3)
    # In fifteen of sixteen draws no cap.
    cap = min(_drawn(data, 1) << 11, 0x7FFF)
    fixed = wanted = 0
    for digit in range((count - 1).bit_length()):
        # Two values of 256 say so; they are the two that the shrinker always tries.
        said = _drawn(data, 1)
        if said < 2:
            fixed |= 1 << digit
            wanted |= said << digit
    random = (_hashed(seed, count) & np.uint64(0xFFFF)).astype(np.intp)
    kept = np.arange(count) & fixed == wanted
    bits: Codes = np.where(kept, np.minimum(random >> 1, cap) << 1 | random & 1, 0)
    for _ in range(_drawn(data, 1) % 4):
        bits[_drawn(data, 4) * count >> 32] = _drawn(data, 2)
    return bits


def _hashed(seed: int, count: int) -> NDArray[np.uint64]:
    """Return a random-looking number for each position (splitmix64).

    Unlike a generator's stream it is the same on every version of NumPy, and a position keeps its
    number when the shape shrinks.
    """
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x632BE59BD9B4E019)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


# -- tables ----------------------------------------------------------------------------------------


def _ordered(
    low: float, high: float, component: str, irregular: int
) -> tuple[NDArray[np.float64], list[int]]:
    """Return different numbers within a range, simplest first, and the weights of the leading ones."""
    weighted: dict[float, int] = {}
    for value, weight in _special(low, high):
        if low <= value <= high:
            exact = float(rounded(np.array([value]), component)[0]) + 0.0
            if low <= exact <= high:
                weighted.setdefault(exact, weight)
    others = sorted(_irregular(low, high, irregular), key=lambda v: (len(repr(abs(v))), abs(v), v < 0))
    in_dtype = np.clip(rounded(np.array(others), component), low, high) + 0.0
    ordered = dict.fromkeys([*weighted, *in_dtype.tolist()])
    return np.array(list(ordered)), list(weighted.values())


def _special(low: float, high: float) -> Iterator[tuple[float, int]]:
    """Yield numbers at which gradients break or are easy to read, with their weights of 4096."""
    yield 0.0, 256
    for magnitude, weight in ((1.0, 128), (2.0, 48), (0.5, 48)):
        yield magnitude, weight
        yield -magnitude, weight
    for whole in range(3, 11):
        yield float(whole), 24
        yield -float(whole), 24
    first = math.ceil(low)
    for whole in range(first, first + 4):
        yield float(whole), 24
    yield low, 96
    yield high, 96
    yield 1e-3, 48
    yield -1e-3, 48


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
    for i in range(count // 2 // max(len(signs), 1)):
        magnitude = top * 10.0 ** (-3.0 * (i + 0.5) / (count // 2 // len(signs)))
        for sign in signs:
            value = _shortened(sign * magnitude, digits)
            if low <= value <= high:
                yield value


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _shortened(value: float, digits: int) -> float:
    return float(f"{value:.{min(max(digits, 2), 17)}g}")
