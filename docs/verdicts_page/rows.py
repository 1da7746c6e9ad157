"""The page of verdicts, from a row per operator and dtype and the times per part."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from docs.coverage_page.markdown import folded, table
from docs.verdicts_page.reasons import BROKEN, DIRECTIONAL, RIGHT
from docs.verdicts_page.sweep import (
    CHECKERS,
    DTYPES,
    FAULTS,
    LARGEST,
    LARGEST_DIRECTIONAL,
    LEFT_OUT,
    PARTS,
    SCALES,
    WRONG,
    Verdicts,
    names_of_part,
    on_broken,
    on_directional,
    on_right,
)

__all__ = ["KINDS", "Row", "Times", "page", "rows_of", "times_of", "unexplained"]

KINDS = ("right", "broken", "directional")
"""The sweeps: over right operators, over broken backwards, and over those in directional mode."""

INTRODUCTION = """\
<!-- Written by docs/verdicts.py, which runs the checks: change what they say, and run it again. -->

# Verdicts on torch's operators

torch tests its operators with a database of samples
(`torch.testing._internal.common_methods_invocations.op_db`). This page shows what `check_gradients` and
`torch.autograd.gradcheck` report, with their default options, for every deterministic operator that has a
gradient, at its first sample, in float64 and in float32. Operators that round to half precision are also
checked with `sensitivity=1e-3`. Written for torch {version}.

The tables below are summaries. [Every operator](#every-operator) has its own row at the end.
"""

BROKEN_INTRODUCTION = """\
Each backward gets a fault: the correct gradient is computed and then changed. The output is multiplied by
{scales}. A fault counts only if it moves some entry of the gradient by a thousandth of the largest entry
for that input, along three random cotangents. The first rows of the table show the correct backward in the
same wrapper. Where a checker does not pass that one, its `failed` says nothing: this is the case for
`torch.autograd.gradcheck` in nearly all of float32.

Operators whose sample has more than {largest} numbers, in and out, are left out, and so are {others}. The
rest takes an hour. It runs in {parts} parts, each with every {parts}th operator. This page has the parts
{done}: {operators} operators, {checks:,} checks of each checker.
"""

DIRECTIONAL_INTRODUCTION = """\
The same faults, without a factor on the output, under `check_gradients(mode="directional")` and
`gradcheck(fast_mode=True)`. Both compare projections along random directions. They compare single entries
only in case of doubt. Operators have up to {largest:,} numbers here. This page has the parts {done}:
{operators} operators, {checks:,} checks of each checker.
"""

LETTERS = """\
Letters are verdicts: **p**assed, **f**ailed, **i**nconclusive. A dash marks a fault that does not count.
The columns for broken backwards have three groups, for the output times {scales}. Each group begins with
the correct backward in the wrapper, followed by the faults in the order of the table above. The columns for
directional mode have one group. A column is empty where that part was not run.
"""


class Row(NamedTuple):
    """What the checkers said of one operator in one dtype.

    ``right`` has a letter per checker, ``broken`` and ``directional`` per checker a row of letters per scale.
    They are empty where the sweep over broken backwards was not run.
    """

    name: str
    dtype: str
    right: tuple[str, ...]
    broken: tuple[tuple[str, ...], ...] = ()
    directional: tuple[tuple[str, ...], ...] = ()

    @property
    def gradient_is_wrong(self) -> bool:
        """Whether torch's own gradient is wrong here."""
        return self.name in WRONG

    def cells(self) -> list[str]:
        """The row as the page has it."""
        cells = [f"`{self.name}`", self.dtype, *self.right]
        for groups in (self.broken, self.directional):
            cells += [" ".join(rows) for rows in groups] or [""] * len(CHECKERS)
        return cells


class Times(NamedTuple):
    """The seconds that each checker took on one part; empty where that sweep was not run."""

    part: int
    right: tuple[float, ...] = ()
    broken: tuple[float, ...] = ()
    directional: tuple[float, ...] = ()

    def cells(self) -> list[str]:
        """The row as the page has it."""
        cells = [str(self.part)]
        for seconds in self[1:]:
            cells += [f"{s:.1f}" for s in seconds] or [""] * len(CHECKERS)
        return cells


_ROW = re.compile(
    r"^\| `([^`]+)` \| (float\d\d) \| ([pfi-]) \| ([pfi-]) \|" + r" ([pfi -]*?) ?\|" * 4 + "$", re.MULTILINE
)
_TIMES = re.compile(r"^\| (\d+) \|" + r" ([\d.]*) ?\|" * 6 + "$", re.MULTILINE)


def rows_of(text: str) -> list[Row]:
    """The rows that a page has."""
    return [
        Row(name, dtype, (ours, torchs), _groups(a, b), _groups(c, d))
        for name, dtype, ours, torchs, a, b, c, d in _ROW.findall(text)
    ]


def _groups(*cells: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(cell.split()) for cell in cells) if any(cells) else ()


def times_of(text: str) -> list[Times]:
    """The times that a page has."""
    return [
        Times(int(part), *(tuple(map(float, filter(None, cells[k : k + 2]))) for k in (0, 2, 4)))
        for part, *cells in _TIMES.findall(text)
    ]


def measured(
    part: int, kinds: Collection[str], kept: Mapping[tuple[str, str], Row], times: Times
) -> tuple[list[Row], Times]:
    """The rows and the times of one part: of these kinds from running the checks, else what is kept."""
    rows = []
    seconds = {kind: [0.0] * len(CHECKERS) for kind in kinds}

    def letters(kind: str, found: Sequence[Verdicts] | None) -> tuple[tuple[str, ...], ...]:
        if found is None:
            return ()
        seconds[kind] = [total + v.seconds for total, v in zip(seconds[kind], found, strict=True)]
        return tuple(v.letters for v in found)

    for name in names_of_part(part):
        for dtype in DTYPES:
            row = kept.get((name, dtype))
            if "right" in kinds:
                right = on_right(name, dtype)
                old = row or Row(name, dtype, ())
                row = right and old._replace(right=tuple(each[0] for each in letters("right", right)))
            if row is None:
                continue
            if "broken" in kinds:
                row = row._replace(broken=letters("broken", on_broken(name, dtype)))
            if "directional" in kinds:
                row = row._replace(directional=letters("directional", on_directional(name, dtype)))
            rows.append(row)
    return rows, times._replace(**{kind: tuple(each) for kind, each in seconds.items()})


def unexplained(rows: Iterable[Row]) -> list[str]:
    """What is not as it should be and has no reason, in words.

    A right operator is to pass; a broken backward is to fail, and its right form to pass. Reasons excuse
    what is inconclusive. Nothing excuses a right one that fails, nor a broken backward that passes.
    """
    found = []
    for row in rows:
        if row.gradient_is_wrong:
            continue
        what = f"{row.name} in {row.dtype}"
        if row.right[0] == "f" or (row.right[0] != "p" and row.name not in RIGHT):
            found.append(f"{what}: right, and {_WORDS[row.right[0]]}")
        of_broken = [
            (f"times {scale}", letters, BROKEN)
            for scale, letters in zip(SCALES, row.broken[0] if row.broken else (), strict=False)
        ]
        if row.directional:
            of_broken.append(("directional", row.directional[0][0], DIRECTIONAL))
        for how, letters, reasons in of_broken:
            excused = row.name in RIGHT or row.name in reasons
            if letters[0] != row.right[0] and not (letters[0] == "i" and excused):
                found.append(f"{what}, {how}: right in the wrapper, and {_WORDS[letters[0]]}")
            for fault, letter in zip(FAULTS, letters[1:], strict=True):
                if letter == "p" or (letter == "i" and not excused):
                    found.append(f"{what}, {how}, {fault}: broken, and {_WORDS[letter]}")
    return found


_WORDS = {"p": "passed", "i": "inconclusive", "f": "failed", "-": "not checked"}


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if part else "0"


def _ratio(ours: float, torchs: float) -> str:
    return (
        f"{ours:.0f} s" if not torchs else f"{ours:.0f} s against {torchs:.0f} s: {ours / torchs:.2g} times"
    )


def _names(rows: Iterable[Row]) -> str:
    names = sorted({row.name for row in rows})
    return ", ".join(f"`{name}`" for name in names) or "none"


def _of_right(rows: Sequence[Row]) -> list[str]:
    cells = []
    for dtype in DTYPES:
        of_dtype = [row for row in rows if row.dtype == dtype and not row.gradient_is_wrong]
        for k, checker in enumerate(CHECKERS):
            counts = [sum(row.right[k] == letter for row in of_dtype) for letter in "pif"]
            shown = [_share(count, len(of_dtype)) for count in counts]
            cells.append([dtype, checker, str(len(of_dtype)), *shown])
    ours = [row for row in rows if not row.gradient_is_wrong and row.right[0] != "p"]
    theirs = [row for row in rows if not row.gradient_is_wrong and row.right[1] != "p"]
    lines = table(["dtype", "checker", "operators", "passed", "inconclusive", "failed"], cells)
    lines += [
        f"Operators that `check_gradients` fails: {_names(row for row in ours if row.right[0] == 'f')}.",
        "",
    ]
    reasons = table(
        ["operator", "dtype", "reason"],
        (
            [f"`{row.name}`", row.dtype, RIGHT.get(row.name, "not known yet")]
            for row in ours
            if row.right[0] in "i-"
        ),
    )
    lines += folded("Operators on which <code>check_gradients</code> is inconclusive, and why", reasons)
    of_float64 = _names(row for row in theirs if row.dtype == "float64")
    lines += [f"Operators that `torch.autograd.gradcheck` fails in float64: {of_float64}.", ""]
    wrong = [row for row in rows if row.gradient_is_wrong]
    lines += [
        "Not counted are operators whose gradient in torch is not the derivative of the function as called:",
        "",
    ]
    shown = table(
        ["operator", "dtype", *CHECKERS, "what is wrong"],
        (
            [
                f"`{row.name}`",
                row.dtype,
                *(_WORDS[letter] for letter in row.right),
                WRONG[row.name],
            ]
            for row in wrong
        ),
    )
    names = len({row.name for row in wrong})
    return lines + folded(f"{names} operators whose gradient in torch is not the derivative", shown)


_HEAD = ["dtype", "counted", "passed", "inconclusive", "failed"]
_HEAD += [f"gradcheck {word}" for word in _HEAD[2:]]


def _by_fault(groups: Sequence[tuple[str, tuple[tuple[str, ...], ...]]]) -> list[str]:
    """A table of faults from the dtypes and the letters of broken backwards."""
    cells = []
    for fault in range(-1, len(FAULTS)):
        what = list(FAULTS)[fault] if fault >= 0 else "(correct, in the wrapper)"
        for dtype in DTYPES:
            line = [what, dtype]
            for k in range(len(CHECKERS)):
                letters = [
                    scale[fault + 1]
                    for of_dtype, checkers in groups
                    if of_dtype == dtype
                    for scale in checkers[k]
                    if scale[fault + 1] != "-"
                ]
                counted = len(letters)
                line += [str(counted)] if k == 0 else []
                line += [str(letters.count(letter)) for letter in "pif"]
            cells.append(line)
    return table(["fault", *_HEAD], cells)


def _of_directional(run: Sequence[Row]) -> list[str]:
    lines = _by_fault([(row.dtype, row.directional) for row in run])
    for words, letter in (("passes", "p"), ("finds inconclusive", "i")):
        hit = [row for row in run if letter in row.directional[0][0][1:]]
        lines += [f"Broken backwards that `check_gradients` {words}: {_names(hit)}.", ""]
    reasons = [[f"`{name}`", why] for name, why in sorted(DIRECTIONAL.items())]
    return lines + (table(["operator", "why it is inconclusive"], reasons) if reasons else [])


def _of_broken(rows: Sequence[Row]) -> list[str]:
    run = [row for row in rows if row.broken and "-" not in row.right]
    lines = _by_fault([(row.dtype, row.broken) for row in run])
    totals = []
    for scale, factor in enumerate(SCALES):
        for dtype in DTYPES:
            line = [factor, dtype]
            for k in range(len(CHECKERS)):
                letters = [
                    x for row in run if row.dtype == dtype for x in row.broken[k][scale][1:] if x != "-"
                ]
                line += [str(len(letters))] if k == 0 else []
                line += [str(letters.count(letter)) for letter in "pif"]
            totals.append(line)
    lines += ["All faults together:", ""]
    lines += table(["output times", *_HEAD], totals)
    unsure = [scale for row in run for scale in row.broken[0] if "i" in scale[1:]]
    total = sum(scale[1:].count("i") for scale in unsure)
    as_it_is = sum(scale[1:].count("i") for scale in unsure if scale[0] == "i")
    lines += [
        f"{as_it_is} of the {total} inconclusive checks are of operators that are so without a fault.",
        "",
    ]
    for words, letter in (("passes", "p"), ("finds inconclusive", "i")):
        hit = [row for row in run if any(letter in scale[1:] for scale in row.broken[0])]
        lines += [f"Broken backwards that `check_gradients` {words}: {_names(hit)}.", ""]
    reasons = [[f"`{name}`", why] for name, why in sorted(BROKEN.items())]
    return lines + (table(["operator", "why it is inconclusive"], reasons) if reasons else [])


def _of_times(times: Sequence[Times]) -> list[str]:
    right, broken, directional = (
        _ratio(*(sum(each[k] for each in of_kind if each) for k in range(2)))
        for of_kind in (
            [each.right for each in times],
            [e.broken for e in times],
            [e.directional for e in times],
        )
    )
    return [
        "CPU time of `check_gradients` against `torch.autograd.gradcheck`:",
        "",
        f"- operators as they are: {right}",
        f"- broken backwards: {broken}",
        f"- directional mode against fast mode: {directional}",
        "",
        "For a wrong gradient, `check_gradients` takes longer because it locates the error.",
        "",
        *folded(
            "Time of every part",
            table(
                ["part", *(f"{who}, {what}, s" for what in KINDS for who in ("ours", "gradcheck"))],
                (each.cells() for each in times),
            ),
        ),
    ]


def _counts(run: Sequence[Row], kind: str, times: Sequence[Times]) -> dict[str, Any]:
    """What an introduction says of one sweep over broken backwards: its parts, operators and checks."""
    return {
        "done": _ranges([each.part for each in times if getattr(each, kind)]) or "none",
        "operators": len({row.name for row in run}),
        "checks": sum(len(scale) - scale.count("-") for row in run for scale in getattr(row, kind)[0]),
    }


def _ranges(numbers: Sequence[int]) -> str:
    """``0-2, 5`` for 0, 1, 2 and 5."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in found)


_COLUMNS = ("", ", broken", ", directional")


def page(rows: Sequence[Row], times: Sequence[Times], version: str) -> str:
    """The text of the page."""
    run = [row for row in rows if row.broken and "-" not in row.right]
    directional = [row for row in rows if row.directional and "-" not in row.right]
    factors = list(SCALES)
    scales = f"{', '.join(factors[:-1])} and {factors[-1]}"
    others = "; ".join(f"`{name}` ({why})" for name, why in LEFT_OUT.items())
    lines = [
        "## Correct operators",
        "",
        *_of_right(rows),
        "## Broken backwards",
        "",
        BROKEN_INTRODUCTION.format(
            scales=scales, largest=LARGEST, others=others, parts=PARTS, **_counts(run, "broken", times)
        ),
        *_of_broken(rows),
        "## Directional mode",
        "",
        DIRECTIONAL_INTRODUCTION.format(
            largest=LARGEST_DIRECTIONAL, **_counts(directional, "directional", times)
        ),
        *_of_directional(directional),
        "## Time",
        "",
        *_of_times(times),
        "## Every operator",
        "",
        LETTERS.format(scales=scales),
        *folded(
            f"{len({row.name for row in rows})} operators, a row for each dtype",
            table(
                [
                    "operator",
                    "dtype",
                    *(f"{who}{what}" for what in _COLUMNS for who in ("ours", "gradcheck")),
                ],
                (row.cells() for row in rows),
            ),
        ),
    ]
    return INTRODUCTION.format(version=version) + "\n" + "\n".join(lines).rstrip() + "\n"
