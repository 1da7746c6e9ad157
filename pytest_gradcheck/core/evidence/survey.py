"""How much of a Jacobian is looked at, and how closely: little at first, more where there is doubt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pytest_gradcheck.core.evidence.jacobian import Jacobian, random_signs
from pytest_gradcheck.core.evidence.locate import ENTRYWISE, MOST, one_wrong_entry, wrong_columns, wrong_rows
from pytest_gradcheck.core.evidence.looks import clear_case, fill
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.frameworks.flat import Matrix

#: Up to this many inputs and outputs ``mode="auto"`` looks at every entry from the start; beyond it
#: two random projections come first, at a cost that does not grow with the number of entries.
SMALL = 8

#: Up to this many a gradient that is clearly wrong is looked at entry by entry, by the short ladder.
CLEAR = 256

#: How often a large problem is searched for wrong entries, a few at a time, before nobody can tell.
ROUNDS = 16

#: Random projections of a first look; each error has that many chances not to cancel.
DIRECTIONS = 2


class Projections(NamedTuple):
    """The cotangents of a first look along random lines, and what goes on to draw the tangents."""

    cotangents: Matrix
    rng: np.random.Generator


def projections(options: Options, n: int, m: int, seed: int) -> Projections | None:
    """Draw the cotangents of a first look at ``n`` inputs and ``m`` outputs; None if it is at all entries."""
    few = ENTRYWISE if options.thorough else SMALL
    small = n <= few and m <= few
    if options.mode == "full" or options.step or (options.mode == "auto" and small):
        return None
    rng = np.random.default_rng(seed)
    return Projections(np.ones((1, 1)) if m == 1 else random_cotangents(rng, m), rng)


class Inspection:
    """One Jacobian, looked at as much as it takes: ``first`` is the table of the first look.

    ``along`` are the projections that it begins with, None for every entry.
    """

    def __init__(self, jacobian: Jacobian, options: Options, along: Projections | None):
        self._jacobian = jacobian
        self._options = options
        self._tolerance = options.tolerance
        self._shape = jacobian.function.inputs.size, jacobian.function.outputs.size
        self._suspect: tuple[int, int] | None = None
        self.first = self._first_look(along)

    def suspects(self) -> bool:
        """Whether one entry looks wrong, where one is all that is asked for; the close look begins there."""
        if self._options.brief:
            self._suspect = one_wrong_entry(self._jacobian, self._tolerance, self.first)
        return self._suspect is not None

    def _first_look(self, along: Projections | None) -> Table:
        """Look at all of a small Jacobian, and at two random projections of a large one."""
        n, m = self._shape
        jacobian, tolerance = self._jacobian, self._tolerance
        if along is None:
            return fill(jacobian, tolerance, np.eye(m), coordinates=list(range(n)))
        tangents = np.stack([jacobian.direction(along.rng) for _ in range(DIRECTIONS)])
        cotangents = along.cotangents * jacobian.output_weights
        return fill(jacobian, tolerance, cotangents, tangents=tangents)

    def entries(self) -> Table | None:
        """Look at all entries by the short ladder, where that may tell or will be needed, else None."""
        n, m = self._shape
        if not self.first.projected:
            return self.first
        if max(n, m) <= (CLEAR if self.first.disagrees else ENTRYWISE):
            return fill(self._jacobian, self._tolerance, np.eye(m), coordinates=list(range(n)))
        return None

    def by_long_ladder(self, entries: Table | None) -> Table | None:
        """Look at all entries by the long ladder, where all of them are looked at at all.

        Most doubt is that of the short ladder, whose steps are wide beside a zero or a number that is small
        beside others. Where the long one has none, rounding in float64 need not be measured, which takes four
        times as long. In coarser dtypes what agrees may do so by luck.
        """
        n, m = self._shape
        if entries is None or entries.settled or (self.first.projected and max(n, m) > ENTRYWISE):
            return entries
        every = list(range(n))
        return fill(
            self._jacobian, self._tolerance, np.eye(m), coordinates=every, thorough=True, before=entries
        )

    def clear_case(self, entries: Table | None) -> Table | None:
        """Return a table in which one method is wrong beyond doubt, or None if it is not so."""
        jacobian, tolerance, first = self._jacobian, self._tolerance, self.first
        if entries is not None:
            return clear_case(jacobian, tolerance, entries)
        if not any(first.entrywise(c) and c.agree is False for c in first.evidence):
            return None
        # Where two exact methods differ most.
        columns = wrong_columns(jacobian, tolerance, first)
        part = fill(jacobian, tolerance, first.cotangents, coordinates=columns)
        clear = clear_case(jacobian, tolerance, part)
        if clear is None:
            return None
        close = self._at_single_outputs(clear, thorough=False)
        # A backward that is not linear may be right for the cotangents of single outputs.
        return clear if close.clearly_wrong()[0] is None else close

    def close_look(self, entries: Table | None) -> Table:
        """Look at entries: all of them where that can be paid, else those that cause the doubt.

        ``entries`` is a table of all of them by the short ladder, if there is one.
        """
        n, m = self._shape
        jacobian, tolerance, first = self._jacobian, self._tolerance, self.first
        if self._suspect is not None:
            row, column = self._suspect
            close = fill(jacobian, tolerance, np.eye(m)[row : row + 1], coordinates=[column], thorough=True)
            if close.disagrees:
                return close
        if not first.projected or (n <= ENTRYWISE and m <= ENTRYWISE):
            every = list(range(n))
            return fill(jacobian, tolerance, np.eye(m), coordinates=every, thorough=True, before=entries)
        table = fill(jacobian, tolerance, first.cotangents, tangents=first.tangents, thorough=True)
        cleared: set[int] = set()
        for _ in range(ROUNDS):
            found = wrong_columns(jacobian, tolerance, table) if table.disagrees else []
            columns = [i for i in found if i not in cleared]
            if not columns:
                break
            close = fill(jacobian, tolerance, first.cotangents, coordinates=columns, thorough=True)
            if close.disagrees:
                close = self._at_single_outputs(close, thorough=True)
            if close.disagrees:
                return close
            cleared.update(columns)
            table.clear(columns)
        # What still disagrees does so in a sum, and in no entry that was found: nobody can tell.
        table.withdraw()
        return table

    def _at_single_outputs(self, table: Table, *, thorough: bool) -> Table:
        """Look at the same columns output by output: at all, or at those found by bisection."""
        jacobian, tolerance, m = self._jacobian, self._tolerance, self._shape[1]
        rows = list(range(m))
        if m > ENTRYWISE:
            # One wrong column alone has all its outputs shown; several have one each, lest the output by
            # which the first of them is wrong make it the only one.
            worst = table.worst_coordinate()
            others = [i for i in table.wrong_coordinates() if i != worst][: MOST - 1]
            rows = wrong_rows(jacobian, tolerance, worst)
            rows += [row for i in others for row in wrong_rows(jacobian, tolerance, i, most=1)]
            rows = list(dict.fromkeys(rows))
        if not rows:
            return table
        units = np.zeros((len(rows), m))
        units[np.arange(len(rows)), rows] = 1.0
        return fill(jacobian, tolerance, units, coordinates=table.coordinates, thorough=thorough)


def random_cotangents(rng: np.random.Generator, m: int) -> Matrix:
    """Draw signed cotangents, away from zero: nothing cancels by design, and no entry is left out."""
    return np.asarray(random_signs(rng, (DIRECTIONS, m)) * rng.uniform(0.5, 1.5, (DIRECTIONS, m)))
