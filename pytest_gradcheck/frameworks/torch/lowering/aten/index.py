"""Indexing, gathering and scattering.

Writing is expressed by reading: the entries of the target and of the source are laid side by side and one
gather takes each from where it belongs. Its derivative, a scatter-add, is then the only one to get right.
What several sources add up to is `accumulate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

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
        return x + np.reshape(
            accumulate(np.reshape(values, (-1,)), places=places.reshape(-1), size=int(x.size)), x.shape
        )
    source = np.arange(x.size, dtype=np.int64)
    source[places.reshape(-1)] = x.size + np.arange(places.size, dtype=np.int64)
    both = np.concatenate([np.reshape(x, (-1,)), np.reshape(values, (-1,))])
    return np.reshape(both[source], x.shape)


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False, unsafe: bool = False) -> Any:
    """``x[indices] = values``, or ``+=``, duplicates included."""
    return put_at(x, _numbers(x.shape)[_indices(indices)], values, accumulate)


def _line_places(x: Any, dim: int, index: Array) -> Array:
    """The flat places that ``gather`` and ``scatter`` mean."""
    if x.ndim == 0 or index.ndim == 0:
        return index
    dim %= x.ndim
    if not index.size:
        return np.zeros(index.shape, np.int64)
    grid = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    grid[dim] = index
    return np.asarray(_numbers(x.shape)[tuple(grid)])


def gather(x: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """``out[i, j] = x[index[i, j], j]`` and so on."""
    return np.reshape(x, (-1,))[_line_places(x, dim, data(index))]


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
    index, size, own = data(index), int(x.size), np.reshape(x, (-1,))
    places = _line_places(x, dim, index).reshape(-1)
    values = np.reshape(_matching(source, index), (-1,))
    hits = np.bincount(places, minlength=size)
    hit = hits > 0
    if reduce in ("sum", "mean"):
        start = own if include_self else np.where(hit, own.dtype.type(0), own)
        summed = start + accumulate(values, places=places, size=size)
        if reduce == "mean":
            n = np.maximum(hits + include_self, 1)
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
        return np.reshape(cast(result / n, x.dtype), x.shape)
    # Products one source of every target at a time.
    result, left = own, np.arange(len(places))
    while len(left):
        target, at = np.unique(places[left], return_index=True)
        chosen = left[at]
        first = len(left) == len(places) and not include_self
        result = put_at(result, target, values[chosen] if first else result[target] * values[chosen])
        left = np.delete(left, at)
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


def _chosen(x: Any, mask: Any) -> tuple[Any, Array]:
    """``x`` and a mask broadcast: the array, and the flat places where the mask is set."""
    shape = np.broadcast_shapes(x.shape, data(mask).shape)
    return np.broadcast_to(x, shape), np.flatnonzero(np.broadcast_to(data(mask), shape))


def masked_select(x: Any, mask: Any) -> Any:
    """The entries where the mask is set, as a vector."""
    x, places = _chosen(x, mask)
    return np.reshape(x, (-1,))[places]


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """The entries where the mask is set replaced by those of the source, in order."""
    x, places = _chosen(x, mask)
    return put_at(x, places, np.reshape(source, (-1,))[: len(places)])


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """``value`` where the mask is set."""
    value = cast(value, x.dtype) if hasattr(value, "dtype") else x.dtype.type(value)
    return np.where(data(mask), value, x)


def where(condition: Any, *choices: Any) -> Any:
    """One of two by a condition; with none to choose from, the indices where it holds."""
    return np.where(data(condition), *choices) if choices else np.nonzero(np.atleast_1d(data(condition)))


def _replaced(places: Any) -> Any:
    """``op(x, source, ...)``: the entries at ``places(numbers of x, ...)`` replaced by the source."""
    return lambda x, source, *args, **kwargs: put_at(
        x, np.asarray(places(_numbers(x.shape), *args, **kwargs)), source
    )


RULES: Rules = {
    "index": take,
    "_unsafe_index": take,
    "gather": gather,
    "index_select": lambda x, dim, index: np.take(x, data(index).reshape(-1), axis=dim) if x.ndim else x,
    "masked_select": masked_select,
    "take": lambda x, index: np.reshape(x, (-1,))[data(index)],
    "embedding": lambda weight, index, *backward: np.take(weight, data(index), axis=0),
    "where": where,
    "nonzero": lambda x: np.argwhere(data(x)),
    "index_put": index_put,
    "_unsafe_index_put": index_put,
    "_index_put_impl": index_put,
    "scatter": scatter,
    "scatter_add": lambda x, dim, index, source: scatter(x, dim, index, source, reduce="add"),
    "scatter_reduce": scatter_reduce,
    "masked_fill": masked_fill,
    "masked_scatter": masked_scatter,
    "index_reduce": index_reduce,
    "put": lambda x, index, source, accumulate=False: put_at(
        x, data(index) % x.size, np.reshape(source, data(index).shape), accumulate
    ),
    # The source is written where the strides say, over the memory of a contiguous array.
    "as_strided_scatter": _replaced(
        lambda n, size, stride, offset=None: as_strided(
            n.reshape(-1)[offset:], size, [step * n.itemsize for step in stride]
        )
    ),
    "select_scatter": _replaced(before),
    "slice_scatter": _replaced(cut),
    "diagonal_scatter": _replaced(np.diagonal),
}
