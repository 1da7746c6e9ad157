"""A picture as DOT, the language of Graphviz."""

from __future__ import annotations

from reference_engine.draw.layout.boxes import Box, Frame, Picture

__all__ = ["dot"]

_SHAPES = {"operation": "ellipse", "scope": "box3d", "more": "plaintext"}


def dot(picture: Picture, is_down: bool) -> str:
    """The boxes, the arrows between them, and the frames as clusters; Graphviz finds its own layout."""
    names = {box: f"n{i}" for i, box in enumerate(picture.boxes)}
    numbers = {frame: i for i, frame in enumerate(picture.frames)}
    # `ordering` lets the arrows into a box keep the order of the arguments.
    lines = ["digraph {", f"  rankdir={'TB' if is_down else 'LR'};", "  ordering=in;"]
    # What is still to be written, the next one last.
    todo: list[Box | Frame | str] = [*reversed(picture.frames[0].inside)]
    while todo:
        item = todo.pop()
        if isinstance(item, Frame):
            lines += [
                f"  subgraph cluster_{numbers[item]} {{",
                f"  label={_quoted([item.name or ''])};",
            ]
            todo += ["  }", *reversed(item.inside)]
        elif isinstance(item, Box):
            shape = _SHAPES.get(item.kind, "box")
            lines.append(f"  {names[item]} [shape={shape}, label={_quoted(item.texts)}];")
        else:
            lines.append(item)
    lines += [f"  {names[link.source]} -> {names[link.target]};" for link in picture.links]
    return "\n".join([*lines, "}"])


def _quoted(lines: list[str]) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
