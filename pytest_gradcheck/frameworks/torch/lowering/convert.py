"""From torch's dtypes and tensors to NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering.tape import Array, LoweringError

#: Both have these under the same name.
_NAMES = "float64 float32 float16 complex128 complex64 bool uint8 int8 int16 int32 int64 uint16 uint32 uint64"
#: What NumPy lacks, and what stands for it.
_UPCAST = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}
_DTYPES: dict[torch.dtype, np.dtype[Any]] = {getattr(torch, name): np.dtype(name) for name in _NAMES.split()}
_DTYPES |= {small: _DTYPES[large] for small, large in _UPCAST.items()}


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """NumPy's dtype for torch's; bfloat16 becomes float32, complex32 complex64."""
    known = _DTYPES.get(dtype)
    if known is None:
        raise LoweringError(f"dtype {dtype} has no counterpart in NumPy")
    return known


def to_numpy(tensor: torch.Tensor) -> Array:
    """A copy of a tensor's values that nothing else can change."""
    if tensor.layout is not torch.strided:
        raise LoweringError(f"a tensor of layout {tensor.layout} has no counterpart on the reference engine")
    numpy_dtype(tensor.dtype)
    plain = tensor.detach().to(device="cpu", dtype=_UPCAST.get(tensor.dtype, tensor.dtype))
    array = plain.resolve_conj().resolve_neg().numpy().copy()
    array.flags.writeable = False
    return array
