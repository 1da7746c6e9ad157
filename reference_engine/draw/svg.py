"""Write a picture as SVG, for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from reference_engine.draw.layout.boxes import LINE, PADDING, Box, Frame, Picture
from reference_engine.draw.layout.strokes import Stroke

__all__ = ["svg"]

_FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# The names are long because a notebook puts the style sheets of all its pictures into one page.
_STYLE = """
.re-page { fill: #ffffff }
.re-text { fill: #1a1a1a }
.re-name { font-weight: bold }
.re-note { fill: #5f6368 }
.re-number { font-size: 10px }
.re-line { fill: none; stroke: #5f6368 }
.re-tip { fill: #5f6368 }
.re-frame { fill: #8a94a6; fill-opacity: .08; stroke: #8a94a6; stroke-opacity: .6 }
.re-box { stroke: #5f6368 }
.re-leaf { fill: #e3eefb }
.re-value { fill: #ffffff }
.re-operation { fill: #fdf1d6 }
.re-constant { fill: #f0f0f0 }
.re-scope { fill: #e4f3e6 }
.re-more { fill: #ffffff; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  .re-page { fill: #16181c }
  .re-text { fill: #e8eaed }
  .re-note { fill: #a8adb4 }
  .re-line { stroke: #a8adb4 }
  .re-tip { fill: #a8adb4 }
  .re-box { stroke: #a8adb4 }
  .re-leaf { fill: #1c3a5e }
  .re-value { fill: #23262b }
  .re-operation { fill: #4d3d14 }
  .re-constant { fill: #34373c }
  .re-scope { fill: #1f4028 }
  .re-more { fill: #16181c }
}
"""


def svg(picture: Picture, strokes: Sequence[Stroke], is_down: bool, title: str) -> str:
    """`picture`, which is laid out, with `title` for screen readers."""
    pen = _Pen(is_down)
    page = picture.frames[0]
    size = f'width="{page.width:.0f}" height="{page.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {page.width:.0f} {page.height:.0f}" '
        f'font-family="{_FONT}" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="re-page" {size}/>',
        *(_frame(frame) for frame in picture.frames[1:]),
        f'<path class="re-line" d="{" ".join(map(pen.line, strokes))}"/>',
        f'<path class="re-tip" d="{" ".join(pen.tip(stroke) for stroke in strokes if stroke.has_tip)}"/>',
        *(pen.number(stroke) for stroke in strokes if stroke.number is not None),
        *(part for box in picture.boxes for part in _box(box)),
        "</svg>",
    ]
    return "\n".join(parts)


def _text(x: float, y: float, text: str, css: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(text)}</text>'


def _rect(item: Box | Frame, radius: float, css: str) -> str:
    return (
        f'<rect x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" height="{item.height:.1f}" '
        f'rx="{radius:.1f}" class="{css}"/>'
    )


def _frame(frame: Frame) -> str:
    name = _text(frame.x + PADDING, frame.y + LINE, frame.name or "", "re-note", "start")
    return _rect(frame, 6, "re-frame") + name


def _box(box: Box) -> list[str]:
    radius = box.height / 2 if box.kind == "operation" else 4
    parts = [_rect(box, radius, f"re-box re-{box.kind}")]
    for i, line in enumerate(box.texts):
        css = "re-text re-name" if box.name and i == 0 else "re-text"
        parts.append(_text(box.x + box.width / 2, box.y + PADDING / 2 + 12 + i * LINE, line, css))
    return parts


class _Pen:
    """Writes lines that run to the right, or down if that is the direction of the picture."""

    def __init__(self, is_down: bool) -> None:
        self._is_down = is_down

    def _xy(self, x: float, y: float) -> tuple[float, float]:
        return (y, x) if self._is_down else (x, y)

    def _path(self, *points: tuple[float, float]) -> str:
        return " ".join("{:.1f},{:.1f}".format(*self._xy(*point)) for point in points)

    def line(self, stroke: Stroke) -> str:
        (x0, x1, x2, x3), (y0, y1) = stroke.x, stroke.y
        if stroke.has_tip:
            x3 -= 4
        if abs(y0 - y1) < 0.05:
            return f"M{self._path((x0, y0), (x3, y1))}"
        middle = (x1 + x2) / 2
        bend = self._path((middle, y0), (middle, y1), (x2, y1))
        return f"M{self._path((x0, y0), (x1, y0))} C{bend} L{self._path((x3, y1))}"

    def tip(self, stroke: Stroke) -> str:
        x, y = stroke.x[3], stroke.y[1]
        return f"M{self._path((x, y), (x - 7, y - 3.5), (x - 7, y + 3.5))} z"

    def number(self, stroke: Stroke) -> str:
        """The number of the argument of an arrow, next to its tip on the side without lines."""
        x, y, rise = stroke.x[3], stroke.y[1], stroke.y[1] - stroke.y[0]
        aside = (2, -9) if rise > 0.5 else (2, 9) if rise < -0.5 else (-10, 8)
        x, y = self._xy(x + aside[0], y + aside[1])
        return _text(x, y + 4, str(stroke.number), "re-note re-number")
