"""Messages for values that leave a graph: what the caller wrote, and what to write instead."""

from __future__ import annotations

import contextlib
import dis
import linecache
import math
import re
from collections.abc import Collection
from typing import Any

__all__ = ["out_of_graph"]

#: Replacements for functions of ``math`` that NumPy has under another name, or not at all.
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


def out_of_graph(how: str, frame: Any, packages: Collection[str] = ("numpy",)) -> str:
    """Return a sentence on what takes a value out of the graph, and on what to write instead.

    `how` is what was called, if the source is unknown; `frame` is one below the caller's. Frames of
    `packages` are skipped.
    """
    through = set()
    while frame.f_back is not None and (package := _package(frame)) in packages:
        through.add(package)
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
        elif "scipy" in through:
            remedy = "the one in reference_engine.scipy"
        elif how != "numpy.asarray":
            remedy = "the array itself, and numpy.sin in place of math.sin"
    return f"{what} takes the value out of the graph; use {remedy}"


def _package(frame: Any) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]


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
