# ruff: noqa: E501  # a table: one row per line, however long
"""One or more samples for every row of the engine's tables: a function and arguments at which it is smooth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import engine_samples_numpy
import numpy as np
import scipy.special as sp
from engine_sampling import (
    SAMPLES,
    Sample,
    add,
    cplx,
    eigenpairs,
    in_order,
    inner,
    name_of,
    positive,
    real,
    singular,
)
from numpy.lib.stride_tricks import sliding_window_view

import reference_engine as engine

__all__ = ["SAMPLES", "Sample", "engine_samples_numpy", "name_of"]

# ------------------------------------------------------------------ ufuncs
for f in (
    np.sin,
    np.cos,
    np.tan,
    np.sinh,
    np.cosh,
    np.tanh,
    np.exp,
    np.square,
    np.reciprocal,
    np.arctan,
    np.arcsinh,
):
    add(f, (inner(3),), (cplx(3),))
for f in (np.sqrt, np.log, np.log10, np.log1p, np.log2, np.exp2, np.expm1, np.arcsin, np.arccos, np.arctanh):
    add(f, (inner(3),), (0.5 * cplx(3),))
add(np.arccosh, (1.2 + inner(3),), (cplx(3),))
for f in (np.negative, np.positive, np.conjugate, np.absolute):
    add(f, (real(2, 3),), (cplx(2, 3),))
for f in (np.cbrt, np.fabs, np.degrees, np.rad2deg, np.radians, np.deg2rad):
    add(f, (real(3),))
for f in (np.add, np.subtract, np.multiply, np.divide):
    add(
        f,
        (real(2, 3), 1 + positive(3)),
        (cplx(2, 1), cplx(3, seed="b")),
        (real(2), cplx(2)),
        (3.0, positive(2)),
    )
for f in (np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.arctan2, np.hypot):
    add(f, (real(2, 3), real(3, seed="b")), (real(4), 0.3))
add(
    np.power,
    (positive(2, 3), real(3)),
    (real(3), 3),
    (positive(3), 0.5),
    (2.0, real(3)),
    (cplx(3), cplx(3, seed="b")),
)
add(np.float_power, (positive(3), real(3)))
add(np.copysign, (real(4), real(4, seed="b")))
add(np.remainder, (5 * real(4), positive(4)))
add(np.fmod, (5 * real(4), positive(4)))
add(np.ldexp, (lambda x: np.ldexp(x, np.array([1, -2, 3])), real(3)))
add(np.heaviside, (np.array([-1.0, 0.5]), real(2)))
add(np.sign, (real(3),), (cplx(3),))
add(np.divmod, (lambda x, y: np.divmod(x, y)[1], 5 * real(3), positive(3)))
add(np.modf, (lambda x: np.modf(x)[0], 3 * real(3)))
for x, y in [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((4, 2, 3), (3, 2)), ((2, 1, 2, 3), (4, 3, 2)),
             ((3,), (4, 3, 2)), ((4, 2, 3), (3,))]:  # fmt: skip
    add(np.matmul, (real(*x), real(*y, seed="b")), (cplx(*x), cplx(*y, seed="b")))
add(np.vecdot, (real(2, 3), real(3, seed="b")), (cplx(2, 3), cplx(3, seed="b")))
add(np.matvec, (real(2, 3), real(4, 3)[0]), (real(4, 2, 3), real(4, 3)))
add(np.vecmat, (real(3), real(3, 2)), (cplx(4, 3), cplx(3, 2)))
for f, x in {
    **dict.fromkeys((["erf", "erfc", "erfcx", "erfi", "dawsn", "expit", "log_expit", "ndtr", "log_ndtr", "i0", "i0e", "i1", "i1e", "j0", "j1", "exp10", "cosm1"]), real(4)),
    **dict.fromkeys((["gamma", "gammaln", "rgamma", "psi", "y0", "y1", "k0", "k1", "entr", "exp1", "expi"]), positive(4)),
    **dict.fromkeys((["erfinv", "erfcinv", "ndtri", "logit"]), inner(4)),
}.items():  # fmt: skip
    add(f, (getattr(sp, f), x))
for f in ["beta", "betaln", "xlogy", "xlog1py", "rel_entr", "kl_div"]:
    add(f, (getattr(sp, f), positive(3), positive(2, 3, seed="b")))
for f in ["gammainc", "gammaincc", "jv", "iv", "yv", "kv", "ive"]:
    add(f, (lambda x, f=f: getattr(sp, f)(1.5, x), positive(3)))
for f in ["gammainc", "gammaincc"]:
    add(f, (getattr(sp, f), positive(3), positive(2, 3, seed="b")))

add("betainc", (lambda x: sp.betainc(1.5, 2.5, x), inner(3)))

# ------------------------------------------------------------------ reductions and order
for f in (np.sum, np.prod, np.mean, np.var, np.std):
    add(f, (real(2, 3),), (cplx(2, 3),), (lambda x, f=f: f(x, axis=(0, -1), keepdims=True), real(2, 3, 2)),
        (lambda x, f=f: f(x, axis=1, where=np.array([True, False, True])), real(2, 3)))  # fmt: skip
add(np.prod, (np.array([0.0, 2.0, 3.0]),), (np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]]),),
    (lambda x: np.prod(x, axis=0), np.array([[0.0, 2.0], [1.0, 3.0]])))  # fmt: skip
for f in (np.max, np.min, np.ptp, np.median):
    add(f, (real(2, 3),), (lambda x, f=f: f(x, axis=1, keepdims=True), real(2, 3)))
holes = real(2, 4)
holes[1, 2] = np.nan
for f in (
    np.nansum,
    np.nanprod,
    np.nanmax,
    np.nanmin,
    np.nanmean,
    np.nanvar,
    np.nanstd,
    np.nancumsum,
    np.nancumprod,
):
    add(f, (lambda x, f=f: f(np.where(np.isnan(holes), np.nan, x), axis=1), real(2, 4)))
for f in (np.cumsum, np.cumprod):
    add(f, (real(4),), (lambda x, f=f: f(x, axis=1), cplx(2, 3)))
add(
    np.cumprod,
    (np.array([2.0, 0.0, 3.0, 0.0, 1.0]),),
    (lambda x: np.cumprod(x, axis=0), np.array([[0.0, 2.0], [1.0, 3.0]])),
)
for f in (np.cumulative_sum, np.cumulative_prod):
    add(f, (real(4),), (lambda x, f=f: f(x, axis=1, include_initial=True), real(2, 3)))
add(np.diff, (real(5),), (lambda x: np.diff(x, 2, axis=0, prepend=1.0), real(4, 2)))
add(np.ediff1d, (real(5),), (lambda x: np.ediff1d(x, to_end=[1.0]), real(3)))
add(np.trapezoid, (real(4),), (lambda y, x: np.trapezoid(y, x), real(2, 4), np.cumsum(positive(4))))
add(
    np.sort,
    (real(5),),
    (lambda x: np.sort(x, axis=0), real(3, 2)),
    (lambda x: np.sort(x, axis=None), real(3, 2)),
)
add(np.partition, (lambda x: np.sum(np.partition(x, 2)[:2]), real(5)))
add(
    np.quantile,
    (lambda x: np.quantile(x, [0.2, 0.5], axis=1), real(2, 5)),
    (lambda x: np.quantile(x, 0.3, keepdims=True), real(2, 3)),
)
add(np.percentile, (lambda x: np.percentile(x, 30), real(5)))
add(np.average, (real(3),), (lambda x, w: np.average(x, axis=1, weights=w), real(2, 3), positive(3)))
add(np.unique, (real(4),))
add((np.add, "reduce"), (np.add.reduce, real(2, 3)))
add((np.multiply, "reduce"), (np.multiply.reduce, real(2, 3)))
add((np.maximum, "reduce"), (np.maximum.reduce, real(2, 3)))
add((np.minimum, "reduce"), (lambda x: np.minimum.reduce(x, axis=None), real(2, 3)))
add((np.add, "accumulate"), (np.add.accumulate, real(2, 3)))
add((np.multiply, "accumulate"), (np.multiply.accumulate, real(2, 3)))


def written(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(target, *args)` writes into its first argument; this one gives the target back."""

    def call(x: Any, *args: Any) -> Any:
        target = np.copy(x)
        function(target, *args)
        return target

    return call


for f in (np.add, np.subtract):
    add((f, "at"), (written(lambda t, v, f=f: f.at(t, [0, 2, 0], v)), real(4), real(3)))
add(np.copyto, (written(lambda t, v: np.copyto(t, v, where=[True, False, True])), real(2, 3), real(3)))
add(np.put, (written(lambda t, v: np.put(t, [0, 7, 3], v, mode="wrap")), real(2, 3), real(2)))
add(np.place, (written(lambda t, v: np.place(t, t > 0, v)), np.array([1.0, -1.0, 2.0, 3.0]), real(2)))
add(np.putmask, (written(lambda t, v: np.putmask(t, t > 0, v)), np.array([1.0, -1.0, 2.0, 3.0]), real(3)))
add(
    np.put_along_axis,
    (written(lambda t, v: np.put_along_axis(t, np.array([[1], [0]]), v, 1)), real(2, 3), real(2, 1)),
)
add(np.fill_diagonal, (written(np.fill_diagonal), real(3, 2), real(2)))

# ------------------------------------------------------------------ elementwise functions
add(np.real, (cplx(3),), (real(3),))
add(np.imag, (cplx(3),), (real(3),))
add(np.angle, (cplx(3),), (lambda z: np.angle(z, deg=True), cplx(3)), (real(3),))
add(np.astype, (lambda x: np.astype(x, complex), real(3)))
add(np.where, (lambda x, y: np.where(np.array([True, False, True]), x, y), real(2, 3), real(3)))
add(
    np.clip, (lambda x: np.clip(x, -0.5, 0.5), real(6)), (np.clip, real(6), np.float64(-0.4), np.float64(0.7))
)
add(np.nan_to_num, (real(3),))
add(np.sinc, (real(4),), (np.array([0.0, 1e-3, 0.4, 1.0, 7.3]),))

# ------------------------------------------------------------------ indexing
add("getitem", (lambda x: x[1], real(3)), (lambda x: x[..., ::-2, None], real(2, 4)), (lambda x: x[[0, 0, 2]], cplx(3)),
    (lambda x: x[np.array([[True, False], [True, True]])], real(2, 2)), (lambda x: x[[0, 1], :, [1, 1]], real(2, 3, 2)),
    (lambda x: x[-1, ...], real(2, 3)), (lambda x: x[True], real(2)), (lambda x: x[2:1], real(3)))  # fmt: skip
add(
    "scatter",
    (lambda v: engine.scatter(v, [0, 0, 2], (4,)), real(3)),
    (lambda v: engine.scatter(v, slice(1, 3), (4,)), real(2)),
)
add("index_put", (lambda x, v: engine.index_put(x, [0, 2, 0], v), real(4), real(3)),
    (lambda x, v: engine.index_put(x, (slice(None), 1), v), real(2, 3), real(1)),
    (lambda x, v: engine.index_add(x, [0, 2, 0], v), cplx(4), cplx(3)),
    (lambda x, v: engine.index_add(x, slice(0, 2), v), real(4), 2.0))  # fmt: skip
add(
    np.take,
    (lambda x: np.take(x, [[0, 2], [2, 2]], axis=1), real(2, 3)),
    (lambda x: np.take(x, 7, mode="wrap"), real(2, 3)),
)
add(np.take_along_axis, (lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), axis=1), real(2, 3)))
add(np.compress, (lambda x: np.compress([True, False, True], x, axis=1), real(2, 3)))
add(np.extract, (lambda x: np.extract(np.array([[1, 0], [1, 1]]), x), real(2, 2)))
add(np.choose, (lambda x, y: np.choose(np.array([0, 1, 0]), [x, y]), real(3), real(2, 3)))
add(
    np.select,
    (
        lambda x, y: np.select([np.array([True, False, False]), np.array([True, True, False])], [x, y], 7.0),
        real(3),
        real(2, 3),
    ),
)

# ------------------------------------------------------------------ shape
add(
    np.reshape,
    (lambda x: np.reshape(x, (3, -1)), real(2, 3)),
    (lambda x: np.reshape(x, (3, 2), order="F"), real(2, 3)),
)
add(np.ravel, (real(2, 3),), (lambda x: np.ravel(x, order="F"), real(2, 3)))
add(np.transpose, (real(2, 3),), (lambda x: np.transpose(x, (1, -1, 0)), real(2, 3, 2)))
add(np.matrix_transpose, (real(2, 2, 3),))
add(np.linalg.matrix_transpose, (real(2, 3),))
add(np.broadcast_to, (lambda x: np.broadcast_to(x, (2, 3)), real(3)))
add(np.broadcast_arrays, (np.broadcast_arrays, real(3), real(2, 1)))
add(np.squeeze, (real(2, 1, 3),))
add(np.expand_dims, (lambda x: np.expand_dims(x, (0, 2)), real(2)))
add(np.moveaxis, (lambda x: np.moveaxis(x, 0, -1), real(2, 3, 2)))
add(np.rollaxis, (lambda x: np.rollaxis(x, 2), real(2, 3, 2)))
add(np.swapaxes, (lambda x: np.swapaxes(x, 0, 2), real(2, 3, 2)))
for f in (
    np.flip,
    np.fliplr,
    np.flipud,
    np.rot90,
    np.diag,
    np.diagflat,
    np.diagonal,
    np.tril,
    np.triu,
    np.trace,
):
    add(f, (real(2, 3),))
add(np.diag, (lambda x: np.diag(x, 1), cplx(2)))
add(np.linalg.diagonal, (real(2, 3, 2),))
add(np.linalg.trace, (real(2, 3, 2),))
add(np.roll, (lambda x: np.roll(x, (1, 2), (0, 1)), real(2, 3)))
add(np.repeat, (lambda x: np.repeat(x, [1, 3, 2], axis=1), real(2, 3)))
add(np.tile, (lambda x: np.tile(x, (2, 2)), real(3)))
add(np.resize, (lambda x: np.resize(x, (3, 3)), real(4)))
add(np.delete, (lambda x: np.delete(x, 1, axis=1), real(2, 3)))
add(
    np.insert,
    (lambda x, v: np.insert(x, [1, 1], v, axis=1), real(2, 3), real(2, 1)),
    (lambda x: np.insert(x, 1, 5.0), real(3)),
)
for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    add(f, (f, real(), real(3)))
for f in (np.concatenate, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack):
    add(f, (lambda x, y, f=f: f([x, y]), real(2, 3), real(2, 3, seed="b")))
add(np.concatenate, (lambda x, y: np.concatenate([x, y, np.ones(2)], axis=None), real(2, 3), cplx(4)))
add(np.column_stack, (lambda x, y: np.column_stack([x, y]), real(3), real(3, 2)))
add(np.unstack, (np.unstack, real(2, 3)))
add(np.append, (np.append, real(2), real(2, 3)))
add(np.block, (lambda x, y: np.block([[x, y], [y, x]]), real(2, 2), real(2, 2, seed="b")))
add(np.split, (lambda x: np.split(x, 2), real(4, 2)))
add(
    np.array_split,
    (lambda x: np.array_split(x, 3), real(5)),
    (lambda x: np.array_split(x, [1, 3], axis=1), real(2, 5)),
)
for f in (np.hsplit, np.vsplit, np.dsplit):
    add(f, (lambda x, f=f: f(x, 2), real(2, 2, 2)))
add(
    np.meshgrid,
    (np.meshgrid, real(2), real(3)),
    (lambda x, y: np.meshgrid(x, y, indexing="ij", sparse=True), real(2), real(3)),
)
add(np.pad, (lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=3.0), real(2, 3)),
    *[(lambda x, m=m: np.pad(x, 2, mode=m), real(3, 3)) for m in ("edge", "reflect", "symmetric", "wrap")])  # fmt: skip
add(np.full_like, (lambda x: np.full_like(np.ones(3), 1.0) + np.full_like(x, 2.0) * x, real(3)))
add(np.copy, (real(3),))

# ------------------------------------------------------------------ linear algebra
square, hermitian = real(3, 3) + 2 * np.eye(3), cplx(3, 3) + 2 * np.eye(3)


def gram(x: Any) -> Any:
    return x @ np.conjugate(np.swapaxes(x, -1, -2)) + np.diag([1.0, 2.0, 4.0])


for f in (np.dot, np.inner, np.outer, np.kron, np.vdot, np.linalg.outer):
    add(f, (real(3), real(3, seed="b")))
add(np.dot, (real(2, 3), real(3)), (real(2, 3), real(2, 3, 2)), (2.0, real(3)))
add(np.inner, (real(2, 3), real(4, 3)))
add(np.kron, (real(2, 3), cplx(2)))
add(np.vdot, (cplx(2, 3), cplx(2, 3, seed="b")))
for f in (np.cross, np.linalg.cross, np.linalg.vecdot):
    add(f, (real(2, 3), real(2, 3, seed="b")))
add(np.tensordot, (real(2, 3), real(2, 3, seed="b")),
    (lambda x, y: np.tensordot(x, y, axes=([0, 1], [1, 0])), real(2, 3, 2), cplx(3, 2)))  # fmt: skip
add(np.linalg.tensordot, (real(2, 3), real(2, 3, seed="b")))
add(np.linalg.matmul, (real(2, 3), real(3, 2)))
add(np.einsum, *[(lambda *xs, s=s: np.einsum(s, *xs), *xs) for s, xs in {
    "ij,jk->ik": (real(2, 3), cplx(3, 2)), "ii->i": (real(3, 3),), "ii,ij->": (real(3, 3), real(3, 3, seed="b")),
    "...i,...i": (real(2, 3), real(3)), "ij->": (cplx(2, 3),), "i,j,k->kij": (real(2), real(3), real(2, seed="c")),
    "iij->ji": (real(2, 2, 3),), "ba,b": (real(2, 3), real(2)), "i...,...->...i": (real(2, 3), real(3)),
}.items()], (lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), real(2, 3), real(3, 2)))  # fmt: skip
for f in (np.linalg.inv, np.linalg.det, np.linalg.pinv, np.linalg.cond):
    add(f, (square,), (hermitian,), (np.stack([square, square.T + 1]),))
add(np.linalg.det, (np.array([[1.0, 2.0], [2.0, 4.0]]),), (np.zeros((2, 2)),), (np.ones((3, 3)),))
add(np.linalg.slogdet, (np.linalg.slogdet, square), (np.linalg.slogdet, hermitian))
add(
    np.linalg.solve,
    (square, real(3)),
    (square, real(3, 2)),
    (hermitian, real(3)),
    (np.stack([square, square.T]), real(2, 3, 1)),
)
add(
    np.linalg.cholesky,
    (lambda x: np.linalg.cholesky(gram(x)), square),
    (lambda x: np.linalg.cholesky(gram(x), upper=True), hermitian),
)
add(np.linalg.qr, *[(lambda x: tuple(np.linalg.qr(x)), x) for x in (real(3, 3), real(4, 2), real(2, 4), np.stack([real(3, 2), real(3, 2, seed="b")]), cplx(3, 3), cplx(4, 2))],
    (lambda x: np.linalg.qr(x, mode="r"), real(3, 2)))  # fmt: skip
add(np.linalg.eigh, (lambda x: eigenpairs(np.linalg.eigh(gram(x))), square),
    (lambda x: np.absolute(np.linalg.eigh(gram(x))[1]) ** 2, hermitian), (lambda x: np.linalg.eigh(gram(x), UPLO="U")[0], hermitian))  # fmt: skip
add(np.linalg.eigvalsh, (lambda x: np.linalg.eigvalsh(gram(x)), hermitian))
distinct = np.diag([1.0, 2.5, 4.0]) + 0.2 * real(3, 3)
add(np.linalg.eig, (lambda x: in_order(np.linalg.eig(x)[0]), distinct), (lambda x: np.absolute(in_order(*np.linalg.eig(x))[1]) ** 2, distinct),
    (lambda x: in_order(np.linalg.eig(x)[0]), distinct + 0.3j * real(3, 3, seed="i")), (lambda x: np.absolute(in_order(*np.linalg.eig(x))[1]) ** 2, distinct + 0.3j * real(3, 3, seed="i")))  # fmt: skip
add(np.linalg.eigvals, (lambda x: in_order(np.linalg.eigvals(x)), distinct))
add(np.linalg.svd, *[(lambda x: singular(np.linalg.svd(x, full_matrices=False)), x) for x in (real(3, 3), real(4, 2), real(2, 4), real(2, 3, 2))],
    *[(lambda x: np.einsum("...ij,...j,...jk->...ik", *(lambda r: (r[0], r[1] ** 3, r[2]))(np.linalg.svd(x, full_matrices=False))), x)
      for x in (cplx(3, 3), cplx(4, 2), cplx(2, 4))],
    (lambda x: singular(np.linalg.svd(x)), real(2, 3)), (lambda x: np.linalg.svd(x)[1], cplx(3, 2)),
    (lambda x: np.linalg.svd(x, compute_uv=False), real(2, 3)))  # fmt: skip
add(np.linalg.svdvals, (real(2, 3),), (cplx(3, 2),))
add(np.linalg.pinv, (real(4, 2),), (cplx(2, 4),), (real(2, 3, 2),))
add(
    np.linalg.lstsq,
    (lambda a, b: np.linalg.lstsq(a, b)[:2], real(4, 2), real(4)),
    (lambda a, b: np.linalg.lstsq(a, b)[0], real(2, 3), real(2, 2)),
    # A sum of squares is curved at zero too.
    (lambda a, b: np.linalg.lstsq(a, 0.0 * b + b)[1], real(4, 2), np.zeros(4)),
)
add(np.linalg.norm, (real(2, 3),), (cplx(3),), *[(lambda x, o=o: np.linalg.norm(x, o), x)
    for o, x in [(1, real(4)), (3, real(4)), (np.inf, real(4)), (-np.inf, real(4)), (0.5, real(4)), ("nuc", real(2, 3)), (2, real(2, 3)),
                 (-2, real(2, 3)), (1, real(2, 3)), (np.inf, cplx(2, 3)), ("fro", cplx(2, 3)), (-1, real(2, 3)), (0, real(3))]],
    (lambda x: np.linalg.norm(x, axis=1, keepdims=True), real(2, 3)), (lambda x: np.linalg.norm(x, "nuc", axis=(2, 0), keepdims=True), real(2, 2, 3)))  # fmt: skip
add(np.linalg.vector_norm, (real(2, 3),), (lambda x: np.linalg.vector_norm(x, axis=0, ord=3), real(2, 3)))
add(
    np.linalg.matrix_norm,
    (real(2, 2, 3),),
    (lambda x: np.linalg.matrix_norm(x, ord=1, keepdims=True), real(2, 2, 3)),
)
add(np.linalg.matrix_power, *[(lambda x, n=n: np.linalg.matrix_power(x, n), square) for n in (1, 2, 5, -2)])
add(np.linalg.multi_dot, (lambda x, y, z: np.linalg.multi_dot([x, y, z]), real(3), real(3, 2), real(2, 3)))
add(np.linalg.tensorinv, (lambda x: np.linalg.tensorinv(x, 1), square))
add(np.linalg.tensorsolve, (lambda a, b: np.linalg.tensorsolve(a, b), square.reshape(3, 1, 3), real(3, 1)))
add("solve_triangular", (lambda a, b: engine.solve_triangular(a, b, lower=True), square, real(3)),
    (lambda a, b: engine.solve_triangular(a, b, unit_diagonal=True), square, real(3, 2)))  # fmt: skip

# ------------------------------------------------------------------ fft
for f in (np.fft.fft, np.fft.ifft):
    add(
        f,
        (real(5),),
        (cplx(4),),
        (lambda x, f=f: f(x, 3, axis=0, norm="ortho"), cplx(4, 2)),
        (lambda x, f=f: f(x, 6, norm="forward"), cplx(4)),
    )
for f in (np.fft.rfft, np.fft.ihfft):
    add(f, (real(5),), (real(4),), (lambda x, f=f: f(x, 3, axis=0, norm="ortho"), real(4, 2)))
for f in (np.fft.irfft, np.fft.hfft):
    add(
        f,
        (cplx(4),),
        (lambda x, f=f: f(x, 5, axis=0, norm="forward"), cplx(4, 2)),
        (lambda x, f=f: f(x, 9), cplx(4)),
    )
for f in (np.fft.fftn, np.fft.ifftn, np.fft.irfftn, np.fft.fft2, np.fft.ifft2, np.fft.irfft2):
    add(f, (cplx(2, 3, 4),), (lambda x, f=f: f(x, s=(2, 6), axes=(0, 2), norm="ortho"), cplx(3, 2, 4)))
for f in (np.fft.rfftn, np.fft.rfft2):
    add(f, (real(2, 3, 4),), (lambda x, f=f: f(x, s=(2, 5), axes=(0, 2), norm="ortho"), real(3, 2, 4)))
for f in (np.fft.fftshift, np.fft.ifftshift):
    add(f, (real(2, 5),))

# ------------------------------------------------------------------ layers
add(
    sliding_window_view,
    (lambda x: sliding_window_view(x, 3), real(5)),
    (lambda x: sliding_window_view(x, (2, 2), axis=(2, 0)), real(3, 2, 3)),
)
add("windows", (lambda x: engine.windows(x, (2, 3), stride=(2, 1), dilation=(1, 2)), real(2, 5, 6)))
add("fold", (lambda c: engine.fold(c, (2, 6), (3,), stride=2), real(2, 2, 3)))
add("convolution", (lambda x, w: engine.convolution(x, w, stride=2, padding=1, dilation=2, groups=2), real(2, 4, 6, 5), real(6, 2, 2, 2)),
    (lambda x, w: engine.convolution(x, w, padding=(2,)), real(1, 2, 4), real(3, 2, 3)), (engine.convolution, cplx(1, 1, 3, 3, 3), cplx(1, 1, 2, 2, 2)))  # fmt: skip
add("convolution_transpose", (lambda x, w: engine.convolution_transpose(x, w, stride=2, padding=1, output_padding=1, groups=2), real(1, 4, 3, 3), real(4, 2, 3, 3)),
    (lambda x, w: engine.convolution_transpose(x, w, dilation=2), real(2, 2, 4), real(2, 3, 3)))  # fmt: skip
for f in (np.convolve, np.correlate):
    add(
        f,
        *[(lambda x, y, f=f, m=m: f(x, y, mode=m), real(5), real(3)) for m in ("full", "same", "valid")],
        (f, cplx(2), cplx(4)),
    )
for f in (engine.logsumexp, engine.softmax, engine.log_softmax):
    add(f.__name__, (f, real(2, 3)), (lambda x, f=f: f(x, axis=0), 300 * real(3, 2)))
add("polygamma", (lambda x: engine.polygamma(2, x), positive(3)))

# ------------------------------------------------------------------ numeric
knots = np.array([0.0, 1.0, 2.5, 4.0])
add(
    np.interp,
    (np.interp, np.array([0.3, 1.7, 3.9, -2.0, 9.0]), knots, real(4)),
    (lambda x: np.interp(x, knots, knots**2, left=1.0, right=3.0), np.array([0.5, 5.0])),
)
add(
    np.linspace,
    (lambda a, b: np.linspace(a, b, 4), real(2), real(2, seed="b")),
    (lambda a: np.linspace(a, 2.0, 3, endpoint=False), real()),
)
add(
    np.gradient,
    (np.gradient, real(5)),
    (lambda x: np.gradient(x, 0.5, 2.0), real(3, 4)),
    (lambda x: np.gradient(x, axis=1), real(2, 4)),
)
add(np.unwrap, (np.unwrap, 5 * real(6)))
add(np.vander, (np.vander, real(3)), (lambda x: np.vander(x, 4, increasing=True), real(3)))
add(np.polyval, (np.polyval, real(4), real(3)))
add(
    np.cov,
    (np.cov, real(2, 5)),
    (lambda x, y: np.cov(x, y, bias=True), real(4), real(4, seed="b")),
    (lambda x: np.cov(x, rowvar=False), real(5, 2)),
)
add(np.corrcoef, (np.corrcoef, real(2, 5)))
add(np.apply_along_axis, (lambda x: np.apply_along_axis(lambda r: np.cumsum(r * r), 0, x), real(3, 2)))
add(
    np.nanmedian,
    (lambda x: np.nanmedian(np.where(np.isnan(holes), np.nan, x), axis=1), real(2, 4)),
    (np.nanmedian, real(5)),
)
add(np.nanquantile, (lambda x: np.nanquantile(np.where(np.isnan(holes), np.nan, x), [0.2, 0.7]), real(2, 4)))
add(np.nanpercentile, (lambda x: np.nanpercentile(x, 30, axis=0), real(3, 2)))
add(np.real_if_close, (lambda x: np.real_if_close(x + 0j), real(3)))
