"""Make views and in-place writes pure.

Tensors that share memory share a *store*. A store that was never written to needs no attention: every view of
it was recorded as an operation of its own. From the first write on, the store's content is a value of the
tape together with the layout it is in, and a tensor that shares the memory is read from it by its strides,
whatever chain of views it came from. NumPy's index arithmetic does the reading and the writing, so no inverse
of any view operation is needed.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering.tape import Array, LoweringError


class MemoryLayout(NamedTuple):
    """The layout of a tensor in its store; offset and strides are counted in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    dtype: torch.dtype
    conj: bool
    neg: bool


def layout_of(tensor: torch.Tensor) -> MemoryLayout:
    """The layout of a strided tensor."""
    if tensor.layout is not torch.strided:
        raise LoweringError(f"a tensor of layout {tensor.layout} has no counterpart on the reference engine")
    return MemoryLayout(
        tuple(tensor.shape),
        tensor.stride(),
        int(tensor.storage_offset()),
        tensor.dtype,
        tensor.is_conj(),
        tensor.is_neg(),
    )


@functools.lru_cache(maxsize=4096)  # as for `disjoint`
def covers(layout: MemoryLayout, elements: int) -> bool:
    """Whether every element of a store of so many elements is seen, once, and as it is."""
    if layout.offset or layout.conj or layout.neg or int(np.prod(layout.shape, dtype=np.int64)) != elements:
        return False
    expected = 1
    for stride, length in sorted(zip(layout.strides, layout.shape, strict=True)):
        if length == 1:
            continue
        if stride != expected:
            return False
        expected *= length
    return True


def flat_layout(elements: int, dtype: torch.dtype) -> MemoryLayout:
    """The whole store as one axis."""
    return MemoryLayout((elements,), (1,), 0, dtype, False, False)


def positions(layout: MemoryLayout) -> Array:
    """For every entry of a tensor, its place in the store. Shape of the tensor, int64."""
    index = np.full(layout.shape, layout.offset, dtype=np.int64)
    for axis, (length, stride) in enumerate(zip(layout.shape, layout.strides, strict=True)):
        shape = [1] * len(layout.shape)
        shape[axis] = length
        index += (np.arange(length, dtype=np.int64) * stride).reshape(shape)
    return index


# What follows runs at replay, on arrays or engine tensors.


def flatten(value: Any, order: tuple[int, ...]) -> Any:
    """The content of a store in memory order; ``order`` are the axes, the longest stride first."""
    return np.reshape(np.transpose(value, order), (-1,))


def memory_order(layout: MemoryLayout) -> tuple[int, ...]:
    """The axes from the longest stride to the shortest."""
    return tuple(sorted(range(len(layout.shape)), key=lambda axis: (-layout.strides[axis], axis)))


def gather(flat: Any, index: Array, conj: bool, neg: bool) -> Any:
    """Entries of a flat store at the given places."""
    value = flat[index]
    value = np.conjugate(value) if conj else value
    return -value if neg else value


def scatter(flat: Any, source: Array, value: Any, conj: bool, neg: bool) -> Any:
    """A flat store with a tensor written into it.

    ``source`` numbers, for every place of the store, where its entry comes from: below ``len(flat)`` the
    store itself, above it the tensor. One gather, so its cotangent is one scatter-add.
    """
    value = np.conjugate(value) if conj else value
    value = -value if neg else value
    return np.concatenate([flat, np.reshape(value, (-1,)).astype(flat.dtype)])[source]


@functools.lru_cache(maxsize=4096)  # every step of a loop over time asks the same
def disjoint(a: MemoryLayout, b: MemoryLayout, elements: int) -> bool:
    """Whether two tensors in one store of so many elements share none; False where that is costly to tell."""
    if a.dtype != b.dtype or 0 in a.shape or 0 in b.shape:
        return False
    if _last(a) < b.offset or _last(b) < a.offset:
        return True
    if elements > 100_000:
        return False
    seen = np.zeros(elements, dtype=bool)
    seen[positions(a)] = True
    return not seen[positions(b)].any()


def _last(layout: MemoryLayout) -> int:
    return layout.offset + sum((n - 1) * s for n, s in zip(layout.shape, layout.strides, strict=True))


def source_of(layout: MemoryLayout, elements: int) -> Array:
    """The ``source`` of `scatter`."""
    index = positions(layout).reshape(-1)
    source = np.arange(elements, dtype=np.int64)
    source[index] = elements + np.arange(index.size, dtype=np.int64)
    return source


def complex_as_real(flat: Any) -> Any:
    """A flat complex store as the reals that it consists of."""
    return np.reshape(np.stack([np.real(flat), np.imag(flat)], axis=-1), (-1,))


def real_as_complex(flat: Any) -> Any:
    """A flat real store as the complex numbers that it consists of."""
    return flat[0::2] + 1j * flat[1::2]
