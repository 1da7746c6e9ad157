"""Pictures of a graph: each value with its label, number and gradient, and the operations between them.

Pure Python, so that a picture appears on any machine: nodes stand in columns by their distance from the
leaves, and within a column near what they are connected to.
"""

from __future__ import annotations

import itertools
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from reference_engine.tensor import PICK, Node, Tensor

__all__ = ["Drawing", "draw"]

_CHARACTER, _LINE, _PADDING = 7.2, 16, 8
_COLUMN_GAP, _ROW_GAP = 36, 18
_MOST_NODES = 300


class Drawing:
    """A picture of a graph: `svg` and `dot` are its texts; notebooks show it by themselves."""

    def __init__(self, svg: str, dot: str) -> None:
        self.svg = svg
        self.dot = dot

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow:auto">{self.svg}</div>'

    def __repr__(self) -> str:
        return f"<Drawing, {len(self.svg)} characters of SVG; .save(path) writes it to a file>"

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path`, whose ending says in which form: .svg, .dot or .html."""
        path = Path(path)
        texts = {".svg": self.svg, ".dot": self.dot, ".html": f"<!doctype html>\n{self.svg}\n"}
        if path.suffix not in texts:
            raise ValueError(f"path must end in .svg, .dot or .html, got {path.name!r}")
        path.write_text(texts[path.suffix], encoding="utf-8")
        return path


def draw(tensor: Tensor) -> Drawing:
    """The graph that `tensor` was computed from, left to right; after `backward` with the gradients.

    Of a graph of more than a few hundred values only the ones nearest to `tensor` are drawn, and a last box
    says how many are left out.
    """
    if type(tensor) is not Tensor:
        raise TypeError(f"tensor must be a Tensor, got {type(tensor).__name__}")
    nodes, left_out = _collect(tensor._node)
    boxes, edges = _boxes(nodes)
    if left_out:
        boxes.append(_Box([f"… {left_out} more values"], "more"))
    _place(boxes, edges)
    return Drawing(_svg(boxes, edges), _dot(boxes, edges))


class _Box:
    """A rectangle (a value) or a circle (an operation) with its lines of text and its place."""

    __slots__ = ("column", "height", "kind", "lines", "width", "x", "y")

    def __init__(self, lines: list[str], kind: str) -> None:
        self.lines = lines
        self.kind = kind
        self.width = max(len(line) for line in lines) * _CHARACTER + 2 * _PADDING
        self.height = len(lines) * _LINE + _PADDING
        self.column = 0
        self.x = self.y = 0.0


def _collect(root: Node) -> tuple[list[Node], int]:
    """The nodes nearest to `root`, arguments first, and how many more there are."""
    seen = {root}
    order = [root]
    for node in order:
        for arg in node.args or ():
            if type(arg) is Node and arg not in seen:
                seen.add(arg)
                order.append(arg)
    kept = order[:_MOST_NODES]
    return sorted(kept, key=lambda node: node.order), len(order) - len(kept)


def _number(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array[()]:.4g}"
    if array.size <= 4:
        return np.array2string(array, precision=4, separator=", ").replace("\n", "")
    if array.dtype.kind in "fc":
        return f"{array.shape}, norm {np.linalg.norm(array.ravel()):.4g}"
    return f"{array.shape} {array.dtype}"


def _boxes(nodes: list[Node]) -> tuple[list[_Box], list[tuple[_Box, _Box]]]:
    boxes: list[_Box] = []
    edges: list[tuple[_Box, _Box]] = []
    of: dict[Node, _Box] = {}
    for node in nodes:
        if type(node.data) is tuple:
            lines = [f"{len(node.data)} outputs"]
        else:
            lines = [node.label] if node.label else []
            lines.append(f"data {_number(node.data)}")
            if node.grad is not None:
                lines.append(f"grad {_number(node.grad)}")
        value = of[node] = _Box(lines, "value" if node.primitive is not None else "leaf")
        boxes.append(value)
        if node.primitive is None:
            continue
        name = node.primitive.name
        if node.primitive is PICK and node.params:
            name = f"output {node.params['index']}"
        operation = _Box([_SIGNS.get(name, name)], "operation")
        arguments: list[_Box] = []
        for arg in node.args or ():
            if type(arg) is Node:
                if arg in of:
                    arguments.append(of[arg])
            elif isinstance(arg, np.ndarray | int | float | complex):
                arguments.append(_Box([_number(arg)], "constant"))
                boxes.append(arguments[-1])
        operation.column = 1 + max((box.column for box in arguments), default=0)
        value.column = operation.column + 1
        boxes.append(operation)
        edges.extend((box, operation) for box in arguments)
        edges.append((operation, value))
    return boxes, edges


_SIGNS = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "power": "^",
    "matmul": "@",
    "negative": "−",
}


def _place(boxes: list[_Box], edges: list[tuple[_Box, _Box]]) -> None:
    """Columns from left to right; within a column by the mean height of what a box is connected to."""
    columns: dict[int, list[_Box]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(box)
    neighbours: dict[_Box, list[_Box]] = {box: [] for box in boxes}
    for start, end in edges:
        neighbours[start].append(end)
        neighbours[end].append(start)
    x = float(_PADDING)
    for number in sorted(columns):
        column = columns[number]
        width = max(box.width for box in column)
        for box in column:
            box.x = x + (width - box.width) / 2
        x += width + _COLUMN_GAP
        _stack(column)
    sweeps = [*sorted(columns), *sorted(columns, reverse=True)] * 3
    for number in sweeps:
        column = columns[number]
        wish = {
            box: sum(other.y + other.height / 2 for other in neighbours[box]) / len(neighbours[box])
            if neighbours[box]
            else box.y
            for box in column
        }
        column.sort(key=lambda box: wish[box])
        for box in column:
            box.y = wish[box] - box.height / 2
        for above, below in itertools.pairwise(column):
            below.y = max(below.y, above.y + above.height + _ROW_GAP)
    top = min(box.y for box in boxes)
    for box in boxes:
        box.y += _PADDING - top


def _stack(column: list[_Box]) -> None:
    y = 0.0
    for box in column:
        box.y = y
        y += box.height + _ROW_GAP


_FILLS = {
    "leaf": "#e8f1fb",
    "value": "#ffffff",
    "operation": "#fdf3dd",
    "constant": "#f2f2f2",
    "more": "#f2f2f2",
}


def _svg(boxes: list[_Box], edges: list[tuple[_Box, _Box]]) -> str:
    width = max(box.x + box.width for box in boxes) + _PADDING
    height = max(box.y + box.height for box in boxes) + _PADDING
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12" role="img">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    for start, end in edges:
        x1, y1 = start.x + start.width, start.y + start.height / 2
        x2, y2 = end.x, end.y + end.height / 2
        bend = (x2 - x1) / 2
        parts.append(
            f'<path d="M{x1:.1f},{y1:.1f} '
            f'C{x1 + bend:.1f},{y1:.1f} {x2 - bend:.1f},{y2:.1f} {x2:.1f},{y2:.1f}" '
            'fill="none" stroke="#555" marker-end="url(#arrow)"/>'
        )
    for box in boxes:
        radius = box.height / 2 if box.kind == "operation" else 4
        parts.append(
            f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
            f'rx="{radius:.1f}" fill="{_FILLS[box.kind]}" stroke="#555"/>'
        )
        for i, line in enumerate(box.lines):
            parts.append(
                f'<text x="{box.x + box.width / 2:.1f}" y="{box.y + _PADDING / 2 + 12 + i * _LINE:.1f}" '
                f'text-anchor="middle">{escape(line)}</text>'
            )
    parts.append("</svg>")
    return "\n".join(parts)


def _dot(boxes: list[_Box], edges: list[tuple[_Box, _Box]]) -> str:
    names = {box: f"n{i}" for i, box in enumerate(boxes)}
    lines = ["digraph {", "  rankdir=LR;"]
    for box, name in names.items():
        shape = "ellipse" if box.kind == "operation" else "box"
        text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in box.lines)
        lines.append(f'  {name} [shape={shape}, label="{text}"];')
    lines.extend(f"  {names[start]} -> {names[end]};" for start, end in edges)
    lines.append("}")
    return "\n".join(lines)
