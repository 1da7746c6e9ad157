"""`scipy.special` on arrays and on Tensors.

The ufuncs dispatch by themselves and are scipy's own here; `TABLE` holds the functions that convert their
arguments to arrays first. Every other name is scipy's function, which refuses a Tensor by name. DLMF numbers
refer to the NIST Digital Library of Mathematical Functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import fixed, is_complex
from reference_engine.primitives import value_of
from reference_engine.rules import nn
from reference_engine.rules.special import bessel, gamma
from reference_engine.rules.special.common import sp
from reference_engine.scipy import legendre
from reference_engine.scipy.front import Mirror, load, table
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- sums of exponentials


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """log(sum(b exp(a))) over `axis`, without overflow; `b` broadcasts with `a`.

    For complex sums the principal logarithm. With `return_sign` the logarithm of the absolute value, and the
    sign or phase of the sum. Where the sum is negative and no sign is asked for, the result is nan, and
    nothing comes from entries whose weight is 0, infinite ones included.
    """
    a = as_tensor(a)
    if b is None and not return_sign and not is_complex(a):
        return nn.logsumexp(a, axis, keepdims)
    weight = as_tensor(1.0 if b is None else b)
    dead = np.broadcast_to(value_of(weight) == 0, np.broadcast_shapes(a.shape, np.shape(weight)))
    height = np.where(dead, -np.inf, np.real(value_of(a)))
    top = np.max(height, axis=axis, keepdims=True, initial=-np.inf)
    # A constant shift leaves the result and its derivative as they are.
    top = np.where(np.isfinite(top), top, 0.0).astype(height.dtype)
    total = np.sum(weight * np.exp(np.where(dead, 0.0, a - top)), axis=axis, keepdims=True)
    sign = np.sign(total)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.log(np.absolute(total) if return_sign else total) + top
    if not keepdims:
        shape = np.sum(dead, axis=axis).shape
        result, sign = np.reshape(result, shape), np.reshape(sign, shape)
    return (result, sign) if return_sign else result


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)) over `axis`, without overflow; over all entries by default."""
    return nn.softmax(x, axis)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """The logarithm of `softmax`, without loss of digits."""
    return nn.log_softmax(x, axis)


# ---------------------------------------------------------------------------- the gamma function's kin


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function (DLMF 5.15); `n` holds integers and broadcasts with `x`.

    Errors: MissingRuleError for an `n` that requires a gradient, ValueError for one that is not a whole
    number.
    """
    orders = np.asarray(fixed(n, "polygamma", "n"))
    if (orders != np.floor(orders)).any():
        raise ValueError(f"n must hold whole numbers, got {n!r}")
    if orders.ndim == 0:
        return gamma.polygamma(int(orders), x)
    result: Any = np.nan
    for order in np.unique(orders):
        result = np.where(orders == order, gamma.polygamma(int(order), x), result)
    return result


def multigammaln(a: Any, d: Any) -> Any:
    """The logarithm of the multivariate gamma function of dimension `d` (DLMF 35.3.4).

    Errors: ValueError for a `d` that is not a whole number, or an `a` that is not above (d - 1) / 2.
    """
    a = as_tensor(a)
    size = np.asarray(value_of(d))
    if size.ndim or size != np.floor(size) or size < 1:
        raise ValueError(f"d must be a positive integer, got {d!r}")
    if np.any(value_of(a) <= 0.5 * (size - 1)):
        raise ValueError(f"a must be above (d - 1) / 2 = {0.5 * (size - 1)}, got {value_of(a)}")
    constant = float(size * (size - 1) * 0.25) * math.log(math.pi)
    return constant + sum(sp().gammaln(a - 0.5 * j) for j in range(int(size)))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:
    """N choose k as a function of real numbers (DLMF 1.2.6), 0 for k > N, N < 0 and k < 0."""
    N, k = as_tensor(N), as_tensor(k)
    n, count = value_of(N), value_of(k)
    if repetition:
        return np.where((count == 0) & (n >= 0), 1.0, sp().binom(N + k - 1, k))
    return np.where((count <= n) & (n >= 0) & (count >= 0), sp().binom(N, k), 0.0)


def perm(N: Any, k: Any) -> Any:
    """Γ(N + 1) / Γ(N - k + 1) (DLMF 5.2.5), 0 for k > N, N < 0 and k < 0."""
    N, k = as_tensor(N), as_tensor(k)
    n, count = value_of(N), value_of(k)
    return np.where((count <= n) & (n >= 0) & (count >= 0), sp().poch(N - k + 1, k), 0.0)


def factorial(n: Any, *, extend: str = "zero") -> Any:
    """Γ(n + 1) (DLMF 5.4.1); with extend="zero" 0 for n < 0, with extend="complex" as Γ continues."""
    n = as_tensor(n)
    if extend not in ("zero", "complex"):
        raise ValueError(f"extend must be 'zero' or 'complex', got {extend!r}")
    if extend == "complex":
        return sp().gamma(n + 1)
    if is_complex(n):
        raise ValueError("extend must be 'complex' for a complex n, got 'zero'")
    negative = value_of(n) < 0
    return np.where(negative, 0.0, sp().gamma(np.where(negative, 0.0, n) + 1))


# ------------------------------------------------------------ trigonometric and Bessel functions


def diric(x: Any, n: Any) -> Any:
    """The Dirichlet kernel sin(n x/2) / (n sin(x/2)) (DLMF 1.15.3), nan where `n` is not a positive integer.

    As the mean of the cosines of (n - 1 - 2k) x/2, k = 0 ... n-1, which is smooth at multiples of 2π too.

    Errors: MissingRuleError for an `n` that requires a gradient.
    """
    x = as_tensor(x)
    count = np.asarray(fixed(n, "diric", "n"))
    count = np.where((count > 0) & (count == np.floor(count)), count, 0)
    total: Any = np.zeros(np.broadcast_shapes(x.shape, count.shape), np.result_type(x.dtype, np.float32))
    for k in range(int(count.max(initial=0))):
        total = total + np.where(k < count, np.cos((count - 1 - 2 * k) / 2 * x), 0.0)
    with np.errstate(invalid="ignore"):
        return (total / count).astype(total.dtype)


def _spherical(name: str) -> Callable[..., Any]:
    ufunc = f"_{name}"
    (_, slope) = bessel.TABLE[ufunc]

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        n, z = np.asarray(value_of(n), np.dtype("long")), as_tensor(z)
        assert slope is not None

        def value(z: Any) -> Any:
            return slope(None, n, z) if derivative else getattr(sp()._ufuncs, ufunc)(n, z)

        left = value_of(z) < 0 if not is_complex(z) else np.False_
        if name == "spherical_kn":
            # scipy's kn knows real arguments from 0 on; the complex function continues it (DLMF 10.47.9).
            if not left.any():
                return value(z)
            mirrored = np.real(value(np.where(left, z, -1.0) + 0j))
            return np.where(left, mirrored, value(np.where(left, 1.0, z)))
        # DLMF 10.47(v): even and odd functions, by a sign that is constant in the derivative.
        sign = np.where(left, -1, 1)
        parity = n + (name == "spherical_yn") + derivative
        return value(z * sign) * np.where(parity % 2 == 1, sign, 1)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`scipy.special.{name}` or its derivative (DLMF 10.47, 10.51), by `z`."
    return function


# ---------------------------------------------------------------------------- what stands here

TABLE: dict[str, Callable[..., Any]] = {
    **table(logsumexp, softmax, log_softmax, polygamma, multigammaln, comb, perm, factorial, diric),
    **table(*map(_spherical, ["spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"])),
    **legendre.TABLE,
}
"""The implementation for Tensors of each function of scipy.special that does not dispatch by itself."""

DISPATCHING = (
    "assoc_laguerre", "h1vp", "h2vp", "ivp", "jvp", "kvp", "lambertw", "sinc", "softplus", "yvp", "zeta",
)  # fmt: skip
"""Functions of scipy.special that are not ufuncs and call nothing else on what may be a Tensor."""

MIRROR = Mirror("special", TABLE, dispatching=DISPATCHING)

load("special")


def __getattr__(name: str) -> Any:
    return MIRROR.find(name)


def __dir__() -> list[str]:
    return MIRROR.names()
