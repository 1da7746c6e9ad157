"""Flat real vectors and the named arrays that they represent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]

#: Another order of summation moves a value by no more than so many roundings of the largest one next to it.
ROUNDINGS = 16


@dataclass(frozen=True)
class Leaf:
    """One array of the inputs or outputs: its place in the flat vector.

    ``dtype`` is the name of the dtype that the user gave; ``size`` is the number of real coordinates,
    and ``stop`` one past the last. A complex entry takes two, its real and its imaginary part: every
    derivative is one of real numbers, dL/dRe + i·dL/dIm written out.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    size: int
    is_complex: bool
    stop: int


class Layout:
    """The leaves of all inputs, or of all outputs, one after the other in one flat real vector."""

    def __init__(self, names: Sequence[str], shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]):
        leaves: list[Leaf] = []
        self.size = 0
        for name, shape, dtype in zip(names, shapes, dtypes, strict=True):
            start, is_complex = self.size, dtype.startswith("complex")
            size = math.prod(shape) * (2 if is_complex else 1)
            self.size += size
            leaves.append(Leaf(name, tuple(shape), dtype, start, size, is_complex, self.size))
        self.leaves = tuple(leaves)

    def split(self, vector: Vector) -> list[np.ndarray[Any, Any]]:
        """Cut a flat vector into float64 or complex128 arrays of the leaves' shapes; they are copies."""
        parts = [np.array(vector[leaf.start : leaf.stop], dtype=np.float64) for leaf in self.leaves]
        return [
            (part.view(np.complex128) if leaf.is_complex else part).reshape(leaf.shape)
            for part, leaf in zip(parts, self.leaves, strict=True)
        ]

    def split_many(self, *vectors: np.ndarray[Any, np.dtype[np.float64]]) -> list[np.ndarray[Any, Any]]:
        """Cut flat vectors, shapes ``(k, size)``, into arrays with one axis more (copies), one per leaf.

        Along that axis lie all of the first, then all of the second.
        """
        out: list[np.ndarray[Any, Any]] = []
        for leaf in self.leaves:
            part = np.concatenate([each[:, leaf.start : leaf.stop] for each in vectors])
            array = part.view(np.complex128) if leaf.is_complex else part
            out.append(array.reshape(len(part), *leaf.shape))
        return out

    def join(self, arrays: Sequence[Any]) -> Vector:
        """Put arrays, one per leaf and of its shape, into one flat vector."""
        if len(arrays) == len(self.leaves) == 1 and not self.leaves[0].is_complex:
            whole = np.array(arrays[0], dtype=np.float64, order="C").reshape(-1)
            if whole.size == self.size:
                return whole
        out = np.zeros(self.size)
        for leaf, array in zip(self.leaves, arrays, strict=True):
            kind = np.complex128 if leaf.is_complex else np.float64
            out[leaf.start : leaf.stop] = (
                np.asarray(array, dtype=kind, order="C").reshape(-1).view(np.float64)
            )
        return out

    def join_many(self, arrays: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Put arrays with one axis more, of k entries, into flat vectors, shape ``(k, size)``."""
        parts = []
        for leaf, array in zip(self.leaves, arrays, strict=True):
            kind = np.complex128 if leaf.is_complex else np.float64
            flat = np.ascontiguousarray(array, dtype=kind).reshape(len(array), -1)
            parts.append(flat.view(np.float64))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def leaf_of(self, coordinate: int) -> Leaf:
        """Return the leaf to which a coordinate belongs."""
        for leaf in self.leaves:
            if leaf.start <= coordinate < leaf.stop:
                return leaf
        raise IndexError(coordinate)

    def locate(self, coordinate: int) -> tuple[str, tuple[int, ...]]:
        """Return the name (with ``.real`` or ``.imag`` for complex leaves) and the multi-index."""
        leaf = self.leaf_of(coordinate)
        offset = coordinate - leaf.start
        name = leaf.name
        if leaf.is_complex:
            name = f"{name}.{'imag' if offset % 2 else 'real'}"
            offset //= 2
        return name, tuple(int(i) for i in np.unravel_index(offset, leaf.shape)) if leaf.shape else ()


def leafwise(layout: Layout, vectors: Any, factor: float) -> Any:
    """Return, for every coordinate, ``factor`` times the largest magnitude within its leaf.

    ``vectors`` has shape ``(…, layout.size)``.
    """
    out = np.empty_like(vectors)
    for leaf in layout.leaves:
        part = np.abs(vectors[..., leaf.start : leaf.stop])
        finite = np.where(np.isfinite(part), part, 0.0)
        out[..., leaf.start : leaf.stop] = factor * finite.max(axis=-1, initial=0.0, keepdims=True)
    return out


def is_rounding(layout: Layout, value: Vector, single: Vector, eps: float) -> bool:
    """Whether two values differ by at most the effect of another order of summation."""
    if np.array_equal(value, single) or np.array_equal(value, single, equal_nan=True):
        return True
    bound = leafwise(layout, single, ROUNDINGS * eps)
    finite = np.isfinite(value) & np.isfinite(single)
    apart = np.abs(value - single)[finite] > bound[finite]
    return np.array_equal(value[~finite], single[~finite], equal_nan=True) and not apart.any()
