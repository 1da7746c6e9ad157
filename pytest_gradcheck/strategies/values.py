"""How an example's choices become the numbers of a point, with values at which gradients tend to break.

Points get features such as zeros, ties or one sign independently of each other, one group (`Recipe`) per
drawn byte, so a few dozen examples meet all of them. A byte of zero means a point without the feature, and
codes of zero are zeros: Hypothesis shrinks towards both. Half of the examples use one recipe for all of their
points, and some the same two numbers in the same places: code that breaks where two inputs are zero, or
equal, is found about as often as code that breaks where one is.

The choices are bytes, because those are drawn evenly on every version of Hypothesis; integers are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_gradcheck.strategies.tables import ANY, HALVES, LARGE, SPREAD, TINY, WHOLE, Codes, Range, table

if TYPE_CHECKING:
    from hypothesis.internal.conjecture.data import ConjectureData

T = TypeVar("T")
Values = NDArray[np.float64]

#: Up to this size every element is a separate choice; beyond it, a few choices determine all of them.
INDIVIDUAL = 64

#: What ``special=`` may name.
SPECIAL = ("zeros", "negative_zeros", "ties", "signs", "bounds", "tiny", "large", "layouts")


class _Feature(NamedTuple):
    """One feature of a group: the name that enables it, and how many of 256 points have it."""

    name: str
    special: str  # separated by spaces
    weight: int


#: Each group is drawn on its own. A feature of a tenth of the points occurs within 60 examples in 99.8 % of
#: runs.
_GROUPS: dict[str, tuple[_Feature, ...]] = {
    "style": (
        _Feature("some halves", "", 18),
        _Feature("short", "", 16),
        _Feature("spread", "", 120),
        _Feature("tiny", "tiny", 36),
        _Feature("large", "large", 52),
    ),
    "same": (
        _Feature("two equal", "ties", 10),
        _Feature("equal rows", "ties", 28),
        _Feature("all equal", "ties", 28),
        _Feature("two numbers", "ties", 26),
    ),
    "sign": (_Feature("negative", "signs", 28), _Feature("positive", "signs", 28)),
    "mark": (_Feature("bounds", "bounds", 38), _Feature("ones", "bounds", 18)),
    "zeros": (
        _Feature("one zero", "zeros", 6),
        _Feature("a row of zeros", "zeros", 24),
        _Feature("all zeros", "zeros", 10),
        _Feature("negative zeros", "negative_zeros", 32),
    ),
    "layout": (
        _Feature("fortran", "layouts", 32),
        _Feature("strided", "layouts", 32),
        _Feature("backwards", "layouts", 32),
    ),
}
_INSTEAD = {"style": "spread"}
#: By style the kinds of numbers that a point has: one entry is of the first, each other one of any of them.
_STYLES = {
    "": (WHOLE,),
    "some halves": (HALVES, SPREAD, SPREAD),
    "short": (ANY, SPREAD, SPREAD),
    "spread": (SPREAD,),
    "tiny": (TINY, TINY, SPREAD),
    "large": (LARGE, SPREAD),
}


#: Features of points that have one number or two.
_FEW = frozenset({"all equal", "two numbers"})


#: By group the feature that each byte stands for, first those bytes that stand for none.
_TABLES = {
    group: [_Feature("", "", 0)] * (256 - sum(f.weight for f in features))
    + [f for f in features for _ in range(f.weight)]
    for group, features in _GROUPS.items()
}
_RECIPE_BYTES = len(_GROUPS) + 2
#: The most numbers that all points of an example may share.
_PALETTE = 4
#: Codes below are those of the simplest eighth of the numbers.
_SMALL = 1 << 13


class _OfExample(st.SearchStrategy[bytes]):
    """What all points of an example share: whether they share a recipe, that recipe, some numbers."""

    def do_draw(self, data: ConjectureData) -> bytes:
        size = 1 + _RECIPE_BYTES + 2 * _PALETTE
        return data.draw_bytes(size, size)


class _OfPoint(st.SearchStrategy[bytes]):
    """A point's own recipe: a strategy, all of which Hypothesis tries to leave out before it shrinks numbers.

    It is a class of its own, because Hypothesis mixes the parts of an example that have the same class.
    """

    def do_draw(self, data: ConjectureData) -> bytes:
        return data.draw_bytes(_RECIPE_BYTES, _RECIPE_BYTES)


_EXAMPLE = st.shared(_OfExample(), key="pytest_gradcheck point")
_OWN = _OfPoint()


#: First byte of an example: from here on all points share a recipe, from there on their numbers too.
_ONE_RECIPE, _ALIKE = 104, 202


class Recipe(NamedTuple):
    """Which features a point has: one of each group, ``""`` for none."""

    style: str
    same: str
    sign: str
    mark: str
    zeros: str
    layout: str
    where: int  # 16 bits for the places of features
    palette: tuple[int, ...]  # codes of some numbers, the same in all points of an example
    alike: bool  # whether all points of an example have those numbers alone, in the same places


def draw_recipe(data: ConjectureData, special: frozenset[str]) -> Recipe:
    """Draw the features of one point, of the kinds in ``special``."""
    example = data.draw(_EXAMPLE)
    own = data.draw(_OWN)
    alike = example[0] >= _ALIKE and "ties" in special
    chosen = example[1 : 1 + _RECIPE_BYTES] if example[0] >= _ONE_RECIPE else own
    features = {}
    for (group, options), byte in zip(_TABLES.items(), chosen, strict=False):
        feature = options[byte]
        asked_for = special.issuperset(feature.special.split())
        features[group] = feature.name if asked_for else _INSTEAD.get(group, "")
    palette = tuple(
        int.from_bytes(example[k : k + 2], "big") for k in range(1 + _RECIPE_BYTES, len(example), 2)
    )
    return Recipe(**features, where=int.from_bytes(chosen[-2:], "big"), palette=palette, alike=alike)


def draw_values(
    data: ConjectureData, shape: tuple[int, ...], within: Range, recipe: Recipe, special: frozenset[str]
) -> Values:
    """Draw numbers of a range with the features of a recipe: a float64 array of that shape."""
    count = math.prod(shape)
    codes = draw_choices(data, count)
    if recipe.alike:
        # Before shrinking hardly any of its codes is zero: they leave single entries out.
        places = np.arange(count)
        alike = np.array(recipe.palette)[places % _PALETTE]
        # Beyond the first ones those that are not small are multiplied, to be as many as there are places.
        factors = (_hashed(0, count) >> np.uint64(40)).astype(np.intp)
        alike = np.where((places < _PALETTE) | (alike < _SMALL), alike, alike * factors >> 8 & 0xFFFF)
        codes = np.where(codes == 0, 0, alike)
    elif recipe.same == "two numbers":
        codes = np.array(recipe.palette)[codes & 1]
    values = table(within, bool(special)).at(codes, _styles(recipe, count)).reshape(shape)
    if count:
        _make_same(values, recipe)
        _give_sign(values, recipe, within)
        _mark(values, recipe, within, zero="zeros" not in special)
        _put_zeros(values, recipe, within)
    return values


def _styles(recipe: Recipe, count: int) -> int | Codes:
    """Return the style of all entries, or of each."""
    styles = _STYLES[recipe.style]
    if recipe.style == "spread" and recipe.same in _FEW:
        # Few numbers meet few bands of the range: they are all whole, or all halves.
        return HALVES if recipe.where & 6 else WHOLE
    if len(styles) == 1 or not count:
        return styles[0]
    which = (_hashed(recipe.where, count) >> np.uint64(48)) * np.uint64(len(styles)) >> np.uint64(16)
    each = np.array(styles)[which.astype(np.intp)]
    each[_place(recipe, count)] = styles[0]
    return each


def draw_from(data: ConjectureData, numbers: Values, shape: tuple[int, ...]) -> Values:
    """Draw different ones of some numbers, simplest first: a float64 array of that shape."""
    count = math.prod(shape)
    if count > INDIVIDUAL:
        seed = _drawn(data, 3)
        order = np.argsort(_hashed(seed, len(numbers)), kind="stable") if seed else np.arange(count)
        return numbers[order[:count]].reshape(shape)
    taken: dict[int, None] = {}
    for _ in range(count):
        code = _drawn(data, 2) * len(numbers) >> 16
        while code in taken:
            code = (code + 1) % len(numbers)
        taken[code] = None
    return numbers[list(taken)].reshape(shape)


def draw_choices(data: ConjectureData, count: int) -> Codes:
    """Draw so many whole numbers of 16 bits."""
    if count > INDIVIDUAL:
        return _draw_bulk(data, count)
    return np.array([_drawn(data, 2) for _ in range(count)], dtype=np.intp)


def draw_kind(data: ConjectureData, kinds: Sequence[T]) -> T:
    """Draw one of some kinds, each equally likely; shrinks towards the first."""
    return kinds[_drawn(data, 1) * len(kinds) >> 8]


# -- features --------------------------------------------------------------------------------------


def _place(recipe: Recipe, count: int) -> int:
    """Return one of so many places, each equally likely."""
    return recipe.where * count >> 16


def _row(values: Values, recipe: Recipe) -> tuple[Values, int]:
    """Return a view whose rows lie along the first or the last axis, and the index of the row to change."""
    rows = values if recipe.where % 2 == 0 else np.moveaxis(values, -1, 0)
    return rows, _place(recipe, len(rows))


def _make_same(values: Values, recipe: Recipe) -> None:
    if recipe.same == "all equal":
        values[...] = values.flat[0]
    elif recipe.same == "two equal" or (recipe.same == "equal rows" and values.ndim < 2):
        # The largest or the smallest: a tie between others shows in no maximum.
        end = values.max() if recipe.where % 2 == 0 else values.min()
        values.flat[_place(recipe, values.size)] = end
    elif recipe.same == "equal rows":
        rows, place = _row(values, recipe)
        rows[place] = rows[place - 1]


def _give_sign(values: Values, recipe: Recipe, within: Range) -> None:
    if recipe.sign:
        wanted = np.abs(values) if recipe.sign == "positive" else -np.abs(values)
        # A number from zero down would become -0.0 otherwise, which is a separate feature.
        np.copyto(values, wanted, where=within.holds(wanted) & (values != 0.0))


def _mark(values: Values, recipe: Recipe, within: Range, *, zero: bool) -> None:
    """Put one entry at each bound, or at ±1 where there is none; a single one at one of the two.

    A bound of zero only where no other feature puts zeros.
    """
    if recipe.mark:
        ones = recipe.mark == "ones"
        low = within.low if within.low == within.lowest and not ones else -1.0
        high = within.high if within.high == within.highest and not ones else 1.0
        place = _place(recipe, values.size)
        first, last = (low, high) if recipe.where % 2 else (high, low)
        for mark, at in ((first, place - 1), (last, place)):
            if (mark or zero) and within.holds(np.array(mark)):
                values.flat[at] = mark


def _put_zeros(values: Values, recipe: Recipe, within: Range) -> None:
    zero = -0.0 if recipe.zeros == "negative zeros" else 0.0
    if not recipe.zeros or not within.holds(np.array(zero)):
        return
    if recipe.zeros == "all zeros":
        values[...] = 0.0
    elif recipe.zeros == "a row of zeros" and values.ndim > 1:
        rows, place = _row(values, recipe)
        rows[place] = 0.0
    elif recipe.zeros == "negative zeros":
        values[values == 0.0] = zero
        values.flat[_place(recipe, values.size)] = zero
    elif values.size > 1:
        values.flat[_place(recipe, values.size)] = 0.0


# -- choices ---------------------------------------------------------------------------------------


def _drawn(data: ConjectureData, size: int) -> int:
    """Draw a whole number of so many bytes, all equally likely."""
    return int.from_bytes(data.draw_bytes(size, size), "big")


def _draw_bulk(data: ConjectureData, count: int) -> Codes:
    """Make many elements of few choices, each of which shrinks towards a point with more zeros.

    A seed gives 16 bits for every position, whose magnitude a cap limits. For each binary digit of the
    position a byte may say that only positions with a 0 there, or a 1, differ from zero: Hypothesis can
    settle digits, and the few elements that override the rest, one by one.
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
    codes: Codes = np.where(kept, np.minimum(random >> 1, cap) << 1 | random & 1, 0)
    for _ in range(_drawn(data, 1) % 4):
        codes[_drawn(data, 4) * count >> 32] = _drawn(data, 2)
    return codes


def _hashed(seed: int, count: int) -> NDArray[np.uint64]:
    """Return a random number for each position (splitmix64), independent of NumPy's version and the count."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x632BE59BD9B4E019)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
