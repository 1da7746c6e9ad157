"""`ufunc.reduce`, `ufunc.accumulate` and `ufunc.reduceat`.

Sums, products and extrema have separate functions. Any other ufunc folds the slices one by one, as the
definition of these methods says, so it needs no rule beyond its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.dispatch import GENERAL_METHODS, METHODS
from reference_engine.errors import MissingRuleError
from reference_engine.primitives import value_of
from reference_engine.rules.cumulative import cumprod, cumsum
from reference_engine.rules.elementwise import ZERO_UFUNCS, constant
from reference_engine.rules.index import take_along_axis
from reference_engine.rules.reduce import axes_of, axis_of, given, keep, max, min, prod, sum
from reference_engine.tensor import Tensor, as_tensor

# ---------------------------------------------------------------------------- with functions of their own


def _cast(array: Any, dtype: Any) -> Any:
    array = as_tensor(array)
    return array if dtype is None else array.astype(dtype)


def _enter(ufunc: np.ufunc, reduction: Callable[..., Any], running: Callable[..., Any]) -> None:
    """Enter NumPy's functions as methods, which use the first axis by default."""
    METHODS[ufunc, "reduce"] = lambda array, axis=0, dtype=None, out=None, keepdims=False, **kwargs: (
        reduction(_cast(array, dtype), axis=axis, keepdims=keepdims, **kwargs)
    )
    METHODS[ufunc, "accumulate"] = lambda array, axis=0, dtype=None, out=None: running(
        _cast(array, dtype), axis=axis_of(axis, np.ndim(array))
    )


def _running_extremum(ufunc: np.ufunc) -> Callable[..., Any]:
    """The running extremum picks entries: the latest among equal ones, as torch.cummax does."""

    def accumulate(array: Any, axis: int) -> Any:
        values = value_of(array)
        best = ufunc.accumulate(values, axis=axis)
        turn = np.arange(values.shape[axis]).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        reached = (values == best) | ((values != values) & (best != best))
        latest = np.maximum.accumulate(np.where(reached, turn, 0), axis=axis)
        return take_along_axis(array, latest, axis=axis)

    return accumulate


_enter(np.add, sum, cumsum)
_enter(np.multiply, prod, cumprod)
_enter(np.maximum, max, _running_extremum(np.maximum))
_enter(np.minimum, min, _running_extremum(np.minimum))

# ---------------------------------------------------------------------------- of any ufunc


def _general(method: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a method under its name; a ufunc without a derivative answers by itself."""

    @functools.wraps(method)
    def call(ufunc: np.ufunc, array: Any, *args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        if ufunc in ZERO_UFUNCS or ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature is not None:
            # NumPy raises its own error for a ufunc without such a method.
            typed = {} if dtype is None else {"dtype": dtype}
            return constant(getattr(ufunc, method.__name__))(array, *args, **typed, **kwargs)
        return method(ufunc, _cast(array, dtype), *args, **kwargs)

    GENERAL_METHODS[method.__name__] = call
    return call


@_general
def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    out: None = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """`ufunc.reduce`, entry after entry, one axis after the other."""
    if where is not True:
        raise MissingRuleError(
            f"numpy.{ufunc.__name__}.reduce of a Tensor does not take where=; index the entries first"
        )
    # NumPy's own call validates the arguments, and gives the value if nothing is folded.
    start = {"initial": value_of(initial)} if given(initial) else {}
    plain = np.asarray(ufunc.reduce(value_of(array), axis=axis, keepdims=keep(keepdims), **start))
    axes = axes_of(axis, array.ndim)
    if any(array.shape[i] == 0 for i in axes):
        return np.broadcast_to(as_tensor(initial), plain.shape) if given(initial) else Tensor(plain)
    for i in sorted(axes, reverse=True):
        parts = list(np.moveaxis(array, i, 0))
        if given(initial):
            # Ahead of the entries, as NumPy has it; it comes in once.
            parts, initial = [as_tensor(initial), *parts], None
        array = functools.reduce(ufunc, parts)
    return np.reshape(array, plain.shape).astype(plain.dtype)


@_general
def accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, out: None = None) -> Any:
    """`ufunc.accumulate`, entry after entry."""
    axis = axis_of(axis, array.ndim)
    if array.shape[axis] == 0:
        return array
    parts = list(np.moveaxis(array, axis, 0))
    for i in range(1, len(parts)):
        parts[i] = ufunc(parts[i - 1], parts[i])
    return np.stack(parts, axis=axis)


@_general
def reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, out: None = None) -> Any:
    """`ufunc.reduceat`: each segment reduced; where the next one does not start later, its first entry."""
    starts = np.asarray(value_of(indices))
    axis = axis_of(axis, array.ndim)
    plain = ufunc.reduceat(value_of(array), starts, axis=axis)
    stops = np.append(starts[1:], array.shape[axis])
    before = (slice(None),) * axis
    parts = [
        ufunc.reduce(array[(*before, slice(start, stop))], axis=axis)
        if start < stop
        else array[(*before, start)]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    return np.stack(parts, axis=axis).astype(plain.dtype) if parts else Tensor(plain)
