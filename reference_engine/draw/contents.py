"""Turn the parts of a summary into the boxes of a picture."""

from __future__ import annotations

from collections import Counter

import numpy as np

from reference_engine.draw.layout.boxes import Box, Frame, Link, Picture
from reference_engine.draw.summary import Group, Part, Summary, is_value, visits
from reference_engine.draw.text import constant_lines, value_lines
from reference_engine.primitives import PICK, Node, plain

__all__ = ["contents"]

_SIGNS = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "power": "^",
    "matmul": "@",
    "negative": "−",
}


def contents(summary: Summary) -> Picture:
    """The boxes of `summary`: an operation stands between its arguments and its value."""
    picture = Picture()
    frames = _frames(summary, picture)
    boxes: dict[Part, Box] = {}
    for part in summary.parts:
        frame = frames[part]
        if isinstance(part, Group):
            sources = [boxes[arg] for arg in summary.arguments[part]]
            if part in summary.incomplete:
                sources.append(_add(picture, Box("more", ["…"], frame)))
            name = _with_visit(part.path[-1], part.visit, part.visits)
            boxes[part] = _add(
                picture, Box("scope", [_counts(part), *_what_leaves(part)], frame, name), sources
            )
        else:
            boxes[part] = _single(part, frame, summary, boxes, picture)
    if summary.left_out:
        _say_what_is_left_out(summary.left_out, picture)
    return picture


def _add(picture: Picture, box: Box, sources: list[Box] | tuple[()] = ()) -> Box:
    picture.boxes.append(box)
    picture.links.extend(Link(source, box, i) for i, source in enumerate(sources))
    return box


def _single(node: Node, frame: Frame, summary: Summary, boxes: dict[Part, Box], picture: Picture) -> Box:
    """The box of an individual value, preceded by its operation; arrows start at it."""
    if node.primitive is None:
        kind = "leaf" if node.requires_grad else "constant"
        return _add(picture, Box(kind, value_lines(node), frame, node.label))
    sources: list[Box] = []
    left_out: Box | None = None
    for arg in map(plain, node.args or ()):
        if type(arg) is Node:
            part = summary.part(arg)
            if part is not None:
                sources.append(boxes[part])
            elif left_out is None:
                left_out = _add(picture, Box("more", ["…"], frame))
                sources.append(left_out)
        elif isinstance(arg, np.ndarray | int | float | complex):
            sources.append(_add(picture, Box("constant", constant_lines(arg), frame)))
    if node.args is None:
        sources.append(_add(picture, Box("more", ["graph freed"], frame)))
    lines = []
    if node.primitive is PICK:
        lines = [f"output {(node.params or {})['index']}"]
    else:
        name = node.primitive.name
        sources = [_add(picture, Box("operation", [_SIGNS.get(name, name)], frame), sources)]
    if not is_value(node):
        # Its outputs are separate values, to which arrows from the operation lead.
        return sources[0]
    return _add(picture, Box("value", lines + value_lines(node), frame, node.label), sources)


def _frames(summary: Summary, picture: Picture) -> dict[Part, Frame]:
    """The innermost frame around each part."""
    home = dict.fromkeys(summary.parts, picture.frames[0])
    inside = {part: summary.frames(part) for part in summary.parts}
    level = 0
    while True:
        inside = {part: names for part, names in inside.items() if len(names) > level}
        if not inside:
            return home
        keys = {part: (home[part], names[level]) for part, names in inside.items()}
        numbers = visits(summary.parts, summary.arguments.__getitem__, keys)
        made: dict[tuple[Frame, str, tuple[int, int]], Frame] = {}
        for part, (parent, name) in keys.items():
            visit = numbers.get(part, (1, 1))
            key = parent, name, visit
            if key not in made:
                made[key] = Frame(_with_visit(name, *visit), parent)
            home[part] = made[key]
        picture.frames.extend(made.values())
        level += 1


def _with_visit(name: str, visit: int, visits: int) -> str:
    return name if visits == 1 else f"{name} (visit {visit} of {visits})"


def _counts(group: Group) -> str:
    values = sum(map(is_value, group.members))
    operations = sum(node.primitive is not None and node.primitive is not PICK for node in group.members)
    return f"{_count(values, 'value')}, {_count(operations, 'operation')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _what_leaves(group: Group) -> list[str]:
    """The shapes of the values that other parts take."""
    shapes = Counter(str(node.data.shape) for node in group.gives if is_value(node))
    words = [shape if count == 1 else f"{count} of {shape}" for shape, count in shapes.items()]
    return [f"gives {', '.join(words[:2])}{', …' if len(words) > 2 else ''}"] if words else []


def _say_what_is_left_out(count: int, picture: Picture) -> None:
    text = f"… {_count(count, 'more value')}"
    places = [box for box in picture.boxes if box.kind == "more" and box.lines == ["…"]]
    if len(places) == 1:
        places[0].write([text])
    else:
        _add(picture, Box("more", [text], picture.frames[0]))
