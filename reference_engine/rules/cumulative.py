"""Cumulative functions, differences and the trapezoidal rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import define
from reference_engine.dispatch import implements, present
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.reduce import NO_VALUE, axis_of, each_left_out, exact, without_nan
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- cumulative


def _reversed_cumsum(c: Any, axis: int) -> Any:
    backwards = (slice(None),) * (axis % c.ndim) + (slice(None, None, -1),)
    return cumsum_(c[backwards], axis=axis)[backwards]


cumsum_: Primitive = define(
    "cumsum",
    lambda x, *, axis: np.cumsum(x, axis=axis),
    [lambda c, result, x, *, axis: _reversed_cumsum(c, axis)],
)


def _cumprod_rule(c: Any, result: Any, x: Any, *, axis: int) -> Any:
    if not (value_of(x) == 0).any():
        return _reversed_cumsum(c * np.conjugate(result), axis) / np.conjugate(x)
    copies, _, _ = each_left_out(x, axis)
    n = x.shape[axis]
    partial = np.cumprod(copies, axis=-1) * np.triu(np.ones((n, n)))
    back = np.matmul(np.conjugate(partial), np.moveaxis(c, axis, -1)[..., None])[..., 0]
    return np.moveaxis(back, -1, axis)


cumprod_: Primitive = define("cumprod", lambda x, *, axis: np.cumprod(x, axis=axis), [_cumprod_rule])


def _cumulative(numpy_function: Callable[..., Any], primitive: Callable[..., Any]) -> Callable[..., Any]:
    @exact(numpy_function)
    def call(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
        if dtype is not None:
            a = a.astype(dtype)
        if axis is None or a.ndim == 0:
            axis_of(axis or 0, 1)
            a, axis = a.reshape(-1), 0
        return primitive(a, axis=axis_of(axis, a.ndim))

    return call


cumsum = _cumulative(np.cumsum, cumsum_)
cumprod = _cumulative(np.cumprod, cumprod_)
without_nan(np.nancumsum, cumsum, 0.0)
without_nan(np.nancumprod, cumprod, 1.0)


def _array_api_cumulative(name: str, function: Callable[..., Any], start: float) -> None:
    def call(
        x: Any,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: None = None,
        include_initial: bool = False,
    ) -> Any:
        if axis is None:
            if x.ndim != 1:
                raise ValueError(f"axis must be given for an array of {x.ndim} axes")
            axis = 0
        result = function(x, axis=axis, dtype=dtype)
        if include_initial:
            shape = tuple(1 if i == axis_of(axis, x.ndim) else n for i, n in enumerate(x.shape))
            result = np.concatenate([np.full(shape, start, result.dtype), result], axis=axis)
        return result

    for numpy_function in present(name):
        exact(numpy_function)(call)


_array_api_cumulative("cumulative_sum", cumsum, 0.0)
_array_api_cumulative("cumulative_prod", cumprod, 1.0)

# ---------------------------------------------------------------------------- differences


def _pairs(a: Any, axis: int) -> tuple[Any, Any]:
    """All entries but the first, and all but the last, along an axis counted from the front."""
    before = (slice(None),) * axis
    return a[(*before, slice(1, None))], a[(*before, slice(None, -1))]


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = NO_VALUE, append: Any = NO_VALUE) -> Any:
    """`numpy.diff`."""
    a = as_tensor(a)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"n must be 0 or more, got {n}")
    if a.ndim == 0:
        raise ValueError("numpy.diff needs an array of one axis or more, got a number")
    axis = axis_of(axis, a.ndim)
    edge = tuple(1 if i == axis else length for i, length in enumerate(a.shape))
    parts = [
        np.broadcast_to(part, edge) if np.ndim(part) == 0 else part
        for part in (prepend, a, append)
        if part is not NO_VALUE
    ]
    if len(parts) > 1:
        a = np.concatenate(parts, axis=axis)
    for _ in range(n):
        later, earlier = _pairs(a, axis)
        a = later != earlier if a.dtype.kind == "b" else later - earlier
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """`numpy.ediff1d`."""
    ary = as_tensor(ary)
    parts = []
    for name, part in (("to_begin", to_begin), ("to_end", to_end)):
        if part is not None:
            part = np.ravel(as_tensor(part))
            if not np.can_cast(part.dtype, ary.dtype, casting="same_kind"):
                raise TypeError(f"{name} must have a dtype that casts to {ary.dtype}, got {part.dtype}")
        parts.append(part)
    flat = np.reshape(ary, -1)
    joined = [parts[0], diff(flat) if flat.size else flat, parts[1]]
    return np.concatenate([part for part in joined if part is not None]).astype(ary.dtype)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """`numpy.trapezoid`."""
    y = as_tensor(y)
    axis = axis_of(axis, y.ndim)
    if x is None:
        d: Any = dx
    elif np.ndim(x) == 1:
        d = np.reshape(diff(x), tuple(-1 if i == axis else 1 for i in range(y.ndim)))
    else:
        d = diff(x, axis=axis)
    later, earlier = _pairs(y, axis)
    return np.sum(d * (later + earlier) / 2.0, axis=axis)
