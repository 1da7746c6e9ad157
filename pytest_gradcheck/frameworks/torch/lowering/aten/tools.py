"""Helpers for the rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.torch.lowering.tape import Array
from reference_engine import Tensor

Rules = dict[str, Callable[..., Any]]
"""ATen name (with or without overload) to the same computation written on NumPy."""


def data(x: Any) -> Array:
    """The value of an array or engine tensor, outside the graph: for indices, masks and shapes."""
    return x.data if isinstance(x, Tensor) else np.asarray(x)


def kind(x: Any) -> str:
    """NumPy's one letter for the kind of dtype: b, i, u, f or c."""
    dtype = getattr(x, "dtype", None)
    return str(np.asarray(x).dtype.kind if dtype is None else dtype.kind)


def is_complex(x: Any) -> bool:
    """Whether the dtype is complex."""
    return kind(x) == "c"


def is_float(x: Any) -> bool:
    """Whether the dtype is a real or complex floating-point one."""
    return kind(x) in "fc"


def floating(x: Any) -> Any:
    """Integers as float64; everything else as it is."""
    return x if is_float(x) else np.asarray(data(x), dtype=np.float64)


def like(x: Any, value: float) -> Any:
    """A number in the dtype of ``x``, so NumPy's `where` does not promote."""
    return x.dtype.type(value)


def cast(x: Any, dtype: Any) -> Any:
    """``x`` in another dtype; complex to real drops the imaginary part, as torch does."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        x = np.real(x)
    return x.astype(dtype)


def axes(x: Any, dim: Any) -> Any:
    """ATen's ``dim`` as NumPy's ``axis``: an empty list means all, and a scalar has a dimension 0 too."""
    if dim is None or (isinstance(dim, (list, tuple)) and not dim) or x.ndim == 0:
        return None
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def count(x: Any, axis: Any) -> int:
    """How many entries a reduction over ``axis`` takes together."""
    if axis is None:
        return int(x.size)
    return math.prod(x.shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


def squared(x: Any) -> Any:
    """The squares of the absolute values, which have no kink at 0 as those have."""
    return np.real(x) ** 2 + np.imag(x) ** 2 if is_complex(x) else x * x


def root(x: Any) -> Any:
    """The square root, that of zero taken at 1e-200.

    Entries that nothing uses get the cotangent 0, and 0 · inf would make NaN of it; a number that is merely
    huge gives 0. Where the product with the singular derivative has a limit, as in sqrt(x) ** 2 or in a norm
    at zero, this gives it.
    """
    if is_complex(x):
        return np.sqrt(x)
    zero = data(x) == 0
    if not zero.any():
        return np.sqrt(x)
    tiny = x.dtype.type(1e-200 if x.dtype == np.float64 else 1e-24)
    # Added, not chosen by `where`, which would cut off the derivative.
    return np.sqrt(x + np.where(zero, tiny, x.dtype.type(0)))


def before(x: Any, dim: int, index: Any) -> Any:
    """``x`` indexed along one dimension, all others whole."""
    if dim < 0:
        dim += x.ndim
    return x[(slice(None),) * dim + (index,)]


def pair(value: Sequence[int] | int, n: int) -> tuple[int, ...]:
    """An argument of convolutions and pools, one number for all dimensions or one for each."""
    if isinstance(value, int):
        return (value,) * n
    return tuple(value) * n if len(value) == 1 else tuple(value)
