"""Reductions: sums, products, moments, extrema, and the same without NaN."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import define, is_complex
from reference_engine.dispatch import FUNCTIONS, implements
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.elementwise import constant
from reference_engine.tensor import Tensor, as_tensor

Axis = int | tuple[int, ...] | None
NO_VALUE: Any = getattr(np, "_NoValue", None)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` (None, one or several) as a tuple of axes counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    for one in axes:
        if not -ndim <= one < ndim:
            raise np.exceptions.AxisError(one, ndim)
    found = tuple(int(one) % ndim for one in axes)
    if len(set(found)) < len(found):
        raise ValueError(f"axis must not name an axis twice, got {axis!r}")
    return found


def axis_of(axis: int, ndim: int) -> int:
    """One axis counted from the front."""
    (found,) = axes_of(axis, ndim)
    return found


def _with_axes(reduced: Any, x: Any, axis: Axis) -> Any:
    """A reduced result with its reduced axes back as length 1, so it broadcasts against x."""
    axes = axes_of(axis, x.ndim)
    return np.reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def count_of(x: Any, axis: Axis) -> int:
    """How many entries of x go into one entry of the result."""
    count = 1
    for i in axes_of(axis, x.ndim):
        count *= x.shape[i]
    return count


def given(value: Any) -> bool:
    """Whether a keyword of NumPy's was given."""
    return value is not NO_VALUE and value is not None


def keep(keepdims: Any) -> bool:
    """Whether the reduced axes stay."""
    return keepdims is not NO_VALUE and bool(keepdims)


def _everywhere(where: Any) -> bool:
    return where is True or where is NO_VALUE


def exact(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: if nothing has a derivative, NumPy's `function` runs.

    So integers stay integers, and the rules below get only real or complex numbers.
    """
    plainly = constant(function)

    def decorate(implementation: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(implementation)
        def call(a: Any, *args: Any, **kwargs: Any) -> Any:
            a = as_tensor(a)
            others = (*args, *kwargs.values())
            if a.dtype.kind not in "fc" and not any(type(x) is Tensor and x.requires_grad for x in others):
                return plainly(a, *args, **kwargs)
            return implementation(a, *args, **kwargs)

        implements(function)(call)
        return call

    return decorate


def _chosen(a: Any, dtype: Any, where: Any, neutral: Any) -> Any:
    """`a` in the dtype asked for, the entries left out replaced by what does not count."""
    if dtype is not None:
        a = a.astype(dtype)
    return a if _everywhere(where) else np.where(value_of(where), a, neutral)


def _start(initial: Any, a: Any) -> Any:
    return as_tensor(initial).astype(a.dtype)


# ---------------------------------------------------------------------------- sum, mean, prod

sum_: Primitive = define(
    "sum",
    lambda x, *, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    [lambda c, result, x, *, axis, keepdims: _with_axes(c, x, axis)],
)
mean_: Primitive = define(
    "mean",
    lambda x, *, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    [lambda c, result, x, *, axis, keepdims: _with_axes(c / count_of(x, axis), x, axis)],
)


def each_left_out(x: Any, axis: Axis) -> Any:
    """Copies of x's reduced entries along a new axis, the k-th entry replaced by 1 in the k-th copy."""
    axes = axes_of(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    flat = np.reshape(np.transpose(x, kept + list(axes)), (*(x.shape[i] for i in kept), -1))
    return np.where(np.eye(flat.shape[-1], dtype=bool), 1.0, flat[..., None, :]), kept, axes


def _prod_rule(c: Any, result: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """The product of all the other entries; without dividing where an entry is zero."""
    if not (value_of(x) == 0).any():
        return np.conjugate(_with_axes(result, x, axis) / x) * _with_axes(c, x, axis)
    copies, kept, axes = each_left_out(x, axis)
    others = np.prod(copies, axis=-1)
    order = kept + list(axes)
    others = np.transpose(np.reshape(others, tuple(x.shape[i] for i in order)), np.argsort(order).tolist())
    return np.conjugate(others) * _with_axes(c, x, axis)


prod_: Primitive = define(
    "prod", lambda x, *, axis, keepdims: np.prod(x, axis=axis, keepdims=keepdims), [_prod_rule]
)


@exact(np.sum)
def sum(  # NumPy's name
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.sum`."""
    result = sum_(_chosen(a, dtype, where, 0), axis=axis, keepdims=keep(keepdims))
    return result + _start(initial, result) if given(initial) else result


@exact(np.prod)
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.prod`."""
    result = prod_(_chosen(a, dtype, where, 1), axis=axis, keepdims=keep(keepdims))
    return result * _start(initial, result) if given(initial) else result


def _number(a: Any, axis: Axis, where: Any, keepdims: bool = False) -> Any:
    """How many entries go into each result, as whole numbers of Python or an array of them."""
    if _everywhere(where):
        return count_of(a, axis)
    return np.sum(np.broadcast_to(value_of(where), a.shape), axis=axis, keepdims=keepdims)


def _divided(total: Any, count: Any) -> Any:
    """`total / count` in the precision of the total, with NumPy's warning where there is nothing."""
    return total / (count if isinstance(count, int) else np.asarray(count, np.real(value_of(total)).dtype))


@exact(np.mean)
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
    a = _chosen(a, dtype, True, 0)
    if _everywhere(where):
        return mean_(a, axis=axis, keepdims=keep(keepdims))
    count = _number(a, axis, where, keep(keepdims))
    if np.any(count == 0):
        warnings.warn("Mean of empty slice.", RuntimeWarning, stacklevel=4)
    return _divided(sum(a, axis, keepdims=keepdims, where=where), count)


def _squared(x: Any) -> Any:
    return np.real(x) ** 2 + np.imag(x) ** 2 if is_complex(x) else x * x


@exact(np.var)
def var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = NO_VALUE,
    correction: Any = NO_VALUE,
) -> Any:
    """`numpy.var`."""
    a = _chosen(a, dtype, True, 0)
    if given(correction):
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    center = mean if given(mean) else _center(a, axis, where)
    free = _number(a, axis, where, keep(keepdims)) - ddof
    if np.any(free <= 0):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=4)
    squares = sum(_squared(a - center), axis, keepdims=keepdims, where=where)
    return _divided(squares, np.maximum(free, 0))


def _center(a: Any, axis: Axis, where: Any) -> Any:
    # A slice without entries has no mean; var warns of it in its own words.
    count = np.maximum(_number(a, axis, where, keepdims=True), 1)
    return _divided(sum(a, axis, keepdims=True, where=where), count)


def root(x: Any) -> Any:
    """The square root with derivative 0 at 0: the subgradient of a norm or of a deviation there."""
    zero = value_of(x) == 0
    return np.where(zero, 0.0, np.sqrt(np.where(zero, 1.0, x)))


@exact(np.std)
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
    """In equal parts to all entries that reach the extremum, as in torch.amax."""
    value, best = value_of(x), _with_axes(value_of(result), value_of(x), axis)
    reached = value == best
    undefined = best != best
    if undefined.any():
        reached |= (value != value) & undefined
    parts = reached.sum(axis=axis, keepdims=True).astype(value.dtype)
    return np.where(reached, _with_axes(c, x, axis) / parts, 0.0)


max_: Primitive = define(
    "max", lambda x, *, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims), [_extremum_rule]
)
min_: Primitive = define(
    "min", lambda x, *, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims), [_extremum_rule]
)


@exact(np.max)
def max(  # NumPy's name
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.max`; a tie shares the cotangent evenly, and evenly with `initial`."""
    return _extremum(max_, np.maximum, a, axis, keepdims, initial, where)


@exact(np.min)
def min(  # NumPy's name
    a: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = NO_VALUE,
    where: Any = True,
) -> Any:
    """`numpy.min`; a tie shares the cotangent evenly, and evenly with `initial`."""
    return _extremum(min_, np.minimum, a, axis, keepdims, initial, where)


def _extremum(
    reduction: Primitive, pair: np.ufunc, a: Any, axis: Axis, keepdims: Any, initial: Any, where: Any
) -> Any:
    if not _everywhere(where):
        if not given(initial):
            raise ValueError(
                f"numpy.{reduction.name} has no value where all is left out: give initial= along with where="
            )
        a = np.where(value_of(where), a, np.inf if pair is np.minimum else -np.inf)
    if given(initial) and count_of(a, axis) == 0:
        shape = value_of(np.sum(a, axis=axis, keepdims=keep(keepdims))).shape
        return np.broadcast_to(_start(initial, a), shape)
    result = reduction(a, axis=axis, keepdims=keep(keepdims))
    return pair(result, _start(initial, a)) if given(initial) else result


FUNCTIONS[np.amax] = FUNCTIONS[np.max]
FUNCTIONS[np.amin] = FUNCTIONS[np.min]


@exact(np.ptp)
def ptp(a: Any, axis: Axis = None, out: None = None, keepdims: Any = False) -> Any:
    """`numpy.ptp`."""
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# ---------------------------------------------------------------------------- without NaN


def without_nan(numpy_function: Callable[..., Any], function: Callable[..., Any], filler: float) -> None:
    """Enter the twin of `function` that takes NaN for `filler`."""

    @exact(numpy_function)
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        return function(np.where(np.isnan(value_of(a)), filler, a), *args, **kwargs)


without_nan(np.nansum, sum, 0.0)
without_nan(np.nanprod, prod, 1.0)


def _extremum_without_nan(
    numpy_function: Callable[..., Any], function: Callable[..., Any], worst: float
) -> None:
    @exact(numpy_function)
    def call(
        a: Any,
        axis: Axis = None,
        out: None = None,
        keepdims: Any = False,
        initial: Any = NO_VALUE,
        where: Any = True,
    ) -> Any:
        missing = np.isnan(value_of(a))
        result = function(np.where(missing, worst, a), axis, None, keepdims, initial, where)
        if given(initial):
            return result
        nothing = np.all(missing, axis=axis, keepdims=keep(keepdims))
        if not nothing.any():
            return result
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=3)
        return np.where(nothing, np.nan, result)


_extremum_without_nan(np.nanmax, max, -np.inf)
_extremum_without_nan(np.nanmin, min, np.inf)


def _moment_without_nan(numpy_function: Callable[..., Any], function: Callable[..., Any]) -> None:
    @exact(numpy_function)
    def call(a: Any, *args: Any, where: Any = True, **kwargs: Any) -> Any:
        there = ~np.isnan(value_of(a))
        if not _everywhere(where):
            there = there & value_of(where)
        return function(np.where(there, a, 0.0), *args, where=there, **kwargs)


_moment_without_nan(np.nanmean, mean)
_moment_without_nan(np.nanvar, var)
_moment_without_nan(np.nanstd, std)
