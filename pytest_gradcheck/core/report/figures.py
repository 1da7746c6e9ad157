"""Figures of one check as plain data: curves, matrices and a graph.

Nothing here decides anything. They are drawn after the verdict, for the one result of a test that is kept.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.report.write_up import largest_differences
from pytest_gradcheck.core.results import json_number
from pytest_gradcheck.core.verdict import Evidence
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.methods.differences import QUICK
from pytest_gradcheck.methods.roles import ENGINE, MOST_TRUSTED

#: Steps on the curve of errors, over the input's scale: four to a decade, down to its roundoff. Powers of two
#: would round to nothing on simple functions, and show no curve.
STEPS = 10.0 ** (-np.arange(2, 65) / 4)

#: Steps down to this share of the widest one can show truncation.
WIDE = 1e-4

#: Rows and columns shown of a matrix, around the worst entry.
WINDOW = 12

#: Points of the plot of a function of one number.
SAMPLES = 121

#: Numbers that one evaluation may compute to be cheap enough for curves from hundreds of them; each value
#: counts as `PER_VALUE` more, for what an operation takes besides its numbers. That is about 10 ms on one
#: core. A limit on the time itself would give different figures in each run.
CHEAP = 1_000_000
PER_VALUE = 1000

#: Fewer steps show no curve.
FEWEST = 8

#: The most values in a graph that is drawn.
NODES = 30


def figures(evidence: Evidence, culprit: str | None, evaluations: int) -> dict[str, Any]:
    """Return the figures of a decided check; those that do not apply are omitted.

    Unless the function is known to be cheap, they take at most as many evaluations as the check did: fewer
    steps, and possibly no plot.
    """
    out: dict[str, Any] = {}
    table = evidence.table
    if table is None or not table.exact:
        return out
    row, column = 0, 0
    _, farthest = largest_differences(table)
    if farthest is not None and farthest.at is not None:
        row, column = farthest.at
        if farthest.pair.entrywise == (table.tangents is not None):
            # The coordinate, or in a table of projections the tangent.
            column = table.coordinates[column] if table.tangents is None else 0
    f = evidence.order.function
    left = 2 * len(STEPS) + SAMPLES if _is_cheap(evidence) else evaluations
    every = -(-len(STEPS) // max(left // 2, 1))
    steps = STEPS[::every]
    if len(steps) >= FEWEST:
        out["steps"] = _steps(evidence, culprit, table, row, column, steps)
        left -= 2 * len(steps)
    out["gradients"] = _gradients(evidence, table, row, column if table.tangents is None else None)
    if left >= SAMPLES and evidence.order.number == 1 and f.inputs.size == 1 and f.outputs.size == 1:
        out["curve"] = _curve(evidence, table)
    graph = _graph(evidence)
    if graph is not None:
        out["graph"] = graph
    return out


def _is_cheap(evidence: Evidence) -> bool:
    """Whether an evaluation of the function is cheap according to the engine's graph."""
    # A function that does not run again is not known to be cheap.
    with contextlib.suppress(Exception):
        return ENGINE in evidence.heard and evidence.heard[ENGINE].work(PER_VALUE) <= CHEAP
    return False


def _steps(
    evidence: Evidence, culprit: str | None, table: Table, row: int, column: int, relative: Vector
) -> dict[str, Any]:
    """Return the error of the textbook quotients at smaller and smaller steps, at the worst entry.

    If only projections were compared, it is that along their tangent number ``column``. The error is that
    against ``truth``, an exact method that is not the culprit. ``rounding`` is the numerator of the rounding
    arm, noise over step; ``truncation`` and ``truncation_forward`` are the coefficients of h² and h in the
    other arm, from the steps at which it dominates.
    """
    f = evidence.order.function
    u = table.cotangents[row]
    if table.tangents is None:
        tangent = np.eye(1, f.inputs.size, column)[0]
        scale = float(evidence.jacobian.scales[column]) if evidence.jacobian is not None else 1.0
        place, index = f.inputs.locate(column)
    else:
        tangent, scale = table.tangents[column], 1.0
        place, index = "a random direction", ()
    name, truth = _truth(culprit, table, row, tangent)
    here = float(u @ f.value)
    steps = scale * relative
    above, below = (_moved(evidence, tangent, sign * steps) @ u for sign in (1.0, -1.0))
    central = np.abs((above - below) / (2 * steps) - truth)
    forward = np.abs((above - here) / steps - truth)
    noise = float(np.abs(u) @ (f.eps * np.abs(f.value) + f.evaluation_noise))
    return {
        "input": place,
        "index": list(index),
        "truth": {"method": name, "value": json_number(truth)},
        "step": steps.tolist(),
        "central": [*map(json_number, central)],
        "forward": [*map(json_number, forward)],
        "ladder": [scale * step for step in QUICK],
        "rounding": json_number(noise),
        "truncation": json_number(_arm(steps, central, noise, 2)),
        "truncation_forward": json_number(_arm(steps, forward, noise, 1)),
    }


def _moved(evidence: Evidence, tangent: Vector, moves: Vector) -> Matrix:
    """Return the function's values at steps along a tangent; NaN outside of its domain."""
    f = evidence.order.function
    points = f.point + moves[:, None] * tangent
    inside = ((points >= f.lower) & (points <= f.upper)).all(axis=1)
    values = np.full((len(moves), f.outputs.size), np.nan)
    if inside.any():
        values[inside] = f.evaluate(points[inside])[0]
    return values


def _arm(steps: Vector, errors: Vector, noise: float, power: int) -> float:
    """Return the median of error over step to a power, where truncation dominates; NaN if it never does."""
    ruled = np.isfinite(errors) & (errors > 30 * noise / steps)
    # The widest steps see more of the function than its next derivative.
    ruled &= steps > WIDE * steps[0]
    ratios = (errors / steps**power)[ruled][-6:]
    return float(np.median(ratios)) if len(ratios) >= 3 else math.nan


def _truth(culprit: str | None, table: Table, row: int, tangent: Vector) -> tuple[str, float]:
    """Return the slope along a tangent by the first exact method that is not the culprit."""
    for name in MOST_TRUSTED:
        if name in table.exact and name != culprit:
            value = float(table.exact[name].value[row] @ tangent)
            if math.isfinite(value):
                return name, value
    return "none", math.nan


def _gradients(evidence: Evidence, table: Table, row: int, column: int | None) -> dict[str, Any]:
    """Return every method's entries around the worst one: one row per output, or per projection of them."""
    f = evidence.order.function
    rows, columns = len(table.cotangents), f.inputs.size
    top, left = (_window(at, size) for at, size in ((row, rows), (column or 0, columns)))
    part = np.ix_(range(*top), range(*left))
    values = {name: np.asarray(e.value)[part] for name, e in table.exact.items()}
    d = table.differences
    if d is not None and table.tangents is None:
        for name in evidence.differences:
            whole = np.full((rows, columns), np.nan)
            whole[:, table.coordinates] = getattr(d, name).value
            values[name] = whole[part]
    return {
        "rows": [_label(f.outputs, u) for u in table.cotangents[top[0] : top[1]]],
        "columns": [_place(f.inputs, k) for k in range(*left)],
        "shape": [rows, columns],
        "worst": None if column is None else [row - top[0], column - left[0]],
        "values": {
            name: [[json_number(float(f"{v:.6g}")) for v in line] for line in matrix.tolist()]
            for name, matrix in values.items()
        },
    }


def _window(at: int, size: int) -> tuple[int, int]:
    start = max(0, min(at - WINDOW // 2, size - WINDOW))
    return start, min(size, start + WINDOW)


def _label(outputs: Layout, cotangent: Vector) -> str:
    if np.count_nonzero(cotangent) != 1:
        return "a projection of the outputs"
    return _place(outputs, int(np.argmax(np.abs(cotangent))))


def _place(layout: Layout, coordinate: int) -> str:
    name, index = layout.locate(coordinate)
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _curve(evidence: Evidence, table: Table) -> dict[str, Any]:
    """Return a function of one number around the point, and the slope that each method gives it."""
    f = evidence.order.function
    x = float(f.point[0])
    reach = 2.0 * max(1.0, abs(x))
    low, high = max(x - reach, float(f.lower[0])), min(x + reach, float(f.upper[0]))
    points = np.linspace(low, high, SAMPLES)
    values = f.evaluate(points[:, None])[0][:, 0]
    slopes = {name: json_number(float(e.value[0, 0])) for name, e in table.exact.items()}
    if table.differences is not None:
        slopes["central"] = json_number(float(table.differences.central.value[0, 0]))
    return {
        "input": f.inputs.leaves[0].name,
        "x": points.tolist(),
        "f": [*map(json_number, values)],
        "at": [x, json_number(float(f.value[0]))],
        "slopes": slopes,
    }


def _graph(evidence: Evidence) -> str | None:
    pullback = evidence.heard.get(ENGINE)
    small = evidence.order.function.outputs.size == 1 and evidence.order.function.inputs.size <= NODES
    # A picture that cannot be drawn does not affect the result.
    with contextlib.suppress(Exception):
        if evidence.order.number == 1 and small and pullback is not None:
            return pullback.picture(NODES)
    return None
