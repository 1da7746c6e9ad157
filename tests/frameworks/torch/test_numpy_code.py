from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np
import pytest
import scipy.special
import torch

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.torch.numpy_code.dispatch import TorchArray, unwrap, wrap
from pytest_gradcheck.frameworks.torch.numpy_code.refusals import refusal

pytestmark = pytest.mark.kernels

RNG = np.random.default_rng(20240607)
# Generic points: no ties, no zeros, nothing on a kink.
VECTOR = np.array([0.7, -1.3, 2.1, 0.35, -0.62, 1.45])
POSITIVE = np.array([0.7, 1.3, 2.1, 0.35, 0.62])
UNIT = np.array([0.7, -0.3, 0.21, -0.85, 0.62])
MATRIX = RNG.uniform(-2, 2, (3, 4))
SQUARE = RNG.uniform(-1, 1, (3, 3)) + 3 * np.eye(3)
STACK = RNG.uniform(-2, 2, (2, 3, 4))
WEIGHTS = RNG.uniform(-1, 1, 200)


def names(text: str) -> list[str]:
    return text.split()


def joined(value: Any) -> Any:
    """One scalar that depends on every entry of every output."""
    parts = value if isinstance(value, tuple | list) else [value]
    return sum(
        (p * WEIGHTS[: np.size(p)].reshape(np.shape(p))).sum() if np.ndim(p) else p * WEIGHTS[0]
        for p in (abs(q) if np.iscomplexobj(q) else q for q in parts)
    )


def differences(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Central differences of fourth order: an error of about 1e-10 for functions of size 1."""
    h = 1e-3
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        values = []
        for k in (-2, -1, 1, 2):
            moved = x.copy()
            moved[i] += k * h
            values.append(float(joined(f(moved))))
        out[i] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
    return out


def arrays_of(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def check(f: Callable[[Any], Any], x: Any) -> None:
    x = np.asarray(x, dtype=np.float64)
    leaf = torch.tensor(x, requires_grad=True)
    found, expected = f(wrap(leaf)), f(x.copy())
    for ours, theirs in zip(arrays_of(found), arrays_of(expected), strict=True):
        assert unwrap(ours).shape == np.shape(theirs)
        np.testing.assert_allclose(unwrap(ours).detach().numpy(), theirs, rtol=1e-12, atol=1e-13)
        assert isinstance(ours, TorchArray)
        assert ours.dtype == np.asarray(theirs).dtype
    (gradient,) = torch.autograd.grad(unwrap(joined(found)), leaf)
    # Five points at 1e-3 leave h⁴·f⁽⁵⁾/30, which is below this for all functions here.
    np.testing.assert_allclose(gradient.numpy(), differences(f, x), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(leaf.detach().numpy(), x)


def case(name: str, f: Callable[[Any], Any], x: Any = VECTOR) -> Any:
    return pytest.param(f, x, id=name)


def ufunc(name: str, x: Any = VECTOR) -> Any:
    return case(name, getattr(np, name, None) or getattr(scipy.special, name), x)


UFUNCS = [
    *(
        ufunc(name)
        for name in names(
            "sin cos tanh arctan sinh cosh arcsinh exp exp2 expm1 square absolute fabs negative positive "
            "reciprocal cbrt deg2rad rad2deg degrees radians sign floor ceil rint trunc conjugate sinc i0 "
            "nan_to_num expit erf erfc ndtr log_ndtr erfcx i0e i1"
        )
    ),
    *(ufunc(name, POSITIVE) for name in names("log log2 log10 log1p sqrt gammaln digamma entr")),
    *(ufunc(name, UNIT) for name in names("arcsin arccos arctanh tan erfinv")),
    case("arccosh", np.arccosh, POSITIVE + 1.5),
    case("logit", scipy.special.logit, POSITIVE / 4),
    case("heaviside", lambda x: np.heaviside(x, 0.5) * x),
    case("modf", lambda x: np.modf(x)[0] * x),
    *(
        case(name, lambda x, name=name: getattr(np, name)(x, x[::-1] * 0.4 + 3.3))
        for name in names(
            "add subtract multiply divide arctan2 maximum minimum fmax fmin hypot logaddexp logaddexp2 "
            "remainder fmod copysign"
        )
    ),
    case("power", lambda x: np.power(x, x[::-1]), POSITIVE),
    case("float_power", lambda x: np.float_power(x, 3), VECTOR),
    case("floor_divide", lambda x: np.floor_divide(x, 0.4) + x),
    case("divmod", lambda x: divmod(x, 0.77)[1]),
    case("xlogy", lambda x: scipy.special.xlogy(x, x[::-1] + 4)),
    case("clip", lambda x: np.clip(x, -1, 1.2) + x.clip(None, 0.5)),
    case(
        "numbers on the left",
        lambda x: 2 / (3 - x) + 2**x + 5 * x + np.float64(2) * x + (1 + x) // 3 + 7 % (x + 3),
    ),
    case(
        "arrays on the left", lambda x: np.arange(6) * x - np.arange(6.0) / (x + 4) + [1, 2, 3, 4, 5, 6] * x
    ),
    case("maximum with a number", lambda x: np.maximum(x, 0) + np.minimum(0.3, x) + np.arctan2(1.0, x)),
    case("maximum with a list", lambda x: np.maximum(x, [x[0], 0.1, x[2] * 2, 0.0, 1, 1])),
    case("outer", lambda x: np.multiply.outer(x, x)),
    case("reduce", lambda x: np.add.reduce(x) + np.multiply.reduce(x) + np.maximum.reduce(x)),
    case("reduce rows", lambda x: np.add.reduce(x), MATRIX),
    case("accumulate", lambda x: np.add.accumulate(x) * np.multiply.accumulate(x)),
    case("dtype", lambda x: np.add(x, 1, dtype=np.float64)),
    case("out", lambda x: np.exp(x, out=np.zeros_like(x))),
]


@pytest.mark.parametrize(("f", "x"), UFUNCS)
def test_ufuncs(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


REDUCTIONS = [
    case(
        name,
        lambda x, name=name: (
            getattr(np, name)(x)
            + getattr(np, name)(x, axis=0).sum()
            + getattr(np, name)(x, axis=1, keepdims=True).sum()
        ),
        MATRIX,
    )
    for name in names(
        "sum prod mean var std max min amax amin median nansum nanmean nanvar nanstd nanmax nanmin"
    )
] + [
    case("sum over axes", lambda x: np.sum(x, axis=(0, 2)), STACK),
    case("std with ddof", lambda x: np.std(x, axis=0, ddof=1), MATRIX),
    case(
        "methods",
        lambda x: x.sum(0) * x.mean(axis=0) + x.max(0) - x.min(0) + x.std(0) + x.var(0) + x.prod(0),
        MATRIX,
    ),
    case(
        "nan", lambda x: np.nansum(np.where(x > 0, x, np.nan) ** 2) + np.nanmean(np.where(x > 0, x, np.nan))
    ),
    case("ptp", lambda x: np.ptp(x, axis=1), MATRIX),
    case("average", lambda x: np.average(x, axis=0, weights=[1.0, 2.0, 4.0]), MATRIX),
    case("quantile", lambda x: np.quantile(x, [0.2, 0.55])),
    case("percentile", lambda x: np.percentile(x, 35, axis=0), MATRIX),
    case("cumsum", lambda x: np.cumsum(x, axis=1) * x.cumsum(), MATRIX[:1]),
    case("cumprod", lambda x: np.cumprod(x)),
    case("cumulative", lambda x: np.cumulative_sum(x, include_initial=True)[1:] * np.cumulative_prod(x)),
    case("diff", lambda x: np.diff(x, axis=1), MATRIX),
    case("gradient", lambda x: np.gradient(x)),
    case("trapezoid", lambda x: np.trapezoid(x**2, x) + np.trapezoid(x, dx=0.3)),
    case("trapezoid rows", lambda x: np.trapezoid(x, np.array([0.0, 1.0, 3.0]), axis=0), MATRIX),
    case(
        "linalg.norm",
        lambda x: np.linalg.norm(x) + np.linalg.norm(x, axis=1).sum() + np.linalg.norm(x, 1),
        MATRIX,
    ),
    case(
        "linalg.norm of a vector",
        lambda x: np.linalg.norm(x) + np.linalg.norm(x, 3) + np.linalg.norm(x, np.inf),
    ),
    case("vector_norm", lambda x: np.linalg.vector_norm(x, axis=1) + np.linalg.matrix_norm(x), MATRIX),
    case("logsumexp by hand", lambda x: np.log(np.sum(np.exp(x - x.max()))) + x.max()),
    case("cov", lambda x: np.cov(x), MATRIX),
    case("corrcoef", lambda x: np.corrcoef(x), MATRIX),
    case("count_nonzero", lambda x: x * np.count_nonzero(x > 0)),
]


@pytest.mark.parametrize(("f", "x"), REDUCTIONS)
def test_reductions(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


SHAPES = [
    case(
        "reshape", lambda x: np.reshape(x, (4, -1)) * x.reshape(4, 3) * x.reshape((4, 3), order="F"), MATRIX
    ),
    case("ravel", lambda x: np.ravel(x) * x.flatten() * x.T.ravel(), MATRIX),
    case(
        "transpose", lambda x: x.T * np.transpose(x) * x.transpose(1, 0) * x.transpose((1, 0)) * x.mT, MATRIX
    ),
    case("moveaxis", lambda x: np.moveaxis(x, 0, 2) * np.swapaxes(x, 0, 1).transpose(0, 2, 1), STACK),
    case("permute_dims", lambda x: np.permute_dims(x, (2, 0, 1)), STACK),
    case("squeeze", lambda x: np.squeeze(np.expand_dims(x, 1)) * x[:, None].squeeze(axis=1)),
    case("broadcast_to", lambda x: np.broadcast_to(x, (2, 6))),
    case("broadcast_arrays", lambda x: np.broadcast_arrays(x, x[:1])[1] * x),
    case("stack", lambda x: np.stack([x[0], x[1] * 2, np.float64(1.0) * x[2]])),
    case("nested stack", lambda x: np.stack([np.stack([x[0], x[1]]), np.stack((x[2], 0.5))])),
    case("concatenate", lambda x: np.concatenate([x, np.ones(2), x[::-1]]) * np.concat([x, x, x[:2]])),
    case(
        "hstack", lambda x: np.hstack([x, x])[2:8] * np.vstack([x, x**2])[1] * np.column_stack([x, x])[:, 1]
    ),
    case("block", lambda x: np.block([[x, x * 2], [np.zeros((3, 4)), x]]), MATRIX),
    case("split", lambda x: np.split(x, 2)),
    case("array_split", lambda x: np.array_split(x, [1, 4])),
    case("atleast_2d", lambda x: np.atleast_2d(x) @ np.atleast_2d(x).T),
    case("atleast_1d of several", lambda x: np.atleast_1d(x[0], x[1])),
    case("flip", lambda x: np.flip(x, 0) * np.fliplr(x) * np.flipud(x) * np.rot90(x, 2), MATRIX),
    case("roll", lambda x: np.roll(x, 2) * x),
    case("repeat", lambda x: np.repeat(x, 2)[3:9] * np.tile(x, 2)[4:10]),
    case("take", lambda x: np.take(x, [0, 3, 0]) * x.take([1, 1, 2])),
    case("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1), MATRIX),
    case("delete", lambda x: np.delete(x, [1, 2]) * np.compress([0, 1, 1, 0, 1, 1], x)),
    case("pad", lambda x: np.pad(x, 2)),
    case("diag", lambda x: np.diag(x) @ x + np.diag(np.outer(x, x)) + np.trace(np.outer(x, x))),
    case("tril", lambda x: np.tril(x) + np.triu(x, 1) * 2, SQUARE),
    case("sort", lambda x: np.sort(x) * np.sort(x)[::-1]),
    case("sort rows", lambda x: np.sort(x, axis=0), MATRIX),
    case("argsort", lambda x: x[np.argsort(x)] * x[x.argsort()[::-1]]),
    case("where", lambda x: np.where(x > 0, x**2, -x) + np.where([1, 0, 1, 0, 1, 0], x, 0.0)),
    case("where of one", lambda x: x[np.where(x > 0)] * x[np.nonzero(x > 0)[0]]),
    case("select", lambda x: np.select([x > 1, x > 0], [x**2, x**3], -x)),
    case(
        "of constants",
        lambda x: np.compress(x > 1, [1, 2, 3, 4, 5, 6]) * x[:2] + np.repeat(2.0, (x > 1).sum()),
    ),
    case("unstack", lambda x: np.unstack(x), MATRIX),
    case("meshgrid", lambda x: np.meshgrid(x, x**2)),
    case("astype", lambda x: x.astype(np.float64) * x.astype(int) * np.astype(x, float)),
    case("copy", lambda x: np.copy(x) * copy.deepcopy(x) * copy.copy(x)),
    case("real", lambda x: np.real(x * (1 + 2j)) + (x * 1j).imag + np.imag(np.conj(x * 3j))),
    case("interp", lambda x: np.interp(x, [-2.0, 0.0, 1.0, 3.0], [1.0, 2.0, -1.0, 0.5])),
    case("interp values", lambda x: np.interp([0.5, 1.7], [0.0, 1.0, 2.0, 3, 4, 5], x)),
    case("polyval", lambda x: np.polyval([1.0, -2.0, 0.5], x) + np.polyval(x, 0.4)),
    case("keyword", lambda x: np.reshape(x, shape=(2, 3)) * np.flip(m=np.reshape(x, (2, 3)))),
]


@pytest.mark.parametrize(("f", "x"), SHAPES)
def test_shapes_and_selection(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


LINALG = [
    case("matmul", lambda x: x @ x.T + np.matmul(x, np.ones((4, 3))) + np.ones((3, 4)) @ x.T, MATRIX),
    case("dot", lambda x: np.dot(x, x) + x.dot(x) + np.inner(x, x) + np.vdot(x, x) + np.vecdot(x, x)),
    case("matvec", lambda x: np.matvec(x, np.arange(4.0)) + np.vecmat(x[:, 0], x @ x.T), MATRIX),
    case("einsum", lambda x: np.einsum("ij,kj->ik", x, x), MATRIX),
    case("tensordot", lambda x: np.tensordot(x, x, axes=([2], [2])), STACK[:, :1]),
    # At zero a stack that is broadcast looks right.
    case("dot of stacks", lambda x: np.dot(x, np.swapaxes(x, 1, 2)), np.zeros((2, 2, 3))),
    case("dot", lambda x: np.dot(x, np.array([[1.0, -1.0], [2.0, 0.5], [0.0, 1.0]])), STACK[..., :3]),
    case("outer", lambda x: np.outer(x, x) + np.linalg.outer(x, x)),
    case("kron", lambda x: np.kron(x, x), SQUARE[:2, :2]),
    case("cross", lambda x: np.cross(x, np.array([1.0, 2.0, 3.0])) + np.linalg.cross(x[::-1], x), VECTOR[:3]),
    case("solve", lambda x: np.linalg.solve(x, x.T) + np.linalg.solve(x, np.eye(3)), SQUARE),
    case("solve for the right side", lambda x: np.linalg.solve(SQUARE, x), VECTOR[:3]),
    case("inv", np.linalg.inv, SQUARE),
    case("det", np.linalg.det, SQUARE),
    case("slogdet", lambda x: np.linalg.slogdet(x).logabsdet, SQUARE),
    case("cholesky", lambda x: np.linalg.cholesky(x @ x.T), SQUARE),
    case("eigvalsh", lambda x: np.linalg.eigvalsh(x + x.T), SQUARE),
    case("eigh", lambda x: abs(np.linalg.eigh(x + x.T).eigenvectors), SQUARE),
    case("svd", lambda x: np.linalg.svd(x, compute_uv=False) + np.linalg.svdvals(x), SQUARE),
    case("qr", lambda x: abs(np.linalg.qr(x).R), SQUARE),
    case("pinv", np.linalg.pinv, MATRIX),
    case("matrix_power", lambda x: np.linalg.matrix_power(x, 3), SQUARE),
    case("linalg.trace", lambda x: np.linalg.trace(x) + np.linalg.diagonal(x).sum(), SQUARE),
    case("fft", np.fft.fft),
    case("rfft and back", lambda x: np.fft.irfft(np.fft.rfft(x) ** 2)),
    case("convolve", lambda x: np.convolve(x, [1.0, 0.5, -2.0])),
]


@pytest.mark.parametrize(("f", "x"), LINALG)
def test_linear_algebra(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


INDEXING = [
    case("int", lambda x: x[1] * x[-1], MATRIX),
    case("entry", lambda x: x[1, 2] * x[0, -1] * x[0][1], MATRIX),
    case("slices", lambda x: x[1:, ::-2] * x[:2, 1:3], MATRIX),
    case("newaxis and ellipsis", lambda x: x[..., None, 0] * x[None, 1, ...].T[:3], MATRIX),
    case("mask", lambda x: x[x > 0] * x[np.array([True, False, True, True, False, True])]),
    case("mask of rows", lambda x: x[np.array([True, False, True])], MATRIX),
    case("list", lambda x: x[[0, 2, 0]] * x[np.array([1, 1, 1])], MATRIX),
    case("pairs", lambda x: x[[0, 1], [2, 3]] * x[np.ix_([0, 2], [1, 3])].sum(), MATRIX),
    case("across an ellipsis", lambda x: x[[0, 1], ..., [1, 2]], STACK),
    case("indices found in the function", lambda x: x[np.argmax(x)] * x[x.argmin()] * x[np.abs(x) > 1].sum()),
    case("slice ends found in the function", lambda x: x[: np.argmax(x)]),
    case("iteration", lambda x: sum(row @ row for row in x) + sum(v**3 for v in x.flat), MATRIX),
]


@pytest.mark.parametrize(("f", "x"), INDEXING)
def test_indexing(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


def _changed(x: Any, *steps: Callable[[Any], Any]) -> Any:
    """Run steps on a function of the input, so neither NumPy's input nor a leaf is changed."""
    y = np.exp(x * 0.5)
    results = [step(y) for step in steps]
    return [y * x, *(r for r in results if r is not None)]


def _set(index: Any, value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def step(y: Any) -> None:
        y[index] = value(y)

    return step


def _loop(x: Any) -> Any:
    out = np.zeros_like(x)
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = 0.5 * out[i - 1] + x[i] ** 2
    return out


def _augmented(x: Any) -> Any:
    y = x * 1.0
    alias = y
    y += x**2
    y *= 3
    y[1] += 10 * y[0]
    y[2:4] /= y[0] + 7
    y[y > 5] -= 1
    y[[0, 0]] += 1.0
    assert alias is y
    return [alias, y * x]


def _through_views(x: Any) -> Any:
    y = x * 2
    row, column, back = y[0], y.T[1], y[::-1]
    row += 1
    column[...] = column * x[:, 1]
    back[0, 0] = row[0] ** 2
    flat = y.ravel()
    flat[5] = flat[0] * flat[1]
    reshaped = y.reshape(2, 6)
    reshaped[1] *= 0.5
    y[2] = 0.25 * y[1]
    picked = y[[0, 1]]
    picked[0] = 100.0
    copied = y.flatten()
    copied[:] = 0.0
    return [y, row, column, back, flat, reshaped, picked]


def _through_function_views(x: Any) -> Any:
    y = x * 2
    for view in (
        np.flip(y, 1),
        np.swapaxes(y, 0, 1).T,
        np.squeeze(y[None]),
        np.split(y, [1])[1],
        np.atleast_2d(y),
    ):
        view[0, 0] *= 1.5
        view += 0.125 * x[0, 0]
    for copied in (np.roll(y, 1), np.repeat(y, 2, axis=0), np.take(y, [0], axis=0), np.copy(y)):
        copied[0, 0] = 99.0
    return y


def _scalars(x: Any) -> Any:
    a = x[0]
    b = a
    b += 1
    total = x.sum()
    kept = total
    total *= 2
    z = x * 1.0
    first = z[0]
    z[0] = 50.0
    return [a, b, total, kept, first, z]


IN_PLACE = [
    case("loop", _loop),
    case("augmented", _augmented),
    case("views", _through_views, MATRIX),
    case("views by functions", _through_function_views, MATRIX),
    case("scalars are values", _scalars),
    case(
        "what is saved for backward",
        lambda x: _changed(x, lambda y: y.__imul__(2), _set(0, lambda y: y[1] ** 2)),
    ),
    case("broadcast", lambda x: _changed(x, _set(slice(1, 3), lambda y: y[0])), MATRIX),
    case("mask", lambda x: _changed(x, _set(x > 0, lambda y: 0.0), _set(x < -1, lambda y: y[0])), VECTOR),
    case("the last one stays", lambda x: _changed(x, _set([0, 0, 1], lambda y: y[3:6]))),
    case("constants", lambda x: _changed(x, _set(0, lambda y: 3), _set(1, lambda y: np.float64(2)))),
    case("sort", lambda x: _changed(x, lambda y: y.sort())),
    case("fill", lambda x: _changed(x, lambda y: y[:2].fill(y[5]))),
    case("full_like", lambda x: np.full_like(x, 0.5) * x + np.ones_like(x) * x + np.full_like(x, x[0])),
    case("the input itself", lambda x: (x.__setitem__(0, x[1] ** 2), x * x)[1]),
]


@pytest.mark.parametrize(("f", "x"), IN_PLACE)
def test_assignment(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


# -- scalars ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.7, 3.0])
def test_python_functions_of_floats(x: float) -> None:
    def f(x: Any) -> Any:
        y = x
        y += 1
        if x > 1 and x < 1e9 and x != 7:
            y = max(x, 2) * min(x, 9.0)
        return round(x, 2) + abs(-y) ** 3 / (1 + x * x) - divmod(x, 0.4)[1] + pow(x, 2) + sum([x, x], 1.0)

    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    result = f(wrap(leaf))
    assert unwrap(result).item() == pytest.approx(f(x), rel=1e-12)
    # By hand: round() has the slope 0, max(x, 2) · min(x, 9) the slope 2x at 3.
    y, slope = (x + 1, 1.0) if x < 1 else (x * x, 2 * x)
    by_hand = (3 * y**2 * slope * (1 + x * x) - 2 * x * y**3) / (1 + x * x) ** 2 - 1 + 2 * x + 2
    (gradient,) = torch.autograd.grad(unwrap(result), leaf)
    assert gradient.item() == pytest.approx(by_hand, rel=1e-12)


def test_array_of_no_dimensions_can_be_changed_in_place() -> None:
    leaf = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    x = wrap(leaf, scalar=False)
    alias = x
    alias += 1
    alias[...] = alias * x
    result = x * leaf.item()
    assert unwrap(result).item() == 18.0
    (gradient,) = torch.autograd.grad(unwrap(result), leaf)
    assert gradient.item() == 12.0


def test_truth_length_and_membership_are_those_of_arrays() -> None:
    x = wrap(torch.tensor(VECTOR, requires_grad=True))
    assert bool(x[0] > 0)
    assert len(x) == 6
    assert 0.7 in x
    assert 0.8 not in x
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x > 0)
    with pytest.raises(TypeError, match="unsized"):
        len(x[0])
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)
    with pytest.raises(IndexError):
        x[6]
    with pytest.raises(IndexError, match="integer"):
        x[x]
    with pytest.raises(AttributeError, match="no attribute 'foo'"):
        x.foo()
    with pytest.raises(TypeError, match="item assignment"):
        x[0][...] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        np.broadcast_to(x, (2, 6))[0] = 1.0
    with pytest.raises(ValueError, match="output operand"):
        x[:1].__iadd__(x)
    assert f"{x[0]:.2f} {x[:1]}" == "0.70 [0.7]"
    assert repr(x[:1]) == "TorchArray(array([0.7]))"


def test_attributes() -> None:
    x = wrap(torch.tensor(MATRIX, requires_grad=True))
    assert (x.shape, x.ndim, x.size, x.dtype, x.itemsize, x.nbytes) == ((3, 4), 2, 12, np.float64, 8, 96)
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)) == ((3, 4), 2, 12, 4)
    assert (x > 0).dtype == bool
    assert x.argmax(0).dtype == np.int64
    assert (x * 1j).dtype == np.complex128
    assert np.result_type(x, np.float32) == np.float64
    assert np.allclose(x, MATRIX)
    assert np.array_equal(x, MATRIX)
    assert not np.iscomplexobj(x)


def test_integers_and_booleans_are_constants() -> None:
    x = wrap(torch.tensor(VECTOR, requires_grad=True))
    assert int(np.argmax(x)) == 2
    assert float((x > 0).sum()) == 4.0
    assert np.asarray(x > 0).tolist() == (VECTOR > 0).tolist()
    assert (x > 0).tolist()[0] is True
    assert list(range(x.argmin())) == [0]
    assert [1, 2, 3][np.argmax(x)] == 3


def test_constants_come_back_as_tensors() -> None:
    assert unwrap(1.5).item() == 1.5
    assert unwrap(np.arange(3.0)[::-1]).tolist() == [2.0, 1.0, 0.0]
    assert unwrap(np.float64(2)).dtype == torch.float64
    assert unwrap(3).dtype == torch.int64
    assert not unwrap(1.5).requires_grad


# -- the array API ---------------------------------------------------------------------------------


@pytest.mark.parametrize("compat", [False, True])
def test_array_api_functions(compat: bool) -> None:
    def f(x: Any) -> Any:
        if not compat and isinstance(x, np.ndarray):
            xp: Any = np
        else:
            xp = array_api_compat.array_namespace(x)
        y = xp.asarray(x, dtype=xp.float64)
        z = xp.concat([xp.sin(y), xp.pow(y, xp.asarray(2.0))])
        z = xp.where(z > 0, z, xp.zeros_like(z))
        s = xp.sum(xp.exp(z - xp.max(z)), axis=-1, keepdims=True)
        total = xp.mean(z) + xp.squeeze(xp.log(s), axis=0) + xp.linalg.vector_norm(z)
        return xp.asarray([total, total * 2]) if isinstance(x, TorchArray) else np.stack([total, total * 2])

    check(f, VECTOR)


# -- out of the graph ------------------------------------------------------------------------------


def _assign(x: Any) -> Any:
    out = np.zeros(3)
    out[0] = x[0]
    return out


REFUSED = [
    (lambda x: math.sin(x[0]), r"math\.sin\(x\[0\]\) takes the value out of the graph; use numpy\.sin"),
    (lambda x: math.erf(x[0]), r"math\.erf\(x\[0\]\).*use scipy\.special\.erf"),
    (lambda x: float(x[0]), r"float\(x\[0\]\) takes the value out of the graph"),
    (lambda x: int(x[0]), r"int\(x\[0\]\) takes the value out of the graph"),
    (lambda x: complex(x[0]), r"complex\(x\[0\]\) takes the value out of the graph"),
    (lambda x: x[0].item(), r"x\[0\]\.item\(\) takes the value out of the graph"),
    (lambda x: x.tolist(), r"x\.tolist\(\) takes the value out of the graph"),
    (lambda x: np.asarray(x), r"np\.asarray\(x\) takes the value out of the graph; use numpy\.stack"),
    (lambda x: np.array([x[0], x[1]]), r"np\.array\(\[x\[0\], x\[1\]\]\) takes the value out of the graph"),
    (lambda x: np.sum([x[0], x[1]]), r"np\.sum\(\[x\[0\], x\[1\]\]\) takes the value out of the graph"),
    (lambda x: np.stack([[x[0], 1.0], [2.0, x[1]]]), "takes the value out of the graph"),
    (_assign, r"assigning to out\[0\] of a NumPy array takes.*numpy\.zeros_like"),
    (lambda x: np.zeros(6).__iadd__(x), r"numpy\.add with out= a NumPy array"),
    (
        lambda x: np.zeros_like(x, dtype=int).__setitem__(0, x[0]),
        "array of int64 takes the value out of the graph",
    ),
    (lambda x: np.zeros_like(x).__setitem__(0, x[0] * 1j), "complex numbers"),
    (lambda x: np.unwrap(x), r"torch: no counterpart of numpy\.unwrap"),
    (lambda x: np.spacing(x), r"no counterpart of numpy\.spacing"),
    (lambda x: np.frexp(x), r"no counterpart of numpy\.frexp"),
    (lambda x: np.add.at(x, [0], 1.0), r"no counterpart of numpy\.add\.at"),
    (lambda x: np.exp(x, where=[True] * 6), r"numpy\.exp with where="),
    (lambda x: np.delete(obj=x > 0, arr=[1.0, 2.0]), r"numpy\.delete without its array"),
    (lambda x: np.copyto(x, 1.0), r"numpy\.copyto changes its argument in place"),
    (lambda x: x.ctypes, r"no counterpart of numpy\.ndarray\.ctypes"),
    (lambda x: x[0].hex(), r"no counterpart of numpy\.ndarray\.hex"),
    (lambda x: x * np.ones(6, np.longdouble), "no counterpart of the dtype"),
    (lambda x: np.sum(x, where=np.array([True] * 6)), r"torch: numpy\.sum: "),
    (lambda x: np.einsum_path("i,i", x, x) and np.ediff1d(x), r"no counterpart of numpy\.ediff1d"),
]


@pytest.mark.parametrize(("f", "text"), REFUSED)
def test_what_has_no_counterpart_or_loses_the_gradient_is_refused(f: Callable[[Any], Any], text: str) -> None:
    leaf = torch.tensor(VECTOR, requires_grad=True)
    with pytest.raises((Unavailable, ValueError)) as caught:
        f(wrap(leaf))
    reason = refusal(caught.value)
    assert reason is not None
    assert re.search(text, str(reason)), str(reason)


def test_other_errors_are_no_refusal() -> None:
    assert refusal(ValueError("x")) is None
    assert refusal(None) is None


def test_singular_matrix_raises_the_error_of_numpy() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(wrap(torch.zeros((2, 2), dtype=torch.float64, requires_grad=True)))


def test_function_that_detaches_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_gradcheck.frameworks.torch.numpy_code import dispatch

    monkeypatch.setitem(dispatch.FUNCTIONS, "sinc", lambda x: torch.sinc(x.detach()))
    with pytest.raises(Unavailable, match=r"numpy\.sinc takes the value out of the graph"):
        np.sinc(wrap(torch.tensor(VECTOR, requires_grad=True)))


def test_function_that_means_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_gradcheck.frameworks.torch.numpy_code import dispatch

    x = wrap(torch.tensor(VECTOR, requires_grad=True))
    for wrong in (
        lambda a: a.std(),
        lambda a: a.float().std(correction=0).double(),
        lambda a: a.std(correction=0).reshape(1),
        lambda a: (a, a),
    ):
        monkeypatch.setitem(dispatch.FUNCTIONS, "std", wrong)
        with pytest.raises(Unavailable, match=r"numpy\.std gives a different result than NumPy"):
            np.std(x)


def test_what_depends_on_no_input_is_computed_by_numpy() -> None:
    x = wrap(torch.tensor(VECTOR, requires_grad=True))
    constant = np.unwrap(np.ones_like(x))
    assert np.asarray(constant).tolist() == [1.0] * 6
    constant[0] = x[1]
    assert unwrap(constant).requires_grad
    assert np.digitize(x, [0.0, 1.0]).tolist() == [1, 0, 2, 1, 0, 2]
    assert np.lexsort((x,)).tolist() == np.argsort(VECTOR).tolist()
    assert np.isin(x, [0.7]).tolist() == [True, *[False] * 5]


def test_second_derivatives() -> None:
    leaf = torch.tensor(VECTOR, requires_grad=True)
    x = wrap(leaf)
    y = np.zeros_like(x)
    y[1:] = np.sin(x[:-1]) * x[1:]
    (first,) = torch.autograd.grad(unwrap(np.sum(y)), leaf, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    expected = np.zeros(6)
    expected[:-1] += -np.sin(VECTOR[:-1]) * VECTOR[1:] + np.cos(VECTOR[:-1])
    expected[1:] += np.cos(VECTOR[:-1])
    np.testing.assert_allclose(second.numpy(), expected, rtol=1e-12)
