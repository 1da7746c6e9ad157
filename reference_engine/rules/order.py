"""Sorting, order statistics and sets: each picks entries, and the cotangent goes to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import fixed, values_of
from reference_engine.dispatch import FUNCTIONS, NAMESPACE_OVERRIDES, implements
from reference_engine.primitives import value_of
from reference_engine.rules.index import take, take_along_axis
from reference_engine.rules.reduce import Axis, axes_of, keep
from reference_engine.tensor import Tensor, as_tensor

# ---------------------------------------------------------------------------- sorting


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: None = None, *, stable: bool | None = None
) -> Any:
    """`numpy.sort`: among equal entries the cotangent keeps the order of a stable sort."""
    a = as_tensor(a)
    if axis is None:
        a, axis = a.reshape(-1), -1
    return take_along_axis(a, np.argsort(value_of(a), axis=axis, kind="stable"), axis=axis)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None) -> Any:
    """`numpy.partition`."""
    a = as_tensor(a)
    if axis is None:
        a, axis = a.reshape(-1), -1
    return take_along_axis(a, np.argpartition(value_of(a), value_of(kth), axis=axis), axis=axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """`numpy.sort_complex`."""
    return sort(a).astype(np.sort_complex(value_of(a)[..., :0]).dtype)


NAMESPACE_OVERRIDES["sort"] = lambda x, /, *, axis=-1, descending=False, stable=True: (
    np.flip(np.sort(x, axis=axis), axis=axis) if descending else np.sort(x, axis=axis)
)

# ---------------------------------------------------------------------------- quantiles


def _places(function: Callable[..., Any], values: Any, q: Any, method: str, weights: Any) -> Any:
    """The places of the quantiles of the last axis in the sorted order, counted in entries from 0.

    NumPy computes them: a quantile is a mixture of two neighbours in the order, so the quantile of the ranks
    is the place of the quantile of the values, whatever the method.
    """
    n = values.shape[-1]
    if weights is None and not np.isnan(values).any():
        places = function(np.arange(float(n)), q, method=method)
        return np.reshape(places, np.shape(q) + (1,) * (values.ndim - 1))
    ranks = np.empty(values.shape)
    order = np.argsort(values, axis=-1, kind="stable")
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(float(n)), values.shape), axis=-1)
    ranks[np.isnan(values)] = np.nan
    return function(ranks, q, axis=-1, method=method, **({} if weights is None else {"weights": weights}))


def _order_statistic(
    name: str,
    a: Any,
    q: Any,
    dtype: Any,
    axis: Any,
    keepdims: Any,
    method: str = "linear",
    weights: Any = None,
) -> Any:
    """The quantile `q`, from 0 to 1, in the dtype that NumPy's function `name` gives."""
    function = np.nanquantile if name.startswith("nan") else np.quantile
    name = f"numpy.{name}"
    if a.dtype.kind == "c":
        raise TypeError(f"a of {name} must be an array of real numbers, got dtype {a.dtype}")
    if a.size == 0:
        # An error, or nan or nothing in a shape of NumPy's choice.
        plain = getattr(np, name.removeprefix("numpy."))
        given = {} if name.endswith("median") else {"q": q, "method": method, "weights": value_of(weights)}
        return Tensor(plain(value_of(a), axis=axis, keepdims=keepdims, **given)).astype(dtype)
    axes = axes_of(axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    front = tuple(a.shape[i] for i in kept)
    length = int(np.prod([a.shape[i] for i in axes], dtype=int))

    def aside(x: Any) -> Any:
        """The axes that are reduced, as one axis at the end."""
        return np.reshape(np.transpose(x, kept + list(axes)), (*front, length))

    if weights is not None:
        weights = np.asarray(value_of(weights))
        if weights.shape != a.shape:
            if axis is None or weights.shape != tuple(a.shape[i] for i in axes):
                raise ValueError(
                    f"weights of {name} must have the shape {a.shape} of a or "
                    f"{tuple(a.shape[i] for i in axes)} of its axes {axes}, got {weights.shape}"
                )
            weights = weights.transpose(np.argsort(axes)).reshape(
                tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
            )
            weights = np.broadcast_to(weights, a.shape)
        weights = aside(weights)
    ordered = sort(aside(a))
    values = value_of(aside(a))
    # The NaN of a slice is the quantile of that slice, or is left out, as `function` has it.
    places = np.broadcast_to(_places(function, values, q, method, weights), q.shape + front)
    result = _between(ordered, places)
    if keep(keepdims):
        result = np.reshape(result, q.shape + tuple(1 if i in axes else n for i, n in enumerate(a.shape)))
    return result.astype(dtype)


def _between(ordered: Any, places: Any) -> Any:
    """The entries of a sorted last axis at `places`, and mixtures of two of them in between."""
    missing = np.isnan(places)
    places = np.where(missing, 0.0, places)
    low = np.floor(places).astype(int)
    high = np.ceil(places).astype(int)
    depth = places.ndim - (ordered.ndim - 1)
    flat = (math.prod(places.shape[:depth]), *places.shape[depth:])

    def pick(index: Any) -> Any:
        """Entries of the sorted axis: the leading axes of `index` come from q."""
        picked = take_along_axis(ordered, np.moveaxis(np.reshape(index, flat), 0, -1), axis=-1)
        return np.reshape(np.moveaxis(picked, -1, 0), places.shape)

    lower = pick(low)
    if (high > low).any():
        share = np.asarray(places - low, ordered.dtype if ordered.dtype.kind == "f" else float)
        # Not lower + share * (upper - lower), which is nan between two equal infinities.
        mixed = (1 - share) * lower + share * np.where(high > low, pick(high), 0.0)
        result = np.where(high > low, mixed, lower)
    else:
        result = lower
    return np.where(missing, np.nan, result) if missing.any() else result


def _enter_quantile(function: Callable[..., Any], scale: int) -> None:
    """Enter a function of NumPy's that takes `scale` for the whole; weights only pick entries."""

    @implements(function)
    def call(
        a: Any,
        q: Any,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Any:
        a = as_tensor(a)
        q = fixed(q, f"numpy.{function.__name__}", "q")
        # NumPy takes q in the precision of a where it is a number of Python, and divides in that of a: it
        # decides which entry a q is at that lies between two.
        part = np.asarray(q, a.dtype) if isinstance(q, int | float) and a.dtype.kind == "f" else np.asarray(q)
        if scale != 1:
            part = np.asarray(np.true_divide(q, a.dtype.type(scale) if a.dtype.kind == "f" else scale))
        dtype = function(np.zeros(1, a.dtype), q, method=method).dtype
        return _order_statistic(function.__name__, a, part, dtype, axis, keepdims, method, weights)


for _function, _scale in (
    (np.quantile, 1),
    (np.nanquantile, 1),
    (np.percentile, 100),
    (np.nanpercentile, 100),
):
    _enter_quantile(_function, _scale)


def _enter_median(function: Callable[..., Any]) -> None:
    @implements(function)
    def call(
        a: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: Any = False
    ) -> Any:
        a = as_tensor(a)
        dtype = function(np.zeros(1, a.dtype)).dtype
        return _order_statistic(function.__name__, a, np.asarray(0.5), dtype, axis, keepdims)


for _median in (np.median, np.nanmedian):
    _enter_median(_median)


# ---------------------------------------------------------------------------- sets


def _picked(result: Any, *arrays: Any) -> Any:
    """The values `result` as entries of `arrays`: the first that is equal."""
    flat = np.concatenate([np.reshape(as_tensor(array), -1) for array in arrays])
    values = value_of(flat)
    if not result.size:
        return flat[:0]
    order = np.argsort(values, kind="stable")
    return flat[order[np.searchsorted(values, result, sorter=order)]].reshape(result.shape)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    **kwargs: Any,
) -> Any:
    """`numpy.unique`: the cotangent goes to the first of equal entries."""
    ar, values = as_tensor(ar), value_of(ar)
    unique_values: Callable[..., Any] = np.unique
    _, first, *others = unique_values(values, True, return_inverse, return_counts, axis, **kwargs)
    found = np.reshape(ar, -1)[first] if axis is None else take(ar, first, axis=axis)
    wanted = [*([first] if return_index else []), *others]
    return (found, *(Tensor(part) for part in wanted)) if wanted else found


def _enter_unique(function: Callable[..., Any]) -> None:
    def call(x: Any, /) -> Any:
        x = as_tensor(x)
        result = function(value_of(x))
        if not isinstance(result, tuple):
            return _picked(result, x)
        return type(result)(_picked(result[0], x), *(Tensor(part) for part in result[1:]))

    FUNCTIONS[function] = call


for _unique in (np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all):
    _enter_unique(_unique)


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """`numpy.union1d`: the cotangent of a value in both goes to `ar1`."""
    return _picked(np.union1d(values_of(ar1), values_of(ar2)), ar1, ar2)


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """`numpy.setxor1d`."""
    return _picked(np.setxor1d(values_of(ar1), values_of(ar2), assume_unique), ar1, ar2)


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """`numpy.setdiff1d`."""
    return _picked(np.setdiff1d(values_of(ar1), values_of(ar2), assume_unique), ar1)


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """`numpy.intersect1d`: the cotangent goes to `ar1`."""
    plain: Callable[..., Any] = np.intersect1d
    result = plain(values_of(ar1), values_of(ar2), assume_unique, return_indices)
    if not return_indices:
        return _picked(result, ar1, ar2)
    found, *indices = result
    return (_picked(found, ar1, ar2), *(Tensor(index) for index in indices))


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """`numpy.trim_zeros`: what it cuts off is constant."""
    filt = as_tensor(filt)
    if set(trim.lower()) - {"f", "b"} or not trim or len(trim) > 2:
        raise ValueError(f"trim must be 'f', 'b' or 'fb', got {trim!r}")
    places = np.argwhere(value_of(filt) != 0)
    cuts = [slice(None)] * filt.ndim
    for i in axes_of(axis, filt.ndim):
        start, stop = (places[:, i].min(), places[:, i].max() + 1) if len(places) else (0, 0)
        front, back = (side in trim.lower() or not len(places) for side in "fb")
        cuts[i] = slice(int(start) if front else None, int(stop) if back else None)
    return filt[tuple(cuts)]
