"""A second look at a disagreement, independent of the first: other steps, directions and points.

A wrong gradient is wrong nearby too, or the function is smooth at the special point, and differences show it
along other directions and at two scales. If the disagreement vanishes at every other look, its cause is a
tie, a kink, a jump, an edge or noise.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence import stairs
from pytest_gradcheck.core.evidence.compare import margins
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.frameworks.flat import Vector, leafwise
from pytest_gradcheck.frameworks.leaves import EPS32
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.differences import TINY
from pytest_gradcheck.methods.roles import gradient_of
from pytest_gradcheck.methods.windows import APART, BAR_OF_NOISE, WIDTH, Window


class Seen(enum.Enum):
    """What function values show about a method's slope along one line."""

    WITH = "with"
    AGAINST = "against"
    OPEN = "open"


class Line(NamedTuple):
    """A look along one line.

    ``kink`` and ``jump`` say that the function has one at the point, ``outside`` that the slope in question
    lies outside of the one-sided slopes there. ``one_sided`` says that the domain leaves one side only,
    ``unsettled`` that windows of different scales contradict each other. ``slope`` is that on which two of
    them agree.
    """

    seen: Seen
    kink: bool = False
    jump: bool = False
    outside: bool = False
    one_sided: bool = False
    unsettled: bool = False
    slope: Estimate | None = None
    scale: float = 1.0
    stairs: bool = False

    @property
    def rough(self) -> bool:
        """Whether the function does not look smooth along the line."""
        return self.kink or self.jump or self.one_sided


@dataclass(frozen=True)
class Standing:
    """The result of a second look at a method.

    ``wrong`` says that function values contradict it twice, ``right`` that they support it wherever they can
    be measured, at the point and around it. ``rough`` says that the function is not smooth at the point,
    ``limit`` that the gradient there is nevertheless a limit of gradients nearby: a generalised gradient in
    the sense of Clarke (Optimization and Nonsmooth Analysis, 1983, theorem 2.5.1). ``text`` is what is wrong
    at a kink.
    """

    wrong: bool = False
    right: bool = False
    limit: bool = False
    rough: bool = False
    text: str = ""


class Dispute(NamedTuple):
    """An entry of the Jacobian that is in question: a cotangent, a coordinate, and the difference there."""

    cotangent: Vector
    coordinate: int
    difference: float
    row: int


class SecondLook:
    """Compares the disagreeing gradients of a table with function values again.

    ``moved`` gives a method at another point, as its name and the point say; it may raise. ``harmless`` says
    that the function can be called anywhere: a kernel may use a number outside of its domain as an index.
    """

    def __init__(
        self,
        jacobian: Jacobian,
        table: Table,
        tolerance: Tolerance,
        moved: Callable[[str, Vector], Pullback],
        seed: int,
        *,
        harmless: bool = False,
    ):
        self._harmless = harmless
        self._jacobian, self._table, self._tolerance, self._moved = jacobian, table, tolerance, moved
        self._rng = np.random.default_rng(seed)
        self._noises: dict[bytes, float] = {}
        self._stairs: dict[tuple[str, int, int], bool] = {}
        self._drawn: dict[float, tuple[list[tuple[float, Jacobian]], Iterator[tuple[float, Jacobian]]]] = {}

    def standing(self, name: str) -> Standing:
        """Return what function values show about a method, here and nearby."""
        disputes, here = list(self._disputes(name)), []
        for dispute in disputes:
            here.append(self._at_the_point(name, dispute))
            if here[-1].wrong and not self._on_stairs(name, dispute):
                return here[-1]
        rough = any(each.rough for each in here)
        if rough and all(each.limit for each in here if each.rough):
            return Standing(limit=True, rough=True)
        around = self._around(name, disputes)
        right = around.right and not rough and all(each.right for each in here)
        wrong = around.wrong and not (disputes and all(self._on_stairs(name, each) for each in disputes))
        return Standing(wrong=wrong, right=right, rough=rough)

    def on_stairs(self, name: str) -> bool:
        """Whether only rounding in the function may contradict a method; see `stairs.bears_out`.

        Used where calls are the cost, after few points have measured the noise of values.
        """
        disputes = list(self._disputes(name))
        return bool(disputes) and all(self._on_stairs(name, each, waver=False) for each in disputes)

    def _on_stairs(self, name: str, dispute: Dispute, waver: bool = True) -> bool:
        """Whether only rounding in the function may contradict an entry; see `stairs.bears_out`.

        It may if the difference is tiny, or if values ``waver`` over the size of the input.
        """
        key = name, dispute.row, dispute.coordinate
        if key not in self._stairs:
            f, line = self._jacobian.function, np.zeros(self._jacobian.function.point.size)
            line[dispute.coordinate] = abs(f.point[dispute.coordinate]) or 1.0
            hidden = dispute.difference * line.max() <= thresholds.ULP_OF_HIDDEN_TERMS
            if waver and not hidden:
                # Where a polynomial does not fit a smooth function, tiny steps have its slope. The look that
                # found the entry wrong used both windows.
                alone = np.zeros_like(line)
                alone[dispute.coordinate] = self._jacobian.scales[dispute.coordinate]
                wide, fine = (
                    self._jacobian.window(alone, dispute.cotangent, scale)
                    for scale in (1.0, thresholds.FINEST)
                )
                apart = np.abs(wide.slope.value - fine.slope.value)
                same = apart <= wide.slope.uncertainty + fine.slope.uncertainty
                hidden = bool((wide.wavers | wide.grainy)[0, 0] and (fine.grainy | ~same)[0, 0])
            self._stairs[key] = hidden and self._bears_out(name, dispute, line)
        return self._stairs[key]

    def _bears_out(self, name: str, dispute: Dispute, line: Vector) -> bool:
        jacobian, u, f = self._jacobian, dispute.cotangent, self._jacobian.function

        def claimed(t: float) -> float:
            point = f.rounded((f.point + t * line)[None])[0]
            return float(self._moved(name, point).vjp(u) @ line)

        # A gradient that cannot run there supports nothing.
        with contextlib.suppress(Exception):
            return stairs.bears_out(jacobian, line, u, claimed, dispute.difference * line.max())
        return False

    def standing_next_to(self, name: str, right: str) -> Standing:
        """Return what function values show about a method in a coarse dtype that differs from another one.

        Along a line its rounding hides more than in one entry. It is wrong if values support the other one,
        along that entry and across it.
        """
        for dispute in self._disputes(name):
            other = self._at_the_point(right, dispute)
            if other.right and not other.rough:
                return Standing(wrong=True)
        return self.standing(name)

    def at_kinks(self, name: str) -> Standing:
        """Return what values show about a gradient that lies within the one-sided slopes of single entries.

        It must lie within those along other lines too, including lines that preserve ties: (0, 1, 1) at a
        maximum that two numbers share does not.
        """
        table, d, jacobian = self._table, self._table.differences, self._jacobian
        if d is None or table.tangents is not None:
            return Standing()
        for row in np.flatnonzero(d.kink.any(axis=1))[: thresholds.ROUGH_DISPUTES]:
            u, at = table.cotangents[row], table.coordinates[int(np.argmax(d.kink[row]))]
            rows = self._nominal(name, u)
            scales = jacobian.scales[table.coordinates]
            slopes = np.fmax(np.abs(d.right.value[row]), np.abs(d.left.value[row])) * scales
            claimed = np.abs(rows.value[0] * jacobian.scales)
            size = float(max(slopes[np.isfinite(slopes)].max(initial=0.0), claimed.max(initial=0.0)))
            looks = (self._look(rows, u, line, size) for line in ties(jacobian.function.point))
            if any(one.outside or one.seen is Seen.AGAINST for one in looks):
                alone = np.zeros(claimed.size)
                alone[at] = jacobian.scales[at]
                standing = self._at_a_kink(name, Dispute(u, at, size / alone[at], int(row)), alone)
                if standing.wrong:
                    return standing
        return Standing(rough=True)

    def beyond_entries(self, name: str, other: str) -> Standing:
        """Return what values show about a gradient that they support entry by entry, but another method does
        not.

        The middle one of three equal numbers moves with none of them alone, and with all of them together.
        """
        table, jacobian = self._table, self._jacobian
        if table.tangents is not None or other not in jacobian.pullbacks:
            return Standing()
        apart = np.abs(jacobian.rows(other, table.cotangents).value - table.exact[name].value)
        apart = np.where(np.isfinite(apart), apart, 0.0)
        row, column = divmod(int(np.argmax(apart)), apart.shape[1])
        dispute = Dispute(table.cotangents[row], column, float(apart[row, column]), row)
        return self._at_the_point(name, dispute) if dispute.difference else Standing()

    def _nominal(self, name: str, cotangent: Vector) -> Estimate:
        """Return a row of a method with the error bar of its dtype: at a tie a measurement shows the kink."""
        return replace(self._jacobian, measured={}).rows(name, cotangent[None])

    # -- at the point ----------------------------------------------------------------------------------

    def _disputes(self, name: str) -> Iterator[Dispute]:
        """Yield the entries in which a method differs most: smooth ones first, then at kinks and edges."""
        table = self._table
        if table.tangents is not None:
            return
        farthest = np.zeros((len(table.cotangents), table.exact[name].value.shape[1]))
        gaps = np.zeros_like(farthest)
        for c in table.evidence:
            if name in (c.a, c.b):
                at = slice(None) if c.entrywise else table.coordinates
                ratio = np.where(
                    c.disagree, np.nan_to_num(margins(c.difference, c.tolerance), posinf=1e300), 0.0
                )
                farthest[:, at] = np.fmax(farthest[:, at], ratio)
                gaps[:, at] = np.fmax(gaps[:, at], np.where(c.disagree, c.difference, 0.0))
        measured = np.isin(np.arange(farthest.shape[1]), table.coordinates)
        if farthest[:, measured].any():
            # For other entries only exact methods have an answer, so there is no slope along a line to
            # compare.
            farthest[:, ~measured] = 0.0
        rough = np.zeros(farthest.shape, dtype=bool)
        d = table.differences
        if d is not None:
            rough[:, table.coordinates] = d.kink | d.jump | d.one_sided
        for part, most in ((~rough, thresholds.SMOOTH_DISPUTES), (rough, thresholds.ROUGH_DISPUTES)):
            ranks = np.where(part, farthest, 0.0)
            for k in np.argsort(-ranks, axis=None)[:most]:
                row, column = divmod(int(k), ranks.shape[1])
                if ranks[row, column] > 0:
                    yield Dispute(table.cotangents[row], column, float(gaps[row, column]), row)

    def _at_the_point(self, name: str, dispute: Dispute) -> Standing:
        jacobian, i, u = self._jacobian, dispute.coordinate, dispute.cotangent
        rows = jacobian.rows(name, u[None])
        alone = np.zeros(jacobian.function.point.size)
        alone[i] = jacobian.scales[i]
        size = dispute.difference * alone[i]
        own = float(np.abs(jacobian.function.point[i]) / alone[i])
        single, there = self._look(rows, u, alone, size, own), None
        if single.one_sided and self._harmless:
            # A function that is smooth across the edge of its domain has two sides there.
            there = self._everywhere
            single = self._look(rows, u, alone, size, own, there=there)
        across, line = single, alone
        if alone.size > 1 and not single.rough:
            line = self._across(rows, alone, i)
            across = self._look(rows, u, line, size, there=there)
        rough = single.rough or across.rough or single.unsettled or across.unsettled
        if not (rough or self._bends(across, line, dispute.row)):
            wrong = single.seen is Seen.AGAINST and across.seen is not Seen.WITH
            if wrong and not (single.stairs or across.stairs):
                # No farther than the function looks straight.
                reach = min(1.0, single.scale, across.scale)
                assert single.slope is not None, "a line that is against a gradient has a slope"
                if not self._settles(float(single.slope.value), u, alone, reach, size):
                    # A function may be linear in the cone of both lines and bend beyond it.
                    return self._at_a_kink(name, dispute, alone, reach)
            right = Seen.WITH in (single.seen, across.seen) and Seen.AGAINST not in (single.seen, across.seen)
            return Standing(wrong=wrong, right=right)
        if single.jump or across.jump or single.unsettled or across.unsettled:
            return Standing(rough=single.rough or across.rough)
        if not rough:
            # A function that bends without a kink on either line may be flat within a solver's tolerance.
            return self._close_to_a_kink(name, dispute, alone, 1.0) or Standing(rough=True)
        return self._at_a_kink(name, dispute, alone)

    def _across(self, rows: Estimate, alone: Vector, i: int) -> Vector:
        """Draw a line mainly along the coordinate in question and a little along the others.

        A function that is smooth only along single coordinates is not smooth along it.
        """
        value = np.abs(np.where(np.isfinite(rows.value[0]), rows.value[0], 0.0))
        beside = self._jacobian.direction(self._rng)
        beside[i] = 0.0
        # At a bound there is one side only.
        f = self._jacobian.function
        beside[(f.point <= f.lower) | (f.point >= f.upper)] = 0.0
        beside[np.setdiff1d(np.arange(alone.size), self._table.coordinates)] = 0.0
        share, mine = np.sum(value * np.abs(beside)), value[i] * abs(alone[i])
        # The others may outweigh the entry in question a thousandfold, and would hide it.
        return np.asarray(alone + (min(0.5, mine / share) if share and mine else 0.5) * beside)

    def _bends(self, across: Line, line: Vector, row: int) -> bool:
        """Whether the slope along a line is not the sum of the slopes along its entries, as for a derivative.

        The middle one of three equal numbers moves with none of them alone, and along any line.
        """
        d, at = self._table.differences, self._table.coordinates
        if across.slope is None or d is None:
            return False
        value, bar = d.central.value[row], d.central.uncertainty[row]
        summed, bars = value @ line[at], bar @ np.abs(line[at])
        size = np.abs(value * line[at]).max(initial=abs(across.slope.value))
        allowed = (
            thresholds.THOROUGH_BARS * bars + across.slope.uncertainty + self._tolerance.sensitivity * size
        )
        return bool(abs(across.slope.value - summed) > allowed)

    def _settles(self, slope: float, cotangent: Vector, line: Vector, reach: float, size: float) -> bool:
        """Whether slopes close by equal that at the point or converge to it, as for a smooth function.

        Beyond a bend they differ from it equally at every distance.
        """
        slopes, away = [slope], dict[float, float]()
        for distance, there in itertools.islice(self._close_by(reach), thresholds.CLOSE_IF_SMOOTH):
            near = slope_along(there, cotangent, line, distance, size)
            if near is not None:
                slopes.append(near)
                away[distance] = max(away.get(distance, 0.0), abs(near - slope))
        if _alike(slopes) or len(away) < 2:
            return _alike(slopes)
        least, most = thresholds.COMES_CLOSER
        return least * away[max(away)] <= away[min(away)] <= most * away[max(away)]

    def _at_a_kink(self, name: str, dispute: Dispute, alone: Vector, reach: float = 1.0) -> Standing:
        """Compare a gradient with the slopes of points close by, where close is measured by all its sizes.

        Next to an entry of 1e8 an entry of one has a neighbourhood of its own, and one of 1e-16 has none.
        """
        own = abs(self._jacobian.function.point[dispute.coordinate]) or 1.0
        moved = abs(alone[dispute.coordinate])
        found = None
        for each in sorted({reach, min(reach, own / moved)}):
            # The closest look with a result.
            found = found or self._close_to_a_kink(name, dispute, alone, each)
        return found or Standing(rough=True)

    def _close_to_a_kink(self, name: str, dispute: Dispute, alone: Vector, reach: float) -> Standing | None:
        """Compare a gradient with slopes close by: along its entry, along ties, and along a line by chance.

        None if no slope of its entry is known. Along the direction of a tie all slopes are the same, and a
        gradient that counts a tied maximum twice is not among them. It is wrong if it is outside the
        one-sided slopes too.
        """
        u, jacobian = dispute.cotangent, self._jacobian
        rows, limit = self._nominal(name, u), True
        moved = abs(alone[dispute.coordinate])
        telling = (alone, *ties(jacobian.function.point))
        for k, line in enumerate((*telling, jacobian.direction(self._rng))):
            mine = float(rows.value[0] @ line)
            size = max(abs(mine), dispute.difference * moved)
            apart, known = self._apart_close_by(rows, u, line, len(thresholds.CLOSE_BY), reach, size)
            if line is alone and len(known) < thresholds.CLOSE_ENOUGH:
                return None
            if len(known) < thresholds.CLOSE_ENOUGH:
                limit = False
            elif apart and not self._occurs(mine, u, line, reach):
                limit = False
                if k == len(telling):
                    # A few points may have missed what a line drawn by chance has on its other side.
                    break
                here = self._look(rows, u, line, apart)
                # A sample from a continuum, such as the eigenvectors of a multiple eigenvalue, has no edges.
                tight = apart > max(known, default=0.0) - min(known, default=0.0)
                excluded = here.outside or (tight and here.seen is Seen.AGAINST)
                if (
                    excluded
                    and not (here.jump or here.unsettled)
                    and len(known) >= thresholds.CLOSE_FOR_WRONG
                ):
                    text = f"along {_shown(line)} {gradient_of(name)} predicts {mine:.6g}, but the slope is "
                    return Standing(wrong=True, rough=True, text=text + _shown_range(known))
        return Standing(limit=limit, rough=True)

    def _apart_close_by(
        self, rows: Estimate, cotangent: Vector, line: Vector, most: int, reach: float, size: float
    ) -> tuple[float, list[float]]:
        """Return how far a gradient lies outside of the slopes along a line at points close by, and these.

        As many points are used as it takes to find slopes on both sides of it, at most ``most``. ``reach`` is
        what distances are multiplied with, ``size`` that of the slopes in question.
        """
        claimed = rows.along(line[None])
        mine, bar = float(claimed.value[0, 0]), float(claimed.uncertainty[0, 0])
        known: list[float] = []
        apart = np.inf
        for distance, there in itertools.islice(self._close_by(reach), most):
            slope = slope_along(there, cotangent, line, distance, size)
            known += [] if slope is None else [slope]
            apart = _apart(mine, known, bar)
            if len(known) >= thresholds.CLOSE_ENOUGH and not apart:
                break
        return apart, known

    def _occurs(self, slope: float, cotangent: Vector, line: Vector, reach: float) -> bool:
        """Whether the function has a slope along a line somewhere close by.

        Only one of many tied numbers moves their median, and a few random points seldom hit it. The mean
        value theorem leads there: one part of an interval has a secant that is at least as close.
        """
        f = self._jacobian.function
        for distance, there in itertools.islice(self._close_by(reach), thresholds.SOUGHT_FROM):
            with np.errstate(divide="ignore", invalid="ignore"):
                room = (np.stack([f.lower, f.upper]) - there.function.point) / line
            room = room[:, line != 0]
            low = max(-thresholds.SOUGHT * distance, float(room.min(axis=0).max(initial=-np.inf)))
            high = min(thresholds.SOUGHT * distance, float(room.max(axis=0).min(initial=np.inf)))
            for _ in range(thresholds.SOUGHT_ROUNDS):
                t = np.linspace(low, high, 2 * thresholds.SOUGHT_PARTS + 1)
                secants = there.secants(line, cotangent, t)
                first, second = secants[::2], secants[1::2]
                far = np.abs((first + second) / 2 - slope)
                # A jump has every slope somewhere, but never in both halves.
                near = thresholds.NEARBY_SLACK * abs(slope) + TINY
                if ((np.abs(first - slope) <= near) & (np.abs(second - slope) <= near)).any():
                    return True
                k = int(np.argmin(np.where(np.isfinite(far), far, np.inf)))
                low, high = t[2 * k], t[2 * k + 2]
        return False

    def _look(
        self,
        rows: Estimate,
        cotangent: Vector,
        line: Vector,
        size: float,
        own: float = 1.0,
        *,
        there: Jacobian | None = None,
    ) -> Line:
        """Look along one line, at the point or at another one; see `look`."""
        noise, around = functools.partial(self._noise, cotangent), there or self._jacobian

        def backed(slope: Estimate) -> bool:
            each = (around.rows(name, cotangent[None]).along(line[None]) for name in around.pullbacks)
            gaps = [abs(e.value[0, 0] - slope.value) <= e.uncertainty[0, 0] + slope.uncertainty for e in each]
            return any(gaps)

        return look(around, rows, cotangent, line, self._tolerance, size, noise, backed, own)

    def _noise(self, cotangent: Vector) -> float:
        """Return the noise of the contracted value, measured while all inputs move.

        An output that is rounded to a grain does not move with an input of little weight, but has noise
        nevertheless.
        """
        if (key := cotangent.tobytes()) in self._noises:
            return self._noises[key]
        line, seen = self._jacobian.direction(np.random.default_rng(0)), []
        for scale in (APART**-k for k in range(thresholds.NOISE_WINDOWS)):
            found = self._jacobian.window(line, cotangent, scale)
            marked = found.grainy[0, 0] or found.kink[0, 0] or found.jump[0, 0]
            if found.fits[0, 0] and not marked:
                seen.append(float(found.noise[0, 0]))
        self._noises[key] = min(seen, default=0.0)
        return self._noises[key]

    # -- around it -------------------------------------------------------------------------------------

    def _around(self, name: str, disputes: Sequence[Dispute]) -> Standing:
        """Look at a method at points nearby."""
        said = []
        for distance, there in self._nearby:
            with contextlib.suppress(Exception):
                pullback = self._moved(name, there.function.point)
                at_it = replace(
                    there, pullbacks={name: pullback}, _last_rows={}, measured={}, settled=frozenset()
                )
                said += [
                    self._at_another_point(name, at_it, d, distance)
                    for d in disputes[: thresholds.NEARBY_DISPUTES]
                ]
        against, for_it = said.count(Seen.AGAINST), said.count(Seen.WITH)
        return Standing(
            wrong=against >= thresholds.WRONG_NEARBY and against > for_it,
            right=for_it >= thresholds.WRONG_NEARBY and not against,
        )

    def _at_another_point(self, name: str, there: Jacobian, dispute: Dispute, distance: float) -> Seen:
        u, i = dispute.cotangent, dispute.coordinate
        rows, alone = there.rows(name, u[None]), np.zeros(there.function.point.size)
        alone[i] = there.scales[i]
        # No window reaches back to the point, which the others avoid.
        near = min(1.0, thresholds.SHORT_OF_THE_POINT * distance)
        lines = [near * alone, *([near * there.direction(self._rng)] if alone.size > 1 else [])]
        size = near * dispute.difference * there.scales[i]
        looks = (self._look(rows, u, line, size, there=there) for line in lines)
        seen = {found.seen for found in looks}
        return next((one for one in (Seen.AGAINST, Seen.WITH) if one in seen), Seen.OPEN)

    @functools.cached_property
    def _everywhere(self) -> Jacobian:
        """The function at the point, without its bounds."""
        f = self._jacobian.function
        lower, upper = np.full((2, f.point.size), [[-np.inf], [np.inf]])
        return replace(self._jacobian, function=replace(f, lower=lower, upper=upper), _windows={})

    @functools.cached_property
    def _nearby(self) -> list[tuple[float, Jacobian]]:
        return list(self._points(thresholds.NEARBY))

    def _close_by(self, reach: float) -> Iterator[tuple[float, Jacobian]]:
        """Yield the function at points close by, each drawn once."""
        if reach not in self._drawn:
            self._drawn[reach] = [], self._points([reach * distance for distance in thresholds.CLOSE_BY])
        drawn, more = self._drawn[reach]
        for k in range(len(thresholds.CLOSE_BY)):
            while len(drawn) <= k:
                found = next(more, None)
                if found is None:
                    return
                drawn.append(found)
            yield drawn[k]

    def _points(self, distances: Sequence[float]) -> Iterator[tuple[float, Jacobian]]:
        """Yield the function at points in the neighbourhood, with their distances in units of the scales."""
        f = self._jacobian.function
        for distance in distances:
            # Of all proportions: a cone in which the function is linear may be narrow.
            shares = 10.0 ** self._rng.uniform(-1, 0, f.point.size)
            point = f.point + distance * shares * self._jacobian.direction(self._rng)
            point = f.rounded(np.clip(point, f.lower, f.upper)[None])[0]
            there = None if np.array_equal(point, f.point) else self._jacobian.at(point)
            if there is not None:
                yield distance, there


def ties(point: Vector) -> list[Vector]:
    """Return directions that preserve ties: all entries alike, and all in proportion."""
    largest = np.abs(point).max(initial=0.0)
    alike = np.full(point.size, largest or 1.0)
    return [alike, point] if largest > 0 else [alike]


def _apart(mine: float, slopes: Sequence[float], bar: float) -> float:
    """Return how far a slope lies outside of others; zero within their possible change."""
    if not slopes or not np.isfinite(mine):
        return np.inf
    slack = thresholds.NEARBY_SLACK * max(map(abs, slopes)) + bar
    gap = max(min(slopes) - mine, mine - max(slopes))
    return gap if gap > slack else 0.0


def _shown(line: Vector) -> str:
    return (
        f"({', '.join(f'{v:.3g}' for v in line[: thresholds.SHOWN])}{', …' * (line.size > thresholds.SHOWN)})"
    )


def _shown_range(slopes: Sequence[float]) -> str:
    low, high = min(slopes), max(slopes)
    return f"{(low + high) / 2:.6g}" if _alike(slopes) else f"between {low:.6g} and {high:.6g}"


def _alike(slopes: Sequence[float]) -> bool:
    return max(slopes) - min(slopes) <= 2 * thresholds.NEARBY_SLACK * max(map(abs, slopes))


def slope_along(
    there: Jacobian, cotangent: Vector, line: Vector, distance: float, size: float
) -> float | None:
    """Return the slope along a line that the quotients of two steps agree on, None where they do not.

    The steps are short compared with the ``distance`` of the point from the one where the function may bend.
    Where their rounding is not small compared with the slope, or with ``size``, they show nothing.
    """
    steps = thresholds.CLOSE_STEPS
    wide, fine = there.quotients(line, cotangent, [share * distance for share in steps])
    f = there.function
    # An output of zero, as of a projection, has the rounding noise of those next to it.
    waver = np.abs(cotangent) @ leafwise(f.outputs, f.value, f.eps)
    rounding = thresholds.CLOSE_ROUNDINGS * waver / (steps[1] * distance)
    if rounding > thresholds.NEARBY_SLACK * max(abs(wide), abs(fine), size):
        return None
    if not abs(wide - fine) <= thresholds.CLOSE_CHANGE * max(abs(wide), abs(fine)) + rounding + TINY:
        return None
    return float(fine + (fine - wide) / ((steps[0] / steps[1]) ** 2 - 1))


def look(
    jacobian: Jacobian,
    rows: Estimate,
    cotangent: Vector,
    tangent: Vector,
    tolerance: Tolerance,
    difference: float,
    noise: Callable[[], float],
    backed: Callable[[Estimate], bool],
    own: float = 1.0,
) -> Line:
    """Look along one line with windows from wide to fine, until two of them agree.

    ``rows`` is the gradient in question, ``difference`` how much of its slope is in question along the line:
    a window whose bar is not well below shows nothing. ``noise`` is that of a value, ``backed`` tells whether
    another exact method gives a slope as well. ``own`` is a scale of the line next to that of the tangent.
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

    kink = jump = moved = unsettled = outside = stairs = wavers = straight = False
    against: Estimate | None = None
    settled = 1.0
    borne_out: list[Estimate] = []
    telling: list[tuple[float, Estimate]] = []
    before: Estimate | None = None
    wider: Estimate | None = None
    bend: Window | None = None
    coarse = f.eps > EPS32
    coarsest = thresholds.WIDE_IF_COARSE if coarse else 1.0
    telling_bar = thresholds.TELLING_IF_COARSE if coarse else thresholds.TELLING_BAR
    bars = thresholds.BARS_IF_COARSE if coarse else thresholds.BARS_OF_ONE
    for scale in _scales(tangent, own, widest / WIDTH, coarsest):
        found = jacobian.window(tangent, cotangent, scale)
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        if found.grainy[0, 0] and not moved:
            # An output that does not move along this line may have noise along others.
            bar += BAR_OF_NOISE * noise() / scale
        if wider is not None and not found.kink[0, 0] and abs(value - wider.value) > bar + wider.uncertainty:
            # As at a jump, where every quotient is larger than the one before.
            unsettled = True
        bent = bool(found.kink[0, 0] or found.jump[0, 0])
        wider = None if bent else Estimate(value, bar)
        if found.fits[0, 0] and not bent and abs(value - slope) <= bar + slack(value):
            borne_out.append(Estimate(value, bar))
        if found.grainy[0, 0] and moved:
            # Below the grain of the function nothing moves, which gives no information about the slope. A
            # value that is constant over a step that should move it by many times its noise is flat.
            gone = difference * WIDTH * scale
            least = max(noise(), f.eps * float(np.abs(cotangent) @ np.abs(f.value)), TINY)
            if not (found.still[0, 0] and np.isfinite(gone) and thresholds.FLAT * least < gone):
                # If wide windows look smooth and fine ones show a kink, the kink comes from the grain.
                stairs, kink = True, bend is not None and not (straight or found.wavers[0, 0])
                break
        moved |= not found.still[0, 0]
        kink, jump = bool(found.kink[0, 0]), bool(found.jump[0, 0])
        if kink:
            bend = found
        elif bend is not None and not jump:
            # A kink is not gone where noise hides it.
            gap = abs(bend.right.value[0, 0] - bend.left.value[0, 0])
            kink = bool(found.right.uncertainty[0, 0] + found.left.uncertainty[0, 0] > gap)
        straight |= not (kink or jump)
        if kink:
            sides = found.right, found.left
            low = min(float(e.value[0, 0] - e.uncertainty[0, 0]) for e in sides)
            high = max(float(e.value[0, 0] + e.uncertainty[0, 0]) for e in sides)
            outside = not low - slack(slope) <= slope <= high + slack(slope)
        if (
            kink
            or jump
            or not found.fits[0, 0]
            or (np.isfinite(difference) and bar > telling_bar * difference)
            or not np.isfinite(bar)
        ):
            continue
        # Windows step over different things: a kink next to the point does not look the same in two of them.
        if before is not None and abs(value - before.value) <= bar + before.uncertainty:
            value, bar = min((value, bar), (before.value, before.uncertainty), key=itemgetter(1))
            if abs(value - slope) <= bar + slack(value):
                # Ladders that contradict each other mean doubt: values that are noisy at wide steps may be
                # smooth at fine ones.
                seen = Seen.WITH if against is None else Seen.OPEN
                return Line(seen, slope=Estimate(value, bar), scale=telling[-1][0])
            if any(abs(value - e.value) > bar + e.uncertainty for e in borne_out):
                unsettled = True
                break
            settled = telling[-1][0] if against is None else settled
            against, wavers = against or Estimate(value, bar), bool(found.wavers[0, 0])
            if not wavers:
                break
        before = Estimate(value, bar)
        telling.append((scale, before))
    if telling and not (np.isfinite(slope) or kink or jump or unsettled):
        # nan is not the slope of anything, so no other steps are needed.
        against = telling[0][1]
    if against is None and len(telling) == 1 and not (kink or jump or unsettled):
        # Finer windows are below the noise. Other steps of the same size show whether it was chance.
        scale, first = telling[0]
        found = jacobian.window(tangent, cotangent, thresholds.OTHER_STEPS * scale)
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        contradicted = any(abs(first.value - e.value) > first.uncertainty + e.uncertainty for e in borne_out)
        alike = (
            not contradicted
            and abs(value - first.value) <= bar + first.uncertainty
            and not (found.kink[0, 0] or found.jump[0, 0])
        )
        if alike and all(
            abs(e.value - slope) > bars * e.uncertainty + slack(value) for e in (first, Estimate(value, bar))
        ):
            against = first
    if against is not None and not (stairs or wavers):
        # A function that is straight on both sides of a point may have another slope within a solver's
        # tolerance of it.
        found = jacobian.window(tangent, cotangent, thresholds.FINEST)
        value, bar = float(found.slope.value[0, 0]), float(found.slope.uncertainty[0, 0])
        clear = bar <= thresholds.TELLING_BAR * abs(against.value - slope)
        if clear and not found.grainy[0, 0] and abs(value - slope) <= bar + slack(value):
            return Line(Seen.OPEN, unsettled=True)
    if against is not None and stairs and slope == 0 and not backed(against):
        # No value can tell whether the slope of a staircase is that of the stair or of the flight.
        return Line(Seen.OPEN, slope=against)
    if against is not None:
        return Line(Seen.AGAINST, slope=against, scale=settled, stairs=stairs)
    return Line(Seen.OPEN, kink, jump, outside, unsettled=unsettled)


def _scales(tangent: Vector, own: float, widest: float, coarsest: float) -> Iterator[float]:
    """Yield the scales of a line's windows: the natural ones, the largest first, and finer ones.

    Values that do not move at the scale of a tiny input, or move in few steps, or move smoothly by nothing
    but rounding (exp(x) - 1 - x, whose last term alone is exact), are seen through from the wider ones.
    """
    natural = sorted({coarsest, 1.0, float(1.0 / np.abs(tangent).max()), own} - {0.0}, reverse=True)
    last = np.inf
    for scale in (*natural, *(natural[-1] / APART**k for k in range(1, thresholds.FINER_WINDOWS + 1))):
        if min(scale, widest) * APART <= last * 1.001:
            last = min(scale, widest)
            yield last
