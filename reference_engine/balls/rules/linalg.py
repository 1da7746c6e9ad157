"""Linear algebra on numbers: elimination, and the perturbation of proven decompositions.

What is determined up to a sign or a phase takes that of the result which was recorded.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb

from reference_engine.balls.numbers import (
    Jet,
    UndecidedError,
    ball_of,
    conjugate,
    lifted,
    nearest,
    over_arrays,
    real,
    sign,
    value_of,
)
from reference_engine.balls.rules.elementwise import absolute, log, sqrt

__all__ = ["BY_RESULT", "MATRICES"]

_conj, _real = over_arrays(conjugate), over_arrays(real)


def _each(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of matrices as one of stacks of matrices, whose leading axes broadcast."""

    def call(*stacks: Any, **params: Any) -> Any:
        shape = np.broadcast_shapes(*(s.shape[:-2] for s in stacks))
        wide = [np.broadcast_to(s, shape + s.shape[-2:]) for s in stacks]
        found = [function(*(w[at] for w in wide), **params) for at in np.ndindex(*shape)]
        if found and isinstance(found[0], tuple):
            return tuple(_stacked([f[k] for f in found], shape) for k in range(len(found[0])))
        return _stacked(found, shape)

    return call


def _stacked(parts: list[Any], shape: tuple[int, ...]) -> Any:
    inner = parts[0].shape if parts and isinstance(parts[0], np.ndarray) else ()
    out = np.empty((len(parts), *inner), object)
    for k, part in enumerate(parts):
        out[k] = part
    return out.reshape(shape + inner)


def _size(x: Any) -> float:
    return float(abs(nearest(x)))


def _eliminated(a: Any, b: Any) -> tuple[Any, Any]:
    """Gauss's elimination with the largest pivots: the solution of A X = B, and the determinant of A."""
    a, b, n = np.array(a), np.array(b), a.shape[0]
    det: Any = arb(1)
    for k in range(n):
        at = max(range(k, n), key=lambda i: _size(a[i, k]))
        if at != k:
            a[[k, at]], b[[k, at]] = a[[at, k]], b[[at, k]]
            det = -det
        pivot = a[k, k]
        if _may_vanish(ball_of(pivot)):
            raise UndecidedError("a matrix that is inverted is singular in all digits")
        det = det * pivot
        for i in range(k + 1, n):
            factor = a[i, k] / pivot
            a[i, k + 1 :] = a[i, k + 1 :] - _row(factor) * a[k, k + 1 :]
            b[i] = b[i] - _row(factor) * b[k]
    for k in reversed(range(n)):
        for j in range(k + 1, n):
            b[k] = b[k] - _row(a[k, j]) * b[j]
        b[k] = b[k] / _row(a[k, k])
    return b, det


def _may_vanish(value: Any) -> bool:
    return bool(
        value.contains(0) if type(value) is arb else value.real.contains(0) and value.imag.contains(0)
    )


def _row(x: Any) -> Any:
    out = np.empty((1,), object)
    out[0] = x
    return out


@_each
def _solve(a: Any, b: Any) -> Any:
    return _eliminated(a, b)[0]


@_each
def _inv(a: Any) -> Any:
    return _eliminated(a, lifted(np.eye(a.shape[0])))[0]


def _determinant(a: Any) -> Any:
    """By elimination; of a singular matrix by cofactors, which need no pivot."""
    n = a.shape[0]
    if n == 0:
        return arb(1)
    try:
        return _eliminated(a, np.empty((n, 0), object))[1]
    except UndecidedError:
        if n > 6:
            raise
        return _cofactors(a)


def _cofactors(a: Any) -> Any:
    if a.shape[0] == 1:
        return a[0, 0]
    total: Any = arb(0)
    for k in range(a.shape[0]):
        total = total + a[0, k] * _cofactors(np.delete(a[1:], k, axis=1)) * (-1) ** k
    return total


_det = _each(_determinant)


@_each
def _slogdet(a: Any) -> Any:
    det = _determinant(a)
    size = absolute(det)
    if type(ball_of(det)) is arb:
        return arb(sign(det)), log(size)
    return det / size, log(size)


@_each
def _cholesky(a: Any) -> Any:
    """The lower factor of a Hermitian matrix, of which the lower triangle is read."""
    n = a.shape[0]
    out = lifted(np.zeros((n, n)))
    for j in range(n):
        rest = real(a[j, j])
        for k in range(j):
            rest = rest - real(out[j, k] * conjugate(out[j, k]))
        out[j, j] = sqrt(rest)
        for i in range(j + 1, n):
            below = a[i, j]
            for k in range(j):
                below = below - out[i, k] * conjugate(out[j, k])
            out[i, j] = below / out[j, j]
    return out


def _doolittle(a: Any) -> Any:
    a = np.array(a)
    for k in range(min(a.shape)):
        for i in range(k + 1, a.shape[0]):
            a[i, k] = a[i, k] / a[k, k]
            a[i, k + 1 :] = a[i, k + 1 :] - _row(a[i, k]) * a[k, k + 1 :]
    return a


def _directions(a: Any) -> list[int]:
    return sorted({i for x in a.reshape(-1) if type(x) is Jet for i in x.slopes})


def _parts(a: Any) -> tuple[Any, dict[int, Any]]:
    """The matrix of values, and that of slopes per input, as FLINT's matrices."""
    rows, columns = a.shape
    values = acb_mat(rows, columns, [acb(value_of(x)) for x in a.reshape(-1)])
    slopes = {
        i: acb_mat(
            rows,
            columns,
            [acb(x.slopes.get(i, 0)) if type(x) is Jet else acb(0) for x in a.reshape(-1)],
        )
        for i in _directions(a)
    }
    return values, slopes


@_each
def _matrix_exponential(a: Any) -> Any:
    """exp(A) and its derivative along E: the upper right block of exp([[A, E], [0, A]]) (Mathias, 1996)."""
    n = a.shape[0]
    value, slopes = _parts(a)
    base = value.exp()
    along = {}
    for i, e in slopes.items():
        block = acb_mat(2 * n, 2 * n)
        for r in range(n):
            for c in range(n):
                block[r, c] = block[n + r, n + c] = value[r, c]
                block[r, n + c] = e[r, c]
        along[i] = block.exp()
    is_real = all(type(value_of(x)) is arb for x in a.reshape(-1))
    out = np.empty((n, n), object)
    for r in range(n):
        for c in range(n):
            found = Jet(base[r, c], {i: whole[r, n + c] for i, whole in along.items()})
            out[r, c] = real(found) if is_real else found
    return out


# ---------------------------------------------------------------------------- up to a sign


def _norm(column: Any) -> Any:
    total: Any = arb(0)
    for x in column:
        total = total + real(x * conjugate(x))
    return sqrt(total)


def _qr(recorded: Any, a: Any) -> Any:
    """Q and R of the reduced form by Gram and Schmidt, each column of Q in the recorded phase."""
    stack = a.shape[:-2]
    qs, rs = [], []
    for at in np.ndindex(*stack):
        q, r = _gram_schmidt(a[at], np.asarray(recorded[1])[at])
        qs.append(q)
        rs.append(r)
    return _stacked(qs, stack), _stacked(rs, stack)


def _gram_schmidt(a: Any, recorded: Any) -> tuple[Any, Any]:
    m, n = a.shape
    k = min(m, n)
    q, r = lifted(np.zeros((m, k))), lifted(np.zeros((k, n)))
    for j in range(n):
        column = np.array(a[:, j])
        for i in range(min(j, k)):
            r[i, j] = (_conj(q[:, i]) * column).sum()
            column = column - q[:, i] * _row(r[i, j])
        if j < k:
            if np.iscomplexobj(recorded) and abs(recorded[j, j].imag) > 1e-8 * abs(recorded[j, j]):
                raise NotImplementedError("with a complex diagonal")
            flip = -1 if recorded[j, j].real < 0 else 1
            r[j, j] = _norm(column) * flip
            q[:, j] = column / _row(r[j, j])
    return q, r


def _hermitian_pairs(a: Any, values: Any, vectors: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors of a Hermitian matrix, by the recorded ones' order and phases.

    Simple eigenvalues are proven by FLINT. With V^H V = 1, λ_i' = v_i^H A' v_i and
    v_i' = Σ_j v_j (v_j^H A' v_i) / (λ_i - λ_j), which keeps the phase.
    """
    n = a.shape[0]
    value, slopes = _parts(a)
    try:
        found, right = value.eig(right=True)
    except ValueError:
        raise UndecidedError("eigenvalues are equal in all digits") from None
    order = sorted(range(n), key=lambda k: float(found[k].real.mid()))
    is_real = all(type(value_of(x)) is arb for x in a.reshape(-1))
    balls = [found[k].real for k in order]
    for low, high in itertools.pairwise(balls):
        if not low < high:
            raise UndecidedError("eigenvalues are equal in all digits")
    columns = []
    for place, k in enumerate(order):
        column = [right[r, k] for r in range(n)]
        top = max(range(n), key=lambda r: abs(vectors[r, place]))
        length = sum((x.real * x.real + x.imag * x.imag for x in column), arb(0)).sqrt()
        # The recorded phase, exactly that of the recorded entry.
        anchor = acb(complex(vectors[top, place]).real, complex(vectors[top, place]).imag)
        turn = column[top].conjugate() / abs(column[top]) * anchor / abs(anchor)
        columns.append([x * turn / length for x in column])
    if is_real:
        columns = [[acb(x.real) for x in column] for column in columns]
    out_values, out_vectors = np.empty(n, object), np.empty((n, n), object)
    middle = {
        i: [[_between(columns[j], e, columns[k]) for k in range(n)] for j in range(n)]
        for i, e in slopes.items()
    }
    for k in range(n):
        out_values[k] = Jet(balls[k], {i: each[k][k].real for i, each in middle.items()})
        for r in range(n):
            along = {
                i: sum(
                    (columns[j][r] * each[j][k] / (balls[k] - balls[j]) for j in range(n) if j != k), acb(0)
                )
                for i, each in middle.items()
            }
            whole = Jet(columns[k][r], along)
            out_vectors[r, k] = real(whole) if is_real else whole
    return out_values, out_vectors


def _between(left: list[Any], e: Any, right: list[Any]) -> Any:
    n = len(left)
    return sum((left[r].conjugate() * e[r, c] * right[c] for r in range(n) for c in range(n)), acb(0))


def _eigh(recorded: Any, a: Any, *, uplo: str, driver: Any = None) -> Any:
    stack = a.shape[:-2]
    found = []
    for at in np.ndindex(*stack):
        m, n = a[at], a.shape[-1]
        full = np.empty((n, n), object)
        for r in range(n):
            for c in range(n):
                lower = (r, c) if r > c else (c, r)
                i, j = lower if uplo == "L" else lower[::-1]
                full[r, c] = real(m[r, r]) if r == c else m[i, j] if (i, j) == (r, c) else conjugate(m[i, j])
        found.append(_hermitian_pairs(full, np.asarray(recorded[0])[at], np.asarray(recorded[1])[at]))
    return _stacked([f[0] for f in found], stack), _stacked([f[1] for f in found], stack)


def _svd(recorded: Any, a: Any, **_: Any) -> Any:
    """The reduced form by the eigenvalues of A^H A (of A A^H for a wide matrix), all simple and positive."""
    stack = a.shape[:-2]
    us, ss, vhs = [], [], []
    for at in np.ndindex(*stack):
        m = a[at]
        wide = m.shape[0] < m.shape[1]
        u0, vh0 = np.asarray(recorded[0])[at], np.asarray(recorded[2])[at]
        tall = _conj(m.T) if wide else m
        vectors0 = u0 if wide else np.conj(vh0).T
        squares, vectors = _hermitian_pairs(np.matmul(_conj(tall.T), tall), None, vectors0[:, ::-1])
        s = np.array([sqrt(x) for x in squares[::-1]], dtype=object)
        v = vectors[:, ::-1]
        other = np.matmul(tall, v) / s
        u, vh = (v, _conj(other.T)) if wide else (other, _conj(v.T))
        us.append(u)
        ss.append(s)
        vhs.append(vh)
    return _stacked(us, stack), _stacked(ss, stack), _stacked(vhs, stack)


def _svd_full(recorded: Any, a: Any, **_: Any) -> Any:
    """As the reduced form; what completes U and V to square ones is not determined by the matrix."""
    u, s, vh = _svd(
        (recorded[0][..., : min(a.shape[-2:])], recorded[1], recorded[2][..., : min(a.shape[-2:]), :]), a
    )
    rows, columns = a.shape[-2:]
    unknown = lifted(np.full((*a.shape[:-2], rows, max(rows - columns, 0)), np.nan))
    below = lifted(np.full((*a.shape[:-2], max(columns - rows, 0), columns), np.nan))
    return np.concatenate([u, unknown], axis=-1), s, np.concatenate([vh, below], axis=-2)


def _pinv(a: Any, *, rcond: Any, hermitian: bool) -> Any:
    """(A^H A)^-1 A^H, or A^H (A A^H)^-1, of a matrix of full rank."""

    def one(m: Any) -> Any:
        h = _conj(m.T)
        if m.shape[0] >= m.shape[1]:
            return _eliminated(np.matmul(h, m), h)[0]
        return _conj(_eliminated(np.matmul(m, h), m)[0].T)

    return _each(one)(a)


def _eig(recorded: Any, a: Any) -> Any:
    """Eigenvalues of any matrix, where they are simple; unit eigenvectors are v with the recorded phase.

    λ_i' = l_i A' r_i with L R = 1, and v_i' = Σ_j r_j (l_j A' r_i) / (λ_i - λ_j), along which the length and
    the phase may change: v_i^H v_i' is taken out of it.
    """
    stack, n = a.shape[:-2], a.shape[-1]
    found = []
    for at in np.ndindex(*stack):
        value, slopes = _parts(a[at])
        try:
            balls, left, right = value.eig(left=True, right=True)
        except ValueError:
            raise UndecidedError("eigenvalues are equal in all digits") from None
        w0, v0 = np.asarray(recorded[0])[at], np.asarray(recorded[1])[at]
        rest, order = list(range(n)), []
        for k in range(n):
            at_k = min(rest, key=lambda j: abs(nearest(balls[j]) - complex(w0[k])))
            rest.remove(at_k)
            order.append(at_k)
        middle = {i: left * e * right for i, e in slopes.items()}
        norm = left * right
        w, v = np.empty(n, object), np.empty((n, n), object)
        for place, k in enumerate(order):
            w[place] = Jet(balls[k], {i: each[k, k] / norm[k, k] for i, each in middle.items()})
            column = [right[r, k] for r in range(n)]
            length = sum((x.real * x.real + x.imag * x.imag for x in column), arb(0)).sqrt()
            top = max(range(n), key=lambda r: abs(v0[r, place]))
            anchor = acb(complex(v0[top, place]).real, complex(v0[top, place]).imag)
            turn = column[top].conjugate() / abs(column[top]) * anchor / abs(anchor) / length
            unit = [x * turn for x in column]
            slopes_of = {}
            for i, each in middle.items():
                along = [
                    sum(
                        (
                            right[r, j] * each[j, k] / norm[j, j] / (balls[k] - balls[j])
                            for j in range(n)
                            if j != k
                        ),
                        acb(0),
                    )
                    * turn
                    for r in range(n)
                ]
                share = sum((u.conjugate() * d for u, d in zip(unit, along, strict=True)), acb(0))
                slopes_of[i] = [d - u * share for u, d in zip(unit, along, strict=True)]
            for r in range(n):
                v[r, place] = Jet(unit[r], {i: each[r] for i, each in slopes_of.items()})
        found.append((w, v))
    values, vectors = (_stacked([f[k] for f in found], stack) for k in (0, 1))
    values = values if np.iscomplexobj(recorded[0]) else _real(values)
    return values, vectors if np.iscomplexobj(recorded[1]) else _real(vectors)


def _roots(recorded: Any, p: Any) -> Any:
    """Simple roots of a polynomial, the eigenvalues of its companion matrix: dr/dp_k = -r^(n-k)/p'(r)."""
    degree = p.size - 1
    if degree != len(recorded):
        raise NotImplementedError("with zeros at its ends")
    lead = value_of(p[0])
    companion = acb_mat(degree, degree)
    for k in range(degree):
        companion[0, k] = -acb(value_of(p[k + 1])) / acb(lead)
        if k:
            companion[k, k - 1] = 1
    try:
        balls = companion.eig()
    except ValueError:
        raise UndecidedError("roots are equal in all digits") from None
    out, rest = np.empty(degree, object), list(balls)
    for k in range(degree):
        r = min(rest, key=lambda b: abs(nearest(b) - complex(recorded[k])))
        rest.remove(r)
        slope = sum((value_of(p[j]) * (degree - j) * r ** (degree - j - 1) for j in range(degree)), acb(0))
        along: dict[int, Any] = {}
        for j in range(degree + 1):
            if type(p[j]) is Jet:
                factor = -(r ** (degree - j)) / slope
                for i, d in p[j].slopes.items():
                    along[i] = along[i] + factor * d if i in along else factor * d
        found = Jet(r, along)
        out[k] = found if np.iscomplexobj(recorded) else real(found)
    return out


# ---------------------------------------------------------------------------- scipy.linalg


def _zeros(*shape: int) -> Any:
    return lifted(np.zeros(shape))


@_each
def _banded(ab: Any, b: Any, *, lower: int, upper: int) -> Any:
    """A x = b with the diagonals of A in the rows of `ab`."""
    n = ab.shape[1]
    full = _zeros(n, n)
    for i in range(n):
        for j in range(max(0, i - lower), min(n, i + upper + 1)):
            full[i, j] = ab[upper + i - j, j]
    return _eliminated(full, b)[0]


def _toeplitz(c: Any, r: Any, b: Any) -> Any:
    """T x = b with the first column and the first row of T, whose corner is that of the column."""
    if c.ndim > 1 or b.ndim == 1:
        raise NotImplementedError("of stacks and of vectors")
    n = c.shape[0]
    full = np.empty((n, n), object)
    for i in range(n):
        for j in range(n):
            full[i, j] = c[i - j] if i >= j else r[j - i]
    return _eliminated(full, b)[0]


def _linear_map(image: Callable[[int, int], Any], q: Any) -> Any:
    """The matrix X whose image is Q, where `image(i, j)` is that of the unit matrix with a one at i, j."""
    rows, columns = q.shape
    system = np.empty((rows * columns, rows * columns), object)
    for i in range(rows):
        for j in range(columns):
            system[:, i * columns + j] = image(i, j).reshape(-1)
    return _eliminated(system, q.reshape(-1, 1))[0].reshape(rows, columns)


@_each
def _sylvester(a: Any, b: Any, q: Any) -> Any:
    """X with A X + X B = Q."""

    def image(i: int, j: int) -> Any:
        out = _zeros(*q.shape)
        out[:, j] = out[:, j] + a[:, i]
        out[i, :] = out[i, :] + b[j, :]
        return out

    return _linear_map(image, q)


@_each
def _discrete_lyapunov(a: Any, q: Any, *, method: Any) -> Any:
    """X with A X A^H - X + Q = 0."""

    def image(i: int, j: int) -> Any:
        out = _row(arb(-1)) * np.matmul(a[:, i : i + 1], _conj(a[:, j : j + 1].T))
        out[i, j] = out[i, j] + 1
        return out

    return _linear_map(image, q)


def _lu_factor(recorded: Any, a: Any) -> Any:
    """L and U in one with the recorded exchanges of rows, which a tie would have moved."""
    stack, packed = a.shape[:-2], []
    for at in np.ndindex(*stack):
        m = np.array(a[at])
        for i, j in enumerate(np.asarray(recorded[1])[at]):
            if i != j:
                m[[i, j]] = m[[j, i]]
        packed.append(_doolittle(m))
    return _stacked(packed, stack), recorded[1]


MATRICES: dict[str, Callable[..., Any]] = {
    "solve": _solve,
    "inv": _inv,
    "det": _det,
    "slogdet": _slogdet,
    "cholesky": _cholesky,
    "lu": _each(_doolittle),
    "matrix_exp": _matrix_exponential,
    "expm": _matrix_exponential,
    "pinv": _pinv,
    "solve_banded": _banded,
    "solve_toeplitz": _toeplitz,
    "solve_sylvester": _sylvester,
    "solve_discrete_lyapunov": _discrete_lyapunov,
}
"""A primitive by name, and the same computation on stacks of matrices of numbers."""

BY_RESULT: dict[str, Callable[..., Any]] = {
    "lu_factor": _lu_factor,
    "qr": _qr,
    "eigh": _eigh,
    "eig": _eig,
    "svd": _svd,
    "svd_full": _svd_full,
    "roots": _roots,
}
"""The same where signs, phases or an order are taken from the recorded result, the first argument."""
