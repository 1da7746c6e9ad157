"""Memory layouts of NumPy arrays: like that of another array, or by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What each layout that strategies draw is. Only NumPy has the last one.
DRAWN = {"": "contiguous", "fortran": "fortran", "strided": "strided", "backwards": "reversed"}


def laid_out(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """Return an array of the same entries in another layout; unchanged if it has no such layout."""
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


def laid_out_like(array: NDArray[Any], original: NDArray[Any]) -> NDArray[Any]:
    """Return a copy with the entries' order in memory of the original's, also backwards and with gaps.

    Where entries of the original share memory the result is contiguous: its entries can differ.
    """
    if original.flags.f_contiguous or original.size < 2:
        return np.array(array, order="F" if original.size > 1 else "C")
    steps = [stride // original.itemsize for stride in original.strides]
    if any(stride % original.itemsize for stride in original.strides) or overlaps(original.shape, steps):
        return np.array(array, order="C")
    reach = [(size - 1) * step for size, step in zip(original.shape, steps, strict=True)]
    start = -sum(r for r in reach if r < 0)
    memory = np.zeros(1 + sum(map(abs, reach)), array.dtype)
    out = np.lib.stride_tricks.as_strided(
        memory[start:], original.shape, [step * array.itemsize for step in steps]
    )
    out[...] = array
    return out


def overlaps(shape: Sequence[int], steps: Sequence[int]) -> bool:
    """Whether several entries may share one place in memory, as in a broadcast array."""
    reach = 0
    for size, step in sorted(zip(shape, steps, strict=True), key=lambda d: abs(d[1])):
        stride = abs(step)
        if size > 1:
            if stride <= reach:
                return True
            reach += (size - 1) * stride
    return False
