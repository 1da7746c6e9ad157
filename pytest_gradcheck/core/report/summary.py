"""A table of numbers written down as a result: values as the inputs are nested, pairs, the worst entry."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.core.evidence.compare import TOGETHER, Comparison, margins
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian, is_identity
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.results import Pair, Place, Worst
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.function.problem import Problem


class _Extreme(NamedTuple):
    """The largest difference of a pair: in units of its tolerance, where, and for itself.

    ``relative`` and ``absolute`` are the largest of all entries, in units of the larger value and as such.
    """

    margin: float
    at: tuple[int, int]
    relative: float
    absolute: float


def in_short(table: Table, jacobian: Jacobian) -> tuple[tuple[Pair, ...], Worst | None]:
    """Return every comparison of the table in short, and where the methods are farthest apart.

    That is an entry, or a projection; farthest in units of the tolerance.
    """
    extremes, pairs = _extremes(table.comparisons), []
    for c, most in zip(table.comparisons, extremes, strict=True):
        if most is None:
            pairs.append(Pair(c.a, c.b, 0.0, 0.0, None, 0.0, c.agree))
            continue
        place, allowed = _place(c, most.at, table, jacobian.function), float(c.tolerance[most.at])
        pairs.append(Pair(c.a, c.b, most.absolute, most.relative, place, allowed, c.agree))
    found = _farthest(table, extremes)
    return tuple(pairs), None if found is None else _worst(*found, table, jacobian)


def _worst(c: Comparison, k: tuple[int, int], table: Table, jacobian: Jacobian) -> Worst:
    row, column = k
    whole = c.entrywise
    values: dict[str, float] = {}
    bars: dict[str, float] = {}
    d = table.differences
    at: int | None = column
    if whole:
        known = not table.projected and column in table.coordinates
        at = table.coordinates.index(column) if known else None
    if d is not None and at is not None:
        for name in jacobian.differences:
            estimate = getattr(d, name)
            values[name] = float(estimate.value[row, at])
            bars[name] = float(estimate.uncertainty[row, at])
    for name, estimate in table.exact.items():
        shown = estimate if whole else table.seen(name)
        values[name] = float(shown.value[row, column])
        bars[name] = float(shown.uncertainty[row, column])
    place = _place(c, k, table, jacobian.function)
    return Worst(place, values, bars, float(c.difference[k]), float(c.tolerance[k]))


def worst_entry(table: Table) -> tuple[int, int]:
    """Return the row of the worst entry, and its coordinate or, in a table of projections, its tangent."""
    found = _farthest(table, _extremes(table.comparisons))
    if found is None:
        return 0, 0
    c, (row, column) = found
    if table.projected:
        return row, 0 if c.entrywise else column
    return row, column if c.entrywise else table.coordinates[column]


def _farthest(table: Table, extremes: Sequence[_Extreme | None]) -> tuple[Comparison, tuple[int, int]] | None:
    """Return the pair that is farthest apart, of those that count, and where."""
    best: tuple[tuple[bool, float], Comparison, tuple[int, int]] | None = None
    for c, most in zip(table.comparisons, extremes, strict=True):
        if most is not None and c.counts:
            rank = c.agree is False, most.margin
            if best is None or rank > best[0]:
                best = rank, c, most.at
    return best and best[1:]


def shown(name: str, table: Table, function: Function, problem: Problem) -> tuple[Any, Any]:
    """Return a method's value and error bar, in the structure of the inputs where all entries are known."""
    everything = is_identity(table.cotangents, function.outputs.size)
    if name in table.exact:
        if not everything:
            seen = table.seen(name)
            return seen.value, seen.uncertainty
        estimate = table.exact[name]
    else:
        d = table.differences
        if d is None:
            return None, None
        estimate = getattr(d, name)
        if not everything or table.projected or len(table.coordinates) != function.inputs.size:
            return estimate.value, estimate.uncertainty
    return (
        _structured(estimate.value, function, problem),
        _structured(estimate.uncertainty, function, problem),
    )


def _structured(matrix: Matrix, function: Function, problem: Problem) -> Any:
    out = []
    # The cotangents of a second order are none of the user's inputs.
    own = len(problem.inputs.leaves)
    for leaf in function.outputs.leaves:
        parts: list[Any] = []
        for x in function.inputs.leaves[:own]:
            block: Any = matrix[leaf.start : leaf.stop, x.start : x.stop]
            if not (leaf.is_complex or x.is_complex):
                block = block.reshape(leaf.shape + x.shape)
            elif leaf.size == 1:
                # A real function of complex inputs: dL/dRe + i dL/dIm, as autograd writes it.
                block = np.ascontiguousarray(block).view(np.complex128).reshape(x.shape)
            parts.append(block.item() if block.ndim == 0 else block)
        out.append(problem.structure(parts))
    return out[0] if len(out) == 1 else tuple(out)


def _place(c: Comparison, k: tuple[int, int], table: Table, function: Function) -> Place:
    row, column = k
    output = f"projection {row}"
    output_index: tuple[int, ...] = ()
    if np.count_nonzero(table.cotangents[row]) == 1:
        output, output_index = function.outputs.locate(int(np.argmax(np.abs(table.cotangents[row]))))
    if c.entrywise:
        name, index = function.inputs.locate(column)
    elif not table.projected:
        name, index = function.inputs.locate(table.coordinates[column])
    else:
        name, index = f"direction {column}", ()
    return Place(name, index, output, output_index)


def _extremes(comparisons: Sequence[Comparison]) -> list[_Extreme | None]:
    """Return the largest difference of each pair, of those that disagree if any does; None for no entries."""
    found: list[_Extreme | None] = []
    for some in _alike(comparisons):
        difference, tolerance, disagree, left, right = (
            np.array(each)
            for each in zip(
                *[(c.difference, c.tolerance, c.disagree, c.left.value, c.right.value) for c in some],
                strict=True,
            )
        )
        if not difference.size:
            found += [None] * len(some)
            continue
        ratio = margins(difference, tolerance)
        ratio[np.isnan(ratio)] = -1.0
        if disagree.any():
            ratio[~disagree & disagree.any(axis=(1, 2), keepdims=True)] = -2.0
        ratio = ratio.reshape(len(some), -1)
        where = np.argmax(ratio, axis=1)
        # The largest of those that are numbers, NaN where none is.
        relative = np.fmax.reduce(margins(difference, np.fmax(np.abs(left), np.abs(right))), axis=(1, 2))
        found += [
            _Extreme(most, divmod(k, difference.shape[2]), share, largest)
            for most, k, share, largest in zip(
                ratio[np.arange(len(some)), where].tolist(),
                where.tolist(),
                relative.tolist(),
                np.fmax.reduce(difference, axis=(1, 2)).tolist(),
                strict=True,
            )
        ]
    return found


def _alike(comparisons: Sequence[Comparison]) -> Iterator[list[Comparison]]:
    """Yield neighbours of one shape together, as `compare` does, where that is worth it."""
    for shape, some in itertools.groupby(comparisons, attrgetter("difference.shape")):
        if math.prod(shape) <= TOGETHER:
            yield list(some)
        else:
            yield from ([c] for c in some)
