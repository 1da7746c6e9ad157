"""Gather, scatter and slices at places that are computed.

Where entries go is found by JAX itself: the same gather of the numbers 0, 1, 2, … gives, for every mode,
which entry stands where. That is a forward computation on whole numbers, no derivative.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from pytest_gradcheck.frameworks.jax import precision
from pytest_gradcheck.frameworks.jax.lowering.tools import Rules, data, flat
from reference_engine import index_add, index_put

Array = np.ndarray[Any, Any]

#: For a place that is out of bounds.
NOWHERE = -1


def _places(shape: Any, indices: Any, dimensions: Any, sizes: Any, mode: Any) -> Array:
    """Return the flat place in an operand of each entry that a gather takes, `NOWHERE` for none."""
    numbers = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(shape)
    mode = lax.GatherScatterMode.from_any(mode)
    if mode == lax.GatherScatterMode.ONE_HOT:
        mode = lax.GatherScatterMode.FILL_OR_DROP
    with precision.double():
        found = lax.gather(
            jnp.asarray(numbers),
            jnp.asarray(np.asarray(data(indices))),
            dimensions,
            sizes,
            mode=mode,
            fill_value=NOWHERE,
        )
    return np.asarray(found)


def _gather(p: Any, x: Any, indices: Any) -> Any:
    places = _places(x.shape, indices, p.dimension_numbers, p.slice_sizes, p.mode)
    missing = places == NOWHERE
    found = flat(x)[np.where(missing, 0, places)]
    if not missing.any():
        return found
    fill = p.fill_value
    if fill is None:
        kind = np.dtype(x.dtype).kind
        fill = np.nan if kind in "fc" else np.iinfo(x.dtype).min if kind == "i" else -1
        fill = np.iinfo(x.dtype).max if kind == "u" else True if kind == "b" else fill
    return np.where(missing, np.asarray(fill, x.dtype), found)


def _targets(p: Any, x: Any, indices: Any, updates: Any) -> Array:
    """Return the flat place in the operand to which each entry of the updates goes."""
    d = p.dimension_numbers
    alone = {*d.inserted_window_dims, *d.operand_batching_dims}
    window = iter(d.update_window_dims)
    sizes = tuple(1 if axis in alone else updates.shape[next(window)] for axis in range(x.ndim))
    dimensions = lax.GatherDimensionNumbers(
        offset_dims=d.update_window_dims,
        collapsed_slice_dims=d.inserted_window_dims,
        start_index_map=d.scatter_dims_to_operand_dims,
        operand_batching_dims=d.operand_batching_dims,
        start_indices_batching_dims=d.scatter_indices_batching_dims,
    )
    mode = lax.GatherScatterMode.from_any(p.mode)
    if mode == lax.GatherScatterMode.CLIP:
        return _places(x.shape, indices, dimensions, sizes, mode)
    # A scatter drops what is out of bounds, in every other mode.
    return _places(x.shape, indices, dimensions, sizes, lax.GatherScatterMode.FILL_OR_DROP)


def _scattered(combine: Any) -> Any:
    def rule(p: Any, x: Any, indices: Any, updates: Any) -> Any:
        places = _targets(p, x, indices, updates).reshape(-1)
        kept = np.flatnonzero(places != NOWHERE)
        values, targets = flat(updates)[kept], places[kept]
        return np.reshape(combine(flat(x), targets, values) if len(kept) else x, x.shape)

    return rule


def _put(x: Any, places: Array, values: Any) -> Any:
    return index_put(x, places, values)


def _add(x: Any, places: Array, values: Any) -> Any:
    return index_add(x, places, values)


def _multiply(x: Any, places: Array, values: Any) -> Any:
    """Multiply by one value of every place at a time."""
    left = np.arange(len(places))
    while len(left):
        target, at = np.unique(places[left], return_index=True)
        x = index_put(x, target, x[target] * values[left[at]])
        left = np.delete(left, at)
    return x


def _extreme(pick: Any) -> Any:
    def combine(x: Any, places: Array, values: Any) -> Any:
        """Keep the best of each place; entries that tie share the gradient, which pairs would not do."""
        best = np.array(data(x))
        pick.at(best, places, data(values))
        own = data(x) == best
        wins = np.flatnonzero(data(values) == best[places])
        count = np.maximum(own + np.bincount(places[wins], minlength=len(best)), 1)
        start = np.where(own, x, np.zeros((), best.dtype))
        if np.isnan(best).any():
            start = np.where(np.isnan(best), best, start)
        return index_add(start, places[wins], values[wins]) / count if len(wins) else start / count

    return combine


def _starts(shape: Any, sizes: Any, starts: Any) -> list[int]:
    """Return where a slice begins, moved into the array; from the end where it is negative."""
    found = [int(data(start)) for start in starts]
    return [int(np.clip(at, 0, n - size)) for at, n, size in zip(found, shape, sizes, strict=True)]


def _cut(starts: list[int], sizes: Any) -> tuple[Any, ...]:
    return tuple(slice(at, at + size) for at, size in zip(starts, sizes, strict=True))


def _dynamic_slice(p: Any, x: Any, *starts: Any) -> Any:
    return x[_cut(_starts(x.shape, p.slice_sizes, starts[: x.ndim]), p.slice_sizes)] if x.ndim else x


def _dynamic_update(p: Any, x: Any, update: Any, *starts: Any) -> Any:
    if not x.ndim:
        return update
    return index_put(x, _cut(_starts(x.shape, update.shape, starts), update.shape), update)


def _reorder(p: Any, order: Array, operand: Any) -> Any:
    return np.take_along_axis(operand, order, axis=p.dimension)


def _sort(p: Any, *operands: Any) -> Any:
    # The last key of lexsort counts most; NaN come last in both.
    keys = [np.asarray(data(key)) for key in operands[: p.num_keys]]
    order = np.lexsort(keys[::-1], axis=p.dimension)
    return [_reorder(p, order, operand) for operand in operands]


def _top(p: Any, x: Any) -> Any:
    axis = getattr(p, "axis", -1) % x.ndim
    values = np.asarray(data(x))
    # Equal entries keep their order, and NaN counts as the largest.
    last = values.shape[axis] - 1
    order = np.flip(last - np.argsort(np.flip(values, axis), axis=axis, kind="stable"), axis)
    order = np.take(order, np.arange(p.k), axis=axis)
    return np.take_along_axis(x, order, axis=axis), order


def _approximate_top(p: Any, x: Any) -> Any:
    p.axis = p.reduction_dimension
    values, order = _top(p, x if p.is_max_k else -x)
    return values if p.is_max_k else -values, order


RULES: Rules = {
    "gather": _gather,
    "scatter": _scattered(_put),
    "scatter-add": _scattered(_add),
    "scatter-sub": _scattered(lambda x, places, values: _add(x, places, -values)),
    "scatter-mul": _scattered(_multiply),
    "scatter-min": _scattered(_extreme(np.minimum)),
    "scatter-max": _scattered(_extreme(np.maximum)),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    "sort": _sort,
    "top_k": _top,
    "approx_top_k": _approximate_top,
}
