"""The tables of the benchmarks as CSV files: ``docs/data/PART/TABLE.csv``.

A file begins with comment lines: the title, what is measured, when and where, and a summary of the figures.
The columns and the rows follow.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

__all__ = ["DATA", "Aimed", "Judged", "Stored", "Timed", "every", "read", "replace", "slug"]

DATA = Path(__file__).parents[1] / "data"

_TIMED = re.compile(r"^Our time, (.+): from (\S+) to (\S+), median (\S+); slower in (\d+ of \d+)\.$")
_JUDGED = re.compile(r"^Found, (.+) – (.+)\.$")
_AIMED = re.compile(r"^Aim: (.+?),? at most (\S+)\. Found (\S+): (not reached|reached)\.$")


class Timed(NamedTuple):
    """Our time over a peer's for several functions; above one, ours is slower."""

    what: str
    least: str
    most: str
    median: str
    slower: str


class Judged(NamedTuple):
    """How many wrong verdicts each checker gave, ours first."""

    what: str
    counts: tuple[tuple[str, str], ...]


class Aimed(NamedTuple):
    """The most that a figure should be, and what was measured."""

    what: str
    limit: str
    found: str
    is_reached: bool


class Stored(NamedTuple):
    """One table of one part of the benchmarks."""

    part: str
    title: str
    text: str
    measured: str
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def file(self) -> str:
        """The path of the file, relative to the folder of the data."""
        return f"{self.part}/{slug(self.title)}.csv"

    def csv(self) -> str:
        """Return the text of the file."""
        out = io.StringIO()
        for line in (self.title, self.text, self.measured, *self.notes):
            out.write(f"# {line}\n")
        csv.writer(out, lineterminator="\n").writerows([self.columns, *self.rows])
        return out.getvalue()

    def timed(self) -> list[Timed]:
        """Return what its notes say of times."""
        return [Timed(*m.groups()) for m in map(_TIMED.match, self.notes) if m]

    def judged(self) -> list[Judged]:
        """Return what its notes say of verdicts."""
        return [
            Judged(m[1], tuple(tuple(each.split(": ")) for each in m[2].split("; ")))  # type: ignore[misc]  # split gives pairs
            for m in map(_JUDGED.match, self.notes)
            if m
        ]

    def aimed(self) -> list[Aimed]:
        """Return what its notes say of aims."""
        return [Aimed(m[1], m[2], m[3], m[4] == "reached") for m in map(_AIMED.match, self.notes) if m]


def slug(title: str) -> str:
    """Return a title as part of a file name."""
    return re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-")


def read(path: Path) -> Stored:
    """Read one file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    title, text, measured, *notes = (line[2:] for line in takewhile(lambda line: line[:2] == "# ", lines))
    columns, *rows = csv.reader(lines[3 + len(notes) :])
    return Stored(
        path.parent.name, title, text, measured, tuple(notes), tuple(columns), tuple(map(tuple, rows))
    )


def every(folder: Path = DATA) -> Iterator[Stored]:
    """Read every file of a folder, in the order of their names."""
    yield from (read(path) for path in sorted(folder.glob("*/*.csv")))


def replace(part: str, tables: Sequence[Stored], folder: Path = DATA) -> None:
    """Write the tables of one part in place of those that it had."""
    place = folder / part
    place.mkdir(parents=True, exist_ok=True)
    for path in place.glob("*.csv"):
        path.unlink()
    for table in tables:
        (folder / table.file).write_text(table.csv(), encoding="utf-8")
