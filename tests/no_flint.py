"""A run without python-flint, in a process in which other tests may have imported it."""

from __future__ import annotations

import sys

import pytest


def take_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let imports of python-flint, and of what rests on it, fail until the end of the test."""
    for name in [name for name in sys.modules if name.startswith("reference_engine.balls")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("flint", "reference_engine.balls"):
        monkeypatch.setitem(sys.modules, name, None)
