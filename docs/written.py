"""What the scripts that write files of the documentation share: write them, or compare with ``--check``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["write_or_check"]


def write_or_check(arguments: Sequence[str], script: str, texts: Callable[[], Mapping[Path, str]]) -> int:
    """Write the text of each file, or compare it with `--check`; the exit status."""
    if list(arguments) not in ([], ["--check"]):
        print(f"usage: python {script} [--check], got {' '.join(arguments)}", file=sys.stderr)
        return 2
    status = 0
    for path, text in texts().items():
        if not arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not what would be written: run python {script}", file=sys.stderr)
            status = 1
    return status
