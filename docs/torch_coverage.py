"""Write docs/reference/torch_coverage.md: torch's database of operators on the reference engine.

    python docs/torch_coverage.py            calls every operator at every sample and writes the page
    python docs/torch_coverage.py --check    fails if the page is not what would be written

It takes about five minutes, and needs the versions pinned in constraints.txt.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/torch_coverage.md"
if __name__ == "__main__":
    # In place of docs/, where this file would be taken for a top-level module.
    sys.path[0] = str(ROOT)

from docs.coverage_page import torch_part, torch_sweep  # noqa: E402  found by the path above
from docs.written import write_or_check  # noqa: E402  the same


def torch_version() -> str:
    """The version without what says for which device it was built."""
    return version("torch").partition("+")[0]


def page() -> str:
    """The text of the page, from calling every operator."""
    rows = [torch_part.Row.of(name, torch_part.measured(name)) for name in sorted(torch_sweep.OPERATORS)]
    return torch_part.page(rows, torch_version())


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/torch_coverage.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
