"""Write docs/reference/engine_coverage.md from the tables of the reference engine.

    python docs/coverage.py            writes the page
    python docs/coverage.py --check    fails if the page is not what would be written

It needs the versions pinned in constraints.txt, and HIPS autograd, which the test extra installs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/engine_coverage.md"
if __name__ == "__main__":
    # In place of docs/, where this file would be taken for the package coverage.
    sys.path[0] = str(ROOT)

from docs.coverage_page import autograd_part, numpy_part, scipy_part  # noqa: E402  found by the path above
from docs.written import write_or_check  # noqa: E402  the same

INTRODUCTION = """\
<!-- Written by docs/coverage.py from the engine's tables: change those, and run it again. -->

# What the reference engine differentiates

These lists are generated from the tables of the engine. The script that writes this page fails for a NumPy
function that has neither a rule nor a reason. Written for {versions}.

Calling a function without a rule raises an error that names it. `reference_engine.extend` adds a rule in a
few lines.
"""


def versions() -> str:
    """What the page is written for."""
    return ", ".join(f"{name} {version(name.lower())}" for name in ("NumPy", "scipy", "autograd"))


def page() -> str:
    """The text of the page."""
    lines = [*numpy_part.sections(), *scipy_part.sections(), *autograd_part.sections()]
    return INTRODUCTION.format(versions=versions()) + "\n" + "\n".join(lines).rstrip() + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/coverage.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
