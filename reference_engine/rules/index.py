"""Indexing by NumPy's functions, and our functions that write into a new array."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine import operators
from reference_engine.dispatch import NAMESPACE_OVERRIDES, implements
from reference_engine.primitives import value_of
from reference_engine.tensor import Tensor, own_index

__all__ = ["along", "index_add", "index_put", "scatter"]


def scatter(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with `values` added at `index`: the transpose of `x[index]`.

    `values` broadcasts to the shape of `x[index]`; entries met several times add up.
    """
    return operators.scatter(values, index=own_index(index), shape=tuple(shape))


def index_put(base: Any, index: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy of `base` with `values` at `index` (or, with `accumulate`, are added there).

    Like `base[index] = values`, but without changing `base`. `index` is anything that NumPy accepts; `values`
    broadcasts to the shape of `base[index]`. Where an index comes twice, the last value stays and the
    cotangent goes to it alone; with `accumulate` all of them add up. The dtype is the common one of `base`
    and `values`.
    """
    if type(base) is not Tensor:
        base = np.asarray(base)
    return operators.index_put(base, values, index=own_index(index), accumulate=bool(accumulate))


def index_add(base: Any, index: Any, values: Any) -> Any:
    """`index_put` with `accumulate=True`."""
    return index_put(base, index, values, accumulate=True)


# ---------------------------------------------------------------------------- NumPy's functions


def _axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise") -> Any:
    """`numpy.take`."""
    a = a if hasattr(a, "shape") else np.asarray(a)
    indices = np.asarray(value_of(indices))
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    axis = _axis(axis, a.ndim)
    length = a.shape[axis]
    if mode == "wrap":
        indices = indices % length
    elif mode == "clip":
        indices = np.clip(indices, 0, length - 1)
    elif mode != "raise":
        raise ValueError(f"mode must be 'raise', 'wrap' or 'clip', got {mode!r}")
    return a[(slice(None),) * axis + (indices,)]


def along(shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """The index arrays that pick `indices` along `axis` and every place along the others."""
    grids = list(np.ogrid[tuple(slice(n) for n in shape)])
    grids[axis] = indices
    return tuple(grids)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """`numpy.take_along_axis`."""
    arr = arr if hasattr(arr, "shape") else np.asarray(arr)
    indices = np.asarray(value_of(indices))
    if axis is None:
        return np.reshape(arr, -1)[indices]
    axis = _axis(axis, arr.ndim)
    before, after = slice(0, axis), slice(axis + 1, None)
    around = np.broadcast_shapes(
        (*arr.shape[before], 1, *arr.shape[after]), (*indices.shape[before], 1, *indices.shape[after])
    )
    arr = np.broadcast_to(arr, (*around[before], arr.shape[axis], *around[after]))
    return arr[along(around, indices, axis)]


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    """`numpy.compress`."""
    return take(a, np.flatnonzero(value_of(condition)), axis=axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """`numpy.extract`."""
    return take(np.reshape(arr, -1), np.flatnonzero(value_of(condition)))


@implements(np.choose)
def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """`numpy.choose`."""
    index = np.asarray(value_of(a))
    stacked = np.stack(np.broadcast_arrays(*choices))
    index = np.broadcast_to(index, np.broadcast_shapes(index.shape, stacked.shape[1:]))
    stacked = np.broadcast_to(stacked, (stacked.shape[0], *index.shape))
    if mode == "wrap":
        index = index % stacked.shape[0]
    elif mode == "clip":
        index = np.clip(index, 0, stacked.shape[0] - 1)
    return take_along_axis(stacked, index[None], axis=0)[0]


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """`numpy.select`."""
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"condlist and choicelist must be of the same length, got {len(condlist)} and {len(choicelist)}"
        )
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = np.where(condition, choice, result)
    return result


NAMESPACE_OVERRIDES["take"] = lambda x, indices, /, *, axis=None: take(x, indices, axis=axis)
