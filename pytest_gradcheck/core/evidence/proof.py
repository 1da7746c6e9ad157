"""The proven derivative next to the numbers of a table: who is right, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.allowances import BELOW_ROUNDING, weigh
from pytest_gradcheck.core.evidence.compare import Comparison
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.frameworks.flat import Layout, leafwise
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.methods.roles import EXACT


def with_proof(
    table: Table, jacobian: Jacobian, exact: Pullback, tolerance: Tolerance
) -> tuple[Table, Jacobian]:
    """Return the table and the Jacobian with the proven rows, compared with all others.

    The pairs do not count: what the table was before it is as far as votes go.
    """
    wider = replace(jacobian, pullbacks={**jacobian.pullbacks, EXACT: exact})
    before = tuple(c for c in table.comparisons if EXACT not in (c.a, c.b))
    others = {name: estimate for name, estimate in table.exact.items() if name in wider.pullbacks}
    whole = replace(table, exact={**others, EXACT: wider.rows(EXACT, table.cotangents)}, comparisons=())
    pairs = weigh(whole, wider, tolerance, True).comparisons
    mine = tuple(replace(c, counts=False) for c in pairs if EXACT in (c.a, c.b))
    return replace(table, exact=whole.exact, comparisons=(*before, *mine)), wider


def pair(table: Table, name: str) -> Comparison | None:
    """Return the comparison of a method with the proven derivative."""
    return next((c for c in table.comparisons if {c.a, c.b} == {name, EXACT}), None)


def is_right(table: Table, name: str, inputs: Layout, sensitivity: float) -> bool:
    """Whether a gradient is the proven one in every entry looked at.

    It may be off by the promised error: its error bars do not matter, because the error is known. Or by its
    own rounding, as long as that would not hide a gradient of zero.
    """
    c = pair(table, name)
    if c is None:
        return False
    below = dict(c.excused).get(BELOW_ROUNDING, np.False_)
    sizes, bars = _sizes(c, inputs), _bars(c, name)
    small = (c.difference <= sensitivity * sizes) | (
        c.difference <= np.fmin(bars, thresholds.ROUNDED_AWAY * sizes)
    )
    return bool((~c.disagree & (small | c.resolved | below)).all())


def largest_error(table: Table, name: str, inputs: Layout) -> float:
    """Return by how much a gradient is off at most, as a share of the largest entry of its input."""
    c = pair(table, name)
    assert c is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = c.difference / _sizes(c, inputs)
    return float(np.nanmax(shares, initial=0.0))


def wrong_entries(table: Table, name: str, jacobian: Jacobian, sensitivity: float) -> Any:
    """Mark the entries in which a gradient is wrong by proof, shape ``(rows, inputs.size)``.

    It differs by more than the promised error and by more than its own rounding. Where function values
    contradict the proof and back the gradient, the recording is not the function, and nothing is proven.
    """
    c = pair(table, name)
    if c is None:
        return np.zeros((1, 1), dtype=bool)
    f = jacobian.function
    # A kernel adds and subtracts ones that nothing sees: an error below their rounding is none.
    values = np.fmax(np.abs(table.cotangents) @ np.abs(f.value), np.abs(table.cotangents).max(axis=1))
    least = thresholds.SATURATED_ROUNDINGS * jacobian.pullbacks[name].eps * values
    least = least[:, None] / np.fmax(jacobian.scales, 1.0)[None]
    with np.errstate(invalid="ignore"):
        wrong = c.disagree & ~(c.difference <= np.fmax(least, sensitivity * _sizes(c, f.inputs)))
    for measured in DIFFERENCE_METHODS:
        against = next((d for d in table.comparisons if (d.a, d.b) == (measured, EXACT)), None)
        theirs = next((d for d in table.comparisons if (d.a, d.b) == (measured, name)), None)
        if against is None or theirs is None:
            continue
        doubtful = against.disagree & theirs.resolved & ~theirs.disagree
        if table.tangents is not None:
            wrong = wrong & ~doubtful.any(axis=1, keepdims=True)
        else:
            wrong[:, table.coordinates] &= ~doubtful
    return wrong


def _bars(c: Comparison, name: str) -> Any:
    return (c.left if c.a == name else c.right).uncertainty


def _sizes(c: Comparison, inputs: Layout) -> Any:
    """Return the largest magnitude of either, for every entry that of its input."""
    both = np.fmax(np.abs(c.left.value), np.abs(c.right.value))
    return leafwise(inputs, np.where(np.isfinite(both), both, 0.0), 1.0)
