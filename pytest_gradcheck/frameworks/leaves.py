"""Leaves of any kind: their precision, and conversions for leaves of an unknown framework."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.frameworks.registry import named, owner

EPS64 = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
TINY64 = float(np.finfo(np.float64).tiny)

#: The floating dtypes of NumPy in which the parts of numbers are held.
_PARTS: dict[str, type[np.floating[Any]]] = {
    **dict.fromkeys(("float64", "complex128"), np.float64),
    **dict.fromkeys(("float32", "complex64"), np.float32),
    **dict.fromkeys(("float16", "complex32"), np.float16),
}
#: What NumPy lacks: how many bits of the fraction each has, and its smallest normal number.
_NARROW = {
    "bfloat16": (7, float(np.finfo(np.float32).tiny)),  # it has the exponents of float32
    **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz"), (3, 2.0**-6)),
    **dict.fromkeys(("float8_e5m2", "float8_e5m2fnuz"), (2, 2.0**-14)),
}
EPS_BY_DTYPE = {name: float(np.finfo(part).eps) for name, part in _PARTS.items()}
EPS_BY_DTYPE |= {name: 2.0**-bits for name, (bits, _) in _NARROW.items()}
TINY_BY_DTYPE = {name: float(np.finfo(part).tiny) for name, part in _PARTS.items()}
TINY_BY_DTYPE |= {name: tiny for name, (_, tiny) in _NARROW.items()}


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Return a leaf, or nested lists of numbers, as a NumPy array; see `Framework.to_numpy`."""
    return (owner(value) or named("numpy")).to_numpy(value)


def like(array: np.ndarray[Any, Any], original: Any, *, double: bool) -> Any:
    """Return an array as a leaf of the kind of the original; see `Framework.like`."""
    return (owner(original) or named("numpy")).like(array, original, double=double)


def holds_floats(value: Any, framework: Framework | None) -> bool:
    """Whether a leaf holds real or complex floating numbers; ``framework`` owns it.

    Arrays of a library without a framework, such as scipy's sparse ones, are recognised by their shape and
    dtype.
    """
    if framework is not None:
        return framework.dtype_of(value).startswith(("float", "bfloat", "complex"))
    if isinstance(value, type) or not hasattr(value, "shape"):
        return False
    try:
        return np.dtype(value.dtype).kind in "fc"
    except Exception:
        return False
