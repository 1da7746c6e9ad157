"""Elliptic integrals and functions, of the parameter m = k²: DLMF 19, 22.

Every derivative is one of Carlson's integrals with other exponents, of all positive terms. The textbook's
differences of E and K lose all digits near m = 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.definitions import define
from reference_engine.primitives import Primitive, value_of
from reference_engine.rules.special.common import Row, real_only

_STEP = 0.5


def _carlson(args: tuple[Any, ...], powers: tuple[float, ...], rise: int) -> Any:
    """The integral over t > 0 of t^rise Π (t + x_i)^(-p_i) for x_i >= 0, nan for negative ones.

    With t = exp(u) the integrand is analytic in |Im u| < π, so the trapezoidal rule with step h errs by
    exp(-2π²/h) (L. N. Trefethen and J. A. C. Weideman, 2014, theorem 5.1): 7e-18 for h = 1/2.
    """
    arrays = np.broadcast_arrays(*(np.asarray(x, float) for x in args))
    stack = np.stack([a.reshape(-1) for a in arrays])
    bad = (stack < 0).any(0) | ~np.isfinite(stack).all(0)
    stack = np.where(bad, 1.0, stack)
    positive = np.where(stack > 0, stack, np.inf)
    scale_low, scale_high = np.log(positive.min(0)), np.log(np.maximum(stack.max(0), 1e-300))
    # t^(rise + 1 - Σ p of the zeros) falls towards 0, t^(rise + 1 - Σ p) towards infinity.
    weights = np.array(powers)[:, None]
    low = rise + 1 - np.sum(np.where(stack == 0, weights, 0.0), axis=0)
    high = sum(powers) - rise - 1
    diverges = low <= 0
    start = scale_low - 40 / np.where(diverges, 1.0, low)
    span = float(np.max(scale_high + 40 / high - start, initial=1.0))
    if not np.isfinite(span):
        return np.full(arrays[0].shape, np.nan)
    u = start[:, None] + _STEP * np.arange(int(span / _STEP) + 2)
    log_t = u * (rise + 1)
    for x, power in zip(stack, powers, strict=True):
        # log(t + x), without overflow of t itself
        log_t = log_t - power * np.logaddexp(u, np.log(np.maximum(x, 1e-320))[:, None])
    total = _STEP * np.sum(np.exp(log_t), axis=1)
    return np.where(bad, np.nan, np.where(diverges, np.inf, total)).reshape(arrays[0].shape)


def _carlson_rule(argnum: int, c: Any, result: Any, *args: Any, powers: tuple[float, ...], rise: int) -> Any:
    raised = tuple(p + (i == argnum) for i, p in enumerate(powers))
    return c * carlson(*args, powers=raised, rise=rise) * -powers[argnum]


carlson: Primitive = define(
    "carlson",
    lambda *args, powers, rise: _carlson(args, powers, rise).astype(
        np.result_type(*(np.asarray(x).dtype for x in args), np.float32)
    ),
    variadic=_carlson_rule,
)


def _symmetric(name: str, factor: float, powers: tuple[float, ...], rise: int = 0) -> Any:
    """The derivative of Carlson's function of that name, itself an integral of this kind."""

    def partial(result: Any, *args: Any) -> Any:
        real_only(name, *args)
        return factor * carlson(*args, powers=powers, rise=rise)

    return partial


def _row(name: str, factor: float, powers: tuple[float, ...]) -> Row:
    """R = factor ∫ Π (t + x_i)^(-p_i), differentiated under the integral."""
    return [
        _symmetric(name, -factor * p, tuple(q + (i == j) for j, q in enumerate(powers)))
        for i, p in enumerate(powers)
    ]


# ---------------------------------------------------------------------------- Legendre's integrals


def _zeros(m: Any) -> Any:
    return np.zeros_like(value_of(m))


def _k_slope(m1: Any) -> Any:
    """dK/dm at m = 1 - m1: K = R_F(0, 1 - m, 1) (DLMF 19.25.1)."""
    return 0.25 * carlson(_zeros(m1), m1, np.ones_like(value_of(m1)), powers=(0.5, 1.5, 0.5), rise=0)


def _e_slope(m1: Any) -> Any:
    """dE/dm = (E - K)/(2m) = -R_D(0, 1 - m, 1)/6 (DLMF 19.25.1)."""
    return -0.25 * carlson(_zeros(m1), m1, np.ones_like(value_of(m1)), powers=(0.5, 0.5, 1.5), rise=0)


def _reduced(phi: Any) -> tuple[Any, Any]:
    """How many half turns the nearest multiple of π is, and the sine and cosine squared of the rest."""
    turns = np.round(value_of(phi) / math.pi)
    rest = phi - turns * math.pi
    return turns, rest


def _f_slope(phi: Any, m: Any) -> Any:
    """dF/dm: F = sin φ R_F(cos² φ, 1 - m sin² φ, 1) (DLMF 19.25.5), plus two K for each half turn."""
    turns, rest = _reduced(phi)
    s, c = np.sin(rest), np.cos(rest)
    near = (
        0.25 * s**3 * carlson(c * c, 1 - m * s * s, np.ones_like(value_of(s)), powers=(0.5, 1.5, 0.5), rise=0)
    )
    if not turns.any():
        return near
    # At m = 1, where K diverges, what no half turn needs must not come in.
    m1 = np.where(turns == 0, 1.0, 1 - m)
    return near + 2 * turns * _k_slope(m1)


def _incomplete_e_slope(result: Any, phi: Any, m: Any) -> Any:
    """dE/dm = (E - F)/(2m) (DLMF 19.4.6), by 19.25.10."""
    turns, rest = _reduced(phi)
    s, c = np.sin(rest), np.cos(rest)
    near = (
        -0.25
        * s**3
        * carlson(c * c, 1 - m * s * s, np.ones_like(value_of(s)), powers=(0.5, 0.5, 1.5), rise=0)
    )
    if not turns.any():
        return near
    return near + 2 * turns * _e_slope(np.where(turns == 0, 1.0, 1 - m))


def _ellipj_by_u(result: Any, u: Any, m: Any) -> Any:
    """22.13.1"""
    sn, cn, dn, _ = result
    return cn * dn, -sn * dn, -m * sn * cn, dn


def _ellipj_by_m(result: Any, u: Any, m: Any) -> Any:
    """u = F(φ, m) holds still, so dφ/dm = -dn dF/dm."""
    sn, cn, dn, phi = result
    turn = -dn * _f_slope(phi, m)
    return cn * turn, -sn * turn, -(sn * sn + 2 * m * sn * cn * turn) / (2 * dn), turn


def _agm_slope(argument: int) -> Any:
    """1/agm(a, b) = 2/π R_F(0, a², b²) (DLMF 19.22.1)."""

    def partial(result: Any, a: Any, b: Any) -> Any:
        own = a if argument == 0 else b
        powers = (0.5, 1.5, 0.5) if argument == 0 else (0.5, 0.5, 1.5)
        return result * result * own * carlson(_zeros(own), a * a, b * b, powers=powers, rise=0) / math.pi

    return partial


TABLE: dict[str, Row] = {
    "ellipk": (lambda result, m: _k_slope(1 - m),),
    "ellipkm1": (lambda result, p: -_k_slope(p),),
    "ellipe": (lambda result, m: _e_slope(1 - m),),
    # 19.2.4, 19.2.5
    "ellipkinc": (
        lambda result, phi, m: 1 / np.sqrt(1 - m * np.sin(phi) ** 2), lambda result, phi, m: _f_slope(phi, m)
    ),
    "ellipeinc": (lambda result, phi, m: np.sqrt(1 - m * np.sin(phi) ** 2), _incomplete_e_slope),
    "ellipj": (_ellipj_by_u, _ellipj_by_m),
    "agm": (_agm_slope(0), _agm_slope(1)),
    # 19.16, 19.23
    "elliprf": _row("elliprf", 0.5, (0.5, 0.5, 0.5)),
    "elliprd": _row("elliprd", 1.5, (0.5, 0.5, 1.5)),
    "elliprj": _row("elliprj", 1.5, (0.5, 0.5, 0.5, 1.0)),
    "elliprc": _row("elliprc", 0.5, (0.5, 1.0)),
    "elliprg": [
        _symmetric("elliprg", 0.125, tuple(0.5 + (i == j) for j in range(3)), rise=1) for i in range(3)
    ],
}  # fmt: skip
