"""Reductions, and those along an axis that keep every partial result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.jax.lowering.tools import Rule, Rules, data, is_tensor
from reference_engine.primitives import free


def _over_axes(function: Callable[..., Any]) -> Rule:
    return lambda p, x: function(x, axis=tuple(p.axes)) if p.axes else x


def _aside(function: Callable[..., Any]) -> Rule:
    """Return a reduction to booleans or whole numbers."""
    return lambda p, x: function(np.asarray(data(x)), axis=tuple(p.axes))


def _argument(function: Callable[..., Any]) -> Rule:
    return lambda p, x: function(np.asarray(data(x)), axis=p.axes[0])


def _along(function: Callable[..., Any]) -> Rule:
    def rule(p: Any, x: Any) -> Any:
        if not p.reverse:
            return function(x, axis=p.axis)
        return np.flip(function(np.flip(x, p.axis), axis=p.axis), p.axis)

    return rule


def _running(choose: Any) -> Callable[..., Any]:
    """Return the running extreme: the entry at which it was met last, of those that tie."""

    def function(x: Any, axis: int) -> Any:
        values = np.moveaxis(np.asarray(data(x)), axis, -1)
        new = (values == choose.accumulate(values, axis=-1)) | np.isnan(values)
        at = np.maximum.accumulate(np.where(new, np.arange(values.shape[-1]), 0), axis=-1)
        return np.take_along_axis(x, np.moveaxis(at, -1, axis), axis=axis)

    return function


def _cumulative_logsumexp(x: Any, axis: int) -> Any:
    top = np.max(np.asarray(data(x)), axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    top = free(top) if is_tensor(x) else top
    with np.errstate(divide="ignore"):
        return np.log(np.cumsum(np.exp(x - top), axis=axis)) + top


def _reduce(p: Any, *operands: Any) -> Any:
    """Fold with a computation of the user's, one entry after the other."""
    count = len(operands) // 2
    arrays, state = operands[:count], list(operands[count:])
    axes = tuple(p.dimensions)
    if math.prod(arrays[0].shape[axis] for axis in axes) > MOST_FOLDED:
        raise Unavailable("reduce with a computation of its own has too many entries for the engine")
    kept = [axis for axis in range(arrays[0].ndim) if axis not in axes]
    moved = [np.transpose(x, [*axes, *kept]) for x in arrays]
    lines = [np.reshape(x, (-1, *x.shape[len(axes) :])) for x in moved]
    state = [np.broadcast_to(s, line.shape[1:]) for s, line in zip(state, lines, strict=True)]
    for k in range(lines[0].shape[0]):
        state = p.replay.closed(p.jaxpr, [*state, *(line[k] for line in lines)])
    return state


#: The most entries that are folded one by one.
MOST_FOLDED = 1024

RULES: Rules = {
    "reduce_sum": _over_axes(np.sum),
    "reduce_prod": _over_axes(np.prod),
    "reduce_max": _over_axes(np.max),
    "reduce_min": _over_axes(np.min),
    "reduce_and": _aside(np.bitwise_and.reduce),
    "reduce_or": _aside(np.bitwise_or.reduce),
    "reduce_xor": _aside(np.bitwise_xor.reduce),
    "argmax": _argument(np.argmax),
    "argmin": _argument(np.argmin),
    "reduce": _reduce,
    "cumsum": _along(np.cumsum),
    "cumprod": _along(np.cumprod),
    "cummax": _along(_running(np.maximum)),
    "cummin": _along(_running(np.minimum)),
    "cumlogsumexp": _along(_cumulative_logsumexp),
}
