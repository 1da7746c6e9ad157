"""The page on JAX's primitives, from a row per primitive and the times per part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from docs.coverage_page.markdown import folded, table
from docs.jax_page.reasons import OTHERWISE, REASONS
from docs.jax_page.sweep import (
    CHECKERS,
    DTYPES,
    FAULTS,
    LARGEST,
    LARGEST_BROKEN,
    ON_ENGINE,
    PARTS,
    RTOL,
    names_of_part,
    on_engine,
    outcome,
)

__all__ = ["Row", "Times", "judged", "measured", "page", "rows_of", "times_of", "unusual"]

INTRODUCTION = """\
<!-- Written by docs/jax_primitives.py, which runs the checks: change what they say, and run it again. -->

# JAX's primitives

JAX tests its primitives with a database of functions and arguments
(`jax._src.internal_test_util.test_harnesses`). This page has the {count} primitives that have a derivative
in float64 or float32. Written for JAX {version}.

**On the engine**: the first {harnesses} functions of a primitive in float64 with up to {largest} numbers,
in and out (or else the smallest one), and the first in complex128. The first and second derivatives along
random cotangents are compared with JAX's entry by entry, within {rtol:.0e}.

**Checked**: the first of these functions, in float64 and in float32, by `check_gradients` with its default
options and by `jax.test_util.check_grads` with `order=1` and `modes=("rev",)`. The rule is JAX's own,
inside a `custom_vjp`, and then the same with a fault: {faults}. A fault counts only if it moves some entry
of the gradient by a thousandth of the largest entry for that input, along three random cotangents.
Functions with more than {broken} numbers get no faults.
"""


class Row(NamedTuple):
    """What the page says of one primitive.

    ``harnesses`` were run on the ``engine``; ``first`` and ``second`` derivatives agree, of ``seconds`` that
    JAX has. ``letters``, by dtype and checker, say p(ass), i(nconclusive) or f(ail) of the right rule and of
    each fault; empty without a derivative.
    """

    name: str
    harnesses: int
    engine: int
    first: int
    second: int
    seconds: int
    letters: tuple[str, ...]

    def cells(self) -> list[str]:
        """The row as the page has it."""
        counts = [f"{k} of {self.harnesses}" if self.harnesses else "-" for k in (self.engine, self.first)]
        second = f"{self.second} of {self.seconds}" if self.seconds else "-"
        return [f"`{self.name}`", *counts, second, *(f"`{each}`" if each else "" for each in self.letters)]


class Times(NamedTuple):
    """The seconds on the process's clock that each checker took for a part."""

    part: int
    ours: float
    check_grads: float


_ROW = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<engine>[^|]+) \| (?P<first>[^|]+) \| (?P<second>[^|]+) "
    r"\| (?P<letters>[^\n]*) \|$",
    re.MULTILINE,
)
_TIME = re.compile(r"^\| (\d+) \| ([\d.]+) s \| ([\d.]+) s \|$", re.MULTILINE)


def _counts(text: str) -> tuple[int, int]:
    if text == "-":
        return 0, 0
    part, _, whole = text.partition(" of ")
    return int(part), int(whole)


def rows_of(text: str) -> list[Row]:
    """The rows that a page has."""
    rows = []
    for match in _ROW.finditer(text):
        letters = tuple(cell.strip().strip("`") for cell in match["letters"].split("|"))
        if len(letters) != len(DTYPES) * len(CHECKERS):
            continue
        (engine, harnesses), (first, _), (second, seconds) = map(
            _counts, (match["engine"], match["first"], match["second"])
        )
        rows.append(Row(match["name"], harnesses, engine, first, second, seconds, letters))
    return rows


def times_of(text: str) -> list[Times]:
    """The times that a page has."""
    return [Times(int(m[1]), float(m[2]), float(m[3])) for m in _TIME.finditer(text)]


def measured(name: str) -> tuple[Row | None, tuple[float, float]]:
    """The row of a primitive, None for one without a derivative, and the seconds of both checkers."""
    stages = on_engine(name)
    letters: list[str] = []
    seconds = [0.0, 0.0]
    for dtype in DTYPES:
        found = outcome(name, dtype)
        letters += found.letters if found else [""] * len(CHECKERS)
        for k, more in enumerate(found.seconds if found else ()):
            seconds[k] += more
    row = Row(
        name, stages.harnesses, stages.runs, stages.first, stages.second, stages.seconds, tuple(letters)
    )
    return (row if any(letters) else None), (seconds[0], seconds[1])


def part(number: int) -> tuple[list[Row], Times]:
    """The rows of one part, and what it took."""
    found = [measured(name) for name in names_of_part(number)]
    ours, theirs = (sum(seconds[k] for _, seconds in found) for k in (0, 1))
    return [row for row, _ in found if row is not None], Times(number, round(ours, 1), round(theirs, 1))


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if part and whole else str(part)


def judged(row: Row, dtype: str) -> bool:
    """Whether JAX's rule is right in a dtype. Verdicts on it and on its faults count only then."""
    return row.name not in OTHERWISE or dtype not in OTHERWISE[row.name].dtypes


def _columns(rows: Sequence[Row]) -> Iterable[tuple[str, str, list[str]]]:
    """Each dtype and checker, with the letters of all primitives that have some and whose rule is right."""
    names = [(dtype, checker) for dtype in DTYPES for checker in CHECKERS]
    for k, (dtype, checker) in enumerate(names):
        yield dtype, checker, [row.letters[k] for row in rows if row.letters[k] and judged(row, dtype)]


def page(rows: Sequence[Row], times: Sequence[Times], version: str) -> str:
    """The text of the page."""
    on = [row for row in rows if row.harnesses]
    runs = [row for row in on if row.engine]
    compared = [row for row in runs if row.name not in OTHERWISE]
    twice = [row for row in compared if row.seconds]
    right, broken = [], []
    for dtype, checker, letters in _columns(rows):
        first = "".join(each[0] for each in letters)
        right.append([dtype, checker, str(len(first)), *(_share(first.count(c), len(first)) for c in "pif")])
        after = "".join(each[1:].replace("-", "") for each in letters if each[0] == "p")
        broken.append([dtype, checker, str(len(after)), *(_share(after.count(c), len(after)) for c in "pif")])
    verdicts = ["passed", "inconclusive", "failed"]
    seen = [row for row in rows if unusual(row)]
    lines = [
        "## On the engine",
        "",
        *table(
            ["primitives", "on the engine", "derivative agrees", "second derivative agrees"],
            [
                [
                    str(len(on)),
                    _share(len(runs), len(on)),
                    _share(sum(row.first == row.harnesses for row in compared), len(compared)),
                    _share(sum(row.second == row.seconds for row in twice), len(twice)),
                ]
            ],
        ),
        "Not compared, because JAX's derivative is not the function's: "
        f"{', '.join(f'`{row.name}`' for row in rows if row.name in OTHERWISE)}.",
        "",
        "## Correct rules",
        "",
        "Without the primitives whose derivative in JAX is not the function's; see the list below.",
        "",
        *table(["dtype", "checker", "primitives", *verdicts], right),
        "## Broken rules",
        "",
        "For the primitives whose correct rule the checker passes:",
        "",
        *table(["dtype", "checker", "rules", *verdicts], broken),
        "## Primitives that differ",
        "",
        *table(
            ["primitive", "what", "reason"],
            ([f"`{row.name}`", ", ".join(unusual(row)), REASONS.get(row.name, "")] for row in seen),
        ),
        "## Every primitive",
        "",
        "How many functions run on the engine, and for how many of them the derivatives agree. Each dtype",
        "and checker has a letter for the correct rule and one for each fault, in the order above: `p` for",
        "passed, `i` for inconclusive, `f` for failed, and `-` for a fault that changes nothing.",
        "",
        *folded(
            f"{len(rows)} primitives",
            table(
                [
                    "primitive",
                    "engine",
                    "derivative",
                    "second",
                    *(f"{dtype}, {checker}" for dtype in DTYPES for checker in CHECKERS),
                ],
                (row.cells() for row in rows),
            ),
        ),
        *folded(
            "CPU time of every part",
            table(
                ["part", *CHECKERS],
                ([str(t.part), f"{t.ours} s", f"{t.check_grads} s"] for t in sorted(times)),
            ),
        ),
        f"Most of the time is compilation. This page has {len(times)} of {PARTS} parts, each with every",
        f"{PARTS}nd primitive.",
    ]
    introduction = INTRODUCTION.format(
        count=len(rows),
        version=version,
        harnesses=ON_ENGINE,
        largest=LARGEST,
        broken=LARGEST_BROKEN,
        rtol=RTOL,
        faults=", ".join(FAULTS),
    )
    return introduction + "\n" + "\n".join(lines).rstrip() + "\n"


def unusual(row: Row) -> list[str]:
    """What is to be explained of a row, in words."""
    found = []
    if row.engine < row.harnesses:
        found.append("not on the engine")
    elif row.first < row.harnesses:
        found.append("the derivative differs")
    elif row.second < row.seconds:
        found.append("the second derivative differs")
    for dtype, letters in zip(DTYPES, row.letters[:: len(CHECKERS)], strict=True):
        if letters[:1] not in ("", "p"):
            found.append(f"{'inconclusive' if letters[0] == 'i' else 'failed'} in {dtype}")
        elif "p" in letters[1:]:
            found.append(f"a fault passed in {dtype}")
        elif "i" in letters[1:]:
            found.append(f"a fault inconclusive in {dtype}")
    return found
