"""Functions that move entries without changing them: reshaping, joining, splitting, reordering.

Functions that only permute or reverse axes are recognised by their effect on the strides, and become
`transpose` and `getitem`. The other functions of one array that only move entries (or put zeros in between)
share one primitive: what they do to an array they also do to the array of positions, which says where each
cotangent belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from reference_engine.definitions import define
from reference_engine.dispatch import FUNCTIONS, NAMESPACE_OVERRIDES, implements
from reference_engine.operators import copied
from reference_engine.primitives import Primitive, read_only, value_of
from reference_engine.rules.index import take
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- reshape, transpose, broadcast

reshape: Primitive = define(
    "reshape",
    lambda x, *, shape, order: np.reshape(x, shape, order=order),
    [lambda c, result, x, *, shape, order: reshape(c, shape=x.shape, order=order)],
    lens=lambda whole, part, *, shape, order: reshape(part, shape=whole.shape, order=order),
)


@implements(np.reshape)
def _reshape(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: bool | None = None
) -> Any:
    return reshape(
        as_tensor(a), shape=newshape if shape is None else shape, order="C" if order == "A" else order
    )


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """`numpy.ravel`: a view where the entries lie one after the other, else a copy."""
    a = as_tensor(a)
    fortran = order == "F" or (order == "A" and value_of(a).flags.fnc)
    flat = reshape(a, shape=-1, order="F" if fortran else "C")
    return flat if value_of(flat).flags.c_contiguous else copied(flat, order="C")


transpose: Primitive = define(
    "transpose",
    lambda x, *, axes: x.transpose(axes),
    [lambda c, result, x, *, axes: _untranspose(c, axes)],
    lens=lambda whole, part, *, axes: _untranspose(part, axes),
)


def _untranspose(x: Any, axes: Sequence[int] | None) -> Any:
    return transpose(x, axes=None if axes is None else np.argsort(axes).tolist())


@implements(np.transpose, np.permute_dims)
def _transpose(a: Any, axes: Sequence[int] | None = None) -> Any:
    a = as_tensor(a)
    return transpose(a, axes=None if axes is None else [axis % a.ndim for axis in axes])


@implements(np.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Any:
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose needs at least 2 axes, got shape {x.shape}")
    return transpose(x, axes=[*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


FUNCTIONS[np.linalg.matrix_transpose] = _matrix_transpose

# The sum over the repeated entries is what the engine does for every cotangent that is too large.
broadcast_to: Primitive = define(
    "broadcast_to",
    lambda x, *, shape: np.broadcast_to(x, shape),
    [lambda c, result, x, *, shape: c],
    lens=read_only,
)


@implements(np.broadcast_to)
def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    return broadcast_to(as_tensor(array), shape=shape)


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*(np.shape(arg) for arg in args))
    return tuple(_broadcast_to(arg, shape) for arg in args)


# ---------------------------------------------------------------------------- turning axes

TURNS: tuple[Callable[..., Any], ...] = (
    np.moveaxis, np.rollaxis, np.swapaxes, np.flip, np.fliplr, np.flipud, np.rot90,
)  # fmt: skip
"""Functions of one array that permute and reverse its axes."""

RESIZES: tuple[Callable[..., Any], ...] = (np.squeeze, np.expand_dims)
"""Functions of one array that only change its shape."""


def _marked(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array of no memory to speak of, whose strides say which axis is which: 1, 2, 3, ..."""
    return as_strided(np.zeros((), bool), shape, tuple(range(1, len(shape) + 1)))


def _as_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        a = as_tensor(a)
        strides = function(_marked(a.shape), *args, **kwargs).strides
        backwards = [slice(None)] * a.ndim
        for stride in strides:
            if stride < 0:
                backwards[-stride - 1] = slice(None, None, -1)
        if any(part.step for part in backwards):
            a = a[tuple(backwards)]
        axes = [abs(stride) - 1 for stride in strides]
        return a if axes == sorted(axes) else transpose(a, axes=axes)

    return call


def _as_resize(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        a = as_tensor(a)
        return reshape(a, shape=function(_marked(a.shape), *args, **kwargs).shape, order="C")

    return call


for _function in TURNS:
    FUNCTIONS[_function] = _as_turn(_function)
for _function in RESIZES:
    FUNCTIONS[_function] = _as_resize(_function)

# ---------------------------------------------------------------------------- moving entries


def _positions(function: Callable[[Any], Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Where each entry of the result comes from, counted from 1; 0 for a zero that the function puts in."""
    count = int(np.prod(shape, dtype=np.intp))
    return np.asarray(function(np.arange(1, count + 1).reshape(shape)))


def _move_back(c: Any, *, function: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    c = np.asarray(c)
    sums = np.zeros(int(np.prod(shape, dtype=np.intp)) + 1, c.dtype)
    np.add.at(sums, _positions(function, shape), c)
    return sums[1:].reshape(shape)


move: Primitive = define(
    "move",
    lambda x, *, function: function(x),
    [lambda c, result, x, *, function: move_back(c, function=function, shape=x.shape)],
    lens=read_only,
)
move_back: Primitive = define(
    "move_back",
    _move_back,
    [lambda c, result, x, *, function, shape: move(c, function=function)],
)

MOVES: tuple[Callable[..., Any], ...] = (
    np.roll, np.tile, np.resize, np.delete, np.diag, np.diagflat, np.diagonal,
)  # fmt: skip
"""Functions of one array that only move its entries or put zeros between them."""


def _as_move(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        args = tuple(value_of(arg) for arg in args)
        return move(as_tensor(a), function=lambda array: function(array, *args, **kwargs))

    return call


for _function in MOVES:
    FUNCTIONS[_function] = _as_move(_function)
FUNCTIONS[np.linalg.diagonal] = _as_move(np.linalg.diagonal)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """`numpy.repeat`."""
    a, repeats = as_tensor(a), value_of(repeats)
    if axis is None or a.ndim == 0:
        a, axis = a.reshape(-1), 0
    if np.size(repeats) != 1:
        return take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis=axis)
    # Repeating every entry is broadcasting along a new axis, whose transpose is a plain sum.
    after = axis % a.ndim + 1
    shape = a.shape
    count = int(np.reshape(repeats, ()))
    spread = broadcast_to(
        reshape(a, shape=(*shape[:after], 1, *shape[after:]), order="C"),
        shape=(*shape[:after], count, *shape[after:]),
    )
    merged = (*shape[: after - 1], shape[after - 1] * count, *shape[after:])
    return copied(reshape(spread, shape=merged, order="C"), order="C")


def _triangle(name: str, mask: Callable[[int, int, int], Any]) -> Callable[..., Any]:
    def call(m: Any, k: int = 0) -> Any:
        m = as_tensor(m)
        if m.ndim == 0:
            raise ValueError(f"m of numpy.{name} must have at least one axis, got a number")
        if m.ndim == 1:
            m = broadcast_to(m, shape=(m.shape[0], m.shape[0]))
        rows, columns = m.shape[-2:]
        return np.where(mask(rows, columns, k), m, np.zeros(1, m.dtype))

    return call


FUNCTIONS[np.tril] = _triangle("tril", lambda n, m, k: np.tri(n, m, k, dtype=bool))
FUNCTIONS[np.triu] = _triangle("triu", lambda n, m, k: ~np.tri(n, m, k - 1, dtype=bool))


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """`numpy.atleast_1d`."""
    return _at_least(arys, lambda shape: shape or (1,))


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """`numpy.atleast_2d`."""
    return _at_least(arys, lambda shape: (1,) * (2 - len(shape)) + shape)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """`numpy.atleast_3d`."""
    return _at_least(arys, lambda shape: np.atleast_3d(np.empty(shape, bool)).shape)


def _at_least(arrays: Sequence[Any], grow: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Any:
    grown = tuple(np.reshape(as_tensor(a), grow(np.shape(a))) for a in arrays)
    return grown[0] if len(grown) == 1 else grown


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    """`numpy.trace`."""
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.linalg.trace)
def _linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(x, offset, -2, -1, dtype)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """`numpy.copy`."""
    return copied(a, order=order)


NAMESPACE_OVERRIDES["permute_dims"] = _transpose
