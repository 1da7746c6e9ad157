"""Looks at rows and columns of the Jacobian: what every method is asked for, and asked again more closely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pytest_gradcheck.core.evidence.allowances import weigh
from pytest_gradcheck.core.evidence.compare import NOTHING, Tolerance
from pytest_gradcheck.core.evidence.jacobian import Differences, Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.frameworks.leaves import EPS64


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
    weigh(table, jacobian, tolerance, thorough, nothing=NOTHING if table.refined else 0.0)
    if thorough and found is not None and tangents is None:
        doubtful = [k for k in table.doubtful_columns() if k not in table.refined]
        return _refined(table, jacobian, tolerance, doubtful) if doubtful else table
    return table


def compared_anew(table: Table, jacobian: Jacobian, tolerance: Tolerance) -> Table:
    """Return the table of a thorough look with the error bars that the exact methods have now."""
    exact = {name: jacobian.rows(name, table.cotangents) for name in table.exact}
    table = replace(table, exact=exact, comparisons=[])
    weigh(table, jacobian, tolerance, True, nothing=NOTHING if table.refined else 0.0)
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
    weigh(table, jacobian, tolerance, True, nothing=NOTHING)
    return table


def _seeds(cotangents: Matrix) -> Matrix | None:
    """Return the cotangents to contract differences with, None for each output by itself."""
    same = cotangents.shape[0] == cotangents.shape[1] and bool((cotangents == np.eye(len(cotangents))).all())
    return None if same else cotangents
