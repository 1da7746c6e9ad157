"""Products of matrices and linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering.aten.reduce import norm
from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules, data, is_complex, squared
from pytest_gradcheck.frameworks.torch.lowering.tape import Array
from reference_engine.primitives import Primitive


def _h(a: Any) -> Any:
    """Conjugate transpose of each matrix."""
    return np.conjugate(np.swapaxes(a, -1, -2))


def _info(a: Any) -> Any:
    """LAPACK's info value for success; NumPy raises on failure."""
    return np.zeros(a.shape[:-2], np.int32)


def plus_product(x: Any, product: Any, beta: Any, alpha: Any) -> Any:
    """beta x + alpha product, where beta = 0 means that x is not looked at."""
    product = product if alpha == 1 else alpha * product
    if beta == 0:
        return product
    return (x if beta == 1 else beta * x) + product


def cholesky(a: Any, upper: bool = False) -> Any:
    """The triangular factor. Only the lower triangle of ``a`` counts, or the upper one."""
    a = _h(np.triu(a)) if upper else np.tril(a)
    strict = np.tril(a, -1)
    factor = np.linalg.cholesky(a + _h(strict))
    return _h(factor) if upper else factor


def triangular(a: Any, upper: bool, unitriangular: bool) -> Any:
    """The triangle that counts, as a full matrix."""
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        eye = np.eye(a.shape[-1])
        a = a * (1 - eye) + eye
    return a


def solve_triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """X with A X = B, or X A = B."""
    return _solve(triangular(a, upper, unitriangular), b, left)


def _t(a: Any) -> Any:
    """Transpose of each matrix."""
    return np.swapaxes(a, -1, -2)


def _solve(a: Any, b: Any, left: bool = True) -> Any:
    if not left:
        return _t(_solve(_t(a), _t(b)))
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (m if m.shape[:-2] == batch else np.broadcast_to(m, (*batch, *m.shape[-2:])) for m in (a, b))
    return np.linalg.solve(a, b)


def _column(a: Any, b: Any) -> tuple[Any, Any]:
    """The right side of A X = B as matrices, and a function that gives the result the dimensions of ``b``."""
    if b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1]):
        return np.expand_dims(b, -1), lambda x: np.squeeze(x, axis=-1)
    return b, lambda x: x


def solve_ex(a: Any, b: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    """``_linalg_solve_ex``: solution first; the factors are for torch's backward only."""
    b, shaped = _column(a, b)
    return shaped(_solve(a, b, left)), None, None, _info(a)


def eigh_input(a: Any, uplo: str) -> Any:
    """The Hermitian matrix that one triangle stands for."""
    lower = np.tril(a, -1) if uplo == "L" else _h(np.triu(a, 1))
    return lower + _h(lower) + np.real(a) * np.eye(a.shape[-1])


def eigh(a: Any, uplo: str = "L", compute_v: bool = True) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, one triangle of which counts."""
    a = eigh_input(a, uplo)
    return tuple(np.linalg.eigh(a)) if compute_v else (np.linalg.eigvalsh(a), None)


def _complex(a: Any) -> Any:
    """NumPy gives real numbers where every eigenvalue happens to be real."""
    return a if is_complex(a) else a.astype(np.result_type(a.dtype, np.complex64))


def svd(a: Any, full_matrices: bool = False, compute_uv: bool = True, *, driver: Any = None) -> Any:
    """Singular value decomposition."""
    if not compute_uv:
        return None, np.linalg.svd(a, compute_uv=False), None
    return tuple(np.linalg.svd(a, full_matrices=full_matrices))


def qr(a: Any, mode: str = "reduced") -> Any:
    """QR decomposition."""
    if mode == "r":
        return None, np.linalg.qr(a, mode="reduced")[1]
    return tuple(np.linalg.qr(a, mode="complete" if mode == "complete" else "reduced"))


def _from_factor(factor: Any, upper: bool) -> Any:
    factor = triangular(factor, upper, False)
    return _h(factor) @ factor if upper else factor @ _h(factor)


def cholesky_solve(b: Any, factor: Any, upper: bool = False) -> Any:
    """X with A X = B, given the factor of A."""
    return _solve(_from_factor(factor, upper), b)


def cholesky_inverse(factor: Any, upper: bool = False) -> Any:
    """The inverse of A, given the factor of A."""
    return np.linalg.inv(_from_factor(factor, upper))


def lu_factor(a: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """``linalg_lu_factor_ex``: both factors in one matrix, LAPACK's row exchanges, no error."""
    rows, k = a.shape[-2], min(a.shape[-2:])
    if pivot:
        exchanges = np.asarray(torch.linalg.lu_factor_ex(torch.from_numpy(np.array(data(a))))[1].numpy())
    else:
        exchanges = np.broadcast_to(np.arange(1, k + 1, dtype=np.int32), (*a.shape[:-2], k))
    ordered = np.take_along_axis(a, _order(exchanges, rows)[..., None], axis=-2)
    return _factor(ordered), exchanges, _info(a)


def _order(exchanges: Array, rows: int) -> Array:
    """The order of rows that LAPACK's exchanges (counted from one) lead to."""
    order = np.broadcast_to(np.arange(rows), (*exchanges.shape[:-1], rows)).copy()
    for at in np.ndindex(exchanges.shape[:-1]):
        for i, j in enumerate(exchanges[at]):
            order[at][[i, j - 1]] = order[at][[j - 1, i]]
    return order


def _doolittle(a: Array) -> Array:
    a = np.array(a)
    for k in range(min(a.shape[-2:])):
        a[..., k + 1 :, k] /= a[..., k, k][..., None]
        a[..., k + 1 :, k + 1 :] -= a[..., k + 1 :, k, None] * a[..., None, k, k + 1 :]
    return a


def _factor_rule(g: Any, packed: Any, a: Any) -> Any:
    """A = L U: the cotangent of A is L^-H (tril(L^H gL, -1) + triu(gU U^H)) U^-H."""
    low, up = triangular(packed, False, True), np.triu(packed)
    inner = np.tril(_h(low) @ np.tril(g, -1), -1) + np.triu(np.triu(g) @ _h(up))
    return _h(np.linalg.solve(up, _h(np.linalg.solve(_h(low), inner))))


_factor_square: Primitive = Primitive("lu", _doolittle, (_factor_rule,))


def _factor(a: Any) -> Any:
    """L and U of a matrix in one, without exchanges of rows.

    The leading square has factors of its own, and what lies next to or below it follows from them.
    """
    rows, columns = a.shape[-2:]
    k = min(rows, columns)
    packed = _factor_square(a[..., :k, :k])
    if columns > k:
        beside = np.linalg.solve(triangular(packed, False, True), a[..., :, k:])
        return np.concatenate([packed, beside], axis=-1)
    if rows > k:
        up = np.triu(packed)
        return np.concatenate([packed, _solve(up, a[..., k:, :], left=False)], axis=-2)
    return packed


def lu(a: Any, *, pivot: bool = True) -> Any:
    """``linalg_lu``: the permutation matrix and both factors."""
    packed, exchanges, _ = lu_factor(a, pivot=pivot)
    return lu_unpack(packed, exchanges)


def lu_unpack(packed: Any, exchanges: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """Permutation matrix and both factors from LAPACK's storage."""
    rows, k = packed.shape[-2], min(packed.shape[-2:])
    permutation = np.swapaxes(np.eye(rows)[_order(data(exchanges), rows)], -1, -2)
    low = np.tril(packed[..., :k], -1) + np.eye(rows, k)
    return permutation, low, np.triu(packed[..., :k, :])


def lu_solve(packed: Any, exchanges: Any, b: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """X with A X = B, given the factors of A."""
    permutation, low, up = lu_unpack(packed, exchanges)
    a = permutation @ low @ up
    return _solve(_h(a) if adjoint else a, b, left)


def _exponential(a: Array) -> Array:
    return np.asarray(torch.linalg.matrix_exp(torch.from_numpy(np.array(a))).numpy())


def _exponential_rule(g: Any, _: Any, a: Any) -> Any:
    """The upper right block of exp([[A^H, G], [0, A^H]]) (Mathias 1996, Theorem 2.1)."""
    n, h = a.shape[-1], _h(a)
    above = np.concatenate([h, g], axis=-1)
    below = np.concatenate([np.zeros(g.shape, g.dtype), h], axis=-1)
    return matrix_exp(np.concatenate([above, below], axis=-2))[..., :n, n:]


matrix_exp: Primitive = Primitive("matrix_exp", _exponential, (_exponential_rule,))
"""The matrix exponential."""


def pinv(a: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """Moore-Penrose inverse; singular values up to the larger tolerance are zero."""
    a = eigh_input(a, "L") if hermitian else a
    largest = np.linalg.svd(data(a), compute_uv=False)[..., :1] if min(a.shape[-2:]) else np.zeros(1)
    eps = np.finfo(a.dtype).eps * max(a.shape[-2:])
    atol = 0.0 if atol is None else data(atol)[..., None]
    rtol = (0.0 if np.any(atol) else eps) if rtol is None else data(rtol)[..., None]
    cut = np.maximum(atol, rtol * largest) / np.where(largest == 0, 1, largest)
    return np.linalg.pinv(a, rcond=np.squeeze(cut, axis=-1) if np.ndim(cut) > 1 else cut.item())


def householder_product(a: Any, tau: Any) -> Any:
    """The first columns of the product of reflections I - tau v v^H."""
    rows, columns = a.shape[-2:]
    q = np.broadcast_to(np.eye(rows, columns), a.shape).astype(a.dtype)
    for i in reversed(range(tau.shape[-1])):
        q = _reflect(a, tau, i, q)
    return q


def _reflect(a: Any, tau: Any, i: int, b: Any, conjugate: bool = False) -> Any:
    ahead = np.eye(a.shape[-2])[i]
    v = np.expand_dims(a[..., :, i] * (np.arange(a.shape[-2]) > i) + ahead, -1)
    t = np.conjugate(tau[..., i]) if conjugate else tau[..., i]
    return b - np.expand_dims(t, (-1, -2)) * (v @ (_h(v) @ b))


def ormqr(a: Any, tau: Any, b: Any, left: bool = True, transpose: bool = False) -> Any:
    """The product of reflections, or its conjugate transpose, times a matrix from either side."""
    if not left:
        return _h(ormqr(a, tau, _h(b), True, not transpose))
    order = range(tau.shape[-1]) if transpose else reversed(range(tau.shape[-1]))
    for i in order:
        b = _reflect(a, tau, i, b, conjugate=transpose)
    return b


def lstsq(a: Any, b: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    """The least-squares solution, and what LAPACK's driver returns with it."""
    b, shaped = _column(a, b)
    x = np.linalg.pinv(a) @ b
    none = np.zeros(0, a.dtype)
    rank = np.linalg.matrix_rank(data(a)) if driver != "gels" else np.zeros(0, np.int64)
    residuals, (rows, columns) = none, a.shape[-2:]
    if rows > columns and driver not in ("gelsy", None) and np.all(rank == columns):
        # Not the square of the absolute value, which has a kink where the fit is exact.
        off = b - a @ x
        residuals = np.sum(squared(off), axis=-2)
    values = np.linalg.svd(a, compute_uv=False) if driver in ("gelsd", "gelss") else none
    return shaped(x), residuals, rank, values


def cdist(x: Any, y: Any, p: float, compute_mode: Any = None) -> Any:
    """Distances of all rows of ``x`` from all rows of ``y`` in the p-norm."""
    return norm(np.expand_dims(x, -2) - np.expand_dims(y, -3), p, -1)


def pdist(x: Any, p: float = 2) -> Any:
    """Distances of all pairs of rows in the p-norm."""
    i, j = np.triu_indices(data(x).shape[0], 1)
    return norm(x[i] - x[j], p, -1)


RULES: Rules = {
    **dict.fromkeys(["mm", "bmm", "mv"], lambda a, b: a @ b),
    "dot": lambda x, y: np.sum(x * y),
    "vdot": lambda x, y: np.sum(np.conjugate(x) * y),
    "addbmm": lambda x, a, b, *, beta=1, alpha=1: plus_product(x, np.sum(a @ b, axis=0), beta, alpha),
    **dict.fromkeys(
        ["addmm", "baddbmm", "addmv"],
        lambda x, a, b, *, beta=1, alpha=1: plus_product(x, a @ b, beta, alpha),
    ),
    "addr": lambda x, a, b, *, beta=1, alpha=1: plus_product(x, np.expand_dims(a, 1) * b, beta, alpha),
    "_cdist_forward": cdist,
    "_euclidean_dist": lambda x, y: cdist(x, y, 2.0),
    "_pdist_forward": pdist,
    "linalg_cholesky_ex": lambda a, *, upper=False, check_errors=False: (cholesky(a, upper), _info(a)),
    "cholesky": cholesky,
    "cholesky_solve": cholesky_solve,
    "cholesky_inverse": cholesky_inverse,
    "linalg_inv_ex": lambda a, *, check_errors=False: (np.linalg.inv(a), _info(a)),
    "_linalg_solve_ex": solve_ex,
    "linalg_solve_triangular": solve_triangular,
    "triangular_solve": lambda b, a, upper=True, transpose=False, unitriangular=False: (
        _solve(
            _t(triangular(a, upper, unitriangular)) if transpose else triangular(a, upper, unitriangular), b
        ),
        a,
    ),
    # What else it returns is for torch's backward only.
    "_linalg_det": lambda a: (np.linalg.det(a), None, None),
    "_linalg_slogdet": lambda a: (*np.linalg.slogdet(a), None, None),
    "_linalg_eigh": eigh,
    "linalg_eig": lambda a: tuple(map(_complex, np.linalg.eig(a))),
    "_linalg_svd": svd,
    "linalg_qr": qr,
    "linalg_lu_factor_ex": lu_factor,
    "linalg_lu": lu,
    "lu_unpack": lu_unpack,
    "linalg_lu_solve": lu_solve,
    "linalg_matrix_exp": matrix_exp,
    "linalg_pinv": pinv,
    "linalg_householder_product": householder_product,
    "ormqr": ormqr,
    "linalg_lstsq": lstsq,
}
