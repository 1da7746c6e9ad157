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
    # For y = 0, torch.pow's derivative with respect to x is zero, which loses its own derivative 1/x with
    # respect to y.
    split = (y == 0) & (x != 0 if x.is_complex() else x > 0)
    if not bool(split.any()):
        return torch.pow(x, y)
    by_logarithm = torch.exp(y * torch.log(torch.where(split, x, 1.0)))
    return torch.where(split, by_logarithm, torch.pow(x, torch.where(split, 1.0, y)))


#: Ufuncs that torch has under the same name.
_TORCH = (
    "add arccos arccosh arcsin arcsinh arctan arctan2 arctanh ceil copysign cos cosh deg2rad divide exp exp2 "
    "expm1 floor fmax fmin fmod hypot log log10 log1p log2 logaddexp logaddexp2 maximum minimum multiply "
    "negative rad2deg reciprocal remainder sin sinh sqrt square subtract tan tanh trunc"
)

#: Those of scipy.special, which are ufuncs too, that torch.special has under the same name.
_SPECIAL = (
    "digamma entr erf erfc erfcx erfinv expit gammaln i0 i0e i1 i1e log_ndtr logit ndtr ndtri psi xlog1py "
    "xlogy"
)

UFUNCS: dict[str, Callable[..., Any]] = {
    **{name: getattr(torch, name) for name in _TORCH.split()},
    **{name: getattr(torch.special, name) for name in _SPECIAL.split()},
    "absolute": torch.abs,
    "cbrt": _cbrt,
    "conjugate": lambda x: torch.conj(x).resolve_conj(),
    "degrees": torch.rad2deg,
    "equal": torch.eq,
    "fabs": torch.abs,
    "float_power": _power,
    "floor_divide": lambda x, y: torch.floor(x / y),
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "heaviside": _heaviside,
    # torch.ldexp computes 2 to a negative whole number as 0 in its backward.
    "ldexp": lambda x, exponent: x * torch.exp2(exponent.to(torch.float64)),
    "less": torch.lt,
    "less_equal": torch.le,
    "matvec": lambda x, y: (x @ y[..., None])[..., 0],
    "modf": lambda x: (torch.frac(x), torch.trunc(x)),
    "not_equal": torch.ne,
    "power": _power,
    "radians": torch.deg2rad,
    "rint": torch.round,
    "sign": lambda x: torch.sgn(x) if x.is_complex() else torch.sign(x),
    "vecdot": lambda x, y: (torch.conj(x) * y).sum(-1),
    "vecmat": lambda x, y: (torch.conj(x)[..., None, :] @ y)[..., 0, :],
    "log_expit": torch.nn.functional.logsigmoid,
}
