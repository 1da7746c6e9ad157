"""The look at a function for which only its values are available, and whose calls are the cost.

No engine runs a compiled kernel or a simulation, and no call of it takes many points. So the first look is at
two lines, with just enough points on each to determine a slope and the noise. If a gradient differs there,
the wrong entry is found by halving one of the lines; each half costs a few calls and no backward pass. The
entry gets its own window, and another one at a point nearby: a gradient that all three contradict is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.allowances import rounded_up, weigh
from pytest_gradcheck.core.evidence.compare import margins
from pytest_gradcheck.core.evidence.confirm import Standing
from pytest_gradcheck.core.evidence.jacobian import Differences, Jacobian, random_signs
from pytest_gradcheck.core.evidence.low_precision import Scatter
from pytest_gradcheck.core.evidence.survey import Projections, least_seen, unseen
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.frameworks.flat import Matrix, Vector
from pytest_gradcheck.frameworks.leaves import EPS32, EPS64
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.roles import ORACLE
from pytest_gradcheck.methods.windows import BAR_OF_NOISE, COARSE, FINE, HALF, WIDE, Few, Sample, glanced


class Looked(NamedTuple):
    """The tables of the first and of the closest look, and the findings on a wrong method.

    ``promised`` is the sensitivity that a coarse dtype on trial allows, None if the requested one holds.
    ``in_float64`` is the method whose numbers are those of its run in float64, if there is one.
    """

    first: Table
    table: Table
    standings: dict[str, Standing]
    promised: float | None = None
    in_float64: str | None = None


#: Cotangents are multiples of one over this, and this times such a one has no more than seven bits.
GRID, MULTIPLE = 16.0, 1.25


class Line(NamedTuple):
    """A line on which a method's slope differs: the row, the tangent, and by how much."""

    name: str
    row: int
    tangent: Vector
    gap: float


@dataclass(eq=False)
class FewCalls:
    """One look at a Jacobian by one exact method and function values.

    ``moved`` gives the method at another point. A ``brief`` look names no entry. ``bears`` says that the
    check may promise what a coarse dtype on trial allows.
    """

    jacobian: Jacobian
    tolerance: Tolerance
    along: Projections
    moved: Callable[[str, Vector], Pullback]
    brief: bool = False
    bears: bool = False

    def __post_init__(self) -> None:
        coarse = [name for name, one in self.jacobian.pullbacks.items() if one.eps > EPS32]
        if coarse and not self.jacobian.noises:
            # Numbers that every half-precision dtype represents exactly have no rounding.
            exact = np.round(self.along.cotangents * GRID) / GRID
            self.along = self.along._replace(cotangents=exact)
            self.jacobian = replace(self.jacobian, measured={}, noises=dict.fromkeys(coarse, 0.0))
            for name in coarse:
                eps = self.jacobian.pullbacks[name].eps
                self.jacobian.measured[name] = Scatter(
                    self.jacobian, name, eps, thresholds.WORST_IF_COARSE, MULTIPLE
                )

    def look(self) -> Looked | None:
        """Look along two lines, and closer if they contradict the gradient; None if doubt remains."""
        f = self.jacobian.function
        looks, cut = self._looks()
        tables: list[Table] = []
        for shape, lines in looks:
            if tables:
                self._measure()
            both, inward = self._within(shape, lines)
            sample = self.jacobian.sample(both, shape) if len(both) else None
            if not tables and sample is not None:
                outputs = glanced(sample, None, f.eps).slope
                one = Estimate(outputs.value[0][:, None], outputs.uncertainty[0][:, None])
                self.jacobian.output_weights = self.jacobian.weights_for(one)
            rows = self.along.cotangents * self.jacobian.output_weights
            tables.append(self._compared(rows, shape, sample, both, inward))
            if self.bears and not tables[-1].disagrees:
                promised = self._promised(tables[-1])
                if promised is not None:
                    return Looked(tables[0], promised[0], {}, promised[1])
            if tables[-1].settled:
                hidden, lost = (
                    unseen(tables[-1], self.jacobian, times * self.tolerance.sensitivity)
                    for times in (1.0, thresholds.VAGUE)
                )
                apart = len(lines) > thresholds.DIRECTIONS
                # A fit of one side amplifies noise.
                known = ~hidden if sample is not None else ~lost
                if known.any() and not (apart and (lost & cut).any()):
                    return Looked(tables[0], tables[-1], {})
            if sample is None and tables[-1].disagrees:
                # One side may have a kink. The other is short, and shows it anyway.
                room = self._reach(shape, np.fmin)
                sample = self.jacobian.sample(np.clip(lines, -room, room), shape)
                tables.append(self._table(rows, sample, np.clip(lines, -room, room)))
            line = _worst_line(tables[-1])
            if line is None or sample is None:
                continue
            found = self._closer(tables, line, sample)
            if self.bears and not (found and found.standings):
                found = self._finer(tables, line, sample, both, inward) or found
            if found is not None:
                return found
        # A variant of a failing example is not worth a closer look: the search continues from another one.
        # Nor do thousands of values in half precision show more than a wide window does.
        return Looked(tables[0], tables[-1].withdrawn(), {}) if self.brief or f.eps > EPS32 else None

    def _looks(self) -> tuple[list[tuple[Few, Matrix]], Any]:
        """Return windows with the lines of each, and a mask of the inputs with a separate line."""
        f, rng = self.jacobian.function, self.along.rng
        size = thresholds.DIRECTIONS, f.point.size
        tangents = random_signs(rng, size) * rng.uniform(0.5, 1.5, size) * self.jacobian.scales
        # nan and infinite inputs are not moved.
        tangents = np.where(np.isfinite(f.point), tangents, 0.0)
        # Most kinks occur where an input is zero.
        short = thresholds.SHORT_OF_ZERO * np.where(f.point != 0, np.abs(f.point), np.inf)

        def beside(shape: Few) -> Matrix:
            lines = np.clip(tangents, -short / shape.width, short / shape.width)
            apart = (lines != tangents).any(axis=0)
            # Inputs that move little compared with the others get a line without them.
            return np.concatenate([lines, np.where(apart, lines[:1], 0.0)]) if apart.any() else lines

        cut = (np.abs(tangents) > short / COARSE.width).any(axis=0)
        if f.eps > EPS32:
            # With fewer entries on a line, each is a larger part of it.
            part = rng.permutation(f.point.size) % thresholds.PARTS_IF_COARSE
            parts = np.where(part == np.arange(thresholds.PARTS_IF_COARSE)[:, None], tangents[0], 0.0)
            lines = (tangents, beside(HALF), parts[parts.any(axis=1)])
            return [(HALF, self._snapped(some)) for some in lines], cut
        # A kernel that accepts float64 may compute in float32 anyway: then every value is one of float32.
        if f.eps > EPS64 or np.array_equal(f.value, f.value.astype(np.float32)):
            looks = [(COARSE, tangents), (COARSE, beside(COARSE)), (WIDE, beside(WIDE))]
            return (looks if cut.any() else [looks[0], looks[2]]), cut
        looks = [(FINE, tangents), (FINE, beside(COARSE)), (COARSE, beside(COARSE))]
        return (looks if cut.any() else [looks[0], looks[2]]), cut

    def _snapped(self, tangents: Matrix) -> Matrix:
        """Return tangents along which half precision represents the points of `HALF` exactly."""
        f, steps = self.jacobian.function, HALF.width / len(HALF.levels) * tangents
        reach = np.abs(f.point) + HALF.width * np.abs(tangents)
        unit = f.eps * 2.0 ** np.floor(np.log2(np.fmax(reach, np.finfo(np.float64).tiny)))
        count = np.where(steps != 0, np.copysign(np.fmax(np.round(np.abs(steps) / unit), 1.0), steps), 0.0)
        return np.asarray(count * unit * len(HALF.levels) / HALF.width)

    def agrees(self, coordinates: Sequence[int] = ()) -> bool:
        """Whether values support the gradient along one line, or along some coordinates."""
        jacobian = self.jacobian
        tangents = jacobian.direction(self.along.rng)[None]
        if coordinates:
            tangents = np.stack([_unit(i, self._size) * jacobian.scales[i] for i in coordinates])
        sample = jacobian.sample(tangents, FINE if jacobian.function.eps <= EPS64 else COARSE)
        return self._table(self.along.cotangents, sample, tangents).settled

    # -- one look ------------------------------------------------------------------------------------

    def _promised(self, table: Table) -> tuple[Table, float] | None:
        """Return a table under a promise that a coarse dtype allows, and the promise; None if there is none.

        If a gradient is right in float64, its error is rounding.
        """
        table, d = _right_in_float64(table), table.differences
        assert d is not None
        enough = least_seen(table, self.jacobian)
        if not self.tolerance.sensitivity < enough < thresholds.LEAST_PROMISE:
            return None
        promise = rounded_up(enough)
        tolerance = replace(self.tolerance, sensitivity=promise)
        again = _right_in_float64(weigh(replace(table, comparisons=()), self.jacobian, tolerance, False))
        again = _seen_once(again, d.one_sided, promise)
        return (again, promise) if again.settled else None

    def _finer(
        self, tables: list[Table], line: Line, sample: Sample, both: Matrix, inward: Vector
    ) -> Looked | None:
        """Compare the same values with the gradient run in float64, if it can.

        An error in half precision below its worst rounding is also wrong in float64, or it is rounding, and
        the promise says so.
        """
        name = line.name
        fine = self.jacobian.pullbacks[name].in_double()
        if fine is None:
            return None
        eps = self.jacobian.pullbacks[name].eps
        double = replace(self.jacobian, pullbacks={name: fine}, measured={}, _last_rows={})
        double.measured[name] = Scatter(double, name, eps, thresholds.EAGER_ROUNDINGS, MULTIPLE)

        def moved(_: str, point: Vector) -> Pullback:
            return fine.moved(point)

        again = replace(self, jacobian=double, moved=moved, bears=False)
        table = again._compared(tables[-1].cotangents, sample.shape, sample, both, inward)
        if table.disagrees:
            worst = _worst_line(table)
            found = worst and again._closer([tables[0], table], worst, sample)
            return found and found._replace(in_float64=name)
        promised = self._promised(tables[-1])
        return promised and Looked(tables[0], promised[0], {}, promised[1])

    def _table(self, cotangents: Matrix, sample: Sample, tangents: Matrix) -> Table:
        slope = glanced(sample, cotangents, self.jacobian.function.eps).slope
        moves = np.abs(cotangents) @ sample.range_of_values.T
        return self._weighed(cotangents, tangents, [], _turned(slope), moves)

    def _measure(self) -> None:
        """Measure the rounding of methods in float32, because estimates are for the worst entry."""
        for name, one in self.jacobian.pullbacks.items():
            if EPS64 < one.eps <= EPS32 and not self.jacobian.noises and name not in self.jacobian.measured:
                scatter = Scatter(
                    self.jacobian, name, one.eps, thresholds.WORST_IF_COARSE, MULTIPLE, by_entry=True
                )
                self.jacobian = replace(self.jacobian, measured={**self.jacobian.measured, name: scatter})

    def _within(self, shape: Few, lines: Matrix) -> tuple[Matrix, Vector]:
        """Return lines as far as the domain contains both of their sides, and one into the domain for inputs
        at its edge.

        There may be no rows of the former, and no coordinate that moves along the latter.
        """
        f, room = self.jacobian.function, self._reach(shape, np.fmin)
        edge = room < thresholds.AT_THE_EDGE * np.abs(lines[0])
        both = np.where(edge, 0.0, np.clip(lines, -room, room))
        length = np.fmin(np.abs(lines[0]), self._reach(shape, np.fmax))
        inward = np.where(edge, np.where(f.upper - f.point > f.point - f.lower, length, -length), 0.0)
        return both[both.any(axis=1)], inward

    def _compared(
        self, cotangents: Matrix, shape: Few, sample: Sample | None, both: Matrix, inward: Vector
    ) -> Table:
        """Compare the slopes of a sample, and one into the domain along the inputs that are at its edges."""
        f = self.jacobian.function
        if sample is not None and not inward.any():
            return self._table(cotangents, sample, both)
        noise = f.eps * np.sqrt(cotangents**2 @ f.value**2) + np.abs(cotangents) @ f.evaluation_noise
        slopes, ranges = [], []
        if sample is not None:
            seen = glanced(sample, cotangents, f.eps)
            slopes, ranges, noise = [seen.slope], [sample.range_of_values], seen.noise
        slope, moved = self.jacobian.inward(inward, shape, cotangents, noise)
        slopes.append(slope)
        value, bar = (
            np.concatenate([getattr(e, part) for e in slopes]).T for part in ("value", "uncertainty")
        )
        moves = np.abs(cotangents) @ np.concatenate([*ranges, moved[None]]).T
        sides = np.zeros(value.shape, dtype=bool)
        sides[:, -1] = True
        tangents = np.concatenate([both, inward[None]])
        return self._weighed(cotangents, tangents, [], Estimate(value, bar), moves, sides)

    def _reach(self, shape: Few, side: Callable[[Vector, Vector], Vector]) -> Vector:
        """Return how long a tangent may be by coordinate: `np.fmin` for both sides, `np.fmax` for one."""
        f = self.jacobian.function
        return thresholds.WITHIN * side(f.upper - f.point, f.point - f.lower) / shape.width

    def _weighed(
        self,
        cotangents: Matrix,
        tangents: Matrix | None,
        at: list[int],
        slope: Estimate,
        moves: Matrix,
        one_sided: Any = None,
    ) -> Table:
        """Compare slopes of shape ``(rows, columns)``: one fit stands for both kinds of differences."""
        none = np.zeros(slope.value.shape, dtype=bool)
        sides = none if one_sided is None else one_sided
        found = Differences(slope, slope, slope, slope, none, none, moves, sides, none)
        exact = {name: self.jacobian.rows(name, cotangents) for name in self.jacobian.pullbacks}
        table = weigh(Table(cotangents, tangents, at, exact, found), self.jacobian, self.tolerance, False)
        return table if tangents is None else _seen_once(table, sides, self.tolerance.sensitivity)

    # -- where it is wrong ---------------------------------------------------------------------------

    def _closer(self, tables: list[Table], line: Line, sample: Sample) -> Looked | None:
        """Follow a line to an entry, and look at it again; None unless values contradict it twice."""
        u = tables[-1].cotangents[line.row]
        if self.brief:
            wrong = self._is_wrong_nearby(line.name, u, line.tangent, sample)
            return Looked(tables[0], tables[-1], {line.name: Standing(wrong=True)}) if wrong else None
        noise = glanced(sample, None, self.jacobian.function.eps).noise
        i = self._halved(line, u, sample)
        if not line.tangent[i]:
            # Noise led to an input that is not on the line.
            return None
        alone = np.zeros(line.tangent.size)
        # Where the line stays on one side of zero, so does this.
        alone[i] = min(self.jacobian.scales[i], abs(line.tangent[i]))
        if self.jacobian.function.eps > EPS32:
            return self._closer_in_half(tables, line, sample, noise, self._snapped(alone[None])[0])
        contracted, outputs = self.jacobian.column(alone, u)
        # An output that does not move here has the same noise as elsewhere.
        unknown = np.where(outputs.still[0], BAR_OF_NOISE * noise, 0.0)
        bars = np.fmax(outputs.slope.uncertainty[0], unknown)
        bar = max(float(contracted.slope.uncertainty[0, 0]), float(np.linalg.norm(u * unknown)))
        slope = Estimate(contracted.slope.value[0, 0], bar)
        still = contracted.still[0, 0] and self._stands_still(i, alone, u)
        bent = contracted.kink | contracted.jump
        if not still:
            bent = bent | contracted.grainy | ~contracted.fits
        row = self.jacobian.rows(line.name, u[None])
        if bent[0, 0] or not self._is_against(row, alone, slope):
            return None
        column = Estimate(outputs.slope.value[0] / alone[i], bars / alone[i])
        return self._named(tables, line, sample, noise, alone, column)

    def _stands_still(self, i: int, alone: Vector, u: Vector) -> bool:
        """Whether an output that does not move along an input does not move over a step of one either.

        It may also seem constant where its terms cancel, which hides a small slope, and below its grain.
        """
        wide = np.where(alone != 0, max(1.0, float(self.jacobian.scales[i])), 0.0)
        contracted, _ = self.jacobian.column(wide, u)
        claimed = max(
            abs(float(self.jacobian.rows(name, u[None]).value[0, i])) for name in self.jacobian.pullbacks
        )
        return bool(contracted.still[0, 0]) and claimed * wide[i] > thresholds.ULP_OF_HIDDEN_TERMS

    def _closer_in_half(
        self, tables: list[Table], line: Line, sample: Sample, noise: Vector, alone: Vector
    ) -> Looked | None:
        """Look at one input of a function with values in half precision, with the widest window."""
        u, i = tables[-1].cotangents[line.row], int(np.flatnonzero(alone)[0])
        row, found = self.jacobian.rows(line.name, u[None]), self.jacobian.sample(alone[None], HALF)
        contracted = glanced(
            found, u[None], self.jacobian.function.eps, np.atleast_1d(np.linalg.norm(u * noise))
        )
        slope = Estimate(contracted.slope.value[0, 0], contracted.slope.uncertainty[0, 0])
        if not self._is_against(row, alone, slope):
            return None
        outputs = glanced(found, None, self.jacobian.function.eps, noise).slope
        column = Estimate(outputs.value[0] / alone[i], outputs.uncertainty[0] / abs(alone[i]))
        return self._named(tables, line, sample, noise, alone, column)

    def _named(
        self, tables: list[Table], line: Line, sample: Sample, noise: Vector, alone: Vector, column: Estimate
    ) -> Looked | None:
        """Name the wrong entries of a column, and look at it at a point nearby."""
        u, i = tables[-1].cotangents[line.row], int(np.flatnonzero(alone)[0])
        first, entries = tables[0], self._entries(line, i, column, u, noise, sample.shape)
        wrong = entries is not None and self._is_wrong_nearby(line.name, u, alone, sample)
        if entries is None or not entries.disagrees:
            return None
        return Looked(first, entries, {line.name: Standing(wrong=True)} if wrong else {})

    def _halved(self, line: Line, u: Vector, sample: Sample) -> int:
        """Return the coordinate with most of a line's error, by halving, in ``log2(n)`` slopes."""
        row = self.jacobian.rows(line.name, u[None]).value[0]
        start, stop, gap = 0, line.tangent.size, line.gap
        while stop - start > 1:
            middle = (start + stop) // 2
            half = np.zeros_like(line.tangent)
            half[start:middle] = line.tangent[start:middle]
            found = glanced(self.jacobian.sample(half[None], _short(sample.shape)), u[None], EPS64).slope
            # A gradient that is not finite there accounts for all of the error.
            mine = float(found.value[0, 0] - row @ half)
            if not np.isfinite(mine) or abs(mine) >= abs(gap - mine):
                stop, gap = middle, mine
            else:
                start, gap = middle, gap - mine
        return start

    def _is_against(self, row: Estimate, tangent: Vector, slope: Estimate) -> bool:
        """Whether a slope contradicts a gradient, with a bar that is small compared with the difference."""
        if np.count_nonzero(tangent) == 1:
            # One entry may be the worst one.
            row = replace(row, scatter=None)
        claimed = row.along(tangent[None])
        mine, bar = float(claimed.value[0, 0]), float(claimed.uncertainty[0, 0])
        gap = abs(mine - float(slope.value)) if np.isfinite(mine) else np.inf
        size = max(abs(float(slope.value)), abs(mine) if np.isfinite(mine) else 0.0)
        t = self.tolerance
        allowed = float(slope.uncertainty) + (bar if np.isfinite(bar) else 0.0)
        allowed += t.atol + t.tiny + t.rtol * size
        half = self.jacobian.function.eps > EPS32
        telling = thresholds.TELLING_IF_COARSE if half else thresholds.TELLING_BAR
        return gap > allowed and float(slope.uncertainty) <= telling * gap

    def _entries(
        self, line: Line, i: int, column: Estimate, u: Vector, noise: Vector, shape: Few
    ) -> Table | None:
        """Look at entries of a wrong column and at random others, which may be wrong in the same way."""
        f, rng = self.jacobian.function, self.along.rng
        # Half of them from the same input, which may be wrong as a whole.
        leaf, half = f.inputs.leaf_of(i), (thresholds.DRAWN_NEXT_TO_IT + 1) // 2
        # Inputs at an edge have only one side.
        room = self._reach(shape, np.fmin)
        within = room >= thresholds.AT_THE_EDGE * self.jacobian.scales
        drawn = [int(k) for k in rng.permutation(f.point.size) if k != i and within[k]]
        near = [k for k in drawn if leaf.start <= k < leaf.stop][:half]
        others = near + [k for k in drawn if k not in near]
        if leaf.is_complex:
            # Both parts of a number: in a conjugate one of them is wrong.
            both = [leaf.start + ((k - leaf.start) ^ part) for k in (i, *near) for part in (0, 1)]
            others = [k for k in dict.fromkeys(both) if k != i]
        others = others[: thresholds.DRAWN_NEXT_TO_IT]
        tangents = np.zeros((len(others), f.point.size))
        tangents[np.arange(len(others)), others] = scales = np.fmin(self.jacobian.scales, room)[others]
        values, bars = [column.value], [column.uncertainty]
        moves = [np.abs(column.value)]
        if others:
            sample = self.jacobian.sample(tangents, _short(shape))
            found = glanced(sample, None, f.eps, noise).slope
            values += list(found.value / scales[:, None])
            bars += list(found.uncertainty / scales[:, None])
            moves += list(sample.range_of_values / scales[:, None])
        wrong, searched = self._wrong_output(line.name, i, column, u)
        if wrong is None:
            return None
        # The output that moves most with each of the others.
        rows = [wrong, *(int(np.argmax(np.abs(u * v))) for v in values[1:])]
        rows = list(dict.fromkeys(rows[:1] if searched else rows))
        units = np.zeros((len(rows), f.outputs.size))
        units[np.arange(len(rows)), rows] = 1.0
        value, bar, moved = (np.stack(part)[:, rows].T for part in (values, bars, moves))
        reach = moved * self.jacobian.scales[[i, *others]]
        return self._weighed(units, None, [i, *others], Estimate(value, bar), reach)

    def _wrong_output(self, name: str, i: int, column: Estimate, u: Vector) -> tuple[int | None, bool]:
        """Return an output whose derivative with respect to a coordinate is wrong.

        The second part says whether it took halving. It is the output that moves most, or is found by
        halving, in ``log2(m)`` backward passes.
        """
        start, stop = 0, u.size
        most = int(np.argmax(np.abs(u * np.where(np.isfinite(column.value), column.value, 0.0))))
        if self._differs(name, i, column, _unit(most, u.size)):
            return most, False
        row = self.jacobian.rows(name, u[None]).value[0, i]
        gap = float(u @ column.value - row)
        while stop - start > 1:
            middle = (start + stop) // 2
            half = np.zeros(u.size)
            half[start:middle] = u[start:middle]
            mine = float(half @ column.value - self.jacobian.rows(name, half[None]).value[0, i])
            if not np.isfinite(mine) or abs(mine) >= abs(gap - mine):
                stop, gap = middle, mine
            else:
                start, gap = middle, gap - mine
        return (start if self._differs(name, i, column, _unit(start, u.size)) else None), True

    def _differs(self, name: str, i: int, column: Estimate, unit: Vector) -> bool:
        slope = Estimate(unit @ column.value, unit @ column.uncertainty)
        return self._is_against(self.jacobian.rows(name, unit[None]), _unit(i, self._size), slope)

    @property
    def _size(self) -> int:
        """The number of coordinates."""
        return self.jacobian.function.point.size

    # -- around it -----------------------------------------------------------------------------------

    def _is_wrong_nearby(self, name: str, u: Vector, tangent: Vector, sample: Sample) -> bool:
        """Whether values contradict the method along a line at a point nearby, with the noise of a sample.

        What looks wrong at a tie or a kink is right nearby.
        """
        f, rng, shape = self.jacobian.function, self.along.rng, sample.shape
        if shape is not FINE and shape is not HALF:
            shape = replace(shape, levels=shape.levels[:3])
        with contextlib.suppress(Exception):
            # Half precision resolves nothing in a window that is shorter than the distance.
            far, length = (thresholds.NEARBY[0], thresholds.NEARBY[0] * thresholds.SHORT_OF_THE_POINT)
            if shape is HALF:
                far, length = 1.0, 1.0
            step = far * self.jacobian.direction(rng) * rng.uniform(0.5, 1.0, f.point.size)
            point = f.rounded(np.clip(f.point + step, f.lower, f.upper)[None])[0]
            there = self.jacobian.at(point)
            if there is None:
                return False
            there = replace(there, pullbacks={name: self.moved(name, point)})
            line = length * tangent
            noise = glanced(sample, u[None], f.eps).noise
            found = glanced(there.sample(line[None], shape), u[None], f.eps, noise).slope
            slope = Estimate(found.value[0, 0], found.uncertainty[0, 0])
            return self._is_against(there.rows(name, u[None]), line, slope)
        return False


def _worst_line(table: Table) -> Line | None:
    """Return the line with two sides on which a method is farthest from values; None where none is."""
    assert table.tangents is not None
    assert table.differences is not None
    worst, found = 0.0, None
    # With an oracle in a coarse dtype values do not count, but they show where the error is.
    uncounted = [c for c in table.comparisons if not (c.entrywise or c.counts or c.b == ORACLE)]
    for c in (*table.measured, *(uncounted if table.disagrees else ())):
        apart = c.disagree & ~table.differences.one_sided
        ratio = np.nan_to_num(np.where(apart, margins(c.difference, c.tolerance), 0.0), posinf=1e300)
        if ratio.max() > worst:
            row, column = divmod(int(np.argmax(ratio)), ratio.shape[1])
            gap = float(c.left.value[row, column] - c.right.value[row, column])
            worst, found = float(ratio.max()), Line(c.b, row, table.tangents[column], gap)
    return found


def _seen_once(table: Table, one_sided: Any, sensitivity: float) -> Table:
    """Return the table with every projection resolved whose entries another one resolves.

    Lines go through all inputs, those at the edge of the domain apart from the others, and cotangents through
    all outputs. An error of a few times the promised one may hide in one sum if it cannot in the next. A
    one-sided fit amplifies noise: entries that it does not resolve are counted as not checked, see `unseen`.
    """
    assert table.tangents is not None
    out = []
    for c in table.comparisons:
        known = c
        if c.counts and not c.entrywise:
            share = np.abs(table.exact[c.b].value[:, None, :] * table.tangents).max(axis=2)
            # The effect of a kink on a line is far larger.
            vague = c.tolerance <= thresholds.VAGUE * sensitivity * share
            for group, clear in ((one_sided, vague), (~one_sided, c.resolved)):
                if (group & clear).any():
                    there = group & vague & ~c.resolved & ~c.disagree
                    known = known.excuse("seen_along_another_line", there, resolved=True)
        out.append(known)
    return replace(table, comparisons=tuple(out))


def _right_in_float64(table: Table) -> Table:
    """Treat the remaining disagreement as rounding, since the gradient is right in float64."""
    return replace(
        table,
        comparisons=tuple(
            c.excuse("right_in_float64", c.disagree, tolerance=np.fmax(c.tolerance, 2 * c.difference))
            for c in table.comparisons
        ),
    )


def _short(shape: Few) -> Few:
    """Return the window for slopes whose noise is known or was measured."""
    return (
        shape
        if shape is FINE or shape is HALF
        else replace(shape, levels=shape.levels[[0, 2]], odd=2, even=1)
    )


def _turned(slope: Estimate) -> Estimate:
    return Estimate(slope.value.T, slope.uncertainty.T)


def _unit(k: int, size: int) -> Vector:
    out = np.zeros(size)
    out[k] = 1.0
    return out
