"""What the scripts that write a page have in common: write it, or compare it with ``--check``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["write_or_check"]


def write_or_check(arguments: Sequence[str], script: str, page: Path, text: Callable[[], str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    if list(arguments) not in ([], ["--check"]):
        print(f"usage: python {script} [--check], got {' '.join(arguments)}", file=sys.stderr)
        return 2
    new = text()
    if not arguments:
        page.write_text(new, encoding="utf-8")
    elif not page.exists() or page.read_text(encoding="utf-8") != new:
        print(f"{page} is not what the tables say: run python {script}", file=sys.stderr)
        return 1
    return 0
