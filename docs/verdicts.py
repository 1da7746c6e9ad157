"""Write docs/reference/verdicts.md: torch's database of operators under two checkers.

    python docs/verdicts.py            both sweeps over every operator: an hour
    python docs/verdicts.py --right    the sweep over right operators alone, and keeps the rest: five minutes
    python docs/verdicts.py 0 7        both sweeps over the parts 0 and 7, and keeps the rows of the others
    python docs/verdicts.py --text     the text around the rows that the page has, and runs nothing

It needs the versions pinned in constraints.txt. The page is written after every part.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/verdicts.md"
if __name__ == "__main__":
    # In place of docs/, where this file would be taken for a top-level module.
    sys.path[0] = str(ROOT)

from docs.torch_coverage import torch_version  # noqa: E402  found by the path above
from docs.verdicts_page import rows, sweep  # noqa: E402  the same


def update(part: int, with_broken: bool) -> None:
    """Run one part and write the page with its rows in place of the old ones."""
    found, seconds = rows.measured(part, with_broken)
    # Read afterwards: another run may have written other parts meanwhile.
    of_page, times_of_page = on_page()
    kept = {(row.name, row.dtype): row for row in of_page}
    times = {each.part: each for each in times_of_page}
    names = set(sweep.names_of_part(part))
    if not with_broken:
        found = [row._replace(broken=kept[row[:2]].broken) if row[:2] in kept else row for row in found]
        seconds = seconds._replace(broken=times[part].broken if part in times else ())
    times[part] = seconds
    write([row for row in kept.values() if row.name not in names] + found, list(times.values()))


def on_page() -> tuple[list[rows.Row], list[rows.Times]]:
    """The rows and the times that the page has."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return rows.rows_of(text), rows.times_of(text)


def write(of_page: list[rows.Row], times: list[rows.Times]) -> None:
    """Write the page."""
    order = list(sweep.DTYPES)
    of_page = sorted(of_page, key=lambda row: (row.name, order.index(row.dtype)))
    PAGE.write_text(rows.page(of_page, sorted(times), torch_version()), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for and write the page; the exit status."""
    if list(arguments) == ["--text"]:
        write(*on_page())
        return 0
    right = list(arguments) == ["--right"]
    parts = [str(part) for part in range(sweep.PARTS)]
    if not right and not set(arguments) <= set(parts):
        print(
            f"usage: python docs/verdicts.py [--right | --text | part from 0 to {parts[-1]} ...], "
            f"got {' '.join(arguments)}",
            file=sys.stderr,
        )
        return 2
    for part in parts if right or not arguments else arguments:
        update(int(part), with_broken=not right)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
