"""Diagnose a whole matrix of derivatives: order, scale and symmetry."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.diagnosis.values import is_close
from pytest_gradcheck.core.evidence.jacobian import Function
from pytest_gradcheck.core.results import Diagnosis, Place
from pytest_gradcheck.frameworks.flat import Layout, Matrix

#: So many rows of a matrix are compared with each other.
MOST_ROWS = 128


def of_hessian(
    wrong: Matrix, right: Matrix, bad: Any, who: str, function: Function, *, by_columns: bool
) -> Diagnosis | None:
    """Diagnose a Hessian that is not symmetric: only one of each two mirrored entries is wrong.

    All entries of the matrices are known. With ``by_columns`` a row is the product with one unit vector: a
    column of the Hessian.
    """
    if by_columns:
        wrong, right, bad = wrong.T, right.T, bad.T
    if wrong.shape[0] != wrong.shape[1] or not np.isfinite(wrong).all() or (bad & bad.T).any():
        return None
    where = np.argwhere(bad)
    rows, columns = where.T
    triangle = {True: "lower", False: "upper"}
    if not wrong[bad].any() and len(set(rows > columns)) == 1 and len(where) > 1:
        text = f"{who} is not symmetric: its {triangle[bool(rows[0] > columns[0])]} triangle is zero"
        return Diagnosis("not-symmetric", text)
    k, i = (int(each) for each in where[np.argmax(np.abs(wrong - right)[bad])])
    here, mirrored = (_place(function, *pair) for pair in ((k, i), (i, k)))
    text = f"{who} is not symmetric: {here} is {wrong[k, i]:.6g}, and {mirrored} is {wrong[i, k]:.6g}"
    return Diagnosis("not-symmetric", f"{text}, which is right")


def of_jacobian(wrong: Matrix, right: Matrix, bad: Any, who: str, inputs: Layout) -> Diagnosis | None:
    """Diagnose rows or columns that are in the wrong order, or each off by a factor; None otherwise.

    ``wrong`` and ``right`` have shape ``(rows, inputs.size)``.
    """
    if not (1 < len(wrong) <= MOST_ROWS and np.isfinite(wrong).all() and np.isfinite(right).all()):
        return None
    size = float(np.abs(right).max(initial=0.0))
    if _same_rows(wrong, right, size):
        return Diagnosis("permuted", f"{who} has its rows in the wrong order")
    for leaf in inputs.leaves:
        part = slice(leaf.start, leaf.stop)
        others = np.delete(bad, np.s_[part], axis=1)
        alone = leaf.size <= MOST_ROWS and bad[:, part].any() and not others.any()
        if alone and _same_rows(wrong[:, part].T, right[:, part].T, size):
            return Diagnosis("permuted", f"{who} for {leaf.name} has its columns in the wrong order")
    for words, w, r, b in (("column", wrong.T, right.T, bad.T), ("row", wrong, right, bad)):
        factors = _factors(w, r, b, size)
        if factors is not None:
            inner = "what the inputs go through first" if words == "column" else "what comes last"
            some = ", ".join(f"{factor:.6g}" for factor in factors[:3]) + ", …" * (len(factors) > 3)
            text = f"each {words} of {who} is off by a factor of its own ({some})"
            return Diagnosis("chain-factor", f"{text}: the derivative of {inner} may be missing")
    return None


def _same_rows(wrong: Matrix, right: Matrix, size: float) -> bool:
    """Whether two matrices have the same rows, which all differ, in another order."""
    apart = np.abs(wrong[:, None] - right[None]).max(axis=2, initial=0.0)
    alike = apart <= (thresholds.SAME_RTOL + thresholds.SAME_ATOL) * size
    # Equal rows have no order.
    once = (alike.sum(axis=0) == 1).all() and (alike.sum(axis=1) == 1).all()
    return bool(once and not alike.diagonal().all())


def _factors(wrong: Matrix, right: Matrix, bad: Any, size: float) -> list[float] | None:
    """Return the factors of rows that are each a multiple of the right row; None if any is not.

    A row with one entry is a multiple of anything.
    """
    factors = []
    least = thresholds.VISIBLE_ENTRY * size
    for w, r, b in zip(wrong, right, bad, strict=True):
        if not b.any():
            continue
        norm = float(r @ r)
        if (np.abs(r) > least).sum() < 2 or norm == 0:
            return None
        factor = float(w @ r) / norm
        if not is_close(w, factor * r, float(np.abs(w).max())):
            return None
        factors.append(factor)
    return factors if len(factors) > 1 and float(np.ptp(factors)) > 1e-3 * max(map(abs, factors)) else None


def _place(function: Function, row: int, column: int) -> Place:
    return Place(*function.inputs.locate(column), *function.outputs.locate(row))
