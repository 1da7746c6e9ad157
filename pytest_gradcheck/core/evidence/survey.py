"""How much of a Jacobian is compared, and how closely: little at first, more on doubt.

`Survey` decides how much. `compare_block` is one look at rows and columns. `Survey.wrong_columns` and
`Survey.wrong_rows` find the wrong ones in O(log n) evaluations, by halving first the inputs and then the
outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.allowances import BELOW_ROUNDING, noticeable, weigh
from pytest_gradcheck.core.evidence.compare import margins
from pytest_gradcheck.core.evidence.jacobian import Jacobian, combined, random_cotangents, with_part
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Options, Tolerance
from pytest_gradcheck.frameworks.flat import Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.methods.roles import ENGINE


class Projections(NamedTuple):
    """The cotangents of a first look along random lines, and the generator that draws the tangents."""

    cotangents: Matrix
    rng: np.random.Generator


def projections(
    options: Options, n: int, m: int, seed: int, few: int = thresholds.SMALL
) -> Projections | None:
    """Draw the cotangents of a first look at ``n`` inputs and ``m`` outputs; None if it covers all entries.

    It does for at most ``few`` of each.
    """
    few = thresholds.ENTRYWISE if options.thorough else few
    if options.mode == "full" or options.step or (options.mode == "auto" and max(n, m) <= few):
        return None
    rng = np.random.default_rng(seed)
    return Projections(np.ones((1, 1)) if m == 1 else random_cotangents(rng, m), rng)


def first_look(jacobian: Jacobian, tolerance: Tolerance, along: Projections | None) -> Survey:
    """Compare all of a small Jacobian, or two random projections of a large one.

    ``along`` are the projections, None for every entry.
    """
    f = jacobian.function
    if along is None:
        table = compare_block(
            jacobian, tolerance, np.eye(f.outputs.size), coordinates=[*range(f.inputs.size)]
        )
    else:
        tangents = np.stack([jacobian.direction(along.rng) for _ in range(thresholds.DIRECTIONS)])
        cotangents = along.cotangents * jacobian.output_weights
        table = compare_block(jacobian, tolerance, cotangents, tangents=tangents)
    return Survey(jacobian, tolerance, table)


@dataclass(frozen=True, eq=False)
class Survey:
    """One Jacobian, compared as closely as necessary: ``first`` is the table of the first look.

    ``suspect`` is the output and the coordinate of an entry that looks wrong, if a single entry is enough;
    the close look begins there.
    """

    jacobian: Jacobian
    tolerance: Tolerance
    first: Table
    suspect: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of inputs and outputs."""
        return self.jacobian.function.inputs.size, self.jacobian.function.outputs.size

    def without(self, name: str) -> Survey:
        """Return the same without one exact method."""
        return replace(self, jacobian=self.jacobian.without(name))

    def promising(self, tolerance: Tolerance) -> Survey:
        """Return the same with another tolerance."""
        first = weigh(replace(self.first, comparisons=()), self.jacobian, tolerance, False)
        return replace(self, tolerance=tolerance, first=first)

    def in_plain_float64(self) -> tuple[Table | None, Table | None]:
        """Compare all entries without measured rounding: the closest table, and one that may decide.

        Either may be None. Most doubt comes from the short ladder, whose steps are wide next to a zero or a
        number that is small compared with others. If the long one has none, rounding need not be measured,
        which takes four times as long. In coarser dtypes agreement may be luck.
        """
        size, first = max(self.shape), self.first
        short = first if first.tangents is None else None
        if short is None and size <= (thresholds.CLEAR if first.disagrees else thresholds.ENTRYWISE):
            short = self._entries()
        final = self._beyond_doubt(short)
        if final is not None or any(p.eps > EPS64 for p in self.jacobian.pullbacks.values()):
            return short, final
        long, few = short, first.tangents is None or size <= thresholds.ENTRYWISE
        if short is not None and few and not short.settled:
            long = self._entries(thorough=True, before=short)
        return long, long if long is not None and long.unanimous else None

    def _look(self, cotangents: Matrix, columns: list[int], **how: Any) -> Table:
        return compare_block(self.jacobian, self.tolerance, cotangents, coordinates=columns, **how)

    def _entries(self, **how: Any) -> Table:
        return self._look(np.eye(self.shape[1]), list(range(self.shape[0])), **how)

    def _beyond_doubt(self, entries: Table | None) -> Table | None:
        """Return a table in which one method is wrong beyond doubt, or None."""
        if entries is not None:
            return wrong_beyond_doubt(self.jacobian, self.tolerance, entries)
        if not any(c.entrywise and c.agree is False for c in self.first.evidence):
            return None
        # Where two exact methods differ most.
        part = self._look(self.first.cotangents, self.wrong_columns(self.first))
        clear = wrong_beyond_doubt(self.jacobian, self.tolerance, part)
        if clear is None:
            return None
        close = self._at_single_outputs(clear, thorough=False)
        # A backward that is not linear may be right for the cotangents of single outputs.
        return clear if close.clearly_wrong()[0] is None else close

    def close_look(self, entries: Table | None) -> Table:
        """Compare entries: all of them if that is affordable, else those that cause the doubt.

        ``entries`` is a table of all of them by the short ladder, if there is one.
        """
        first = self.first
        if self.suspect is not None:
            row, column = self.suspect
            close = self._look(np.eye(1, self.shape[1], row), [column], thorough=True)
            if close.disagrees:
                return close
        if first.tangents is None or max(self.shape) <= thresholds.ENTRYWISE:
            return self._entries(thorough=True, before=entries)
        table = self._look(first.cotangents, [], tangents=first.tangents, thorough=True)
        cleared: set[int] = set()
        for _ in range(thresholds.ROUNDS):
            found = self.wrong_columns(table) if table.disagrees else []
            columns = [i for i in found if i not in cleared]
            if not columns:
                break
            close = self._look(first.cotangents, columns, thorough=True)
            if close.disagrees:
                close = self._at_single_outputs(close, thorough=True)
            if close.disagrees:
                return close
            cleared.update(columns)
            drowned = any(BELOW_ROUNDING in dict(c.excused) for c in close.evidence)
            table = table.cleared(columns, BELOW_ROUNDING if drowned else "cleared")
        # The remaining disagreement is in a sum and in no entry that was found: that is doubt.
        return table.withdrawn()

    def _at_single_outputs(self, table: Table, *, thorough: bool) -> Table:
        """Compare the same columns output by output: all outputs, or those found by bisection."""
        m = self.shape[1]
        rows = list(range(m))
        if m > thresholds.ENTRYWISE:
            # One wrong column alone has all its outputs shown; several have one each, lest the output by
            # which the first of them is wrong make it the only one.
            worst = table.worst_coordinate()
            others = [i for i in table.wrong_coordinates() if i != worst][: thresholds.MOST - 1]
            rows = self.wrong_rows(worst) + [row for i in others for row in self.wrong_rows(i, most=1)]
            rows = list(dict.fromkeys(rows))
        if not rows:
            return table
        units = np.zeros((len(rows), m))
        units[np.arange(len(rows)), rows] = 1.0
        return self._look(units, table.coordinates, thorough=thorough)

    # -- where it is wrong ---------------------------------------------------------------------------

    def at_one_entry(self) -> Survey:
        """Return the same with the entry that looks most wrong at the first look as its suspect, if any.

        There is none if differences contradict every method: only all entries show whether they measure
        anything there (at ties they do not).
        """
        table, m = self.first, self.shape[1]
        contradicted = {c.b for c in table.evidence if c.agree is False and not c.entrywise}
        if not table.disagrees or (len(table.exact) > 1 and contradicted >= set(table.exact)):
            return self
        if table.tangents is not None:
            columns = self.wrong_columns(table)[:1]
            if columns and m > thresholds.ENTRYWISE:
                rows = self.wrong_rows(columns[0])
                return replace(self, suspect=(rows[0], columns[0]) if rows else None)
            if not columns or not (table := self._look(np.eye(m), columns)).disagrees:
                return self
        column = table.worst_coordinate()
        return replace(self, suspect=(table.worst_row(column), column))

    def wrong_columns(self, table: Table) -> list[int]:
        """Return the coordinates on which the methods of a table of projections disagree, at most four.

        Where differences had to find them, and four were not all, some that were drawn follow: they show
        whether everything is wrong or only what the search found.
        """
        worst: list[int] = []
        for c in table.evidence:
            if c.entrywise and c.disagree.any():
                ratio = np.where(c.disagree, margins(c.difference, c.tolerance), 0.0).max(axis=0)
                worst += [int(i) for i in np.argsort(-ratio)[: thresholds.MOST] if ratio[i] > 0]
        if worst or table.tangents is None:
            return list(dict.fromkeys(worst))[: thresholds.MOST]
        inputs = self.jacobian.function.inputs
        for c in table.evidence:
            if c.a in DIFFERENCE_METHODS and c.disagree.any():
                row, k = (int(i) for i in np.argwhere(c.disagree)[0])
                found = bisect(inputs.size, self._projection_is_wrong(table, c.b, row, table.tangents[k]))
                if len(found) < thresholds.MOST:
                    return found
                rng, each = np.random.default_rng(inputs.size), thresholds.BESIDE_EACH
                drawn = [rng.integers(leaf.start, leaf.stop, each) for leaf in inputs.leaves if leaf.size]
                drawn.append(rng.integers(0, inputs.size, thresholds.BESIDE))
                beside = dict.fromkeys(int(i) for i in rng.permutation(np.concatenate(drawn)))
                return found + [i for i in beside if i not in found][: thresholds.BESIDE]
        return []

    def _projection_is_wrong(
        self, table: Table, exact: str, row: int, tangent: Vector
    ) -> Callable[[Vector], bool]:
        part, whole = slice(row, row + 1), table.exact[exact]
        scatter = None if whole.scatter is None else whole.scatter[part]
        gradient = Estimate(whole.value[part], whole.uncertainty[part], scatter)

        def is_wrong(mask: Vector) -> bool:
            line = mask * tangent
            d = self.jacobian.along(line, table.cotangents[part], thorough=False).central
            summed = gradient.along(line[None])
            allowed = self.tolerance.rtol * np.max(np.abs(gradient.value * line), initial=0.0)
            allowed += d.uncertainty[0, 0] + summed.uncertainty[0, 0]
            return bool(abs(d.value[0, 0] - summed.value[0, 0]) > allowed)

        return is_wrong

    def wrong_rows(self, coordinate: int, *, most: int = thresholds.MOST) -> list[int]:
        """Return up to ``most`` outputs whose derivative with respect to one coordinate is in dispute."""
        jacobian, measured = self.jacobian, None
        # An output is found for free if there are two exact methods, else by a few steps.
        if jacobian.differences and (most > 1 or len(jacobian.pullbacks) < 2):
            measured = jacobian.columns([coordinate], None, thorough=most > 1).central

        def is_wrong(mask: Vector) -> bool:
            rows = [jacobian.rows(name, mask[None]) for name in jacobian.pullbacks]
            numbers = [float(r.value[0, coordinate]) for r in rows]
            bars = [float(r.uncertainty[0, coordinate]) for r in rows]
            if measured is not None and np.isfinite(measured.uncertainty).all():
                numbers.append(float(mask @ measured.value[:, 0]))
                bars.append(float(mask @ measured.uncertainty[:, 0]))
            size = max(abs(v) for v in numbers)
            return max(numbers) - min(numbers) > sum(bars) + self.tolerance.rtol * size

        return bisect(self.shape[1], is_wrong, most=most)


# -- one look ----------------------------------------------------------------------------------------


def compare_block(
    jacobian: Jacobian,
    tolerance: Tolerance,
    cotangents: Matrix,
    *,
    tangents: Matrix | None = None,
    coordinates: list[int] | None = None,
    thorough: bool = False,
    before: Table | None = None,
) -> Table:
    """Compute the same rows and columns by every method, and compare.

    With ``thorough``, the columns that a short ladder of steps leaves in doubt get the long one, and a
    difference must be outside of three error bars to count. Differences in ``before``, a table of the same
    columns, are reused if the rows are the same too.
    """
    at = coordinates or []
    exact = {name: jacobian.rows(name, cotangents) for name in jacobian.pullbacks}
    if before is not None and not np.array_equal(before.cotangents, cotangents):
        before = None
    found = None
    if jacobian.differences and tangents is not None:
        found = jacobian.along(tangents, cotangents, thorough=thorough)
    elif jacobian.differences:
        found = before.differences if before else jacobian.columns(at, cotangents, thorough=False)
    seen = Table(cotangents, tangents, at, exact, found, refined=before.refined if before else frozenset())
    table = weigh(seen, jacobian, tolerance, thorough, thresholds.ZERO_BAR if seen.refined else 0.0)
    if thorough and found is not None and tangents is None:
        doubtful = [k for k in table.doubtful_columns() if k not in table.refined]
        return _refined(table, jacobian, tolerance, doubtful) if doubtful else table
    return table


def recompare(table: Table, jacobian: Jacobian, tolerance: Tolerance) -> Table:
    """Return the table of a thorough look with the current error bars of the exact methods."""
    exact = {name: jacobian.rows(name, table.cotangents) for name in table.exact}
    zero_bar = thresholds.ZERO_BAR if table.refined else 0.0
    return weigh(replace(table, exact=exact, comparisons=()), jacobian, tolerance, True, zero_bar)


def wrong_beyond_doubt(jacobian: Jacobian, tolerance: Tolerance, table: Table) -> Table | None:
    """Return the table with one method wrong beyond doubt, or None.

    Most wrong gradients have large errors. If the long ladder confirms that in some columns, the others do
    not need it, and rounding need not be measured.
    """
    name, bad = table.clearly_wrong()
    if name is None or jacobian.pullbacks[name].eps > EPS64 or name == ENGINE:
        return None
    central = next(c for c in table.evidence if (c.a, c.b) == ("central", name))
    columns = np.flatnonzero(bad.any(axis=0))
    worst = np.argmax(np.where(bad, margins(central.difference, central.tolerance), 0.0).max(axis=0))
    some = sorted({int(worst), int(columns[0]), int(columns[-1])})
    close = _refined(table, jacobian, tolerance, some)
    again, still = close.clearly_wrong()
    return close if again == name and bool(still[:, some].any(axis=0).all()) else None


def _refined(table: Table, jacobian: Jacobian, tolerance: Tolerance, columns: list[int]) -> Table:
    """Use the long ladder for some columns of a table."""
    assert table.differences is not None
    at = [table.coordinates[k] for k in columns]
    close = jacobian.columns(at, table.cotangents, thorough=True)
    found = combined(with_part((slice(None), columns)), table.differences, close)
    refined = table.refined | frozenset(columns)
    asked = replace(table, differences=found, comparisons=(), refined=refined)
    return weigh(asked, jacobian, tolerance, True, thresholds.ZERO_BAR)


def bisect(size: int, is_wrong: Callable[[Vector], bool], *, most: int = thresholds.MOST) -> list[int]:
    """Return up to ``most`` indices below ``size`` that are individually wrong.

    ``is_wrong(mask)`` tells whether a set of entries, a float mask of zeros and ones of shape
    ``(size,)``, gives a wrong sum. A set that is wrong is halved until one entry is left; about
    ``2 · most · log2(size)`` calls.
    """
    found: list[int] = []
    pending = [(0, size)]
    while pending and len(found) < most:
        start, stop = pending.pop()
        mask = np.zeros(size)
        mask[start:stop] = 1.0
        if not is_wrong(mask):
            continue
        if stop - start == 1:
            found.append(start)
            continue
        middle = (start + stop) // 2
        pending += [(middle, stop), (start, middle)]
    return found


def unseen(table: Table, jacobian: Jacobian, sensitivity: float) -> Any:
    """Mark the inputs in whose entries the projections may have missed an error of the promised size.

    Their share is smaller than the error bar of every sum that they are in. Where two exact methods agree,
    which are compared entry by entry, there are none.
    """
    assert table.tangents is not None
    if any(c.entrywise and c.agree for c in table.evidence):
        return np.zeros(jacobian.function.point.size, dtype=bool)
    inputs = jacobian.function.inputs
    hidden = np.zeros(inputs.size, dtype=bool)
    for name, estimate in table.exact.items():
        size = np.abs(estimate.value)
        # A zero is measured relative to its input's largest entry, as everywhere.
        size = np.where(size > 0, size, leafwise(inputs, size, 1.0))
        size = np.where(size > 0, size, noticeable(table.cotangents, jacobian))
        seen = np.zeros(inputs.size, dtype=bool)
        for c in table.evidence:
            if c.b == name and not c.entrywise:
                for row, column in np.ndindex(c.tolerance.shape):
                    share = size[row] * np.abs(table.tangents[column])
                    seen |= sensitivity * share > c.tolerance[row, column]
        hidden |= ~seen
    return hidden


def least_seen(table: Table, jacobian: Jacobian) -> float:
    """Return the smallest error that the projections of coarse dtypes detect in every entry.

    It is a share of the largest entry of an input's gradient: smaller entries drown in rounding.
    """
    assert table.tangents is not None
    inputs, seen = (
        jacobian.function.inputs,
        {name: np.full(jacobian.function.point.size, np.inf) for name in table.exact},
    )
    for c in table.evidence:
        if c.b in seen and not c.entrywise:
            size = leafwise(inputs, np.abs(table.exact[c.b].value), 1.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                share = c.tolerance[:, :, None] / (size[:, None] * np.abs(table.tangents))
            seen[c.b] = np.fmin(seen[c.b], share.min(axis=(0, 1)))
    return float(max((known.max(initial=0.0) for known in seen.values()), default=np.inf))


def bends(table: Table, jacobian: Jacobian, sensitivity: float, seed: int) -> bool:
    """Whether differences alone show that no gradient can be right in the rows on which methods disagree.

    A derivative is linear: its slope along a line is the sum of those by single inputs (on the side that the
    line goes to). At a tie it is not: the middle of three equal numbers moves with none of them alone. This
    does not excuse a rule that is wrong where the function is smooth.
    """
    d = table.differences
    if d is None or table.tangents is not None:
        return False
    apart = np.zeros(len(table.cotangents), dtype=bool)
    for c in table.evidence:
        apart |= c.disagree.any(axis=1)
    at = table.coordinates
    tangent = np.zeros(jacobian.function.point.size)
    tangent[at] = jacobian.direction(np.random.default_rng(seed))[at]
    along = jacobian.along(tangent[None], table.cotangents, thorough=True).right
    onward = tangent[at] > 0
    slopes = np.where(onward, d.right.value, d.left.value) * tangent[at]
    bars = np.where(onward, d.right.uncertainty, d.left.uncertainty) * np.abs(tangent[at])
    gap = np.abs(along.value[:, 0] - slopes.sum(axis=1))
    allowed = thresholds.THOROUGH_BARS * (along.uncertainty[:, 0] + bars.sum(axis=1))
    allowed += sensitivity * np.fmax(np.abs(slopes).max(axis=1, initial=0.0), np.abs(along.value[:, 0]))
    return bool((gap > allowed)[apart].all())
