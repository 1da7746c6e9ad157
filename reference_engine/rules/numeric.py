"""Interpolation, differences, polynomials and statistics, built from the other families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.numpy_front import implements
from reference_engine.rules.reduce import quantile
from reference_engine.rules.table import conj, value_of
from reference_engine.tensor import as_tensor


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """`numpy.interp`, by x, xp and fp. At a knot the slope is that of the piece to its right."""
    if period is not None:
        raise NotImplementedError(
            "numpy.interp of a Tensor does not take period=; wrap x and the knots first"
        )
    x, xp, fp = as_tensor(x), as_tensor(xp), as_tensor(fp)
    places, knots = value_of(x), value_of(xp)
    if knots.size == 1:
        inside = fp[np.zeros(places.shape, int)] + 0.0 * x
    else:
        i = np.clip(np.searchsorted(knots, places, side="right") - 1, 0, knots.size - 2)
        inside = fp[i] + (x - xp[i]) * ((fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]))
    result = np.where(places < knots[0], fp[0] if left is None else left, inside)
    return np.where(places > knots[-1], fp[-1] if right is None else right, result)


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`numpy.linspace`."""
    start, stop = as_tensor(start), as_tensor(stop)
    step = (stop - start) / max(num - 1 if endpoint else num, 1)
    count = np.arange(num).reshape((-1,) + (1,) * step.ndim)
    result = start + count * step
    if endpoint and num > 1:
        last = count == num - 1
        result = np.where(last, stop, result)
    result = np.moveaxis(result, 0, axis)
    result = result if dtype is None else result.astype(dtype)
    return (result, step) if retstep else result


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """`numpy.gradient` with one spacing per axis."""
    f = as_tensor(f)
    if edge_order != 1 or any(np.ndim(h) for h in varargs):
        raise NotImplementedError("numpy.gradient of a Tensor takes edge_order=1 and constant spacings")
    axes = range(f.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [i % f.ndim for i in axes]
    if len(varargs) not in (0, 1, len(axes)):
        raise ValueError(f"varargs must be one spacing or one per axis ({len(axes)}), got {len(varargs)}")
    spacings = list(varargs) * len(axes) if len(varargs) == 1 else list(varargs) or [1.0] * len(axes)
    results = []
    for i, h in zip(axes, spacings, strict=True):

        def part(cut: slice, i: int = i) -> Any:
            return f[(slice(None),) * i + (cut,)]

        first = (part(slice(1, 2)) - part(slice(0, 1))) / h
        last = (part(slice(-1, None)) - part(slice(-2, -1))) / h
        middle = (part(slice(2, None)) - part(slice(None, -2))) / (2.0 * h)
        results.append(np.concatenate([first, middle, last], axis=i))
    return results[0] if len(results) == 1 else tuple(results)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """`numpy.unwrap`: the jumps that it adds are constant."""
    value = value_of(p)
    return p + (np.unwrap(value, discont, axis, period=period) - value)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """`numpy.vander`."""
    n = len(x) if N is None else N
    powers = range(n) if increasing else range(n - 1, -1, -1)
    return np.stack([x**k for k in powers], axis=1)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """`numpy.polyval`, by Horner's scheme."""
    result: Any = 0.0 * as_tensor(x)
    for coefficient in as_tensor(p):
        result = result * x + coefficient
    return result


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: None = None,
    aweights: None = None,
    *,
    dtype: Any = None,
) -> Any:
    """`numpy.cov` without weights."""
    if fweights is not None or aweights is not None:
        raise NotImplementedError("numpy.cov of a Tensor does not take fweights= or aweights=")
    parts = []
    for part in (m, y):
        if part is not None:
            rows = np.atleast_2d(as_tensor(part))
            parts.append(rows if rowvar or np.ndim(part) == 1 else rows.T)
    x = np.concatenate(parts, axis=0)
    count = x.shape[1] - (int(not bias) if ddof is None else ddof)
    x = x - np.mean(x, axis=1, keepdims=True)
    return np.squeeze(x @ conj(x.T) / count)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, **kwargs: Any) -> Any:
    """`numpy.corrcoef`."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(np.real(np.diagonal(c)))
    return c / scale[:, None] / scale[None, :]


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """`numpy.apply_along_axis`."""
    moved = np.moveaxis(as_tensor(arr), axis, -1)
    rows = [func1d(moved[index], *args, **kwargs) for index in np.ndindex(*moved.shape[:-1])]
    stacked = np.stack(rows)
    whole = np.reshape(stacked, moved.shape[:-1] + stacked.shape[1:])
    k = moved.ndim - 1
    return np.moveaxis(
        whole, range(k, whole.ndim), range(axis % moved.ndim, axis % moved.ndim + whole.ndim - k)
    )


def _without_missing(a: Any, q: Any, axis: Any, keepdims: bool) -> Any:
    value = value_of(a)
    if not np.isnan(value).any():
        return quantile(a, q, axis, keepdims=keepdims)
    if axis is None:
        flat = np.reshape(a, -1)
        result = quantile(flat[~np.isnan(value).ravel()], q)
        return np.reshape(result, np.shape(q) + (1,) * value.ndim) if keepdims else result
    result = apply_along_axis(lambda row: quantile(row[~np.isnan(value_of(row))], q), axis, a)
    return np.expand_dims(result, axis) if keepdims else result


@implements(np.nanquantile)
def nanquantile(a: Any, q: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """`numpy.nanquantile` with `method="linear"`, over one axis or all."""
    return _without_missing(a, np.asarray(q), axis, keepdims)


@implements(np.nanpercentile)
def nanpercentile(a: Any, q: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """`numpy.nanpercentile` with `method="linear"`, over one axis or all."""
    return _without_missing(a, np.asarray(q) / 100.0, axis, keepdims)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """`numpy.nanmedian` over one axis or all."""
    return _without_missing(a, 0.5, axis, keepdims)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """`numpy.real_if_close`."""
    return np.real(a) if np.isrealobj(np.real_if_close(value_of(a), tol)) else a
