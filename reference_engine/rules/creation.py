"""Functions that make arrays: after the shape of a Tensor, or a Tensor on request (`like=`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.dispatch import FUNCTIONS, NAMESPACE_OVERRIDES, implements
from reference_engine.operators import copied
from reference_engine.primitives import value_of
from reference_engine.rules.elementwise import constant
from reference_engine.rules.shape import _broadcast_to
from reference_engine.tensor import Tensor, as_tensor, joined

CONSTANT_LIKE: tuple[Callable[..., Any], ...] = (np.zeros_like, np.ones_like, np.empty_like)
"""Constants in the shape of a Tensor."""

for _function in CONSTANT_LIKE:
    FUNCTIONS[_function] = constant(_function)


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, **kwargs: Any
) -> Any:
    """`numpy.full_like`; a Tensor as `fill_value` keeps its derivative."""
    shape = kwargs.get("shape")
    filled = _broadcast_to(as_tensor(fill_value), np.shape(a) if shape is None else shape)
    return copied(filled.astype(as_tensor(a).dtype if dtype is None else dtype), order="C")


# ---------------------------------------------------------------------------- like=

MADE: tuple[Callable[..., Any], ...] = (
    np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri,
    np.frombuffer, np.fromfile, np.fromiter, np.fromstring, np.genfromtxt, np.loadtxt,
)  # fmt: skip
"""With `like=` a Tensor they give a constant Tensor."""

for _function in MADE:
    FUNCTIONS[_function] = constant(_function)


def _array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: Any = None,
    ndmin: int = 0,
    **ignored: Any,
) -> Any:
    result = joined(object)
    if dtype is not None:
        result = result.astype(dtype)
    if copy:
        result = copied(result, order="K" if order is None else order)
    return np.reshape(result, (1,) * (ndmin - result.ndim) + result.shape) if result.ndim < ndmin else result


@implements(np.array)
def array(object: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """`numpy.array` with `like=` a Tensor: lists of Tensors are stacked."""
    if type(kwargs.get("copy", True)) is not bool and kwargs["copy"] is not None:
        raise TypeError(f"copy must be True, False or None, got {kwargs['copy']!r}")
    return _array(object, dtype, **kwargs)


@implements(np.asarray, np.asanyarray)
def asarray(a: Any, dtype: Any = None, order: Any = None, **kwargs: Any) -> Any:
    """`numpy.asarray` with `like=` a Tensor: a Tensor itself."""
    return _array(a, dtype, copy=kwargs.get("copy"), order=order)


@implements(np.ascontiguousarray, np.asfortranarray)
def contiguous(a: Any, dtype: Any = None) -> Any:
    """`numpy.ascontiguousarray` with `like=` a Tensor; no value depends on the order in memory."""
    return _array(a, dtype, copy=None, ndmin=1)


@implements(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    """`numpy.require` with `like=` a Tensor; no value depends on the order in memory."""
    return _array(a, dtype, copy=None)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None) -> Any:
    """`numpy.full` with `like=` a Tensor; a Tensor as `fill_value` keeps its derivative."""
    filled = copied(_broadcast_to(joined(fill_value), shape), order="C")
    return filled if dtype is None else filled.astype(dtype)


@implements(np.arange)
def arange(*limits: Any, dtype: Any = None, device: Any = None, **named: Any) -> Any:
    """`numpy.arange` with `like=` a Tensor, by start and step; their number is constant."""
    names = ("start", "stop", "step")
    values = dict(zip(("stop",) if len(limits) == 1 and "stop" not in named else names, limits, strict=False))
    values.update(named)
    plain = np.arange(
        *(value_of(limit) for limit in limits), dtype=dtype, **{k: value_of(v) for k, v in named.items()}
    )
    start, step = values.get("start", 0), values.get("step", 1)
    if not any(type(x) is Tensor and x.requires_grad for x in (start, step)):
        return Tensor(plain)
    return (start + step * np.arange(plain.size)).astype(plain.dtype)


@implements(np.fromfunction)
def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """`numpy.fromfunction` with `like=` a Tensor: `function` gets the coordinates as Tensors."""
    return function(*(Tensor(grid) for grid in np.indices(shape, dtype=dtype)), **kwargs)


NAMESPACE_OVERRIDES["asarray"] = lambda obj, /, *, dtype=None, device=None, copy=None: _array(
    obj, dtype, copy=bool(copy)
)
