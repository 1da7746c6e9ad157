"""Why a gradient is wrong, where its values alone do not say: what raised, what was lost, and where."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.diagnosis.missing_terms import Mistakes
from pytest_gradcheck.core.diagnosis.values import is_close
from pytest_gradcheck.core.evidence.few_calls import FewCalls
from pytest_gradcheck.core.evidence.jacobian import Jacobian, random_cotangents
from pytest_gradcheck.core.evidence.survey import Projections, compare_block
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.results import Diagnosis
from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.reference import ReferencePullback
from pytest_gradcheck.methods.roles import gradient_of

if TYPE_CHECKING:
    from pytest_gradcheck.core.orders import Order


def of_error(name: str, text: str, framework: Framework) -> Diagnosis:
    """Return what kind of mistake made a backward raise, where the framework says it."""
    return Diagnosis(framework.code_of_error(text) or "backward-raised", f"{name} raised {text}")


def lost_precision(wrong: Matrix, right: Matrix, bad: Any, culprit: str, eps: float) -> Diagnosis | None:
    """Say in which dtype a gradient was computed on its way, if its values all have a place there.

    ``eps`` is the unit roundoff of the dtype that it is given in.
    """
    w, r = wrong[bad], right[bad]
    if not (np.isfinite(w).all() and np.isfinite(r).all()):
        return None
    size = float(np.abs(r).max())
    for name, (width, rounded) in COARSER.items():
        # Zeros and round numbers have a place everywhere: there must be others.
        taken = (rounded(w) == w).all() and 2 * np.count_nonzero(w) > w.size
        if name == "integers":
            near = _is_cut(w, r)
        else:
            # A difference of large numbers leaves few digits too: fewer than any dtype has, mostly. So some
            # number must need one of the last two binary digits.
            taken = taken and (np.mod(np.frexp(w)[0], 2 * width) != 0).any()
            near = (np.abs(w - r) <= thresholds.COARSE_ROUNDINGS * width * size).all()
        if width > eps and taken and not (rounded(r) == r).all() and near:
            return Diagnosis(
                "precision-loss", f"{gradient_of(culprit)} was rounded to {name} in an intermediate step"
            )
    return None


def _is_cut(whole: Any, right: Any) -> bool:
    """Whether whole numbers, and not all the same, are the right ones without their fractions.

    A mean that is not divided has ones in its gradient as well.
    """
    beside = np.abs(right - np.rint(right)) <= thresholds.NEARLY_WHOLE
    ways = [
        (whole == way(right)) | beside & (np.abs(whole - right) < thresholds.CUT_BY)
        for way in (np.trunc, np.floor, np.rint)
    ]
    return np.unique(whole).size > 1 and any(bool(way.all()) for way in ways)


def _to_bfloat16(values: Any) -> Any:
    """Round to the upper half of a float32, ties to even; NumPy has no such dtype."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


#: Dtypes with fewer digits than the one on trial: the unit roundoff, and how to round to them. The coarsest
#: come first, since their values have a place in the others too.
COARSER: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "integers": (1.0, np.trunc),
    "bfloat16": (2.0**-7, _to_bfloat16),
    "float16": (float(np.finfo(np.float16).eps), lambda values: values.astype(np.float16)),
    "float32": (float(np.finfo(np.float32).eps), lambda values: values.astype(np.float32)),
}


def is_right_in_double(fine: Pullback, rows: Matrix, right: Matrix, bad: Any) -> bool:
    """Whether the same backward in float64 gives the right values where the one on trial does not."""
    size = np.abs(right).max(axis=1, keepdims=True)
    gap = np.abs(np.stack([fine.vjp(u) for u in rows]) - right)
    return bool((gap <= thresholds.RIGHT_IN_DOUBLE * size)[bad].all())


def steps(table: Table, jacobian: Jacobian, right: Matrix, bad: Any, seed: int) -> str | None:
    """Return how to declare that the gradient of a step function is intended; None for other functions.

    The right gradient with respect to every input with a wrong entry is zero, or unknown at a step. Values
    far from the point differ from each other and not from those next to them.
    """
    function = jacobian.function
    hit = [leaf for leaf in function.inputs.leaves if bad[:, leaf.start : leaf.stop].any()]
    columns = np.concatenate([np.arange(leaf.start, leaf.stop) for leaf in hit])
    known = np.ones(right.shape, dtype=bool)
    if table.differences is not None and table.tangents is None:
        known[:, table.coordinates] = np.isfinite(table.differences.central.uncertainty)
    if right[:, columns].any(where=known[:, columns]):
        return None
    size = np.maximum(np.abs(function.point[columns]), 1.0)
    bounds = function.lower, function.upper

    def values_at(points: Matrix, moves: Any) -> Matrix:
        moved = points.copy()
        moved[:, columns] += moves
        values: Matrix = function.evaluate(np.clip(moved, *bounds))[0]
        return values

    # A solver may never come to an end far away. It is called there only if the function stands still next to
    # the point, on one side of it at least.
    here = np.repeat(function.point[None], 2, axis=0)
    sides = values_at(here, thresholds.NEXT_TO * np.outer([1.0, -1.0], size))
    if not (sides == function.value).any(axis=0).all():
        return None
    points = np.repeat(function.point[None], thresholds.FAR_POINTS, axis=0)
    reach = np.random.default_rng(seed).uniform(-1.0, 1.0, (len(points), len(columns)))
    reach *= thresholds.FAR_AWAY * size
    far, near = (values_at(points, reach + moves) for moves in (0.0, thresholds.NEXT_TO * size))
    finite = np.isfinite(far).all(axis=1) & np.isfinite(near).all(axis=1)
    far, near = far[finite], near[finite]
    if not np.array_equal(far, near) or (far == far[:1]).all():
        return None
    names = " and ".join(leaf.name for leaf in hit)
    return (
        f"the function is flat between steps in {names}: if its gradient is intended to be that of another "
        "function (straight-through estimator, spiking neuron), pass that function as surrogate="
    )


def special_values(order: Order, culprit: str, wrong: tuple[Matrix, list[int]]) -> str | None:
    """Return at which values of the inputs alone a gradient is wrong, in words, or None.

    Values of one kind at a time are moved away from what is special about them, and the method on trial is
    compared there with differences along random lines. ``wrong`` are rows and coordinates of entries that are
    wrong at the point: a small one would not be seen along a line.
    """
    # The user's own inputs, which the function's may have cotangents behind.
    own = order.function.point[: order.problem.inputs.size]
    for words, moved in _moved(order.problem.inputs, own, order.problem.seed, wrong[1]):
        if _is_right_at(order, culprit, moved, wrong):
            return words
    return None


def right_where_symmetric(order: Order, culprit: str, bad: Any) -> str | None:
    """Return the name of a square input for which a gradient is right if it is symmetric, or None.

    What takes a matrix for its transpose gives other inputs a wrong gradient.
    """
    inputs = order.problem.inputs
    own = order.function.point[: inputs.size]
    some = np.flatnonzero(bad.any(axis=0))[: thresholds.LOOKED_AT_AGAIN]
    rows = random_cotangents(np.random.default_rng(order.problem.seed), order.function.outputs.size)
    for leaf in inputs.leaves:
        if len(leaf.shape) != 2 or leaf.shape[0] != leaf.shape[1] or leaf.shape[0] < 2 or leaf.is_complex:
            continue
        part = own[leaf.start : leaf.stop].reshape(leaf.shape)
        moved = own.copy()
        moved[leaf.start : leaf.stop] = ((part + part.T) / 2).ravel()
        if not np.array_equal(moved, own) and _is_right_at(order, culprit, moved, (rows, [*map(int, some)])):
            return leaf.name
    return None


def _is_right_at(order: Order, culprit: str, moved: Vector, wrong: tuple[Matrix, list[int]]) -> bool:
    """Whether a gradient agrees with differences at another point, along random lines and in some entries."""
    function, seed, tolerance = order.function, order.problem.seed, order.tolerance
    point = np.concatenate([moved, function.point[order.problem.inputs.size :]])
    if not ((point >= function.lower) & (point <= function.upper)).all():
        return False
    value = function.evaluate(point[None])[0][0]
    if not np.isfinite(value).all():
        return False
    try:
        there = dataclasses.replace(function, point=point, value=value)
        jacobian = Jacobian(there, {culprit: order.moved(culprit, point)}, ("central",))
        rng = np.random.default_rng(seed)
        tangents = np.stack([jacobian.direction(rng) for _ in range(2)])
        rows = random_cotangents(rng, function.outputs.size)
        if order.few_calls is not None:
            few = FewCalls(jacobian, tolerance, Projections(rows, rng), order.moved)
            return bool(few.agrees() and few.agrees(wrong[1]))
        table = compare_block(jacobian, tolerance, rows, tangents=tangents)
        if not table.disagrees and not table.settled:
            table = compare_block(jacobian, tolerance, rows, tangents=tangents, thorough=True)
        if _all_agree(table):
            close = compare_block(jacobian, tolerance, wrong[0], coordinates=wrong[1], thorough=True)
            return _all_agree(close)
    except Exception:
        # The function need not be defined there.
        return False
    return False


def _all_agree(table: Table) -> bool:
    return bool(table.evidence) and all(c.agree is True for c in table.evidence)


def _moved(inputs: Layout, point: Vector, seed: int, columns: Sequence[int]) -> Iterator[tuple[str, Vector]]:
    rng = np.random.default_rng(seed)
    size = float(np.abs(point[np.isfinite(point)]).max(initial=0.0)) or 1.0
    zero = point == 0
    if zero.any():
        yield "zero", np.where(zero, size * rng.uniform(0.2, 0.6, point.size), point)
    tiny = ~zero & (np.abs(point) < thresholds.TINY_INPUT * size)
    if tiny.any():
        largest = np.abs(point)[[i for i in columns if i < point.size and tiny[i]]].max(initial=0.0)
        away = np.copysign(size * rng.uniform(0.2, 0.6, point.size), point)
        if largest:
            yield f"as small as {largest:.1g}", np.where(tiny, away, point)
    tied = np.zeros(point.size, dtype=bool)
    for leaf in inputs.leaves:
        part = point[leaf.start : leaf.stop]
        _, inverse, counts = np.unique(part, return_inverse=True, return_counts=True)
        tied[leaf.start : leaf.stop] = counts[inverse] > 1
    if tied.any():
        yield "equal to others", np.where(tied, point + size * rng.uniform(0.01, 0.2, point.size), point)
    if (point < 0).any():
        # Not to the same size, at which powers may agree: x³ and x⁴ are the same at one.
        yield "negative", np.where(point < 0, -point * rng.uniform(0.7, 1.4, point.size), point)


def mistake(
    pullback: ReferencePullback, rows: Matrix, wrong: Matrix, first: int, culprit: str
) -> Diagnosis | None:
    """Say which term or sum a gradient lacks, if leaving it out of the right one gives the wrong one.

    ``wrong`` is the gradient on trial for the cotangents ``rows``; row ``first`` is known to be wrong.
    """
    some = [first, *range(len(rows))]
    sizes, atol = np.abs(wrong).max(axis=1, initial=0.0), thresholds.SAME_ATOL_OF_TERMS
    # Of an operation that cannot be called again by itself the terms are not known.
    with contextlib.suppress(Exception):
        for kind in Mistakes(pullback):
            if all(is_close(kind.gradient(rows[k]), wrong[k], sizes[k], atol) for k in some):
                return Diagnosis(kind.code, f"{gradient_of(culprit)} {kind.text}")
    return None
