"""Report when certain functions start to run, through the interpreter's interface for profilers.

From Python 3.12 on `sys.monitoring` reports the start of chosen code objects, and other code runs at full
speed. Before, `sys.setprofile` reports every call. Only one profiler can be active: while another one is,
nothing is reported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

Report = Callable[[CodeType], None]


@contextmanager
def reported(codes: Collection[CodeType], report: Report) -> Iterator[None]:
    """Call ``report`` with each code object of ``codes`` that starts inside this context.

    `sys.monitoring` covers all threads, `sys.setprofile` only this one.
    """
    if not codes or sys.getprofile() is not None:
        yield
        return
    begin, end = _by_monitoring(codes, report) if hasattr(sys, "monitoring") else _by_profile(codes, report)
    begin()
    try:
        yield
    finally:
        end()


def _by_profile(codes: Collection[CodeType], report: Report) -> tuple[Callable[[], None], Callable[[], None]]:
    def look(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code in codes:
            report(frame.f_code)

    return lambda: sys.setprofile(look), lambda: sys.setprofile(None)


def _by_monitoring(
    codes: Collection[CodeType], report: Report
) -> tuple[Callable[[], None], Callable[[], None]]:
    monitoring = sys.monitoring  # type: ignore[attr-defined]  # Python 3.12; mypy reads the types of 3.11
    tool, start = monitoring.PROFILER_ID, monitoring.events.PY_START
    if monitoring.get_tool(tool) is not None:
        return lambda: None, lambda: None

    def listen(events: int) -> None:
        for code in codes:
            monitoring.set_local_events(tool, code, events)

    def begin() -> None:
        monitoring.use_tool_id(tool, "pytest-gradcheck")
        monitoring.register_callback(tool, start, lambda code, offset: report(code))
        listen(start)

    def end() -> None:
        listen(0)
        monitoring.register_callback(tool, start, None)
        monitoring.free_tool_id(tool)

    return begin, end
