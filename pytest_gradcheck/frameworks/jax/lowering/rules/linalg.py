"""Products and factorizations of matrices, linear solves, and Fourier transforms.

A factorization is unique up to signs or phases. JAX and NumPy may choose different ones: JAX's forward value
determines them, and the engine's factors are adapted by constants.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.jax.lowering.tools import Rules, adjoint, conj, data, is_complex

Array = np.ndarray[Any, Any]


def _dot(p: Any, x: Any, y: Any) -> Any:
    """Return the product of two arrays over some axes, side by side over others."""
    (x_over, y_over), (x_beside, y_beside) = p.dimension_numbers
    x_free = [axis for axis in range(x.ndim) if axis not in (*x_over, *x_beside)]
    y_free = [axis for axis in range(y.ndim) if axis not in (*y_over, *y_beside)]
    beside = [x.shape[axis] for axis in x_beside]
    over = math.prod(x.shape[axis] for axis in x_over)
    rows, columns = [x.shape[axis] for axis in x_free], [y.shape[axis] for axis in y_free]
    left = np.reshape(np.transpose(x, (*x_beside, *x_free, *x_over)), (*beside, math.prod(rows), over))
    right = np.reshape(np.transpose(y, (*y_beside, *y_over, *y_free)), (*beside, over, math.prod(columns)))
    return np.reshape(left @ right, (*beside, *rows, *columns))


def _triangle(a: Any, lower: bool, unit: bool = False) -> Any:
    strict = np.tril(a, -1) if lower else np.triu(a, 1)
    ones = np.eye(a.shape[-1], dtype=a.dtype)
    return strict + (ones if unit else a * ones)


def _triangular_solve(p: Any, a: Any, b: Any) -> Any:
    a = _triangle(a, p.lower, p.unit_diagonal)
    a = conj(a) if p.conjugate_a else a
    a = np.swapaxes(a, -1, -2) if p.transpose_a else a
    if p.left_side:
        return np.linalg.solve(a, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


def _hermitian(a: Any, lower: bool) -> Any:
    """Return the Hermitian matrix that one triangle stands for."""
    below = np.tril(a, -1) if lower else adjoint(np.triu(a, 1))
    diagonal = np.real(a) if is_complex(a) else a
    return below + adjoint(below) + diagonal * np.eye(a.shape[-1])


def _cholesky(p: Any, a: Any) -> Any:
    return np.linalg.cholesky(_hermitian(a, True))


def _phases(ours: Any, theirs: Array, axis: int) -> Array:
    """Return the constants by which vectors along an axis differ from JAX's."""
    dot = np.sum(np.conjugate(np.asarray(data(ours))) * theirs, axis=axis, keepdims=True)
    size = np.abs(dot)
    return np.asarray(np.where(size > 0, dot / np.where(size > 0, size, 1.0), 1.0))


def _theirs(p: Any, name: str, *operands: Any) -> list[Array]:
    """Return what JAX's own forward computation gives for these values."""
    import jax.numpy as jnp
    from jax.extend.core import primitives as known

    from pytest_gradcheck.frameworks.jax import precision

    params = {k: v for k, v in vars(p).items() if k not in ("replay", "outs", "out")}
    with precision.double():
        arrays = [jnp.asarray(np.asarray(data(x))) for x in operands]
        found = getattr(known, f"{name}_p").bind(*arrays, **params)
    return [np.asarray(each) for each in (found if isinstance(found, list | tuple) else [found])]


def _eigh(p: Any, a: Any) -> Any:
    values, vectors = np.linalg.eigh(_hermitian(a, p.lower))
    theirs = _theirs(p, "eigh", a)[0]
    if p.subset_by_index is not None:
        start, end = p.subset_by_index
        values, vectors = values[..., start:end], vectors[..., start:end]
    return vectors * _phases(vectors, theirs, -2), values


def _svd(p: Any, a: Any) -> Any:
    if not p.compute_uv:
        return [np.linalg.svd(a, compute_uv=False)]
    u, s, vh = np.linalg.svd(a, full_matrices=p.full_matrices)
    theirs_u = _theirs(p, "svd", a)[1]
    phases = _phases(u, theirs_u, -2)
    count = s.shape[-1]
    back = np.swapaxes(np.conjugate(phases[..., :count]), -1, -2)
    if vh.shape[-2] > count:
        rest = np.ones((*back.shape[:-2], vh.shape[-2] - count, 1))
        back = np.concatenate([back, rest], axis=-2)
    return s, u * phases, back * vh


def _qr(p: Any, a: Any) -> Any:
    if p.pivoting:
        from pytest_gradcheck.errors import Unavailable

        raise Unavailable("qr with pivoting has no rule on the engine")
    q, r = np.linalg.qr(a, mode="complete" if p.full_matrices else "reduced")
    phases = _phases(q, _theirs(p, "qr", a)[0], -2)
    back = np.swapaxes(np.conjugate(phases), -1, -2)
    return q * phases, back[..., : r.shape[-2], :] * r


def _lu(p: Any, a: Any) -> Any:
    """Return both factors in one matrix, pivots, and the order of the rows, which is a constant."""
    from reference_engine.scipy.factorizations import lu_factor

    _, pivots, order = _theirs(p, "lu", a)
    ordered = np.take_along_axis(a, order[..., None], axis=-2)
    # Ordered already: nothing is left to exchange but ties.
    return lu_factor(ordered)[0], pivots, order


def _eig(p: Any, a: Any) -> Any:
    values, vectors = np.linalg.eig(a.astype(np.complex128))
    found = [values]
    theirs = _theirs(p, "eig", a)
    if p.compute_left_eigenvectors:
        from pytest_gradcheck.errors import Unavailable

        raise Unavailable("left eigenvectors have no rule on the engine")
    if p.compute_right_eigenvectors:
        found.append(vectors * _phases(vectors, theirs[-1], -2))
    return found


def _tridiagonal_solve(p: Any, below: Any, diagonal: Any, above: Any, b: Any) -> Any:
    n = diagonal.shape[-1]
    eye = np.eye(n)
    a = np.expand_dims(diagonal, -1) * eye
    a = a + np.expand_dims(below, -1) * np.eye(n, k=-1) + np.expand_dims(above, -1) * np.eye(n, k=1)
    return np.linalg.solve(a, b)


def _fft(p: Any, x: Any) -> Any:
    axes = tuple(range(-len(p.fft_lengths), 0))
    kind = str(getattr(p.fft_type, "name", p.fft_type)).upper()
    if kind in ("FFT", "IFFT"):
        return (np.fft.fftn if kind == "FFT" else np.fft.ifftn)(x, axes=axes)
    if kind == "RFFT":
        return np.fft.rfftn(x, axes=axes)
    return np.fft.irfftn(x, s=p.fft_lengths, axes=axes)


RULES: Rules = {
    "dot_general": _dot,
    "triangular_solve": _triangular_solve,
    "tridiagonal_solve": _tridiagonal_solve,
    "cholesky": _cholesky,
    "eigh": _eigh,
    "eig": _eig,
    "svd": _svd,
    "qr": _qr,
    "lu": _lu,
    "fft": _fft,
}
