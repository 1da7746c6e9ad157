"""Incomplete gamma functions and related distributions, differentiable in both arguments: DLMF 8."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.special.common import Row, sp
from reference_engine.rules.special.gamma import gamma_density, polygamma_

# Mori's substitution s = exp(u - exp(-u)) of the double exponential rule for integrals from 0 to infinity of
# functions that decay like exp(-s) (Takahasi and Mori, Publ. RIMS 9, 1974, 721-741). Below the first point s
# is 1e-39. Above the last it is 1e6, where exp(-a s) is gone for a > 4e-5.
_STEP = 1 / 32
_U = np.arange(-4.5, 14, _STEP)
_S = np.exp(_U - np.exp(-_U))
_WEIGHTS = _STEP * _S * (1 + np.exp(-_U))

#: The number of integrals computed at a time, 600 numbers each.
_BLOCK = 1024


def _score(n: int, a: Any, log_x: Any) -> Any:
    """The n-th derivative of the density x^(a-1) exp(-x) / Γ(a) with respect to a, over the density.

    It is a moment, of which log x - ψ(a), -ψ'(a), ... are the cumulants.
    """
    cumulants = [log_x - sp().psi(a), *(-polygamma_(a, n=k) for k in range(1, n))]
    moments: list[Any] = [1.0]
    for m in range(n):
        moments.append(sum(math.comb(m, k) * cumulants[k] * moments[m - k] for k in range(m + 1)))
    return moments[n]


def _integrals(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative of P(a, x) with respect to a for vectors: the integral of that of the density.

    It is taken over the side of x on which the density falls, where nothing cancels: with t = x exp(-s) from
    0 to x for x < a, else with t = x exp(s) from x on.
    """
    below = x < a
    log_t = np.log(x) + np.where(below, -1.0, 1.0) * _S[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        inside = np.exp(a * log_t - np.exp(log_t) - sp().gammaln(a)) * _score(n, a, log_t)
    return np.where(below, 1.0, -1.0) * (_WEIGHTS @ np.where(np.isfinite(inside), inside, 0.0))


def _by_shape(a: Any, x: Any, n: int) -> Any:
    a, x = np.broadcast_arrays(a, x)
    dtype = np.result_type(a, x, np.float32)
    result = np.where((a > 0) & (x >= 0), 0.0, np.nan)
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    given, points = a[inside].astype(float), x[inside].astype(float)
    blocks = (slice(start, start + _BLOCK) for start in range(0, len(given), _BLOCK))
    result[inside] = np.concatenate(
        [np.zeros(0), *(_integrals(given[block], points[block], n) for block in blocks)]
    )
    return result.astype(dtype, copy=False)[()]


#: The n-th derivative of P(a, x) with respect to a, for real arguments.
_gammainc_by_shape: Primitive = Primitive(
    "gammainc_by_shape",
    lambda a, x, *, n: _by_shape(a, x, n),
    (
        lambda c, result, a, x, *, n: c * _gammainc_by_shape(a, x, n=n + 1),
        lambda c, result, a, x, *, n: c * _density_by_shape(a, x, n),
    ),
)


def _density_by_shape(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative of the density with respect to a; 0 for x = 0 as for a > 1."""
    zero = value_of(x) == 0
    inside = np.where(zero, 1.0, x)
    return np.where(zero, 0.0, gamma_density(a, inside) * _score(n, a, np.log(inside)))


def _p(a: Any, x: Any) -> Any:
    """The derivative of P(a, x) by a."""
    return _gammainc_by_shape(a, x, n=1)


def _root(a: Any, x: Any) -> Any:
    """The derivative with respect to a of the x with a given P(a, x)."""
    return -_p(a, x) / gamma_density(a, x)


TABLE: dict[str, Row] = {
    "gammainc": (lambda result, a, x: _p(a, x), lambda result, a, x: gamma_density(a, x)),
    "gammaincc": (lambda result, a, x: -_p(a, x), lambda result, a, x: -gamma_density(a, x)),
    "gammaincinv": (
        lambda result, a, p: _root(a, result),
        lambda result, a, p: 1 / gamma_density(a, result),
    ),
    "gammainccinv": (
        lambda result, a, p: _root(a, result),
        lambda result, a, p: -1 / gamma_density(a, result),
    ),
    # Gamma: gdtr(a, b, x) = P(b, a x).
    "gdtr": (
        lambda result, a, b, x: x * gamma_density(b, a * x),
        lambda result, a, b, x: _p(b, a * x),
        lambda result, a, b, x: a * gamma_density(b, a * x),
    ),
    "gdtrc": (
        lambda result, a, b, x: -x * gamma_density(b, a * x),
        lambda result, a, b, x: -_p(b, a * x),
        lambda result, a, b, x: -a * gamma_density(b, a * x),
    ),
    "gdtrix": (
        lambda result, a, b, p: -result / a,
        lambda result, a, b, p: _root(b, a * result) / a,
        lambda result, a, b, p: 1 / (a * gamma_density(b, a * result)),
    ),
    "gdtria": (
        lambda result, p, b, x: 1 / (x * gamma_density(b, result * x)),
        lambda result, p, b, x: _root(b, result * x) / x,
        lambda result, p, b, x: -result / x,
    ),
    # Chi square, P(v/2, x/2), and Poisson, Q(floor(k) + 1, m).
    "chdtr": (
        lambda result, v, x: _p(v / 2, x / 2) / 2,
        lambda result, v, x: gamma_density(v / 2, x / 2) / 2,
    ),
    "chdtrc": (
        lambda result, v, x: -_p(v / 2, x / 2) / 2,
        lambda result, v, x: gamma_density(v / 2, x / 2) / -2,
    ),
    "chdtri": (
        lambda result, v, p: _root(v / 2, result / 2),
        lambda result, v, p: -2 / gamma_density(v / 2, result / 2),
    ),
}
