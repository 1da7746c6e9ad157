"""The ufuncs of scipy.special, by name: scipy is needed by whoever calls them, never by the engine.

Functions of scipy.special that are no ufuncs (softmax, logsumexp, polygamma) do not dispatch; the engine
has its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.numpy_front import UFUNCS_BY_NAME
from reference_engine.rules.table import Partial, define, from_partial, value_of
from reference_engine.tensor import Primitive, as_tensor

__all__ = ["SPECIAL", "polygamma"]


@functools.cache
def _sp() -> Any:
    """scipy.special, which whoever passed one of its functions has imported already."""
    import scipy.special

    return scipy.special


polygamma_: Primitive = define(
    "polygamma",
    lambda x, *, n: _sp().polygamma(n, x),
    [lambda c, result, x, *, n: c * polygamma_(x, n=n + 1)],
)


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of the digamma function (DLMF 5.15). Needs scipy."""
    return polygamma_(as_tensor(x), n=n)


_2_SQRTPI = 2 / math.sqrt(math.pi)
_SQRT2PI = math.sqrt(2 * math.pi)


def _log_of(x: Any, at_zero: Any) -> Any:
    """log x, and 0 where the factor in front of it is 0."""
    zero = value_of(at_zero) == 0
    return np.where(zero, 0.0, np.log(np.where(zero, 1.0, x)))


def _i1_slope(result: Any, x: Any) -> Any:
    """I1' = I0 - I1/x (DLMF 10.29.2), 1/2 at 0."""
    zero = value_of(x) == 0
    return np.where(zero, 0.5, _sp().i0(x) - result / np.where(zero, 1.0, x))


def _i1e_slope(result: Any, x: Any) -> Any:
    """The same, scaled by exp(-|x|), whose own derivative is subtracted."""
    zero = value_of(x) == 0
    return np.where(zero, 0.5, _sp().i0e(x) - result * (np.sign(x) + 1 / np.where(zero, 1.0, x)))


def _j1_slope(result: Any, x: Any) -> Any:
    """J1' = J0 - J1/x (DLMF 10.6.2), 1/2 at 0."""
    zero = value_of(x) == 0
    return np.where(zero, 0.5, _sp().j0(x) - result / np.where(zero, 1.0, x))


SPECIAL: dict[str, tuple[Partial | None, ...]] = {
    # Error functions: DLMF 7.2, 7.10.
    "erf": (lambda result, x: _2_SQRTPI * np.exp(-x * x),),
    "erfc": (lambda result, x: -_2_SQRTPI * np.exp(-x * x),),
    "erfcx": (lambda result, x: 2 * x * result - _2_SQRTPI,),
    "erfi": (lambda result, x: _2_SQRTPI * np.exp(x * x),),
    "dawsn": (lambda result, x: 1 - 2 * x * result,),
    "erfinv": (lambda result, x: np.exp(result * result) / _2_SQRTPI,),
    "erfcinv": (lambda result, x: -np.exp(result * result) / _2_SQRTPI,),
    "ndtr": (lambda result, x: np.exp(-0.5 * x * x) / _SQRT2PI,),
    "log_ndtr": (lambda result, x: np.exp(-0.5 * x * x - result) / _SQRT2PI,),
    "ndtri": (lambda result, x: np.exp(0.5 * result * result) * _SQRT2PI,),
    # Logistic functions.
    "expit": (lambda result, x: result * _sp().expit(-x),),
    "log_expit": (lambda result, x: _sp().expit(-x),),
    "logit": (lambda result, x: 1 / (x * (1 - x)),),
    # Gamma and its kin: DLMF 5.2, 5.12, 5.15.
    "gamma": (lambda result, x: result * _sp().psi(x),),
    "gammaln": (lambda result, x: _sp().psi(x),),
    "rgamma": (lambda result, x: -result * _sp().psi(x),),
    "psi": (lambda result, x: polygamma_(x, n=1),),
    "beta": (
        lambda result, a, b: result * (_sp().psi(a) - _sp().psi(a + b)),
        lambda result, a, b: result * (_sp().psi(b) - _sp().psi(a + b)),
    ),
    "betaln": (
        lambda result, a, b: _sp().psi(a) - _sp().psi(a + b),
        lambda result, a, b: _sp().psi(b) - _sp().psi(a + b),
    ),
    # The derivative of gammainc by a has no closed form (DLMF 8.8).
    "gammainc": (None, lambda result, a, x: np.exp(-x + (a - 1) * np.log(x) - _sp().gammaln(a))),
    "gammaincc": (None, lambda result, a, x: -np.exp(-x + (a - 1) * np.log(x) - _sp().gammaln(a))),
    # Bessel functions: DLMF 10.6, 10.29.
    "i0": (lambda result, x: _sp().i1(x),),
    "i0e": (lambda result, x: _sp().i1e(x) - np.sign(x) * result,),
    "i1": (_i1_slope,),
    "i1e": (_i1e_slope,),
    "j0": (lambda result, x: -_sp().j1(x),),
    "j1": (_j1_slope,),
    "y0": (lambda result, x: -_sp().y1(x),),
    "y1": (lambda result, x: _sp().y0(x) - result / x,),
    "k0": (lambda result, x: -_sp().k1(x),),
    "k1": (lambda result, x: -_sp().k0(x) - result / x,),
    "jv": (None, lambda result, v, x: (_sp().jv(v - 1, x) - _sp().jv(v + 1, x)) / 2),
    "iv": (None, lambda result, v, x: (_sp().iv(v - 1, x) + _sp().iv(v + 1, x)) / 2),
    "yv": (None, lambda result, v, x: (_sp().yv(v - 1, x) - _sp().yv(v + 1, x)) / 2),
    "kv": (None, lambda result, v, x: -(_sp().kv(v - 1, x) + _sp().kv(v + 1, x)) / 2),
    "ive": (
        None,
        lambda result, v, x: (_sp().ive(v - 1, x) + _sp().ive(v + 1, x)) / 2 - np.sign(x) * result,
    ),
    # DLMF 8.17.
    "betainc": (
        None,
        None,
        lambda result, a, b, x: np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - _sp().betaln(a, b)),
    ),
    # Entropies, with 0 log 0 = 0.
    "xlogy": (lambda result, x, y: _log_of(y, x), lambda result, x, y: x / y),
    "xlog1py": (lambda result, x, y: _log_of(1 + y, x), lambda result, x, y: x / (1 + y)),
    "entr": (lambda result, x: -np.log(x) - 1,),
    "rel_entr": (lambda result, x, y: np.log(x / y) + 1, lambda result, x, y: -x / y),
    "kl_div": (lambda result, x, y: np.log(x / y), lambda result, x, y: 1 - x / y),
    # Exponentials and integrals: DLMF 6.2.
    "exp10": (lambda result, x: result * math.log(10.0),),
    "exp1": (lambda result, x: -np.exp(-x) / x,),
    "expi": (lambda result, x: np.exp(x) / x,),
    "cosm1": (lambda result, x: -np.sin(x),),
}
"""Derivatives of scipy.special's ufuncs by name; None for an argument without one."""


def _maker(name: str, partials: tuple[Partial | None, ...]) -> Callable[[np.ufunc], Callable[..., Any]]:
    rules = tuple(partial and from_partial(partial) for partial in partials)
    return lambda ufunc: Primitive(f"scipy.special.{name}", ufunc, rules)


for _name, _partials in SPECIAL.items():
    UFUNCS_BY_NAME[_name] = _maker(_name, _partials)
