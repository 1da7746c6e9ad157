"""Lay out a picture frame by frame, the innermost first; each is then one item of the frame around it."""

from __future__ import annotations

from reference_engine.draw.layout.boxes import Box, Frame, Item, Link, Picture
from reference_engine.draw.layout.columns import Port, Wire
from reference_engine.draw.layout.strokes import Stroke, arrange

__all__ = ["lay_out"]


def lay_out(picture: Picture, is_down: bool) -> list[Stroke]:
    """Give every box and frame of `picture` its place, and return the lines between them.

    The lines run to the right. With `is_down`, what is right in them and what is down must be swapped.
    """
    things: list[Item] = [*picture.frames, *picture.boxes]
    if is_down:
        for item in things:
            item.turn()
    wiring = _Wiring(picture)
    strokes = {
        frame: arrange(frame, wiring.ports[frame], wiring.wires[frame]) for frame in reversed(picture.frames)
    }
    for frame in picture.frames:
        for item in frame.inside:
            item.x += frame.x
            item.y += frame.y
        for stroke in strokes[frame]:
            stroke.x = tuple(x + frame.x for x in stroke.x)
            stroke.y = tuple(y + frame.y for y in stroke.y)
    if is_down:
        for item in things:
            item.turn()
    return [stroke for frame in picture.frames for stroke in strokes[frame]]


class _Wiring:
    """The links of a picture, cut at the borders of the frames that they pass."""

    def __init__(self, picture: Picture) -> None:
        self.ports: dict[Frame, list[Port]] = {frame: [] for frame in picture.frames}
        self.wires: dict[Frame, list[Wire]] = {frame: [] for frame in picture.frames}
        self._leading_to: dict[tuple[Frame, Box, bool], tuple[Port, Wire]] = {}
        self._before, self._after = _distances(picture)
        for link in picture.links:
            self._add(link)

    def _add(self, link: Link) -> None:
        left, entered = _borders(link.source.frame, link.target.frame)
        item: Item = link.source
        port: Port | None = None
        for frame in left:
            outlet = self._passage(link, frame, False, item, port)
            item, port = frame, outlet
        for frame in entered:
            item, port = self._passage(link, frame, True, item, port), None
        self._wire(link, link.target.frame, item, port, link.target, None)

    def _passage(self, link: Link, frame: Frame, is_left: bool, item: Item, port: Port | None) -> Port:
        """The port for the box `link.source` in a border of `frame`, and the wire that leads to it."""
        key = frame, link.source, is_left
        if key not in self._leading_to:
            passage = Port(is_left)
            self.ports[frame].append(passage)
            if is_left:
                assert frame.parent is not None
                wire = self._wire(link, frame.parent, item, port, frame, passage)
            else:
                wire = self._wire(link, frame, item, port, passage, None)
            self._leading_to[key] = passage, wire
        passage, wire = self._leading_to[key]
        wire.after = max(wire.after, self._after[link.target])
        return passage

    def _wire(
        self, link: Link, frame: Frame, item: Item, port: Port | None, target: Item, target_port: Port | None
    ) -> Wire:
        before, after = self._before[link.source], self._after[link.target]
        wire = Wire(item, port, target, target_port, link.source, link.argument, before, after)
        self.wires[frame].append(wire)
        return wire


def _distances(picture: Picture) -> tuple[dict[Box, int], dict[Box, int]]:
    """The number of steps of the longest path to and from each box."""
    before = dict.fromkeys(picture.boxes, 0)
    after = dict.fromkeys(picture.boxes, 0)
    into: dict[Box, list[Box]] = {box: [] for box in picture.boxes}
    for link in picture.links:
        into[link.target].append(link.source)
    for box in picture.boxes:
        before[box] = max((before[source] + 1 for source in into[box]), default=0)
    for box in reversed(picture.boxes):
        for source in into[box]:
            after[source] = max(after[source], after[box] + 1)
    return before, after


def _borders(start: Frame, end: Frame) -> tuple[list[Frame], list[Frame]]:
    """The frames that a way from `start` to `end` leaves, and those that it enters, in this order."""
    left: list[Frame] = []
    entered: list[Frame] = []
    while start is not end:
        if start.depth >= end.depth:
            assert start.parent is not None
            left.append(start)
            start = start.parent
        else:
            assert end.parent is not None
            entered.append(end)
            end = end.parent
    return left, entered[::-1]
