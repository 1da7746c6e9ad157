"""Hide python-flint, which few readers have installed: in this process, or as a plugin in another one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

#: The package that imports python-flint. It may be imported already, and cannot be twice.
BALLS = "reference_engine.balls"


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Let an import of the package fail in this block."""
    before = sys.modules.get(BALLS)
    sys.modules[BALLS] = None  # an import then raises ModuleNotFoundError
    try:
        yield
    finally:
        del sys.modules[BALLS]
        if before is not None:
            sys.modules[BALLS] = before


def pytest_configure() -> None:
    """Hide it for good."""
    sys.modules[BALLS] = None
