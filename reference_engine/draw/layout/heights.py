"""Assign each item a height so that long paths through the graph are straight lines.

Successive items on a long path form a block at one height, as in U. Brandes and B. Köpf (Graph Drawing 2001).
The longest block is placed first, then the blocks connected to it, each as close to its neighbour as the
items between them allow: the order in every column is fixed.
"""

from __future__ import annotations

import heapq
import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from statistics import median

from reference_engine.draw.layout.boxes import Frame, Item
from reference_engine.draw.layout.columns import Bend, Hop, Port

__all__ = ["set_heights"]

_GAP, _WIRE_GAP = 18, 10


class _Block:
    """Items at fixed heights relative to each other: each `shift` below the height `y` of the block.

    `below` holds the minimal distances to the blocks under this one in some column.
    """

    __slots__ = ("above", "below", "high", "hooks", "low", "number", "shift", "weight", "y")

    def __init__(self, item: Item) -> None:
        self.shift = {item: 0.0}
        self.weight = 0
        self.number = 0
        self.above: dict[_Block, float] = {}
        self.below: dict[_Block, float] = {}
        self.hooks: list[tuple[float, _Block]] = []
        self.low = -math.inf
        self.high = math.inf
        self.y: float | None = None


def set_heights(columns: Sequence[Sequence[Item]], hops: Sequence[Sequence[Hop]]) -> None:
    """Set `y` of every item so that none overlaps another of its column; 0 is the top."""
    place = {item: i for column in columns for i, item in enumerate(column)}
    blocks = _blocks(place, _straight(place, hops))
    _keep_apart(columns, blocks)
    _hook(hops, blocks)
    _place(_sorted(dict.fromkeys(blocks.values())))
    for item, block in blocks.items():
        assert block.y is not None
        item.y = block.y + block.shift[item]
    top = min(item.y for item in blocks)
    for item in blocks:
        item.y -= top


def _straight(place: dict[Item, int], hops: Sequence[Sequence[Hop]]) -> list[Hop]:
    """The hops to draw straight: at most one into and one out of each item, and none that cross.

    Wires that pass a column come first, because long wires with kinks are hard to follow, then hops on the
    longest path through the graph. Among equals the middle one is chosen.
    """
    chosen: list[Hop] = []
    for gap in hops:
        ordered = sorted(gap, key=lambda hop: (place[hop.left], place[hop.right], hop.argument))
        into: dict[Item, list[Hop]] = {}
        out: dict[Item, list[Hop]] = {}
        for hop in ordered:
            into.setdefault(hop.right, []).append(hop)
            out.setdefault(hop.left, []).append(hop)
        off_centre = dict.fromkeys(ordered, 0)
        for beside in [*into.values(), *out.values()]:
            for i, hop in enumerate(beside):
                off_centre[hop] += abs(i - (len(beside) - 1) // 2)
        ordered.sort(key=lambda hop: (not _passes(hop), -hop.before - hop.after, off_centre[hop]))
        taken: list[tuple[int, int]] = []
        for hop in ordered:
            ends = place[hop.left], place[hop.right]
            i = bisect_left(taken, ends)
            above = taken[i - 1] if i else (-1, -1)
            below = taken[i] if i < len(taken) else (math.inf, math.inf)
            if above[0] < ends[0] < below[0] and above[1] < ends[1] < below[1]:
                taken.insert(i, ends)
                chosen.append(hop)
    return chosen


def _passes(hop: Hop) -> bool:
    return type(hop.left) is Bend and type(hop.right) is Bend


def _blocks(items: Iterable[Item], straight: Sequence[Hop]) -> dict[Item, _Block]:
    """The block of each item. `straight` goes from left to right, so blocks grow at their right ends."""
    blocks = {item: _Block(item) for item in items}
    for hop in straight:
        block = blocks[hop.left]
        block.shift[hop.right] = block.shift[hop.left] + hop.leaves - hop.enters
        blocks[hop.right] = block
    for item, block in blocks.items():
        block.weight += type(item) is not Bend
    return blocks


def _keep_apart(columns: Sequence[Sequence[Item]], blocks: dict[Item, _Block]) -> None:
    for column in columns:
        for upper, lower in itertools.pairwise(column):
            one, other = blocks[upper], blocks[lower]
            distance = one.shift[upper] + upper.height + _gap(upper, lower) - other.shift[lower]
            one.below[other] = other.above[one] = max(one.below.get(other, -math.inf), distance)


def _gap(upper: Item, lower: Item) -> int:
    has_wire = isinstance(upper, Bend | Port) or isinstance(lower, Bend | Port)
    has_frame = isinstance(upper, Frame) or isinstance(lower, Frame)
    return _WIRE_GAP if has_wire and not has_frame else _GAP


def _hook(hops: Sequence[Sequence[Hop]], blocks: dict[Item, _Block]) -> None:
    """Record the relative height at which a straight line would join two blocks."""
    for gap in hops:
        for hop in gap:
            left, right = blocks[hop.left], blocks[hop.right]
            if left is not right:
                drop = left.shift[hop.left] + hop.leaves - right.shift[hop.right] - hop.enters
                left.hooks.append((-drop, right))
                right.hooks.append((drop, left))


def _sorted(blocks: Iterable[_Block]) -> list[_Block]:
    """The blocks from top to bottom, and their numbers in this order."""
    waiting = {block: len(block.above) for block in blocks}
    order = [block for block, count in waiting.items() if not count]
    for number, block in enumerate(order):
        block.number = number
        for other in block.below:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order


def _place(blocks: Sequence[_Block]) -> None:
    """Set `y` of each block: of the heaviest first, then always of the heaviest connected to a placed one."""
    for start in sorted(blocks, key=lambda block: -block.weight):
        waiting = [(0, 0, start)]
        while waiting:
            block = heapq.heappop(waiting)[2]
            if block.y is not None:
                continue
            wishes = [other.y + drop for drop, other in block.hooks if other.y is not None]
            block.y = max(block.low, min(block.high, median(wishes) if wishes else 0.0))
            _push(blocks, block)
            for _, other in block.hooks:
                if other.y is None:
                    heapq.heappush(waiting, (-other.weight, other.number, other))


def _push(blocks: Sequence[_Block], start: _Block) -> None:
    """Narrow the room of what is still to be placed, by what `start` leaves free below and above itself."""
    assert start.y is not None
    start.low = start.high = start.y
    for sign in (1, -1):
        reached = [sign * start.number]
        while reached:
            block = blocks[sign * heapq.heappop(reached)]
            for other, distance in (block.below if sign == 1 else block.above).items():
                if other.y is not None:
                    continue
                if sign == 1 and block.low + distance > other.low:
                    other.low = block.low + distance
                elif sign == -1 and block.high - distance < other.high:
                    other.high = block.high - distance
                else:
                    continue
                heapq.heappush(reached, sign * other.number)
