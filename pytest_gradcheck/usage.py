"""Callbacks for the first check that this process makes.

The pytest plugin takes its hooks out of a session that has nothing to check, and puts here what brings them
back when a test calls `check_gradients` without a marker or a fixture.
"""

from __future__ import annotations

from collections.abc import Callable

#: Called once each, before the next check is made.
waiting: set[Callable[[], None]] = set()


def announce() -> None:
    """Call and forget everything that is `waiting`; tests may check from several threads."""
    while True:
        try:
            callback = waiting.pop()
        except KeyError:
            return
        callback()
