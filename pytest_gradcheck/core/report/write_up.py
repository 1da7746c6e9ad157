"""Turn a finding into the result for the user: values, pairs, worst entry, a call to reproduce it."""

from __future__ import annotations

import itertools
import math
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.core.diagnosis.plain import plainness
from pytest_gradcheck.core.evidence.compare import TOGETHER, Comparison, margins
from pytest_gradcheck.core.evidence.jacobian import Cost, Function, Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.orders import Order
from pytest_gradcheck.core.report.reproduce import Line, reproduce
from pytest_gradcheck.core.report.source import to_source
from pytest_gradcheck.core.results import (
    CheckResult,
    MethodResult,
    NotChecked,
    Pair,
    Place,
    Proof,
    Status,
    Verdict,
    Worst,
)
from pytest_gradcheck.core.verdict import Finding
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.methods.exact import ExactPullback
from pytest_gradcheck.methods.roles import EXACT


def write_up(order: Order, finding: Finding) -> CheckResult:
    """Return the result: the finding, and every method's numbers in the table behind it."""
    problem, table, jacobian = order.problem, finding.evidence.table, finding.evidence.jacobian
    labels, d = finding.labels, None if table is None else table.differences
    if d is not None and d.one_sided.any():
        labels += ("one-sided",)
    methods: dict[str, MethodResult] = {}
    for name, (status, reason) in finding.evidence.states.items():
        seconds = order.methods.seconds.get(name, 0.0)
        if jacobian is not None:
            seconds += jacobian.costs.get(name, Cost()).seconds
        numbers: tuple[Any, Any] = (None, None)
        if table is not None and status is Status.OK and (name in table.exact or d is not None):
            # In the structure of the inputs if all entries are known.
            whole = np.array_equal(table.cotangents, np.eye(len(table.cotangents)))
            if name in table.exact:
                estimate = table.exact[name] if whole else table.seen(name)
            else:
                estimate = getattr(d, name)
                whole = (
                    whole and table.tangents is None and len(table.coordinates) == order.function.inputs.size
                )
            numbers = estimate.value, estimate.uncertainty
            if whole:
                numbers = _structured(numbers[0], order), _structured(numbers[1], order)
        evaluations, calls = finding.spent.get(name, (0, 0))
        note = order.methods.notes.get(name) if status is Status.OK else None
        methods[name] = MethodResult(status, reason, *numbers, evaluations, seconds, calls, note)
    sources: dict[str, str] = {}
    if finding.verdict is not Verdict.PASS and not order.options.brief:
        sources = {key: to_source(value) for key, value in problem.arguments.items()}
    again = Line("", "")
    if sources:
        again = reproduce(problem, order.options, order.number, sources)
    proved = EXACT in finding.evidence.heard
    uncompared = () if order.measured is problem else (_not_compared(order),)
    pairs, worst = _in_short(table, jacobian) if table is not None and jacobian is not None else ((), None)
    return CheckResult(
        name=problem.name,
        verdict=finding.verdict,
        culprit=finding.culprit,
        methods=methods,
        pairs=pairs,
        worst=worst,
        diagnosis=finding.diagnosis,
        not_checked=(*uncompared, *problem.not_checked, *finding.not_checked),
        order=order.number,
        mode="directional" if table is not None and table.tangents is not None else "full",
        sensitivity=order.tolerance.sensitivity,
        seed=problem.seed,
        inputs=sources,
        reproduce=again.call,
        imports=again.imports,
        labels=labels,
        properties=finding.evidence.properties,
        rule=finding.rule,
        values_right=finding.values_right,
        allowances=_allowances(table),
        proofs=_proofs(finding) if table is not None and jacobian is not None and proved else (),
        plainness=plainness(problem.point, problem.inputs) if finding.verdict is Verdict.FAIL else 0.0,
    )


def _not_compared(order: Order) -> NotChecked:
    """Report that a surrogate replaces the function, whose own values are not compared."""
    text = f"the gradient is compared with the derivative of the surrogate {order.measured.name}"
    return NotChecked(f"the values of {order.problem.name}", text)


def _allowances(table: Table | None) -> tuple[str, ...]:
    """Return the names of the allowances that had an effect, in the order of the table."""
    counted = () if table is None else table.evidence
    return tuple(dict.fromkeys(name for c in counted for name, mask in c.excused if mask.any()))


#: The most proven entries in a result, worst first.
MOST_PROOFS = 3


def _proofs(finding: Finding) -> tuple[Proof, ...]:
    """Return the entries in which the gradients in question are farthest from the proven ones."""
    evidence = finding.evidence
    exact, table, f = evidence.heard.get(EXACT), evidence.table, evidence.jacobian.function
    if not isinstance(exact, ExactPullback):
        return ()
    found: dict[tuple[int, int], float] = {}
    for c in table.comparisons:
        if EXACT in (c.a, c.b) and (c.entrywise or table.tangents is None):
            ratio = margins(c.difference, c.tolerance)
            for flat in np.argsort(np.where(np.isnan(ratio), -1.0, -ratio), axis=None)[:MOST_PROOFS]:
                row, column = divmod(int(flat), ratio.shape[1])
                at = row, column if c.entrywise else table.coordinates[column]
                found[at] = max(found.get(at, 0.0), float(ratio[row, column]))
    shown = _entry_shown(table)
    if shown is not None and np.isfinite(table.exact[EXACT].value[shown]):
        found.setdefault(shown, 0.0)
    # The entry in the message comes first; then one entry for those that agree.
    worst = sorted(found, key=lambda at: (at != shown, -found[at]))
    worst = [at for k, at in enumerate(worst) if k == 0 or found[at] > 1][:MOST_PROOFS]
    proofs = []
    for row, column in worst:
        digits, radius = exact.digits(table.cotangents[row], column)
        proofs.append(Proof(Place(*f.inputs.locate(column), *_output(f, table, row)), digits, radius))
    return tuple(proofs)


def _entry_shown(table: Table) -> tuple[int, int] | None:
    """Return the row and the input of the entry that the message shows; None where it is a projection."""
    _, farthest = largest_differences(table)
    if farthest is None or farthest.at is None:
        return None
    row, column = farthest.at
    if farthest.pair.entrywise:
        return row, column
    return None if table.tangents is not None else (row, table.coordinates[column])


def _output(f: Function, table: Table, row: int) -> tuple[str, tuple[int, ...]]:
    """Return the name of a row's output and the index into it; a projection has a special name."""
    if np.count_nonzero(table.cotangents[row]) == 1:
        return f.outputs.locate(int(np.argmax(np.abs(table.cotangents[row]))))
    return f"projection {row}", ()


def _structured(matrix: Matrix, order: Order) -> Any:
    """Cut a whole Jacobian into blocks, one per output and input, nested as the user's inputs are."""
    out = []
    for leaf in order.function.outputs.leaves:
        parts: list[Any] = []
        # The cotangents of a second order, which come last, are not inputs of the user.
        for x in order.function.inputs.leaves[: len(order.problem.inputs.leaves)]:
            block: Any = matrix[leaf.start : leaf.stop, x.start : x.stop]
            if not (leaf.is_complex or x.is_complex):
                block = block.reshape(leaf.shape + x.shape)
            elif leaf.size == 1:
                # A real function of complex inputs: dL/dRe + i dL/dIm, as autograd writes it.
                block = np.ascontiguousarray(block).view(np.complex128).reshape(x.shape)
            parts.append(block.item() if block.ndim == 0 else block)
        out.append(order.problem.structure(parts))
    return out[0] if len(out) == 1 else tuple(out)


class Extreme(NamedTuple):
    """The largest difference of a pair: its place, and its rank among those of all pairs.

    ``relative`` and ``absolute`` are the largest of all entries, in units of the larger value and as such.
    ``at`` is None for a pair without entries.
    """

    pair: Comparison
    rank: tuple[bool, bool, float] = (False, False, 0.0)
    at: tuple[int, int] | None = None
    relative: float = 0.0
    absolute: float = 0.0


def _in_short(table: Table, jacobian: Jacobian) -> tuple[tuple[Pair, ...], Worst | None]:
    """Return a summary of every comparison of the table, and the entry farthest beyond its tolerance.

    In a table of projections that is a projection.
    """
    pairs: list[Pair] = []
    no_index: tuple[int, ...] = ()
    worst, f, d = None, jacobian.function, table.differences
    extremes, farthest = largest_differences(table)
    for most in extremes:
        c = most.pair
        if most.at is None:
            pairs.append(Pair(c.a, c.b, 0.0, 0.0, None, 0.0, c.agree))
            continue
        row, column = most.at
        into, out = (f"direction {column}", no_index), _output(f, table, row)
        if c.entrywise or table.tangents is None:
            into = f.inputs.locate(column if c.entrywise else table.coordinates[column])
        place, allowed = Place(*into, *out), float(c.tolerance[most.at])
        pairs.append(Pair(c.a, c.b, most.absolute, most.relative, place, allowed, c.agree))
        if most is farthest:
            cells = {n: (e if c.entrywise else table.seen(n), column) for n, e in table.exact.items()}
            if c.entrywise and table.tangents is None and column in table.coordinates:
                column = table.coordinates.index(column)
            elif c.entrywise:
                d = None
            if d is not None:
                cells = {n: (getattr(d, n), column) for n in jacobian.differences} | cells
            values = {n: float(e.value[row, k]) for n, (e, k) in cells.items()}
            bars = {n: float(e.uncertainty[row, k]) for n, (e, k) in cells.items()}
            worst = Worst(place, values, bars, float(c.difference[most.at]), allowed)
    return tuple(pairs), worst


def largest_differences(table: Table) -> tuple[list[Extreme], Extreme | None]:
    """Return the largest difference of each pair, in units of its tolerance, and the largest that counts.

    If a pair disagrees, it is one of the entries that disagree.
    """
    found: list[Extreme] = []
    for shape, group in itertools.groupby(table.comparisons, attrgetter("difference.shape")):
        alike = list(group)
        if not math.prod(shape):
            found += [Extreme(c) for c in alike]
            continue
        # Small ones together, as `compare` does.
        count = len(alike) if math.prod(shape) <= TOGETHER else 1
        for some in (alike[k : k + count] for k in range(0, len(alike), count)):
            sides = [(c.difference, c.tolerance, c.disagree, c.left.value, c.right.value) for c in some]
            difference, tolerance, disagree, left, right = map(np.array, zip(*sides, strict=True))
            ratio = margins(difference, tolerance)
            ratio[np.isnan(ratio)] = -1.0
            if disagree.any():
                ratio[~disagree & disagree.any(axis=(1, 2), keepdims=True)] = -2.0
            # The largest of the numbers that are not NaN; NaN if all are.
            relative = np.fmax.reduce(margins(difference, np.fmax(np.abs(left), np.abs(right))), axis=(1, 2))
            absolute = np.fmax.reduce(difference, axis=(1, 2))
            for c, each, share, most in zip(some, ratio, relative.tolist(), absolute.tolist(), strict=True):
                row, column = divmod(int(np.argmax(each)), shape[1])
                rank = c.counts, c.agree is False, float(each[row, column])
                found.append(Extreme(c, rank, (row, column), share, most))
    farthest = max(found, key=attrgetter("rank"), default=None)
    return found, farthest if farthest is not None and farthest.rank[0] else None
