"""The elements of a picture: boxes with lines of text, the links between them, and frames."""

from __future__ import annotations

import unicodedata

__all__ = [
    "CELL",
    "LINE",
    "LONGEST",
    "PADDING",
    "Box",
    "Frame",
    "Item",
    "Link",
    "Picture",
    "shorten",
    "width_in_cells",
]

CELL, LINE, PADDING = 7.2, 16, 8
"""The width of a character and the height of a line, in pixels, and the margin around the text."""

LONGEST = 30
"""The most characters of a line."""


def width_in_cells(text: str) -> int:
    """How many characters of a monospaced font `text` is wide; East Asian ones take two."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def shorten(text: str) -> str:
    """`text` in one line that fits into a box, without characters that XML cannot hold."""
    text = "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in text)
    if width_in_cells(text) <= LONGEST:
        return text
    while width_in_cells(text) >= LONGEST:
        text = text[: LONGEST - 1] if len(text) >= LONGEST else text[:-1]
    return f"{text}…"


class Item:
    """A rectangle that takes part in the layout; `x` and `y` are its upper left corner."""

    __slots__ = ("height", "width", "x", "y")

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.x = self.y = 0.0

    def turn(self) -> None:
        """Swap right and down: the layout only knows pictures that run to the right."""
        self.x, self.y, self.width, self.height = self.y, self.x, self.height, self.width


class Box(Item):
    """A leaf, value, operation, constant, closed scope, or a note on omitted values, by `kind`.

    `name` is the line in bold face above the other `lines`, None for none.
    """

    __slots__ = ("frame", "kind", "lines", "name")

    def __init__(self, kind: str, lines: list[str], frame: Frame, name: str | None = None) -> None:
        self.kind = kind
        self.frame = frame
        super().__init__(0, 0)
        self.name = shorten(name) if name else None
        self.write(lines)
        frame.inside.append(self)

    def write(self, lines: list[str]) -> None:
        """Fill in the lines below the name; the box is as large as they need."""
        self.lines = [shorten(line) for line in lines]
        cells = max(map(width_in_cells, self.texts))
        self.height = len(self.texts) * LINE + PADDING
        self.width = max(cells * CELL + 2 * PADDING, self.height)

    @property
    def texts(self) -> list[str]:
        """All lines, the name first."""
        return [self.name, *self.lines] if self.name else self.lines


class Frame(Item):
    """An open scope: what was computed in it lies inside. The frame of the whole picture has no name.

    `header` is the place for the name, above what lies inside, or left of it in a picture that is turned.
    """

    __slots__ = ("depth", "header", "inside", "name", "parent")

    def __init__(self, name: str | None = None, parent: Frame | None = None) -> None:
        super().__init__(0, 0)
        self.name = shorten(name) if name else None
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.inside: list[Box | Frame] = []
        self.header = Item(0, 0)
        if self.name is not None:
            self.header = Item(width_in_cells(self.name) * CELL + PADDING, LINE + PADDING / 2)
        if parent is not None:
            parent.inside.append(self)

    def turn(self) -> None:
        """Swap right and down, for the header too."""
        super().turn()
        self.header.turn()


class Link:
    """An arrow from `source` to `target`, which takes it as argument number `argument`."""

    __slots__ = ("argument", "source", "target")

    def __init__(self, source: Box, target: Box, argument: int) -> None:
        self.source = source
        self.target = target
        self.argument = argument


class Picture:
    """All boxes, arguments first, all links, and the frames, outer ones first."""

    def __init__(self) -> None:
        self.frames = [Frame()]
        self.boxes: list[Box] = []
        self.links: list[Link] = []
