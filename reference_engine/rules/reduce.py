"""Reductions, cumulative functions, sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.numpy_front import FUNCTIONS, METHODS, NAMESPACE_OVERRIDES, implements
from reference_engine.rules.elementwise import constant
from reference_engine.rules.index import take, take_along_axis
from reference_engine.rules.table import define, is_complex, value_of
from reference_engine.tensor import Primitive, Tensor, as_tensor

Axis = int | tuple[int, ...] | None
_NO_VALUE: Any = getattr(np, "_NoValue", None)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    for one in axes:
        if not -ndim <= one < ndim:
            raise np.exceptions.AxisError(one, ndim)
    return tuple(int(one) % ndim for one in axes)


def _with_axes(reduced: Any, x: Any, axis: Axis) -> Any:
    """A reduced result with its reduced axes back as length 1, so that it broadcasts against x."""
    axes = _axes(axis, x.ndim)
    return np.reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def _count(x: Any, axis: Axis) -> int:
    count = 1
    for i in _axes(axis, x.ndim):
        count *= x.shape[i]
    return count


def _prepare(a: Any, dtype: Any, initial: Any, where: Any, neutral: Any) -> Any:
    a = as_tensor(a)
    if dtype is not None:
        a = a.astype(dtype)
    if where is not True and where is not _NO_VALUE:
        a = np.where(where, a, neutral)
    if initial is not _NO_VALUE and initial is not None and initial != neutral:
        raise NotImplementedError(
            "initial= of a reduction of a Tensor is not supported; combine the result with it"
        )
    return a


def _keep(keepdims: Any) -> bool:
    return keepdims is not _NO_VALUE and bool(keepdims)


# ---------------------------------------------------------------------------- sum, mean, prod

sum_: Primitive = define(
    "sum",
    lambda x, *, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    [lambda c, result, x, *, axis, keepdims: _with_axes(c, x, axis)],
)
mean_: Primitive = define(
    "mean",
    lambda x, *, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    [lambda c, result, x, *, axis, keepdims: _with_axes(c / _count(x, axis), x, axis)],
)


def _each_left_out(x: Any, axis: Axis) -> Any:
    """Copies of x's reduced entries along a new axis, the k-th entry replaced by 1 in the k-th copy."""
    axes = _axes(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    flat = np.reshape(np.transpose(x, kept + list(axes)), (*(x.shape[i] for i in kept), -1))
    return np.where(np.eye(flat.shape[-1], dtype=bool), 1.0, flat[..., None, :]), kept, axes


def _prod_rule(c: Any, result: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """The product of all the other entries; without dividing where an entry is zero."""
    if not (value_of(x) == 0).any():
        return np.conjugate(_with_axes(result, x, axis) / x) * _with_axes(c, x, axis)
    copies, kept, axes = _each_left_out(x, axis)
    others = np.prod(copies, axis=-1)
    order = kept + list(axes)
    others = np.transpose(np.reshape(others, tuple(x.shape[i] for i in order)), np.argsort(order).tolist())
    return np.conjugate(others) * _with_axes(c, x, axis)


prod_: Primitive = define(
    "prod", lambda x, *, axis, keepdims: np.prod(x, axis=axis, keepdims=keepdims), [_prod_rule]
)


@implements(np.sum)
def sum(  # NumPy's name
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = _NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.sum`."""
    return sum_(_prepare(a, dtype, initial, where, 0), axis=axis, keepdims=_keep(keepdims))


@implements(np.prod)
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = _NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.prod`."""
    return prod_(_prepare(a, dtype, initial, where, 1), axis=axis, keepdims=_keep(keepdims))


@implements(np.mean)
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Any:
    """`numpy.mean`."""
    a = _prepare(a, dtype, None, True, 0)
    if where is True or where is _NO_VALUE:
        return mean_(a, axis=axis, keepdims=_keep(keepdims))
    count = np.sum(np.broadcast_to(value_of(where), a.shape), axis=axis, keepdims=_keep(keepdims))
    return sum(a, axis, keepdims=keepdims, where=where) / count


def _squared(x: Any) -> Any:
    return np.real(x) ** 2 + np.imag(x) ** 2 if is_complex(x) else x * x


@implements(np.var)
def var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = _NO_VALUE,
    correction: Any = _NO_VALUE,
) -> Any:
    """`numpy.var`."""
    a = _prepare(a, dtype, None, True, 0)
    if correction is not _NO_VALUE:
        ddof = correction
    center = _mean(a, axis, where) if mean is _NO_VALUE else mean
    if where is True or where is _NO_VALUE:
        count: Any = _count(a, axis)
    else:
        count = np.sum(np.broadcast_to(value_of(where), a.shape), axis=axis, keepdims=_keep(keepdims))
    return sum(_squared(a - center), axis, keepdims=keepdims, where=where) / np.maximum(count - ddof, 0)


def _mean(a: Any, axis: Axis, where: Any) -> Any:
    return mean(a, axis, keepdims=True, where=where)


def root(x: Any) -> Any:
    """The square root with derivative 0 at 0: the subgradient of a norm or of a deviation there."""
    zero = value_of(x) == 0
    return np.where(zero, 0.0, np.sqrt(np.where(zero, 1.0, x)))


@implements(np.std)
def std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: Any = False,
    **kwargs: Any,
) -> Any:
    """`numpy.std`; the derivative is 0 where all entries are equal, as in torch."""
    return root(var(a, axis, dtype, out, ddof, keepdims, **kwargs))


# ---------------------------------------------------------------------------- extrema


def _extremum_rule(c: Any, result: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """In equal parts to all entries that reach the extremum, as torch.amax does it."""
    value, best = value_of(x), _with_axes(value_of(result), value_of(x), axis)
    reached = (value == best) | ((value != value) & (best != best))
    parts = reached.sum(axis=axis, keepdims=True)
    return _with_axes(c, x, axis) * (reached / parts).astype(value.dtype)


max_: Primitive = define(
    "max", lambda x, *, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims), [_extremum_rule]
)
min_: Primitive = define(
    "min", lambda x, *, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims), [_extremum_rule]
)


@implements(np.max, np.amax)
def max(  # NumPy's name
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = _NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.max`; a tie shares the cotangent evenly."""
    a = _prepare(a, None, None, where, -np.inf)
    result = max_(a, axis=axis, keepdims=_keep(keepdims))
    return result if initial is _NO_VALUE else np.maximum(result, initial)


@implements(np.min, np.amin)
def min(  # NumPy's name
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = _NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.min`; a tie shares the cotangent evenly."""
    a = _prepare(a, None, None, where, np.inf)
    result = min_(a, axis=axis, keepdims=_keep(keepdims))
    return result if initial is _NO_VALUE else np.minimum(result, initial)


@implements(np.ptp)
def ptp(a: Any, axis: Axis = None, out: None = None, keepdims: Any = False) -> Any:
    """`numpy.ptp`."""
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# ---------------------------------------------------------------------------- without NaN


def _without_nan(function: Callable[..., Any], filler: float) -> Callable[..., Any]:
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        return function(np.where(np.isnan(value_of(a)), filler, a), *args, **kwargs)

    return call


FUNCTIONS[np.nansum] = _without_nan(sum, 0.0)
FUNCTIONS[np.nanprod] = _without_nan(prod, 1.0)
FUNCTIONS[np.nanmax] = _without_nan(max, -np.inf)
FUNCTIONS[np.nanmin] = _without_nan(min, np.inf)


def _where_not_nan(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        missing = np.isnan(value_of(a))
        return function(np.where(missing, 0.0, a), *args, where=~missing, **kwargs)

    return call


FUNCTIONS[np.nanmean] = _where_not_nan(mean)
FUNCTIONS[np.nanvar] = _where_not_nan(var)
FUNCTIONS[np.nanstd] = _where_not_nan(std)

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
    copies, _, _ = _each_left_out(x, axis)
    n = x.shape[axis]
    partial = np.cumprod(copies, axis=-1) * np.triu(np.ones((n, n)))
    back = np.matmul(np.conjugate(partial), np.moveaxis(c, axis, -1)[..., None])[..., 0]
    return np.moveaxis(back, -1, axis)


cumprod_: Primitive = define("cumprod", lambda x, *, axis: np.cumprod(x, axis=axis), [_cumprod_rule])


def _cumulative(primitive: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
        a = as_tensor(a)
        if dtype is not None:
            a = a.astype(dtype)
        if axis is None:
            a, axis = a.reshape(-1), 0
        return primitive(a, axis=axis)

    return call


FUNCTIONS[np.cumsum] = cumsum = _cumulative(cumsum_)
FUNCTIONS[np.cumprod] = cumprod = _cumulative(cumprod_)
FUNCTIONS[np.nancumsum] = _without_nan(cumsum, 0.0)
FUNCTIONS[np.nancumprod] = _without_nan(cumprod, 1.0)


def _array_api_cumulative(function: Callable[..., Any], start: float) -> Callable[..., Any]:
    def call(
        x: Any,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: None = None,
        include_initial: bool = False,
    ) -> Any:
        if axis is None and np.ndim(x) != 1:
            raise ValueError("axis must be given for an array of more than one axis")
        result = function(x, axis=0 if axis is None else axis, dtype=dtype)
        if include_initial:
            axis = 0 if axis is None else axis
            first = np.full_like(value_of(take(result, [0], axis=axis)), start)
            result = np.concatenate([first, result], axis=axis)
        return result

    return call


FUNCTIONS[np.cumulative_sum] = _array_api_cumulative(cumsum, 0.0)
FUNCTIONS[np.cumulative_prod] = _array_api_cumulative(cumprod, 1.0)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NO_VALUE, append: Any = _NO_VALUE) -> Any:
    """`numpy.diff`."""
    a = as_tensor(a)
    parts = [p for p in (prepend, a, append) if p is not _NO_VALUE]
    if len(parts) > 1:
        edge = tuple(1 if i == axis % a.ndim else length for i, length in enumerate(a.shape))
        a = np.concatenate([np.broadcast_to(p, edge) if np.ndim(p) == 0 else p for p in parts], axis=axis)
    before = (slice(None),) * (axis % a.ndim)
    for _ in range(n):
        a = a[(*before, slice(1, None))] - a[(*before, slice(None, -1))]
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """`numpy.ediff1d`."""
    parts = [to_begin, diff(np.reshape(ary, -1)), to_end]
    return np.concatenate([np.ravel(part) for part in parts if part is not None])


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """`numpy.trapezoid`."""
    y = as_tensor(y)
    if x is None:
        d: Any = dx
    else:
        d = diff(x, axis=axis if np.ndim(x) == y.ndim else -1)
        if np.ndim(d) == 1:
            d = np.reshape(d, tuple(-1 if i == axis % y.ndim else 1 for i in range(y.ndim)))
    before = (slice(None),) * (axis % y.ndim)
    return np.sum(d * (y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]) / 2.0, axis=axis)


# ---------------------------------------------------------------------------- order


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
    return take_along_axis(a, np.argpartition(value_of(a), kth, axis=axis), axis=axis)


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    **kwargs: Any,
) -> Any:
    """`numpy.quantile` with `method="linear"`, at fixed `q`."""
    if method != "linear" or any(value is not None for value in kwargs.values()):
        raise NotImplementedError(
            f"numpy.quantile of a Tensor knows method='linear' alone, got {method!r} {kwargs}"
        )
    a = as_tensor(a)
    q = np.asarray(value_of(q))
    axes = _axes(axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    flat = np.reshape(np.transpose(a, kept + list(axes)), (*(a.shape[i] for i in kept), -1))
    flat = sort(flat)
    at = q * (flat.shape[-1] - 1)
    low = np.floor(at).astype(int)
    high = np.ceil(at).astype(int)
    weight = np.reshape(at - low, q.shape + (1,) * len(kept)).astype(a.dtype)
    lower, upper = (np.moveaxis(take(flat, i.ravel(), axis=-1), -1, 0) for i in (low, high))
    lower, upper = (np.reshape(part, q.shape + part.shape[1:]) for part in (lower, upper))
    result = lower + weight * (upper - lower)
    if np.isnan(value_of(a)).any():
        result = np.where(np.isnan(value_of(flat)[..., -1]), np.nan, result)
    if _keep(keepdims):
        result = np.reshape(result, q.shape + tuple(1 if i in axes else n for i, n in enumerate(a.shape)))
    return result


@implements(np.percentile)
def percentile(a: Any, q: Any, *args: Any, **kwargs: Any) -> Any:
    """`numpy.percentile` with `method="linear"`, at fixed `q`."""
    return quantile(a, np.asarray(value_of(q)) / 100.0, *args, **kwargs)


@implements(np.median)
def median(
    a: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """`numpy.median`: with an even count half of the cotangent goes to each of the two in the middle."""
    return quantile(a, 0.5, axis, keepdims=keepdims)


@implements(np.average)
def average(
    a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """`numpy.average`."""
    a = as_tensor(a)
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        total = np.full_like(value_of(result), _count(a, axis))
    else:
        weights = as_tensor(weights)
        if weights.shape != a.shape:
            (along,) = _axes(axis, a.ndim)
            weights = weights.reshape(tuple(-1 if i == along else 1 for i in range(a.ndim)))
            weights = np.broadcast_to(weights, a.shape)
        total = sum(weights, axis, keepdims=keepdims)
        result = sum(a * weights, axis, keepdims=keepdims) / total
    return (result, total) if returned else result


# ---------------------------------------------------------------------------- zero derivative

CONSTANT: tuple[Callable[..., Any], ...] = (
    np.argmax, np.argmin, np.argsort, np.argpartition, np.nanargmax, np.nanargmin, np.argwhere, np.nonzero,
    np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize, np.lexsort,
    np.all, np.any, np.isclose, np.isreal, np.iscomplex, np.isneginf, np.isposinf, np.isin,
    np.histogram, np.bincount,
)  # fmt: skip
"""Functions whose results (indices, counts, truth values) do not vary with small changes."""

PLAIN: tuple[Callable[..., Any], ...] = (
    np.ndim, np.shape, np.size, np.result_type, np.can_cast, np.min_scalar_type, np.common_type,
    np.iscomplexobj, np.isrealobj, np.shares_memory, np.may_share_memory,
    np.allclose, np.array_equal, np.array_equiv, np.array2string, np.array_repr, np.array_str,
)  # fmt: skip
"""Functions that answer with plain Python objects: shapes, dtypes, yes or no, text."""


def _plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: function(*map(value_of, args), **kwargs)


for _function in CONSTANT:
    FUNCTIONS[_function] = constant(_function)
for _function in PLAIN:
    FUNCTIONS[_function] = _plainly(_function)


def _sorted_unique(x: Any, *args: Any, **kwargs: Any) -> Any:
    values = value_of(x)
    if args or kwargs:
        raise NotImplementedError("numpy.unique of a Tensor takes no further arguments")
    _, first = np.unique(values, return_index=True)
    return np.reshape(x, -1)[first]


FUNCTIONS[np.unique] = _sorted_unique
FUNCTIONS[np.unique_values] = _sorted_unique
NAMESPACE_OVERRIDES["sort"] = lambda x, /, *, axis=-1, descending=False, stable=True: (
    np.flip(np.sort(x, axis=axis), axis=axis) if descending else np.sort(x, axis=axis)
)

# ---------------------------------------------------------------------------- ufunc.reduce, ufunc.accumulate


def _reduce(function: Callable[..., Any]) -> Callable[..., Any]:
    """`ufunc.reduce`, which reduces the first axis unless told otherwise."""
    return lambda array, axis=0, dtype=None, out=None, keepdims=False, **kwargs: function(
        array, axis=axis, keepdims=keepdims, **({} if dtype is None else {"dtype": dtype}), **kwargs
    )


METHODS[np.add, "reduce"] = _reduce(sum)
METHODS[np.multiply, "reduce"] = _reduce(prod)
METHODS[np.maximum, "reduce"] = _reduce(max)
METHODS[np.minimum, "reduce"] = _reduce(min)
METHODS[np.add, "accumulate"] = lambda array, axis=0, dtype=None, out=None: cumsum(array, axis, dtype)
METHODS[np.multiply, "accumulate"] = lambda array, axis=0, dtype=None, out=None: cumprod(array, axis, dtype)
METHODS[np.logical_and, "reduce"] = lambda array, axis=0, **kwargs: Tensor(
    np.all(value_of(array), axis=axis, **kwargs)
)
METHODS[np.logical_or, "reduce"] = lambda array, axis=0, **kwargs: Tensor(
    np.any(value_of(array), axis=axis, **kwargs)
)
