"""Assign each item a column, and a position in it from top to bottom.

The steps of K. Sugiyama, S. Tagawa and M. Toda (IEEE Trans. SMC 11, 1981): columns by the longest path, bends
where a wire passes a column, few crossings by barycentres. All links from the same point of an item share one
wire, which branches where the targets diverge.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference_engine.draw.layout.boxes import Box, Item

__all__ = ["Bend", "Hop", "Port", "Wire", "columns"]

_SWEEPS = 8


class Bend(Item):
    """Where a wire passes a column."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0, 0)


class Port(Item):
    """Where a wire passes the left or the right border of the frame that it lies in."""

    __slots__ = ("is_left",)

    def __init__(self, is_left: bool) -> None:
        super().__init__(0, 0)
        self.is_left = is_left


@dataclass(eq=False, slots=True)
class Wire:
    """The part of a link, or of several from the same box, that lies in one frame.

    It leads from `source` to `target`; where that is a frame, to the port in its border. `origin` is the box
    where the link starts. `before` and `after` say how long the graph is on both sides.
    """

    source: Item
    source_port: Port | None
    target: Item
    target_port: Port | None
    origin: Box
    argument: int
    before: int
    after: int

    @property
    def leaves(self) -> float:
        """At which height it leaves `source`."""
        return self.source.height / 2 if self.source_port is None else self.source_port.y

    @property
    def enters(self) -> float:
        """At which height it enters `target`."""
        return self.target.height / 2 if self.target_port is None else self.target_port.y


@dataclass(eq=False, slots=True)
class Hop:
    """A wire between two columns next to each other; `wire` is the one that ends here, None at a bend."""

    left: Item
    leaves: float
    right: Item
    enters: float
    before: int
    after: int
    wire: Wire | None

    @property
    def argument(self) -> int:
        """Which argument of the target it leads to."""
        return 0 if self.wire is None else self.wire.argument


def columns(items: Sequence[Item], wires: Sequence[Wire]) -> tuple[list[list[Item]], list[list[Hop]]]:
    """The columns from left to right, each from top to bottom, and the hops from each one to the next."""
    rank = _ranks(items, wires)
    hops = _hops(wires, rank)
    order = _backwards(items, wires, hops)
    count = max(rank.values()) + 1
    result: list[list[Item]] = [[] for _ in range(count)]
    for item in order:
        result[rank[item]].append(item)
    return _untangled(result, hops), hops


def _ranks(items: Sequence[Item], wires: Sequence[Wire]) -> dict[Item, int]:
    """The column of each item: right of all its sources, but no farther from what uses it than needed."""
    into: dict[Item, list[Wire]] = {item: [] for item in items}
    out: dict[Item, list[Wire]] = {item: [] for item in items}
    for wire in wires:
        into[wire.target].append(wire)
        out[wire.source].append(wire)
    waiting = {item: len(into[item]) for item in items}
    order = [item for item in items if not waiting[item]]
    rank = dict.fromkeys(items, 0)
    for item in order:
        for wire in out[item]:
            rank[wire.target] = max(rank[wire.target], rank[item] + 1)
            waiting[wire.target] -= 1
            if not waiting[wire.target]:
                order.append(wire.target)
    last = max(rank.values())
    # How many wires an item makes longer by moving right; what has no other use would move along.
    held: dict[Item, int] = {}
    for item in order:
        held[item] = len(
            {
                (wire.source, wire.origin)
                for wire in into[item]
                if held[wire.source] or any(other.target is not item for other in out[wire.source])
            }
        )
    for item in reversed(order):
        if isinstance(item, Port):
            rank[item] = 0 if item.is_left else last
        elif out[item] and held[item] <= 1:
            rank[item] = min(rank[wire.target] for wire in out[item]) - 1
    used = {number: i for i, number in enumerate(sorted(set(rank.values())))}
    return {item: used[number] for item, number in rank.items()}


def _hops(wires: Sequence[Wire], rank: dict[Item, int]) -> list[list[Hop]]:
    """The wires cut at every column; `rank` is completed by the bends."""
    shared: dict[tuple[Item, Box], list[Wire]] = {}
    for wire in wires:
        shared.setdefault((wire.source, wire.origin), []).append(wire)
    hops: list[list[Hop]] = [[] for _ in range(max(rank.values()))]
    for (source, _), branches in shared.items():
        branches.sort(key=lambda wire: rank[wire.target])
        place, leaves = source, branches[0].leaves
        number = rank[source]
        for i, wire in enumerate(branches):
            while number < rank[wire.target] - 1:
                bend = Bend()
                rank[bend] = number + 1
                after = max(other.after for other in branches[i:])
                hops[number].append(Hop(place, leaves, bend, 0, wire.before, after, None))
                place, leaves = bend, 0
                number += 1
            hops[number].append(Hop(place, leaves, wire.target, wire.enters, wire.before, wire.after, wire))
    return hops


def _backwards(items: Sequence[Item], wires: Sequence[Wire], hops: Sequence[Sequence[Hop]]) -> list[Item]:
    """Items and bends from the results back, arguments in their order, which leaves a tree uncrossed."""
    into: dict[Item, list[Hop]] = {}
    for gap in hops:
        for hop in gap:
            into.setdefault(hop.right, []).append(hop)
    sources = {wire.source for wire in wires}
    found: dict[Item, None] = {}
    stack = [item for item in reversed(items) if item not in sources]
    while stack:
        item = stack.pop()
        if item not in found:
            found[item] = None
            before = sorted(into.get(item, ()), key=lambda hop: (hop.enters, hop.argument))
            stack.extend(hop.left for hop in reversed(before))
    return list(found)


def _untangled(result: list[list[Item]], hops: Sequence[Sequence[Hop]]) -> list[list[Item]]:
    """The columns in an order with fewer crossings, if one is found."""
    into: dict[Item, list[Hop]] = {}
    out: dict[Item, list[Hop]] = {}
    for gap in hops:
        for hop in gap:
            into.setdefault(hop.right, []).append(hop)
            out.setdefault(hop.left, []).append(hop)
    place = {item: i for column in result for i, item in enumerate(column)}

    def left(hop: Hop) -> float:
        return place[hop.left] + 0.9 * hop.leaves / max(hop.left.height, 1)

    def right(hop: Hop) -> float:
        return place[hop.right] + 0.9 * hop.enters / max(hop.right.height, 1) + 1e-6 * hop.argument

    def sort(column: list[Item], beside: dict[Item, list[Hop]], end: Callable[[Hop], float]) -> None:
        wish = {
            item: sum(map(end, beside[item])) / len(beside[item]) if item in beside else place[item]
            for item in column
        }
        column.sort(key=wish.__getitem__)
        place.update((item, i) for i, item in enumerate(column))

    def crossings() -> int:
        return sum(_crossings(sorted((left(hop), right(hop)) for hop in gap)) for gap in hops)

    best = [list(column) for column in result]
    fewest = crossings()
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        for column in result[1:] if sweep % 2 == 0 else result[-2::-1]:
            sort(column, into if sweep % 2 == 0 else out, left if sweep % 2 == 0 else right)
        count = crossings()
        if count < fewest:
            fewest = count
            best = [list(column) for column in result]
    return best


def _crossings(ends: Sequence[tuple[float, float]]) -> int:
    """How many pairs of lines cross, the lines sorted by their left ends."""
    seen: list[float] = []
    count = 0
    for _, right in ends:
        count += len(seen) - bisect_right(seen, right)
        insort(seen, right)
    return count
