"""Fresh memory with a known number in it: what was never written shows itself by depending on that number.

`numpy.empty` and its relatives return whatever the memory held before. A gradient that hands such an entry
out differs from call to call, and is right where the memory happened to hold the right number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

#: The numbers that fresh memory holds in turn, in the two passes that tell unwritten memory: nan goes through
#: sums and products, and what a comparison makes of it, it does not make of the other.
FILLED_WITH = (float("nan"), 1.0)

#: The functions of NumPy whose result is not written.
_FRESH = ("empty", "empty_like")


def in_dtype(number: float, kind: str, largest: int) -> Any:
    """Return the number for memory of a kind of dtype (``"f"``, ``"c"``, ``"i"``, ``"b"``).

    ``largest`` is the largest whole number of the dtype, which stands for nan.
    """
    if kind in "fc":
        return number
    return bool(number) if kind == "b" else largest if number != number else int(number)


def _filled(function: Callable[..., Any], number: float) -> Callable[..., Any]:
    @functools.wraps(function)
    def fresh(*args: Any, **kwargs: Any) -> Any:
        array = function(*args, **kwargs)
        if isinstance(array, np.ndarray) and array.dtype.kind in "fciub":
            whole = array.dtype.kind in "iu"
            largest = np.iinfo(array.dtype).max if whole else 0
            array.fill(in_dtype(number, "i" if whole else array.dtype.kind, largest))
        return array

    return fresh


@contextmanager
def filling_numpy(number: float) -> Iterator[None]:
    """Let ``np.empty`` and ``np.empty_like``, called by these names, hold a number; see `Framework.filling`.

    What imported the function by itself keeps it. NumPy has no public way to see its memory allocated.
    """
    before = {name: getattr(np, name) for name in _FRESH}
    try:
        for name, function in before.items():
            setattr(np, name, _filled(function, number))
        yield
    finally:
        for name, function in before.items():
            setattr(np, name, function)
