"""The proven derivative next to the numbers of a table: which is right, and where."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.allowances import noticeable
from pytest_gradcheck.core.evidence.compare import Comparison, Sides, compare
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian
from pytest_gradcheck.core.evidence.rounding import Runs, measure
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.leaves import EPS32
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.exact import ExactPullback
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.methods.roles import EXACT


def neighbour(
    f: Function, eps: float, rounded: Callable[[Matrix], Matrix], seed: int, side: float = 1.0
) -> Vector:
    """Return a point a few roundings away, drawn by a seed, or on the other side of the first."""
    rng = np.random.default_rng(seed)
    step = side * thresholds.NEIGHBOURS * eps * rng.uniform(-1, 1, f.point.size)
    return np.asarray(np.clip(rounded((f.point * (1 + step))[None])[0], f.lower, f.upper))


def own_bars(
    table: Table,
    jacobian: Jacobian,
    name: str,
    moved: Callable[[Vector], Pullback],
    rounded: Callable[[Matrix], Matrix],
    seed: int,
    runs: tuple[Mapping[str, Runs], Mapping[str, Runs]],
    kinked: Any,
) -> Any:
    """Return what its own rounding may have done to each entry of a gradient, whatever the function's does.

    It is measured in two ways. ``moved(point)`` is the gradient at points a few roundings away: what is
    computed in a stable way is the right gradient of such a point. ``runs`` are its own passes in coarse
    arithmetic, with the backward and without, as far as operations can be disturbed.
    """
    pullback, f, values = jacobian.pullbacks[name], jacobian.function, table.exact[name].value
    scatter = np.zeros(values.shape)
    for k in range(thresholds.RUNS):
        at = neighbour(f, pullback.eps, rounded, seed + k)
        # A method may not move, and a backward may look at its numbers and raise.
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            scatter = np.fmax(scatter, np.abs(moved(at).vjps(table.cotangents) - values))
    bars = pullback.rounding(values) + thresholds.ROUNDING_MARGIN * scatter
    mine = replace(jacobian, measured={}, noises={})
    measure(mine, None, runs[0], kinked, None, runs[1])
    if name in mine.measured:
        bars = np.fmax(bars, mine.rows(name, table.cotangents).uncertainty)
    return bars


def with_proof(
    table: Table, jacobian: Jacobian, exact: Pullback, tolerance: Tolerance, bars: Mapping[str, Any]
) -> tuple[Table, Jacobian]:
    """Return the table and the Jacobian with the proven rows, compared with all others.

    ``bars`` are the own roundings of the methods on trial, by name. Pairs that were not in the table do not
    count: what it was before is as it was, as far as votes go.
    """
    wider = replace(jacobian, pullbacks={**jacobian.pullbacks, EXACT: exact})
    truth, counts = wider.rows(EXACT, table.cotangents), EXACT in table.exact
    whole = replace(table, exact={**table.exact, EXACT: truth})
    inputs, zero = jacobian.function.inputs, noticeable(table.cotangents, jacobian)
    mine: tuple[Comparison, ...] = ()
    for name, estimate in table.exact.items():
        if name == EXACT or name not in jacobian.pullbacks:
            continue
        theirs = Estimate(estimate.value, bars.get(name, estimate.uncertainty))
        noise = thresholds.EXACT_NOISE * jacobian.pullbacks[name].eps
        sides = Sides(name, theirs, EXACT, truth, noise, entrywise=True, counts=counts)
        size = _sizes(theirs, truth, inputs)
        mine += compare([sides], tolerance, scale=size, floor=-1.0, zero=zero, zero_bar=0.0)
    if table.differences is not None:
        seen = whole.seen(EXACT)
        size = leafwise(inputs, truth.value, 1.0)
        if table.tangents is None:
            size, zero = size[:, table.coordinates], zero[:, table.coordinates]
        else:
            size, zero = (np.abs(each) @ np.abs(table.tangents).T for each in (truth.value, zero))
        for name in jacobian.differences:
            slopes = getattr(table.differences, name)
            theirs = Estimate(slopes.value, thresholds.THOROUGH_BARS * slopes.uncertainty)
            sides = Sides(name, theirs, EXACT, seen, thresholds.MEASURED_NOISE, counts=counts)
            projected = table.tangents is not None
            mine += compare(
                [sides], tolerance, scale=size, floor=-1.0, zero=zero, zero_bar=0.0, projected=projected
            )
    before = tuple(c for c in table.comparisons if EXACT not in (c.a, c.b))
    return replace(whole, comparisons=(*before, *mine)), wider


def is_stable(table: Table, name: str, exact: Pullback, wrong: Any, at: Callable[[float], Vector]) -> bool:
    """Whether the proven entries in which a gradient is wrong stay where they are a few roundings away.

    Next to equal eigenvalues they do not, and the gradient of the intended matrix is as good.
    ``at(side)`` is a point on one side or the other.
    """
    c = pair(table, name)
    assert c is not None
    for side in (1.0, -1.0):
        try:
            moved = exact.moved(at(side)).vjps(table.cotangents)
        except Exception:
            # A tie, or a value that no precision resolves.
            return False
        if (np.abs(moved - c.right.value)[wrong] > thresholds.STAYS * c.difference[wrong]).any():
            return False
    return True


def is_followed(table: Table, jacobian: Jacobian, exact: ExactPullback) -> bool:
    """Whether function values are those of the recording, whatever they say of its derivative.

    They are asked in the entries that contradict it most, a long and a short way to either side. There the
    recording, replayed in floats, must move as the function does, but for a tenth of what is contradicted:
    else the proof is of another function. And it must make the same choices: else the values are of stairs,
    or of a loop that stops elsewhere, and another derivative may be intended.
    """
    f, asked, contradicted = jacobian.function, 0, 0
    for against in table.comparisons:
        if against.a not in DIFFERENCE_METHODS or against.b != EXACT:
            continue
        gaps = np.where(against.disagree & np.isfinite(against.difference), against.difference, 0.0)
        for at in np.argsort(-gaps, axis=None)[: thresholds.FOLLOWED_ENTRIES]:
            row, column = np.unravel_index(at, gaps.shape)
            if not gaps[row, column]:
                continue
            contradicted += 1
            line = np.zeros(f.point.size)
            if table.tangents is None:
                k = table.coordinates[int(column)]
                line[k] = jacobian.scales[k]
            else:
                line = table.tangents[column]
            gap = gaps[row, column] * (float(np.abs(line).max()) if table.tangents is None else 1.0)
            for scale in thresholds.FOLLOWED_SCALES:
                for side in (1.0, -1.0):
                    point = f.rounded(np.clip(f.point + side * scale * line, f.lower, f.upper)[None])[0]
                    values, _ = f.evaluate(point[None])
                    moved = table.cotangents[row] @ (values[0] - f.value)
                    replayed = table.cotangents[row] @ (exact.primal_at(point) - exact.primal)
                    noise = (
                        thresholds.ELSEWHERE_ROUNDINGS
                        * f.eps
                        * (np.abs(table.cotangents[row]) @ np.abs(f.value))
                    )
                    asked += 1 if noise < scale * gap else 0
                    if not abs(moved - replayed) <= thresholds.STAYS * scale * gap + noise:
                        return False
                    if not exact.takes_the_same_way(point):
                        return False
    return asked > 0 or not contradicted


def counting(table: Table, names: Collection[str]) -> Table:
    """Return the table in which the comparisons of some methods with the proven derivative count."""
    made = (replace(c, counts=True) if c.a in names and c.b == EXACT else c for c in table.comparisons)
    return replace(table, comparisons=tuple(made))


def pair(table: Table, name: str) -> Comparison | None:
    """Return the comparison of a method with the proven derivative."""
    return next((c for c in table.comparisons if {c.a, c.b} == {name, EXACT}), None)


def is_right(table: Table, name: str, jacobian: Jacobian, sensitivity: float) -> bool:
    """Whether a gradient is the proven one in every entry looked at.

    It may be off by the promised error: its error bars do not matter, because the error is known. Or by its
    own rounding, as long as that would not hide a gradient of zero. In half precision its rounding is all but
    an estimate, which hides a tenth and excuses nothing.
    """
    c = pair(table, name)
    if c is None:
        return False
    sizes = _sizes(c.left, c.right, jacobian.function.inputs)
    bars = c.left.uncertainty if jacobian.pullbacks[name].eps <= EPS32 else 0.0 * sizes
    small = (c.difference <= sensitivity * sizes) | (
        c.difference <= np.fmin(bars, thresholds.ROUNDED_AWAY * sizes)
    )
    return bool((~c.disagree & (small | c.resolved)).all())


def largest_error(table: Table, name: str, inputs: Layout) -> float:
    """Return by how much a gradient is off at most, as a share of the largest entry of its input."""
    c = pair(table, name)
    assert c is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = c.difference / _sizes(c.left, c.right, inputs)
    return float(np.nanmax(shares, initial=0.0))


def wrong_entries(table: Table, name: str, jacobian: Jacobian, sensitivity: float) -> Any:
    """Mark the entries in which a gradient is wrong by proof, shape ``(rows, inputs.size)``.

    It differs by more than the promised error and by more than its own rounding. Where function values
    contradict the proof and not the gradient anywhere, none is: the steps of a quantised function have a
    slope of zero, and it was intended to have another one.
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
        wrong = c.disagree & ~(
            c.difference <= np.fmax(least, sensitivity * _sizes(c.left, c.right, f.inputs))
        )
    for against in table.comparisons:
        if against.a not in DIFFERENCE_METHODS or against.b != EXACT:
            continue
        slopes, mine = against.left, c.left
        seen = (
            Estimate(mine.value[:, table.coordinates], mine.uncertainty[:, table.coordinates])
            if table.tangents is None
            else mine.along(table.tangents)
        )
        size = sensitivity * np.fmax(np.abs(slopes.value), np.abs(seen.value))
        with np.errstate(invalid="ignore"):
            backs = np.abs(slopes.value - seen.value) <= slopes.uncertainty + seen.uncertainty + size
        if (against.disagree & backs).any():
            return np.zeros_like(wrong)
    return wrong


def _sizes(a: Estimate, b: Estimate, inputs: Layout) -> Any:
    """Return the largest magnitude of either, for every entry that of its input."""
    both = np.fmax(np.abs(a.value), np.abs(b.value))
    return leafwise(inputs, np.where(np.isfinite(both), both, 0.0), 1.0)
