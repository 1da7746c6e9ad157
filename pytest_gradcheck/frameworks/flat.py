"""Flat real vectors and the named arrays that they stand for."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]

#: Another order of summation moves a value by no more than so many roundings of the largest one beside it.
ROUNDINGS = 16


@dataclass(frozen=True)
class Leaf:
    """One array of the inputs or outputs: where it lies in the flat vector.

    ``dtype`` is the name of the dtype that the user gave. A complex entry takes two coordinates, its
    real and its imaginary part, so that every derivative is one of real numbers: dL/dRe + i·dL/dIm, written
    out.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    is_complex: bool

    @functools.cached_property
    def size(self) -> int:
        """Number of real coordinates."""
        return math.prod(self.shape) * (2 if self.is_complex else 1)

    @functools.cached_property
    def stop(self) -> int:
        """One past the last coordinate."""
        return self.start + self.size

    def array(self, vector: Vector) -> np.ndarray[Any, Any]:
        """Return the leaf's part of a flat vector as a float64 or complex128 array of its shape (a copy)."""
        part = np.array(vector[self.start : self.stop], dtype=np.float64)
        return (part.view(np.complex128) if self.is_complex else part).reshape(self.shape)


class Layout:
    """The leaves of all inputs, or of all outputs, one after the other in one flat real vector."""

    def __init__(self, names: Sequence[str], shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]):
        leaves: list[Leaf] = []
        start = 0
        for name, shape, dtype in zip(names, shapes, dtypes, strict=True):
            leaf = Leaf(name, tuple(shape), dtype, start, dtype.startswith("complex"))
            leaves.append(leaf)
            start = leaf.stop
        self.leaves = tuple(leaves)
        self.size = start

    def split(self, vector: Vector) -> list[np.ndarray[Any, Any]]:
        """Cut a flat vector into float64 or complex128 arrays, one per leaf."""
        return [leaf.array(vector) for leaf in self.leaves]

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
            flat = np.ascontiguousarray(array, dtype=kind).reshape(-1)
            out[leaf.start : leaf.stop] = flat.view(np.float64)
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
    """Whether two values differ by no more than another order of summation makes of them."""
    if np.array_equal(value, single) or np.array_equal(value, single, equal_nan=True):
        return True
    bound = leafwise(layout, single, ROUNDINGS * eps)
    finite = np.isfinite(value) & np.isfinite(single)
    apart = np.abs(value - single)[finite] > bound[finite]
    return np.array_equal(value[~finite], single[~finite], equal_nan=True) and not apart.any()
