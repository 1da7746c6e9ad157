"""Progress of a long search: a text after pytest's own, erased before pytest continues."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

#: Seconds of a search before the first text, and between two texts.
DELAY = 1.0
INTERVAL = 0.2

# The VT100's: save the cursor, put it back, erase from it to the end of the line (DECSC, DECRC, EL).
_SAVE, _RESTORE, _ERASE = "\x1b7", "\x1b8", "\x1b[K"


class Progress:
    """Shows how far the running search is."""

    def __init__(self, reporter: pytest.TerminalReporter, capture: Any) -> None:
        self._reporter = reporter
        self._capture = capture
        self._shown = False
        self.begin()

    def begin(self) -> None:
        """Begin with another test."""
        self._next = time.monotonic() + DELAY

    def show(self, name: str, rest: Callable[[], str]) -> None:
        """Show ``name: rest``, but not too often; a name that does not fit is cut."""
        if time.monotonic() < self._next:
            return
        writer = self._reporter.config.get_terminal_writer()
        # The last column stays free: terminals wrap after writing there.
        room = writer.fullwidth - writer.width_of_current_line % writer.fullwidth - 1
        text = fitted(name, rest(), room)
        self._write(f"{_ERASE}{_SAVE}{text}{_RESTORE}" if text else _ERASE)
        self._shown = True
        self._next = time.monotonic() + INTERVAL

    def erase(self) -> None:
        """Restore the line as pytest wrote it."""
        if self._shown:
            self._write(_ERASE)
            self._shown = False

    def _write(self, text: str) -> None:
        with self._capture.global_and_fixture_disabled():
            # Not by the writer's other methods, which count the columns that pytest has written.
            self._reporter.write_raw(text, flush=True)


def of(config: pytest.Config) -> Progress | None:
    """Return the progress display of this process, or None if there is no place for it.

    It needs a terminal to which only pytest's own reporter writes: no other reporter, no pytest-xdist worker,
    no uncaptured output, no live logs.
    """
    # `pytest.TerminalReporter` only since pytest 8.4.
    from _pytest.terminal import TerminalReporter

    manager = config.pluginmanager
    reporter, capture = manager.get_plugin("terminalreporter"), manager.get_plugin("capturemanager")
    if type(reporter) is not TerminalReporter or capture is None:
        return None
    logs = config.getini("log_cli") or config.getoption("log_cli_level", None) is not None
    live = logs or config.getoption("capture") not in ("fd", "sys")
    # Only newer Windows terminals accept these sequences, and there is no way to ask.
    dumb = os.environ.get("TERM", "dumb") == "dumb" or os.name == "nt"
    # An attribute before pytest 8.4, a method since.
    if live or dumb or not reporter.isatty or config.get_verbosity() < 0:
        return None
    return Progress(reporter, capture)


def fitted(name: str, rest: str, room: int) -> str:
    """Return ``name: rest`` in at most ``room`` columns, with less of the name or none; else nothing.

    Characters outside ASCII may take any number of columns, so they are replaced.
    """
    name = name.encode("ascii", "replace").decode()
    left = room - len(rest) - len(": ")
    if len(name) > left:
        name = f"{name[: left - 3]}..." if left > len("...") else ""
    text = f"{name}: {rest}" if name else rest
    return text if len(text) <= room else ""


def time_left(elapsed: float, done: int, of: int, limit: float | None) -> str:
    """Return how long the rest of the examples takes if those done took ``elapsed`` seconds.

    The search ends after ``limit`` seconds at the latest.
    """
    seconds = elapsed / done * max(of - done, 0)
    if limit is not None:
        seconds = min(seconds, max(limit - elapsed, 0.0))
    return f"{round(seconds)} s left" if seconds < 120 else f"{round(seconds / 60)} min left"
