"""Stairs of rounding: where a function keeps few digits of its terms, its values do not measure a slope.

1 + erf(x) at -7 moves by jumps of an ulp of one. In between it is constant or, times x, has another slope;
beyond -8.3 it is constant. No window shorter than many stairs shows the derivative. The fundamental theorem
of calculus does: over a stretch of many stairs a right gradient adds up to the change of the values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.methods.windows import ROUNDINGS

_RULE = np.polynomial.legendre.leggauss(thresholds.SUM_NODES)


def bears_out(
    jacobian: Jacobian, line: Vector, cotangent: Vector, claimed: Callable[[float], float], gap: float
) -> bool:
    """Whether only rounding in the function may contradict a gradient along a line.

    Args:
        jacobian: The function, by its values.
        line: The tangent, shape ``(inputs.size,)``: one coordinate, as long as its size.
        cotangent: What the outputs are contracted with, shape ``(outputs.size,)``.
        claimed: The slope along the line that the gradient gives at ``point + t · line``.
        gap: How far that is from what values say at the point.

    """
    f = jacobian.function
    own = float(np.abs(line).max())
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = np.stack([f.lower - f.point, f.upper - f.point])[:, line != 0] / line[line != 0]
    room = [float(bounds.min(axis=0).max()), float(bounds.max(axis=0).min())]
    # As far as the size of the input, or as one if that is more.
    sides = np.array([np.clip(end, -max(1.0, 1 / own), max(1.0, 1 / own)) for end in room if end])
    count = int(np.log(np.abs(sides).max() / thresholds.SHORTEST_STRETCH) / np.log(thresholds.STRETCH_GROWTH))
    # From the shortest stretch to the longest, to either side.
    ends = np.outer(thresholds.STRETCH_GROWTH ** -np.arange(count)[::-1], sides).ravel()
    values = jacobian.values_along(line, cotangent, np.append(ends, 0.0))
    moved = values[:-1] - values[-1]
    # As far as the function is defined.
    ends, moved = ends[np.isfinite(moved)], moved[np.isfinite(moved)]
    if not moved.any():
        # No value can distinguish a number below the rounding of a term of one from zero.
        return gap * max(1.0, 1 / own) <= f.eps

    def move(t: Vector) -> Vector:
        return np.asarray(jacobian.values_along(line, cotangent, t) - values[-1])

    rounding = ROUNDINGS * f.eps * abs(values[-1])
    height, width = _stair(move, ends, moved, gap, rounding)
    mine = claimed(0.0)
    # A gap that is small compared with the slope takes correspondingly more stairs to see.
    share = gap / max(gap, abs(mine))
    # The shortest stretch of many stairs, in which errors nearby weigh most.
    many = np.flatnonzero(np.abs(moved) * share >= thresholds.MANY_STAIRS * height)
    allowed = thresholds.STAIRS_SHARE * max(share * abs(moved).max(), thresholds.MANY_STAIRS * height)
    if many.size:
        k = int(many[0])
        allowed = thresholds.STAIRS_SHARE * share * abs(moved[k])
    elif height <= thresholds.HEIGHT_OF_STAIRS * gap * width and width <= thresholds.WIDTH_OF_STAIRS:
        # The function's whole range is smaller, and still has many stairs.
        k = int(np.argmax(np.abs(moved)))
    else:
        return False
    if not (height and abs(_integral(claimed, ends[k], allowed / 8) - moved[k]) <= allowed):
        return False
    # A gradient that is wrong only at the point adds up anyway.
    beside = [claimed(thresholds.NEXT_TO_STAIRS * np.sign(end)) for end in sides]
    return abs(mine - float(np.mean(beside))) <= thresholds.TELLING_BAR * gap


def _integral(claimed: Callable[[float], float], end: float, bar: float) -> float:
    """Return the integral of a slope from zero to an end, each part within a bar; nan if that fails."""

    def rule(low: float, high: float) -> float:
        half = (high - low) / 2
        return float(half * sum(w * claimed(low + half * (1 + t)) for t, w in zip(*_RULE, strict=True)))

    out, parts = 0.0, [(0.0, end, rule(0.0, end))]
    for _ in range(thresholds.HALVINGS):
        low, high, whole = parts.pop()
        middle = (low + high) / 2
        halves = [(low, middle, rule(low, middle)), (middle, high, rule(middle, high))]
        if abs(sum(half[2] for half in halves) - whole) <= bar:
            out += sum(half[2] for half in halves)
        else:
            parts += halves
        if not parts:
            return out
    return np.nan


def _stair(
    move: Callable[[Vector], Vector], ends: Vector, moved: Vector, gap: float, rounding: float
) -> tuple[float, float]:
    """Return the height of the jump at which values leave the stair at the point, and the stair's width.

    The height is zero if there is no jump, and the width is infinite unless there is one on both sides. A
    smooth function, or one with a kink, leaves its line without a jump. ``moved`` is what ``move`` gives for
    ``ends``.
    """
    slope = float(np.median((moved / ends)[: thresholds.STRETCHES_FOR_A_SLOPE]))

    def leaves(t: Vector, moved: Vector) -> Vector:
        """The distance of values from the stair's line, in units of its distance from the gradient's."""
        unit = thresholds.LEAVES_A_STAIR * gap * np.abs(t) + rounding * (1 + np.abs(t / ends[0]))
        return np.asarray(np.abs(moved - slope * t) / unit)

    jumps: list[tuple[float, float]] = []
    for side in (ends > 0, ends < 0):
        inside, there = 0.0, ends[side]
        gone = np.flatnonzero(leaves(there, moved[side]) >= 1)
        if not gone.size:
            continue
        outside = float(there[gone[0]])
        inside = float(there[gone[0] - 1]) if gone[0] else 0.0
        for _ in range(thresholds.JUMP_ROUNDS):
            t = np.linspace(inside, outside, thresholds.JUMP_PARTS + 1)
            values = move(t)
            k = int(np.argmax(leaves(t, values)[1:] >= 1))
            inside, outside = float(t[k]), float(t[k + 1])
        height = float(abs(values[k + 1] - values[k] - slope * (outside - inside)))
        if height >= thresholds.KEPT_BY_A_JUMP * abs(values[k + 1] - slope * outside):
            jumps.append((height, abs(outside)))
    if not jumps:
        return 0.0, np.inf
    return jumps[0][0], sum(at for _, at in jumps) if len(jumps) == 2 else np.inf
