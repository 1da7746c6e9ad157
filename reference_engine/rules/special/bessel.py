"""Bessel and related functions, differentiated with respect to their argument: DLMF 9, 10, 11, 12.

With respect to the order there is no closed form.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.definitions import define
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.special.common import Row, real_only, sp

# ---------------------------------------------------------------------------- scaled modified functions


def _scaled(v: Any, x: Any, kind: str, n: int) -> Any:
    """The n-th derivative of exp(-|x|) I_v(x) or exp(x) K_v(x) for real x.

    The derivatives of I and K (DLMF 10.29.1) and of the factor make a central difference in the order, the
    n-th derivative is ±2⁻ⁿ δ²ⁿ. It cancels for large x, where the asymptotic series (10.40.1, 10.40.2) is
    differentiated term by term instead. At 0 the derivatives of |x| are taken to be 0, as torch does.
    """
    v, x = np.asarray(v, float), np.asarray(x)
    dtype = np.result_type(x, np.float32)
    v, x = np.broadcast_arrays(v, x.astype(float))
    function, sign = (sp().ive, 1) if kind == "i" else (sp().kve, -1)
    size = np.abs(x) if kind == "i" else x
    total = np.zeros(x.shape)
    # K has its pole at 0, where inf - inf is what a difference makes of it.
    with np.errstate(invalid="ignore"):
        for j in range(2 * n + 1):
            total += (-1) ** j * math.comb(2 * n, j) * function(v + (n - j), size)
    total *= (sign / 2) ** n
    large = size > np.maximum(40.0, 2 * v * v)
    if large.any():
        far, mu = size[large], 4 * v[large] ** 2
        # a_k(v) x^(-k-1/2), its n-th derivative by falling factorials: a_k = a_(k-1) (4v² - (2k-1)²)/(8k).
        factor = math.prod(-(0.5 + i) for i in range(n))
        term = far ** (-0.5 - n) * factor
        series = np.zeros_like(term)
        for k in range(1, 40):
            series += term
            step = -sign * (mu - (2 * k - 1) ** 2) / (8 * k * far) * (k - 0.5 + n) / (k - 0.5)
            term = np.where(np.abs(step) < 1, term * step, 0.0)
        total[large] = series * (1 / math.sqrt(2 * math.pi) if kind == "i" else math.sqrt(math.pi / 2))
    if kind == "i":
        if (x == 0).any():
            # DLMF 10.29.5
            at_zero = sum(math.comb(n, k) * function(v - n + 2 * k, 0.0) for k in range(n + 1)) / 2**n
            total = np.where(x == 0, at_zero, total)
        total = np.where((x < 0) & ((v + n) % 2 == 1), -total, total)
        total = np.where((x < 0) & (v % 1 != 0), np.nan, total)
    return total.astype(dtype)


scaled: Primitive = define(
    "scaled_bessel",
    lambda v, x, *, kind, n: _scaled(v, x, kind, n),
    [None, lambda c, result, v, x, *, kind, n: c * scaled(v, x, kind=kind, n=n + 1)],
)


def _ive_slope(result: Any, v: Any, x: Any) -> Any:
    real_only("ive", x)
    return scaled(v, x, kind="i", n=1)


def _kve_slope(result: Any, v: Any, z: Any) -> Any:
    if value_of(z).dtype.kind != "c":
        return scaled(v, z, kind="k", n=1)
    return result - (sp().kve(v - 1, z) + sp().kve(v + 1, z)) / 2


# ---------------------------------------------------------------------------- the others


def _central(name: str, sign: int, before: float = 1.0) -> Any:
    """±(C_(v-1) + sign C_(v+1))/2 (DLMF 10.6.1, 10.29.1)."""

    def partial(result: Any, v: Any, z: Any) -> Any:
        if name in ("jve", "yve"):
            real_only(name, z)
        function = getattr(sp(), name)
        return (function(v - 1, z) + sign * function(v + 1, z)) * (before / 2)

    return partial


def _turned(name: str, turn: complex) -> Any:
    """Hankel functions times exp(∓iz)."""
    unscaled = _central(name, -1)
    return lambda result, v, z: unscaled(result, v, z) + turn * result


def _spherical(name: str, below: int, above: int) -> Any:
    """((n) f_(n-1) ± (n+1) f_(n+1)) / (2n+1) (DLMF 10.51.2, 10.51.5), which has no quotient by z."""

    def partial(result: Any, n: Any, z: Any) -> Any:
        n = np.asarray(value_of(n))
        function = getattr(sp()._ufuncs, name)
        lower = function(np.maximum(n - 1, 0), z)
        return (below * n * lower + above * (n + 1) * function(n + 1, z)) / (2 * n + 1)

    return partial


def _struve_power(v: Any, x: Any) -> Any:
    """(x/2)^v / (√π Γ(v + 3/2))."""
    return (x / 2) ** v * (sp().rgamma(v + 1.5) / math.sqrt(math.pi))


def _i1_slope(result: Any, x: Any) -> Any:
    """I1' = (I0 + I2)/2."""
    return (sp().i0(x) + sp().iv(2.0, x)) / 2


def _over(slope: Any, x: Any, at_zero: float) -> Any:
    zero = value_of(x) == 0
    return np.where(zero, at_zero, slope / np.where(zero, 1.0, x))


def _root(x: Any) -> Any:
    """√x right of 0 and 0 left of it, where the factor of the scaled Airy functions is 1."""
    return np.sqrt(np.where(value_of(x) > 0, x, 0.0))


def _airye_slopes(result: Any, x: Any) -> Any:
    """Ai, Ai' are multiplied by exp(2/3 x√x), Bi, Bi' by exp(-2/3 x√x), left of 0 by 1."""
    real_only("airye", x)
    a, da, b, db = result
    root = _root(x)
    return da + root * a, x * a + root * da, db - root * b, x * b - root * db


TABLE: dict[str, Row] = {
    # 10.6
    "j0": (lambda result, x: -sp().j1(x),),
    "j1": (lambda result, x: (sp().j0(x) - sp().jv(2.0, x)) / 2,),
    "y0": (lambda result, x: -sp().y1(x),),
    "y1": (lambda result, x: sp().y0(x) - result / x,),
    "jv": (None, _central("jv", -1)),
    "jve": (None, _central("jve", -1)),
    "yv": (None, _central("yv", -1)),
    "yve": (None, _central("yve", -1)),
    "yn": (None, _central("yv", -1)),
    "hankel1": (None, _central("hankel1", -1)),
    "hankel2": (None, _central("hankel2", -1)),
    "hankel1e": (None, _turned("hankel1e", -1j)),
    "hankel2e": (None, _turned("hankel2e", 1j)),
    # 10.29
    "i0": (lambda result, x: sp().i1(x),),
    "i1": (_i1_slope,),
    "i0e": (lambda result, x: scaled(0, x, kind="i", n=1),),
    "i1e": (lambda result, x: scaled(1, x, kind="i", n=1),),
    "k0": (lambda result, x: -sp().k1(x),),
    "k1": (lambda result, x: -sp().k0(x) - result / x,),
    "k0e": (lambda result, x: scaled(0, x, kind="k", n=1),),
    "k1e": (lambda result, x: scaled(1, x, kind="k", n=1),),
    "iv": (None, _central("iv", 1)),
    "kv": (None, _central("kv", 1, -1.0)),
    "kn": (None, _central("kv", 1, -1.0)),
    "ive": (None, _ive_slope),
    "kve": (None, _kve_slope),
    # 10.51
    "_spherical_jn": (None, _spherical("_spherical_jn", 1, -1)),
    "_spherical_yn": (None, _spherical("_spherical_yn", 1, -1)),
    "_spherical_in": (None, _spherical("_spherical_in", 1, 1)),
    "_spherical_kn": (None, _spherical("_spherical_kn", -1, -1)),
    # 9.2.1: Ai'' = z Ai
    "airy": (lambda result, z: (result[1], z * result[0], result[3], z * result[2]),),
    "airye": (_airye_slopes,),
    "itairy": (
        lambda result, x: (sp().airy(x)[0], sp().airy(x)[2], sp().airy(-x)[0], sp().airy(-x)[2]),
    ),
    # 10.61, 10.71: Kelvin's equation gives the second derivatives.
    "ber": (lambda result, x: sp().berp(x),),
    "bei": (lambda result, x: sp().beip(x),),
    "ker": (lambda result, x: sp().kerp(x),),
    "kei": (lambda result, x: sp().keip(x),),
    "berp": (lambda result, x: -sp().bei(x) - _over(result, x, 0.0),),
    "beip": (lambda result, x: sp().ber(x) - _over(result, x, 0.5),),
    "kerp": (lambda result, x: -sp().kei(x) - result / x,),
    "keip": (lambda result, x: sp().ker(x) - result / x,),
    # 11.4.27, 11.4.29, and integrals from 0
    "struve": (
        None,
        lambda result, v, x: (sp().struve(v - 1, x) - sp().struve(v + 1, x) + _struve_power(v, x)) / 2,
    ),
    "modstruve": (
        None,
        lambda result, v, x: (sp().modstruve(v - 1, x) + sp().modstruve(v + 1, x) + _struve_power(v, x)) / 2,
    ),
    "itstruve0": (lambda result, x: sp().struve(0.0, x),),
    "itmodstruve0": (lambda result, x: sp().modstruve(0.0, x),),
    "it2struve0": (lambda result, x: -sp().struve(0.0, x) / x,),
    "iti0k0": (lambda result, x: (sp().i0(x), sp().k0(x)),),
    "itj0y0": (lambda result, x: (sp().j0(x), sp().y0(x)),),
    # Parabolic cylinder functions: 12.2.2, 12.2.4, each with its derivative.
    "pbdv": (None, lambda result, v, x: (result[1], (x * x / 4 - v - 0.5) * result[0])),
    "pbvv": (None, lambda result, v, x: (result[1], (x * x / 4 - v - 0.5) * result[0])),
    "pbwa": (None, lambda result, a, x: (result[1], (a - x * x / 4) * result[0])),
}  # fmt: skip
