"""The pages of the reference that say what is detected, by us and by peers: parts of the command too.

Each is written by a script of its own in docs/, which runs all that it says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from docs import calibration, diagnoses, search, verdicts
from docs.diagnoses_page.faults import VALUES
from docs.search_page.measure import WAYS, found
from docs.search_page.planted import PLANTED
from docs.verdicts_page import sweep


class Page(NamedTuple):
    """Where it is, the script that writes it, what it says without writing it, and a few lines of that."""

    path: Path
    write: Callable[[], object]
    text: Callable[[], str]
    few: Callable[[], str]


def _few_diagnoses() -> str:
    return "\n".join(map(diagnoses.line, VALUES[:2]))


def _few_places() -> str:
    faults = PLANTED[:2]
    return "\n".join(search.line(f, {way: found(f, way, range(2)) for way in WAYS}) for f in faults)


def _few_bars() -> str:
    return calibration.table(calibration.CASES[:2])


def _few_verdicts() -> str:
    lines = []
    for name in ("exp", "softmax"):
        said = zip(sweep.CHECKERS, sweep.on_right(name, "float64") or [], strict=True)
        lines.append(f"{name}: {', '.join(f'{checker} {one.letters[0]}' for checker, one in said)}")
    return "\n".join(lines)


def _verdicts_as_they_stand() -> str:
    of_page, times = verdicts.on_page()
    return verdicts.rows.page(of_page, sorted(times), verdicts.torch_version())


PAGES = {
    "diagnoses": Page(diagnoses.PAGE, lambda: diagnoses.main([]), diagnoses.page, _few_diagnoses),
    "places": Page(search.PAGE, lambda: search.main([]), search.page, _few_places),
    "calibration": Page(calibration.PAGE, lambda: calibration.main([]), calibration.page, _few_bars),
    # To run it takes hours, and writes the page as it goes.
    "verdicts": Page(verdicts.PAGE, lambda: verdicts.main([]), _verdicts_as_they_stand, _few_verdicts),
}
