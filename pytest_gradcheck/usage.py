"""Callbacks for the first check in this process.

The pytest plugin unregisters its hooks in a session that has nothing to check. It registers a callback here
that restores them when a test calls `check_gradients` without a marker or a fixture.
"""

from __future__ import annotations

from collections.abc import Callable

#: Each is called once, before the next check runs.
waiting: set[Callable[[], None]] = set()


def announce() -> None:
    """Call and forget everything that is `waiting`; tests may check from several threads."""
    while True:
        try:
            callback = waiting.pop()
        except KeyError:
            return
        callback()
