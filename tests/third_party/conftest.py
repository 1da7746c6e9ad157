"""Leave the packages that others wrote alone, unless their tests are asked for: importing them takes long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from interpreted_kernels import ignore_unless_interpreting


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect the files of this folder for ``-m third_party`` alone."""
    asked_for = re.search(r"(?<!not )\bthird_party\b", config.option.markexpr)
    return ignore_unless_interpreting(collection_path) if asked_for else True
