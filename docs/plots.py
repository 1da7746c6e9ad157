"""The plots on these pages: curves with axes, as SVG, to be read on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

Point = tuple[float, float]

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 30, 46

# The colours of the engine's pictures, and two for curves that are told apart without colour as well.
STYLE = """
.page { fill: #ffffff }
text { fill: #1a1a1a }
.note { fill: #5f6368 }
.axis { stroke: #5f6368; fill: none }
.grid { stroke: #8a94a6; stroke-opacity: .3 }
.first { stroke: #0a58b5; fill: none; stroke-width: 2 }
.second { stroke: #9a4b00; fill: none; stroke-width: 2; stroke-dasharray: 6 3 }
.arm { stroke: #5f6368; fill: none; stroke-dasharray: 1.5 3 }
.dot { fill: #9a4b00 }
@media (prefers-color-scheme: dark) {
  .page { fill: #16181c }
  text { fill: #e8eaed }
  .note { fill: #a8adb4 }
  .axis { stroke: #a8adb4 }
  .first { stroke: #7db4ff }
  .second { stroke: #ffb066 }
  .arm { stroke: #a8adb4 }
  .dot { fill: #ffb066 }
}
"""


@dataclass(frozen=True)
class Plot:
    """A finished picture."""

    svg: str

    def save(self, path: Path) -> None:
        path.write_text(self.svg, encoding="utf-8")


class Axes:
    """A frame with two scales, into which curves are drawn in data coordinates."""

    def __init__(self, title: str, x: Sequence[float], y: Sequence[float], is_log: bool = False):
        self.scale: Callable[[float], float] = math.log10 if is_log else float
        self.x, self.y, self.is_log = x, y, is_log
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, \'DejaVu Sans\', sans-serif" '
            'font-size="12" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        ]

    def at(self, point: Point) -> str:
        """Where a point lies on the page."""
        across = self._share(point[0], self.x)
        up = self._share(point[1], self.y)
        x = LEFT + across * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    def _share(self, value: float, ticks: Sequence[float]) -> float:
        low, high = self.scale(ticks[0]), self.scale(ticks[-1])
        return (self.scale(value) - low) / (high - low)

    def line(self, points: Iterable[Point], style: str) -> None:
        self.parts.append(f'<polyline class="{style}" points="{" ".join(map(self.at, points))}"/>')

    def dot(self, point: Point) -> None:
        x, y = self.at(point).split(",")
        self.parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="4"/>')

    def text(
        self, point: Point, words: str, shift: Point = (0, 0), style: str = "", anchor: str = ""
    ) -> None:
        x, y = (float(part) + by for part, by in zip(self.at(point).split(","), shift, strict=True))
        extra = "".join(f' {k}="{v}"' for k, v in (("class", style), ("text-anchor", anchor)) if v)
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(words)}</text>')

    def scales(self, x_name: str, y_name: str) -> None:
        """Grid, numbers and names."""
        for value in self.x:
            self.line([(value, self.y[0]), (value, self.y[-1])], "grid")
            self.text((value, self.y[0]), self._number(value), (0, 16), "note", "middle")
        for value in self.y:
            self.line([(self.x[0], value), (self.x[-1], value)], "grid")
            self.text((self.x[0], value), self._number(value), (-8, 4), "note", "end")
        self.text((self.x[-1], self.y[0]), x_name, (0, 34), "note", "end")
        self.text((self.x[0], self.y[-1]), y_name, (-LEFT + 8, -14), "note")

    def _number(self, value: float) -> str:
        return f"1e{round(math.log10(value))}" if self.is_log else f"{value:g}"

    def plot(self) -> Plot:
        return Plot("\n".join([*self.parts, "</svg>", ""]))


def f(x: float) -> float:
    """The parabola of the tutorial."""
    return 2 * x**2 - 3 * x + 4


def parabola() -> Plot:
    """f(x) = 2x² - 3x + 4 with its tangents at the points of the tutorial."""
    axes = Axes(
        "f(x) = 2x² − 3x + 4 with tangents at −2, 0.75, 2 and 6",
        [-3, -1, 1, 3, 5, 7],
        [-20, 0, 20, 40, 60, 80],
    )
    axes.scales("x", "f(x)")
    axes.line([(k / 10, f(k / 10)) for k in range(-30, 71)], "first")
    # How long each tangent is drawn, and where its slope is written.
    for x, half, shift, anchor in (
        (-2.0, 1.0, (-6, 22), "end"),
        (0.75, 1.4, (0, 24), "middle"),
        (2.0, 1.4, (4, 22), ""),
        (6.0, 0.7, (-14, 0), "end"),
    ):
        slope = 4 * x - 3
        axes.line([(x - half, f(x) - slope * half), (x + half, f(x) + slope * half)], "second")
        axes.dot((x, f(x)))
        axes.text((x, f(x)), f"slope {slope:g}".replace("-", "−"), shift, "", anchor)
    return axes.plot()


def v_curve() -> Plot:
    """The error of difference quotients of the parabola at 2, against the step."""
    # Written as decimals, so that they are the same numbers everywhere.
    steps = [float(f"{m}e-{k}") for k in range(1, 16) for m in ("10", "5.6", "3.2", "1.8")] + [1e-15]
    axes = Axes(
        "The error of difference quotients of f at 2, against the step h",
        [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1],
        [1e-16, 1e-13, 1e-10, 1e-7, 1e-4, 1e-1, 1e2],
        is_log=True,
    )
    axes.scales("step h", "error")
    axes.line([(h, 2 * h) for h in (1, 1e-15)], "arm")
    axes.line([(h, 2.2e-16 * f(2) / h) for h in (1, 1e-15)], "arm")
    # An error of nothing has no place on this scale.
    floor = 1e-16
    forward = [(h, abs((f(2 + h) - f(2)) / h - 5)) for h in steps]
    central = [(h, abs((f(2 + h) - f(2 - h)) / (2 * h) - 5)) for h in steps]
    axes.line([(h, max(error, floor)) for h, error in forward], "first")
    axes.line([(h, max(error, floor)) for h, error in central], "second")
    axes.text((1e-3, 4e-3), "forward", (-10, -10), "", "end")
    axes.text((1e-3, 1e-12), "central", (-12, 18), "", "end")
    axes.text((1e-12, 1e-12), "truncation 2h", (14, 0), "note")
    axes.text((1e-12, 1e-2), "rounding", (24, -6), "note")
    return axes.plot()


PLOTS = {"parabola.svg": parabola, "v_curve.svg": v_curve}
