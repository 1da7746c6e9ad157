"""Who wants to know that this process makes a check.

The pytest plugin takes its hooks out of a session that has nothing to check, and puts a callback here. A test
that calls `check_gradients` without a marker or a fixture brings the hooks back that way, and the package
needs to know nothing of pytest.
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
