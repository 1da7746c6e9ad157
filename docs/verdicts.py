"""Write docs/reference/verdicts.md: torch's database of operators under two checkers.

    python docs/verdicts.py                    all sweeps over every operator: some hours
    python docs/verdicts.py --right            the sweep over right operators alone: five minutes
    python docs/verdicts.py 0 7                all sweeps over the parts 0 and 7
    python docs/verdicts.py --directional 0 7  the sweep over broken backwards in directional mode over these
    python docs/verdicts.py --broken 0 7       the other one over broken backwards
    python docs/verdicts.py --text             the text around the rows that the page has, and runs nothing

What is not run stays on the page as it was. The page is written after every part. It needs the versions
pinned in constraints.txt.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/verdicts.md"
if __name__ == "__main__":
    # In place of docs/, where this file would be taken for a top-level module.
    sys.path[0] = str(ROOT)
    # Proofs would settle what is in doubt here, and few readers have python-flint: an import of it fails.
    sys.modules["reference_engine.balls"] = None  # type: ignore[assignment]  # what sys.modules documents

from docs.torch_coverage import torch_version  # noqa: E402  found by the path above
from docs.verdicts_page import rows, sweep  # noqa: E402  the same


def update(part: int, kinds: Collection[str]) -> None:
    """Run sweeps over one part and write the page with its rows in place of the old ones."""
    of_page, times_of_page = on_page()
    kept = {(row.name, row.dtype): row for row in of_page}
    times = {each.part: each for each in times_of_page}
    found, seconds = rows.measured(part, kinds, kept, times.get(part, rows.Times(part)))
    # Read again: another run may have written other parts meanwhile.
    of_page, times_of_page = on_page()
    names = set(sweep.names_of_part(part))
    write(
        [row for row in of_page if row.name not in names] + found,
        [each for each in times_of_page if each.part != part] + [seconds],
    )


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
    kinds = [kind for kind in rows.KINDS if f"--{kind}" in arguments]
    asked = [each for each in arguments if each.removeprefix("--") not in rows.KINDS]
    parts = [str(part) for part in range(sweep.PARTS)]
    if not set(asked) <= set(parts):
        print(
            f"usage: python docs/verdicts.py [{' | '.join(f'--{kind}' for kind in rows.KINDS)} | --text] "
            f"[part from 0 to {parts[-1]} ...], got {' '.join(arguments)}",
            file=sys.stderr,
        )
        return 2
    for part in asked or parts:
        update(int(part), kinds or rows.KINDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
