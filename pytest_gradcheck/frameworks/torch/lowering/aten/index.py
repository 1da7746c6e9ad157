"""Indexing, gathering and scattering.

Writing is expressed by reading: the entries of the target and of the source are laid side by side and one
gather takes each from where it belongs. Its derivative, a scatter-add, is then the only one to get right.
What several sources add up to is `accumulate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.torch.lowering.aten.shape import cut
from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules, before, cast, data
from pytest_gradcheck.frameworks.torch.lowering.tape import Array
from reference_engine.primitives import Primitive


def _add_at(values: Array, *, places: Array, size: int) -> Array:
    if values.dtype.kind == "c":
        parts = _add_at(values.real, places=places, size=size), _add_at(values.imag, places=places, size=size)
        return (parts[0] + 1j * parts[1]).astype(values.dtype)
    if values.dtype.kind == "f":
        # bincount is five times as fast as add.at, and adds in double precision
        return np.bincount(places, weights=values, minlength=size).astype(values.dtype)
    out = np.zeros(size, values.dtype)
    np.add.at(out, places, values)
    return out


accumulate = Primitive("accumulate", _add_at, (lambda g, _, values, *, places, size: g[places],))
"""``accumulate(values, places=, size=)``: a vector of zeros to which each value is added at its place."""


def add_at(values: Any, places: Array, size: int) -> Any:
    """`accumulate` for values of any shape."""
    return accumulate(np.reshape(values, (-1,)), places=places.reshape(-1), size=size)


def _indices(indices: Any) -> tuple[Any, ...]:
    return tuple(slice(None) if i is None else data(i) for i in indices)


def take(x: Any, indices: Any) -> Any:
    """``x[indices]`` with None for whole dimensions."""
    indices = _indices(indices)
    return x if x.ndim == 0 and not indices else x[indices]


def _numbers(shape: tuple[int, ...]) -> Array:
    return np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(shape)


def put_at(x: Any, places: Array, values: Any, add: bool = False) -> Any:
    """``x`` with values written (or added) at flat places; of several for one place the last stays."""
    values = np.broadcast_to(cast(values, x.dtype), places.shape)
    if add:
        return x + np.reshape(add_at(values, places, int(x.size)), x.shape)
    source = np.arange(x.size, dtype=np.int64)
    source[places.reshape(-1)] = x.size + np.arange(places.size, dtype=np.int64)
    both = np.concatenate([np.reshape(x, (-1,)), np.reshape(values, (-1,))])
    return np.reshape(both[source], x.shape)


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False, unsafe: bool = False) -> Any:
    """``x[indices] = values``, or ``+=``, duplicates included."""
    return put_at(x, _numbers(x.shape)[_indices(indices)], values, accumulate)


def _line_places(x: Any, dim: int, index: Array) -> Array:
    """The flat places that ``gather`` and ``scatter`` mean."""
    if x.ndim == 0:
        return index.reshape(())
    dim %= x.ndim
    if not index.size:
        return np.zeros(index.shape, np.int64)
    grid = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    grid[dim] = index
    return np.asarray(_numbers(x.shape)[tuple(grid)])


def gather(x: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """``out[i, j] = x[index[i, j], j]`` and so on."""
    at = data(index)
    if x.ndim == 0 or at.ndim == 0:
        return np.reshape(np.reshape(x, (-1,))[at.reshape(-1)], at.shape)
    return np.reshape(x, (-1,))[_line_places(x, dim, at)]


def _matching(source: Any, index: Array) -> Any:
    """The part of the source that the index speaks of."""
    if np.ndim(data(source)) == 0 or data(source).shape == index.shape:
        return source
    return source[tuple(slice(0, n) for n in index.shape)]


def scatter(x: Any, dim: int, index: Any, source: Any, *, reduce: str | None = None) -> Any:
    """``out[index[i, j], j] = source[i, j]`` and so on."""
    at = data(index)
    source = source if hasattr(source, "dtype") else np.asarray(source)
    places = _line_places(x, dim, at)
    if reduce == "multiply":
        return scatter_reduce(x, dim, at, np.broadcast_to(_matching(source, at), at.shape), "prod")
    return put_at(x, places, _matching(source, at), reduce == "add")


def scatter_reduce(
    x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """Sources with the same target reduced with each other, and with the target's own value if wanted."""
    at = data(index)
    places = _line_places(x, dim, at).reshape(-1)
    values = np.reshape(_matching(source, at), (-1,))
    size = int(x.size)
    own = np.reshape(x, (-1,))
    hit = np.bincount(places, minlength=size) > 0
    if reduce in ("sum", "mean"):
        start = own if include_self else np.where(hit, own.dtype.type(0), own)
        summed = start + accumulate(values, places=places, size=size)
        if reduce == "mean":
            n = np.bincount(places, minlength=size) + (1 if include_self else 0)
            n = np.where(hit, np.maximum(n, 1), 1)
            summed = summed / n if x.dtype.kind in "fc" else np.floor_divide(summed, n)
        return np.reshape(summed, x.shape)
    if reduce in ("amax", "amin"):
        # Ties share the gradient evenly, which pairwise maxima would not do: the winners are found first.
        pick = np.maximum if reduce == "amax" else np.minimum
        best = data(own).copy()
        if not include_self:
            best[hit] = -np.inf if reduce == "amax" else np.inf
        pick.at(best, places, data(values))
        wins = np.flatnonzero(data(values) == best[places])
        own_wins = (data(own) == best) & (include_self | ~hit)
        n = np.maximum(own_wins + np.bincount(places[wins], minlength=size), 1).astype(np.float64)
        result = np.where(own_wins, own, 0.0) + accumulate(values[wins], places=places[wins], size=size)
        result = result / n
        return np.reshape(cast(result, x.dtype), x.shape)
    # Products one rank at a time: the k-th source of every target together.
    order = np.argsort(places, kind="stable")
    rank = np.empty(len(places), np.int64)
    starts = np.r_[0, np.flatnonzero(np.diff(places[order])) + 1] if len(places) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(places)])
    rank[order] = np.arange(len(places)) - np.repeat(starts, lengths)
    result = own
    for k in range(int(rank.max()) + 1 if len(rank) else 0):
        chosen = np.flatnonzero(rank == k)
        target = places[chosen]
        new = values[chosen] if k == 0 and not include_self else result[target] * values[chosen]
        result = put_at(result, target, new)
    return np.reshape(result, x.shape)


def index_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """Slices of the source reduced into slices of ``x``."""
    at = data(index).reshape(-1)
    if x.ndim == 0:
        return scatter_reduce(x, 0, at.reshape(()), np.reshape(source, ()), reduce, include_self=include_self)
    shape = [1] * x.ndim
    shape[dim] = len(at)
    at = np.broadcast_to(at.reshape(shape), source.shape)
    return scatter_reduce(x, dim, at, source, reduce, include_self=include_self)


def as_strided_scatter(x: Any, source: Any, size: Any, stride: Any, offset: Any = None) -> Any:
    """The source written where the strides say, over the memory of a contiguous ``x``."""
    places = np.full(tuple(size), offset or 0)
    for axis, step in enumerate(stride):
        places = places + np.expand_dims(np.arange(size[axis]) * step, tuple(range(1, len(size) - axis)))
    return put_at(x, places, source)


def index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """Slices of the source added to slices of ``x``."""
    if x.ndim == 0:
        return x + np.reshape(source, ()) * alpha
    return put_at(
        x, np.take(_numbers(x.shape), data(index).reshape(-1), axis=dim), _boxed(source, x) * alpha, True
    )


def _boxed(source: Any, x: Any) -> Any:
    return np.reshape(source, (1,) * x.ndim) if source.ndim == 0 and x.ndim else source


def index_copy(x: Any, dim: int, index: Any, source: Any) -> Any:
    """Slices of ``x`` replaced by slices of the source."""
    if x.ndim == 0:
        return np.reshape(source, ())
    return put_at(x, np.take(_numbers(x.shape), data(index).reshape(-1), axis=dim), _boxed(source, x))


def index_fill(x: Any, dim: int, index: Any, value: Any) -> Any:
    """Slices of ``x`` replaced by one number."""
    value = value if hasattr(value, "dtype") else np.asarray(value)
    if x.ndim == 0:
        return x * 0 + cast(value, x.dtype)
    return put_at(x, np.take(_numbers(x.shape), data(index).reshape(-1), axis=dim), value)


def index_select(x: Any, dim: int, index: Any) -> Any:
    """Slices of ``x``."""
    return np.take(x, data(index).reshape(-1), axis=dim) if x.ndim else x


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """``value`` where the mask is set."""
    value = cast(value, x.dtype) if hasattr(value, "dtype") else x.dtype.type(value)
    return np.where(data(mask), value, x)


def masked_select(x: Any, mask: Any) -> Any:
    """The entries where the mask is set, as a vector."""
    shape = np.broadcast_shapes(x.shape, data(mask).shape)
    where = np.flatnonzero(np.broadcast_to(data(mask), shape))
    return np.reshape(np.broadcast_to(x, shape), (-1,))[where]


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """The entries where the mask is set replaced by those of the source, in order."""
    shape = np.broadcast_shapes(x.shape, data(mask).shape)
    x = np.broadcast_to(x, shape)
    places = np.flatnonzero(np.broadcast_to(data(mask), shape))
    return put_at(x, places, np.reshape(source, (-1,))[: len(places)])


def where(condition: Any, *choices: Any) -> Any:
    """One of two by a condition; with none to choose from, the indices where it holds."""
    return np.where(data(condition), *choices) if choices else nonzero_numpy(condition)


def nonzero(x: Any) -> Any:
    """Indices of the entries that are not zero, one row each."""
    return (
        np.stack(np.nonzero(data(x)), axis=-1)
        if np.ndim(data(x))
        else np.zeros((int(data(x) != 0), 0), np.int64)
    )


def nonzero_numpy(x: Any) -> Any:
    """The same, one array per dimension."""
    return tuple(np.nonzero(np.atleast_1d(data(x))))


def embedding(weight: Any, index: Any, padding: int = -1, scale: bool = False, sparse: bool = False) -> Any:
    """Rows of a table."""
    return np.take(weight, data(index), axis=0)


def _replaced(places: Any) -> Any:
    """``op(x, source, ...)``: the entries at ``places(numbers of x, ...)`` replaced by the source."""
    return lambda x, source, *args, **kwargs: put_at(
        x, np.asarray(places(_numbers(x.shape), *args, **kwargs)), source
    )


# ---------------------------------------------------------------------- read

READ: Rules = {
    "index": take,
    "_unsafe_index": take,
    "gather": gather,
    "index_select": index_select,
    "masked_select": masked_select,
    "take": lambda x, index: np.reshape(x, (-1,))[data(index)],
    "embedding": embedding,
    "where": where,
    "nonzero": nonzero,
    "nonzero_numpy": nonzero_numpy,
}

# ---------------------------------------------------------------------- write

WRITE: Rules = {
    "index_put": index_put,
    "_unsafe_index_put": index_put,
    "_index_put_impl": index_put,
    "scatter": scatter,
    "scatter_add": lambda x, dim, index, source: scatter(x, dim, index, source, reduce="add"),
    "scatter_reduce": scatter_reduce,
    "index_add": index_add,
    "index_copy": index_copy,
    "index_fill": index_fill,
    "masked_fill": masked_fill,
    "masked_scatter": masked_scatter,
    "index_reduce": index_reduce,
    "put": lambda x, index, source, accumulate=False: put_at(
        x, data(index) % x.size, np.reshape(source, data(index).shape), accumulate
    ),
    "as_strided_scatter": as_strided_scatter,
    "select_scatter": _replaced(lambda n, dim, index: before(n, dim, index)),
    "slice_scatter": _replaced(cut),
    "diagonal_scatter": _replaced(lambda n, offset=0, dim1=0, dim2=1: np.diagonal(n, offset, dim1, dim2)),
}

RULES: Rules = {**READ, **WRITE}
