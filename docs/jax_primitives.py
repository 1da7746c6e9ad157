"""Write docs/reference/jax_primitives.md: JAX's database of primitives on the engine and under two checkers.

    python docs/jax_primitives.py            the whole sweep: an hour
    python docs/jax_primitives.py 0 7        the parts 0 and 7
    python docs/jax_primitives.py --text     the text around the rows that the page has, and runs nothing

What is not run stays on the page as it was. The page is written after every part.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/jax_primitives.md"
if __name__ == "__main__":
    # In place of docs/, where this file would be taken for a top-level module.
    sys.path[0] = str(ROOT)
    # Proofs would settle what is in doubt here, and few readers have python-flint: an import of it fails.
    sys.modules["reference_engine.balls"] = None  # type: ignore[assignment]  # what sys.modules documents
    # One thread: what others do would count on the process's clock.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

from docs.jax_page import rows, sweep  # noqa: E402  found by the path above


def jax_version() -> str:
    """The version that the page is written for."""
    return version("jax")


def on_page() -> tuple[list[rows.Row], list[rows.Times]]:
    """The rows and the times that the page has."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return rows.rows_of(text), rows.times_of(text)


def write(of_page: list[rows.Row], times: list[rows.Times]) -> None:
    """Write the page."""
    PAGE.write_text(rows.page(sorted(of_page), times, jax_version()), encoding="utf-8")


def update(part: int) -> None:
    """Run one part, and write the page with its rows in place of the old ones."""
    found, times = rows.part(part)
    of_page, times_of_page = on_page()
    names = set(sweep.names_of_part(part))
    write(
        [row for row in of_page if row.name not in names] + found,
        [each for each in times_of_page if each.part != part] + [times],
    )


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for and write the page; the exit status."""
    if list(arguments) == ["--text"]:
        write(*on_page())
        return 0
    parts = [str(part) for part in range(sweep.PARTS)]
    if not set(arguments) <= set(parts):
        print(
            f"usage: python docs/jax_primitives.py [--text] [part from 0 to {parts[-1]} ...], "
            f"got {' '.join(arguments)}",
            file=sys.stderr,
        )
        return 2
    for part in arguments or parts:
        update(int(part))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
