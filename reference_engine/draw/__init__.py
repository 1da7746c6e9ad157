"""Pictures of a graph: each value with its label, number and gradient, and the operations between them.

Pure Python, so a picture appears on any machine. `summary` chooses what to draw, `contents` turns it into
boxes, `layout` places them, `svg` and `dot` write them.
"""

from __future__ import annotations

import operator
from html import escape
from pathlib import Path

from reference_engine.draw.contents import contents
from reference_engine.draw.dot import dot
from reference_engine.draw.layout import lay_out
from reference_engine.draw.layout.boxes import shorten
from reference_engine.draw.summary import summarise
from reference_engine.draw.svg import svg
from reference_engine.tensor import Tensor

__all__ = ["Drawing", "draw"]


class Drawing:
    """A picture of a graph: `svg` and `dot` are its sources; notebooks display it."""

    def __init__(self, svg: str, dot: str, title: str = "Graph") -> None:
        self.svg = svg
        self.dot = dot
        self._title = title

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow:auto">{self.svg}</div>'

    def __repr__(self) -> str:
        return f"<Drawing, {len(self.svg)} characters of SVG; .save(path) writes it to a file>"

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path` in the format of its extension: .svg, .dot or .html."""
        path = Path(path)
        page = f'<!doctype html>\n<meta charset="utf-8">\n<title>{escape(self._title)}</title>\n{self.svg}\n'
        texts = {".svg": self.svg, ".dot": self.dot, ".html": page}
        if path.suffix not in texts:
            raise ValueError(f"path must end in .svg, .dot or .html, got {path.name!r}")
        path.write_text(texts[path.suffix], encoding="utf-8")
        return path


def draw(
    tensor: Tensor, *, direction: str = "right", max_nodes: int = 300, depth: int | None = None
) -> Drawing:
    """The graph that `tensor` was computed from; after `backward` with the gradients.

    It runs from left to right, with `direction="down"` from top to bottom, and the arguments of an operation
    are in order. Where they cannot be, numbers next to the arrows show their order.

    Arrays of more than four entries are shown by their shape, dtype (where it is not float64) and 2-norm. The
    values made inside `name_scope` are in a frame with its name.

    A graph of more than `max_nodes` values is summarised by scope: one box for each of the deepest scopes,
    with the number of its values and the shapes that other boxes take from it, then one for each of the
    scopes around them, level by level, until at most `max_nodes` boxes of values and scopes are left. `depth`
    sets the level: 1 makes a box of each outermost scope, 2 of each scope inside another one; None leaves the
    choice to `max_nodes`. A scope that is left, and entered again with values computed outside of it, has a
    box for each visit. Where scopes do not help, the values farthest from `tensor` are omitted, and the
    picture shows their number.

    Errors: TypeError if `tensor` is not a Tensor, or `max_nodes` or `depth` is not an integer; ValueError for
    one of these below 1, and for another direction.
    """
    if type(tensor) is not Tensor:
        raise TypeError(f"tensor must be a Tensor, got {type(tensor).__name__}")
    if direction not in ("right", "down"):
        raise ValueError(f"direction must be 'right' or 'down', got {direction!r}")
    max_nodes = _at_least_one("max_nodes", max_nodes)
    depth = None if depth is None else _at_least_one("depth", depth)
    root = tensor._node
    picture = contents(summarise(root, max_nodes, depth))
    title = f"Graph of {shorten(root.label)}" if root.label else "Graph"
    is_down = direction == "down"
    return Drawing(svg(picture, lay_out(picture, is_down), is_down, title), dot(picture, is_down), title)


def _at_least_one(name: str, value: int) -> int:
    hint = "None or an integer of at least 1" if name == "depth" else "an integer of at least 1"
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} must be {hint}, got {value!r}")
    number = operator.index(value)
    if number < 1:
        raise ValueError(f"{name} must be {hint}, got {number}")
    return number
