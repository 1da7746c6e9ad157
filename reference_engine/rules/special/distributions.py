"""Distribution functions and their inverses: each derivative is the density or its reciprocal.

With respect to a parameter other than a scale or shift there is no closed form. scipy rounds counts (k) down.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.primitives import value_of
from reference_engine.rules.special.common import SQRT_2PI, Row, sp
from reference_engine.rules.special.gamma import beta_density, gamma_density


def _count(k: Any) -> Any:
    return np.floor(value_of(k)) + 1


def _f_density(dfn: Any, dfd: Any, x: Any) -> Any:
    """F's distribution function is I_z(dfn/2, dfd/2) with z = dfn x / (dfn x + dfd)."""
    whole = dfn * x + dfd
    return beta_density(dfn / 2, dfd / 2, dfn * x / whole) * (dfn * dfd) / (whole * whole)


def _t_density(df: Any, t: Any) -> Any:
    return np.exp(np.log1p(t * t / df) * ((df + 1) / -2) - sp().betaln(df / 2, 0.5)) / np.sqrt(df)


def _binomial_density(k: Any, n: Any, p: Any) -> Any:
    return beta_density(n - np.floor(value_of(k)), _count(k), 1 - p)


def _normal_density(x: Any) -> Any:
    return np.exp(-0.5 * x * x) / SQRT_2PI


TABLE: dict[str, Row] = {
    # Poisson, Q(floor(k) + 1, m).
    "pdtr": (None, lambda result, k, m: -gamma_density(_count(k), m)),
    "pdtrc": (None, lambda result, k, m: gamma_density(_count(k), m)),
    "pdtri": (None, lambda result, k, p: -1 / gamma_density(_count(k), result)),
    # Binomial, I_(1-p)(n - k, k + 1), and negative binomial, I_p(n, k + 1).
    "bdtr": (None, None, lambda result, k, n, p: -_binomial_density(k, n, p)),
    "bdtrc": (None, None, lambda result, k, n, p: _binomial_density(k, n, p)),
    "bdtri": (None, None, lambda result, k, n, y: -1 / _binomial_density(k, n, result)),
    "nbdtr": (None, None, lambda result, k, n, p: beta_density(n, k + 1, p)),
    "nbdtrc": (None, None, lambda result, k, n, p: -beta_density(n, k + 1, p)),
    "nbdtri": (None, None, lambda result, k, n, y: 1 / beta_density(n, k + 1, result)),
    # F and Student's t.
    "fdtr": (None, None, lambda result, dfn, dfd, x: _f_density(dfn, dfd, x)),
    "fdtrc": (None, None, lambda result, dfn, dfd, x: -_f_density(dfn, dfd, x)),
    "fdtri": (None, None, lambda result, dfn, dfd, p: 1 / _f_density(dfn, dfd, result)),
    "stdtr": (None, lambda result, df, t: _t_density(df, t)),
    "stdtrit": (None, lambda result, df, p: 1 / _t_density(df, result)),
    # Mean and deviation of a normal distribution from one of its quantiles: x = mean + std Φ⁻¹(p).
    "nrdtrimn": (
        lambda result, p, std, x: -std / _normal_density(sp().ndtri(p)),
        lambda result, p, std, x: -sp().ndtri(p),
        lambda result, p, std, x: 1.0,
    ),
    "nrdtrisd": (
        lambda result, mean, p, x: -1 / sp().ndtri(p),
        lambda result, mean, p, x: -result / (sp().ndtri(p) * _normal_density(sp().ndtri(p))),
        lambda result, mean, p, x: 1 / sp().ndtri(p),
    ),
}  # fmt: skip
