"""A second look at a disagreement, which shares nothing with the first: other steps, directions and points.

A gradient that is wrong is wrong nearby too, or the function is smooth at the special point and differences say
so along other directions and at two scales. Where the disagreement is gone at every other look the point is a
tie, a kink, a jump, an edge or noise.
"""

from __future__ import annotations

import contextlib
import enum
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.compare import margins
from pytest_gradcheck.core.evidence.jacobian import Jacobian, random_signs
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.windows import APART, WIDTH


class Seen(enum.Enum):
    """What function values say of a method's slope along one line."""

    WITH = "with"
    AGAINST = "against"
    OPEN = "open"


class Line(NamedTuple):
    """A look along one line: what it says of the slope, and whether the function bends or jumps at its middle."""

    seen: Seen
    kink: bool = False
    one_sided: bool = False


@dataclass(frozen=True)
class Standing:
    """What a second look found of a method.

    ``wrong`` says that function values contradict it twice. ``right`` says that they bear it out wherever they
    can be measured, at the point and around it. ``limit`` says that the point is no smooth one, and that the
    gradient there is a limit of gradients nearby: a generalised gradient in the sense of Clarke (Optimization
    and Nonsmooth Analysis, 1983, theorem 2.5.1). ``rough`` says that the function is not smooth at the point.
    """

    wrong: bool = False
    right: bool = False
    limit: bool = False
    rough: bool = False


class Dispute(NamedTuple):
    """An entry of the Jacobian that is in question: a cotangent, a coordinate, and the difference there."""

    cotangent: Vector
    coordinate: int
    difference: float


class SecondLook:
    """Asks function values once more about the gradients of a table that disagree.

    ``moved`` gives a method at another point, as its name and the point say; it may raise.
    """

    def __init__(
        self,
        jacobian: Jacobian,
        table: Table,
        tolerance: Tolerance,
        moved: Callable[[str, Vector], Pullback],
        seed: int,
    ):
        self._jacobian, self._table, self._tolerance, self._moved = jacobian, table, tolerance, moved
        self._rng = np.random.default_rng(seed)

    def standing(self, name: str) -> Standing:
        """Return what function values say of a method, here and nearby."""
        disputes = list(self._disputes(name))
        here = [self._at_the_point(name, dispute) for dispute in disputes]
        if any(each.wrong for each in here):
            return Standing(wrong=True, rough=any(each.rough for each in here))
        rough = any(each.rough for each in here)
        if rough and all(self._is_limit(name, dispute) for dispute in disputes):
            return Standing(limit=True, rough=True)
        around = self._around(name, disputes)
        right = around.right and not rough and all(each.right for each in here)
        return Standing(wrong=around.wrong, right=right, rough=rough)

    # -- at the point ----------------------------------------------------------------------------------

    def _disputes(self, name: str) -> Iterator[Dispute]:
        """Yield the entries in which a method differs most: smooth ones first, and some at kinks and edges."""
        table = self._table
        if table.tangents is not None:
            return
        farthest = np.zeros((len(table.cotangents), table.exact[name].value.shape[1]))
        gaps = np.zeros_like(farthest)
        for c in table.evidence:
            if name in (c.a, c.b):
                at = slice(None) if c.entrywise else table.coordinates
                ratio = np.where(c.disagree, np.nan_to_num(margins(c.difference, c.tolerance), posinf=1e300), 0.0)
                farthest[:, at] = np.fmax(farthest[:, at], ratio)
                gaps[:, at] = np.fmax(gaps[:, at], np.where(c.disagree, c.difference, 0.0))
        rough = np.zeros(farthest.shape, dtype=bool)
        d = table.differences
        if d is not None:
            rough[:, table.coordinates] = d.kink | d.jump | d.one_sided
        for part, most in ((~rough, thresholds.SMOOTH_DISPUTES), (rough, thresholds.ROUGH_DISPUTES)):
            ranks = np.where(part, farthest, 0.0)
            for k in np.argsort(-ranks, axis=None)[:most]:
                row, column = divmod(int(k), ranks.shape[1])
                if ranks[row, column] > 0:
                    yield Dispute(table.cotangents[row], column, float(gaps[row, column]))

    def _at_the_point(self, name: str, dispute: Dispute) -> Standing:
        jacobian, i = self._jacobian, dispute.coordinate
        rows = jacobian.rows(name, dispute.cotangent[None])
        scale = jacobian.scales[i]
        alone = np.zeros(jacobian.function.point.size)
        alone[i] = scale
        own = np.abs(jacobian.function.point[i]) / scale
        size, noise = dispute.difference * scale, self._noise(dispute.cotangent)
        single = look(jacobian, rows, dispute.cotangent, alone, self._tolerance, size, noise, own)
        if single.one_sided:
            return Standing(rough=True)
        across = [
            look(jacobian, rows, dispute.cotangent, line, self._tolerance, size, noise)
            for line in self._across(rows, alone, i)
        ]
        rough = any(line.kink for line in (single, *across))
        against = [line for line in (single, *across) if line.seen is Seen.AGAINST]
        for_it = [line for line in (single, *across) if line.seen is Seen.WITH]
        # A line along which the function is rough shows nothing but that.
        wrong = not rough and single.seen is Seen.AGAINST and not for_it
        return Standing(wrong=wrong, right=bool(for_it) and not against, rough=rough)

    def _across(self, rows: Estimate, alone: Vector, i: int) -> Iterator[Vector]:
        """Yield lines that go along the coordinate in question and, less so, along the others."""
        n = alone.size
        if n < 2:
            return
        value = np.abs(np.where(np.isfinite(rows.value[0]), rows.value[0], 0.0))
        for _ in range(2):
            beside = self._jacobian.direction(self._rng)
            beside[i] = 0.0
            share = np.sum(value * np.abs(beside))
            mine = value[i] * abs(alone[i])
            # The others may outweigh what is in question by thousands, and would hide it.
            less = 0.5 if not share or not mine else min(0.5, mine / share)
            yield alone * random_signs(self._rng, 1)[0] + less * beside

    def _noise(self, cotangent: Vector) -> float:
        """Return how far the contracted value wavers, as it is seen where all inputs move.

        An output that is rounded to a grain does not move with an input of little weight, and wavers all the
        same.
        """
        line, seen = self._jacobian.direction(np.random.default_rng(0)), []
        for scale in (1.0, 1.0 / APART, 1.0 / APART**2):
            found = self._jacobian.window(line, cotangent, scale)
            if not (found.grainy[0, 0] or found.kink[0, 0]) and np.isfinite(found.noise[0, 0]):
                seen.append(float(found.noise[0, 0]))
        return min(seen, default=0.0)

    # -- around it -------------------------------------------------------------------------------------

    def _around(self, name: str, disputes: Sequence[Dispute]) -> Standing:
        """Look at a method at points nearby."""
        said = []
        for there in self._nearby:
            with contextlib.suppress(Exception):
                pullback = self._moved(name, there.function.point)
                at_it = replace(there, pullbacks={name: pullback}, _last_rows={}, measured={}, settled=frozenset())
                said += [self._at_another_point(name, at_it, d) for d in disputes[: thresholds.NEARBY_DISPUTES]]
        against, for_it = said.count(Seen.AGAINST), said.count(Seen.WITH)
        return Standing(
            wrong=against >= thresholds.WRONG_NEARBY and against > for_it,
            right=for_it >= thresholds.WRONG_NEARBY and not against,
        )

    def _at_another_point(self, name: str, there: Jacobian, dispute: Dispute) -> Seen:
        u, i = dispute.cotangent, dispute.coordinate
        rows, alone = there.rows(name, u[None]), np.zeros(there.function.point.size)
        alone[i] = there.scales[i]
        lines = [alone, *([there.direction(self._rng)] if alone.size > 1 else [])]
        size = dispute.difference * there.scales[i]
        noise = self._noise(u)
        seen = {look(there, rows, u, line, self._tolerance, size, noise).seen for line in lines}
        return next((one for one in (Seen.AGAINST, Seen.WITH) if one in seen), Seen.OPEN)

    @functools.cached_property
    def _nearby(self) -> list[Jacobian]:
        """The function at points in the neighbourhood, the ones close by first."""
        f, out = self._jacobian.function, []
        for distance in thresholds.DISTANCES:
            point = f.point + distance * self._jacobian.direction(self._rng)
            point = f.rounded(np.clip(point, f.lower, f.upper)[None])[0]
            values = f.evaluate(point[None])[0][0]
            if np.isfinite(values).all() and not np.array_equal(point, f.point):
                out.append(Jacobian(replace(f, point=point, value=values), {}, self._jacobian.differences))
        return out

    def _is_limit(self, name: str, dispute: Dispute) -> bool:
        """Whether a gradient lies among the slopes of points close by: by its entry, along ties, and by chance.

        Along the direction of a tie the slopes of all of them are the same, and a gradient that counts a tied
        maximum twice is not among them.
        """
        u, n = dispute.cotangent, self._jacobian.function.point.size
        mine = self._jacobian.rows(name, u[None]).value[0]
        if not np.isfinite(mine).all():
            return False
        alone = np.zeros(n)
        alone[dispute.coordinate] = self._jacobian.scales[dispute.coordinate]
        for line in (alone, *ties(self._jacobian.function.point), self._jacobian.direction(self._rng)):
            slopes = [slope_along(there, u, line) for there in self._nearby[: thresholds.CLOSE_BY]]
            known = [slope for slope in slopes if slope is not None]
            slack = thresholds.NEARBY_SLACK * max(map(abs, known), default=0.0)
            if len(known) < 2 or not min(known) - slack <= line @ mine <= max(known) + slack:
                return False
        return True


def ties(point: Vector) -> list[Vector]:
    """Return directions that keep what is tied tied: all entries alike, and all in proportion."""
    largest = np.abs(point).max(initial=0.0)
    alike = np.full(point.size, largest or 1.0)
    return [alike, point] if largest > 0 else [alike]


def slope_along(there: Jacobian, cotangent: Vector, line: Vector) -> float | None:
    """Return the slope of a function along a line as two windows agree on it, None where none do.

    Where nothing moves at fine steps it is zero: the slope is asked for to excuse a gradient.
    """
    before: Estimate | None = None
    for scale in _scales(line, 1.0):
        found = there.window(line, cotangent, scale)
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        if found.still[0, 0]:
            return 0.0
        if found.kink[0, 0] or not np.isfinite(bar):
            continue
        if before is not None and abs(value - before.value) <= bar + before.uncertainty:
            return value if bar < before.uncertainty else float(before.value)
        before = Estimate(value, bar)
    return None


def look(
    jacobian: Jacobian,
    rows: Estimate,
    cotangent: Vector,
    tangent: Vector,
    tolerance: Tolerance,
    difference: float,
    noise: float,
    own: float = 1.0,
) -> Line:
    """Look along one line with windows from wide to fine, until two of them say the same.

    ``rows`` is the gradient in question, ``difference`` how much of its slope is in question along the line: a
    window whose bar is not well below shows nothing. ``noise`` is that of a value. ``own`` is a scale of the line next to that of the tangent and
    that of one: the smaller ones are looked at after the larger ones, whose values tell the grain.
    """
    f = jacobian.function
    claimed = rows.along(tangent[None])
    slope, slope_bar = float(claimed.value[0, 0]), float(claimed.uncertainty[0, 0])
    moving = tangent != 0
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.fmin(f.upper - f.point, f.point - f.lower)[moving] / np.abs(tangent[moving])
    widest = float(room.min(initial=np.inf))
    if widest <= 0:
        return Line(Seen.OPEN, one_sided=True)
    kink = moved = False
    before: Estimate | None = None
    last = np.inf
    for natural in _scales(tangent, own):
        scale = min(natural, widest / WIDTH)
        if scale * APART > last * 1.001:
            continue
        last = scale
        found = jacobian.window(tangent, cotangent, scale, noise)
        if found.grainy[0, 0] and moved:
            # Below the grain of the function nothing moves, and that is no evidence of a slope.
            break
        moved |= not found.still[0, 0]
        kink = bool(found.kink[0, 0])
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        if kink or (np.isfinite(difference) and bar > thresholds.TELLING_BAR * difference) or not np.isfinite(bar):
            continue
        # What one window jumps over, such as a kink beside the point, another one does not jump over alike.
        if before is not None and abs(value - before.value) <= bar + before.uncertainty:
            value, bar = min((value, bar), (before.value, before.uncertainty), key=itemgetter(1))
            allowed = bar + tolerance.atol + tolerance.tiny + (slope_bar if np.isfinite(slope_bar) else 0.0)
            allowed += tolerance.rtol * max(abs(value), abs(slope) if np.isfinite(slope) else 0.0)
            against = not abs(value - slope) <= allowed
            return Line(Seen.AGAINST if against else Seen.WITH)
        before = Estimate(value, bar)
    return Line(Seen.OPEN, kink)


def _scales(tangent: Vector, own: float) -> Iterator[float]:
    """Yield the natural scales of a line, the largest first, and finer ones below the smallest."""
    natural = sorted({1.0, float(1.0 / np.abs(tangent).max()), own} - {0.0}, reverse=True)
    yield from natural
    for k in range(1, thresholds.FINER_WINDOWS + 1):
        yield natural[-1] / APART**k
