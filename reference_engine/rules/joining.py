"""Joining, splitting, inserting and padding."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference_engine.definitions import define, fixed, values_of
from reference_engine.dispatch import implements, present
from reference_engine.errors import MissingRuleError
from reference_engine.operators import copied
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.index import index_put, take
from reference_engine.rules.shape import _broadcast_arrays, atleast_1d, atleast_2d, atleast_3d
from reference_engine.tensor import Tensor, as_tensor

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


@implements(*present("unstack"))
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
        # NumPy inserts as many as there are values before one position; a number as position counts them
        # along the first axis of the values.
        values = as_tensor(np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape))
        values = np.moveaxis(values, 0, axis) if where.ndim == 0 else values
        count = values.shape[axis]
    # Positions of the old entries and, as -1, of the new ones.
    places = np.insert(old, where, np.full(count, -1))
    new = np.flatnonzero(places < 0)
    grown = take(arr, np.where(places < 0, 0, places), axis=axis)
    return index_put(grown, (slice(None),) * axis + (new,), values)


# ---------------------------------------------------------------------------- padding

_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": np.max,
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
}


def _widths(pad_width: Any, ndim: int) -> Any:
    pad_width = values_of(pad_width)
    if isinstance(pad_width, dict):
        named: list[Any] = [pad_width.get(i, pad_width.get(i - ndim, 0)) for i in range(ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in named]
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError(f"pad_width must be whole numbers, got dtype {widths.dtype}")
    if (widths < 0).any():
        raise ValueError(f"pad_width must not be negative, got {widths.min()}")
    return np.broadcast_to(widths, (ndim, 2)).tolist()


def _per_side(value: Any, ndim: int, name: str) -> Any:
    """A keyword that NumPy takes once, per axis, or per side: one for each side of each axis."""
    if value is None:
        return [[None, None]] * ndim
    value = value if type(value) is Tensor else np.asarray(value)
    if value.dtype.kind == "O":
        raise MissingRuleError(
            f"numpy.pad of a Tensor has no derivative with respect to {name}; pass numbers there"
        )
    return np.broadcast_to(value, (ndim, 2))


def _statistic(x: Any, mode: str, axis: int, width: Any, lengths: Any) -> Any:
    """Both sides of an axis filled with a statistic of the entries that are nearest."""
    before = (slice(None),) * axis
    n = x.shape[axis]
    sides = []
    for count, length, last in zip(width, lengths, (False, True), strict=True):
        if length is not None and length < 1:
            raise ValueError(f"stat_length of numpy.pad must be 1 or more, got {length}")
        size = n if length is None else min(int(length), n)
        part = x[(*before, slice(n - size, n) if last else slice(0, size))]
        value = _STATISTICS[mode](part, axis=axis, keepdims=True).astype(x.dtype)
        sides.append(np.broadcast_to(value, (*x.shape[:axis], count, *x.shape[axis + 1 :])))
    return np.concatenate([sides[0], x, sides[1]], axis=axis)


def _ramp(x: Any, axis: int, width: Any, ends: Any) -> Any:
    """Both sides of an axis filled by lines from the edge to the end values."""
    before = (slice(None),) * axis
    first = np.linspace(ends[0], x[(*before, 0)], width[0], endpoint=False, axis=axis)
    last = np.linspace(ends[1], x[(*before, -1)], width[1], endpoint=False, axis=axis)
    parts = [first.astype(x.dtype), x, np.flip(last, axis).astype(x.dtype)]
    return np.concatenate(parts, axis=axis)


def _odd(x: Any, axis: int, width: Any, mode: str) -> Any:
    """The reflection at the edge's value is linear: padding the unit vectors with NumPy gives its matrix."""
    matrix = np.pad(np.eye(x.shape[axis], dtype=x.dtype), [width, (0, 0)], mode=mode, reflect_type="odd")  # type: ignore[call-overload]  # mode is one of two names
    return np.moveaxis(np.tensordot(matrix, x, axes=([1], [axis])), 0, axis)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`numpy.pad` with every mode but "empty" and functions, which write into arrays."""
    array = as_tensor(array)
    widths = _widths(pad_width, array.ndim)
    allowed = {
        "constant": {"constant_values"},
        "linear_ramp": {"end_values"},
        **{name: {"stat_length"} for name in _STATISTICS},
        "reflect": {"reflect_type"},
        "symmetric": {"reflect_type"},
        "edge": set(),
        "wrap": set(),
    }
    if callable(mode) or mode == "empty":
        raise MissingRuleError(
            f"numpy.pad of a Tensor does not take mode={mode!r}, whose entries have no derivative; "
            f"it takes {', '.join(sorted(allowed))}"
        )
    if mode not in allowed:
        raise ValueError(f"mode of numpy.pad must be one of {', '.join(sorted(allowed))}, got {mode!r}")
    if unknown := set(kwargs) - allowed[mode]:
        raise ValueError(f"numpy.pad with mode={mode!r} does not take {', '.join(sorted(unknown))}")
    if mode == "constant":
        filling = {key: fixed(value, "numpy.pad", key) for key, value in kwargs.items()}
        frame = np.pad(np.zeros(array.shape, array.dtype), widths, mode="constant", **filling)
        inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape, strict=True))
        return index_put(frame, inside, array)
    lengths = _per_side(kwargs.get("stat_length"), array.ndim, "stat_length")
    ends = _per_side(kwargs.get("end_values", 0), array.ndim, "end_values")
    for axis, width in enumerate(widths):
        if not any(width):
            continue
        if array.shape[axis] == 0:
            raise ValueError(f"numpy.pad cannot extend the empty axis {axis} with mode={mode!r}")
        if mode in _STATISTICS:
            array = _statistic(array, mode, axis, width, lengths[axis])
        elif mode == "linear_ramp":
            array = _ramp(array, axis, width, ends[axis])
        elif kwargs.get("reflect_type", "even") == "odd":
            array = _odd(array, axis, width, mode)
        else:
            array = take(array, np.pad(np.arange(array.shape[axis]), width, mode=mode), axis=axis)
    return array
