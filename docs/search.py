"""Write docs/reference/search.md: how many examples it takes to meet gradients wrong at special places.

python docs/search.py            writes the page (some minutes)
python docs/search.py --check    fails if the page is not what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/search.md"
if __name__ == "__main__":
    # In place of docs/, as in coverage.py.
    sys.path[0] = str(ROOT)

from docs.coverage_page.markdown import folded  # noqa: E402  as above
from docs.search_page.measure import EXAMPLES, WAYS, Found, found  # noqa: E402  found by the path above
from docs.search_page.planted import PLANTED, Planted  # noqa: E402  as above
from docs.written import write_or_check  # noqa: E402  as above

SEEDS = range(20)

INTRODUCTION = """\
<!-- Written by docs/search.py: change that, and run it again. -->

# Examples until a wrong gradient is found

Each row is a function whose gradient is wrong at special points and correct everywhere else. A strategy
knows only its shapes, dtypes and bounds. The numbers are the median number of examples drawn until the
gradient is wrong, over {seeds} seeds. A dash means more than {examples}, where a test with default settings
ends. A number in parentheses says in how many of the {seeds} runs the fault was found, if not in all.

- *this package*: `arrays` and `tensors`, and `indices` for integers
- *randn*: normal numbers of a fixed shape such as (4, 3), uniform numbers if there are bounds
- *hypothesis*: `hypothesis.extra.numpy.arrays` with finite floats within the bounds, and shapes drawn as here

A drawn point counts if the wrong gradient differs from the correct one by a hundredth of the largest entry.
A sweep of the test suite runs the checks themselves: each of these functions fails as a marked test with
default settings, and passes with its correct gradient. Hypothesis begins with all zeros, so it finds a
fault there in the first example.

About half of the entries are uniform over the range. The others are special values. A band of 2 % of the
range therefore takes about twice as many examples as with uniform numbers alone, which is the column
*randn* for functions with bounds.
"""


def cell(one: Found) -> str:
    """The median, and the number of runs that met it, where not all did."""
    median = "—" if one.median == float("inf") else f"{one.median:g}"
    return median if one.times == len(one.counts) else f"{median} ({one.times})"


def line(planted: Planted, by_way: dict[str, Found]) -> str:
    """One line of the table."""
    cells = [planted.kind, planted.what, planted.library, *map(cell, by_way.values())]
    return f"| {' | '.join(cells)} |"


def searched(number: int) -> dict[str, Found]:
    """What each way to draw makes of one fault."""
    return {way: found(PLANTED[number], way, SEEDS) for way in WAYS}


def page() -> str:
    """The text of the page."""
    # Not forked: the benchmarks may have JAX in the process, whose threads a fork can leave in a deadlock.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        by_fault = list(pool.map(searched, range(len(PLANTED))))
    results = {planted.name: by_way for planted, by_way in zip(PLANTED, by_fault, strict=True)}
    totals = [sum(by_way[way].times for by_way in results.values()) for way in WAYS]
    runs = len(PLANTED) * len(SEEDS)
    missed = [
        f"{sum(by_way[way].median == float('inf') for by_way in results.values())} of {len(PLANTED)}"
        for way in WAYS
    ]
    return "\n".join(
        [
            INTRODUCTION.format(seeds=len(SEEDS), examples=EXAMPLES),
            "|  | this package | randn | hypothesis |",
            "| --- | ---: | ---: | ---: |",
            f"| runs that found the fault, of {runs:,} | {' | '.join(f'{total:,}' for total in totals)} |",
            f"| faults that most runs missed | {' | '.join(missed)} |",
            "",
            *folded(
                f"All {len(PLANTED)} faults",
                [
                    "| wrong at | mistake | library | this package | randn | hypothesis |",
                    "| --- | --- | --- | ---: | ---: | ---: |",
                    *(line(p, results[p.name]) for p in PLANTED),
                    "",
                ],
            ),
        ]
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/search.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
