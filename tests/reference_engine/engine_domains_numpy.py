# ruff: noqa: E501  # a table: one row per line, however long
# fmt: off
"""The calls at which the derivatives of NumPy's functions beyond arithmetic are checked; see `engine_domains`."""

from __future__ import annotations

from typing import Any

import numpy as np
from engine_calls import (
    ABOVE_ONE,
    ALL,
    ANY,
    AWAY,
    BETWEEN,
    COMPLEX,
    DISTINCT,
    LINE,
    POSITIVE,
    REAL,
    SMALL,
    Values,
    axes,
    axis,
    both,
    choice,
    kept,
    of,
    one,
    put,
    some,
    together,
)
from engine_samples_numpy import METHODS, like

# ---------------------------------------------------------------------------- ufuncs and their methods
# numpy.i0 has the name of scipy.special.i0, whose domain stands for both.
put("nextafter", BETWEEN, ANY, function=lambda f, x, y: f(x, np.inf) + 0 * y, dtypes=("float64",))
put("frexp", BETWEEN, function=lambda f, x: f(x)[0])
put("maximum.accumulate minimum.accumulate", DISTINCT, keywords=axis, shapes=one(1, 2))
# ---------------------------------------------------------------------------- reductions
put("sum prod", ANY, ANY, function=lambda f, x, start, **k: f(x, axis=0, initial=start, **k), keywords=kept, shapes=of(((3, 2), ()), ((2,), ())))
put("max min", DISTINCT, function=lambda f, x, **k: f(x, initial=0.05, **k), keywords=both(axes, kept, choice(where=(True,))), shapes=one(1, 2))
put("var std", ANY, ANY, function=lambda f, x, m: f(x, axis=1, mean=m), shapes=of(((2, 3), (2, 1))))
# ---------------------------------------------------------------------------- order
put("quantile nanquantile", DISTINCT, keywords=both(choice(q=(0.0, 0.13, 0.83, [0.2, 1.0]), method=METHODS), axes, kept), shapes=of((4,), (2, 3), (5, 2)))
put("percentile nanpercentile", DISTINCT, keywords=both(choice(q=(13, 83.0), method=METHODS), axis), shapes=of((4,), (2, 3)))
put("sort_complex", DISTINCT, shapes=one(1, 2))
put("sort_complex", DISTINCT, shapes=one(1, 2), dtypes=COMPLEX)
put("unique_all unique_counts unique_inverse", DISTINCT, function=lambda f, x: f(x)[0])
put("union1d setxor1d setdiff1d", Values(-3, 0, unique=True), Values(0.1, 3, unique=True), shapes=of(((3,), (2,)), ((2, 2), (1,))))
put("intersect1d", DISTINCT, function=lambda f, x: f(x, x[1:]), shapes=of((3,), (5,)))
put("trim_zeros", POSITIVE, function=lambda f, x, **k: f(np.pad(x, 1), **k), keywords=choice(trim=("f", "b", "fb")), shapes=LINE)
# ---------------------------------------------------------------------------- grids, differences and pieces
put("interp", Values(0.3, 0.6), ANY, function=lambda f, x, y: f(x, [0.1, 0.9, 2.0], y, period=2.5), shapes=of(((3,), (3,)), ((), (3,))))
put("logspace", SMALL, ANY, keywords=both(choice(num=(1, 2, 4)), some(endpoint=(True, False), base=(2.0,))), shapes=together(2))
put("geomspace", POSITIVE, ABOVE_ONE, keywords=both(choice(num=(1, 2, 4)), some(endpoint=(True, False))), shapes=together(2))
put("geomspace", POSITIVE, POSITIVE, keywords=choice(num=(3,)), shapes=together(2), dtypes=COMPLEX)
put("gradient", ANY, function=lambda f, x, **k: f(x, [0.0, 0.5, 2.0, 2.25], axis=0, **k), keywords=choice(edge_order=(1, 2)), shapes=of((4,), (4, 2)), dtypes=ALL)
put("apply_over_axes", ANY, function=lambda f, x, **k: f(np.sum, x, **k), keywords=choice(axes=(0, [0, 1], -1)), shapes=of((2, 3), (2, 3, 2)))
put("piecewise", BETWEEN, function=lambda f, x: f(x, [x < -1, x > 1], [np.sin, np.exp, lambda y: y * y]), shapes=one(1, 2))
put("pad", DISTINCT, keywords=choice(pad_width=(2, ((1, 0), (2, 1))), mode=("linear_ramp", "maximum", "mean", "median", "minimum")), shapes=of((3, 3), (4, 3)))
put("pad", ANY, keywords=choice(pad_width=(4, ((1, 0), (2, 1))), mode=("reflect", "symmetric"), reflect_type=("odd",)), shapes=of((3, 3), (4, 3)), dtypes=REAL)
# ---------------------------------------------------------------------------- statistics
put("average", ANY, POSITIVE, function=lambda f, x, w, axis: f(x, axis, w), keywords=choice(axis=(0, -2)), shapes=of(((3, 2), (3,)), ((3, 2), (3, 2))))
put("cov", ANY, POSITIVE, function=lambda f, x, w, **k: f(x, aweights=w, **k), keywords=some(ddof=(0, 1), fweights=([1, 2, 1],)), shapes=of(((2, 3), (3,))), dtypes=REAL)
put("bincount", ANY, function=lambda f, w, **k: f([0, 3, 1, 0], w, **k), keywords=some(minlength=(0, 6)), shapes=of((4,)))
put("histogram", DISTINCT, ANY, function=lambda f, x, w, **k: f(x, weights=w, **k)[0], keywords=choice(bins=([-3.5, 0.05, 4.0],), density=(False,)), shapes=of(((5,), (5,))), dtypes=("float64",))
put("histogram_bin_edges", DISTINCT, keywords=choice(bins=(1, 3)), shapes=of((5,), (2, 3)), dtypes=("float64",))
put("histogramdd", ANY, function=lambda f, w: f([[0.1, 1.3, 2.0], [1.0, 0.2, 0.3]], 2, weights=w)[0], shapes=of((3,)))
put("histogram2d", ANY, function=lambda f, w: f([0.1, 1.3, 2.0], [1.0, 0.2, 0.3], 2, weights=w)[0], shapes=of((3,)))
# ---------------------------------------------------------------------------- polynomials
put("polyadd polysub polymul", AWAY, AWAY, shapes=of(((3,), (2,)), ((1,), (4,))), dtypes=ALL)
put("polydiv", POSITIVE, POSITIVE, function=lambda f, u, v: f(u, v)[0], shapes=of(((4,), (2,)), ((3,), (3,))), dtypes=ALL)
put("polyder", ANY, keywords=some(m=(1, 2)), shapes=of((3,), (4,)), dtypes=ALL)
put("polyint", ANY, keywords=some(m=(1, 2), k=(0.5,)), shapes=LINE, dtypes=ALL)
put("poly", ANY, shapes=LINE)
put("roots", SMALL, function=lambda f, p: f(p + np.array([1.0, -6.0, -8.0, 40.0])), shapes=of((4,)), dtypes=("float64",))
put("polyfit", Values(-0.3, 0.3), ANY, function=lambda f, x, y, **k: f(x + np.arange(5.0), y, 2, **k), keywords=some(w=([1.0, 2.0, 1.0, 0.5, 1.0],)), shapes=of(((5,), (5,)), ((5,), (5, 2))), dtypes=("float64",))


# ---------------------------------------------------------------------------- creation
def made(f: Any, x: Any, *args: Any, **keywords: Any) -> Any:
    return like(f, x, *args, **keywords)


put("asarray asanyarray ascontiguousarray asfortranarray require", ANY, function=made, dtypes=ALL, shapes=one(1, 2))
put("array", ANY, ANY, function=lambda f, x, y: like(f, [x, y]), dtypes=ALL, shapes=of(((2,), (2,)), ((), ())))
put("full", ANY, function=lambda f, x: like(f, (2, 3), x), dtypes=ALL, shapes=of((), (3,), (2, 1)))
put("arange", Values(0.1, 0.2), function=lambda f, x: like(f, x, x + 2.5, 0.7), shapes=of(()), dtypes=("float64",))
put("fromfunction", ANY, function=lambda f, x: x * like(f, lambda i, j: i + j, (2, 3)), shapes=of(()))
