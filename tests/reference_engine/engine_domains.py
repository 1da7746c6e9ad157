# ruff: noqa: E501  # a table: one row per line, however long
# fmt: off
"""For every row of the engine's tables the calls that its derivative is checked at, as Hypothesis draws them.

A row is a function, what its arguments are, their shapes, their dtypes and its keywords; see `engine_calls`. Several
rows of one name are drawn from in turn.
"""

from __future__ import annotations

import functools

import engine_domains_numpy  # noqa: F401  # enters its rows
import numpy as np
from engine_calls import (
    ABOVE_ONE,
    ALL,
    ANY,
    AWAY,
    BETWEEN,
    COMPLEX,
    DISTINCT,
    HALF_PRECISION,
    INNER,
    LINE,
    POSITIVE,
    REAL,
    REDUCED,
    REGULAR,
    ROWS,
    SMALL,
    SPREAD,
    SQUARE,
    STACKED,
    TALL_AND_WIDE,
    UNIT,
    Values,
    alike,
    axes,
    axis,
    axis_or_none,
    both,
    cases_near,
    changed,
    choice,
    hermitian,
    indices,
    kept,
    listed,
    masks,
    of,
    on_arrays,
    one,
    put,
    some,
    squared,
    together,
)
from engine_sampling import in_order
from engine_special import KNOWN, ufunc

import reference_engine as engine
from reference_engine.rules.special import SPECIAL

__all__ = ["HALF_PRECISION", "ROWS"]

# ---------------------------------------------------------------------------- ufuncs of one argument
put("sin cos sinh cosh tanh exp square arctan arcsinh expm1 exp2", ANY)
put("sin cos tan sinh cosh tanh exp square arctan arcsinh expm1 exp2 arcsin arccos arctanh", INNER, dtypes=COMPLEX)
put("tan arcsin arccos arctanh", INNER)
put("sqrt log log2 log10 log1p arccosh", POSITIVE, dtypes=COMPLEX)
put("sqrt log log2 log10 log1p", POSITIVE)
put("arccosh", ABOVE_ONE)
put("reciprocal sign", AWAY, dtypes=ALL)
put("negative positive conjugate absolute", ANY, dtypes=ALL)
put("cbrt", AWAY)
put("absolute fabs", AWAY, dtypes=REAL)
put("fabs degrees rad2deg radians deg2rad", ANY)
put("ldexp", ANY, function=lambda f, x, n: f(x, n), keywords=choice(n=(-2, 0, 3)))
put("modf", BETWEEN, function=lambda f, x: f(x)[0])
# ---------------------------------------------------------------------------- ufuncs of two arguments
put("add subtract multiply", ANY, ANY, dtypes=ALL)
put("divide", ANY, AWAY, dtypes=ALL)
put("maximum minimum fmax fmin logaddexp logaddexp2", ANY, ANY)
put("maximum minimum fmax fmin", ANY, BETWEEN)
put("hypot", ANY, AWAY)
put("arctan2", AWAY, ANY)
put("power float_power", POSITIVE, ANY)
put("power", AWAY, function=lambda f, x, n: f(x, n), keywords=choice(n=(0, 1, 2, 3, -1, -2)), dtypes=ALL)
put("power", ANY, function=lambda f, x, base: f(base, x), keywords=choice(base=(2.0, 0.5, 1)))
put("power", POSITIVE, SMALL, dtypes=COMPLEX)
put("copysign", AWAY, AWAY)
put("heaviside", AWAY, ANY)
put("remainder fmod", BETWEEN, Values(0.5, 2))
put("divmod", BETWEEN, Values(0.5, 2), function=lambda f, x, y: f(x, y)[1])
put("matmul", ANY, ANY, dtypes=ALL, shapes=of(((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 1)), ((2, 2, 3), (3, 2)), ((2, 1, 1, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,))))
put("vecdot linalg.vecdot", ANY, ANY, dtypes=ALL, shapes=of(((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 3)), ((2, 1, 3), (2, 3)), ((1,), (2, 1))))
put("matvec", ANY, ANY, dtypes=ALL, shapes=of(((2, 3), (3,)), ((2, 2, 3), (3,)), ((2, 3), (2, 3)), ((1, 1), (1,))))
put("vecmat", ANY, ANY, dtypes=ALL, shapes=of(((3,), (3, 2)), ((2, 3), (3, 2)), ((2,), (2, 2, 3)), ((1,), (1, 1))))
# ---------------------------------------------------------------------------- ufuncs of scipy.special
put("special.erf special.erfc special.erfcx special.erfi special.dawsn special.expit special.log_expit special.ndtr special.log_ndtr special.i0 special.i0e special.i1 special.i1e special.j0 special.j1 special.exp10 special.cosm1", ANY)
put("special.i0e special.i1e", AWAY)
put("special.gamma special.gammaln special.rgamma special.psi special.y0 special.y1 special.k0 special.k1 special.entr special.exp1 special.expi", POSITIVE)
put("special.erfinv special.ndtri special.logit", UNIT)
put("special.erfcinv", Values(0.1, 1.9))
put("special.beta special.betaln special.xlogy special.xlog1py special.rel_entr special.kl_div", POSITIVE, POSITIVE)
put("special.gammainc special.gammaincc special.jv special.iv special.yv special.kv special.ive", POSITIVE, function=lambda f, x, order: f(order, x), keywords=choice(order=(0.5, 1.0, 2.25)))
put("special.betainc", UNIT, function=lambda f, x, a, b: f(a, b, x), keywords=choice(a=(0.5, 2.0), b=(1.5, 3.0)))
put("polygamma", POSITIVE, function=lambda f, x, n: f(n, x), keywords=choice(n=(0, 1, 2)))
# Those that have no row of their own are drawn near the points at which their values are known.
for name, known in KNOWN.items():
    if f"special.{name}" not in ROWS:
        places = [i for i, partial in enumerate(SPECIAL[name]) if partial is not None]
        ROWS[f"special.{name}"] = cases_near(f"special.{name}", ufunc(name), known.points, places)
# ---------------------------------------------------------------------------- reductions
put("sum mean", ANY, keywords=REDUCED, dtypes=ALL)
put("prod", ANY, keywords=REDUCED, dtypes=ALL)
put("var std", ANY, keywords=REDUCED, dtypes=ALL, shapes=one(1, 3, side=2))
put("var std", DISTINCT, keywords=both(axes, kept, choice(ddof=(1, 0.5))), shapes=of((2, 2), (3, 2)))
put("sum mean prod var std", ANY, function=lambda f, x, where: f(x, axis=1, where=where), keywords=masks("where"), shapes=of((1, 3), (1, 4)))
put("max min ptp", ANY, keywords=REDUCED)
put("max min ptp", DISTINCT, keywords=REDUCED, shapes=one(1, 2))
put("median", DISTINCT, keywords=REDUCED)
put("nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian", DISTINCT, function=lambda f, x, holes, **k: f(np.where(holes, x, np.nan), **k), keywords=both(masks("holes"), choice(keepdims=(True, False))), shapes=of((4,), (2, 3), (3, 2)))
put("nansum nanprod nanmax nanmin nanmean nanmedian", DISTINCT, keywords=REDUCED, shapes=one(1, 3))
put("nancumsum nancumprod", ANY, function=lambda f, x, holes, **k: f(np.where(holes, x, np.nan), **k), keywords=both(masks("holes"), axis_or_none), shapes=one(1, 2))
put("cumsum cumprod", ANY, keywords=axis_or_none, dtypes=ALL, shapes=one(1, 3))
put("cumulative_sum cumulative_prod", ANY, keywords=both(axis, some(include_initial=(True, False))), dtypes=ALL, shapes=one(1, 2))
put("add.reduce multiply.reduce", ANY, keywords=both(axis, kept), dtypes=ALL, shapes=one(1, 2))
put("maximum.reduce minimum.reduce", DISTINCT, keywords=REDUCED, shapes=one(1, 2))
put("add.accumulate multiply.accumulate", ANY, keywords=axis, dtypes=ALL, shapes=one(1, 2))
put("diff", ANY, keywords=both(axis, some(n=(0, 1, 2))), dtypes=ALL, shapes=of((3, 4), (4, 3), (3, 3, 3)))
put("diff", ANY, ANY, ANY, function=lambda f, x, before, after: f(x, prepend=before, append=after), shapes=of(((3,), (), (2,)), ((2, 3), (2, 1), (2, 2))))
put("ediff1d", ANY, keywords=some(to_end=([1.0], [0.0, 2.0]), to_begin=([3.0],)), shapes=one(1, 2, side=2))
put("trapezoid", ANY, keywords=both(axis, some(dx=(0.5, 2.0))), shapes=one(1, 2, side=2))
put("trapezoid", ANY, DISTINCT, shapes=of(((4,), (4,)), ((2, 3), (3,)), ((2, 3), (2, 3))))
put("sort", ANY, keywords=axis_or_none, shapes=one(1, 3))
put("sort", DISTINCT, keywords=axis_or_none, shapes=one(1, 2))
put("partition", DISTINCT, function=lambda f, x, kth: np.stack([np.sum(np.exp(f(x, kth)[..., :kth])), np.sum(np.exp(f(x, kth)[..., kth:]))]), keywords=choice(kth=(0, 1, 2)), shapes=of((3,), (5,), (2, 4)))
put("quantile nanquantile", DISTINCT, keywords=both(REDUCED, choice(q=(0.3, 1.0, [0.2, 0.75])), some(method=("linear", "lower", "midpoint"))), shapes=one(1, 2))
put("percentile nanpercentile", DISTINCT, keywords=both(REDUCED, choice(q=(30, 0, [20, 75]))), shapes=one(1, 2))
put("average", ANY, keywords=axes, dtypes=ALL)
put("average", ANY, POSITIVE, function=lambda f, x, w, axis: f(x, axis, weights=w), keywords=choice(axis=(-1,)), shapes=of(((2, 3), (3,)), ((2, 3), (2, 3)), ((4,), (4,))))
put("unique", DISTINCT)
# ---------------------------------------------------------------------------- elementwise functions
put("real imag", ANY, dtypes=ALL)
put("angle", AWAY, keywords=some(deg=(True, False)), dtypes=COMPLEX + REAL)
put("astype", ANY, function=lambda f, x, dtype: f(x, dtype), keywords=choice(dtype=(np.float64, np.complex128)))
put("where", ANY, ANY, function=lambda f, x, y, mask: f(mask, x, y), keywords=masks("mask"), shapes=of(((2, 3), (3,)), ((3,), ()), ((2, 2), (2, 1))), dtypes=ALL)
put("clip", ANY, keywords=choice(min=(-1.5, None), max=(0.75, 2)))
put("clip", ANY, Values(-2, -0.5), Values(0.5, 2), shapes=together(3))
put("nan_to_num", ANY, dtypes=ALL)
put("real_if_close", ANY, function=lambda f, x: f(x + 0j))
put("sinc", ANY)
# ---------------------------------------------------------------------------- indexing
INDICES = (0, -1, slice(None, None, -2), (slice(0, 1), 2), (Ellipsis, 1), (None, slice(None), [0, 3, 0]), ([1, 0, 0], [3, -1, 3]), np.eye(3, 4) > 0, (np.array(True), 1), ([[0, 2]], slice(None)))
put("getitem", ANY, function=lambda f, x, index: x[index], keywords=choice(index=INDICES), shapes=of((3, 4)), dtypes=ALL)
put("take", ANY, function=lambda f, x, where, **k: f(x, where, **k), keywords=both(indices("where"), choice(axis=(-1,))), shapes=one(1, 2), dtypes=ALL)
put("take", ANY, function=lambda f, x, **k: f(x, [[0, 7], [-9, 1]], **k), keywords=choice(mode=("wrap", "clip")), shapes=of((2, 3), (4,)))
put("take_along_axis", ANY, function=lambda f, x: f(x, np.array([[0, -1, 0], [1, 1, 0]]), axis=1), shapes=of((2, 3), (2, 2)), dtypes=ALL)
put("compress", ANY, function=lambda f, x, **k: f([True, False, True], x, **k), keywords=choice(axis=(1, -1)), shapes=of((2, 3), (1, 4)), dtypes=ALL)
put("extract", ANY, function=lambda f, x, mask: f(mask, x), keywords=masks("mask"), shapes=one(1, 2), dtypes=ALL)
put("choose", ANY, ANY, function=lambda f, x, y: f(np.array([0, 1, 0]), [x, y]), shapes=of(((3,), (2, 3)), ((), (3,)), ((2, 1), (3,))))
put("select", ANY, ANY, function=lambda f, x, y, default: f([np.array([True, False, False]), np.array([True, True, False])], [x, y], default), keywords=choice(default=(0, 7.0)), shapes=of(((3,), (3,)), ((), (3,)), ((3,), (2, 3))))
put("scatter", ANY, function=lambda f, v, index: f(v, index, (4,)), keywords=choice(index=([0, 0, 2], [-1, 3, 1], slice(1, 4))), shapes=of((3,)), dtypes=ALL)
put("index_put", ANY, ANY, function=lambda f, x, v, **k: f(x, [0, 2], v, **k), keywords=some(accumulate=(True, False)), shapes=of(((4,), (2,)), ((3, 2), (2, 2)), ((3, 2), (1,)), ((3, 2), ())), dtypes=ALL)
put("index_put", ANY, ANY, function=lambda f, x, v: on_arrays(engine.index_add)(x, [0, 2, 0], v), shapes=of(((4,), (3,)), ((3, 2), (3, 2)), ((3, 2), ())), dtypes=ALL)
put("add.at subtract.at", ANY, ANY, function=lambda f, x, v: changed(f, x, [0, 2, 0], v), shapes=of(((4,), (3,)), ((3, 2), (3, 1)), ((3,), ())))
put("put", ANY, ANY, function=lambda f, x, v: changed(f, x, [0, -1], v), shapes=of(((4,), (2,)), ((2, 2), (1,))))
put("place", ANY, ANY, function=lambda f, x, v, mask: changed(f, x, mask, v), keywords=masks("mask"), shapes=of(((3,), (2,)), ((2, 2), (1,))), dtypes=("float64",))
put("putmask copyto", ANY, ANY, function=lambda f, x, v, mask: changed(np.putmask, x, mask, v.astype(x.dtype)) if f is np.putmask else changed(f, x, v, where=mask), keywords=masks("mask"), shapes=of(((3,), (3,)), ((2, 2), (2, 2))))
put("put_along_axis", ANY, ANY, function=lambda f, x, v: changed(f, x, np.array([[0], [1]]), v, axis=1), shapes=of(((2, 3), (2, 1)), ((2, 2), (1, 1))))
put("fill_diagonal", ANY, ANY, function=changed, shapes=of(((2, 3), ()), ((3, 3), (3,))))
# ---------------------------------------------------------------------------- shape
put("reshape", ANY, keywords=both(choice(shape=(-1, (3, -1), (1, 2, 3))), some(order=("C", "F"))), shapes=of((2, 3), (6,), (1, 3, 2)), dtypes=ALL)
put("ravel", ANY, keywords=some(order=("C", "F", "A")), dtypes=ALL)
put("transpose", ANY, keywords=some(axes=((1, -1, 0), (0, 2, 1))), shapes=of((2, 3, 2), (1, 2, 3)), dtypes=ALL)
put("matrix_transpose linalg.matrix_transpose", ANY, shapes=STACKED, dtypes=ALL)
put("broadcast_to", ANY, keywords=choice(shape=((2, 3), (2, 2, 3))), shapes=of((3,), (1,), (2, 1), ()), dtypes=ALL)
put("broadcast_arrays", ANY, ANY, dtypes=ALL)
put("squeeze", ANY, keywords=some(axis=(1, -2, (1,))), shapes=of((2, 1, 3), (1, 1, 2)), dtypes=ALL)
put("expand_dims", ANY, keywords=choice(axis=(0, -1, (0, 2))), shapes=one(1, 2), dtypes=ALL)
put("moveaxis", ANY, keywords=choice(source=(0, -2), destination=(-1, 1)), shapes=of((2, 3, 2)), dtypes=ALL)
put("rollaxis", ANY, keywords=both(choice(axis=(1, -1)), some(start=(0, 1))), shapes=of((2, 3, 2)), dtypes=ALL)
put("swapaxes", ANY, keywords=choice(axis1=(0, -2), axis2=(2, -1)), shapes=of((2, 3, 2), (1, 3, 1)), dtypes=ALL)
put("flip", ANY, keywords=axes, dtypes=ALL, shapes=one(1, 3))
put("fliplr flipud", ANY, shapes=one(2, 3), dtypes=ALL)
put("rot90", ANY, keywords=some(k=(-1, 2, 3), axes=((1, 0), (0, 1))), shapes=one(2, 2), dtypes=ALL)
put("diag diagflat", ANY, keywords=some(k=(-1, 1)), shapes=of((3,), (2, 3), (1,), (3, 2)), dtypes=ALL)
put("diagonal trace", ANY, keywords=some(offset=(-1, 1), axis1=(0,), axis2=(-1,)), shapes=of((2, 3), (3, 2), (2, 2, 3)), dtypes=ALL)
put("linalg.diagonal linalg.trace", ANY, keywords=some(offset=(-1, 1)), shapes=of((2, 3), (3, 2), (2, 2, 3)), dtypes=ALL)
put("tril triu", ANY, keywords=some(k=(-1, 1)), shapes=one(2, 3), dtypes=ALL)
put("roll", ANY, keywords=both(axis_or_none, choice(shift=(1, -2, 7))), shapes=one(1, 3), dtypes=ALL)
put("roll", ANY, function=lambda f, x: f(x, (1, -2), (0, 1)), shapes=one(2, 2), dtypes=ALL)
put("repeat", ANY, keywords=both(axis_or_none, choice(repeats=(2, 3))), shapes=one(1, 2), dtypes=ALL)
put("repeat", ANY, function=lambda f, x: f(x, [1, 0, 2], axis=-1), shapes=of((3,), (2, 3)), dtypes=ALL)
put("tile", ANY, keywords=choice(reps=(2, (2, 1), (2, 1, 2))), shapes=one(1, 2), dtypes=ALL)
put("resize", ANY, keywords=choice(new_shape=((3, 3), 2, (7,))), shapes=one(1, 2), dtypes=ALL)
put("delete", ANY, keywords=choice(obj=(0, -1, [0, 1], slice(0, 1)), axis=(-1, 1)), shapes=of((2, 3), (1, 4)), dtypes=ALL)
put("insert", ANY, ANY, function=lambda f, x, v, where: f(x, where, v, axis=1), keywords=choice(where=(1, [0, 2], [1, 1])), shapes=of(((2, 3), ()), ((2, 3), (2, 1))))
put("insert", ANY, function=lambda f, x, where: f(x, where, 5.0), keywords=choice(where=(0, -1, [1, 1])), shapes=of((3,), (2, 2)), dtypes=ALL)
put("atleast_1d atleast_2d atleast_3d", ANY, dtypes=ALL)
put("atleast_1d atleast_2d atleast_3d", ANY, ANY, shapes=of(((), (3,)), ((2, 3), (1,))))
put("concatenate stack", ANY, ANY, function=listed, keywords=axis, shapes=alike(2), dtypes=ALL)
put("concatenate", ANY, ANY, ANY, function=listed, keywords=choice(axis=(None,)), shapes=together(3), dtypes=ALL)
put("concatenate", ANY, ANY, function=listed, keywords=choice(axis=(1, -1)), shapes=of(((2, 3), (2, 1)), ((1, 2), (1, 2))), dtypes=ALL)
put("hstack vstack dstack column_stack", ANY, ANY, function=listed, shapes=alike(2), dtypes=ALL)
put("column_stack", ANY, ANY, function=listed, shapes=of(((3,), (3, 2)), ((2, 2), (2,))), dtypes=ALL)
put("unstack", ANY, keywords=axis, shapes=one(1, 3), dtypes=ALL)
put("append", ANY, ANY, dtypes=ALL)
put("append", ANY, ANY, keywords=choice(axis=(0, -2)), shapes=of(((2, 3), (1, 3)), ((1, 1), (2, 1))), dtypes=ALL)
put("block", ANY, ANY, function=lambda f, x, y: f([[x, y], [y, x]]), shapes=alike(2, 2), dtypes=ALL)
put("split", ANY, keywords=choice(indices_or_sections=(2, [1], [1, 3]), axis=(0, -2)), shapes=of((4, 2), (2, 3)), dtypes=ALL)
put("array_split", ANY, keywords=both(axis, choice(indices_or_sections=(1, 2, 3, [1, 2]))), shapes=one(1, 2), dtypes=ALL)
put("hsplit vsplit dsplit", ANY, keywords=choice(indices_or_sections=(2, [1])), shapes=of((2, 2, 2), (2, 4, 2)), dtypes=ALL)
put("meshgrid", ANY, ANY, keywords=some(indexing=("ij", "xy"), sparse=(True, False)), shapes=of(((2,), (3,)), ((1,), (2,)), ((), (2,))), dtypes=ALL)
put("pad", ANY, keywords=choice(pad_width=(1, (0, 2), ((1, 0), (2, 1))), mode=("edge", "reflect", "symmetric", "wrap")), shapes=of((3, 3), (4, 3)))
put("pad", ANY, keywords=both(choice(pad_width=(2, ((1, 0), (0, 2)))), some(constant_values=(3.0, (1.0, 2.0)))), shapes=one(2, 2), dtypes=ALL)
put("full_like", ANY, function=lambda f, x: f(x, 2.0) * x)
put("copy", ANY, dtypes=ALL)
# ---------------------------------------------------------------------------- products
put("dot", ANY, ANY, shapes=of(((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 3, 2)), ((), (3,)), ((2, 1), (1, 2))), dtypes=ALL)
put("inner", ANY, ANY, shapes=of(((3,), (3,)), ((2, 3), (2, 3)), ((3,), (2, 3)), ((), (2,))), dtypes=ALL)
put("outer linalg.outer", ANY, ANY, shapes=of(((3,), (2,)), ((1,), (3,))), dtypes=ALL)
put("kron", ANY, ANY, shapes=of(((2,), (3,)), ((2, 2), (1, 2)), ((2,), (2, 2))), dtypes=ALL)
put("vdot", ANY, ANY, shapes=alike(2), dtypes=ALL)
put("cross linalg.cross", ANY, ANY, shapes=of(((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 3))), dtypes=ALL)
put("tensordot linalg.tensordot", ANY, ANY, keywords=choice(axes=(1, ([-1], [0]), ([1], [0]))), shapes=of(((2, 3), (3, 2)), ((2, 3), (3,)), ((1, 2), (2, 2, 2))), dtypes=ALL)
put("tensordot", ANY, ANY, keywords=choice(axes=(0, 2, ([0, 1], [0, 1]))), shapes=of(((2, 3), (2, 3)), ((2, 2), (2, 2))), dtypes=ALL)
put("linalg.matmul", ANY, ANY, shapes=of(((2, 3), (3, 2)), ((2, 2, 1), (1, 3))), dtypes=ALL)
put("linalg.multi_dot", ANY, ANY, ANY, function=listed, shapes=of(((3,), (3, 2), (2, 3)), ((2, 3), (3, 1), (1, 2)), ((2,), (2, 2), (2,))), dtypes=ALL)
put("einsum", ANY, function=lambda f, x, s: f(s, x), keywords=choice(s=("ii->i", "ii", "ij->", "ij->ji", "...j->...", "ji")), shapes=of((3, 3), (2, 2), (1, 1)), dtypes=ALL)
put("einsum", ANY, ANY, function=lambda f, x, y, s: f(s, x, y), keywords=choice(s=("ij,jk->ik", "ij,jk", "ij,ij->i", "ii,ij->", "...i,...i", "ab,ba->a", "ij,kl->", "i...,i...->...")), shapes=of(((2, 2), (2, 2)), ((1, 1), (1, 1)), ((3, 3), (3, 3))), dtypes=ALL)
put("einsum", ANY, ANY, ANY, function=lambda f, x, y, z, **k: f("ij,jk,k->i", x, y, z, **k), keywords=some(optimize=(True, False)), shapes=of(((2, 3), (3, 2), (2,)), ((1, 2), (2, 1), (1,))), dtypes=ALL)
put("einsum", ANY, ANY, function=lambda f, x, y: f(x, [0, 1], y, [1, 2], [2, 0]), shapes=of(((2, 3), (3, 2))))
# ---------------------------------------------------------------------------- linear algebra
# Without zeros: LAPACK does not reflect a column that is zero below the diagonal, and the signs of R jump there.
BESIDE = Values(-0.6, 0.6, offset=0.037, diagonal=(4, 8, 12, 16))
put("linalg.inv linalg.det", REGULAR, shapes=SQUARE, dtypes=ALL)
# Where singular values are equal it has a kink, and no second derivative to compare.
put("linalg.cond", SPREAD, shapes=SQUARE, dtypes=ALL)
put("linalg.det", SMALL, shapes=SQUARE, dtypes=ALL)
put("linalg.slogdet", REGULAR, shapes=SQUARE, dtypes=ALL)
put("linalg.cond", SPREAD, keywords=some(p=(2, -2, 1, np.inf, "fro", "nuc")), shapes=SQUARE)
put("linalg.pinv", SPREAD, shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.solve", REGULAR, ANY, shapes=of(((3, 3), (3,)), ((2, 2), (2, 3)), ((1, 1), (1,)), ((2, 2, 2), (2, 2, 1)), ((2, 2, 2), (2, 1))), dtypes=ALL)
put("solve_triangular", REGULAR, ANY, keywords=some(lower=(True, False), unit_diagonal=(True, False)), shapes=of(((3, 3), (3,)), ((2, 2), (2, 3)), ((1, 1), (1,))), dtypes=ALL)
put("linalg.tensorinv", REGULAR, keywords=choice(ind=(1,)), shapes=of((2, 2), (3, 3)), dtypes=ALL)
put("linalg.tensorsolve", REGULAR, ANY, function=lambda f, a, b: f(np.reshape(a, (a.shape[0], 1, a.shape[0])), b), shapes=of(((3, 3), (3,)), ((2, 2), (2,))), dtypes=ALL)
put("linalg.cholesky", SPREAD, function=lambda f, x, **k: f(hermitian(x), **k), keywords=some(upper=(True, False)), shapes=SQUARE, dtypes=ALL)
put("linalg.qr", BESIDE, function=lambda f, x: tuple(f(x)), shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.qr", BESIDE, keywords=choice(mode=("r",)), shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.eigh", SPREAD, function=lambda f, x, **k: (lambda w, v: (w, squared(v)))(*f(hermitian(x), **k)), keywords=some(UPLO=("L", "U")), shapes=SQUARE, dtypes=ALL)
put("linalg.eigvalsh", SPREAD, function=lambda f, x, **k: f(hermitian(x), **k), keywords=some(UPLO=("L", "U")), shapes=SQUARE, dtypes=ALL)
put("linalg.eig", SPREAD, function=lambda f, x: (lambda w, v: (w, squared(v)))(*in_order(*f(x))), shapes=SQUARE, dtypes=ALL)
put("linalg.eigvals", SPREAD, function=lambda f, x: in_order(f(x)), shapes=SQUARE, dtypes=ALL)
put("linalg.svd", SPREAD, function=lambda f, x: (lambda u, s, v: (squared(u), s, squared(v), np.einsum("...ij,...j,...jk->...ik", u, s**3, v)))(*f(x, full_matrices=False)), shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.svd", SPREAD, function=lambda f, x: (lambda u, s, v: (squared(u[..., : s.shape[-1]]), s, squared(v[..., : s.shape[-1], :])))(*f(x)), shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.svd", SPREAD, keywords=choice(compute_uv=(False,)), shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.svdvals", SPREAD, shapes=TALL_AND_WIDE, dtypes=ALL)
put("linalg.lstsq", SPREAD, ANY, function=lambda f, a, b: f(a, b)[0], shapes=of(((3, 2), (3,)), ((2, 3), (2, 2)), ((2, 2), (2,)), ((3, 1), (3, 1))), dtypes=ALL)
put("linalg.lstsq", SPREAD, ANY, function=lambda f, a, b: f(a, b)[1], shapes=of(((3, 2), (3,)), ((3, 1), (3, 2))))
put("linalg.norm", AWAY, keywords=both(axis_or_none, kept), shapes=one(1, 3), dtypes=ALL)
put("linalg.norm", DISTINCT, keywords=choice(ord=(1, 3, np.inf, -np.inf, 0.5, 2)), shapes=of((4,), (3,), (1,)), dtypes=REAL)
put("linalg.norm", SPREAD, keywords=both(choice(ord=("nuc", "fro", 2, -2, 1, -1, np.inf)), kept), shapes=of((2, 3), (3, 3), (3, 2)), dtypes=ALL)
put("linalg.vector_norm", AWAY, keywords=both(axes, kept, some(ord=(1, 2, 3))), dtypes=REAL, shapes=one(1, 3))
put("linalg.matrix_norm", SPREAD, keywords=both(kept, some(ord=("nuc", "fro", 2, 1))), shapes=STACKED, dtypes=ALL)
put("linalg.matrix_power", REGULAR, keywords=choice(n=(1, 2, 3, 5, -1, -2)), shapes=SQUARE, dtypes=ALL)
# ---------------------------------------------------------------------------- fft
NORM = some(norm=("backward", "ortho", "forward"))
OVER = lambda shapes: some(axes=((0, -1), (1, 0)))(shapes) | choice(s=((2, 3), (3, 4)), axes=((0, 1), (-1, 0)))(shapes)  # noqa: E731  # a row's keywords
put("fft.fft fft.ifft", ANY, keywords=both(axis, NORM, some(n=(1, 2, 5))), shapes=one(1, 2, longest=4), dtypes=ALL)
put("fft.rfft fft.ihfft", ANY, keywords=both(axis, NORM, some(n=(1, 2, 5))), shapes=one(1, 2, longest=4))
put("fft.irfft fft.hfft", ANY, keywords=both(axis, NORM, some(n=(1, 2, 5))), shapes=one(1, 2, side=2, longest=4), dtypes=COMPLEX)
put("fft.fftn fft.ifftn fft.irfftn fft.fft2 fft.ifft2 fft.irfft2", ANY, keywords=both(NORM, OVER), shapes=of((2, 3), (3, 3), (2, 4)), dtypes=COMPLEX)
put("fft.rfftn fft.rfft2", ANY, keywords=both(NORM, OVER), shapes=of((2, 3), (3, 3), (1, 4)))
put("fft.fftshift fft.ifftshift", ANY, function=lambda f, x, axis: f(x, axes=axis), keywords=axes, shapes=one(1, 3), dtypes=ALL)
# ---------------------------------------------------------------------------- layers
put("lib.stride_tricks.sliding_window_view", ANY, keywords=both(axis, choice(window_shape=(1, 2))), shapes=one(1, 2, side=2), dtypes=ALL)
put("windows", ANY, function=lambda f, x, **k: f(x, (2, 2), **k), keywords=some(stride=(2, (2, 1)), dilation=((1, 2), 2)), shapes=of((1, 4, 4), (3, 5)), dtypes=ALL)
put("fold", ANY, function=lambda f, c, **k: f(c, (2, 6), (3,), **k), keywords=choice(stride=(2,)), shapes=of((2, 2, 3)), dtypes=ALL)
put("convolution", ANY, ANY, keywords=some(stride=(1, 2), padding=(0, 1, 2), dilation=(1, 2)), shapes=of(((1, 2, 4), (3, 2, 2)), ((2, 1, 3, 3), (1, 1, 1, 2)), ((1, 2, 3, 4), (2, 2, 2, 2))), dtypes=ALL)
put("convolution", ANY, ANY, keywords=both(choice(groups=(2,)), some(padding=(0, 1))), shapes=of(((1, 2, 3), (2, 1, 2)), ((1, 4, 3), (2, 2, 1))))
put("convolution_transpose", ANY, ANY, keywords=some(stride=(1, 2), padding=(0, 1), dilation=(1, 2)), shapes=of(((1, 2, 3), (2, 3, 2)), ((1, 1, 2, 2), (1, 2, 2, 2))), dtypes=ALL)
put("convolution_transpose", ANY, ANY, keywords=both(choice(groups=(2,), stride=(2,)), some(output_padding=(1,))), shapes=of(((1, 2, 3), (2, 1, 2)), ((1, 4, 2), (4, 2, 2))))
put("convolve correlate", ANY, ANY, keywords=some(mode=("full", "same", "valid")), shapes=of(((4,), (3,)), ((2,), (4,)), ((1,), (3,))), dtypes=ALL)
put("logsumexp softmax log_softmax", ANY, keywords=axis, shapes=one(1, 3, side=2))
put("logsumexp softmax log_softmax", Values(300, 303), keywords=axis, shapes=one(1, 2, side=2))
# ---------------------------------------------------------------------------- numeric
KNOTS = np.array([-2.0, -0.5, 1.0, 2.5])
put("interp", BETWEEN, ANY, function=lambda f, x, y: f(x, KNOTS, y), shapes=of(((3,), (4,)), ((), (4,)), ((2, 2), (4,))))
put("interp", BETWEEN, function=lambda f, x, **k: f(x, KNOTS, KNOTS**2, **k), keywords=some(left=(1.0,), right=(3.0,)))
put("linspace", ANY, ANY, keywords=both(choice(num=(1, 2, 4)), some(endpoint=(True, False))), shapes=together(2))
put("gradient", ANY, keywords=some(axis=(0, -1)), shapes=of((3, 4), (2, 3), (5, 2)))
put("gradient", ANY, function=lambda f, x, spacing: f(x, spacing), keywords=choice(spacing=(0.5, 2.0)), shapes=of((4,), (3, 3)))
put("unwrap", Values(-3, 3, offset=0.1), function=lambda f, x, **k: f(2.2 * x, **k), keywords=axis, shapes=one(1, 2))
put("vander", ANY, keywords=some(N=(1, 3), increasing=(True, False)), shapes=LINE, dtypes=ALL)
put("polyval", ANY, ANY, shapes=of(((3,), (2,)), ((1,), (2, 2)), ((4,), ())), dtypes=ALL)
put("cov", ANY, keywords=both(choice(rowvar=(True, False)), some(bias=(True, False), ddof=(0,))), shapes=of((2, 3), (3, 2), (3, 3)), dtypes=ALL)
put("cov", ANY, ANY, shapes=of(((4,), (4,)), ((2, 3), (1, 3))))
# Of two observations every correlation is 1 or -1, wherever they are.
put("corrcoef", DISTINCT, keywords=some(rowvar=(True, False)), shapes=of((3, 4), (3, 3), (4, 3)))
put("apply_along_axis", ANY, function=lambda f, x, axis: f(lambda r: np.cumsum(r * r), axis, x), keywords=choice(axis=(0, -1)), shapes=of((3, 2), (1, 2)))
# ---------------------------------------------------------------------------- float16
half = functools.partial(put, dtypes=("float16",), register=HALF_PRECISION)
half("sin cos tanh exp square negative absolute", AWAY)
half("sqrt log reciprocal", POSITIVE)
half("add subtract multiply maximum divide arctan2", ANY, AWAY)
half("sum mean", POSITIVE, keywords=REDUCED)
half("cumsum sort", ANY, keywords=axis, shapes=one(1, 2))
half("reshape ravel transpose", ANY, function=lambda f, x: f(x, -1) if f is np.reshape else f(x), shapes=one(1, 3))
half("concatenate stack", ANY, ANY, function=listed, keywords=axis, shapes=alike(2))
half("getitem", ANY, function=lambda f, x, index: x[index], keywords=choice(index=INDICES), shapes=of((3, 4)))
half("matmul", ANY, ANY, shapes=of(((2, 3), (3, 2)), ((3,), (3,)), ((2, 2, 3), (3,))))
half("where", ANY, ANY, function=lambda f, x, y, mask: f(mask, x, y), keywords=masks("mask"), shapes=of(((2, 3), (3,)), ((3,), ())))
