"""Tensors as leaves: to NumPy and back, copied with their strides, and what cannot be differentiated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.base import kind_of
from pytest_gradcheck.frameworks.numpy.layouts import overlaps

Array = np.ndarray[Any, Any]


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor; see `Framework.owns`."""
    return isinstance(value, torch.Tensor)


def is_array_type(annotation: Any) -> bool:
    """Whether an annotation is ``torch.Tensor``; see `Framework.is_array_type`."""
    return annotation is torch.Tensor


def dtype_of(leaf: torch.Tensor) -> str:
    """Return ``float64`` for ``torch.float64``."""
    return str(leaf.dtype).removeprefix("torch.")


def is_floating(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds real or complex floating numbers."""
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex


def to_numpy(tensor: torch.Tensor) -> Array:
    """Return a tensor as float64 or complex128."""
    if tensor.dtype is not torch.float64:
        tensor = tensor.detach().to(torch.complex128 if tensor.dtype.is_complex else torch.float64)
    # force also resolves conjugate views, negative views and torch's symbolic zero tensors.
    found: Array = tensor.numpy(force=True)
    return found


def like(array: Array, original: torch.Tensor, *, double: bool) -> torch.Tensor:
    """Return an array as a tensor; see `Framework.like`."""
    tensor = torch.from_numpy(array)
    dtype = tensor.dtype if double else original.dtype
    if tensor.dtype is not dtype or tensor.device != original.device:
        tensor = tensor.to(device=original.device, dtype=dtype)
    if original.is_contiguous() or overlaps(original.shape, original.stride()):
        return tensor
    out = torch.empty_strided(original.shape, original.stride(), dtype=tensor.dtype, device=tensor.device)
    return out.copy_(tensor)


def from_numpy(array: Array) -> torch.Tensor:
    """Return a copy of an array as a tensor on the CPU; see `Framework.from_numpy`."""
    return torch.from_numpy(np.array(array))


def rounded(array: Array, original: torch.Tensor) -> Array:
    """Return an array, of any shape, rounded to the original's dtype."""
    return to_numpy(torch.from_numpy(array).to(original.dtype))


def copy(tensor: torch.Tensor, *, double: bool) -> torch.Tensor:
    """Return a copy with the same strides, also of expanded and overlapping tensors."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        return tensor.clone()
    if double and is_floating(tensor):
        return tensor.to(torch.complex128 if tensor.dtype.is_complex else torch.float64, copy=True)
    if tensor.is_contiguous():
        return tensor.clone()
    needed = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 0)
    base = torch.empty(needed if tensor.numel() else 0, dtype=tensor.dtype, device=tensor.device)
    base.copy_(tensor.as_strided((base.numel(),), (1,)))
    return base.as_strided(tensor.shape, tensor.stride())


def strides_if_scattered(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """Return the strides of a dense tensor that is not contiguous."""
    if tensor.layout is not torch.strided or tensor.is_contiguous():
        return None
    return tuple(tensor.stride())


def contiguous_copy(tensor: torch.Tensor) -> torch.Tensor:
    """Return a C-contiguous copy."""
    dense = tensor.layout is torch.strided
    return tensor.detach().clone(memory_format=torch.contiguous_format if dense else torch.preserve_format)


def why_constants(leaves: Sequence[Any], in_module: Sequence[bool]) -> list[str | None]:
    """Return why each leaf of a torch function's inputs is a constant; see `Framework.why_constants`."""
    some_require_grad = any(
        isinstance(leaf, torch.Tensor) and leaf.requires_grad and not inside
        for leaf, inside in zip(leaves, in_module, strict=True)
    )
    return [_why_constant(*each, some_require_grad) for each in zip(leaves, in_module, strict=True)]


def _why_constant(tensor: Any, inside: bool, some_require_grad: bool) -> str | None:
    if not isinstance(tensor, torch.Tensor):
        return f"{kind_of(tensor)} next to tensors"
    if not is_floating(tensor):
        return f"dtype {dtype_of(tensor)} is not differentiable"
    if inside:
        return None if tensor.requires_grad else "a tensor of the module that requires no gradient"
    if some_require_grad and not tensor.requires_grad:
        return "requires no gradient, next to a tensor that does"
    return None


def why_not_perturbed(tensor: torch.Tensor) -> str | None:
    """Return why no entry of a tensor can be moved alone; see `Framework.why_not_perturbed`."""
    if tensor.layout is torch.strided and not tensor.is_nested:
        return None
    return f"a {'nested ' if tensor.is_nested else ''}tensor of layout {tensor.layout}"


def why_no_derivative(tensor: torch.Tensor) -> str | None:
    """Return why a tensor of the function's result has no derivative; see `Framework.why_no_derivative`."""
    if tensor.layout is not torch.strided:
        return f"layout {tensor.layout} cannot be compared; return a dense tensor"
    return None if is_floating(tensor) else f"dtype {dtype_of(tensor)} has no derivative"


def fingerprint(tensor: torch.Tensor) -> bytes | None:
    """Return the bytes of a dense tensor, and its other properties; see `Framework.fingerprint`."""
    if tensor.layout is not torch.strided:
        return None
    about = (tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride(), tensor.requires_grad)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    flags = (tensor.is_conj(), tensor.is_neg())
    data: bytes = plain.view(torch.uint8).numpy().tobytes()
    return f"{about} {flags} ".encode() + data


def from_drawn(
    array: Array, dtype: str, layout: str, *, device: Any = None, requires_grad: bool = False
) -> torch.Tensor:
    """Return a drawn array as a tensor; see `Framework.from_drawn`."""
    # The dtype alone would be taken for a device's default; bfloat16 is held in float32 until here.
    tensor = _laid_out(torch.from_numpy(array).to(device=device, dtype=getattr(torch, dtype)), layout)
    return tensor.requires_grad_() if requires_grad else tensor


def _laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """Return a tensor of the same entries in another layout; an expanded one repeats its first row."""
    if tensor.numel() < 2:
        return tensor
    if layout == "fortran":
        axes = tuple(range(tensor.ndim))[::-1]
        return tensor.permute(axes).contiguous().permute(axes)
    if layout == "strided":
        wide = tensor.new_zeros((*tensor.shape[:-1], 2 * tensor.shape[-1]))
        wide[..., ::2] = tensor
        return wide[..., ::2]
    if layout == "expanded":
        return tensor[:1].clone().expand(tensor.shape)
    return tensor
