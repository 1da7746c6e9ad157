"""What is said where a value is taken out of torch's graph: what the caller wrote, and what to write."""

from __future__ import annotations

import contextlib
import dis
import linecache
import math
import re
from typing import Any

from pytest_gradcheck.errors import Unavailable


def refusal(error: BaseException | None) -> Unavailable | None:
    """Return what was refused here from the exception in which it arrived.

    NumPy turns an exception raised while it reads an entry into a ValueError of its own, whose cause is
    the first one.
    """
    while error is not None and not isinstance(error, Unavailable):
        error = error.__cause__
    return error


def out_of_graph(how: str, frame: Any) -> str:
    """Say what takes a value out of the graph, as the caller wrote it, and what to write instead."""
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "numpy":
        frame = frame.f_back
    segment, is_assignment = _segment(frame)
    if is_assignment:
        what = f"assigning to {segment or 'an entry'} of a NumPy array"
        remedy = "numpy.stack, or start from numpy.zeros_like(x)"
    else:
        what = segment or f"{how}()"
        remedy = "numpy.stack of arrays, or the array itself"
        called = re.match(r"(?:math\.)?(\w+)\(", segment)
        name = called[1] if called else ""
        if how == "float" and hasattr(math, name):
            remedy = _OF_MATH.get(name, f"numpy.{name}")
        elif how != "numpy.asarray":
            remedy = "the array itself, and numpy.sin in place of math.sin"
    return f"{what} takes the value out of the graph; use {remedy}"


#: What replaces those functions of ``math`` that NumPy has under another name, or not at all.
_OF_MATH = {
    "comb": "scipy.special.comb",
    "dist": "numpy.linalg.norm",
    "erf": "scipy.special.erf",
    "erfc": "scipy.special.erfc",
    "fsum": "numpy.sum",
    "gamma": "numpy.exp of scipy.special.gammaln",
    "lgamma": "scipy.special.gammaln",
    "sumprod": "numpy.vecdot",
}


def _segment(frame: Any) -> tuple[str, bool]:
    """Return the expression that a frame is evaluating, and whether it assigns to an item."""
    code = frame.f_code
    stores = dis.opname[code.co_code[frame.f_lasti]] == "STORE_SUBSCR"
    with contextlib.suppress(IndexError, TypeError):
        line, end, start, stop = list(code.co_positions())[frame.f_lasti // 2]
        if line == end:
            text = linecache.getline(code.co_filename, line).encode()
            return text[start:stop].decode(), stores
    return "", stores
