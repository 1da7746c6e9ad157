"""Leaves of every kind: their dtypes, their copies, their numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.function.containers import is_tensor

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


def dtype_of(value: Any) -> str:
    """Return the name of a leaf's dtype: ``float64`` for a Python float, ``bfloat16``, ``complex64``, …"""
    if is_tensor(value):
        return str(value.dtype).removeprefix("torch.")
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.name
    return "complex128" if isinstance(value, complex) else "float64"


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Return a leaf, of whatever kind and dtype, as a NumPy array; tensors as float64 or complex128."""
    if is_tensor(value):
        torch = sys.modules["torch"]
        if value.dtype is not torch.float64:
            value = value.detach().to(torch.complex128 if value.dtype.is_complex else torch.float64)
        # force also resolves conjugate views, negative views and torch's symbolic zero tensors.
        found: np.ndarray[Any, Any] = value.numpy(force=True)
        return found
    return np.asarray(value)


def copy_leaf(value: Any, double: bool) -> Any:
    """Return a copy of a leaf with the same strides, tensors with ``double`` in float64 or complex128."""
    if is_tensor(value):
        if value.layout is not sys.modules["torch"].strided:
            return value.detach().clone()
        floating = value.dtype.is_floating_point or value.dtype.is_complex
        if double and floating:
            return _widened(value)
        return value.detach().clone() if value.is_contiguous() else _restrided(value.detach())
    return _laid_out_like(value, value, copy=True) if isinstance(value, np.ndarray) else value


def is_contiguous(value: Any) -> bool:
    """Whether a leaf lies in memory as it is read; what is no dense array does."""
    if is_tensor(value):
        return value.layout is not sys.modules["torch"].strided or bool(value.is_contiguous())
    return not isinstance(value, np.ndarray) or value.flags.c_contiguous


def contiguous_copy(value: Any) -> Any:
    """Return a copy of a leaf that lies in memory as it is read."""
    if is_tensor(value):
        torch = sys.modules["torch"]
        dense = value.layout is torch.strided
        return value.detach().clone(memory_format=torch.contiguous_format if dense else torch.preserve_format)
    return value.copy() if isinstance(value, np.ndarray) else value


def strides_of(value: Any) -> tuple[int, ...]:
    """Return how many entries lie in memory from one index to the next, along each axis."""
    if is_tensor(value):
        return tuple(value.stride())
    return tuple(stride // value.itemsize for stride in value.strides)


def _laid_out_like(
    array: np.ndarray[Any, Any], original: np.ndarray[Any, Any], *, copy: bool
) -> np.ndarray[Any, Any]:
    """Return an array with the entries' order in memory of the original's, also backwards and with gaps.

    Where entries of the original share memory the result is contiguous: its entries can differ.
    """
    if original.flags.c_contiguous or original.size < 2:
        return array.copy() if copy else array
    if original.flags.f_contiguous:
        return np.array(array, order="F", copy=copy or None)
    steps = [stride // original.itemsize for stride in original.strides]
    if any(stride % original.itemsize for stride in original.strides) or _overlaps(original.shape, steps):
        return np.array(array, order="C", copy=copy or None)
    reach = [(size - 1) * step for size, step in zip(original.shape, steps, strict=True)]
    start = -sum(r for r in reach if r < 0)
    memory = np.zeros(1 + sum(map(abs, reach)), array.dtype)
    out = np.lib.stride_tricks.as_strided(
        memory[start:], original.shape, [step * array.itemsize for step in steps]
    )
    out[...] = array
    return out


def _widened(value: Any) -> Any:
    torch = sys.modules["torch"]
    dtype = torch.complex128 if value.dtype.is_complex else torch.float64
    return value.detach().to(dtype, copy=True)


def _restrided(tensor: Any) -> Any:
    """Return a copy with the same strides, also of expanded and overlapping tensors."""
    torch = sys.modules["torch"]
    needed = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 0)
    base = torch.empty(needed if tensor.numel() else 0, dtype=tensor.dtype, device=tensor.device)
    base.copy_(tensor.as_strided((base.numel(),), (1,)))
    return base.as_strided(tensor.shape, tensor.stride())


def _overlaps(shape: Sequence[int], steps: Sequence[int]) -> bool:
    """Whether several entries may share one place in memory, as in an expanded tensor."""
    reach = 0
    for size, step in sorted(zip(shape, steps, strict=True), key=lambda d: abs(d[1])):
        stride = abs(step)
        if size > 1:
            if stride <= reach:
                return True
            reach += (size - 1) * stride
    return False


def like(array: np.ndarray[Any, Any], original: Any, *, double: bool) -> Any:
    """Return an array as a leaf of the kind of the original."""
    if is_tensor(original):
        torch = sys.modules["torch"]
        tensor = torch.from_numpy(array)
        dtype = tensor.dtype if double else original.dtype
        if tensor.dtype is not dtype or tensor.device != original.device:
            tensor = tensor.to(device=original.device, dtype=dtype)
        if original.is_contiguous() or _overlaps(original.shape, original.stride()):
            return tensor
        out = torch.empty_strided(original.shape, original.stride(), dtype=tensor.dtype, device=tensor.device)
        return out.copy_(tensor)
    if isinstance(original, np.ndarray):
        kept = array if double else array.astype(original.dtype)
        return _laid_out_like(kept, original, copy=False)
    scalar = array[()]
    if isinstance(original, np.generic):
        return scalar if double else original.dtype.type(scalar)
    return scalar.item()


def in_dtype_of(original: Any, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array, of any shape, rounded to the dtype of a leaf, as float64 or complex128."""
    if is_tensor(original):
        return to_numpy(sys.modules["torch"].from_numpy(array).to(original.dtype))
    return array.astype(np.asarray(original).dtype).astype(array.dtype)


def kind_of(value: Any) -> str:
    """Return what a value is, in words: ``a float``, ``an int``, ``None``."""
    name = type(value).__name__
    if value is None:
        return "None"
    return f"a {name}" if name[0].lower() not in "aeiou" else f"an {name}"
