"""Locate the code whose gradient is wrong: its function or class, file and line."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gradcheck.core.results import HandWritten

#: At most so many places are listed.
MOST = 3

_OWN = str(Path(__file__).parents[2])


def of_function(function: Callable[..., Any]) -> str:
    """Return the place of a gradient written by hand; empty if it is not written in Python."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "" if code is None else _place(code.co_qualname, code.co_filename, code.co_firstlineno)


def of_backwards(functions: Sequence[HandWritten], right: Mapping[str, bool | None] | None = None) -> str:
    """Return the places of the backwards that a framework's run went through; nothing without any.

    ``right`` says by name which of them are right individually. If some are wrong and all others right, only
    the wrong ones are named.
    """
    known = right or {}
    wrong = [each for each in functions if known.get(each.name) is False]
    if wrong and all(known.get(each.name) is not None for each in functions):
        rest = [each.name.rpartition(".")[2] for each in functions if each not in wrong]
        cleared = f"; {' and '.join(rest)} {'are' if len(rest) > 1 else 'is'} right" if rest else ""
        return of_backwards(wrong) + cleared
    places = []
    for each in functions:
        if each.path is not None and each.backward_line is not None:
            name = each.name if "::" in each.name else f"{each.name.rpartition('.')[2]}.backward"
            places.append(_place(name, each.path, each.backward_line))
    more = [f"and {len(places) - MOST} more"] if len(places) > MOST else []
    return ", ".join(places[:MOST] + more)


def of_error(error: BaseException) -> str:
    """Return where an exception was raised: in the user's code, if its traceback leads through any."""
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith((_OWN, "<"))
    ]
    users = [each for each in frames if "site-packages" not in each[0].co_filename] or frames
    if not users:
        return ""
    code, line = users[-1]
    return _place(code.co_qualname, code.co_filename, line)


def _place(name: str, path: str, line: int) -> str:
    return f"{name.rpartition('<locals>.')[2]} ({Path(path).name}:{line})"
