# ruff: noqa: E501  # a table: one row per line, however long
"""One or more samples for every function of `reference_engine.scipy`: a function and arguments at which it is smooth."""

from __future__ import annotations

from typing import Any

import numpy as np
from engine_sampling import Sample, cplx, eigenpairs, in_order, inner, onto, positive, real, singular

from reference_engine.scipy import linalg, special

LINALG: dict[str, list[Sample]] = {}
SPECIAL: dict[str, list[Sample]] = {}


def add(register: dict[str, list[Sample]], module: Any, name: str, *samples: Any) -> None:
    """Samples of the function of that name, each a tuple of arguments, or a function of it and arguments."""
    function = getattr(module, name)
    for sample in samples:
        own, args = (sample[0], sample[1:]) if callable(sample[0]) else (None, sample)
        call = function if own is None else (lambda *xs, own=own: own(function, *xs))
        register.setdefault(name, []).append((call, args))


def la(name: str, *samples: Any) -> None:
    add(LINALG, linalg, name, *samples)


def sf(name: str, *samples: Any) -> None:
    add(SPECIAL, special, name, *samples)


def gram(x: Any) -> Any:
    """A positive definite matrix."""
    return (
        x @ np.conjugate(np.swapaxes(x, -1, -2)) + np.diag([1.0, 2.0, 4.0, 8.0])[: x.shape[-2], : x.shape[-2]]
    )


def hermitian(x: Any) -> Any:
    return (x + np.conjugate(np.swapaxes(x, -1, -2))) * 0.5


def symmetric(x: Any) -> Any:
    return (x + np.swapaxes(x, -1, -2)) * 0.5


def squared(x: Any) -> Any:
    """|x|², the same whatever the phase."""
    return np.real(x) ** 2 + np.imag(x) ** 2


def projector(v: Any) -> Any:
    """What is the same for any basis of a subspace."""
    return v @ np.conjugate(np.swapaxes(v, -1, -2))


def floats(result: Any) -> Any:
    """The floating parts of a result: ranks, pivots and orders have no derivative."""
    return tuple(part for part in result if getattr(part, "dtype", np.dtype(int)).kind in "fc")


square, unsymmetric = real(3, 3) + 2 * np.eye(3), cplx(3, 3) + 2 * np.eye(3)
other = real(3, 3, seed="o") - 3 * np.eye(3)
pile = np.stack([square, square.T + 1])
definite = gram(real(3, 3, seed="d"))

# ------------------------------------------------------------------ solvers
la("solve", (square, real(3)), (square, real(3, 2)), (unsymmetric, real(3)), (pile, real(2, 3, 1)), (pile, real(3)),
    (lambda f, a, b: f(gram(a), b, assume_a="pos"), square, real(3)),
    (lambda f, a, b: f(gram(a), b, lower=True, assume_a="her"), unsymmetric, real(3)),
    (lambda f, a, b: f(symmetric(a), b, assume_a="sym"), unsymmetric, cplx(3, 1)),
    *[(lambda f, a, b, s=s: f(a, b, assume_a=s), square, real(3)) for s in ("gen", "diagonal", "tridiagonal", "upper triangular", "lower triangular")],
    (lambda f, a, b: f(a, b, transposed=True), square, real(3)))  # fmt: skip
la("solve_triangular", (square, real(3)), *[(lambda f, a, b, t=t, lower=lower: f(a, b, trans=t, lower=lower), unsymmetric, cplx(3, 2)) for t in (0, 1, "C") for lower in (False, True)],
    (lambda f, a, b: f(a, b, unit_diagonal=True), square, real(3)), (pile, real(2, 3, 1)))  # fmt: skip
la("inv", (square,), (unsymmetric,), (pile,), (lambda f, a: f(gram(a), assume_a="pos", lower=True), square),
    (lambda f, a: f(symmetric(a), assume_a="sym"), unsymmetric), (lambda f, a: f(hermitian(a), assume_a="her"), unsymmetric + np.eye(3)))  # fmt: skip
la("det", (square,), (unsymmetric,), (pile,), (np.array([[1.0, 2.0], [2.0, 4.0]]),))
la("norm", (real(2, 3),), (cplx(3),), *[(lambda f, x, o=o: f(x, o), real(2, 3)) for o in (1, np.inf, 2, "nuc", "fro")],
    (lambda f, x: f(x, 3, axis=1, keepdims=True), real(2, 3)))  # fmt: skip
la(
    "pinv",
    (real(4, 2),),
    (cplx(2, 4),),
    (real(2, 3, 2),),
    (lambda f, x: f(x @ x.T, rtol=1e-9, atol=1e-12, return_rank=True)[0], real(3, 2)),
)
la("pinvh", (lambda f, x: f(hermitian(x)), square), (lambda f, x: f(hermitian(x), lower=False), unsymmetric + np.eye(3)),
    (lambda f, x: f(x @ np.swapaxes(x, -1, -2), rtol=1e-9), real(3, 2)))  # fmt: skip
la("lstsq", (lambda f, a, b: floats(f(a, b)), real(4, 2), real(4)), (lambda f, a, b: floats(f(a, b)), cplx(4, 2), real(4, 2)),
    (lambda f, a, b: f(a, b)[0], real(2, 4), real(2, 2)), (lambda f, a, b: f(a, b)[:2], real(2, 4, 2), real(2, 4, 1)))  # fmt: skip

band, half_band = real(4, 5) + 5 * np.eye(4)[2][:, None], cplx(3, 4)
half_band[-1] += 6
la("solve_banded", (lambda f, ab, b: f((1, 2), ab, b), band, real(5)), (lambda f, ab, b: f((2, 1), ab, b), band[::-1] + 1j * real(4, 5, seed="i"), cplx(5, 2)),
    (lambda f, ab, b: f((1, 1), ab, b), band[1:], real(5)), (lambda f, ab, b: f((0, 0), ab, b), positive(1, 3), real(3)),
    (lambda f, ab, b: f((1, 1), ab, b), np.stack([band[1:], band[1:] + 1]), real(2, 5, 1)))  # fmt: skip
la("solveh_banded", (half_band, real(4)), (lambda f, ab, b: f(ab, b, lower=True), half_band[::-1], cplx(4, 2)),
    (half_band[1:].real, real(4, 1)), (lambda f, ab, b: f(ab, b, lower=True), half_band[:0:-1].real, real(4)))  # fmt: skip

first = np.array([4.0, 1.0, -0.5, 0.3])
la("solve_toeplitz", (first, real(4)), (lambda f, c, r, b: f((c, r), b), first, real(4), real(4, 2)), (first + 0.2j * real(4), cplx(4)),
    (lambda f, c, r, b: f((c, r), b), np.stack([first, first + 0.1]), real(2, 4), real(4, 1)))  # fmt: skip
la(
    "matmul_toeplitz",
    (first, real(4)),
    (lambda f, c, r, x: f((c, r), x), real(3), real(4), real(4, 2)),
    (cplx(3), cplx(3, 2)),
)
la("solve_circulant", (first, real(4)), (first + 0.2j * real(4), cplx(4, 2)), (lambda f, c, b: f(c, b, caxis=0, baxis=-1, outaxis=-1), np.stack([first, first + 1], 1), real(2, 4)),
    (lambda f, c, b: f(c - np.mean(c), b, singular="lstsq"), first, real(4)))  # fmt: skip

# ------------------------------------------------------------------ factorizations
la("lu_factor", *[(lambda f, a: f(a)[0], x) for x in (square, unsymmetric, real(4, 2), real(2, 4), pile)])
la("lu", *[(lambda f, a: f(a)[1:], x) for x in (square, unsymmetric, real(4, 2), cplx(2, 4), pile)],
    *[(lambda f, a: f(a, permute_l=True), x) for x in (square, real(4, 2), pile)], (lambda f, a: f(a, p_indices=True)[1:], square))  # fmt: skip
la("lu_solve", *[(lambda f, a, b, t=t: f(linalg.lu_factor(a), b, trans=t), unsymmetric, cplx(3, 2)) for t in (0, 1, 2)],
    (lambda f, a, b: f(linalg.lu_factor(a), b), pile, real(3)))  # fmt: skip
la(
    "cholesky",
    (lambda f, a: f(gram(a)), square),
    (lambda f, a: f(gram(a), lower=True), unsymmetric),
    (lambda f, a: f(gram(a)), pile),
)
la(
    "cho_factor",
    (lambda f, a: np.triu(f(gram(a))[0]), square),
    (lambda f, a: np.tril(f(gram(a), lower=True)[0]), unsymmetric),
)
la("cho_solve", *[(lambda f, a, b, lower=lower: f(linalg.cho_factor(gram(a), lower), b), unsymmetric, cplx(3, 2)) for lower in (False, True)],
    (lambda f, a, b: f((a, False), b), square, real(3)))  # fmt: skip
la("qr", *[(lambda f, a: tuple(f(a)), x) for x in (square, real(2, 4), unsymmetric, pile)],
    *[(lambda f, a: tuple(f(a, mode="economic")), x) for x in (real(4, 2), cplx(4, 2))],
    *[(lambda f, a: f(a, mode="r")[0], x) for x in (real(4, 2), real(2, 4))],
    *[(lambda f, a: tuple(f(a, mode="economic", pivoting=True)[:2]), x) for x in (real(3, 4), cplx(4, 3), pile)])  # fmt: skip
la("rq", *[(lambda f, a: tuple(f(a)), x) for x in (square, real(4, 2), unsymmetric, pile)], *[(lambda f, a: tuple(f(a, mode="economic")), x) for x in (real(2, 4), cplx(2, 4))],
    *[(lambda f, a: f(a, mode="r"), x) for x in (real(4, 2), real(2, 4))])  # fmt: skip
la(
    "polar",
    *[
        (lambda f, a, s=s: tuple(f(a, s)), x)
        for s in ("right", "left")
        for x in (square, cplx(4, 2), cplx(2, 3))
    ],
    (lambda f, a: tuple(f(a)), pile),
    (lambda f, a: tuple(f(a)), 2 * np.eye(3)),
)
la(
    "orthogonal_procrustes",
    (lambda f, a, b: tuple(f(a, b)), real(4, 3), real(4, 3, seed="b")),
    (lambda f, a, b: tuple(f(a, b)), cplx(3, 2), cplx(3, 2, seed="b")),
)

# ------------------------------------------------------------------ eigenproblems
la("eigh", (lambda f, a: eigenpairs(f(gram(a))), square), (lambda f, a: squared(f(gram(a), lower=False)[1]), unsymmetric), (lambda f, a: f(gram(a), eigvals_only=True), unsymmetric),
    (lambda f, a: eigenpairs(f(gram(a), driver="evd")), square), (lambda f, a: eigenpairs(f(gram(a))), pile),
    *[(lambda f, a, b, t=t: eigenpairs(f(hermitian(a), gram(b), type=t)), square, real(3, 3, seed="b")) for t in (1, 2, 3)],
    *[(lambda f, a, b, t=t: squared(f(hermitian(a), gram(b), type=t, lower=False)[1]), unsymmetric, cplx(3, 3, seed="b")) for t in (1, 2, 3)],
    (lambda f, a, b: f(hermitian(a), gram(b))[0], unsymmetric, cplx(3, 3, seed="b")),
    (lambda f, a: eigenpairs(f(gram(a), subset_by_index=[1, 2])), square), (lambda f, a: squared(f(gram(a), subset_by_value=[0, 6.0])[1]), unsymmetric),
    (lambda f, a, b: eigenpairs(f(hermitian(a), gram(b), subset_by_index=[0, 1])), square, real(3, 3, seed="b")))  # fmt: skip
la(
    "eigvalsh",
    (lambda f, a: f(gram(a)), unsymmetric),
    (lambda f, a, b: f(hermitian(a), gram(b), type=2), square, real(3, 3, seed="b")),
    (lambda f, a: f(gram(a), subset_by_index=[0, 1]), square),
)
la("eig_banded", (lambda f, a: tuple(map(squared, f(a))), half_band.real), (lambda f, a: squared(f(a, lower=True)[1]), np.add(half_band[::-1], [[0.0, 1.0, 3.0, 7.0], [0] * 4, [0] * 4])),
    (lambda f, a: eigenpairs(f(a, select="i", select_range=(1, 2))), half_band.real), (lambda f, a: f(a, eigvals_only=True), half_band))  # fmt: skip
la(
    "eigvals_banded",
    (half_band,),
    (lambda f, a: f(a, lower=True, select="v", select_range=(5.5, 99)), half_band[::-1].real),
)
la(
    "eigh_tridiagonal",
    (lambda f, d, e: eigenpairs(f(d, e)), real(4), real(3)),
    (lambda f, d, e: eigenpairs(f(d, e, select="i", select_range=(0, 1))), real(4), real(3)),
)
la(
    "eigvalsh_tridiagonal",
    (real(4), real(3)),
    (lambda f, d, e: f(d, e, select="v", select_range=(0, 9)), real(4), real(3)),
)
distinct = np.diag([1.0, 2.5, 4.0]) + 0.2 * real(3, 3)
turning = distinct + 0.3j * real(3, 3, seed="i")
la("eig", *[(lambda f, a: in_order(f(a)[0]), x) for x in (distinct, turning, real(3, 3) * 2, np.stack([distinct, turning.real + 1]))], *[(lambda f, a: squared(in_order(*f(a))[1]), x) for x in (distinct, turning)],
    *[(lambda f, a: tuple(map(squared, in_order(*f(a, left=True)))), x) for x in (distinct, turning)],
    *[(lambda f, a, b: tuple(map(squared, in_order(*f(a, b, left=True)))), x, gram(real(3, 3, seed="b"))) for x in (distinct, turning)])  # fmt: skip
la(
    "eigvals",
    (lambda f, a: in_order(f(a)), distinct),
    (lambda f, a, b: in_order(f(a, b)), turning, unsymmetric),
)
la("svd", *[(lambda f, a: singular(f(a, full_matrices=False)), x) for x in (square, real(4, 2), real(2, 4), pile)], (lambda f, a: singular(f(a)), square), (lambda f, a: f(a, compute_uv=False), real(2, 3)),
    (lambda f, a: singular(f(a, full_matrices=False, lapack_driver="gesvd")), real(3, 2)),
    *[(lambda f, a: np.einsum("...ij,...j,...jk->...ik", *(lambda r: (r[0], r[1] ** 3, r[2]))(f(a, full_matrices=False))), x) for x in (unsymmetric, cplx(4, 2), cplx(2, 4))])  # fmt: skip
la("svdvals", (real(2, 3),), (cplx(3, 2),), (pile,))
la(
    "orth",
    (lambda f, a: onto(f(a)), real(4, 2)),
    (lambda f, a: projector(f(a)), cplx(4, 2)),
    (lambda f, a: projector(f(a @ a.T, rcond=1e-9)), real(3, 2)),
)
la(
    "subspace_angles",
    (real(4, 2), real(4, 2, seed="b")),
    (cplx(5, 2), cplx(5, 3)),
    (lambda f, a, b: f(a, a + 0.01 * b), real(4, 2), real(4, 2, seed="b")),
)

# ------------------------------------------------------------------ functions of a matrix
for name in ("expm", "cosm", "sinm", "coshm", "sinhm"):
    la(name, (square,), (unsymmetric,), (pile,), (np.triu(square),))
for name in ("tanm", "tanhm"):
    la(name, (0.3 * square,), (0.3 * unsymmetric,))
la("expm", (np.zeros((2, 2)),), (np.diag([1.0, 1.0]),), (40 * real(2, 2),))
la(
    "expm_frechet",
    (square, other),
    (lambda f, a, e: f(a, e, compute_expm=False), unsymmetric, cplx(3, 3, seed="e")),
)
right_half = 0.5 * real(3, 3) + 2 * np.eye(3)
la("logm", (right_half,), (unsymmetric,), (np.diag([1.0, 2.0, 2.0]),), (-right_half + 1j * right_half,))
la("sqrtm", (right_half,), (unsymmetric,), (np.eye(2),), (np.stack([right_half, right_half + 1]),))
la("signm", (right_half * np.array([1.0, -1.0, 1.0]),), (unsymmetric * np.array([1.0, 1.0, -1.0]),))
la(
    "fractional_matrix_power",
    (lambda f, a: f(a, 0.4), right_half),
    (lambda f, a: f(a, -1.7), unsymmetric),
    (lambda f, a: f(a, 3), square),
    (right_half, np.float64(0.3)),
)

# ------------------------------------------------------------------ matrix equations
la(
    "solve_sylvester",
    (right_half, square + np.eye(3), real(3, 3)),
    (unsymmetric, np.eye(2) + cplx(2, 2) / 3, cplx(3, 2)),
    (right_half, real(2, 2) + 4 * np.eye(2), np.stack([real(3, 2), real(3, 2, seed="q")])),
)
for name in ("solve_continuous_lyapunov", "solve_lyapunov"):
    la(name, (right_half, real(3, 3)), (unsymmetric, cplx(3, 3, seed="q")))
la(
    "solve_discrete_lyapunov",
    (0.3 * square, real(3, 3)),
    (0.2 * unsymmetric, cplx(3, 3, seed="q")),
    (lambda f, a, q: f(a, q, method="bilinear"), 0.3 * square, real(3, 3)),
)
for name in ("solve_continuous_are", "solve_discrete_are"):
    la(name, (lambda f, a, b, q, r: f(a, b, gram(q), gram(r)), square, real(3, 2), real(3, 3, seed="q"), real(2, 2)),
        (lambda f, a, b, q, r: f(a, b, gram(q), gram(r)), 0.5 * unsymmetric, cplx(3, 2), cplx(3, 3, seed="q"), cplx(2, 2)),
        # scipy 1.17 balances the pencil so that with e the result solves another equation (residual 5), or none.
        (lambda f, a, b, q, r, e, s: f(a, b, gram(q), gram(r), e, 0.1 * s, balanced=False), square - 2 * np.eye(3), real(3, 2), real(3, 3, seed="q"), real(2, 2), 0.2 * real(3, 3, seed="e") + np.eye(3), real(3, 2, seed="s")))  # fmt: skip

# ------------------------------------------------------------------ layouts
la("toeplitz", (real(3),), (cplx(3),), (real(3), real(4)), (real(2, 3), real(2, 2)))
la("circulant", (real(4),), (cplx(2, 3),))
la("hankel", (real(3),), (real(3), cplx(2)))
la("companion", (positive(4),), (1 + cplx(2, 3),), (positive(2),))
la("leslie", (real(3), real(2)), (real(2, 3), cplx(2)))
la("fiedler", (real(4),), (cplx(3),), (real(2, 3),))
la(
    "convolution_matrix",
    *[
        (lambda f, a, n=n, m=m: f(a, n, m), x)
        for m in ("full", "same", "valid")
        for n, x in ((2, real(4)), (5, real(3)))
    ],
    (lambda f, a: f(a, 3), real(2, 2)),
)
la("block_diag", (real(2, 2), cplx(1, 3)), (real(2), real(2, 1), real(1)), (real(3, 1, 2), real(2, 2)))
la(
    "diagsvd",
    (lambda f, s: f(s, 2, 4), real(2)),
    (lambda f, s: f(s, 4, 2), real(2)),
    (lambda f, s: f(s, 3, 3), cplx(3)),
)
la("khatri_rao", (real(2, 3), cplx(4, 3)))

# ------------------------------------------------------------------ special functions
sf("logsumexp", (real(2, 3),), (cplx(2, 3),), (lambda f, x: f(x, axis=0, keepdims=True), 300 * real(3, 2)), (lambda f, x, b: f(x, axis=(0, -1), b=b), real(2, 3), positive(3)),
    (lambda f, x, b: f(x, axis=1, b=b, return_sign=True), real(2, 3), real(2, 3, seed="b")), (lambda f, x, b: f(x, b=b, return_sign=True), cplx(4), cplx(4, seed="b")))  # fmt: skip
for name in ("softmax", "log_softmax"):
    sf(name, (real(2, 3),), (lambda f, x: f(x, axis=0), 30 * real(3, 2)))
sf(
    "polygamma",
    (lambda f, x: f(2, x), positive(3)),
    (lambda f, x: f(np.array([[0], [1], [3]]), x), positive(2)),
)
sf("multigammaln", (lambda f, a: f(a, 3), 1 + positive(2, 2)))
sf(
    "comb",
    (4 + positive(3), positive(3, seed="k")),
    (lambda f, n, k: f(n, k, repetition=True), positive(2), positive(2, 2)),
    (lambda f, n: f(n, 2), np.array([-1.5, 1.2, 3.3])),
)
sf("perm", (4 + positive(3), positive(3, seed="k")), (lambda f, n: f(n, 2), np.array([-1.5, 1.2, 3.3])))
sf("factorial", (np.array([-1.5, 0.3, 2.2]),), (lambda f, n: f(n, extend="complex"), cplx(3)))
sf(
    "diric",
    (lambda f, x: f(x, 4), 3 * real(5)),
    (lambda f, x: f(x, np.array([[1], [5]])), np.array([0.0, 2 * np.pi, 1.0])),
)
for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"):
    sf(
        name,
        *[
            (lambda f, z, d=d: f(np.array([[0], [1], [2]]), z, derivative=d), x)
            for d in (False, True)
            for x in (0.3 + positive(3), 1 + 0.5 * cplx(2), -0.5 - positive(2))
        ],
    )
sf(
    "legendre_p",
    (lambda f, z: f(np.array([[0], [1], [4]]), z), real(3)),
    (lambda f, z: f(3, z, diff_n=2), inner(2)),
)
sf("assoc_legendre_p", *[(lambda f, z, o=o, m=m: f(np.array([[0], [1], [3]]), m, z, **o), x) for o in ({}, {"norm": True, "diff_n": 2}) for m in (0, -1) for x in (inner(2), 0.3 * cplx(2))],
    (lambda f, z: f(3, 2, z, branch_cut=3, diff_n=1), 2 + 0.3 * cplx(2)))  # fmt: skip
sf(
    "sph_legendre_p",
    (
        lambda f, t: f(np.array([[0], [1], [3]]), np.array([[0], [1], [-2]]), t, diff_n=2),
        np.array([0.4, -0.7, 4.0]),
    ),
    (lambda f, t: f(2, 0, t), np.array([0.0, 3.0])),
)
sf(
    "sph_harm_y",
    (lambda f, t, p: f(np.array([[0], [1], [3]]), np.array([[0], [-1], [2]]), t, p), positive(2), real(2)),
    (lambda f, t, p: f(3, 1, t, p, diff_n=2), np.array([0.7, -2.0]), real(2)),
)
sf("assoc_laguerre", (lambda f, x: f(x, 3, 0.5), positive(3)))
for name in ("jvp", "yvp", "ivp", "kvp", "h1vp", "h2vp"):
    sf(name, *[(lambda f, z, n=n: f(1.5, z, n), positive(2)) for n in (0, 1, 2)])
sf("lambertw", (positive(3),), (cplx(2),))
sf("sinc", (real(3),))
sf("softplus", (real(3),))
sf("zeta", (lambda f, q: f(2.5, q), positive(3)))
