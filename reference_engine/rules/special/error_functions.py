"""Error functions, the normal distribution, Fresnel integrals: DLMF 7."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.definitions import define, is_complex
from reference_engine.primitives import Primitive
from reference_engine.rules.special.common import SQRT_2PI, TWO_OVER_SQRT_PI, Row, sp

_LARGE = 7.0
"""Where w's asymptotic series (DLMF 7.12.1) is exact to the last digit, and stays so when differentiated."""


def _faddeeva(z: Any, n: int) -> Any:
    """The n-th derivative of w(z) = exp(-z²) erfc(-iz).

    w' = -2zw + 2i/√π (DLMF 7.10.2) differentiated n times is a recurrence, which near the real axis loses
    about 2n digits for each digit of z. For large z the asymptotic series is differentiated term by term, in
    the lower half plane after w(z) = 2 exp(-z²) - w(-z) (DLMF 7.4.3).
    """
    z = np.asarray(z)
    z = z.astype(np.result_type(z, np.complex64))
    w = sp().wofz(z)
    if n == 0:
        return w
    before, last = w, -2 * z * w + 1j * TWO_OVER_SQRT_PI
    for k in range(2, n + 1):
        before, last = last, -2 * z * last - 2 * (k - 1) * before
    large = np.abs(z) > _LARGE + n / 2
    if not large.any():
        return last
    far = z[large]
    lower = far.imag < 0
    up = np.where(lower, -far, far)
    inverse = 1 / up
    term = 1j / math.sqrt(math.pi) * (-1) ** n * math.factorial(n) * inverse ** (n + 1)
    total = np.zeros_like(term)
    for m in range(30):
        total = total + term
        step = (m + 0.5) * inverse * inverse * (2 * m + n + 2) * (2 * m + n + 1) / ((2 * m + 2) * (2 * m + 1))
        # The series diverges eventually: stop before terms grow.
        term = np.where(np.abs(step) < 1, term * step, 0)
    if lower.any():
        down = far[lower]
        old, wave = np.zeros_like(down), 2 * np.exp(-down * down)
        for k in range(n):
            old, wave = wave, -2 * down * wave - 2 * k * old
        total[lower] = wave - (-1) ** n * total[lower]
    last = np.array(last)
    last[large] = total
    return last


faddeeva: Primitive = define(
    "faddeeva",
    lambda z, *, n: _faddeeva(z, n),
    [lambda c, result, z, *, n: c * np.conjugate(faddeeva(z, n=n + 1))],
)


def _erfcx_slope(result: Any, x: Any) -> Any:
    """erfcx(x) = w(ix)."""
    slope = 1j * faddeeva(1j * x, n=1)
    return slope if is_complex(x) else np.real(slope)


def _dawsn_slope(result: Any, x: Any) -> Any:
    """F(x) = √π/2 Im w(x) for real x (DLMF 7.5.1); i√π/2 (exp(-z²) - w(z)) for complex."""
    if not is_complex(x):
        return np.imag(faddeeva(x, n=1)) / TWO_OVER_SQRT_PI
    return 1 - 2 * x * result


def _hazard(x: Any) -> Any:
    """The derivative of log Φ(x): φ(x)/Φ(x) = √(2/π) / erfcx(-x/√2), which no tail can cancel."""
    return math.sqrt(2 / math.pi) / sp().erfcx(x * -math.sqrt(0.5))


def _voigt_profile(argument: int) -> Any:
    """V = Re w(z) / (σ√2π) with z = (x + iγ) / (σ√2) (DLMF 7.19.3)."""

    def partial(result: Any, x: Any, sigma: Any, gamma: Any) -> Any:
        z = (x + 1j * gamma) / (sigma * math.sqrt(2))
        slope = faddeeva(z, n=1) / (sigma * sigma * 2 * math.sqrt(math.pi))
        if argument == 0:
            return np.real(slope)
        if argument == 2:
            return -np.imag(slope)
        return -result / sigma - np.real(slope * z) * math.sqrt(2)

    return partial


TABLE: dict[str, Row] = {
    # 7.2, 7.10
    "erf": (lambda result, x: TWO_OVER_SQRT_PI * np.exp(-x * x),),
    "erfc": (lambda result, x: -TWO_OVER_SQRT_PI * np.exp(-x * x),),
    "erfcx": (_erfcx_slope,),
    "erfi": (lambda result, x: TWO_OVER_SQRT_PI * np.exp(x * x),),
    "dawsn": (_dawsn_slope,),
    "wofz": (lambda result, z: faddeeva(z, n=1),),
    "erfinv": (lambda result, x: np.exp(result * result) / TWO_OVER_SQRT_PI,),
    "erfcinv": (lambda result, x: -np.exp(result * result) / TWO_OVER_SQRT_PI,),
    "voigt_profile": (_voigt_profile(0), _voigt_profile(1), _voigt_profile(2)),
    # The normal distribution.
    "ndtr": (lambda result, x: np.exp(-0.5 * x * x) / SQRT_2PI,),
    "log_ndtr": (lambda result, x: _hazard(x),),
    "ndtri": (lambda result, p: np.exp(0.5 * result * result) * SQRT_2PI,),
    "ndtri_exp": (lambda result, y: 1 / _hazard(result),),
    # D. B. Owen, "Tables for computing bivariate normal probabilities" (1956).
    "owens_t": (
        lambda result, h, a: np.exp(-0.5 * h * h) * sp().erf(a * h * math.sqrt(0.5)) / (-2 * SQRT_2PI),
        lambda result, h, a: np.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
    ),
    # 7.2.7, 7.2.8
    "fresnel": (
        lambda result, z: (np.sin(math.pi / 2 * z * z), np.cos(math.pi / 2 * z * z)),
    ),
}  # fmt: skip
