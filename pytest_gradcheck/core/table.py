"""Every method's numbers on the same rows and columns of the Jacobian, compared pair by pair."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pytest_gradcheck.core.compare import NOTHING, Comparison, Tolerance, blocks, compare, finite
from pytest_gradcheck.core.jacobian import Differences, Jacobian
from pytest_gradcheck.core.method_names import DIFFERENCE_METHODS
from pytest_gradcheck.core.values import EPS64
from pytest_gradcheck.methods.base import Estimate, Matrix

#: A gradient is nothing but rounding where no method's is more than so many of its own measured error bars,
#: and would move the output by no more than so many roundings of its value when the input moves by its size.
NOISE_BARS, NOISE_ROUNDINGS = 16.0, 64.0

#: A gradient by hand is not blamed for what moves the output by no more than so many roundings (of float64)
#: of its value when the input moves by its size, or by one: beyond 30 a sigmoid is one but for rounding, and
#: the textbook's s · (1 - s), of which s is all that is known, is off by 1e-3 there, and zero from 37 on.
SATURATED_ROUNDINGS = 64.0

#: A gradient is wrong beyond doubt where it is farther off than so many times what is allowed.
FAR = 10.0

#: Differences say nothing of entries this far below the largest one beside them: a function that cancels
#: large parts (``1 + erf(x)`` near minus one) is flat or straight there for no reason but rounding.
MEASURED_GRAIN = 1e-9


@dataclass(eq=False)
class Table:
    """Rows are cotangents; columns are coordinates, or ``tangents`` where there are any (projections).

    ``exact`` holds whole rows, shape ``(rows, inputs.size)``; ``differences`` the columns looked at.
    """

    cotangents: Matrix
    tangents: Matrix | None
    coordinates: list[int]
    exact: dict[str, Estimate]
    differences: Differences | None
    comparisons: list[Comparison] = field(default_factory=list)
    #: Positions of the columns that have had the long ladder.
    refined: frozenset[int] = frozenset()

    @property
    def projected(self) -> bool:
        """Whether the columns are projections instead of entries."""
        return self.tangents is not None

    @property
    def evidence(self) -> list[Comparison]:
        """The pairs that count: two differences see the same function values, and are no evidence."""
        return [c for c in self.comparisons if self.counts(c)]

    def counts(self, comparison: Comparison) -> bool:
        """Whether a pair is evidence."""
        return comparison.a in self.exact or comparison.b in self.exact

    @property
    def disagrees(self) -> bool:
        """Whether any pair that counts differs beyond doubt."""
        return any(c.agree is False for c in self.evidence)

    @property
    def settled(self) -> bool:
        """Whether everybody has a clear answer, all of them agree, and there is no kink to look into."""
        return not self.kinks and self.unanimous

    @property
    def unanimous(self) -> bool:
        """Whether everybody has a clear answer, at kinks too, and all of them agree."""
        return not self.jumps and all(c.agree is True for c in self.evidence)

    @property
    def settled_rows(self) -> frozenset[bytes]:
        """The cotangents, as bytes, of rows of a table of entries in which everybody has a clear answer."""
        open_ = np.zeros(len(self.cotangents), dtype=bool)
        for c in self.evidence:
            open_ |= (c.disagree | ~c.resolved).any(axis=1)
        if self.differences is not None:
            open_ |= (self.differences.kink | self.differences.jump).any(axis=1)
        return frozenset(u.tobytes() for u in self.cotangents[~open_])

    @property
    def everybody_backed(self) -> bool:
        """Whether every exact method is seen to agree with another method on all that was looked at."""
        return all(any(c.agree is True and name in (c.a, c.b) for c in self.evidence) for name in self.exact)

    @property
    def kinks(self) -> bool:
        """Whether differences met a kink or a jump."""
        d = self.differences
        return d is not None and bool((d.kink | d.jump).any())

    def kinked(self, size: int) -> Any:
        """Mark the coordinates, of ``size`` ones, at which differences met a kink; none in projections."""
        marks = np.zeros(size, dtype=bool)
        if self.differences is not None and not self.projected:
            marks[self.coordinates] = self.differences.kink.any(axis=0)
        return marks

    @property
    def jumps(self) -> bool:
        """Whether the function has no derivative somewhere on the columns."""
        return self.differences is not None and bool(self.differences.jump.any())

    @property
    def agreement(self) -> dict[tuple[str, str], bool | None]:
        """What each pair of methods says of the other."""
        return {(c.a, c.b): c.agree for c in self.comparisons}

    def entrywise(self, comparison: Comparison) -> bool:
        """Whether a comparison goes over whole rows: that of two exact methods."""
        return comparison.a in self.exact and comparison.b in self.exact

    def seen(self, name: str) -> Estimate:
        """Return an exact method's rows on the columns of the table."""
        estimate = self.exact[name]
        if self.tangents is None:
            return Estimate(estimate.value[:, self.coordinates], estimate.uncertainty[:, self.coordinates])
        return estimate.along(self.tangents)

    def contradicted(self, name: str) -> bool:
        """Whether differences contradict an exact method, and back another one wherever they do.

        The other one need not be resolved in every entry: a single one that nobody can measure says nothing
        for the method that is wrong in the rest.
        """
        measured = [c for c in self.evidence if not self.entrywise(c)]
        apart = {c.a: c.disagree for c in measured if c.b == name and c.disagree.any()}
        return any(
            not c.disagree.any() and bool(c.resolved[apart[c.a]].all())
            for c in measured
            if c.b != name and c.a in apart
        )

    @property
    def unmeasurable(self) -> bool:
        """Whether all disagreement lies where differences contradict the reference engine and all others."""
        if self.projected or "reference" not in self.exact or len(self.exact) < 2:
            return False
        measured = [c for c in self.evidence if not self.entrywise(c)]
        if any(c.agree for c in measured) or self.contradicted("reference"):
            # Somebody agrees with the differences: the others are wrong, however many they are.
            return False
        apart = np.zeros((len(self.cotangents), len(self.coordinates)), dtype=bool)
        for c in measured:
            if c.b == "reference":
                apart |= c.disagree
        # A method that gives the same slope to others of the numbers that are equal is no more wrong.
        others = [c for c in self.evidence if self.entrywise(c) and "reference" in (c.a, c.b)]
        shared = np.all([np.isclose(c.left.value.sum(1), c.right.value.sum(1)) for c in others], axis=0)
        apart |= (apart.any(axis=1) & shared)[:, None]
        rest = False
        for c in self.evidence:
            disagree = c.disagree.copy()
            if self.entrywise(c):
                disagree[:, self.coordinates] &= ~apart
            else:
                disagree &= ~apart
            rest = rest or bool(disagree.any())
        return bool(apart.any()) and not rest

    @property
    def differences_split(self) -> bool:
        """Whether the exact methods agree with each other and with one kind of differences, but not another.

        They see the same function values: where those of a function that runs in float32 waver more than was
        measured, one kind may come out further off than its bar.
        """
        if self.projected or len(self.exact) < 2:
            return False
        measured = [c for c in self.evidence if not self.entrywise(c)]
        if not all(c.agree for c in self.evidence if self.entrywise(c)):
            return False
        backing = {c.a for c in measured} - {c.a for c in measured if not c.agree}
        return bool(backing)

    def clearly_wrong(self) -> tuple[str | None, Any]:
        """Return the one method that is wrong beyond doubt, if there is one, and where: a mask.

        Another exact method agrees with central differences wherever this one is far from them, and differs
        from them nowhere. Both compute in float64, and rounding would have spoilt the one as the other. Zeros
        are no such witness: a function that cancels to nothing does not move, and so does its derivative.
        """
        nobody = None, np.zeros((len(self.cotangents), len(self.coordinates)), dtype=bool)
        d = self.differences
        if self.projected or d is None or self.kinks:
            return nobody
        central = {c.b: c for c in self.evidence if c.a == "central"}
        apart = {name: c.disagree for name, c in central.items() if c.disagree.any()}
        if len(apart) != 1 or len(central) < 2:
            return nobody
        (name,) = apart
        far = apart[name] & (central[name].difference > FAR * central[name].tolerance) & ~d.one_sided
        far &= d.central.value != 0
        backed = any(bool(c.resolved[far].all()) for other, c in central.items() if other != name)
        return (name, far) if backed and far.any() else nobody

    def doubtful_columns(self) -> list[int]:
        """Return the positions of columns that differ, are unresolved, or have a kink."""
        assert self.differences is not None
        doubt = (self.differences.kink | self.differences.jump).any(axis=0)
        for c in self.comparisons:
            open_ = (c.disagree | ~c.resolved).any(axis=0)
            doubt = doubt | (open_[self.coordinates] if self.entrywise(c) else open_)
        return [int(k) for k in np.flatnonzero(doubt)]

    def clear(self, columns: list[int]) -> None:
        """Take disagreements of exact methods back at coordinates where a closer look found none."""
        for c in self.evidence:
            if self.entrywise(c):
                c.resolved[:, columns] |= c.disagree[:, columns]
                c.disagree[:, columns] = False

    def withdraw(self) -> None:
        """Turn the disagreements that are left into doubt."""
        for c in self.evidence:
            c.resolved[c.disagree] = False
            c.disagree[:] = False

    def worst_coordinate(self) -> int:
        """Return the coordinate, among those looked at singly, on which the methods disagree most."""
        worst, found = -1.0, self.coordinates[0]
        for c in self.evidence:
            ratio = np.where(c.disagree, c.difference / np.fmax(c.tolerance, 1e-300), -1.0).max(axis=0)
            ratio = ratio[self.coordinates] if self.entrywise(c) else ratio
            if ratio.max() > worst:
                worst, found = float(ratio.max()), self.coordinates[int(np.argmax(ratio))]
        return found

    def worst_row(self, coordinate: int) -> int:
        """Return the row, of a table of entries, in which the methods disagree most on one coordinate."""
        k = self.coordinates.index(coordinate)
        ratios = []
        for c in self.evidence:
            at = coordinate if self.entrywise(c) else k
            ratios.append(np.where(c.disagree, c.difference / np.fmax(c.tolerance, 1e-300), -1.0)[:, at])
        return int(np.argmax(np.max(ratios, axis=0)))

    def bad_entries(self, method: str) -> Any:
        """Mark the entries on which a method disagrees with another, shape ``(rows, inputs.size)``."""
        bad = np.zeros(self.exact[method].value.shape, dtype=bool)
        for c in self.evidence:
            if method in (c.a, c.b):
                if self.entrywise(c):
                    bad |= c.disagree
                elif not self.projected:
                    bad[:, self.coordinates] |= c.disagree
        return bad


def fill(
    jacobian: Jacobian,
    tolerance: Tolerance,
    cotangents: Matrix,
    *,
    tangents: Matrix | None = None,
    coordinates: list[int] | None = None,
    thorough: bool = False,
    before: Table | None = None,
) -> Table:
    """Ask every method for the same rows and columns, and compare.

    With ``thorough``, the columns that a short ladder of steps leaves in doubt get the long one, and
    a difference must be outside of three error bars to count. What differences said in ``before``, a table of
    the same columns, need not be asked again if the rows are the same too.
    """
    at = coordinates or []
    exact = {name: jacobian.rows(name, cotangents) for name in jacobian.pullbacks}
    if before is not None and not np.array_equal(before.cotangents, cotangents):
        before = None
    found: Differences | None = None
    if jacobian.differences and tangents is not None:
        found = jacobian.along(tangents, cotangents, thorough=thorough)
    elif jacobian.differences:
        found = before.differences if before else jacobian.columns(at, _seeds(cotangents), thorough=False)
    table = Table(cotangents, tangents, at, exact, found, refined=before.refined if before else frozenset())
    _compare_all(table, jacobian, tolerance, thorough, nothing=NOTHING if table.refined else 0.0)
    if thorough and found is not None and tangents is None:
        doubtful = [k for k in table.doubtful_columns() if k not in table.refined]
        return _refined(table, jacobian, tolerance, doubtful) if doubtful else table
    return table


def compared_anew(table: Table, jacobian: Jacobian, tolerance: Tolerance) -> Table:
    """Return the table of a thorough look with the error bars that the exact methods have now."""
    exact = {name: jacobian.rows(name, table.cotangents) for name in table.exact}
    table = replace(table, exact=exact, comparisons=[])
    _compare_all(table, jacobian, tolerance, True, nothing=NOTHING if table.refined else 0.0)
    return table


def clear_case(jacobian: Jacobian, tolerance: Tolerance, table: Table) -> Table | None:
    """Return the table with one method wrong beyond doubt, or None if it is not so.

    Most wrong gradients are wrong by far. If the long ladder says the same of some columns, the others can do
    without it, and rounding need not be measured.
    """
    name, bad = table.clearly_wrong()
    if name is None or jacobian.pullbacks[name].eps > EPS64 or name == "reference":
        return None
    central = next(c for c in table.evidence if (c.a, c.b) == ("central", name))
    columns = np.flatnonzero(bad.any(axis=0))
    worst = np.argmax(np.where(bad, central.difference / central.tolerance, 0.0).max(axis=0))
    some = sorted({int(worst), int(columns[0]), int(columns[-1])})
    close = _refined(table, jacobian, tolerance, some)
    again, still = close.clearly_wrong()
    return close if again == name and bool(still[:, some].any(axis=0).all()) else None


def _refined(table: Table, jacobian: Jacobian, tolerance: Tolerance, columns: list[int]) -> Table:
    """Take the long ladder for some columns of a table."""
    assert table.differences is not None
    at = [table.coordinates[k] for k in columns]
    close = jacobian.columns(at, _seeds(table.cotangents), thorough=True)
    found = table.differences.replaced(columns, close)
    refined = table.refined | frozenset(columns)
    table = replace(table, differences=found, comparisons=[], refined=refined)
    _compare_all(table, jacobian, tolerance, True, nothing=NOTHING)
    return table


def _seeds(cotangents: Matrix) -> Matrix | None:
    """Return the cotangents to contract differences with, None for each output by itself."""
    same = cotangents.shape[0] == cotangents.shape[1] and bool((cotangents == np.eye(len(cotangents))).all())
    return None if same else cotangents


def _compare_all(
    table: Table, jacobian: Jacobian, tolerance: Tolerance, thorough: bool, nothing: float = 0.0
) -> None:
    sizes, bars = _block_sizes(table, jacobian)
    block = np.max(list(sizes.values()), axis=0)
    # Zero as far as anybody can tell is what nobody's own rounding tells from it, nor the dtype on trial.
    least = {name: np.fmax(NOISE_BARS * bars[name], tolerance.tiny) for name in table.exact}
    unseen = np.all([sizes[name] <= least[name] for name in table.exact], axis=0)
    floor = np.where(unseen, np.max(list(bars.values()), axis=0), -1.0)
    zero = noticeable(table.cotangents, jacobian)
    grain = {name: 8 * pullback.eps for name, pullback in jacobian.pullbacks.items()}
    table.comparisons = [
        compare(
            a,
            left,
            b,
            right,
            tolerance,
            scale=block,
            floor=floor,
            zero=zero,
            grain=max(grain[a], grain[b]),
            nothing=0.0,
        )
        for (a, left), (b, right) in itertools.combinations(table.exact.items(), 2)
    ]
    _doubt_below_rounding(table, "user", jacobian)
    _accept_what_vanishes(table, jacobian, zero)
    d = table.differences
    if d is None:
        _excuse_beside_singularities(table)
        return
    if table.tangents is not None:
        # The largest share that an entry really has: one in a thousand of it must be seen.
        largest = np.max([finite(e.value) for e in table.exact.values()], axis=0)
        lengths = np.abs(table.tangents)[None]
        scale, low, none = (
            np.max(x[:, None, :] * lengths, axis=2, initial=0.0) for x in (largest, floor, zero)
        )
        none = np.fmax(none, d.swing)
    else:
        at = table.coordinates
        scale, low, none = block[:, at], floor[:, at], zero[:, at]
        none = np.fmax(none, d.swing / jacobian.scales[None, at])
    estimates = {"central": d.central, "forward": d.forward}
    for name in jacobian.differences:
        bars = (3.0 if thorough else 1.0) * estimates[name].uncertainty
        measured = Estimate(estimates[name].value, bars)
        others = {exact: table.seen(exact) for exact in table.exact}
        if name == "central" and "forward" in jacobian.differences:
            others["forward"] = d.forward
        for other, estimate in others.items():
            table.comparisons.append(
                compare(
                    name,
                    measured,
                    other,
                    estimate,
                    tolerance,
                    scale=scale,
                    floor=low,
                    zero=none,
                    grain=max(MEASURED_GRAIN, grain.get(other, 0.0)),
                    nothing=nothing,
                    projected=table.projected,
                )
            )
    _accept_what_vanishes(table, jacobian, zero)
    _overrule_forward(table)
    _excuse_beside_singularities(table)
    if not table.projected:
        _accept_subgradients(table, tolerance)
        _doubt_at_the_edge(table)


def _doubt_below_rounding(table: Table, method: str, jacobian: Jacobian) -> None:
    """Turn disagreement of a method with exact ones into doubt where rounding of the value explains it."""
    value = np.abs(table.cotangents) @ np.abs(jacobian.function.value)
    below = SATURATED_ROUNDINGS * EPS64 * value[:, None] / np.fmax(jacobian.scales, 1.0)[None]
    for c in table.comparisons:
        within = (method in (c.a, c.b)) & c.disagree & (c.difference <= below)
        c.resolved[within] = False
        c.disagree[within] = False


def _accept_what_vanishes(table: Table, jacobian: Jacobian, zero: Matrix) -> None:
    """Accept a block of the gradient that every exact method sees as zero, each within its own rounding.

    What is added right before a batch norm moves nothing: its gradient is a sum of cotangents that cancel,
    and what is left differs from one order of summation to another by more than any sample of runs shows.
    One method's nonzero number, even a small one, is none of that; nor is a zero that nobody had to round.
    ``zero`` is the derivative that would be noticeable, shape ``(rows, inputs.size)``.
    """
    if not jacobian.measured:
        return
    vanishes = np.ones(zero.shape, dtype=bool)
    rounded = np.zeros(zero.shape, dtype=bool)
    sizes, bars = _block_sizes(table, jacobian)
    for name, estimate in table.exact.items():
        size, bar = sizes[name], bars[name]
        roundings = NOISE_ROUNDINGS * jacobian.pullbacks[name].eps * zero
        vanishes &= np.isfinite(estimate.value) & (size <= np.fmin(NOISE_BARS * bar, roundings))
        rounded |= bar > 0
    vanishes &= rounded
    for c in table.evidence:
        there = vanishes
        if not table.entrywise(c):
            if table.projected:
                continue
            at = table.coordinates
            there = vanishes[:, at] & (np.abs(c.left.value) <= MEASURED_GRAIN * zero[:, at])
        c.disagree[there], c.resolved[there] = False, True
        # How far apart two zeros are is what rounding allows.
        c.tolerance[there] = np.fmax(c.tolerance, c.difference)[there]


def _excuse_beside_singularities(table: Table) -> None:
    """Do not blame nan on a method at an input by which another output has no finite derivative.

    The slope of the root at zero is infinite, and a backward multiplies it by the cotangents of all other
    outputs too, which are zero: 0 · inf. Where every output is smooth in the input, nan stays wrong.
    """
    if table.projected:
        return
    unmeasured = np.zeros(table.exact[next(iter(table.exact))].value.shape[1], dtype=bool)
    for c in table.evidence:
        if not table.entrywise(c):
            unmeasured[table.coordinates] |= (~c.resolved & ~c.disagree).any(axis=0)
    for c in table.evidence:
        singular = (~c.resolved & ~c.disagree).any(axis=0)
        if table.entrywise(c):
            singular |= unmeasured
        not_finite = ~(np.isfinite(c.left.value) & np.isfinite(c.right.value))
        c.disagree[not_finite & singular] = False


def _doubt_at_the_edge(table: Table) -> None:
    """Turn disagreement with one-sided differences into doubt.

    At the edge of the domain the function may have a kink, whose other slope, just as right, lies outside.
    """
    d = table.differences
    assert d is not None
    for c in table.evidence:
        if not table.entrywise(c):
            c.resolved[d.one_sided & c.disagree] = False
            c.disagree[d.one_sided] = False


def _overrule_forward(table: Table) -> None:
    """Drop disagreements of forward differences alone, against an exact method and central differences.

    Both differences see the same function values, and the central ones see them from two sides.
    """
    central = {c.b: c for c in table.evidence if c.a == "central"}
    for c in table.evidence:
        if c.a == "forward" and c.b in central:
            better = central[c.b]
            c.disagree[better.resolved & ~better.disagree] = False


def _block_sizes(table: Table, jacobian: Jacobian) -> tuple[dict[str, Matrix], dict[str, Matrix]]:
    """Return, per exact method, the largest value and error bar in each block of the gradient."""

    def largest(values: Matrix) -> Matrix:
        out: Matrix = blocks(jacobian.function.inputs, [values])
        return out if table.projected else _over_outputs(out, table.cotangents, jacobian)

    exact = table.exact.items()
    return {k: largest(e.value) for k, e in exact}, {k: largest(e.uncertainty) for k, e in exact}


def _over_outputs(block: Matrix, cotangents: Matrix, jacobian: Jacobian) -> Matrix:
    """Let the rows of one output leaf share their scale: the largest entry among them."""
    outputs = jacobian.function.outputs
    starts = np.array([leaf.start for leaf in outputs.leaves if leaf.size])
    owner = np.searchsorted(starts, np.argmax(np.abs(cotangents), axis=1), side="right")
    out = block.copy()
    for leaf in np.unique(owner):
        out[owner == leaf] = block[owner == leaf].max(axis=0)
    return out


def _accept_subgradients(table: Table, tolerance: Tolerance) -> None:
    """At a kink every slope between the one-sided ones is right, also when two methods choose two."""
    d = table.differences
    assert d is not None
    if not d.kink.any():
        return
    bar = np.fmax(d.right.uncertainty, d.left.uncertainty)
    bar = bar + tolerance.rtol * np.fmax(np.abs(d.right.value), np.abs(d.left.value)) + tolerance.atol
    low, high = np.fmin(d.right.value, d.left.value) - bar, np.fmax(d.right.value, d.left.value) + bar
    inside: dict[str, Any] = {}
    for name in table.exact:
        value = table.seen(name).value
        inside[name] = d.kink & (value >= low) & (value <= high)
    for c in table.evidence:
        if table.entrywise(c):
            right = np.zeros_like(c.disagree)
            right[:, table.coordinates] = inside[c.a] & inside[c.b]
        else:
            right = inside[c.b if c.a in DIFFERENCE_METHODS else c.a]
            c.disagree[d.kink & ~right] = True
        c.disagree[right], c.resolved[right] = False, True
        # How far apart two right slopes are is what the kink allows.
        c.tolerance[right] = np.fmax(c.tolerance, c.difference)[right]


def noticeable(cotangents: Matrix, jacobian: Jacobian) -> Matrix:
    """Return what counts as a derivative where a whole block of the gradient is zero.

    It would move the output by its own size when the input moves by its own size: shape ``(rows, n)``.
    """
    value = np.abs(jacobian.function.value)
    return np.asarray((np.abs(cotangents) @ value)[:, None] / jacobian.scales[None, :])
