"""The page on torch's operators, from one row per operator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from docs.coverage_page.markdown import folded, table
from docs.coverage_page.torch_reasons import KNOWN, TOLERANCES
from docs.coverage_page.torch_sweep import LARGEST, NOTHING, RTOL, Outcome, outcome

__all__ = ["Row", "measured", "page", "rows_of", "unexplained"]

STAGES = {"runs": "does not run", "value": "value", "first": "derivative", "second": "second derivative"}
"""What the page calls the stages of a comparison."""

INTRODUCTION = """\
<!-- Written by docs/torch_coverage.py, which calls every operator: change the rules, and run it again. -->

# torch's operators on the reference engine

torch tests its operators with a database of samples
(`torch.testing._internal.common_methods_invocations.op_db`). Every operator of it that has a gradient and
supports float64 on the CPU is recorded here, at each sample of up to {largest:,} numbers. Its value, its
derivative along random cotangents and its second derivative are compared with torch's. Written for torch
{version}.

Every entry agrees within {rtol:.0e}, relative to itself. Where terms cancel, it agrees within the rounding
error, measured by perturbing each operation on both sides by 1.5e-11 of its result. If one side is exactly
zero, the other may be {nothing:.0e}. Operators are called as in torch's own gradient tests: one that reads
a single triangle of a matrix gets a symmetric or triangular one.
"""


class Row(NamedTuple):
    """What the page says of one operator.

    ``samples`` were compared, ``first`` and ``second`` of them in the derivative and the second derivative,
    where torch has one. ``found``: at how many samples which stage did not come out.
    """

    name: str
    samples: int
    first: int
    second: int
    random: bool
    found: dict[str, int]

    @classmethod
    def of(cls, name: str, result: Outcome) -> Row:
        """The row of a measured operator."""
        stages = [finding.stage for finding in result.findings]
        found = {stage: stages.count(stage) for stage in STAGES if stage in stages}
        return cls(name, result.samples, result.first, result.second, result.random, found)

    def cells(self) -> list[str]:
        """The row as the page has it."""
        notes = ["random"] if self.random else []
        notes += [f"{STAGES[stage]} at {count}" for stage, count in self.found.items()]
        return [f"`{self.name}`", str(self.samples), str(self.first), str(self.second), ", ".join(notes)]


_ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (\d+) \| (\d+) \| (\d+) \| (?P<notes>.*?) ?\|$", re.MULTILINE)


def rows_of(text: str) -> list[Row]:
    """The rows that a page has."""
    rows = []
    for match in _ROW.finditer(text):
        notes = [note for note in match["notes"].split(", ") if note]
        counts = dict(note.rsplit(" at ", 1) for note in notes if note != "random")
        found = {stage: int(counts[words]) for stage, words in STAGES.items() if words in counts}
        samples, first, second = (int(match[i]) for i in (2, 3, 4))
        rows.append(Row(match["name"], samples, first, second, "random" in notes, found))
    return rows


def measured(name: str) -> Outcome:
    """The outcome of one operator.

    Errors: ValueError for a finding without an explanation, and for an explanation without a finding.
    """
    result = outcome(name, TOLERANCES.get(name, (RTOL, ""))[0])
    if wrong := unexplained(name, result):
        raise ValueError(wrong)
    return result


def unexplained(name: str, result: Outcome) -> str:
    """What is wrong with the explanation of an operator's findings; an empty string if nothing is."""
    known = KNOWN.get(name)
    for finding in result.findings:
        seen = f"{finding.stage}: {finding.text}"
        if known is None or finding.stage not in known.stages or not re.search(known.shows, seen):
            return f"{name}, sample {finding.sample}, {seen}: not in torch_reasons.KNOWN"
    if known and result.stages() != known.stages:
        return f"{name}: torch_reasons.KNOWN has {set(known.stages)}, but seen was {result.stages()}"
    return ""


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "0"


def _counted(rows: Sequence[Row]) -> list[str]:
    runs = [row for row in rows if "runs" not in row.found]
    first = [row for row in runs if row.first]
    second = [row for row in runs if row.second]
    return [
        str(len(rows)),
        _share(len(runs), len(rows)),
        _share(sum(not row.found.keys() & {"value", "first"} for row in first), len(first)),
        _share(sum(not row.found.keys() & {"value", "first", "second"} for row in second), len(second)),
    ]


def page(rows: Sequence[Row], version: str) -> str:
    """The text of the page."""
    derivative = [row for row in rows if row.first]
    kinds = {
        "differentiable, deterministic": [row for row in derivative if not row.random],
        "differentiable, random, under a fixed seed": [row for row in derivative if row.random],
        "without a derivative at any sample": [row for row in rows if not row.first],
    }
    whose = {
        "none": "not run on the engine",
        "torch": "torch's result is not the derivative",
        "undefined": "there is no derivative",
    }
    lines = [
        *table(
            [
                "operators",
                "number",
                "on the engine",
                "derivative agrees",
                "second derivative agrees",
            ],
            ([kind, *_counted(chosen)] for kind, chosen in kinds.items() if chosen),
        ),
        "The shares of derivatives count operators that run on the engine and that torch can differentiate.",
        "",
        "## Operators that differ",
        "",
        "The page [on torch's gradients](../explanation/torch_gradients.md) shows torch's own cases as code.",
        "",
        *table(
            ["operator", "stage", "kind", "reason"],
            (
                [
                    f"`{name}`",
                    ", ".join(STAGES[s] for s in STAGES if s in known.stages),
                    whose[known.whose],
                    known.reason,
                ]
                for name, known in sorted(KNOWN.items())
            ),
        ),
        "These agree within 1e-07 of each entry only:",
        "",
        *table(["operator", "reason"], ([f"`{name}`", why] for name, (_, why) in sorted(TOLERANCES.items()))),
        "## Every operator",
        "",
        "How many samples were compared, and at how many of them torch has a first and a second derivative.",
        "The last column marks random operators, and the stage that differs with the number of samples.",
        "`x.y` is the variant `y` of the operator `x`.",
        "",
        *folded(
            f"{len(rows)} operators",
            table(["operator", "samples", "derivative", "second", "remark"], (row.cells() for row in rows)),
        ),
    ]
    introduction = INTRODUCTION.format(largest=LARGEST, version=version, rtol=RTOL, nothing=NOTHING)
    return introduction + "\n" + "\n".join(lines).rstrip() + "\n"
