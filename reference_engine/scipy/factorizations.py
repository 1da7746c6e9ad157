"""LU, Cholesky, QR, RQ and polar factors of `scipy.linalg`, and what is solved with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.definitions import adjoint
from reference_engine.primitives import value_of
from reference_engine.scipy.front import define, table
from reference_engine.scipy.matrices import is_vector, only_thin, permuted_rows, right_solve, sl
from reference_engine.scipy.matrix_equations import sylvester_
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- LU


def _order(pivots: Any, rows: int) -> Any:
    """The order of the rows that the interchanges `pivots` of LAPACK make, for each matrix."""
    pivots = np.asarray(value_of(pivots))
    order = np.broadcast_to(np.arange(rows), (*pivots.shape[:-1], rows)).copy()
    for i in range(pivots.shape[-1]):
        other = pivots[..., i : i + 1]
        held = np.take_along_axis(order, other, axis=-1)
        np.put_along_axis(order, other, order[..., i : i + 1], axis=-1)
        order[..., i : i + 1] = held
    return order


def _unpacked(lu: Any) -> tuple[Any, Any]:
    """The unit lower and the upper factor out of the one array that holds both."""
    rows, columns = lu.shape[-2:]
    count = min(rows, columns)
    lower = np.tril(lu[..., :count], -1) + np.eye(rows, count, dtype=value_of(lu).dtype)
    return lower, np.triu(lu[..., :count, :])


def _lu_rule(cotangents: Any, result: Any, a: Any) -> Any:
    """S. Axen, "Differentiating the LU decomposition" (2021), pivots being constant between their jumps.

    What is beyond the leading square is solved for it: L2 = A2 inv(U), U2 = inv(L) A2.
    """
    c = cotangents[0]
    lu, pivots = result
    rows, columns = a.shape[-2:]
    count = min(rows, columns)
    lower, upper = _unpacked(lu)
    c_lower, c_upper = np.tril(c[..., :count], -1), np.triu(c[..., :count, :])
    square_l, square_u = lower[..., :count, :], upper[..., :count]
    beyond = None
    if rows > count:
        beyond = right_solve(adjoint(square_u), c_lower[..., count:, :])
        c_upper = c_upper - adjoint(lower[..., count:, :]) @ beyond
    elif columns > count:
        beyond = np.linalg.solve(adjoint(square_l), c_upper[..., count:])
        c_lower = c_lower - beyond @ adjoint(upper[..., count:])
    middle = np.tril(adjoint(square_l) @ c_lower[..., :count, :], -1)
    middle = middle + np.triu(c_upper[..., :count] @ adjoint(square_u))
    back = right_solve(adjoint(square_u), np.linalg.solve(adjoint(square_l), middle))
    if beyond is not None:
        back = np.concatenate([back, beyond], axis=-2 if rows > count else -1)
    return permuted_rows(back, np.argsort(_order(pivots, rows), axis=-1))


lu_factor_ = define("lu_factor", lambda a: tuple(sl().lu_factor(a)), [_lu_rule], outputs=True)


def lu_factor(a: Any) -> Any:
    """L and U in one array, and the pivots; the leading square must be regular."""
    return lu_factor_(as_tensor(a))


def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> Any:
    """P, L, U with a = P L U; the leading square must be regular, and the order of the rows is constant."""
    packed, pivots = lu_factor(a)
    lower, upper = _unpacked(packed)
    rows = packed.shape[-2]
    back = np.argsort(_order(pivots, rows), axis=-1)
    if permute_l:
        return permuted_rows(lower, back), upper
    if p_indices:
        return back.astype(np.int32), lower, upper
    return (back[..., None] == np.arange(rows)).astype(np.real(value_of(packed)).dtype), lower, upper


def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0) -> Any:
    """x with a x = b (`trans` 1: with a^T, 2: with a^H) from the result of `lu_factor`."""
    if trans not in (0, 1, 2):
        raise ValueError(f"trans must be 0, 1 or 2, got {trans!r}")
    packed, pivots = lu_and_piv
    packed, b = as_tensor(packed), as_tensor(b)
    lower, upper = _unpacked(packed)
    order = _order(pivots, packed.shape[-2])
    columns = b[:, None] if is_vector(b) else b
    if trans == 0:
        x = np.linalg.solve(upper, np.linalg.solve(lower, permuted_rows(columns, order)))
    else:
        lower, upper = (adjoint(f) if trans == 2 else np.matrix_transpose(f) for f in (lower, upper))
        x = np.linalg.solve(lower, np.linalg.solve(upper, columns))
        x = permuted_rows(x, np.argsort(order, axis=-1))
    return x[..., 0] if is_vector(b) else x


# ---------------------------------------------------------------------------- Cholesky


def cholesky(a: Any, lower: bool = False) -> Any:
    """The upper or lower Cholesky factor; the gradient lies in the triangle that is read."""
    return np.linalg.cholesky(as_tensor(a), upper=not lower)


def cho_factor(a: Any, lower: bool = False) -> Any:
    """The Cholesky factor and `lower`; in the other triangle stands what was in `a`, as a constant."""
    a = as_tensor(a)
    other = value_of(a)
    return cholesky(a, lower) + (np.triu(other, 1) if lower else np.tril(other, -1)), lower


def cho_solve(c_and_lower: Any, b: Any) -> Any:
    """x with a x = b from the result of `cho_factor`."""
    c, lower = c_and_lower
    c, b = as_tensor(c), as_tensor(b)
    factor = np.tril(c) if lower else adjoint(np.triu(c))
    return np.linalg.solve(adjoint(factor), np.linalg.solve(factor, b))


# ---------------------------------------------------------------------------- QR and RQ


def qr(a: Any, mode: str = "full", pivoting: bool = False) -> Any:
    """Q and R, with `pivoting` the order of the columns too, which is constant; mode "r" gives R alone in a
    tuple.

    The leading columns must be linearly independent (S. Walter et al., "Algorithmic differentiation of linear
    algebra functions", 2010).

    Errors: NotImplementedError for mode "full" with more rows than columns, where Q is not determined.
    """
    a = as_tensor(a)
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"mode of a Tensor must be 'full', 'economic' or 'r', got {mode!r}")
    rows, columns = a.shape[-2:]
    if mode == "full" and rows > columns:
        raise only_thin("qr", a.shape, "mode='economic'")
    order: tuple[Any, ...] = ()
    if pivoting:
        order = (np.asarray(sl().qr(value_of(a), mode="r", pivoting=True)[1]),)
        a = np.matrix_transpose(permuted_rows(np.matrix_transpose(a), order[0]))
    q, r = np.linalg.qr(a)
    if mode == "r":
        if rows > columns:
            r = np.concatenate([r, np.zeros((*r.shape[:-2], rows - columns, columns), r.dtype)], axis=-2)
        return (r, *order)
    return (q, r, *order)


def rq(a: Any, mode: str = "full") -> Any:
    """R and Q with a = R Q, mode "r" gives R alone: the QR factors of the adjoint, backwards.

    The last rows must be linearly independent.

    Errors: NotImplementedError for mode "full" with more columns than rows, where Q is not determined.
    """
    a = as_tensor(a)
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"mode must be 'full', 'economic' or 'r', got {mode!r}")
    rows, columns = a.shape[-2:]
    if mode == "full" and columns > rows:
        raise only_thin("rq", a.shape, "mode='economic'")
    q, r = np.linalg.qr(adjoint(a[..., ::-1, ::-1]))
    q, r = adjoint(q)[..., ::-1, ::-1], adjoint(r)[..., ::-1, ::-1]
    if mode == "r":
        if columns > rows:
            r = np.concatenate([np.zeros((*r.shape[:-2], rows, columns - rows), r.dtype), r], axis=-1)
        return r
    return r, q


# ---------------------------------------------------------------------------- polar factors


def _unitary(a: Any) -> Any:
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return u @ vh


def _unitary_rule(c: Any, u: Any, a: Any) -> Any:
    """With a = u p, u^H du is the skew x of p x + x p = u^H da - da^H u (N. Higham, "Functions of
    Matrices", 2008, §8).
    """
    if a.shape[-2] < a.shape[-1]:
        return adjoint(_unitary_rule(adjoint(c), adjoint(u), adjoint(a)))
    p = adjoint(u) @ a
    p = (p + adjoint(p)) * 0.5
    x = sylvester_(p, p, adjoint(u) @ c)
    back = u @ (x - adjoint(x))
    if a.shape[-2] > a.shape[-1]:
        back = back + right_solve(p, c - u @ (adjoint(u) @ c))
    return back


unitary_ = define("unitary_factor", _unitary, [_unitary_rule])


def polar(a: Any, side: str = "right") -> Any:
    """u and p with a = u p (side "left": a = p u), u with orthonormal columns or rows, p positive
    semidefinite.

    For matrices of full rank; the singular values may be equal.
    """
    if side not in ("right", "left"):
        raise ValueError(f"side must be 'right' or 'left', got {side!r}")
    a = as_tensor(a)
    u = unitary_(a)
    p = adjoint(u) @ a if side == "right" else a @ adjoint(u)
    return u, (p + adjoint(p)) * 0.5


def orthogonal_procrustes(A: Any, B: Any) -> Any:
    """The unitary R nearest to taking A to B, and the sum of the singular values of A^H B, which must be
    regular.
    """
    A, B = as_tensor(A), as_tensor(B)
    if A.ndim < 2 or A.shape != B.shape:
        raise ValueError(f"A and B must be matrices of one shape, got {A.shape} and {B.shape}")
    product = adjoint(A) @ B
    return unitary_(product), np.sum(np.linalg.svdvals(product), axis=-1)


TABLE = table(
    lu_factor, lu, lu_solve, cholesky, cho_factor, cho_solve, qr, rq, polar, orthogonal_procrustes,
)  # fmt: skip
