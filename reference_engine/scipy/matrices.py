"""What the modules for `scipy.linalg` share: triangles, bands, rows in another order."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from reference_engine.definitions import adjoint, conj
from reference_engine.primitives import value_of
from reference_engine.rules.linalg import in_triangle
from reference_engine.scipy.front import define, load

__all__ = [
    "band_index",
    "eye_like",
    "full_band",
    "is_vector",
    "mirrored",
    "only_thin",
    "permuted_rows",
    "right_solve",
    "sl",
]


@functools.cache
def sl() -> Any:
    """scipy.linalg."""
    return load("linalg")


def eye_like(a: Any) -> Any:
    """The identity matrix of the size and dtype of a square matrix."""
    return np.eye(a.shape[-1], dtype=value_of(a).dtype)


def right_solve(a: Any, b: Any) -> Any:
    """b inv(a)."""
    return adjoint(np.linalg.solve(adjoint(a), adjoint(b)))


def only_thin(function: str, shape: tuple[int, ...], instead: str) -> NotImplementedError:
    """What to say where a factor has columns that any others would do for."""
    return NotImplementedError(
        f"scipy.linalg.{function} of a Tensor of shape {shape} needs {instead}: the further rows and columns "
        "of a square factor are not determined by the argument"
    )


def permuted_rows(x: Any, order: Any) -> Any:
    """The rows of each matrix in the order that the integers `order`, one set for each matrix, give."""
    batch = np.broadcast_shapes(x.shape[:-2], order.shape[:-1])
    index = np.broadcast_to(order[..., None], (*batch, order.shape[-1], 1))
    return np.take_along_axis(np.broadcast_to(x, (*batch, *x.shape[-2:])), index, axis=-2)


# ---------------------------------------------------------------------------- matrices given by one triangle


def _mirrored(a: Any, *, lower: bool, hermitian: bool) -> Any:
    part = np.tril(a, -1) if lower else np.triu(a, 1)
    other = np.matrix_transpose(part)
    diagonal = a * np.eye(a.shape[-1], dtype=bool)
    return part + other.conj() + diagonal.real if hermitian else part + other + diagonal


def _mirrored_rule(c: Any, result: Any, a: Any, *, lower: bool, hermitian: bool) -> Any:
    return in_triangle((c + (adjoint(c) if hermitian else np.matrix_transpose(c))) * 0.5, lower)


mirrored = define("mirrored", _mirrored, [_mirrored_rule])
"""The symmetric or Hermitian matrix of which one triangle is given.

Its gradient lies in the triangle that is given, as for `numpy.linalg.cholesky` and `eigh`.
"""

# ---------------------------------------------------------------------------- bands


def band_index(lower: int, upper: int, n: int) -> tuple[Any, Any, Any]:
    """Row i and column j of the matrix for each entry of its band storage, and which entries mean one."""
    rows, columns = np.ogrid[: lower + upper + 1, :n]
    i = columns + rows - upper
    return np.clip(i, 0, max(n - 1, 0)), np.broadcast_to(columns, i.shape), (i >= 0) & (i < n)


def adjoint_band(ab: Any, lower: int, upper: int) -> Any:
    """The band storage of the conjugate transpose, which has `upper` lower and `lower` upper diagonals."""
    j, _, inside = band_index(upper, lower, ab.shape[-1])
    rows = np.arange(lower + upper, -1, -1)[:, None]
    return np.where(inside, conj(ab[..., rows, j]), 0)


def full_band(ab: Any, lower: bool) -> Any:
    """The whole band of a Hermitian matrix of which the lower or the upper half is stored."""
    width = ab.shape[-2] - 1
    diagonal = np.real(ab[..., :1, :] if lower else ab[..., -1:, :]).astype(value_of(ab).dtype)
    stored = ab[..., 1:, :] if lower else ab[..., :-1, :]
    half = np.concatenate([diagonal, stored] if lower else [stored, diagonal], axis=-2)
    mirror = adjoint_band(half, width, 0) if lower else adjoint_band(half, 0, width)
    parts = [mirror[..., :-1, :], diagonal, stored] if lower else [stored, diagonal, mirror[..., 1:, :]]
    return np.concatenate(parts, axis=-2)


def dense_band(ab: Any, lower: int, upper: int) -> Any:
    """The matrix of a band storage."""
    n = ab.shape[-1]
    i, j = np.ogrid[:n, :n]
    row = upper + i - j
    inside = (row >= 0) & (row <= lower + upper)
    return np.where(inside, ab[..., np.clip(row, 0, lower + upper), np.broadcast_to(j, row.shape)], 0)


def is_vector(b: Any) -> bool:
    """Whether a right-hand side is one vector; else its last two axes are matrices."""
    return bool(b.ndim == 1)
