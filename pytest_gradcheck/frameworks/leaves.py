"""Leaves of every kind: their precision, and what can be asked of them where their framework is not known."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.registry import named, owner

EPS64 = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
EPS_BY_DTYPE = {
    "float64": EPS64,
    "complex128": EPS64,
    "float32": EPS32,
    "complex64": EPS32,
    "float16": float(np.finfo(np.float16).eps),
    "complex32": float(np.finfo(np.float16).eps),
    "bfloat16": 2.0**-7,
}

TINY64 = float(np.finfo(np.float64).tiny)
TINY_BY_DTYPE = {
    "float32": float(np.finfo(np.float32).tiny),
    "complex64": float(np.finfo(np.float32).tiny),
    "bfloat16": float(np.finfo(np.float32).tiny),
    "float16": float(np.finfo(np.float16).tiny),
    "complex32": float(np.finfo(np.float16).tiny),
}


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Return a leaf, or nested lists of numbers, as a NumPy array; see `Framework.to_numpy`."""
    return (owner(value) or named("numpy")).to_numpy(value)


def like(array: np.ndarray[Any, Any], original: Any, *, double: bool) -> Any:
    """Return an array as a leaf of the kind of the original; see `Framework.like`."""
    return (owner(original) or named("numpy")).like(array, original, double=double)
