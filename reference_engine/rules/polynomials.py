"""Polynomials as rows of coefficients, the highest power first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from reference_engine.definitions import conj, define
from reference_engine.dispatch import implements
from reference_engine.primitives import Primitive, value_of
from reference_engine.tensor import Tensor, as_tensor


def _line(p: Any) -> Any:
    return np.atleast_1d(as_tensor(p))


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """`numpy.polyval`, by Horner's scheme."""
    x = as_tensor(x)
    result: Any = Tensor(np.zeros_like(value_of(x)))
    for coefficient in as_tensor(p):
        result = result * x + coefficient
    return result


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """`numpy.polyadd`."""
    first, second = _line(a1), _line(a2)
    n = max(first.size, second.size)
    return _longer(first, n) + _longer(second, n)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """`numpy.polysub`."""
    first, second = _line(a1), _line(a2)
    n = max(first.size, second.size)
    return _longer(first, n) - _longer(second, n)


def _longer(p: Any, n: int) -> Any:
    return np.pad(p, (n - p.size, 0))


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """`numpy.polymul`: leading zeros are cut off."""
    return np.convolve(*(_trimmed(_line(p)) for p in (a1, a2)))


def _trimmed(p: Any) -> Any:
    return np.trim_zeros(p, "f") if value_of(p).any() else Tensor(np.zeros(1, p.dtype))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """`numpy.polydiv`: quotient and remainder, without the remainder's leading zeros."""
    u, v = _line(u), _line(v)
    if not u.size or not v.size:
        raise ValueError(f"u and v of numpy.polydiv must not be empty, got sizes {u.size} and {v.size}")
    dtype = np.result_type(u.dtype, v.dtype, np.float16)
    degree, rest = v.size - 1, u + 0.0 * v[0]
    scale = 1.0 / v[0]
    quotient = []
    for k in range(max(u.size - degree, 0)):
        quotient.append(scale * rest[k])
        rest = np.concatenate([rest[:k], rest[k : k + degree + 1] - quotient[-1] * v, rest[k + degree + 1 :]])
    found = np.stack(quotient) if quotient else Tensor(np.zeros(1, dtype))
    while rest.size > 1 and np.allclose(value_of(rest)[0], 0, rtol=1e-14):
        rest = rest[1:]
    return found, rest


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """`numpy.polyder`."""
    if m < 0:
        raise ValueError(f"m must be 0 or more, got {m}")
    p = as_tensor(p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.size - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """`numpy.polyint`, differentiable in the coefficients and the constants `k`."""
    if m < 0:
        raise ValueError(f"m must be 0 or more, got {m}")
    p = as_tensor(p)
    constants = np.zeros(m) if k is None else _line(k)
    if constants.size == 1 and m > 1:
        constants = constants[0] * np.ones(m)
    if constants.size < m:
        raise ValueError(f"k must be one number or {m}, got {constants.size}")
    for i in range(m):
        p = np.concatenate([p / np.arange(p.size, 0, -1), np.reshape(constants[i], 1)])
    return p


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """`numpy.poly`: the polynomial of given roots, or the characteristic one of a square matrix."""
    zeros = _line(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim != 1:
        raise ValueError(f"seq_of_zeros must be 1-d or a non-empty square matrix, got shape {zeros.shape}")
    if zeros.size == 0:
        return Tensor(np.array(1.0))
    result: Any = Tensor(np.ones(1, zeros.dtype))
    for zero in zeros:
        result = np.convolve(result, np.stack([np.ones((), zeros.dtype), -zero]))
    # Roots that come in conjugate pairs have a real polynomial.
    return np.real(result) if not np.iscomplexobj(np.poly(value_of(zeros))) else result


def _roots_rule(c: Any, result: Any, p: Any) -> Any:
    """From p(r) = 0: dr / dp_k = -r^(n-k) / p'(r), which is infinite for a root that comes twice."""
    slope = np.polyval(np.polyder(p), result)
    powers = np.vander(result, p.size)
    return -np.matmul(conj(powers.T), c / conj(slope))


roots_: Primitive = define("roots", lambda p: np.roots(p), [_roots_rule])


@implements(np.roots)
def roots(p: Any) -> Any:
    """`numpy.roots`."""
    p = np.atleast_1d(as_tensor(p))
    if p.ndim != 1:
        raise ValueError(f"p of numpy.roots must be 1-d, got shape {p.shape}")
    return roots_(p)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """`numpy.vander`."""
    x = as_tensor(x)
    if x.ndim != 1:
        raise ValueError(f"x of numpy.vander must be 1-d, got shape {x.shape}")
    n = len(x) if N is None else N
    powers = np.arange(n) if increasing else np.arange(n - 1, -1, -1)
    dtype = np.promote_types(x.dtype, int)
    # Powers of numbers of Python, as exact as NumPy's own products, and right at 0.
    columns = [x.astype(dtype) ** int(k) for k in powers]
    return np.stack(columns, axis=1) if n else Tensor(np.empty((len(x), 0), dtype))


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: Any, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """`numpy.polyfit`, differentiable in x, y and the weights."""
    order = int(deg) + 1
    x, y = as_tensor(x) + 0.0, as_tensor(y) + 0.0
    if deg < 0:
        raise ValueError(f"deg must be 0 or more, got {deg}")
    if x.ndim != 1 or x.size == 0:
        raise TypeError(f"x must be a non-empty line of numbers, got shape {x.shape}")
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise TypeError(f"y must have one or two axes, the first of length {x.shape[0]}, got shape {y.shape}")
    if rcond is None:
        rcond = len(x) * np.finfo(x.dtype).eps
    left, right = vander(x, order), y
    if w is not None:
        w = as_tensor(w) + 0.0
        if w.shape != x.shape:
            raise TypeError(f"w must have the shape {x.shape} of x, got {w.shape}")
        left = left * w[:, None]
        right = right * (w if y.ndim == 1 else w[:, None])
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    found, residuals, rank, singular = np.linalg.lstsq(left, right, rcond)
    found = (found.T / scale).T
    if int(value_of(rank)) != order and not full:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=3)
    if full:
        return found, residuals, rank, singular, rcond
    if not cov:
        return found
    base = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    factor: Any = 1.0
    if cov != "unscaled":
        if len(x) <= order:
            raise ValueError(
                f"the number of points, {len(x)}, must exceed the {order} coefficients to scale the "
                "covariance; give cov='unscaled'"
            )
        factor = residuals / (len(x) - order)
    return found, base * factor if y.ndim == 1 else base[:, :, None] * factor
