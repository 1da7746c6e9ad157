"""Memory as Python and NumPy ask for it: exact, the same on every run, and blind to other programs."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def traced() -> Iterator[None]:
    """Count allocations inside of the block. Everything runs several times slower there."""
    gc.freeze()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def growth(function: Callable[[], Any]) -> tuple[Any, int, int]:
    """What `function` returns, and by how many bytes it raised memory: for good, and at the highest point."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    result = function()
    after, peak = tracemalloc.get_traced_memory()
    return result, after - before, peak - before
