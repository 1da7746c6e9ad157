# ruff: noqa: E501  # a table: one row per line, however long
# fmt: off
"""Samples for NumPy's functions beyond arithmetic: keywords, grids, statistics, polynomials, sets, creation."""

from __future__ import annotations

from typing import Any

import numpy as np
from engine_sampling import add, cplx, inner, positive, real

import reference_engine as engine
from reference_engine.containers import flatten


def apart(*shape: int) -> Any:
    """Numbers with gaps between them that no step of the differences closes."""
    order = np.argsort(real(int(np.prod(shape)), seed="order"))
    return (0.5 * order - 1).reshape(shape) + 0.1 * inner(*shape)


holes = real(3, 4)
holes[1, 2] = holes[2, 0] = np.nan


def holed(x: Any) -> Any:
    return np.where(np.isnan(holes), np.nan, x)


# ------------------------------------------------------------------ ufuncs and their methods
add(np.nextafter, (real(3), real(3, seed="b")))
add(np.frexp, (lambda x: np.frexp(x)[0], 5 * real(4)))
add(np.i0, (real(4),), (np.array([-9.0, 0.0, 7.9, 30.0]),))
add(np.modf, (lambda x: np.modf(x), 3 * real(3)))
for f in (np.maximum, np.minimum):
    add((f, "accumulate"), (f.accumulate, real(6)), (lambda x, f=f: f.accumulate(x, axis=1), real(3, 4)))
for f in (np.subtract, np.divide, np.logaddexp, np.hypot, np.fmax, np.fmin):
    add((f, "reduce"), (f.reduce, real(3, 2)))
    add((f, "accumulate"), (lambda x, f=f: f.accumulate(x, axis=1), real(2, 4)))
    add((f, "reduceat"), (lambda x, f=f: f.reduceat(x, [0, 3, 1, 2], axis=-1), real(2, 4)))
add((np.logaddexp, "reduce"), (lambda x: np.logaddexp.reduce(x, axis=(0, 2), keepdims=True), real(2, 3, 2)))
add((np.subtract, "reduce"), (lambda x, s: np.subtract.reduce(x, axis=1, initial=s), real(2, 3), np.float64(0.7)))
add((np.add, "reduceat"), (lambda x: np.add.reduceat(x, [1, 3, 2]), cplx(5)))
add((np.multiply, "reduceat"), (lambda x: np.multiply.reduceat(x, [0, 2], axis=1), real(2, 4)))
add((np.power, "outer"), (np.power.outer, positive(2), real(3)))

# ------------------------------------------------------------------ reductions with their keywords
add(np.sum, (lambda x, s: np.sum(x, axis=0, initial=s), real(2, 3), np.float64(0.5)), (lambda x: np.sum(x, initial=2.0, where=x > 0), real(5)))
add(np.prod, (lambda x, s: np.prod(x, axis=1, initial=s), cplx(2, 3), np.float64(0.5)), (lambda x: np.prod(x, initial=2.0, where=[True, False]), real(3, 2)))
for f in (np.max, np.min):
    add(f, (lambda x, f=f: f(x, axis=1, initial=0.1, where=[True, False, True]), real(4, 3)))
for f in (np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin, np.nanmedian):
    add(f, (lambda x, f=f: f(holed(x), axis=0, keepdims=True), real(3, 4)), (lambda x, f=f: f(holed(x)), real(3, 4)))
for f in (np.nanmean, np.nanvar, np.nanstd):
    add(f, (lambda x, f=f: f(holed(x), axis=1, where=[True, True, False, True]), real(3, 4)))
for f in (np.var, np.std):
    add(f, (lambda x, m, f=f: f(x, axis=1, mean=m, ddof=1), real(2, 3), real(2, 1)), (lambda x, f=f: f(x, correction=1), real(4)))
    add(f, (lambda x, f=f: f(x, axis=1, where=[True, True, False], keepdims=True), real(2, 3)))
add(np.trapezoid, (lambda y: np.trapezoid(y, dx=0.5, axis=0), real(4, 2)), (lambda y, x: np.trapezoid(y, x, axis=0), real(4, 2), np.cumsum(positive(4, 2), 0)))

# ------------------------------------------------------------------ order
METHODS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear",
           "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest")
for f in (np.quantile, np.nanquantile):
    for method in METHODS:
        add(f, (lambda x, f=f, m=method: f(x, [0.0, 0.13, 0.5, 0.83], axis=1, method=m), apart(2, 7)))
    add(f, (lambda x, f=f: f(x, 0.4, axis=(0, 2), keepdims=True, method="hazen"), apart(2, 3, 2)))
    add(f, (lambda x, f=f: f(x, 0.7, axis=0, weights=positive(4, 2), method="inverted_cdf"), apart(4, 2)))
for f in (np.percentile, np.nanpercentile):
    add(f, (lambda x, f=f: f(x, [13, 83.0], axis=1, method="weibull"), apart(2, 7)))
add(np.nanquantile, (lambda x: np.nanquantile(holed(x), [0.1, 0.6], axis=1, method="hazen"), apart(3, 4)))
add(np.median, (lambda x: np.median(x, axis=(0, 1), keepdims=True), apart(2, 2, 3)))
add(np.sort_complex, (apart(4),), (cplx(4),))
add(np.partition, (lambda x: np.partition(x, 1, axis=0)[1], apart(3, 2)))
add(np.unique, (lambda x: np.unique(x, True, True, True)[0], apart(4)), (lambda x: np.unique(x, axis=1), apart(2, 3)))
for f in (np.unique_all, np.unique_counts, np.unique_inverse):
    add(f, (lambda x, f=f: f(x)[0], apart(2, 3)))
for f in (np.union1d, np.setxor1d, np.setdiff1d):
    add(f, (f, apart(2, 2), 0.25 + apart(3)))
add(np.intersect1d, (lambda x: np.intersect1d(np.concatenate([x, [3.0]]), np.append(x[1:], 5.0)), apart(4)),
    (lambda x: np.intersect1d(x, x[1:], return_indices=True)[0], apart(4)))
add(np.trim_zeros, (lambda x: np.trim_zeros(np.pad(x, 2)), apart(3)), (lambda x: np.trim_zeros(np.pad(x, (2, 1)), "b"), apart(3)))

# ------------------------------------------------------------------ grids, differences and pieces
knots = np.array([0.0, 1.0, 2.5, 4.0])
add(np.interp, (lambda x, xp, fp, p: np.interp(x, xp, fp, period=p), np.array([0.3, 5.7, -3.1]), knots + 0.2, real(4), np.float64(4.7)),
    (lambda x, fp, ends: np.interp(x, knots, fp, ends[0], ends[1]), np.array([-0.5, 1.3, 5.0]), cplx(4), cplx(2)),
    (lambda x, fp: np.interp(x, [0.5], fp), np.array([0.1, 0.7]), real(1)))
add(np.linspace, (lambda a, b: np.linspace(a, b, 3, retstep=True, axis=1), real(2), cplx(3, 1)), (lambda a, b: np.linspace(a, b, 1), real(2), real(2)))
add(np.logspace, (lambda a, b, c: np.logspace(a, b, 4, base=c), real(), real(seed="b"), np.float64(2.5)),
    (lambda a, c: np.logspace(a, 1.0, 3, False, base=c, axis=-1), real(2), positive(2)))
add(np.geomspace, (lambda a, b: np.geomspace(a, b, 4), positive(2), 1 + positive(2, seed="b")), (lambda a, b: np.geomspace(-a, -b, 3, False, axis=-1), positive(2), positive(3, 1)),
    (lambda a, b: np.geomspace(a, b, 4), cplx(), cplx(seed="b")), (lambda a: np.geomspace(a, 5.0, 4, dtype=complex), positive()))
for order in (1, 2):
    add(np.gradient, (lambda f, x, o=order: np.gradient(f, x, edge_order=o), real(5), np.cumsum(positive(5))),
        (lambda f, h, y, o=order: np.gradient(f, h, y, edge_order=o), cplx(3, 4), np.float64(0.6), np.cumsum(positive(4))),
        (lambda f, x, o=order: np.gradient(f, x, axis=-1, edge_order=o), real(2, 4), np.array([0.0, 1.0, 2.0, 3.0])))
add(np.unwrap, (lambda x: np.unwrap(x, axis=0, period=2.0, discont=1.2), 3 * real(4, 2)))
add(np.apply_over_axes, (lambda x: np.apply_over_axes(np.sum, x * x, [0, -1]), real(2, 3, 2)))
add(np.apply_along_axis, (lambda x: np.apply_along_axis(lambda r: np.outer(r, r), 1, x), real(2, 2)))
add(np.piecewise, (lambda x: np.piecewise(x, [x < -0.3, x > 0.4], [np.sin, lambda y, c=1.0: c * y * y, 7.0]), real(6)),
    (lambda x, v: np.piecewise(x, x > 0, [v, np.exp]), real(4), np.float64(0.3)))
for mode in ("linear_ramp", "maximum", "mean", "median", "minimum"):
    add(np.pad, (lambda x, m=mode: np.pad(x, ((2, 1), (0, 3)), mode=m), real(3, 4)))
for mode in ("maximum", "mean", "median", "minimum"):
    add(np.pad, (lambda x, m=mode: np.pad(x, 2, mode=m, stat_length=((2, 3), (1, 2))), real(3, 4)))
for mode in ("reflect", "symmetric"):
    add(np.pad, (lambda x, m=mode: np.pad(x, 5, mode=m, reflect_type="odd"), real(3, 2)))
add(np.pad, (lambda x: np.pad(x, {0: (2, 1), -1: 1}, mode="linear_ramp", end_values=((1.0, 2.0), (3.0, 4.0))), real(2, 3)),
    (lambda x, e: np.pad(x, 2, mode="linear_ramp", end_values=e), real(2, 3), real(2, 2)))
add(np.clip, (lambda x, a, b: np.clip(x, min=a, max=b), real(2, 4), real(2, 1) - 0.5, real(4) + 0.5))
add(np.nan_to_num, (lambda z: np.nan_to_num(np.array([1 + 2j, complex(np.nan, 1), 3.0]) * 0 + z), cplx(3)))

# ------------------------------------------------------------------ statistics
add(np.average, (lambda x, w: np.average(x, weights=w, returned=True, keepdims=True), real(2, 3), positive(2, 3)),
    (lambda x, w: np.average(x, axis=(2, 0), weights=w), cplx(2, 3, 2), positive(2, 2)))
add(np.cov, (lambda x, w: np.cov(x, aweights=w, fweights=[1, 2, 1, 3], ddof=0), real(2, 4), positive(4)),
    (lambda x, y, w: np.cov(x, y, rowvar=False, aweights=w), cplx(4, 2), real(4, 1), positive(4)),
    (lambda x: np.cov(x, fweights=[1, 2, 1, 3]), real(2, 4)))
add(np.corrcoef, (lambda x, y: np.corrcoef(x, y, rowvar=False), real(5, 2), real(5, 1)), (np.corrcoef, cplx(2, 5)))
add(np.histogram, (lambda a, w: np.histogram(a, 4, weights=w), 3 * real(9), real(9, seed="w")),
    (lambda a, w: np.histogram(a, [-1.0, 0.1, 0.5, 2.0], weights=w, density=True), real(9), cplx(9)),
    (lambda a: np.histogram(a, 3, density=True), real(7)), (lambda a, b: np.histogram(a, b, density=True), real(7), np.array([-3.0, 0.2, 3.0])))
add(np.histogram_bin_edges, (lambda a: np.histogram_bin_edges(a, "sturges"), real(7)), (lambda a: np.histogram_bin_edges(a, 3), real(2, 3)),
    (lambda a, r: np.histogram_bin_edges(a, 3, (-2.0, r)), real(5), positive()), (lambda a, r: np.histogram_bin_edges(a, 3, r), real(5), np.array([-2.0, 1.5])))
add(np.histogramdd, (lambda a, w: np.histogramdd(a, (2, [-4.0, 0.1, 4.0]), weights=w, density=True), real(8, 2), positive(8)))
add(np.histogram2d, (lambda x, y, w: np.histogram2d(x, y, [2, 3], weights=w), real(8), real(8, seed="b"), positive(8)))
add(np.bincount, (lambda w: np.bincount([0, 3, 0, 1], w, minlength=6), real(4)))

# ------------------------------------------------------------------ polynomials
for f in (np.polyadd, np.polysub, np.polymul):
    add(f, (f, real(3), cplx(2)), (f, 2.0, real(3)))
add(np.polydiv, (np.polydiv, real(4), real(2)), (np.polydiv, cplx(4), real(3)), (np.polydiv, real(2), real(3)))
add(np.polyder, (np.polyder, real(4)), (lambda p: np.polyder(p, 2), cplx(4)))
add(np.polyint, (np.polyint, real(3)), (lambda p, k: np.polyint(p, 2, k), real(3), real(2)))
add(np.poly, (np.poly, real(3)), (np.poly, cplx(2)), (np.poly, real(2, 2)), (lambda x: np.poly(np.stack([x + 1j, x - 1j])), real()))
add(np.roots, (np.roots, np.poly([-4.0, 0.5, 5.0])), (np.roots, real(4)), (np.roots, cplx(3)), (np.roots, np.array([1.0, 2.0, 0.0])))
add(np.polyfit, (lambda x, y: np.polyfit(x, y, 2), real(6), real(6, seed="b")),
    (lambda x, y, w: np.polyfit(x, y, 1, w=w, cov=True), real(6), real(6, 2), positive(6)),
    (lambda x, y: np.polyfit(x, y, 1, cov="unscaled")[1], real(5), real(5, seed="b")),
    (lambda x, y: np.polyfit(x, y, 1, full=True)[:2], real(5), real(5, seed="b")))
add(np.vander, (lambda x: np.vander(x, 0), real(3)), (lambda x: np.vander(x, 3), np.array([0.0, 1.0, 2.0])))

# ------------------------------------------------------------------ creation
def like(function: Any, *args: Any, **kwargs: Any) -> Any:
    """`function` with `like=` the first Tensor among its arguments, and without it for arrays."""
    tensors = [leaf for leaf in flatten([args, kwargs])[0] if isinstance(leaf, engine.Tensor)]
    return function(*args, **kwargs, like=tensors[0]) if tensors else function(*args, **kwargs)


add(np.array, (lambda x, y: like(np.array, [[x, y], [y, x]]), real(), real(seed="b")), (lambda x: like(np.array, [x, [1.0, 2.0]], ndmin=3), real(2)))
for f in (np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require):
    add(f, (lambda x, f=f: like(f, [x, 2 * x]), real(3)), (lambda x, f=f: like(f, x, dtype=complex), real(3)))
add(np.full, (lambda x: like(np.full, (2, 3), x), real(3)))
add(np.arange, (lambda a, b: like(np.arange, a, 3.0, b), np.float64(0.3), np.float64(0.7)), (lambda a: like(np.arange, a, a + 2.0), real()))
add(np.fromfunction, (lambda x: x * like(np.fromfunction, lambda i, j: i + j, (2, 3)), real()))
add(np.full_like, (lambda x: np.full_like(np.ones(3), 2.0) * np.full_like(x, x[0]), real(3)))
