"""From torch's dtypes and tensors to NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering.tape import Array, LoweringError


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """NumPy's dtype for torch's; bfloat16 and smaller floats become float32, complex32 complex64."""
    known = _DTYPES.get(dtype)
    if known is None:
        raise LoweringError(f"dtype {dtype} has no counterpart in NumPy")
    return known


_DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    torch.float64: np.dtype(np.float64),
    torch.float32: np.dtype(np.float32),
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: np.dtype(np.float32),
    torch.complex128: np.dtype(np.complex128),
    torch.complex64: np.dtype(np.complex64),
    torch.complex32: np.dtype(np.complex64),
    torch.bool: np.dtype(np.bool_),
    torch.uint8: np.dtype(np.uint8),
    torch.int8: np.dtype(np.int8),
    torch.int16: np.dtype(np.int16),
    torch.int32: np.dtype(np.int32),
    torch.int64: np.dtype(np.int64),
    torch.uint16: np.dtype(np.uint16),
    torch.uint32: np.dtype(np.uint32),
    torch.uint64: np.dtype(np.uint64),
}
_UPCAST = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}


def to_numpy(tensor: torch.Tensor) -> Array:
    """A copy of a tensor's values that nothing else can change."""
    if tensor.layout is not torch.strided:
        raise LoweringError(f"a tensor of layout {tensor.layout} has no counterpart on the reference engine")
    numpy_dtype(tensor.dtype)
    plain = tensor.detach().to(device="cpu", dtype=_UPCAST.get(tensor.dtype, tensor.dtype))
    array = plain.resolve_conj().resolve_neg().numpy().copy()
    array.flags.writeable = False
    return array
