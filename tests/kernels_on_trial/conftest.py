"""Kernels for which something must be set before anything is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

INTERPRETED = Path(__file__).with_name("interpreted")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect the Triton kernels where Triton interprets them: it reads the variable as it is imported.

    ``test_interpreted_kernels.py`` runs them in a process of their own.
    """
    return True if collection_path == INTERPRETED and os.environ.get("TRITON_INTERPRET") != "1" else None
