"""Special functions: SciPy's, whose derivatives the engine has."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from pytest_gradcheck.frameworks.jax.lowering.tools import Rules, data
from reference_engine import polygamma


def _polygamma(p: Any, order: Any, x: Any) -> Any:
    orders = np.asarray(data(order))
    first = orders.reshape(-1)[0]
    if (orders != first).any() or first != int(first):
        result: Any = np.zeros(np.broadcast_shapes(orders.shape, x.shape))
        for n in np.unique(orders):
            result = np.where(orders == n, polygamma(int(n), x), result)
        return result
    return polygamma(int(first), x)


RULES: Rules = {
    "erf": lambda p, x: scipy.special.erf(x),
    "erfc": lambda p, x: scipy.special.erfc(x),
    "erf_inv": lambda p, x: scipy.special.erfinv(x),
    "lgamma": lambda p, x: scipy.special.gammaln(x),
    "digamma": lambda p, x: scipy.special.digamma(x),
    "polygamma": _polygamma,
    "zeta": lambda p, x, q: scipy.special.zeta(x, q),
    "igamma": lambda p, a, x: scipy.special.gammainc(a, x),
    "igammac": lambda p, a, x: scipy.special.gammaincc(a, x),
    "regularized_incomplete_beta": lambda p, a, b, x: scipy.special.betainc(a, b, x),
    "bessel_i0e": lambda p, x: scipy.special.i0e(x),
    "bessel_i1e": lambda p, x: scipy.special.i1e(x),
}
