"""What a picture shows, read back from its SVG: texts, rectangles and lines."""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Rectangle:
    """A box or a frame with the words in it."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    words: tuple[str, ...]

    def surrounds(self, other):
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.x + other.width <= self.x + self.width
            and other.y + other.height <= self.y + self.height
        )

    def apart_from(self, other):
        return (
            self.x + self.width <= other.x
            or other.x + other.width <= self.x
            or self.y + self.height <= other.y
            or other.y + other.height <= self.y
        )


class Seen:
    """A picture as a reader sees it. `lines` are points along each line, `tips` the points of the arrows."""

    def __init__(self, svg):
        root = ET.fromstring(svg)
        self.width, self.height = float(root.get("width")), float(root.get("height"))
        self.boxes = []
        self.frames = []
        self.numbers = []
        at = None
        for element in root:
            css = (element.get("class") or "").split()
            if element.tag == f"{SVG}rect" and "re-page" not in css:
                at = self._rectangle(element, css)
                (self.frames if at.kind == "frame" else self.boxes).append(at)
            elif element.tag == f"{SVG}text" and "re-number" in css:
                self.numbers.append(element.text)
            elif element.tag == f"{SVG}text":
                known = self.frames if at.kind == "frame" else self.boxes
                known[-1] = at = Rectangle(**{**vars(at), "words": (*at.words, element.text)})
            elif element.tag == f"{SVG}path" and "re-line" in css:
                self.lines = [_points(part) for part in re.findall(r"M[^M]*", element.get("d"))]
            elif element.tag == f"{SVG}path":
                self.tips = [_numbers(part)[:2] for part in re.findall(r"M[^M]*", element.get("d"))]

    @staticmethod
    def _rectangle(element, css):
        sizes = {name: float(element.get(name)) for name in ("x", "y", "width", "height")}
        kind = next(name for name in css if name != "re-box").removeprefix("re-")
        return Rectangle(kind, **sizes, words=())

    @property
    def texts(self):
        return [word for rectangle in [*self.frames, *self.boxes] for word in rectangle.words]

    def box(self, *words):
        (found,) = [box for box in self.boxes if set(words) <= set(box.words)]
        return found


def _numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def _points(path):
    """Points close to each other along M, L and C commands."""
    points = []
    at = None
    for command, rest in re.findall(r"([MLC])([^MLCz]*)", path):
        ends = np.array(_numbers(rest)).reshape(-1, 2)
        if command == "C":
            a, b, c = ends
            t = np.linspace(0, 1, 20)[:, None]
            points += list((1 - t) ** 3 * at + 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t**2 * b + t**3 * c)
        else:
            for end in ends:
                points += [end] if at is None else list(at + np.linspace(0, 1, 40)[:, None] * (end - at))
                at = end
        at = ends[-1]
    return points


def faults(svg):
    """What is wrong with the layout: overlaps, boxes outside, lines through boxes, text that is too wide."""
    seen = Seen(svg)
    page = Rectangle("page", 0, 0, seen.width + 0.5, seen.height + 0.5, ())
    everything = [*seen.frames, *seen.boxes]
    found = [("outside", item) for item in everything if not page.surrounds(item)]
    for i, one in enumerate(everything):
        for other in everything[:i]:
            nested = other.kind == "frame" and other.surrounds(one)
            if not nested and not one.apart_from(other):
                found.append(("overlap", one, other))
    x, y = np.concatenate([np.zeros((0, 2)), *seen.lines]).T
    for box in seen.boxes:
        # A tip lies on the round end of an operation, within the rectangle around it.
        inside = (abs(x - box.x - box.width / 2) < box.width / 2 - 5) & (
            abs(y - box.y - box.height / 2) < box.height / 2 - 5
        )
        if inside.any():
            found.append(("line through", box))
        if any(sum(not unicodedata.combining(sign) for sign in word) * 7.2 > box.width for word in box.words):
            found.append(("too wide", box))
    return found
