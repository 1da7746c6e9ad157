"""Special functions, which NumPy lacks: primitives of the engine's, with values from torch.

torch's kernels compute the value only. The derivatives are here, from the functions' definitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules, is_complex
from pytest_gradcheck.frameworks.torch.lowering.tape import Array
from reference_engine.primitives import Primitive


def _by_torch(function: Callable[..., torch.Tensor]) -> Callable[..., Array]:
    def forward(*args: Any) -> Array:
        # torch warns about read-only arrays, and the engine's are: hence the copies.
        tensors = [torch.from_numpy(np.array(a, copy=True)) for a in args]
        return np.asarray(function(*tensors).numpy())

    return forward


def _unary(
    name: str, function: Callable[..., torch.Tensor], derivative: Callable[[Any, Any], Any]
) -> Primitive:
    """A primitive from torch's kernel and ``derivative(x, y)`` with y the value at x."""
    return Primitive(name, _by_torch(function), (lambda g, y, x: g * derivative(x, y),))


_SQRT_PI = math.sqrt(math.pi)
_SQRT_2PI = math.sqrt(2 * math.pi)

# ---------------------------------------------------------------------- error function and normal
# distribution

erf: Primitive = _unary("erf", torch.special.erf, lambda x, y: 2 / _SQRT_PI * np.exp(-x * x))
erfc: Primitive = _unary("erfc", torch.special.erfc, lambda x, y: -2 / _SQRT_PI * np.exp(-x * x))
erfcx: Primitive = _unary("erfcx", torch.special.erfcx, lambda x, y: 2 * x * y - 2 / _SQRT_PI)
erfinv: Primitive = _unary("erfinv", torch.special.erfinv, lambda x, y: _SQRT_PI / 2 * np.exp(y * y))
ndtr: Primitive = _unary("ndtr", torch.special.ndtr, lambda x, y: np.exp(-x * x / 2) / _SQRT_2PI)
ndtri: Primitive = _unary("ndtri", torch.special.ndtri, lambda x, y: _SQRT_2PI * np.exp(y * y / 2))
log_ndtr: Primitive = _unary(
    "log_ndtr", torch.special.log_ndtr, lambda x, y: math.sqrt(2 / math.pi) / erfcx(-x / math.sqrt(2))
)

# ---------------------------------------------------------------------- gamma function


def _trigamma(x: torch.Tensor) -> torch.Tensor:
    """ψ' by the Hurwitz zeta function (DLMF 25.11.12, 5.15.6).

    torch's own is off by 4e-10 of itself (2.13.0: polygamma(1, 2.685) is 0.45018653900629, for
    0.45018653889115).
    """
    right = x > 0
    found = torch.special.zeta(torch.full_like(x, 2.0), torch.where(right, x, 1 - x))
    # Near a whole number the sine keeps its digits if the distance to it is taken first.
    sine = torch.sin(math.pi * (x - torch.round(x)))
    found = torch.where(right, found, (math.pi / sine) ** 2 - found)
    return torch.where(x == math.inf, 0.0, found)


def _polygamma(forward: Callable[[torch.Tensor, int], torch.Tensor]) -> Primitive:
    """The n-th derivative of the digamma function, whose first one is not torch's."""
    return Primitive(
        "polygamma",
        lambda x, *, n: _by_torch(lambda t: forward(t, n))(x),
        (lambda g, y, x, *, n: g * (polygamma(x, n=n + 1) if n else trigamma(x, n=1)),),
    )


polygamma: Primitive = _polygamma(lambda x, n: torch.special.polygamma(n, x))
trigamma: Primitive = _polygamma(lambda x, _: _trigamma(x))
digamma: Primitive = _unary("digamma", torch.special.digamma, lambda x, y: trigamma(x, n=1))
lgamma: Primitive = _unary("lgamma", torch.special.gammaln, lambda x, y: digamma(x))


# ---------------------------------------------------------------------- Bessel functions

i0: Primitive = _unary("i0", torch.special.i0, lambda x, y: i1(x))
i1: Primitive = _unary("i1", torch.special.i1, lambda x, y: i0(x) - _over(y, x, 0.5))
i0e: Primitive = _unary("i0e", torch.special.i0e, lambda x, y: i1e(x) - np.sign(x) * y)
i1e: Primitive = _unary("i1e", torch.special.i1e, lambda x, y: i0e(x) - np.sign(x) * y - _over(y, x, 0.5))
bessel_j0: Primitive = _unary("bessel_j0", torch.special.bessel_j0, lambda x, y: -bessel_j1(x))
bessel_j1: Primitive = _unary(
    "bessel_j1", torch.special.bessel_j1, lambda x, y: bessel_j0(x) - _over(y, x, 0.5)
)
zeta: Primitive = Primitive(
    "zeta", _by_torch(torch.special.zeta), (None, lambda g, y, x, q: g * -x * zeta(x + 1, q))
)


def _over(y: Any, x: Any, at_zero: float) -> Any:
    """y / x with its limit at x = 0."""
    zero = x == 0
    return np.where(zero, at_zero, y / np.where(zero, 1.0, x))


# ---------------------------------------------------------------------- entropy and the like


def entr(x: Any) -> Any:
    """-x log x, 0 at 0, -inf below."""
    positive = x > 0
    value = -x * np.log(np.where(positive, x, 1.0))
    return np.where(positive | np.isnan(x), value, np.where(x == 0, 0.0, -np.inf))


def _real_only(function: Callable[..., Any]) -> Callable[..., Any]:
    def rule(x: Any) -> Any:
        if is_complex(x):
            raise TypeError(f"{function!r} of complex numbers has no rule")
        return function(x if x.dtype.kind == "f" else x.astype(np.float64))

    return rule


RULES: Rules = {
    **{each.name: _real_only(each) for each in (erf, erfc, erfinv, lgamma, digamma, i0)},
    **{
        f"special_{each.name}": _real_only(each)
        for each in (erfcx, ndtri, log_ndtr, i0e, i1, i1e, bessel_j0, bessel_j1)
    },
    "polygamma": lambda n, x: _real_only(partial(polygamma, n=n))(x),
    "special_zeta": zeta,
    "special_entr": entr,
}
