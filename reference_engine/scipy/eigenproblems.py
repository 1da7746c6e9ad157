"""Eigenvalues, singular values and the subspaces of `scipy.linalg`.

Rules are those of `numpy.linalg` here. Vectors of equal eigenvalues or singular values have no derivative:
the division by 0 stays. For the generalised problems see S. Walter, "Structured higher-order algorithmic
differentiation in the forward and reverse mode with application in optimum experimental design" (2012), and
M. Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import adjoint, conj, is_complex
from reference_engine.primitives import value_of
from reference_engine.rules import linalg as rules
from reference_engine.scipy.front import define, table
from reference_engine.scipy.matrices import dense_band, full_band, mirrored, only_thin, sl
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- vectors as scipy has them


def _aligned(vectors: Any, model: Any) -> Any:
    """Unit vectors, in columns, times constant signs or phases that turn them to those of `model`."""
    turn = np.sum(conj(value_of(vectors)) * model, axis=-2, keepdims=True)
    size = np.abs(turn)
    return vectors * (turn / np.where(size > 0, size, 1.0)).astype(value_of(vectors).dtype)


def _selected(w: Any, v: Any, values: Any, vectors: Any) -> Any:
    """Of all pairs, in ascending order, the run that scipy has selected; `vectors` is None for values
    alone.
    """
    everything, count = value_of(w), values.shape[-1]
    distance = [
        np.abs(everything[..., i : i + count] - values).max(initial=0.0)
        for i in range(everything.shape[-1] - count + 1)
    ]
    start = int(np.argmin(distance))
    w = w[..., start : start + count]
    return w if vectors is None else (w, _aligned(v[..., start : start + count], vectors))


# ---------------------------------------------------------------------------- Hermitian matrices

eigh_ = define(
    "eigh",
    lambda a, *, uplo, driver: tuple(sl().eigh(a, lower=uplo == "L", driver=driver)),
    [lambda c, result, a, *, uplo, driver: rules._eigh_rule(c, result, a, uplo=uplo)],
    outputs=True,
)


def _generalised(argument: int) -> Callable[..., Any]:
    """The rule of a v = b v w (type 1), v^H b v = 1, by one of a and b.

    Type 3, b a v = v w, is type 1 with inv(b) in place of b, and type 2, a b v = v w, has inv(b) times the
    vectors of that.
    """

    def rule(cotangents: Any, result: Any, a: Any, b: Any, *, lower: bool, type: int, driver: Any) -> Any:
        c_w, c_v = cotangents
        w, v = result
        b = mirrored(b, lower=lower, hermitian=True)
        inverse = None if type == 1 else np.linalg.inv(b)
        outer: Any = 0.0
        if type == 2:
            # v = inverse @ x, with vectors x of type 1
            v = b @ v
            if c_v is not None:
                outer = c_v @ adjoint(v)
                c_v = adjoint(inverse) @ c_v
        n = w.shape[-1]
        diagonal = np.eye(n, dtype=bool)
        middle: Any = 0.0 if c_w is None else rules._on_diagonal(c_w)
        weight: Any = 0.0
        if c_v is not None:
            projected = adjoint(v) @ c_v
            middle = middle + np.where(diagonal, 0.0, projected / rules._gaps(w))
            weight = 0.5 * np.where(diagonal, np.real(projected), 0.0)
        if argument == 0:
            back = v @ middle @ adjoint(v)
        else:
            back = outer - v @ (middle * w[..., None, :] + weight) @ adjoint(v)
            if type != 1:
                back = -adjoint(inverse) @ back @ adjoint(inverse)
        return rules.in_triangle((back + adjoint(back)) * 0.5, lower)

    return rule


generalised_eigh_ = define(
    "generalised_eigh",
    lambda a, b, *, lower, type, driver: tuple(sl().eigh(a, b, lower=lower, type=type, driver=driver)),
    [_generalised(0), _generalised(1)],
    outputs=True,
)


def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    type: int = 1,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, or of a pair of one and a positive definite `b`.

    The gradient lies in the triangle that is read. A subset is taken of all eigenpairs.
    """
    subset = subset_by_index is not None or subset_by_value is not None
    a = as_tensor(a)
    # Drivers for a subset cannot be told to find everything in the same way.
    whole_driver = None if subset else driver
    if b is None:
        w, v = eigh_(a, uplo="L" if lower else "U", driver=whole_driver)
    else:
        b = as_tensor(b)
        w, v = generalised_eigh_(a, b, lower=lower, type=type, driver=whole_driver)
    if not subset:
        return w if eigvals_only else (w, v)
    found = sl().eigh(
        value_of(a), None if b is None else value_of(b), lower=lower, type=type, eigvals_only=eigvals_only,
        subset_by_index=subset_by_index, subset_by_value=subset_by_value, driver=driver,
    )  # fmt: skip
    return _selected(w, v, found, None) if eigvals_only else _selected(w, v, *found)


def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    type: int = 1,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """The eigenvalues that `eigh` gives."""
    return eigh(
        a, b, lower=lower, type=type, eigvals_only=True, subset_by_index=subset_by_index,
        subset_by_value=subset_by_value, driver=driver,
    )  # fmt: skip


def eig_banded(
    a_band: Any,
    lower: bool = False,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: Any = None,
    max_ev: int = 0,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian band matrix, in the time that the dense matrix takes.

    A stored entry stands for its mirror image too, and has the gradient of both.
    """
    a_band = as_tensor(a_band)
    width = a_band.shape[-2] - 1
    w, v = eigh_(dense_band(full_band(a_band, lower), width, width), uplo="L", driver=None)
    found = sl().eig_banded(
        value_of(a_band), lower=lower, eigvals_only=eigvals_only, select=select, select_range=select_range,
        max_ev=max_ev,
    )  # fmt: skip
    return _selected(w, v, found, None) if eigvals_only else _selected(w, v, *found)


def eigvals_banded(a_band: Any, lower: bool = False, select: str = "a", select_range: Any = None) -> Any:
    """The eigenvalues that `eig_banded` gives."""
    return eig_banded(a_band, lower, True, select, select_range)


def eigh_tridiagonal(
    d: Any, e: Any, eigvals_only: bool = False, select: str = "a", select_range: Any = None
) -> Any:
    """Eigenvalues and eigenvectors of the real symmetric matrix with diagonal `d` and `e` beside it."""
    d, e = as_tensor(d), as_tensor(e)
    if is_complex(d) or is_complex(e):
        raise TypeError(f"d and e must be real, got {d.dtype} and {e.dtype}")
    found = sl().eigh_tridiagonal(
        value_of(d), value_of(e), eigvals_only=eigvals_only, select=select, select_range=select_range
    )
    beside = np.concatenate([e, np.zeros((*e.shape[:-1], 1), e.dtype)], axis=-1)
    dense = dense_band(full_band(np.stack([d, beside], axis=-2), True), 1, 1)
    w, v = eigh_(dense, uplo="L", driver=None)
    return _selected(w, v, found, None) if eigvals_only else _selected(w, v, *found)


def eigvalsh_tridiagonal(d: Any, e: Any, select: str = "a", select_range: Any = None) -> Any:
    """The eigenvalues that `eigh_tridiagonal` gives."""
    return eigh_tridiagonal(d, e, True, select, select_range)


# ---------------------------------------------------------------------------- general matrices

eig_ = define("eig", lambda a: tuple(sl().eig(a)), [rules._eig_rule], outputs=True)


def _pencil_rule(argument: int) -> Callable[..., Any]:
    """a v = b v w has the eigenpairs of inv(b) a."""

    def rule(cotangents: Any, result: Any, a: Any, b: Any) -> Any:
        m = np.linalg.solve(b, a)
        back = np.linalg.solve(adjoint(b), rules._eig_rule(cotangents, result, m))
        return back if argument == 0 else -back @ adjoint(m)

    return rule


pencil_ = define(
    "generalised_eig",
    lambda a, b: tuple(sl().eig(a, b)),
    [_pencil_rule(0), _pencil_rule(1)],
    outputs=True,
)


def eig(a: Any, b: Any = None, left: bool = False, right: bool = True) -> Any:
    """Eigenvalues, with `left` unit vectors u with u^H a = w u^H b, with `right` unit vectors v with a v = w
    b v.

    Vectors have a derivative up to their phase only, as in torch; `b` must be regular.
    """
    a = as_tensor(a)
    if b is None:
        w, v = eig_(a)
    else:
        b = as_tensor(b)
        w, v = pencil_(a, b)
    results = [w]
    if left:
        u = adjoint(np.linalg.inv(v if b is None else b @ v))
        u = u / np.linalg.norm(u, axis=-2, keepdims=True)
        model = sl().eig(value_of(a), None if b is None else value_of(b), left=True, right=False)[1]
        results.append(_aligned(u, model))
    if right:
        results.append(v)
    return tuple(results) if len(results) > 1 else w


def eigvals(a: Any, b: Any = None) -> Any:
    """The eigenvalues that `eig` gives."""
    return eig(a, b, right=False)


# ---------------------------------------------------------------------------- singular values

svd_ = define(
    "svd",
    lambda a, *, driver: tuple(sl().svd(a, full_matrices=False, lapack_driver=driver)),
    [lambda c, result, a, *, driver: rules._svd_rule(c, result, a)],
    outputs=True,
)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, lapack_driver: str = "gesdd") -> Any:
    """u, s, vh with a = u s vh; for a matrix that is not square with full_matrices=False only."""
    a = as_tensor(a)
    if not compute_uv:
        return svdvals(a)
    if full_matrices and a.shape[-1] != a.shape[-2]:
        raise only_thin("svd", a.shape, "full_matrices=False")
    return svd_(a, driver=lapack_driver)


def svdvals(a: Any) -> Any:
    """The singular values."""
    return np.linalg.svdvals(as_tensor(a))


def orth(A: Any, rcond: Any = None) -> Any:
    """The left singular vectors of singular values above `rcond` times the largest: a basis of the range."""
    u, s, _ = svd_(as_tensor(A), driver="gesdd")
    sizes = value_of(s)
    rcond = np.finfo(sizes.dtype).eps * max(A.shape[-2:]) if rcond is None else rcond
    ranks = np.unique(np.sum(sizes > rcond * np.max(sizes, axis=-1, keepdims=True, initial=0.0), axis=-1))
    if ranks.size > 1:
        raise ValueError(f"A must hold matrices of one rank, got ranks {ranks.tolist()}")
    return u[..., : int(ranks[0])] if ranks.size else u


def subspace_angles(A: Any, B: Any) -> Any:
    """The angles between the ranges of `A` and `B`, whose columns must be linearly independent, the largest
    first.

    From sines where the angle is small and from cosines elsewhere (A. Knyazev and M. Argentati, 2002). Equal
    angles have no derivative, angles of 0 neither.
    """
    # Any orthonormal basis will do; that of QR has a derivative for equal singular values too.
    q_a, q_b = np.linalg.qr(as_tensor(A))[0], np.linalg.qr(as_tensor(B))[0]
    if q_a.shape[-2] != q_b.shape[-2]:
        raise ValueError(f"A and B must have as many rows, got {q_a.shape[-2]} and {q_b.shape[-2]}")
    if q_a.shape[-1] < q_b.shape[-1]:
        q_a, q_b = q_b, q_a
    both = adjoint(q_a) @ q_b
    cosines = np.linalg.svdvals(both)[..., ::-1]
    sines = np.linalg.svdvals(q_b - q_a @ both)
    small = value_of(cosines) ** 2 >= 0.5
    return np.where(
        small,
        np.arcsin(np.where(small, np.clip(sines, -1.0, 1.0), 0.0)),
        np.arccos(np.where(small, 0.0, np.clip(cosines, -1.0, 1.0))),
    )


TABLE = table(
    eigh,
    eigvalsh,
    eig_banded,
    eigvals_banded,
    eigh_tridiagonal,
    eigvalsh_tridiagonal,
    eig,
    eigvals,
    svd,
    svdvals,
    orth,
    subspace_angles,
)
