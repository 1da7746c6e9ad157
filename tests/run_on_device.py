"""Run the tests that need an accelerator: ``python -m tests.run_on_device``.

They are collected with all others, and skipped where torch finds no device. pytest gets the arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Run them, and return pytest's exit status."""
    folder = str(ROOT / "tests/devices")
    return int(pytest.main(["--rootdir", str(ROOT), "-m", "device", folder, *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
