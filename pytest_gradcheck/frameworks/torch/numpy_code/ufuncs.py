"""NumPy's ufuncs as functions of tensors, by name; those of scipy.special too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def _heaviside(x: torch.Tensor, at_zero: torch.Tensor) -> torch.Tensor:
    return torch.where(x == 0, at_zero, (x > 0).to(x.dtype)) + 0 * x


def _cbrt(x: torch.Tensor) -> torch.Tensor:
    return torch.sign(x) * torch.abs(x) ** (1 / 3)


def _power(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    # torch.pow takes the derivative by x for zero wherever y is, and so loses 1/x, its derivative by y.
    split = (y == 0) & (x != 0 if x.is_complex() else x > 0)
    if not bool(split.any()):
        return torch.pow(x, y)
    by_logarithm = torch.exp(y * torch.log(torch.where(split, x, 1.0)))
    return torch.where(split, by_logarithm, torch.pow(x, torch.where(split, 1.0, y)))


UFUNCS: dict[str, Callable[..., Any]] = {
    "absolute": torch.abs,
    "add": torch.add,
    "arccos": torch.arccos,
    "arccosh": torch.arccosh,
    "arcsin": torch.arcsin,
    "arcsinh": torch.arcsinh,
    "arctan": torch.arctan,
    "arctan2": torch.arctan2,
    "arctanh": torch.arctanh,
    "cbrt": _cbrt,
    "ceil": torch.ceil,
    "conjugate": lambda x: torch.conj(x).resolve_conj(),
    "copysign": torch.copysign,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "deg2rad": torch.deg2rad,
    "degrees": torch.rad2deg,
    "divide": torch.divide,
    "equal": torch.eq,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "fabs": torch.abs,
    "float_power": _power,
    "floor": torch.floor,
    "floor_divide": lambda x, y: torch.floor(x / y),
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "fmod": torch.fmod,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "heaviside": _heaviside,
    "hypot": torch.hypot,
    # torch.ldexp computes 2 to a negative whole number as 0 in its backward.
    "ldexp": lambda x, exponent: x * torch.exp2(exponent.to(torch.float64)),
    "less": torch.lt,
    "less_equal": torch.le,
    "log": torch.log,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2,
    "matvec": lambda x, y: (x @ y[..., None])[..., 0],
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "modf": lambda x: (torch.frac(x), torch.trunc(x)),
    "multiply": torch.multiply,
    "negative": torch.negative,
    "not_equal": torch.ne,
    "power": _power,
    "radians": torch.deg2rad,
    "rad2deg": torch.rad2deg,
    "reciprocal": torch.reciprocal,
    "remainder": torch.remainder,
    "rint": torch.round,
    "sign": lambda x: torch.sgn(x) if x.is_complex() else torch.sign(x),
    "sin": torch.sin,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "subtract": torch.subtract,
    "tan": torch.tan,
    "tanh": torch.tanh,
    "trunc": torch.trunc,
    "vecdot": lambda x, y: (torch.conj(x) * y).sum(-1),
    "vecmat": lambda x, y: (torch.conj(x)[..., None, :] @ y)[..., 0, :],
    # Those of scipy.special, which are ufuncs too.
    "digamma": torch.special.digamma,
    "entr": torch.special.entr,
    "erf": torch.special.erf,
    "erfc": torch.special.erfc,
    "erfcx": torch.special.erfcx,
    "erfinv": torch.special.erfinv,
    "expit": torch.special.expit,
    "gammaln": torch.special.gammaln,
    "i0": torch.special.i0,
    "i0e": torch.special.i0e,
    "i1": torch.special.i1,
    "i1e": torch.special.i1e,
    "log_expit": torch.nn.functional.logsigmoid,
    "log_ndtr": torch.special.log_ndtr,
    "logit": torch.special.logit,
    "ndtr": torch.special.ndtr,
    "ndtri": torch.special.ndtri,
    "psi": torch.special.psi,
    "xlog1py": torch.special.xlog1py,
    "xlogy": torch.special.xlogy,
}
