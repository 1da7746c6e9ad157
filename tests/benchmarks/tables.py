"""What a benchmark found, as plain text and as a table to store."""

from __future__ import annotations

import os
import platform
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from docs.benchmarks_page.stored import Stored


@dataclass(frozen=True)
class Aim:
    """The most that a number should be, and what was measured."""

    what: str
    at_most: float
    found: float

    def __str__(self) -> str:
        said = "reached" if self.found <= self.at_most else "not reached"
        return f"Aim: {self.what} at most {self.at_most:.3g}. Found {self.found:.3g}: {said}."


@dataclass(frozen=True)
class Ratio:
    """Our time over a peer's, for several functions: more than one is slower."""

    what: str
    values: Sequence[float]

    def __str__(self) -> str:
        least, middle, most = figures(min(self.values), statistics.median(self.values), max(self.values))
        slower = sum(value > 1 for value in self.values)
        return (
            f"Our time, {self.what}: from {least} to {most}, median {middle}; "
            f"slower in {slower} of {len(self.values)}."
        )


@dataclass(frozen=True)
class Found:
    """How often each checker did what it should not, ours first."""

    what: str
    counts: Mapping[str, str]

    def __str__(self) -> str:
        counts = "; ".join(f"{who}: {count}" for who, count in self.counts.items())
        return f"Found, {self.what} – {counts}."


@dataclass(frozen=True)
class Table:
    """Rows of figures under a title; `text` says what was run.

    Below them stand our time over the peers' (`ratios`), what was `found`, and the `aims`: the short tables
    of the page are made of these lines.
    """

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    aims: Sequence[Aim] = ()
    ratios: Sequence[Ratio] = ()
    found: Sequence[Found] = ()

    @property
    def _below(self) -> list[str]:
        ratios = [ratio for ratio in self.ratios if ratio.values]
        return [str(line) for line in (*ratios, *self.found, *self.aims)]

    def plain(self) -> str:
        """For a terminal."""
        widths = [max(len(row[i]) for row in (self.columns, *self.rows)) for i in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in (self.columns, *self.rows)
        ]
        said = [*textwrap.wrap(self.text.replace("**", ""), 110), ""]
        below = self._below
        return "\n".join([self.title, "", *said, *lines, *([""] if below else []), *below, ""])

    def stored(self, part: str, measured: str) -> Stored:
        """Return what is kept of it: the table of one part, measured in these circumstances."""
        rows = tuple(map(tuple, self.rows))
        return Stored(part, self.title, self.text, measured, tuple(self._below), tuple(self.columns), rows)


def counted(wrong: int, inconclusive: int) -> str:
    """How often a checker was wrong, and how often it could not tell."""
    return f"{wrong:,}" + (f", and inconclusive {inconclusive:,}" if inconclusive else "")


def figures(*numbers: float) -> list[str]:
    """Three digits each, without an exponent."""
    return [f"{number:.0f}" if abs(number) >= 99.95 else f"{number:.3g}" for number in numbers]


def circumstances(command: str, packages: Sequence[str]) -> str:
    """When, where and with what the figures were measured."""
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return (
        f"Measured on {date.today()} with `{command}`, on one of {os.cpu_count()} cores ({_processor()}), "
        f"{_busy()}; {platform.system()}, Python {platform.python_version()}, {versions}."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _busy() -> str:
    """How busy the machine is with others: processes that want to run, over the last minute."""
    if not hasattr(os, "getloadavg"):
        return "of a load that is not known"
    return f"load average {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
