"""Exponential integrals and hypergeometric functions: DLMF 6, 13, 15, 25."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.definitions import is_complex
from reference_engine.primitives import value_of
from reference_engine.rules.elementwise import sin_over
from reference_engine.rules.special.common import Row, piecewise, sp

# ---------------------------------------------------------------------------- quotients


def exprel_slope(x: Any) -> Any:
    """The derivative of (exp x - 1)/x, which is M(1, 2, x) (DLMF 13.6.2)."""
    return 0.5 * sp().hyp1f1(2.0, 3.0, x)


def log1p_ratio_slope(x: Any) -> Any:
    """The derivative of log(1 + x)/x, which is F(1, 1; 2; -x) (DLMF 15.4.1)."""
    return piecewise(
        np.abs(value_of(x)) < 0.5,
        x,
        lambda x: -0.5 * sp().hyp2f1(2.0, 2.0, 3.0, -x),
        lambda x: (1 / (1 + x) - np.log1p(x) / x) / x,
        0.1,
        1.0,
    )


def _spence_slope(result: Any, z: Any) -> Any:
    """log z / (1 - z) (DLMF 25.12.2), -1 at 1."""
    return piecewise(
        np.abs(value_of(z) - 1) < 0.5,
        z,
        lambda z: -sp().hyp2f1(1.0, 1.0, 2.0, 1 - z),
        lambda z: np.log(z) / (1 - z),
        0.9,
        3.0,
    )


def _sinh_over(x: Any) -> Any:
    """sinh(x)/x = sin(ix)/(ix), 1 at 0."""
    ratio = sin_over(1j * x, n=0)
    return ratio if is_complex(x) else np.real(ratio)


def _expn_slope(result: Any, n: Any, x: Any) -> Any:
    """E_n' = -E_(n-1) (DLMF 8.19.13); scipy has no E_(-1) = exp(-x) (1 + x)/x²."""
    zero = value_of(n) == 0
    return -np.where(zero, result * (1 + 1 / np.where(zero, x, 1.0)), sp().expn(np.where(zero, 1, n - 1), x))


TABLE: dict[str, Row] = {
    # 6.2
    "exp1": (lambda result, z: -np.exp(-z) / z,),
    "expi": (lambda result, z: np.exp(z) / z,),
    "expn": (None, _expn_slope),
    "exprel": (lambda result, x: exprel_slope(x),),
    "sici": (lambda result, z: (sin_over(z, n=0), np.cos(z) / z),),
    "shichi": (lambda result, z: (_sinh_over(z), np.cosh(z) / z),),
    "spence": (_spence_slope,),
    # 16.3.1, 13.3.15, 13.3.22, 15.5.1: derivatives with respect to the parameters have no closed form.
    "hyp0f1": (None, lambda result, v, z: sp().hyp0f1(v + 1, z) / v),
    "hyp1f1": (None, None, lambda result, a, b, z: sp().hyp1f1(a + 1, b + 1, z) * (a / b)),
    "hyperu": (None, None, lambda result, a, b, z: sp().hyperu(a + 1, b + 1, z) * -a),
    "hyp2f1": (
        None, None, None, lambda result, a, b, c, z: sp().hyp2f1(a + 1, b + 1, c + 1, z) * (a * b / c)
    ),
    # Its series, term by term: DLMF 10.46.1.
    "wright_bessel": (None, None, lambda result, a, b, x: sp().wright_bessel(a, a + b, x)),
    # W = log(z/W): 4.13.4, and log z = ω + log ω.
    "_lambertw": (lambda result, z, k, tol: np.exp(-result) / (1 + result), None, None),
    "wrightomega": (lambda result, z: result / (1 + result),),
}  # fmt: skip
