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
from pytest_gradcheck.methods.windows import APART, WIDTH, Window


class Seen(enum.Enum):
    """What function values say of a method's slope along one line."""

    WITH = "with"
    AGAINST = "against"
    OPEN = "open"


class Line(NamedTuple):
    """A look along one line.

    ``kink`` and ``jump`` say that the function has one at the point, ``outside`` that the slope in question lies
    outside of the one-sided slopes there. ``one_sided`` says that the domain leaves one side only.
    """

    seen: Seen
    kink: bool = False
    jump: bool = False
    outside: bool = False
    one_sided: bool = False

    @property
    def rough(self) -> bool:
        """Whether the function is not seen to be smooth along the line."""
        return self.kink or self.jump or self.one_sided


@dataclass(frozen=True)
class Standing:
    """What a second look found of a method.

    ``wrong`` says that function values contradict it twice, ``right`` that they bear it out wherever they can be
    measured, at the point and around it. ``rough`` says that the function is not smooth at the point, ``limit``
    that the gradient there is a limit of gradients nearby all the same: a generalised gradient in the sense of
    Clarke (Optimization and Nonsmooth Analysis, 1983, theorem 2.5.1).
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
        disputes, here = list(self._disputes(name)), []
        for dispute in disputes:
            here.append(self._at_the_point(name, dispute))
            if here[-1].wrong:
                return here[-1]
        rough = any(each.rough for each in here)
        if rough and all(each.limit for each in here if each.rough):
            return Standing(limit=True, rough=True)
        around = self._around(name, disputes)
        right = around.right and not rough and all(each.right for each in here)
        return Standing(wrong=around.wrong, right=right, rough=rough)

    def at_kinks(self, name: str) -> Standing:
        """Return what function values say of a method that lies within the one-sided slopes of single entries.

        It must lie within those along other lines too, those that keep what is tied tied among them: (0, 1, 1) at
        a maximum that two numbers share does not.
        """
        table, d, jacobian = self._table, self._table.differences, self._jacobian
        if d is None or table.tangents is not None:
            return Standing()
        for row in np.flatnonzero(d.kink.any(axis=1))[: thresholds.ROUGH_DISPUTES]:
            u, mine = table.cotangents[row], table.exact[name].value[row]
            at = table.coordinates[int(np.argmax(d.kink[row]))]
            rows, size = jacobian.rows(name, u[None]), float(np.abs(mine * jacobian.scales).max(initial=0.0))
            lines = ties(jacobian.function.point)
            looks = (look(jacobian, rows, u, line, self._tolerance, size, lambda u=u: self._noise(u)) for line in lines)
            if any(one.outside or one.seen is Seen.AGAINST for one in looks):
                alone = np.zeros(mine.size)
                alone[at] = jacobian.scales[at]
                standing = self._at_a_kink(rows, Dispute(u, at, size / jacobian.scales[at]), alone)
                if standing.wrong:
                    return standing
        return Standing(rough=True)

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
        jacobian, i, u = self._jacobian, dispute.coordinate, dispute.cotangent
        rows = jacobian.rows(name, u[None])
        alone = np.zeros(jacobian.function.point.size)
        alone[i] = jacobian.scales[i]
        size = dispute.difference * alone[i]
        own = float(np.abs(jacobian.function.point[i]) / alone[i])
        single = look(jacobian, rows, u, alone, self._tolerance, size, lambda: self._noise(u), own)
        across = single
        if alone.size > 1 and not single.rough:
            line = self._across(rows, alone, i)
            across = look(jacobian, rows, u, line, self._tolerance, size, lambda: self._noise(u))
        if not (single.rough or across.rough):
            wrong = single.seen is Seen.AGAINST and across.seen is not Seen.WITH
            right = Seen.WITH in (single.seen, across.seen) and Seen.AGAINST not in (single.seen, across.seen)
            return Standing(wrong=wrong, right=right)
        if single.jump or across.jump:
            return Standing(rough=True)
        return self._at_a_kink(rows, dispute, alone)

    def _across(self, rows: Estimate, alone: Vector, i: int) -> Vector:
        """Draw a line that goes along the coordinate in question and, less so, along the others.

        A function that is smooth along single coordinates alone is not smooth along this one.
        """
        value = np.abs(np.where(np.isfinite(rows.value[0]), rows.value[0], 0.0))
        beside = self._jacobian.direction(self._rng)
        beside[i] = 0.0
        share, mine = np.sum(value * np.abs(beside)), value[i] * abs(alone[i])
        # The others may outweigh what is in question by thousands, and would hide it.
        return np.asarray(alone + (min(0.5, mine / share) if share and mine else 0.5) * beside)

    def _at_a_kink(self, rows: Estimate, dispute: Dispute, alone: Vector) -> Standing:
        """Compare a gradient with the slopes of points close by: along its entry, along ties, and by chance.

        Along the direction of a tie the slopes of all of them are the same, and a gradient that counts a tied
        maximum twice is not among them. It is wrong where it is outside of the one-sided slopes too.
        """
        u, jacobian = dispute.cotangent, self._jacobian
        limit = True
        for line in (alone, *ties(jacobian.function.point), jacobian.direction(self._rng)):
            mine = float(rows.value[0] @ line)
            slopes = [slope_along(there, u, line) for there in self._nearby[: thresholds.CLOSE_BY]]
            known = [slope for slope in slopes if slope is not None]
            slack = thresholds.NEARBY_SLACK * max(map(abs, known), default=0.0) + rows.along(line[None]).uncertainty
            if len(known) < 2:
                limit = False
            elif not min(known) - slack <= mine <= max(known) + slack:
                limit = False
                size = min(abs(mine - min(known)), abs(mine - max(known))) if np.isfinite(mine) else np.inf
                here = look(jacobian, rows, u, line, self._tolerance, size, lambda: self._noise(u))
                if len(known) == len(slopes) and not here.jump and (here.outside or here.seen is Seen.AGAINST):
                    return Standing(wrong=True, rough=True)
        return Standing(limit=limit, rough=True)

    def _noise(self, cotangent: Vector) -> float:
        """Return how far the contracted value wavers, as it is seen where all inputs move.

        An output that is rounded to a grain does not move with an input of little weight, and wavers all the
        same.
        """
        line, seen = self._jacobian.direction(np.random.default_rng(0)), []
        for scale in (1.0, 1.0 / APART, 1.0 / APART**2):
            found = self._jacobian.window(line, cotangent, scale)
            if not (found.grainy[0, 0] or found.kink[0, 0] or found.jump[0, 0]) and np.isfinite(found.noise[0, 0]):
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
        looks = (look(there, rows, u, line, self._tolerance, size, lambda: self._noise(u)) for line in lines)
        seen = {found.seen for found in looks}
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
    for scale in _scales(line, 1.0, np.inf, lambda scale: there.window(line, cotangent, scale)):
        found = there.window(line, cotangent, scale)
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        if found.still[0, 0]:
            return 0.0
        if found.kink[0, 0] or found.jump[0, 0] or not np.isfinite(bar):
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
    noise: Callable[[], float],
    own: float = 1.0,
) -> Line:
    """Look along one line with windows from wide to fine, until two of them say the same.

    ``rows`` is the gradient in question, ``difference`` how much of its slope is in question along the line: a
    window whose bar is not well below shows nothing. ``noise`` is that of a value. ``own`` is a scale of the line
    next to that of the tangent.
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

    def slack(value: float) -> float:
        allowed = tolerance.atol + tolerance.tiny + (slope_bar if np.isfinite(slope_bar) else 0.0)
        return allowed + tolerance.rtol * max(abs(value), abs(slope) if np.isfinite(slope) else 0.0)

    kink = jump = moved = unsettled = outside = False
    before: Estimate | None = None
    wider: Estimate | None = None
    for scale in _scales(tangent, own, widest / WIDTH, lambda scale: jacobian.window(tangent, cotangent, scale)):
        found = jacobian.window(tangent, cotangent, scale)
        if found.grainy[0, 0] and not moved:
            # What does not move along this line may waver along others.
            found = jacobian.window(tangent, cotangent, scale, noise())
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        if wider is not None and abs(value - wider.value) > bar + wider.uncertainty:
            # As at a jump, over which every quotient is larger than the one before.
            unsettled = True
        wider = Estimate(value, bar)
        if found.grainy[0, 0] and moved:
            # Below the grain of the function nothing moves, and that is no evidence of a slope.
            break
        moved |= not found.still[0, 0]
        kink, jump = bool(found.kink[0, 0]), bool(found.jump[0, 0])
        if kink:
            sides = found.right, found.left
            low = min(float(e.value[0, 0] - e.uncertainty[0, 0]) for e in sides)
            high = max(float(e.value[0, 0] + e.uncertainty[0, 0]) for e in sides)
            outside = not low - slack(slope) <= slope <= high + slack(slope)
        if kink or jump or (np.isfinite(difference) and bar > thresholds.TELLING_BAR * difference) or not np.isfinite(bar):
            continue
        # What one window jumps over, such as a kink beside the point, another one does not jump over alike.
        if before is not None and abs(value - before.value) <= bar + before.uncertainty:
            value, bar = min((value, bar), (before.value, before.uncertainty), key=itemgetter(1))
            against = not abs(value - slope) <= bar + slack(value)
            return Line(Seen.AGAINST if against else Seen.WITH)
        before = Estimate(value, bar)
    return Line(Seen.OPEN, kink, jump or unsettled, outside)


def _scales(tangent: Vector, own: float, widest: float, at: Callable[[float], Window]) -> Iterator[float]:
    """Yield the scales of a line's windows: that of the tangent, and finer ones.

    Where the function does not move, or in few steps, the wider natural ones come first: they tell the grain.
    """
    natural = sorted({1.0, float(1.0 / np.abs(tangent).max()), own} - {0.0}, reverse=True)
    if max(natural) > 1.0 and not at(min(1.0, widest)).grainy[0, 0]:
        natural = [scale for scale in natural if scale <= 1.0]
    last = np.inf
    for scale in (*natural, *(natural[-1] / APART**k for k in range(1, thresholds.FINER_WINDOWS + 1))):
        if min(scale, widest) * APART <= last * 1.001:
            last = min(scale, widest)
            yield last
