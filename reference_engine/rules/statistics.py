"""Averages, covariances and histograms."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from reference_engine.definitions import conj, fixed, values_of
from reference_engine.dispatch import implements
from reference_engine.primitives import value_of
from reference_engine.rules.index import scatter
from reference_engine.rules.reduce import Axis, axes_of, count_of, mean, sum
from reference_engine.tensor import Tensor, as_tensor


@implements(np.average)
def average(
    a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """`numpy.average`, differentiable in the values and the weights."""
    a = as_tensor(a)
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        total = np.full_like(value_of(result), count_of(a, axis))
    else:
        weights = as_tensor(weights)
        if weights.shape != a.shape:
            if axis is None:
                raise TypeError(
                    f"axis must be given where weights, of shape {weights.shape}, differ in shape from a, "
                    f"of shape {a.shape}"
                )
            axes = axes_of(axis, a.ndim)
            if weights.shape != tuple(a.shape[i] for i in axes):
                raise ValueError(
                    f"weights must have the shape {tuple(a.shape[i] for i in axes)} of a, got {weights.shape}"
                )
            weights = np.transpose(weights, np.argsort(axes).tolist())
            weights = weights.reshape(tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))
            weights = np.broadcast_to(weights, a.shape)
        dtype = np.result_type(a.dtype, weights.dtype, *(["f8"] if a.dtype.kind in "biu" else []))
        total = sum(weights, axis, dtype, keepdims=keepdims)
        if np.any(value_of(total) == 0):
            raise ZeroDivisionError("weights of numpy.average sum to zero")
        result = sum(a.astype(dtype) * weights, axis, keepdims=keepdims) / total
    return (result, total) if returned else result


# ---------------------------------------------------------------------------- covariance


def _rows(part: Any, name: str, dtype: Any) -> Any:
    part = as_tensor(part)
    if part.ndim > 2:
        raise ValueError(f"{name} of numpy.cov must have one or two axes, got {part.ndim}")
    return np.atleast_2d(part.astype(dtype))


def _weights(weights: Any, name: str, count: int) -> Any:
    weights = as_tensor(weights).astype(float)
    if weights.shape != (count,):
        raise RuntimeError(f"{name} must have the shape ({count},) of the samples, got {weights.shape}")
    if np.any(value_of(weights) < 0):
        raise ValueError(f"{name} must not be negative, got {value_of(weights).min()}")
    return weights


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """`numpy.cov`, differentiable in the samples and `aweights`."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"ddof must be a whole number, got {ddof!r}")
    if dtype is None:
        dtype = np.result_type(*(np.asarray(value_of(x)) for x in (m, y) if x is not None), np.float64)
    x = _rows(m, "m", dtype)
    if not rowvar and np.ndim(m) != 1:
        x = x.T
    if x.shape[0] == 0:
        return Tensor(np.empty((0, 0)))
    if y is not None:
        second = _rows(y, "y", dtype)
        x = np.concatenate([x, second.T if not rowvar and second.shape[0] != 1 else second], axis=0)
    ddof = int(not bias) if ddof is None else ddof
    count = x.shape[1]
    w: Any = None
    if fweights is not None:
        w = _weights(fixed(fweights, "numpy.cov", "fweights"), "fweights", count)
        if np.any(value_of(w) != np.round(value_of(w))):
            raise TypeError("fweights must be whole numbers")
    if aweights is not None:
        aweights = _weights(aweights, "aweights", count)
        w = aweights if w is None else w * aweights
    if w is None:
        free: Any = count - ddof
    else:
        free = np.sum(w)
        if ddof:
            free = free - (ddof if aweights is None else ddof * np.sum(w * aweights) / free)
    if value_of(free) <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
        free = 0.0
    x = x - np.expand_dims(average(x, 1, w), 1)
    return np.squeeze(x @ conj((x if w is None else x * w).T) * np.true_divide(1, free))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """`numpy.corrcoef`."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(np.real(np.diagonal(c)))
    c = c / scale[:, None] / scale[None, :]
    if c.dtype.kind == "c":
        return np.clip(np.real(c), -1, 1) + np.clip(np.imag(c), -1, 1) * c.dtype.type(1j)
    return np.clip(c, -1, 1)


# ---------------------------------------------------------------------------- histograms


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """`numpy.histogram_bin_edges`: the edges move with the range, or else with the extreme entries."""
    values = np.asarray(value_of(a))
    plain = np.histogram_bin_edges(values, values_of(bins), values_of(range), value_of(weights))
    if np.ndim(bins) == 1:
        return as_tensor(bins)
    if range is None and not values.size:
        return Tensor(plain)
    first, last = (np.min(a), np.max(a)) if range is None else range
    # NumPy widens an empty range by 1/2 on both sides.
    first, last = first + (plain[0] - value_of(first)), last + (plain[-1] - value_of(last))
    return as_tensor(np.linspace(first, last, len(plain))).astype(plain.dtype)


def _bins(values: Any, edges: Any) -> Any:
    """The bin of every value, -1 for what lies outside; the last bin has its right edge."""
    found = np.searchsorted(edges, values, side="right") - 1
    found[values == edges[-1]] -= 1
    found[~((values >= edges[0]) & (values <= edges[-1]))] = -1
    return found


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """`numpy.histogram`: the counts vary with the weights, the edges with the entries that define them."""
    edges = histogram_bin_edges(a, bins, range, weights)
    values = np.asarray(value_of(a))
    if weights is None:
        counts: Any = Tensor(np.histogram(values, value_of(edges))[0])
    else:
        weights = as_tensor(weights)
        if weights.shape != values.shape:
            raise ValueError(f"weights must have the shape {values.shape} of a, got {weights.shape}")
        place = _bins(values.ravel(), value_of(edges))
        inside = np.flatnonzero(place >= 0)
        counts = scatter(weights.reshape(-1)[inside], place[inside], (edges.size - 1,))
    if density:
        counts = counts / np.diff(edges).astype(float) / np.sum(counts)
    return counts, edges


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """`numpy.histogramdd`: the counts vary with the weights, the edges with the entries that define them."""
    if type(sample) in (list, tuple):
        columns = [np.reshape(as_tensor(part), -1) for part in sample]
    else:
        sample = np.atleast_2d(as_tensor(sample).T).T if np.ndim(sample) < 2 else as_tensor(sample)
        columns = list(np.moveaxis(sample, 1, 0))
    if not hasattr(bins, "__len__"):
        bins = [bins] * len(columns)
    if len(bins) != len(columns):
        raise ValueError(f"bins must be one for each of the {len(columns)} dimensions, got {len(bins)}")
    ranges = [None] * len(columns) if range is None else range
    if len(ranges) != len(columns):
        raise ValueError(f"range must be one for each of the {len(columns)} dimensions, got {len(ranges)}")
    edges = [
        histogram_bin_edges(column, part if np.ndim(part) else operator.index(part), limits).astype(float)
        for column, part, limits in zip(columns, bins, ranges, strict=True)
    ]
    shape = tuple(edge.size - 1 for edge in edges)
    places = [_bins(value_of(column), value_of(edge)) for column, edge in zip(columns, edges, strict=True)]
    inside = np.flatnonzero(np.all([place >= 0 for place in places], axis=0))
    given = Tensor(np.ones(len(places[0]))) if weights is None else as_tensor(weights).astype(float)
    if given.shape != places[0].shape:
        raise ValueError(f"weights must have the shape {places[0].shape} of the samples, got {given.shape}")
    counts = scatter(given[inside], tuple(place[inside] for place in places), shape)
    if density:
        total = np.sum(counts)
        for i, edge in enumerate(edges):
            counts = counts / np.reshape(
                np.diff(edge), tuple(-1 if i == k else 1 for k, _ in enumerate(shape))
            )
        counts = counts / total
    return counts, edges


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """`numpy.histogram2d`: see `histogramdd`."""
    if len(x) != len(y):
        raise ValueError(f"x and y must have the same length, got {len(x)} and {len(y)}")
    if hasattr(bins, "__len__") and len(bins) != 2:
        # One line of edges for both, or one number in a list.
        bins = [bins if len(bins) > 1 else bins[0]] * 2
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """`numpy.bincount`, by the weights."""
    places = np.asarray(value_of(x))
    counts = np.bincount(places, minlength=minlength)
    if weights is None:
        return Tensor(counts)
    weights = as_tensor(weights)
    if weights.shape != places.shape:
        raise ValueError(f"weights must have the shape {places.shape} of x, got {weights.shape}")
    return scatter(weights.astype(float), places, counts.shape)
