"""Functions that move entries without changing them: reshaping, joining, splitting, reordering.

What only turns or reverses axes is told by what it does to the strides, and becomes `transpose` and
`getitem`. The other functions of one array that only move entries (or put zeros in between) share one
primitive: what they do to an array they also do to the array of positions, which says where each cotangent
has to go back to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from reference_engine.numpy_front import FUNCTIONS, NAMESPACE_OVERRIDES, implements
from reference_engine.rules.index import index_put, take
from reference_engine.rules.table import define, value_of
from reference_engine.tensor import Primitive, Tensor, as_tensor, operators
from reference_engine.views import read_only

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


copied: Primitive = define(
    "copy", lambda x, *, order: np.array(x, order=order), [lambda c, result, x, *, order: c]
)
operators["copy"] = copied

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
    # Repeating every entry is broadcasting along an axis of its own, whose transpose is a plain sum.
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


# ---------------------------------------------------------------------------- joining and splitting


def _concatenate_rule(argnum: int, c: Any, result: Any, *arrays: Any, axis: int) -> Any:
    start = sum(array.shape[axis] for array in arrays[:argnum])
    stop = start + arrays[argnum].shape[axis]
    return c[(slice(None),) * (axis % c.ndim) + (slice(start, stop),)]


concatenate: Primitive = define(
    "concatenate",
    lambda *arrays, axis: np.concatenate(arrays, axis=axis),
    variadic=_concatenate_rule,
)


@implements(np.concatenate, np.concat)
def _concatenate(
    arrays: Sequence[Any],
    /,
    axis: int | None = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    parts = [as_tensor(array) for array in arrays]
    if axis is None:
        parts = [part.reshape(-1) for part in parts]
        axis = 0
    joined = concatenate(*parts, axis=axis)
    return joined if dtype is None else joined.astype(dtype)


@implements(np.stack)
def stack(
    arrays: Sequence[Any], axis: int = 0, out: None = None, *, dtype: Any = None, casting: str = ""
) -> Any:
    """`numpy.stack`."""
    arrays = list(arrays)
    shapes = {np.shape(array) for array in arrays}
    if len(shapes) != 1:
        raise ValueError(f"all arrays of numpy.stack must have the same shape, got {sorted(shapes)}")
    (shape,) = shapes
    ndim = len(shape) + 1
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    axis %= ndim
    grown = [as_tensor(array).reshape((*shape[:axis], 1, *shape[axis:])) for array in arrays]
    return _concatenate(grown, axis=axis, dtype=dtype)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """`numpy.unstack`."""
    return tuple(np.moveaxis(x, axis, 0))


@implements(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """`numpy.hstack`."""
    parts = [atleast_1d(array) for array in tup]
    return _concatenate(parts, axis=0 if parts and parts[0].ndim == 1 else 1, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """`numpy.vstack`."""
    return _concatenate([atleast_2d(array) for array in tup], axis=0, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """`numpy.dstack`."""
    return _concatenate([atleast_3d(array) for array in tup], axis=2)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """`numpy.column_stack`."""
    parts = [as_tensor(array) for array in tup]
    return _concatenate([atleast_2d(part).T if part.ndim < 2 else part for part in parts], axis=1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`numpy.append`."""
    return _concatenate([arr, values], axis=axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    """`numpy.block`."""
    depth, inner = 0, arrays
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]

    def leaves(part: Any) -> list[Any]:
        return [leaf for item in part for leaf in leaves(item)] if isinstance(part, list) else [part]

    ndim = max(depth, *(np.ndim(leaf) for leaf in leaves(arrays)))

    def join(part: Any, level: int) -> Any:
        if not isinstance(part, list):
            part = as_tensor(part)
            return part.reshape((1,) * (ndim - part.ndim) + part.shape)
        return _concatenate([join(item, level + 1) for item in part], axis=level - depth)

    return join(arrays, 0)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.array_split`."""
    ary = as_tensor(ary)
    pieces = np.array_split(np.arange(ary.shape[axis]), value_of(indices_or_sections))
    before = (slice(None),) * (axis % ary.ndim)
    starts = np.cumsum([0] + [len(piece) for piece in pieces])
    if not np.ndim(indices_or_sections):
        return [ary[(*before, slice(int(a), int(b)))] for a, b in itertools.pairwise(starts)]
    bounds = [0, *(int(i) for i in value_of(indices_or_sections)), ary.shape[axis]]
    return [ary[(*before, slice(a, b))] for a, b in itertools.pairwise(bounds)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.split`."""
    if not np.ndim(indices_or_sections) and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            f"numpy.split needs equal parts: axis {axis} has length {ary.shape[axis]}, "
            f"got {indices_or_sections} sections"
        )
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`numpy.hsplit`."""
    return split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`numpy.vsplit`."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`numpy.dsplit`."""
    return split(ary, indices_or_sections, 2)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """`numpy.meshgrid`."""
    ndim = len(xi)
    grids = [as_tensor(x).reshape((1,) * i + (-1,) + (1,) * (ndim - 1 - i)) for i, x in enumerate(xi)]
    if indexing == "xy" and ndim > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    elif indexing not in ("xy", "ij"):
        raise ValueError(f"indexing must be 'xy' or 'ij', got {indexing!r}")
    grids = grids if sparse else list(_broadcast_arrays(*grids))
    return tuple(copied(grid, order="C") for grid in grids) if copy else tuple(grids)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`numpy.insert`."""
    arr = as_tensor(arr)
    if axis is None:
        arr, axis = arr.reshape(-1), 0
    axis %= arr.ndim
    values = as_tensor(values).astype(arr.dtype)
    old = np.arange(arr.shape[axis])
    where = old[obj] if isinstance(obj, slice) else np.asarray(value_of(obj))
    where = np.flatnonzero(where) if where.dtype == bool else where
    count = np.size(where)
    if count == 1:
        # NumPy inserts as many as there are values before one position; a number as position counts them along
        # the first axis of the values.
        values = as_tensor(np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape))
        values = np.moveaxis(values, 0, axis) if where.ndim == 0 else values
        count = values.shape[axis]
    # Positions of the old entries and, as -1, of the new ones.
    places = np.insert(old, where, np.full(count, -1))
    new = np.flatnonzero(places < 0)
    grown = take(arr, np.where(places < 0, 0, places), axis=axis)
    return index_put(grown, (slice(None),) * axis + (new,), values)


# ---------------------------------------------------------------------------- padding


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`numpy.pad` with mode constant, edge, reflect (even), symmetric (even) or wrap."""
    array = as_tensor(array)
    if isinstance(pad_width, dict):
        named: list[Any] = [pad_width.get(i, pad_width.get(i - array.ndim, 0)) for i in range(array.ndim)]
        pad_width = [(w, w) if isinstance(w, int) else w for w in named]
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2)).tolist()
    if mode == "constant":
        frame = np.pad(np.zeros(array.shape, array.dtype), widths, mode="constant", **kwargs)
        inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape, strict=True))
        return index_put(frame, inside, array)
    if mode not in ("edge", "reflect", "symmetric", "wrap") or kwargs.get("reflect_type", "even") != "even":
        raise NotImplementedError(
            "numpy.pad of a Tensor knows the modes constant, edge, reflect, symmetric and wrap, "
            f"got {mode!r} {kwargs}"
        )
    for axis, width in enumerate(widths):
        if any(width):
            array = take(array, np.pad(np.arange(array.shape[axis]), width, mode=mode), axis=axis)
    return array


def _constant_like(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: Tensor(function(*map(value_of, args), **kwargs))


for _function in (np.zeros_like, np.ones_like, np.empty_like):
    FUNCTIONS[_function] = _constant_like(_function)


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, **kwargs: Any
) -> Any:
    """`numpy.full_like`; a Tensor as `fill_value` keeps its derivative."""
    shape = kwargs.get("shape")
    filled = _broadcast_to(fill_value, np.shape(a) if shape is None else shape)
    return filled.astype(a.dtype if dtype is None else dtype)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """`numpy.copy`."""
    return copied(a, order=order)


NAMESPACE_OVERRIDES["asarray"] = lambda obj, /, *, dtype=None, device=None, copy=None: (
    as_tensor(obj) if dtype is None else as_tensor(obj).astype(dtype)
)
NAMESPACE_OVERRIDES["permute_dims"] = _transpose
