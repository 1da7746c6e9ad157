"""Where the entries of an array or a tensor lie in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

#: NumPy has negative strides, torch has not; NumPy's broadcast arrays cannot be written to.
NUMPY_LAYOUTS = ("contiguous", "fortran", "strided", "reversed")
TORCH_LAYOUTS = ("contiguous", "fortran", "strided", "expanded")


def laid_out(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """Return an array of the same entries in another layout; unchanged where it has no such layout."""
    if array.size < 2:
        return array
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "strided":
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "reversed":
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    return array


def tensor_laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
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
