"""Linear equations, inverses, determinants and norms of `scipy.linalg`.

With x = inv(a) b, the cotangent c of x gives y = inv(a)^H c for b and -y x^H for a (M. Giles, "An extended
collection of matrix derivative results for forward and reverse mode algorithmic differentiation", 2008,
section 2); for a band or a Toeplitz matrix, the sums of the latter over the entries that one parameter
stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.definitions import adjoint, conj, is_complex
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules import linalg as rules
from reference_engine.rules.index import scatter
from reference_engine.scipy.front import define, table
from reference_engine.scipy.matrices import (
    adjoint_band,
    band_index,
    full_band,
    is_vector,
    mirrored,
    sl,
)
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- dense matrices


def _as_assumed(a: Any, assume_a: str | None, lower: bool) -> Any:
    """The matrix that scipy reads where it is told to look at a part only."""
    if assume_a in (None, "gen", "general", "banded"):
        return a
    if assume_a in ("sym", "symmetric"):
        return mirrored(a, lower=lower, hermitian=False)
    if assume_a in ("her", "hermitian"):
        return mirrored(a, lower=lower, hermitian=True)
    if assume_a in ("pos", "positive definite"):
        a = mirrored(a, lower=lower, hermitian=True)
        np.linalg.cholesky(value_of(a))  # for its LinAlgError
        return a
    bands = {
        "diagonal": (0, 0),
        "tridiagonal": (-1, 1),
        "upper triangular": (0, None),
        "lower triangular": (None, 0),
    }
    if assume_a not in bands:
        raise ValueError(
            f"assume_a must be a structure that scipy.linalg knows, such as 'pos', got {assume_a!r}"
        )
    lowest, highest = bands[assume_a]
    a = a if highest is None else np.tril(a, highest)
    return a if lowest is None else np.triu(a, lowest)


def solve(a: Any, b: Any, lower: bool = False, assume_a: str | None = None, transposed: bool = False) -> Any:
    """x with a x = b, for `b` of shape (n,) or (..., n, k).

    Where `assume_a` says that one triangle stands for the whole, the gradient lies in that triangle. A
    transposed complex matrix is solved too.

    Errors: LinAlgError for a singular matrix, and for one that is not positive definite though assumed to be.
    """
    a = _as_assumed(as_tensor(a), assume_a, lower)
    return np.linalg.solve(np.matrix_transpose(a) if transposed else a, as_tensor(b))


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """x with a x = b (`trans` 1 or "T": with a^T, 2 or "C": with a^H); nothing flows to what is not read."""
    kinds: dict[int | str, int] = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}
    if trans not in kinds:
        raise ValueError(f"trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    a = as_tensor(a)
    if (kind := kinds[trans]) != 0:
        a, lower = np.matrix_transpose(a) if kind == 1 else adjoint(a), not lower
    return rules.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal)


def inv(a: Any, *, assume_a: str | None = None, lower: bool = False) -> Any:
    """The inverse; `assume_a` and `lower` as for `solve`."""
    return np.linalg.inv(_as_assumed(as_tensor(a), assume_a, lower))


def det(a: Any) -> Any:
    """The determinant, in double precision; its derivative is right for singular matrices too."""
    a = as_tensor(a)
    return np.linalg.det(a.astype(np.result_type(a.dtype, np.float64)))


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As `numpy.linalg.norm`, of which the derivative is 0 at 0."""
    return np.linalg.norm(as_tensor(a), ord, axis, keepdims)


# ---------------------------------------------------------------------------- least squares


def _cutoff(sizes: Any, shape: tuple[int, ...], atol: Any, rtol: Any) -> Any:
    """What a singular value must exceed to count."""
    rtol = max(shape[-2:]) * np.finfo(sizes.dtype).eps if rtol is None else rtol
    atol = 0.0 if atol is None else atol
    if atol < 0 or rtol < 0:
        raise ValueError(f"atol and rtol must not be negative, got {atol!r} and {rtol!r}")
    return atol + rtol * np.max(sizes, axis=-1, initial=0.0)


def _pinv(a: Any, atol: Any, rtol: Any, hermitian: bool, return_rank: bool) -> Any:
    value = value_of(a)
    sizes = np.abs(np.linalg.eigvalsh(value)) if hermitian else np.linalg.svdvals(value)
    cutoff = _cutoff(sizes, a.shape, atol, rtol)
    top = np.max(sizes, axis=-1, initial=0.0)
    relative = cutoff / np.where(top > 0, top, 1.0)
    result = rules.pinv_(a, rcond=relative, hermitian=hermitian)
    return (result, np.sum(sizes > cutoff[..., None], axis=-1)) if return_rank else result


def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False) -> Any:
    """The pseudoinverse, for matrices whose rank does not change nearby (Golub and Pereyra, 1973)."""
    return _pinv(as_tensor(a), atol, rtol, False, return_rank)


def pinvh(a: Any, atol: Any = None, rtol: Any = None, lower: bool = True, return_rank: bool = False) -> Any:
    """The pseudoinverse of a Hermitian matrix, of which one triangle is read."""
    return _pinv(mirrored(as_tensor(a), lower=lower, hermitian=True), atol, rtol, True, return_rank)


def lstsq(a: Any, b: Any, cond: Any = None) -> Any:
    """The solution of least squares, its squared residuals, the rank and the singular values of `a`.

    The derivative is that of the pseudoinverse, for matrices whose rank does not change nearby.
    """
    a, b = as_tensor(a), as_tensor(b)
    columns = b[:, None] if is_vector(b) else b
    s = np.linalg.svdvals(a)
    sizes = value_of(s)
    rcond = np.finfo(sizes.dtype).eps if cond is None else cond
    rank = np.sum(sizes > rcond * np.max(sizes, axis=-1, keepdims=True, initial=0.0), axis=-1)
    x = rules.pinv_(a, rcond=rcond, hermitian=False) @ columns
    if a.shape[-2] > a.shape[-1] and (rank == a.shape[-1]).all():
        misfit = columns - a @ x
        residuals = np.sum(np.real(misfit) ** 2 + np.imag(misfit) ** 2, axis=-2)
        residuals = residuals[..., 0] if is_vector(b) else residuals
    else:
        residuals = as_tensor(np.zeros((*x.shape[:-2], 0), x.dtype))
    return x[..., 0] if is_vector(b) else x, residuals, rank, s


# ---------------------------------------------------------------------------- bands


def _banded_forward(ab: Any, b: Any, *, lower: int, upper: int) -> Any:
    return sl().solve_banded((lower, upper), ab, b)


def _banded_matrix(c: Any, result: Any, ab: Any, b: Any, *, lower: int, upper: int) -> Any:
    y = banded_(adjoint_band(ab, lower, upper), c, lower=upper, upper=lower)
    i, j, inside = band_index(lower, upper, ab.shape[-1])
    return np.where(inside, -np.sum(y[..., i, :] * conj(result)[..., j, :], axis=-1), 0)


banded_: Primitive = define(
    "solve_banded",
    _banded_forward,
    [
        _banded_matrix,
        lambda c, result, ab, b, *, lower, upper: banded_(
            adjoint_band(ab, lower, upper), c, lower=upper, upper=lower
        ),
    ],
)


def _solve_band(ab: Any, b: Any, lower: int, upper: int) -> Any:
    b = as_tensor(b)
    if ab.ndim < 2 or ab.shape[-2] != lower + upper + 1:
        raise ValueError(
            f"ab must have {lower + upper + 1} rows for {lower} lower and {upper} upper diagonals, "
            f"got shape {ab.shape}"
        )
    x = banded_(ab, b[:, None] if is_vector(b) else b, lower=lower, upper=upper)
    return x[..., 0] if is_vector(b) else x


def solve_banded(l_and_u: tuple[int, int], ab: Any, b: Any) -> Any:
    """x with a x = b for a band matrix in scipy's storage, in the time that the band takes.

    Nothing flows to the corners of the storage that stand for no entry.
    """
    lower, upper = l_and_u
    return _solve_band(as_tensor(ab), b, int(lower), int(upper))


def solveh_banded(ab: Any, b: Any, lower: bool = False) -> Any:
    """x with a x = b for a positive definite band matrix of which one half is stored.

    A stored entry stands for its mirror image too, and has the gradient of both.

    Errors: LinAlgError for a matrix that is not positive definite.
    """
    ab = as_tensor(ab)
    sl().cholesky_banded(value_of(ab), lower=lower)
    width = ab.shape[-2] - 1
    return _solve_band(full_band(ab, lower), b, width, width)


# ---------------------------------------------------------------------------- Toeplitz and circulant matrices


def _first_column_and_row(c_or_cr: Any) -> tuple[Any, Any]:
    if type(c_or_cr) is tuple:
        c, r = map(as_tensor, c_or_cr)
        # The first entry of the row is not read.
        return c, np.concatenate([c[..., :1], r[..., 1:]], axis=-1)
    c = as_tensor(c_or_cr)
    return c, np.concatenate([c[..., :1], conj(c)[..., 1:]], axis=-1)


def _toeplitz_transposed(c: Any, r: Any, y: Any) -> Any:
    """The solution with the conjugate transpose, whose first column is conj(r)."""
    return toeplitz_(conj(r), conj(c), y)


def _toeplitz_rule(row: bool) -> Any:
    def rule(cotangent: Any, result: Any, c: Any, r: Any, b: Any) -> Any:
        whole = -_toeplitz_transposed(c, r, cotangent) @ adjoint(result)
        i, j = np.ogrid[: c.shape[-1], : r.shape[-1]]
        offset = j - i if row else i - j
        # c stands for the diagonal and what is below, r for what is above; the diagonal is given by c.
        kept = np.where(offset >= (1 if row else 0), whole, 0)
        return scatter(kept, (..., np.maximum(offset, 0)), (*kept.shape[:-2], c.shape[-1]))

    return rule


toeplitz_ = define(
    "solve_toeplitz",
    lambda c, r, b: sl().solve_toeplitz((c, r), b),
    [
        _toeplitz_rule(row=False),
        _toeplitz_rule(row=True),
        lambda cotangent, result, c, r, b: _toeplitz_transposed(c, r, cotangent),
    ],
)


def solve_toeplitz(c_or_cr: Any, b: Any) -> Any:
    """x with T x = b for the Toeplitz matrix with first column c and first row r, by Levinson's recursion."""
    c, r = _first_column_and_row(c_or_cr)
    b = as_tensor(b)
    x = toeplitz_(c, r, b[:, None] if is_vector(b) else b)
    return x[..., 0] if is_vector(b) else x


def matmul_toeplitz(c_or_cr: Any, x: Any) -> Any:
    """T x for the Toeplitz matrix with first column c and first row r, by Fourier transforms in double
    precision.
    """
    c, r = _first_column_and_row(c_or_cr)
    x = as_tensor(x)
    if x.ndim < 1 or x.shape[0 if is_vector(x) else -2] != r.shape[-1]:
        raise ValueError(f"x must have {r.shape[-1]} rows, as many as r has entries, got shape {x.shape}")
    real = not any(map(is_complex, (c, r, x)))
    # A circulant matrix of which T is the upper left corner.
    column = np.concatenate([c, r[..., :0:-1]], axis=-1)
    spectrum = np.fft.fft(column)[..., None] * np.fft.fft(
        x[:, None] if is_vector(x) else x, column.shape[-1], axis=-2
    )
    product = np.fft.ifft(spectrum, axis=-2)[..., : c.shape[-1], :]
    product = np.real(product) if real else product
    product = product.astype(np.result_type(product.dtype, np.float64))
    return product[..., 0] if is_vector(x) else product


def solve_circulant(
    c: Any,
    b: Any,
    singular: str = "raise",
    tol: Any = None,
    caxis: int = -1,
    baxis: int = 0,
    outaxis: int = 0,
) -> Any:
    """x with C x = b for the circulant matrix with first column `c`, by Fourier transforms.

    With singular="lstsq" the solution of least squares, in which a Fourier coefficient of `c` of at most
    `tol` counts as 0 and has no derivative.

    Errors: LinAlgError for a singular matrix.
    """
    if singular not in ("raise", "lstsq"):
        raise ValueError(f"singular must be 'raise' or 'lstsq', got {singular!r}")
    c, b = as_tensor(c), as_tensor(b)
    real = not is_complex(c) and not is_complex(b)
    c, b = np.moveaxis(np.atleast_1d(c), caxis, -1), np.moveaxis(np.atleast_1d(b), baxis, -1)
    if c.shape[-1] != b.shape[-1]:
        raise ValueError(f"c and b must have one length, got {c.shape[-1]} and {b.shape[-1]}")
    fc, fb = np.fft.fft(c), np.fft.fft(b)
    size = np.abs(value_of(fc))
    if tol is None:
        tol = np.max(size, axis=-1, keepdims=True) * c.shape[-1] * np.finfo(np.float64).eps
    zero = size <= tol
    if zero.any() and singular == "raise":
        raise np.linalg.LinAlgError("the circulant matrix is singular or nearly so; see singular= and tol=")
    quotient = np.where(zero, 0.0, fb / np.where(zero, 1.0, fc))
    x = np.fft.ifft(quotient)
    return np.moveaxis(np.real(x) if real else x, -1, outaxis)


TABLE = table(
    solve, solve_triangular, inv, det, norm, pinv, pinvh, lstsq, solve_banded, solveh_banded, solve_toeplitz,
    matmul_toeplitz, solve_circulant,
)  # fmt: skip
