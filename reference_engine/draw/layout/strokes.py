"""Lay out one frame: columns from left to right, and the lines between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reference_engine.draw.layout.boxes import PADDING, Box, Frame, Item
from reference_engine.draw.layout.columns import Bend, Hop, Port, Wire, columns
from reference_engine.draw.layout.heights import set_heights

__all__ = ["Stroke", "arrange"]

_GAP, _PORT_GAP, _WIDEST_GAP = 26, 8, 80
_FIRST = ("leaf", "constant", "more")
_COMMUTATIVE = ("+", "×")


@dataclass(eq=False, slots=True)
class Stroke:
    """A line between columns: level from `x[0]` to `x[1]`, bent from `y[0]` to `y[1]`, level to `x[3]`.

    `has_tip` says whether an arrow ends here, and `number` which argument it brings, counted from 1, if the
    order of the arrows does not show it.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    has_tip: bool
    number: int | None


def arrange(frame: Frame, ports: Sequence[Port], wires: Sequence[Wire]) -> list[Stroke]:
    """Place what is inside `frame` relative to its corner, and make the frame as large as it needs to be."""
    order, hops = columns([*frame.inside, *ports], wires)
    set_heights(order, hops)
    for column in order:
        for item in column:
            item.y += frame.header.height + PADDING
    arrivals = {hop: y for gap in hops for hop, y in _arrivals(gap).items()}
    edges: list[tuple[float, float]] = []
    x = float(PADDING)
    for i, column in enumerate(order):
        width = max(item.width for item in column)
        for item in column:
            item.x = x + _alignment(item) * (width - item.width)
        edges.append((x, x + width))
        x += width
        if i < len(hops):
            x += _width_of_gap(hops[i], arrivals)
    frame.width = max(x, frame.header.width) + PADDING
    frame.height = max(item.y + item.height for column in order for item in column) + PADDING
    for port in ports:
        port.x = 0.0 if port.is_left else frame.width
    strokes: list[Stroke] = []
    for gap, (_, start), (end, _) in zip(hops, edges, edges[1:], strict=False):
        numbered = _out_of_order(gap)
        for hop in gap:
            number = hop.argument + 1 if hop.right in numbered else None
            strokes.append(_stroke(hop, arrivals[hop], start, end, number))
    return strokes


def _alignment(item: Item) -> float:
    """How far to the right `item` stands in its column: 0 is left, 1 right, close to its users."""
    if isinstance(item, Bend):
        return 0
    return 1 if isinstance(item, Box) and item.kind in _FIRST else 0.5


def _start(hop: Hop) -> float:
    return hop.left.y + hop.leaves


def _arrivals(gap: Sequence[Hop]) -> dict[Hop, float]:
    """The height at which each hop arrives: what comes from above, above the middle of the box."""
    heights: dict[Hop, float] = {}
    for item, hops in _by_target(gap).items():
        if not isinstance(item, Box):
            heights.update((hop, item.y + hop.enters) for hop in hops)
            continue
        middle = item.y + item.height / 2
        above = [hop for hop in hops if _start(hop) < middle - 0.5]
        below = [hop for hop in hops if _start(hop) > middle + 0.5]
        level = hops[len(above) : len(hops) - len(below)]
        room = 0.35 * item.height
        heights |= {hop: middle - _spread(i, len(above), room) for i, hop in enumerate(above[::-1])}
        heights |= {hop: middle + _spread(i, len(below), room) for i, hop in enumerate(below)}
        heights |= {hop: middle + room * ((i + 0.5) / len(level) - 0.5) for i, hop in enumerate(level)}
    return heights


def _spread(i: int, count: int, room: float) -> float:
    """How far from the middle the arrow number `i` of `count` arrives that come from one side."""
    return min(room, 8.0 * count) * (i + 1) / count


def _by_target(gap: Sequence[Hop]) -> dict[Item, list[Hop]]:
    """The hops to each item from top to bottom."""
    result: dict[Item, list[Hop]] = {}
    for hop in sorted(gap, key=lambda hop: (_start(hop), hop.argument)):
        result.setdefault(hop.right, []).append(hop)
    return result


def _out_of_order(gap: Sequence[Hop]) -> set[Item]:
    """The operations whose arguments do not arrive from top to bottom, where that makes a difference."""
    return {
        item
        for item, hops in _by_target(gap).items()
        if isinstance(item, Box) and item.kind == "operation" and item.lines[0] not in _COMMUTATIVE
        if any(one.argument > other.argument for one, other in pairwise(hops))
    }


def _width_of_gap(gap: Sequence[Hop], arrivals: dict[Hop, float]) -> float:
    """Wide enough that no line is steep."""
    steepest = max(abs(_start(hop) - arrivals[hop]) for hop in gap)
    at_border = all(isinstance(hop.left, Port) for hop in gap) or all(
        isinstance(hop.right, Port) for hop in gap
    )
    return min(_WIDEST_GAP, (_PORT_GAP if at_border else _GAP) + steepest / 8)


def _stroke(hop: Hop, arrival: float, start: float, end: float, number: int | None) -> Stroke:
    target = hop.right
    inset = 0.0
    if isinstance(target, Box) and target.kind == "operation":
        # The ends of an operation are half circles.
        radius = min(target.width, target.height) / 2
        beyond = max(0, abs(arrival - target.y - target.height / 2) - target.height / 2 + radius)
        inset = radius - math.sqrt(radius**2 - beyond**2)
    x = (hop.left.x + hop.left.width, start, end, target.x + inset)
    return Stroke(x, (_start(hop), arrival), isinstance(target, Box), number)
