"""Matrices of `scipy.linalg` assembled from the entries of vectors and blocks.

Each entry is read by an index, so its gradient sums over all of its places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.definitions import conj
from reference_engine.primitives import value_of
from reference_engine.scipy.front import table
from reference_engine.tensor import as_tensor


def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with c[i - j] at and below the diagonal and r[j - i] above; `r` is conj(c) by default."""
    c = np.atleast_1d(as_tensor(c))
    r = conj(c) if r is None else np.atleast_1d(as_tensor(r))
    batch = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c, r = (np.broadcast_to(x, (*batch, x.shape[-1])) for x in (c, r))
    i, j = np.ogrid[: c.shape[-1], : r.shape[-1]]
    return np.concatenate([c[..., ::-1], r[..., 1:]], axis=-1)[..., c.shape[-1] - 1 - i + j]


def circulant(c: Any) -> Any:
    """The matrix with c[(i - j) mod n] at [i, j]."""
    c = np.atleast_1d(as_tensor(c))
    n = c.shape[-1]
    i, j = np.ogrid[:n, :n]
    return c[..., (i - j) % max(n, 1)]


def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with c[i + j], and beyond the last entry of `c` those of `r`; `r` is 0 by default.

    Errors: ValueError for an argument that is not a vector.
    """
    c = as_tensor(c)
    r = np.zeros(c.shape, c.dtype) if r is None else as_tensor(r)
    if c.ndim != 1 or r.ndim != 1:
        raise ValueError(f"c and r must be vectors, got shapes {c.shape} and {r.shape}")
    i, j = np.ogrid[: c.shape[0], : r.shape[0]]
    return np.concatenate([c, r[1:]])[i + j]


def companion(a: Any) -> Any:
    """The companion matrix of the polynomial with the coefficients `a`, the highest first.

    Errors: ValueError for fewer than two coefficients, and for a leading one that is 0.
    """
    a = np.atleast_1d(as_tensor(a))
    n = a.shape[-1] - 1
    if n < 1:
        raise ValueError(f"a must have at least 2 coefficients, got shape {a.shape}")
    if (value_of(a)[..., 0] == 0).any():
        raise ValueError("the leading coefficient a[..., 0] must not be 0")
    row = (-a[..., 1:] / (1.0 * a[..., :1]))[..., None, :]
    below = np.broadcast_to(np.eye(n - 1, n, dtype=value_of(row).dtype), (*row.shape[:-2], n - 1, n))
    return np.concatenate([row, below], axis=-2)


def leslie(f: Any, s: Any) -> Any:
    """The Leslie matrix with fecundities `f` in the first row and survival rates `s` below the diagonal.

    Errors: ValueError where `s` is not one shorter than `f`.
    """
    f, s = np.atleast_1d(as_tensor(f)), np.atleast_1d(as_tensor(s))
    n = f.shape[-1]
    if n < 2 or s.shape[-1] != n - 1:
        raise ValueError(f"s must be one shorter than f, and not empty, got lengths {s.shape[-1]} and {n}")
    batch = np.broadcast_shapes(f.shape[:-1], s.shape[:-1])
    below = s[..., None] * np.eye(n - 1, n, dtype=np.real(value_of(s)).dtype)
    row = np.broadcast_to(f, (*batch, n))[..., None, :]
    return np.concatenate([row, np.broadcast_to(below, (*batch, n - 1, n))], axis=-2)


def fiedler(a: Any) -> Any:
    """The matrix of distances |a_i - a_j|; the derivative is 0 where two are equal."""
    a = np.atleast_1d(as_tensor(a))
    return np.absolute(a[..., :, None] - a[..., None, :])


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """The matrix whose product with a vector of length `n` is its convolution with `a`, as
    `numpy.convolve`.
    """
    a = as_tensor(a)
    if n < 1 or a.ndim < 1 or a.shape[-1] < 1:
        raise ValueError(f"n must be positive and a not empty, got n={n!r} and shape {a.shape}")
    length = a.shape[-1]
    cut = {"full": 0, "same": min(n, length) - 1, "valid": 2 * (min(n, length) - 1)}
    if mode not in cut:
        raise ValueError(f"mode must be 'full', 'same' or 'valid', got {mode!r}")
    first = cut[mode] // 2
    i, j = np.ogrid[first : length + n - 1 - (cut[mode] - first), :n]
    place = i - j
    return np.where((place >= 0) & (place < length), a[..., np.clip(place, 0, length - 1)], 0)


def block_diag(*arrs: Any) -> Any:
    """The block diagonal matrix of matrices; a vector counts as one row."""
    blocks = [np.atleast_2d(as_tensor(block)) for block in arrs]
    batch = np.broadcast_shapes(*(block.shape[:-2] for block in blocks))
    dtype = np.result_type(*(value_of(block).dtype for block in blocks))
    width, before, rows = sum(block.shape[-1] for block in blocks), 0, []
    for block in blocks:
        height, own = block.shape[-2:]
        left, right = (np.zeros((*batch, height, n), dtype) for n in (before, width - before - own))
        rows.append(np.concatenate([left, np.broadcast_to(block, (*batch, height, own)), right], axis=-1))
        before += own
    return np.concatenate(rows, axis=-2)


def diagsvd(s: Any, M: int, N: int) -> Any:
    """The M x N matrix with the vector `s`, of length M or N, on its diagonal."""
    s = as_tensor(s)
    if s.ndim < 1 or s.shape[-1] not in (M, N):
        raise ValueError(f"s must have length M or N, {M} or {N}, got shape {s.shape}")
    length = s.shape[-1]
    square = s[..., None] * np.eye(length, N, dtype=np.real(value_of(s)).dtype)
    return (
        square[..., :M, :]
        if length >= M
        else np.concatenate([square, np.zeros((*s.shape[:-1], M - length, N), value_of(s).dtype)], axis=-2)
    )


def khatri_rao(a: Any, b: Any) -> Any:
    """The Kronecker products of the columns of `a` and `b`, column by column."""
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a and b must be matrices with as many columns, got shapes {a.shape} and {b.shape}")
    product = a[..., :, None, :] * b[..., None, :, :]
    return product.reshape((*product.shape[:-3], a.shape[-2] * b.shape[-2], a.shape[-1]))


TABLE = table(
    toeplitz,
    circulant,
    hankel,
    companion,
    leslie,
    fiedler,
    convolution_matrix,
    block_diag,
    diagsvd,
    khatri_rao,
)
