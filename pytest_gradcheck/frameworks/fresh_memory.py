"""Fill fresh memory with a known number: results that depend on it contain memory that was never written.

`numpy.empty` and its relatives return whatever the memory held before. A gradient with such an entry differs
from call to call, and is right if the memory happened to hold the right number.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.frameworks.flat import Layout, Vector

#: The numbers that fresh memory holds in turn, in the two passes that tell unwritten memory: nan propagates
#: through sums and products, and comparisons treat the other one differently.
FILLED_WITH = (float("nan"), 1.0)

#: At most so many entries are named.
NAMED = 3

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

    What imported the function by itself keeps it. NumPy has no public hook for allocations. Call a function
    normally first: numba looks up these names when it compiles, and accepts only NumPy's own.
    """
    before = {name: getattr(np, name) for name in _FRESH}
    try:
        for name, function in before.items():
            setattr(np, name, _filled(function, number))
        yield
    finally:
        for name, function in before.items():
            setattr(np, name, function)


def allocates(function: Any) -> bool:
    """Whether the code of a function, or of a helper in its module, names ``empty`` or ``empty_like``.

    Allocations inside libraries are not seen.
    """
    plain = inspect.unwrap(getattr(function, "func", function))
    code = getattr(plain, "__code__", None)
    if code is None:
        return False
    around = getattr(plain, "__globals__", {})
    helpers = [around[name] for name in _names(code) if isinstance(around.get(name), FunctionType)]
    codes = [code, *(helper.__code__ for helper in helpers)]
    return any(name in _FRESH for each in codes for name in _names(each))


def _names(code: Any) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if hasattr(inner, "co_names"):
            yield from _names(inner)


class Unwritten(NamedTuple):
    """The entries of a result that were never written, shape ``(n,)``; None where they make it raise."""

    entries: Any

    def where(self, inputs: Layout) -> str:
        """Name the entries; empty if they are unknown."""
        if self.entries is None:
            return ""
        at = np.flatnonzero(self.entries)
        places = [inputs.locate(int(k)) for k in at[:NAMED]]
        names = ", ".join(f"{name}{list(index) or ''}" for name, index in places)
        return f"{names} and {at.size - NAMED} more" if at.size > NAMED else names


def unwritten(
    run: Callable[[], Vector], filling: Callable[[float], AbstractContextManager[Any]]
) -> Unwritten | None:
    """Return the entries of a result that depend on what fresh memory holds; None if there are none.

    Args:
        run: computes the result, shape ``(n,)``. It is called three times, and may raise.
        filling: as `Framework.filling`.
    """

    def filled_with(number: float) -> Vector | None:
        try:
            with filling(number):
                return run()
        except Exception:
            return None

    nan, number = FILLED_WITH
    one, same, other = filled_with(nan), filled_with(nan), filled_with(number)
    if other is None or (one is None) != (same is None):
        return None
    if one is None or same is None:
        return Unwritten(None)
    # A difference without a change of memory has another cause.
    entries = _apart(one, other)
    return Unwritten(entries) if entries.any() and not _apart(one, same).any() else None


def _apart(a: Vector, b: Vector) -> Any:
    """Compare entry by entry, but for the rounding of sums that run in parallel."""
    return ~np.isclose(a, b, rtol=1e-3, atol=0.0, equal_nan=True)


def never_written(whose: str, allocated: str, where: str) -> str:
    """Return the diagnosis of a gradient with memory that was never written."""
    entries = f": {where}" if where else ""
    return f"{whose} returns memory that was never written ({allocated} or the like){entries}"
