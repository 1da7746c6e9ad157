"""Times on the processor's clock, contestants taking turns.

The clock counts the process itself, so other programs on the machine disturb little. The remaining noise only
adds time, so the best of several rounds is the closest to the truth. Taking turns lets a slow minute of the
machine affect every contestant alike.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from resource import RUSAGE_CHILDREN, getrusage
from time import process_time


def best(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least seconds that each contestant took for one call, out of `rounds`."""
    seconds = dict.fromkeys(contestants, float("inf"))
    # Other objects of the process are not swept during a measurement.
    gc.freeze()
    try:
        for _ in range(rounds):
            for name, contestant in contestants.items():
                # One contestant's garbage is not swept up in another's time.
                gc.collect()
                start = process_time()
                contestant()
                seconds[name] = min(seconds[name], process_time() - start)
    finally:
        gc.unfreeze()
    return seconds


def of_children(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of every round on the clock of the processes that each contestant starts and waits for."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            start = _used_by_children()
            contestant()
            seconds[name].append(_used_by_children() - start)
    return seconds


def _used_by_children() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
