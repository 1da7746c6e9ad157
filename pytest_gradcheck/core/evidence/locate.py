"""Which entry is wrong, in O(log n) evaluations: halves of the inputs, then halves of the outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pytest_gradcheck.core.evidence.allowances import noticeable
from pytest_gradcheck.core.evidence.compare import Tolerance, blocks, finite
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.looks import fill
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.frameworks.flat import Layout, Vector
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS

#: Up to this many inputs and outputs doubt is settled entry by entry, beyond it by bisection.
ENTRYWISE = 128

#: As many wrong entries as a message could show.
MOST = 4


#: So many coordinates of each input, and of all together, are looked at beside the wrong ones where there are
#: more of those than were searched for.
BESIDE_EACH, BESIDE = 2, 16


def bisect(size: int, is_wrong: Callable[[Vector], bool], *, most: int = MOST) -> list[int]:
    """Return up to ``most`` indices below ``size`` that are wrong by themselves.

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


def one_wrong_entry(jacobian: Jacobian, tolerance: Tolerance, first: Table) -> tuple[int, int] | None:
    """Return output and coordinate of the entry that looks most wrong at a first look, or None.

    None as well where differences contradict everybody: whether they measure anything there (they do not at
    ties) takes all entries to tell.
    """
    contradicted = {c.b for c in first.evidence if c.agree is False and not first.entrywise(c)}
    if not first.disagrees or (len(first.exact) > 1 and contradicted >= set(first.exact)):
        return None
    table, m = first, jacobian.function.outputs.size
    if first.projected:
        columns = wrong_columns(jacobian, tolerance, first)[:1]
        if not columns:
            return None
        if m > ENTRYWISE:
            rows = wrong_rows(jacobian, tolerance, columns[0])
            return (rows[0], columns[0]) if rows else None
        table = fill(jacobian, tolerance, np.eye(m), coordinates=columns)
        if not table.disagrees:
            return None
    column = table.worst_coordinate()
    return table.worst_row(column), column


def wrong_columns(jacobian: Jacobian, tolerance: Tolerance, table: Table) -> list[int]:
    """Return the coordinates on which the methods of a table of projections disagree, at most four.

    Where differences had to find them, and four were not all, some that were drawn follow.
    """
    worst: list[int] = []
    for c in table.evidence:
        if table.entrywise(c) and c.disagree.any():
            ratio = np.where(c.disagree, c.difference / np.fmax(c.tolerance, 1e-300), 0.0).max(axis=0)
            worst += [int(i) for i in np.argsort(-ratio)[:MOST] if ratio[i] > 0]
    if worst or table.tangents is None:
        return list(dict.fromkeys(worst))[:MOST]
    for c in table.evidence:
        if c.a in DIFFERENCE_METHODS and c.disagree.any():
            row, k = (int(i) for i in np.argwhere(c.disagree)[0])
            is_wrong = _projection_is_wrong(jacobian, tolerance, table, c.b, row, table.tangents[k])
            found = bisect(jacobian.function.inputs.size, is_wrong)
            return found if len(found) < MOST else found + _beside(jacobian.function.inputs, found)
    return []


def _beside(inputs: Layout, found: list[int]) -> list[int]:
    """Draw coordinates that tell whether all is wrong or only what the search came upon."""
    rng = np.random.default_rng(inputs.size)
    drawn = [rng.integers(leaf.start, leaf.stop, BESIDE_EACH) for leaf in inputs.leaves if leaf.size]
    candidates = rng.permutation(np.concatenate([*drawn, rng.integers(0, inputs.size, BESIDE)]))
    return [i for i in dict.fromkeys(int(i) for i in candidates) if i not in found][:BESIDE]


def _projection_is_wrong(
    jacobian: Jacobian, tolerance: Tolerance, table: Table, exact: str, row: int, tangent: Vector
) -> Callable[[Vector], bool]:
    whole = table.exact[exact]
    scatter = None if whole.scatter is None else whole.scatter[row : row + 1]
    gradient = Estimate(whole.value[row : row + 1], whole.uncertainty[row : row + 1], scatter)

    def is_wrong(mask: Vector) -> bool:
        part = mask * tangent
        d = jacobian.along(part, table.cotangents[row : row + 1], thorough=False).central
        summed = gradient.along(part[None])
        gap = abs(float(d.value[0, 0]) - float(summed.value[0, 0]))
        bar = float(d.uncertainty[0, 0]) + float(summed.uncertainty[0, 0])
        return gap > bar + tolerance.rtol * float(np.max(np.abs(gradient.value * part), initial=0.0))

    return is_wrong


def wrong_rows(jacobian: Jacobian, tolerance: Tolerance, coordinate: int, *, most: int = MOST) -> list[int]:
    """Return the outputs whose derivative by one coordinate the methods disagree on, at most ``most``."""
    m = jacobian.function.outputs.size
    measured = None
    # One output is found by whom it costs nothing, if there are two of them, else by few steps.
    if jacobian.differences and (most > 1 or len(jacobian.pullbacks) < 2):
        measured = jacobian.column(coordinate, None, thorough=most > 1).central

    def is_wrong(mask: Vector) -> bool:
        rows = [jacobian.rows(name, mask[None]) for name in jacobian.pullbacks]
        numbers = [float(r.value[0, coordinate]) for r in rows]
        bars = [float(r.uncertainty[0, coordinate]) for r in rows]
        if measured is not None and np.isfinite(measured.uncertainty).all():
            numbers.append(float(mask @ measured.value[:, 0]))
            bars.append(float(mask @ measured.uncertainty[:, 0]))
        size = max(abs(v) for v in numbers)
        return max(numbers) - min(numbers) > sum(bars) + tolerance.rtol * size

    return bisect(m, is_wrong, most=most)


def unseen(table: Table, jacobian: Jacobian, sensitivity: float) -> int:
    """Return in how many entries an error of the promised size could have hidden among the projections.

    Their share is smaller than the error bar of every sum that they are in. Where two exact methods agree,
    which are compared entry by entry, there are none.
    """
    if table.tangents is None or any(table.entrywise(c) and c.agree for c in table.evidence):
        return 0
    inputs = jacobian.function.inputs
    hidden = 0
    for name, estimate in table.exact.items():
        size = np.abs(estimate.value)
        # A zero has no size to be relative to but that of its input's largest entry, as everywhere.
        size = np.where(size > 0, size, blocks(inputs, finite(size)))
        size = np.where(size > 0, size, noticeable(table.cotangents, jacobian))
        seen = np.zeros(inputs.size, dtype=bool)
        for c in table.evidence:
            if c.b == name and not table.entrywise(c):
                for row, column in np.ndindex(c.tolerance.shape):
                    share = size[row] * np.abs(table.tangents[column])
                    seen |= sensitivity * share > c.tolerance[row, column]
        hidden = max(hidden, int((~seen).sum()))
    return hidden
