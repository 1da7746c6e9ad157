"""Every method's numbers on the same rows and columns of the Jacobian, compared pair by pair."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.compare import Comparison, margins
from pytest_gradcheck.core.evidence.jacobian import Differences
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.roles import ENGINE


@dataclass(frozen=True, eq=False)
class Table:
    """Rows are cotangents; columns are coordinates, or ``tangents`` where there are any (projections).

    ``exact`` holds whole rows, shape ``(rows, inputs.size)``; ``differences`` the columns looked at.
    """

    cotangents: Matrix
    tangents: Matrix | None
    coordinates: list[int]
    exact: dict[str, Estimate]
    differences: Differences | None
    comparisons: tuple[Comparison, ...] = ()
    #: Positions of the columns that have had the long ladder.
    refined: frozenset[int] = frozenset()

    @functools.cached_property
    def evidence(self) -> tuple[Comparison, ...]:
        """The pairs that count: two differences see the same function values, and are no evidence."""
        return tuple(c for c in self.comparisons if c.counts)

    @property
    def measured(self) -> tuple[Comparison, ...]:
        """The pairs of a difference method and an exact one."""
        return tuple(c for c in self.evidence if not c.entrywise)

    @property
    def disagrees(self) -> bool:
        """Whether any pair that counts differs beyond doubt."""
        return any(c.agree is False for c in self.evidence)

    @property
    def settled(self) -> bool:
        """Whether every method has a clear answer, all of them agree, and there is no kink to look into."""
        return not self.kinks and all(c.agree is True for c in self.evidence)

    @property
    def unanimous(self) -> bool:
        """Whether every method has a clear answer, at kinks too, and all of them agree."""
        return not self.jumps and all(c.agree is True for c in self.evidence)

    @property
    def settled_rows(self) -> frozenset[bytes]:
        """The cotangents, as bytes, of the rows of entries in which every method has a clear answer."""
        open_ = np.zeros(len(self.cotangents), dtype=bool)
        for c in self.evidence:
            open_ |= (c.disagree | ~c.resolved).any(axis=1)
        if self.differences is not None:
            open_ |= (self.differences.kink | self.differences.jump).any(axis=1)
        return frozenset(u.tobytes() for u in self.cotangents[~open_])

    @property
    def backed(self) -> bool:
        """Whether every exact method is seen to agree with another method, and nothing disagrees or jumps."""
        agreeing = {name for c in self.evidence if c.agree for name in (c.a, c.b)}
        apart = any(c.agree is False for c in self.evidence)
        jumps = self.differences is not None and self.differences.jump.any()
        return not (apart or jumps) and agreeing >= set(self.exact)

    @property
    def kinks(self) -> bool:
        """Whether differences met a kink or a jump."""
        d = self.differences
        return d is not None and bool((d.kink | d.jump).any())

    def kinked(self, size: int) -> Any:
        """Mark the coordinates, of ``size`` ones, at which differences met a kink; none in projections."""
        marks = np.zeros(size, dtype=bool)
        if self.differences is not None and self.tangents is None:
            marks[self.coordinates] = self.differences.kink.any(axis=0)
        return marks

    @property
    def jumps(self) -> bool:
        """Whether the function has no derivative somewhere on the columns."""
        return self.differences is not None and bool(self.differences.jump.any())

    @property
    def agreement(self) -> dict[tuple[str, str], bool | None]:
        """Whether each pair of methods agrees."""
        return {(c.a, c.b): c.agree for c in self.comparisons}

    def without(self, name: str) -> Table:
        """Return the table without one exact method."""
        exact = {n: estimate for n, estimate in self.exact.items() if n != name}
        kept = tuple(c for c in self.comparisons if name not in (c.a, c.b))
        return replace(self, exact=exact, comparisons=kept)

    def seen(self, name: str) -> Estimate:
        """Return an exact method's rows on the columns of the table."""
        estimate = self.exact[name]
        if self.tangents is None:
            return Estimate(estimate.value[:, self.coordinates], estimate.uncertainty[:, self.coordinates])
        return estimate.along(self.tangents)

    def contradicted(self, name: str) -> bool:
        """Whether differences contradict an exact method, and back another one that they contradict nowhere.

        The other one need not be resolved in every entry: a single one that cannot be measured says nothing
        for the method that is wrong in the rest.
        """
        measured = self.measured
        apart = {c.a: c.disagree for c in measured if c.b == name and c.disagree.any()}
        return any(
            not c.disagree.any() and bool(c.resolved[apart[c.a]].any())
            for c in measured
            if c.b != name and c.a in apart
        )

    @property
    def unmeasurable(self) -> bool:
        """Whether all disagreement lies where differences contradict the engine and all others."""
        if self.tangents is not None or ENGINE not in self.exact or len(self.exact) < 2:
            return False
        measured = self.measured
        if any(c.agree for c in measured) or self.contradicted(ENGINE):
            # A method agrees with the differences: the others are wrong, however many they are.
            return False
        apart = np.zeros((len(self.cotangents), len(self.coordinates)), dtype=bool)
        for c in measured:
            if c.b == ENGINE:
                apart |= c.disagree
        # A method that gives the same slope to others of the numbers that are equal is no more wrong.
        others = [c for c in self.evidence if c.entrywise and ENGINE in (c.a, c.b)]
        shared = np.all([np.isclose(c.left.value.sum(1), c.right.value.sum(1)) for c in others], axis=0)
        apart |= (apart.any(axis=1) & shared)[:, None]
        for c in self.evidence:
            disagree = c.disagree.copy()
            disagree[:, self.coordinates if c.entrywise else slice(None)] &= ~apart
            if disagree.any():
                return False
        return bool(apart.any())

    @property
    def differences_split(self) -> bool:
        """Whether the exact methods agree with each other and with one kind of differences, but not another.

        They see the same function values: where those of a function that runs in float32 waver more than was
        measured, one kind may come out further off than its bar.
        """
        if self.tangents is not None or len(self.exact) < 2:
            return False
        backing = {c.a for c in self.measured} - {c.a for c in self.measured if not c.agree}
        return bool(backing) and all(c.agree for c in self.evidence if c.entrywise)

    def clearly_wrong(self) -> tuple[str | None, Any]:
        """Return the one method that is wrong beyond doubt, if there is one, and where: a mask.

        Another exact method agrees with central differences wherever this one is far from them, and differs
        from them nowhere. Both compute in float64, and rounding would have spoilt the one as the other. Zeros
        are no such witness: a function that cancels to nothing does not move, and so does its derivative.
        """
        none = None, np.zeros((len(self.cotangents), len(self.coordinates)), dtype=bool)
        d = self.differences
        if self.tangents is not None or d is None or self.kinks:
            return none
        central = {c.b: c for c in self.evidence if c.a == "central"}
        apart = {name: c.disagree for name, c in central.items() if c.disagree.any()}
        if len(apart) != 1 or len(central) < 2:
            return none
        (name,) = apart
        far = central[name].difference > thresholds.BEYOND_DOUBT * central[name].tolerance
        far &= apart[name] & ~d.one_sided & (d.central.value != 0)
        backed = any(bool(c.resolved[far].all()) for other, c in central.items() if other != name)
        return (name, far) if backed and far.any() else none

    def doubtful_columns(self) -> list[int]:
        """Return the positions of columns that differ, are unresolved, or have a kink."""
        assert self.differences is not None
        doubt = (self.differences.kink | self.differences.jump).any(axis=0)
        for c in self.comparisons:
            open_ = (c.disagree | ~c.resolved).any(axis=0)
            doubt = doubt | (open_[self.coordinates] if c.entrywise else open_)
        return [int(k) for k in np.flatnonzero(doubt)]

    def cleared(self, columns: list[int], by: str) -> Table:
        """Return the table without disagreements of exact methods where a closer look found none.

        ``by`` is the name of what the closer look found.
        """
        size = next(iter(self.exact.values())).value.shape[1]
        at = np.isin(np.arange(size), columns)
        kept = (c.excuse(by, c.disagree & at, resolved=True) if c.entrywise else c for c in self.comparisons)
        return replace(self, comparisons=tuple(kept))

    def withdrawn(self) -> Table:
        """Return the table with doubt in place of the disagreements that are left."""
        kept = (
            c.excuse("withdrawn", c.disagree, resolved=False) if c.counts else c for c in self.comparisons
        )
        return replace(self, comparisons=tuple(kept))

    def wrong_coordinates(self) -> list[int]:
        """Return the coordinates, among those looked at singly, on which any methods disagree."""
        wrong = np.zeros(len(self.coordinates), dtype=bool)
        for c in self.evidence:
            apart = c.disagree.any(axis=0)
            wrong |= apart[self.coordinates] if c.entrywise else apart
        return [self.coordinates[k] for k in np.flatnonzero(wrong)]

    def worst_coordinate(self) -> int:
        """Return the coordinate, among those looked at singly, on which the methods disagree most."""
        worst, found = -1.0, self.coordinates[0]
        for c in self.evidence:
            ratio = np.where(c.disagree, margins(c.difference, c.tolerance), -1.0).max(axis=0)
            ratio = ratio[self.coordinates] if c.entrywise else ratio
            if ratio.max() > worst:
                worst, found = float(ratio.max()), self.coordinates[int(np.argmax(ratio))]
        return found

    def worst_row(self, coordinate: int) -> int:
        """Return the row, of a table of entries, in which the methods disagree most on one coordinate."""
        at = {True: coordinate, False: self.coordinates.index(coordinate)}
        ratios = [
            np.where(c.disagree, margins(c.difference, c.tolerance), -1.0)[:, at[c.entrywise]]
            for c in self.evidence
        ]
        return int(np.argmax(np.max(ratios, axis=0)))

    def bad_entries(self, method: str) -> Any:
        """Mark the entries on which a method disagrees with another, shape ``(rows, inputs.size)``."""
        bad = np.zeros(self.exact[method].value.shape, dtype=bool)
        for c in self.evidence:
            if method in (c.a, c.b) and (c.entrywise or self.tangents is None):
                bad[:, slice(None) if c.entrywise else self.coordinates] |= c.disagree
        return bad
