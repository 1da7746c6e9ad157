"""NumPy's functions that write into an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine import writes
from reference_engine.dispatch import METHODS, implements
from reference_engine.errors import OutOfGraphError
from reference_engine.primitives import value_of
from reference_engine.rules.index import along, index_add
from reference_engine.tensor import Tensor


def _writable(target: Any, name: str) -> Tensor:
    if type(target) is not Tensor:
        raise OutOfGraphError(
            f"numpy.{name} into a plain array takes the value out of the graph; write into a Tensor "
            "(numpy.zeros_like(tensor)), or use reference_engine.index_put(base, index, values)"
        )
    return target


@implements(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    target = _writable(dst, "copyto")
    dtype = src.dtype if hasattr(src, "dtype") else np.asarray(src).dtype
    if not np.can_cast(dtype, target.dtype, casting=casting) and hasattr(src, "dtype"):  # type: ignore[arg-type]  # checked by NumPy
        raise TypeError(f"cannot copy from dtype {dtype} to {target.dtype} with casting={casting!r}")
    target[...] = src if where is True else np.where(where, src, target)


@implements(np.put)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    target = _writable(a, "put")
    places = np.ravel(value_of(ind)).astype(np.intp)
    if mode == "clip":
        places = np.clip(places, 0, target.size - 1)
    elif mode == "raise" and ((places < -target.size) | (places >= target.size)).any():
        raise IndexError(f"ind must be positions in an array of size {target.size}, got {places}")
    target[np.unravel_index(places % max(target.size, 1), target.shape)] = np.resize(v, places.shape)


def _masked(name: str, target: Any, mask: Any, values: Any, places: Any) -> None:
    """Write into the entries of `target` under `mask`; the k-th of them gets values[places[k]]."""
    target = _writable(target, name)
    mask = np.broadcast_to(np.asarray(value_of(mask), bool), target.shape)
    values = np.ravel(values)
    if not len(values):
        if mask.any() and name == "place":
            raise ValueError("vals of numpy.place must not be empty")
        return
    target[mask] = values[places(mask) % len(values)]


@implements(np.place)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    _masked("place", arr, mask, vals, lambda mask: np.arange(np.count_nonzero(mask)))


@implements(np.putmask)
def _putmask(a: Any, mask: Any, values: Any) -> None:
    _masked("putmask", a, mask, values, np.flatnonzero)


@implements(np.put_along_axis)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    target = _writable(arr, "put_along_axis")
    indices = np.asarray(value_of(indices))
    if axis is None:
        target[np.unravel_index(indices % max(target.size, 1), target.shape)] = values
    else:
        target[along(target.shape, indices, axis % target.ndim)] = values


@implements(np.fill_diagonal)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    target = _writable(a, "fill_diagonal")
    # NumPy itself says where, on an array of zeros.
    marks = np.zeros(target.shape, bool)
    np.fill_diagonal(marks, True, wrap)
    places = np.nonzero(marks)
    values = np.ravel(val)
    target[places] = values[np.arange(len(places[0])) % max(len(values), 1)]


# ---------------------------------------------------------------------------- ufunc.at


def _at(name: str, combine: Callable[[Any, Any, Any], Any]) -> Callable[..., None]:
    def call(a: Any, indices: Any, b: Any) -> None:
        target = _writable(a, f"{name}.at")
        writes.replace(target, combine(target, indices, b))

    return call


METHODS[np.add, "at"] = _at("add", index_add)
METHODS[np.subtract, "at"] = _at("subtract", lambda a, indices, b: index_add(a, indices, -b))
