"""The gamma and related functions, and the Hurwitz zeta function: DLMF 5, 8, 25."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.definitions import define
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.special.common import Row, piecewise, sp
from reference_engine.tensor import as_tensor

# B_2, B_4, ... (DLMF 24.2.3)
_BERNOULLI = (
    1 / 6,
    -1 / 30,
    1 / 42,
    -1 / 30,
    5 / 66,
    -691 / 2730,
    7 / 6,
    -3617 / 510,
    43867 / 798,
    -174611 / 330,
)


def _polygamma(x: Any, n: int) -> Any:
    """The n-th derivative of ψ; scipy's own for real x.

    For complex x the recurrence (DLMF 5.15.5) up to Re x > 16 + n, and from there on the asymptotic series
    (5.15.8 and its derivatives).
    """
    x = np.asarray(x)
    if x.dtype.kind != "c":
        return sp().polygamma(n, x).astype(np.result_type(x, np.float32), copy=False)
    if n == 0:
        return sp().psi(x)
    z = np.array(x, dtype=complex)
    sign = (-1) ** (n + 1)
    total = np.zeros_like(z)
    bound = 16 + n
    if np.any(z.real < bound - 10_000):
        raise NotImplementedError(
            f"polygamma of order {n} of a complex number needs a real part above {bound - 10_000}, "
            f"got {z.real.min()}"
        )
    while (low := z.real < bound).any():
        total[low] += sign * math.factorial(n) * z[low] ** (-n - 1)
        z[low] += 1
    total += sign * (math.factorial(n - 1) / z**n + math.factorial(n) / (2 * z ** (n + 1)))
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        total += sign * bernoulli * math.factorial(2 * k + n - 1) / math.factorial(2 * k) / z ** (2 * k + n)
    return total.astype(x.dtype)


polygamma_: Primitive = define(
    "polygamma",
    lambda x, *, n: _polygamma(x, n),
    [lambda c, result, x, *, n: c * np.conjugate(polygamma_(x, n=n + 1))],
)


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of the digamma function (DLMF 5.15), for real or complex x. Needs scipy.

    Errors: TypeError for an order that is not an integer, ValueError for a negative one.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise TypeError(f"n must be one integer, got {n!r}")
    if n < 0:
        raise ValueError(f"n must be at least 0, got {n}")
    return polygamma_(as_tensor(x), n=int(n))


def _rgamma_slope(result: Any, x: Any) -> Any:
    """-ψ/Γ; left of 1/2 the derivative of sin(πx) Γ(1-x)/π (DLMF 5.5.3), which passes the poles of Γ."""

    def left(x: Any) -> Any:
        gamma, psi = sp().gamma(1 - x), sp().psi(1 - x)
        return gamma * (np.cos(math.pi * x) - np.sin(math.pi * x) * psi / math.pi)

    return piecewise(np.real(value_of(x)) < 0.5, x, left, lambda x: -sp().psi(x) * sp().rgamma(x), 0.25, 1.0)


def _binom_slope(argument: int) -> Any:
    """Γ(a) / (Γ(b) Γ(c)) by the digamma function; where it is 0 by the entire function 1/Γ (DLMF 1.2.6)."""

    def logarithmic(a: Any, b: Any, c: Any) -> Any:
        return sp().psi(a) - sp().psi(c) if argument == 0 else sp().psi(c) - sp().psi(b)

    def entire(a: Any, b: Any, c: Any) -> Any:
        by_b, by_c = sp().rgamma(c) * _rgamma_slope(None, b), sp().rgamma(b) * _rgamma_slope(None, c)
        if argument == 1:
            return sp().gamma(a) * (by_b - by_c)
        return sp().gamma(a) * (sp().psi(a) * sp().rgamma(b) * sp().rgamma(c) + by_c)

    def partial(result: Any, n: Any, k: Any) -> Any:
        zero = value_of(result) == 0
        arguments = n + 1, k + 1, n - k + 1
        slope = result * logarithmic(*(np.where(zero, 1.0, x) for x in arguments))
        if not zero.any():
            return slope
        return np.where(zero, entire(*(np.where(zero, x, 1.0) for x in arguments)), slope)

    return partial


def gamma_density(a: Any, x: Any) -> Any:
    """x^(a-1) exp(-x) / Γ(a), the derivative of P(a, x) with respect to x (DLMF 8.8.13)."""
    return np.exp(sp().xlogy(a - 1, x) - x - sp().gammaln(a))


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a-1) (1-x)^(b-1) / B(a, b), the derivative of I_x(a, b) with respect to x (DLMF 8.17.1)."""
    return np.exp(sp().xlogy(a - 1, x) + sp().xlog1py(b - 1, -x) - sp().betaln(a, b))


TABLE: dict[str, Row] = {
    # 5.2, 5.12, 5.15
    "gamma": (lambda result, x: result * sp().psi(x),),
    "gammaln": (lambda result, x: sp().psi(x),),
    "loggamma": (lambda result, x: sp().psi(x),),
    "gammasgn": (lambda result, x: 0.0,),
    "rgamma": (_rgamma_slope,),
    "psi": (lambda result, x: polygamma_(x, n=1),),
    "beta": (
        lambda result, a, b: result * (sp().psi(a) - sp().psi(a + b)),
        lambda result, a, b: result * (sp().psi(b) - sp().psi(a + b)),
    ),
    "betaln": (
        lambda result, a, b: sp().psi(a) - sp().psi(a + b),
        lambda result, a, b: sp().psi(b) - sp().psi(a + b),
    ),
    "binom": (_binom_slope(0), _binom_slope(1)),
    "poch": (
        lambda result, a, m: result * (sp().psi(a + m) - sp().psi(a)),
        lambda result, a, m: result * sp().psi(a + m),
    ),
    # With respect to a and b there is no closed form (8.17).
    "betainc": (None, None, lambda result, a, b, x: beta_density(a, b, x)),
    "betaincc": (None, None, lambda result, a, b, x: -beta_density(a, b, x)),
    "betaincinv": (None, None, lambda result, a, b, p: 1 / beta_density(a, b, result)),
    "betainccinv": (None, None, lambda result, a, b, p: -1 / beta_density(a, b, result)),
    # 25.11.17
    "_zeta": (None, lambda result, s, q: sp().zeta(s + 1, q) * -s),
}
