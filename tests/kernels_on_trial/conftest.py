"""Leave Triton's kernels to a process in which they are interpreted."""

from __future__ import annotations

from pathlib import Path

import pytest
from interpreted_kernels import ignore_unless_interpreting


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect the folder ``interpreted`` where Triton interprets."""
    return ignore_unless_interpreting(collection_path)
