"""Logistic functions, entropies, losses, powers and angles in degrees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.definitions import is_complex
from reference_engine.primitives import value_of
from reference_engine.rules.special.common import Row, sp
from reference_engine.rules.special.hypergeometric import exprel_slope, log1p_ratio_slope

_DEGREE = math.pi / 180
_LN10 = math.log(10.0)


def _log_of(x: Any, factor: Any, log: Any = np.log, least: float = 0.0) -> Any:
    """log x, and 0 where the factor in front of it is 0 and there is no logarithm: torch's convention."""
    values = value_of(x)
    none = (values == least) if is_complex(values) else (values <= least)
    zero = (value_of(factor) == 0) & none
    return np.where(zero, 0.0, log(np.where(zero, 1.0, x)))


def _over(x: Any, y: Any) -> Any:
    """x / y, and 0 where x is the constant 0 in front of a logarithm."""
    zero = (value_of(x) == 0) & (value_of(y) == 0)
    return np.where(zero, 0.0, x / np.where(zero, 1.0, y))


def _within(delta: Any, r: Any) -> Any:
    return np.abs(value_of(r)) <= value_of(delta)


def _root(delta: Any, r: Any) -> tuple[Any, Any]:
    """u = r/δ and √(1 + u²), with u = 0 where δ is 0 and the loss with it."""
    zero = value_of(delta) == 0
    u = np.where(zero, 0.0, r / np.where(zero, 1.0, delta))
    return u, np.sqrt(1 + u * u)


def _pseudo_huber_delta(result: Any, delta: Any, r: Any) -> Any:
    """δ (S-1)²/S with S = √(1 + u²), and S - 1 = u²/(S+1), which does not cancel."""
    u, root = _root(delta, r)
    excess = u * u / (root + 1)
    return delta * excess * excess / root


def _tukey_slope(result: Any, x: Any, shape: Any) -> Any:
    """The density of Tukey's lambda distribution, whose quantile is (p^λ - (1-p)^λ)/λ; 0 off its support."""
    outside = (value_of(result) <= 0) | (value_of(result) >= 1)
    p = np.where(outside, 0.5, result)
    return np.where(outside, 0.0, 1 / (p ** (shape - 1) + (1 - p) ** (shape - 1)))


TABLE: dict[str, Row] = {
    # Logistic functions.
    "expit": (lambda result, x: result * sp().expit(-x),),
    "log_expit": (lambda result, x: sp().expit(-x),),
    "logit": (lambda result, p: 1 / (p * (1 - p)),),
    "tklmbda": (_tukey_slope, None),
    # Entropies, with 0 log 0 = 0.
    "xlogy": (lambda result, x, y: _log_of(y, x), lambda result, x, y: _over(x, y)),
    "xlog1py": (lambda result, x, y: _log_of(y, x, np.log1p, -1.0), lambda result, x, y: _over(x, 1 + y)),
    "entr": (lambda result, x: -np.log(x) - 1,),
    "rel_entr": (lambda result, x, y: np.log(x / y) + 1, lambda result, x, y: -x / y),
    "kl_div": (lambda result, x, y: np.log(x / y), lambda result, x, y: 1 - x / y),
    # Losses.
    "huber": (
        lambda result, delta, r: np.where(_within(delta, r), 0.0, np.abs(r) - delta),
        lambda result, delta, r: np.where(_within(delta, r), r, delta * np.sign(value_of(r))),
    ),
    "pseudo_huber": (_pseudo_huber_delta, lambda result, delta, r: r / _root(delta, r)[1]),
    # Powers. (x^λ - 1)/λ = log(x) exprel(λ log x), which knows no special case λ = 0.
    "exp10": (lambda result, x: result * _LN10,),
    "powm1": (
        lambda result, x, y: y * x ** (y - 1),
        lambda result, x, y: (result + 1) * _log_of(x, np.where(value_of(x) == 0, 0.0, 1.0)),
    ),
    "boxcox": (
        lambda result, x, shape: x ** (shape - 1),
        lambda result, x, shape: np.log(x) ** 2 * exprel_slope(shape * np.log(x)),
    ),
    "boxcox1p": (
        lambda result, x, shape: np.exp((shape - 1) * np.log1p(x)),
        lambda result, x, shape: np.log1p(x) ** 2 * exprel_slope(shape * np.log1p(x)),
    ),
    "inv_boxcox": (
        lambda result, y, shape: result / (1 + shape * y),
        lambda result, y, shape: result * y * y * log1p_ratio_slope(shape * y),
    ),
    "inv_boxcox1p": (
        lambda result, y, shape: (result + 1) / (1 + shape * y),
        lambda result, y, shape: (result + 1) * y * y * log1p_ratio_slope(shape * y),
    ),
    # Angles in degrees.
    "cosm1": (lambda result, x: -np.sin(x),),
    "sindg": (lambda result, x: _DEGREE * sp().cosdg(x),),
    "cosdg": (lambda result, x: -_DEGREE * sp().sindg(x),),
    "tandg": (lambda result, x: _DEGREE * (1 + result * result),),
    "cotdg": (lambda result, x: -_DEGREE * (1 + result * result),),
    "radian": (
        lambda result, d, m, s: _DEGREE,
        lambda result, d, m, s: _DEGREE / 60,
        lambda result, d, m, s: _DEGREE / 3600,
    ),
}
