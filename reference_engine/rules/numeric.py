"""Interpolation, grids, finite differences, and functions applied along axes or by pieces."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import fixed, values_of
from reference_engine.dispatch import implements
from reference_engine.primitives import value_of
from reference_engine.rules.cumulative import diff
from reference_engine.rules.index import index_put
from reference_engine.rules.reduce import axes_of, axis_of
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- interpolation


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """`numpy.interp`, differentiable in all arguments; a knot has the slope to its right."""
    x, xp, fp = (as_tensor(part) for part in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ValueError(
            f"xp and fp must be of the same length, 1-d and not empty, got shapes {xp.shape} and {fp.shape}"
        )
    # numpy.interp computes in double precision, whatever it gets.
    x, xp, fp = x.astype(float), xp.astype(float), fp.astype(complex if fp.dtype.kind == "c" else float)
    if period is not None:
        if value_of(period) == 0:
            raise ValueError("period must not be 0")
        period = np.abs(period)
        x, xp, left, right = x % period, xp % period, None, None
        order = np.argsort(value_of(xp))
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    places, knots = value_of(x), value_of(xp)
    if knots.size == 1:
        inside = fp[np.zeros(places.shape, int)] + 0.0 * x
    else:
        i = np.clip(np.searchsorted(knots, places, side="right") - 1, 0, knots.size - 2)
        inside = fp[i] + (x - xp[i]) * ((fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]))
    result = np.where(places < knots[0], fp[0] if left is None else left, inside)
    return np.where(places > knots[-1], fp[-1] if right is None else right, result)


# ---------------------------------------------------------------------------- grids


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
    """`numpy.linspace`, by both ends."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"num must be 0 or more, got {num}")
    plain = np.linspace(value_of(start), value_of(stop), 0, dtype=dtype, axis=axis)
    inner = np.linspace(value_of(start), value_of(stop), 0).dtype
    start, stop = as_tensor(start).astype(inner), as_tensor(stop).astype(inner)
    divisions = num - 1 if endpoint else num
    step = (stop - start) / divisions if divisions > 0 else (stop - start) * np.nan
    count = np.arange(num, dtype=np.empty(0, inner).real.dtype).reshape((-1,) + (1,) * step.ndim)
    result = start + count * step if divisions > 0 else start + count * (stop - start)
    if endpoint and num > 1:
        result = np.where(count == num - 1, stop, result)
    result = np.moveaxis(result, 0, axis)
    if plain.dtype.kind in "iu":
        result = np.floor(result)
    result = result.astype(plain.dtype)
    return (result, step) if retstep else result


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`numpy.logspace`, differentiable in both ends and the base."""
    if np.ndim(base):
        start, stop, base = (as_tensor(part) for part in (start, stop, base))
        ndim = np.broadcast(*(value_of(part) for part in (start, stop, base))).ndim
        start, stop, base = (
            np.reshape(part, (1,) * (ndim - part.ndim) + part.shape) for part in (start, stop, base)
        )
        base = np.expand_dims(base, axis)
    result = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return result if dtype is None else result.astype(dtype)


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """`numpy.geomspace`, by both ends."""
    start, stop = as_tensor(start), as_tensor(stop)
    if np.any(value_of(start) == 0) or np.any(value_of(stop) == 0):
        raise ValueError("start and stop of numpy.geomspace must not be 0")
    inner = np.result_type(
        np.result_type(start.dtype, stop.dtype, float(num)), np.zeros((), float if dtype is None else dtype)
    )
    start, stop = start.astype(inner), stop.astype(inner)
    # start (stop / start)^t with the principal power, as NumPy turns start to the positive numbers.
    share = np.linspace(0.0, 1.0, num, endpoint).reshape((-1,) + (1,) * max(start.ndim, stop.ndim))
    share = share.astype(np.empty(0, inner).real.dtype)
    result = start * (stop / start) ** share
    result = np.where(share == 0, start, result)
    if endpoint and num > 1:
        result = np.where(share == 1, stop, result)
    return np.moveaxis(result, 0, axis).astype(inner if dtype is None else dtype)


# ---------------------------------------------------------------------------- differences


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """`numpy.gradient`, differentiable in the values and in spacings or coordinates.

    On an irregular grid the second order formula of NumPy (Quarteroni, Sacco, Saleri 2007, section 10.10).
    """
    f = as_tensor(f)
    if f.dtype.kind not in "fc":
        f = f.astype(float)
    if edge_order not in (1, 2):
        raise ValueError(f"edge_order must be 1 or 2, got {edge_order!r}")
    axes = axes_of(axis, f.ndim)
    if len(varargs) == 0:
        spacings: list[Any] = [1.0] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = list(varargs) * len(axes)
    elif len(varargs) == len(axes):
        spacings = list(varargs)
    else:
        raise TypeError(f"varargs must be one spacing or one per axis ({len(axes)}), got {len(varargs)}")
    results = [_slope(f, h, i, edge_order) for i, h in zip(axes, spacings, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _slope(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(f"axis {axis} of f must have {edge_order + 1} entries or more, got {n}")
    if np.ndim(h) > 1 or (np.ndim(h) == 1 and len(h) != n):
        raise ValueError(
            f"coordinates of axis {axis} must be one number or a line of {n}, got shape {np.shape(h)}"
        )
    before = (slice(None),) * axis

    def part(start: int | None, stop: int | None) -> Any:
        return f[(*before, slice(start, stop))]

    if np.ndim(h) == 0:
        h = h if hasattr(h, "dtype") and type(h) is not float else float(h)
        first = middle_left = middle_right = last = h
        second, before_last = h, h
    else:
        h = as_tensor(h)
        steps = diff(h if h.dtype.kind == "f" else h.astype(float))
        line = np.reshape(steps, tuple(-1 if i == axis else 1 for i in range(f.ndim)))

        def step(start: int | None, stop: int | None) -> Any:
            return line[(*before, slice(start, stop))]

        middle_left, middle_right = step(None, -1), step(1, None)
        first, last = step(0, 1), step(-1, None)
        second, before_last = step(1, 2), step(-2, -1)
        # Evenly spaced coordinates stand for one spacing to NumPy, with fewer roundings; the derivative with
        # respect to the coordinates is the same.
    if np.ndim(h) == 0:
        middle = (part(2, None) - part(None, -2)) / (2.0 * h)
    else:
        a, b, c = _three_points(middle_left, middle_right)
        middle = a * part(None, -2) + b * part(1, -1) + c * part(2, None)
    if edge_order == 1:
        start = (part(1, 2) - part(0, 1)) / first
        end = (part(-1, None) - part(-2, -1)) / last
    else:
        a, b, c = _edge(first, second)
        start = a * part(0, 1) + b * part(1, 2) + c * part(2, 3)
        c, b, a = (-weight for weight in _edge(last, before_last))
        end = a * part(-3, -2) + b * part(-2, -1) + c * part(-1, None)
    return np.concatenate([start, middle, end], axis=axis).astype(f.dtype)


def _three_points(left: Any, right: Any) -> tuple[Any, Any, Any]:
    """The weights of the slope in the middle of three points."""
    both = left + right
    return -right / (left * both), (right - left) / (left * right), left / (right * both)


def _edge(near: Any, far: Any) -> tuple[Any, Any, Any]:
    """The weights of the slope at the first of three points."""
    both = near + far
    return -(2.0 * near + far) / (near * both), both / (near * far), -near / (far * both)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """`numpy.unwrap`: the jumps that it adds are constant."""
    discont = fixed(discont, "numpy.unwrap", "discont")
    period = fixed(period, "numpy.unwrap", "period")
    value = value_of(p)
    whole = np.unwrap(value, discont, axis, period=period)
    return p.astype(whole.dtype) + (whole - value)


# ---------------------------------------------------------------------------- along axes and by pieces


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """`numpy.apply_along_axis`."""
    arr = as_tensor(arr)
    axis = axis_of(axis, arr.ndim)
    moved = np.moveaxis(arr, axis, -1)
    if 0 in moved.shape[:-1]:
        raise ValueError(f"arr must have entries along every axis but {axis}, got shape {arr.shape}")
    rows = [as_tensor(func1d(moved[i], *args, **kwargs)) for i in np.ndindex(*moved.shape[:-1])]
    stacked = np.stack(rows)
    whole = np.reshape(stacked, moved.shape[:-1] + stacked.shape[1:])
    k = moved.ndim - 1
    return np.moveaxis(whole, range(k, whole.ndim), range(axis, axis + whole.ndim - k))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """`numpy.apply_over_axes`."""
    a = as_tensor(a)
    n = a.ndim
    for axis in np.atleast_1d(axes).tolist():
        result = func(a, axis)
        if result.ndim != n:
            result = np.expand_dims(result, axis)
        if result.ndim != n:
            raise ValueError(
                f"func must give an array of {n} axes, or of one fewer, got {result.ndim - 1} axes"
            )
        a = result
    return a


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """`numpy.piecewise`: each function sees only its own entries."""
    x = as_tensor(x)
    conditions = values_of(condlist)
    # One condition may stand by itself.
    if np.ndim(conditions) == 0 or (np.ndim(conditions[0]) == 0 and x.ndim):
        conditions = [conditions]
    masks = np.asarray(conditions, bool)
    if len(funclist) == len(masks) + 1:
        masks = np.concatenate([masks, ~masks.any(axis=0, keepdims=True)])
    elif len(funclist) != len(masks):
        raise ValueError(
            f"funclist must have {len(masks)} or {len(masks) + 1} entries for {len(masks)} conditions, "
            f"got {len(funclist)}"
        )
    result: Any = np.zeros_like(x)
    for mask, function in zip(masks, funclist, strict=True):
        if not callable(function):
            result = index_put(result, mask, as_tensor(function).astype(x.dtype))
        elif mask.any():
            result = index_put(result, mask, as_tensor(function(x[mask], *args, **kw)).astype(x.dtype))
    return result


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """`numpy.real_if_close`."""
    return np.real(a) if np.isrealobj(np.real_if_close(value_of(a), tol)) else a
