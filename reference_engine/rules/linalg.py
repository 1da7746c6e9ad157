"""Products of arrays and numpy.linalg.

Rules of the decompositions follow M. Giles, "An extended collection of matrix derivative results for
forward and reverse mode algorithmic differentiation" (2008), and for complex matrices M. Seeger et al.,
"Auto-Differentiating Linear Algebra" (2017), each in the engine's own operations.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from reference_engine.definitions import adjoint, conj, define, is_complex
from reference_engine.dispatch import UFUNCS, implements, present
from reference_engine.errors import MissingRuleError
from reference_engine.operators import matmul
from reference_engine.primitives import Primitive, read_only, value_of
from reference_engine.rules.reduce import root
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- products


UFUNCS[np.matmul] = matmul


@implements(np.linalg.matmul)
def _linalg_matmul(x1: Any, x2: Any, /) -> Any:
    return matmul(x1, x2)


UFUNCS[np.vecdot] = lambda x, y: np.sum(conj(x) * y, axis=-1)
UFUNCS.update(dict.fromkeys(present("matvec"), lambda x, y: matmul(x, np.expand_dims(y, -1))[..., 0]))
UFUNCS.update(
    dict.fromkeys(present("vecmat"), lambda x, y: matmul(np.expand_dims(conj(x), -2), y)[..., 0, :])
)


@implements(np.linalg.vecdot)
def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.sum(conj(x1) * x2, axis=axis)


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """`numpy.tensordot`."""
    a, b = as_tensor(a), as_tensor(b)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = ([one] if isinstance(one, int) else list(one) for one in axes)
    left, right = [i % a.ndim for i in left], [i % b.ndim for i in right]
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"axes {axes} of shapes {a.shape} and {b.shape} do not match")
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [i for i in range(b.ndim) if i not in right]
    count = int(np.prod([a.shape[i] for i in left], dtype=np.intp))
    flat_a = a.transpose(rows + left).reshape(
        (int(np.prod([a.shape[i] for i in rows], dtype=np.intp)), count)
    )
    flat_b = b.transpose(right + columns).reshape(
        (count, int(np.prod([b.shape[i] for i in columns], dtype=np.intp)))
    )
    return matmul(flat_a, flat_b).reshape(
        tuple(a.shape[i] for i in rows) + tuple(b.shape[i] for i in columns)
    )


@implements(np.dot)
def dot(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.dot`."""
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return a @ b
    return tensordot(a, b, (-1, -2 if b.ndim > 1 else -1))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """`numpy.inner`."""
    a, b = as_tensor(a), as_tensor(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, (-1, -1))


@implements(np.outer)
def outer(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.outer`."""
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@implements(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Any:
    return outer(x1, x2)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """`numpy.vdot`."""
    return np.sum(conj(np.reshape(a, -1)) * np.reshape(b, -1))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """`numpy.kron`."""
    a, b = as_tensor(a), as_tensor(b)
    ndim = max(a.ndim, b.ndim)
    sa, sb = (1,) * (ndim - a.ndim) + a.shape, (1,) * (ndim - b.ndim) + b.shape
    left = a.reshape(tuple(n for pair in zip(sa, (1,) * ndim, strict=True) for n in pair))
    right = b.reshape(tuple(n for pair in zip((1,) * ndim, sb, strict=True) for n in pair))
    return (left * right).reshape(tuple(m * n for m, n in zip(sa, sb, strict=True)))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """`numpy.cross` of vectors of length 3."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_tensor(a), axisa, -1), np.moveaxis(as_tensor(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(
            f"numpy.cross of Tensors needs vectors of length 3, got {a.shape[-1]} and {b.shape[-1]}"
        )
    after, before = [1, 2, 0], [2, 0, 1]
    result = a[..., after] * b[..., before] - a[..., before] * b[..., after]
    return np.moveaxis(result, -1, axisc)


@implements(np.linalg.cross)
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return cross(x1, x2, axis=axis)


# ---------------------------------------------------------------------------- einsum


def _einsum_rule(
    argnum: int, c: Any, result: Any, *operands: Any, inputs: tuple[str, ...], output: str
) -> Any:
    """The same sum with the operand's and the result's subscripts exchanged.

    A subscript that only this operand has was summed away: its cotangent is the same all along that axis.
    One that it has twice was a diagonal: the cotangent lies on that diagonal.
    """
    fresh = (letter for letter in _LETTERS if letter not in "".join(inputs) + output)
    terms, arrays = [output], [c]
    for i, operand in enumerate(operands):
        if i != argnum:
            terms.append(inputs[i])
            arrays.append(conj(operand))
    target = ""
    shape = operands[argnum].shape
    dtype = value_of(c).dtype
    for axis, letter in enumerate(inputs[argnum]):
        n = shape[axis]
        if letter in target:
            other = next(fresh)
            terms.append(letter + other)
            arrays.append(np.eye(n, dtype=dtype))
            target += other
        else:
            if not any(letter in term for term in terms):
                terms.append(letter)
                arrays.append(np.ones(n, dtype=dtype))
            target += letter
    return einsum_(*arrays, inputs=tuple(terms), output=target)


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

einsum_ = define(
    "einsum",
    lambda *operands, inputs, output: np.einsum(
        f"{','.join(inputs)}->{output}", *operands, optimize=len(operands) > 2
    ),
    variadic=_einsum_rule,
    lens=read_only,
)


@implements(np.einsum)
def einsum(*operands: Any, out: None = None, optimize: Any = False, **kwargs: Any) -> Any:
    """`numpy.einsum`, with subscripts as one string or as lists of integers."""
    if kwargs:
        raise NotImplementedError(f"numpy.einsum of a Tensor does not take {', '.join(kwargs)}")
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0].replace(" ", ""), [as_tensor(x) for x in operands[1:]]
    else:
        subscripts, arrays = _from_lists(operands)
    inputs, output = _explicit(subscripts, [array.ndim for array in arrays])
    return einsum_(*arrays, inputs=inputs, output=output)


def _from_lists(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    def term(labels: Sequence[Any]) -> str:
        return "".join("..." if label is Ellipsis else _LETTERS[label] for label in labels)

    arrays = [as_tensor(x) for x in operands[: len(operands) // 2 * 2 : 2]]
    subscripts = ",".join(term(labels) for labels in operands[1::2])
    return (f"{subscripts}->{term(operands[-1])}" if len(operands) % 2 else subscripts), arrays


def _explicit(subscripts: str, ndims: list[int]) -> tuple[tuple[str, ...], str]:
    """Subscripts with letters in place of `...` and with the result spelt out."""
    left, arrow, output = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"the subscripts {subscripts!r} name {len(terms)} operands, got {len(ndims)}")
    free = [letter for letter in _LETTERS if letter not in subscripts]
    widths = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    if any(w < 0 or (w and "..." not in term) for term, w in zip(terms, widths, strict=True)):
        raise ValueError(f"the subscripts {subscripts!r} do not fit operands with {ndims} axes")
    widest = max((w for term, w in zip(terms, widths, strict=True) if "..." in term), default=0)
    letters = "".join(free[:widest])
    terms = [term.replace("...", letters[widest - w :]) for term, w in zip(terms, widths, strict=True)]
    if arrow:
        return tuple(terms), output.replace("...", letters)
    joined = "".join(terms)
    once = sorted(letter for letter in set(joined) if joined.count(letter) == 1 and letter not in letters)
    return tuple(terms), letters + "".join(once)


# ---------------------------------------------------------------------------- inverse, solve, determinant

inv: Primitive = define("inv", np.linalg.inv, [lambda c, result, a: -adjoint(result) @ c @ adjoint(result)])


@implements(np.linalg.inv)
def _inv(a: Any) -> Any:
    return inv(as_tensor(a))


def _solve_matrix(c: Any, result: Any, a: Any, b: Any) -> Any:
    return -solve_(adjoint(a), c) @ adjoint(result)


# b is always a matrix here; a vector gets a second axis before.
solve_: Primitive = define(
    "solve", np.linalg.solve, [_solve_matrix, lambda c, result, a, b: solve_(adjoint(a), c)]
)


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """`numpy.linalg.solve`."""
    a, b = as_tensor(a), as_tensor(b)
    return solve_(a, b.reshape((-1, 1)))[..., 0] if b.ndim == 1 else solve_(a, b)


def solve_triangular(a: Any, b: Any, *, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """x with `a @ x = b`, where only one triangle of `a` (..., n, n) counts; b is (n,) or (..., n, k).

    With `unit_diagonal` the diagonal of `a` is not read and taken as 1. Nothing flows to what is not read.
    """
    a = as_tensor(a)
    a = np.tril(a, -1 if unit_diagonal else 0) if lower else np.triu(a, 1 if unit_diagonal else 0)
    if unit_diagonal:
        a = a + np.eye(a.shape[-1], dtype=a.dtype)
    return solve(a, b)


def _cofactors(a: Any) -> Any:
    """The matrix of cofactors from the determinants of the minors: right for singular matrices too."""
    n = a.shape[-1]
    if n == 1:
        return np.ones_like(a)
    others = np.array([[j for j in range(n) if j != i] for i in range(n)])
    minors = a[..., others[:, None, :, None], others[None, :, None, :]]
    sign = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return np.linalg.det(minors) * sign.astype(np.real(value_of(a)).dtype)


def _det_rule(c: Any, result: Any, a: Any) -> Any:
    """Jacobi's formula: det(a) inv(a)^T, which is the matrix of cofactors."""
    c = c[..., None, None]
    if (value_of(result) == 0).any():
        return c * conj(_cofactors(a))
    return c * conj(result[..., None, None]) * adjoint(np.linalg.inv(a))


det: Primitive = define("det", np.linalg.det, [_det_rule])


@implements(np.linalg.det)
def _det(a: Any) -> Any:
    return det(as_tensor(a))


def _slogdet_rule(cotangents: Any, result: Any, a: Any) -> Any:
    """d log|det a| = Re tr(inv(a) da); the sign of a complex determinant turns with Im tr(inv(a) da)."""
    c_sign, c_log = cotangents
    total: Any = 0.0 if c_log is None else c_log
    if c_sign is not None and is_complex(a):
        total = total + np.real(np.conjugate(c_sign) * result[0] * 1j) * 1j
    elif c_log is None:
        return np.zeros_like(a)
    return total[..., None, None] * adjoint(np.linalg.inv(a))


slogdet: Primitive = define("slogdet", lambda a: tuple(np.linalg.slogdet(a)), [_slogdet_rule], outputs=True)


class SlogdetResult(NamedTuple):
    """As the named tuple of `numpy.linalg.slogdet`."""

    sign: Any
    logabsdet: Any


@implements(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    return SlogdetResult(*slogdet(as_tensor(a)))


# ---------------------------------------------------------------------------- decompositions


def _lower_half(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    n = x.shape[-1]
    return x * (np.tril(np.ones((n, n))) - 0.5 * np.eye(n)).astype(np.real(value_of(x)).dtype)


def in_triangle(c: Any, lower: bool = True) -> Any:
    """The cotangent of the triangle that is read, from that of the whole Hermitian matrix, `c`.

    NumPy reads one triangle and takes the other one for its mirror image: an entry off the diagonal stands
    for two of the matrix, and those of the other triangle for none.
    """
    n = c.shape[-1]
    strict = np.tri(n, k=-1)
    weights = 2 * (strict if lower else strict.T) + np.eye(n)
    return c * weights.astype(np.real(value_of(c)).dtype)


def _of_lower(a: Any) -> Any:
    """The Hermitian matrix of which the lower triangle is read."""
    strict = np.tril(a, -1)
    return strict + adjoint(strict) + np.real(a) * np.eye(a.shape[-1], dtype=np.real(a.data).dtype)


def _cholesky_rule(c: Any, result: Any, a: Any) -> Any:
    """Giles (2008), section 4.10, for the triangle that is read."""
    factor = adjoint(result)
    middle = _lower_half(factor @ c)
    half = adjoint(solve_(factor, adjoint(solve_(factor, middle))))
    return in_triangle((half + adjoint(half)) * 0.5)


cholesky_: Primitive = define("cholesky", np.linalg.cholesky, [_cholesky_rule])


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """`numpy.linalg.cholesky`; the gradient lies in the triangle that is read."""
    a = as_tensor(a)
    return adjoint(cholesky_(adjoint(a))) if upper else cholesky_(a)


def _qr_rule(cotangents: Any, result: Any, a: Any) -> Any:
    """S. Walter et al., "Algorithmic differentiation of linear algebra functions" (2010), for m >= n."""
    c_q, c_r = cotangents
    q, r = result
    middle: Any = 0.0
    if c_r is not None:
        middle = r @ adjoint(c_r)
    if c_q is not None:
        middle = middle - adjoint(c_q) @ q
    lower = _lower_half(middle)
    if is_complex(middle):
        # The diagonal of r is real, so that only the real part of the diagonal is free.
        n = middle.shape[-1]
        lower = np.where(np.eye(n, dtype=bool), np.real(lower), lower)
    back = q @ (lower + adjoint(lower))
    if c_q is not None:
        back = back + c_q
    return adjoint(solve_(r, adjoint(back)))


qr_: Primitive = define("qr", lambda a: tuple(np.linalg.qr(a)), [_qr_rule], outputs=True)


class QRResult(NamedTuple):
    """As the named tuple of `numpy.linalg.qr`."""

    Q: Any
    R: Any


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """`numpy.linalg.qr` with mode "reduced" or "r"; the leading columns must be linearly independent."""
    a = as_tensor(a)
    rows, columns = a.shape[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and rows <= columns):
        raise NotImplementedError(
            f"numpy.linalg.qr of a Tensor of shape {a.shape} knows mode 'reduced' and 'r', got {mode!r}: "
            "the further columns of a complete Q are not determined by the argument"
        )
    if rows >= columns:
        q, r = qr_(a)
    else:
        q, r = qr_(a[..., :rows])
        r = np.concatenate([r, adjoint(q) @ a[..., rows:]], axis=-1)
    return r if mode == "r" else QRResult(q, r)


def _gaps(w: Any) -> Any:
    """w_j - w_i at [i, j], with 1 on the diagonal."""
    n = w.shape[-1]
    return np.where(np.eye(n, dtype=bool), 1.0, w[..., None, :] - w[..., :, None])


def _on_diagonal(x: Any) -> Any:
    return x[..., None] * np.eye(x.shape[-1], dtype=np.real(value_of(x)).dtype)


def _eigh_rule(cotangents: Any, result: Any, a: Any, *, uplo: str) -> Any:
    """Giles (2008), section 3.1. Vectors of equal eigenvalues are arbitrary: the division by 0 stays."""
    c_w, c_v = cotangents
    w, v = result
    middle: Any = 0.0
    if c_w is not None:
        middle = _on_diagonal(c_w)
    if c_v is not None:
        n = w.shape[-1]
        middle = middle + np.where(np.eye(n, dtype=bool), 0.0, adjoint(v) @ c_v / _gaps(w))
    back = v @ middle @ adjoint(v)
    return in_triangle((back + adjoint(back)) * 0.5, uplo == "L")


eigh_: Primitive = define(
    "eigh", lambda a, *, uplo: tuple(np.linalg.eigh(a, UPLO=uplo)), [_eigh_rule], outputs=True
)


class EighResult(NamedTuple):
    """As the named tuple of `numpy.linalg.eigh`."""

    eigenvalues: Any
    eigenvectors: Any


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """`numpy.linalg.eigh`; the gradient lies in the triangle that is read."""
    return EighResult(*eigh_(as_tensor(a), uplo=UPLO))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """`numpy.linalg.eigvalsh`."""
    return eigh(a, UPLO)[0]


def _eig_rule(cotangents: Any, result: Any, a: Any) -> Any:
    """C. Boeddeker et al., "On the computation of complex-valued gradients" (2017), for unit vectors."""
    c_w, c_v = cotangents
    w, v = result
    n = w.shape[-1]
    middle: Any = 0.0
    if c_v is not None:
        projected = adjoint(v) @ c_v
        own = np.real(np.diagonal(projected, axis1=-2, axis2=-1))
        middle = (projected - adjoint(v) @ v * own[..., None, :]) / conj(_gaps(w))
        middle = np.where(np.eye(n, dtype=bool), 0.0, middle)
    if c_w is not None:
        middle = middle + _on_diagonal(c_w)
    return solve_(adjoint(v), middle @ adjoint(v))


eig_: Primitive = define("eig", lambda a: tuple(np.linalg.eig(a)), [_eig_rule], outputs=True)


class EigResult(NamedTuple):
    """As the named tuple of `numpy.linalg.eig`."""

    eigenvalues: Any
    eigenvectors: Any


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """`numpy.linalg.eig`; eigenvectors have a derivative up to their phase only, as in torch."""
    return EigResult(*eig_(as_tensor(a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """`numpy.linalg.eigvals`."""
    return eig(a)[0]


def _svd_rule(cotangents: Any, result: Any, a: Any) -> Any:
    """J. Townsend, "Differentiating the singular value decomposition" (2016), complex as in torch."""
    c_u, c_s, c_vh = cotangents
    u, s, vh = result
    k = s.shape[-1]
    row, column = s[..., None, :], s[..., :, None]
    middle: Any = _on_diagonal(s * 0.0 if c_s is None else c_s)
    skew_u = skew_v = None
    # s_k² - s_j², factored to keep its digits.
    gaps = _gaps(s) * np.where(np.eye(k, dtype=bool), 1.0, row + column)
    if c_u is not None:
        skew_u = adjoint(u) @ c_u
        skew_u = skew_u - adjoint(skew_u)
        middle = middle + skew_u * row / gaps * (1.0 - np.eye(k))
    if c_vh is not None:
        skew_v = vh @ adjoint(c_vh)
        skew_v = skew_v - adjoint(skew_v)
        middle = middle + column * skew_v / gaps * (1.0 - np.eye(k))
    if skew_u is not None and is_complex(a):
        middle = middle + _on_diagonal(np.diagonal(skew_u, axis1=-2, axis2=-1) / (2 * s))
    back = u @ middle @ vh
    if c_u is not None and a.shape[-2] > k:
        outside = c_u / row
        back = back + (outside - u @ (adjoint(u) @ outside)) @ vh
    if c_vh is not None and a.shape[-1] > k:
        outside = c_vh / column
        back = back + u @ (outside - outside @ adjoint(vh) @ vh)
    return back


svd_: Primitive = define(
    "svd", lambda a: tuple(np.linalg.svd(a, full_matrices=False)), [_svd_rule], outputs=True
)


def _svd_full_rule(cotangents: Any, result: Any, a: Any) -> Any:
    """The rule of the reduced form; what completes U and V to square ones is not determined by `a`."""
    c_u, c_s, c_vh = cotangents
    u, s, vh = result
    k = s.shape[-1]
    for name, rest in (
        ("the columns of U", None if c_u is None else c_u[..., k:]),
        ("the rows of Vh", None if c_vh is None else c_vh[..., k:, :]),
    ):
        if rest is not None and np.any(value_of(rest)):
            raise MissingRuleError(
                f"numpy.linalg.svd of a Tensor of shape {a.shape} has no derivative through {name} from {k} "
                "on, which are not determined by the argument; pass full_matrices=False"
            )
    c_u, c_vh = None if c_u is None else c_u[..., :k], None if c_vh is None else c_vh[..., :k, :]
    return _svd_rule((c_u, c_s, c_vh), (u[..., :k], s, vh[..., :k, :]), a)


svd_full_: Primitive = define("svd_full", lambda a: tuple(np.linalg.svd(a)), [_svd_full_rule], outputs=True)


class SVDResult(NamedTuple):
    """As the named tuple of `numpy.linalg.svd`."""

    U: Any
    S: Any
    Vh: Any


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """`numpy.linalg.svd`; what full matrices have beyond the reduced ones has no derivative."""
    a = _of_lower(as_tensor(a)) if hermitian else as_tensor(a)
    if not compute_uv:
        return svd_(a)[1]
    return SVDResult(*(svd_full_ if full_matrices and a.shape[-1] != a.shape[-2] else svd_)(a))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """`numpy.linalg.svdvals`."""
    return svd_(as_tensor(x))[1]


def _pinv_rule(c: Any, result: Any, a: Any, *, rcond: Any, hermitian: bool) -> Any:
    """G. Golub and V. Pereyra (1973), for matrices of constant rank."""
    p, ph, ch = result, adjoint(result), adjoint(c)
    outer_left = ch - a @ (p @ ch)
    outer_right = ch - (ch @ p) @ a
    return -ph @ c @ ph + outer_left @ p @ ph + ph @ p @ outer_right


pinv_: Primitive = define(
    "pinv", lambda a, *, rcond, hermitian: np.linalg.pinv(a, rcond, hermitian), [_pinv_rule]
)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """`numpy.linalg.pinv`, for matrices whose rank does not change nearby."""
    a = _of_lower(as_tensor(a)) if hermitian else as_tensor(a)
    if rtol is not None:
        rcond = rtol
    if rcond is None:
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    return pinv_(a, rcond=rcond, hermitian=hermitian)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """`numpy.linalg.lstsq`: solution, residuals, rank, singular values."""
    a, b = as_tensor(a), as_tensor(b)
    x = pinv(a, rcond) @ b
    s = svdvals(a)
    rank = np.linalg.matrix_rank(value_of(a), rcond)
    if a.shape[0] > a.shape[1] == rank:
        residuals = np.sum(_squares(b - a @ x), axis=0, keepdims=b.ndim == 1)
    else:
        residuals = as_tensor(np.zeros(0, np.real(value_of(b)).dtype))
    return x, residuals, rank, s


# ---------------------------------------------------------------------------- norms


def _squares(x: Any) -> Any:
    # Not |x|**2: the slope of |x| at 0 is 0, and then so is all that comes of it.
    return np.real(x) ** 2 + np.imag(x) ** 2 if is_complex(x) else x * x


def _largest(size: Any, axis: Any, keepdims: bool = False) -> Any:
    # NumPy's norm of no entries is 0. Not of all: 0 would be one more entry at a tie of zeros.
    initial: Any = {"initial": 0.0} if 0 in size.shape else {}
    return np.max(size, axis=axis, keepdims=keepdims, **initial)


def _p_norm(x: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    if order is None or order == 2:
        return root(np.sum(_squares(x), axis=axis, keepdims=keepdims))
    size = np.absolute(x)
    if order == np.inf:
        return _largest(size, axis, keepdims)
    if order == -np.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if order == 0:
        return as_tensor(np.sum(value_of(x) != 0, axis=axis, keepdims=keepdims).astype(size.dtype))
    if order == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    total = np.sum(size**order, axis=axis, keepdims=keepdims)
    zero = value_of(total) == 0
    return np.where(zero, 0.0, np.where(zero, 1.0, total) ** (1.0 / order))


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    row, column = (axis % x.ndim for axis in axes)
    if order in (None, "fro", "f"):
        return _p_norm(x, 2, (row, column), keepdims)
    if order in ("nuc", 2, -2):
        values = svdvals(np.moveaxis(x, (row, column), (-2, -1)))
        result = (
            np.sum(values, axis=-1)
            if order == "nuc"
            else _largest(values, -1)
            if order == 2
            else np.min(values, axis=-1)
        )
    elif order in (1, -1, np.inf, -np.inf):
        first, second = (row, column) if abs(order) == 1 else (column, row)
        sums = np.sum(np.absolute(x), axis=first, keepdims=True)
        result = np.reshape(
            (_largest if order > 0 else np.min)(sums, axis=second, keepdims=True),
            tuple(n for i, n in enumerate(x.shape) if i not in (row, column)),
        )
    else:
        raise ValueError(f"ord of a matrix norm must be None, 'fro', 'nuc', ±1, ±2 or ±inf, got {order!r}")
    if keepdims:
        result = np.reshape(result, tuple(1 if i in (row, column) else n for i, n in enumerate(x.shape)))
    return result


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`numpy.linalg.norm`; the derivative is 0 at 0, the subgradient of smallest norm, as in torch."""
    x = as_tensor(x)
    if axis is None:
        if ord is None or x.ndim == 1:
            flat = _p_norm(x.reshape(-1), ord, 0, False)
            return flat.reshape((1,) * x.ndim) if keepdims else flat
        axis = (0, 1)
    if isinstance(axis, tuple) and len(axis) == 2:
        return _matrix_norm(x, ord, axis, keepdims)
    return _p_norm(x, ord, axis, keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """`numpy.linalg.vector_norm`; the derivative is 0 at 0."""
    x = as_tensor(x)
    axis = tuple(range(x.ndim)) if axis is None else axis
    return _p_norm(x, ord, axis, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """`numpy.linalg.matrix_norm`."""
    return _matrix_norm(as_tensor(x), ord, (-2, -1), keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """`numpy.linalg.cond`."""
    if p in (None, 2, -2):
        values = svdvals(x)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    return matrix_norm(x, ord=p) * matrix_norm(_inv(x), ord=p)


# ---------------------------------------------------------------------------- built from the above


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """`numpy.linalg.matrix_power`."""
    a = as_tensor(a)
    if n < 0:
        a, n = _inv(a), -n
    result = None
    while n:
        if n & 1:
            result = a if result is None else result @ a
        n >>= 1
        a = a @ a if n else a
    return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape) if result is None else result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: None = None) -> Any:
    """`numpy.linalg.multi_dot`, from left to right."""
    return functools.reduce(dot, arrays)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """`numpy.linalg.tensorinv`."""
    a = as_tensor(a)
    rows = math.prod(a.shape[:ind])
    return _inv(a.reshape((rows, -1))).reshape(a.shape[ind:] + a.shape[:ind])


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """`numpy.linalg.tensorsolve`."""
    a, b = as_tensor(a), as_tensor(b)
    if axes is not None:
        moved = [axis % a.ndim for axis in axes]
        a = a.transpose([i for i in range(a.ndim) if i not in moved] + moved)
    shape = a.shape[b.ndim :]
    return solve(a.reshape((b.size, math.prod(shape))), b.reshape(-1)).reshape(shape)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, *args: Any, **kwargs: Any) -> Any:
    """`numpy.linalg.matrix_rank`: constant between its jumps."""
    return as_tensor(np.linalg.matrix_rank(value_of(A), *args, **kwargs))
