"""Elementwise functions: ufuncs, where, clip, and similar ones.

Rows of `PARTIALS` hold derivatives d result / d argument; the engine multiplies by the cotangent, with the
conjugate for complex values. Rows of `RULES` hold whole rules, where that is faster or the function is not
holomorphic. Those of the operators of Tensor are in `reference_engine.operators`. DLMF numbers refer to the
NIST Digital Library of Mathematical Functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reference_engine import operators
from reference_engine.definitions import Partial, conj, define, from_partial, is_complex, values_of
from reference_engine.dispatch import NAMESPACE_OVERRIDES, UFUNCS, implements, present
from reference_engine.operators import astype
from reference_engine.primitives import Binary, Primitive, Rule, Unary, read_only, value_of
from reference_engine.tensor import Tensor, as_tensor

# ---------------------------------------------------------------------------- arithmetic


def _extremum(larger: bool) -> tuple[Rule, Rule]:
    """Rules of maximum and minimum: half of the cotangent to each side of a tie, as in torch."""

    def share(c: Any, x: Any, y: Any) -> Any:
        x, y = value_of(x), value_of(y)
        tie = x == y
        if tie.any():
            c = np.where(tie, 0.5 * c, c)
        return np.where(x < y if larger else x > y, 0.0, c)

    return lambda c, result, x, y: share(c, x, y), lambda c, result, x, y: share(c, y, x)


def _extremum_ignoring_nan(larger: bool) -> tuple[Rule, Rule]:
    """Rules of fmax and fmin: a tie goes to the first argument, a NaN loses, as in torch."""

    def first(x: Any, y: Any) -> Any:
        x, y = value_of(x), value_of(y)
        return (x >= y if larger else x <= y) | (y != y)

    return (
        lambda c, result, x, y: np.where(first(x, y), c, 0.0),
        lambda c, result, x, y: np.where(first(x, y), 0.0, c),
    )


RULES: dict[np.ufunc, tuple[Rule | None, ...]] = {
    np.conjugate: (lambda c, result, x: conj(c),),
    np.fabs: (lambda c, result, x: c * np.sign(x),),
    np.maximum: _extremum(larger=True),
    np.minimum: _extremum(larger=False),
    np.fmax: _extremum_ignoring_nan(larger=True),
    np.fmin: _extremum_ignoring_nan(larger=False),
}

# ---------------------------------------------------------------------------- ufuncs by their derivative

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)

PARTIALS: dict[np.ufunc, tuple[Partial | None, ...]] = {
    np.float_power: operators.power_partials,
    np.reciprocal: (lambda result, x: -result * result,),
    np.square: (lambda result, x: 2 * x,),
    np.sqrt: (lambda result, x: 0.5 / result,),
    np.cbrt: (lambda result, x: 1 / (3 * result * result),),
    np.exp: (lambda result, x: result,),
    np.exp2: (lambda result, x: result * _LN2,),
    np.expm1: (lambda result, x: result + 1,),
    np.log: (lambda result, x: 1 / x,),
    np.log2: (lambda result, x: 1 / (x * _LN2),),
    np.log10: (lambda result, x: 1 / (x * _LN10),),
    np.log1p: (lambda result, x: 1 / (1 + x),),
    np.logaddexp: (
        lambda result, x, y: np.exp(x - result),
        lambda result, x, y: np.exp(y - result),
    ),
    np.logaddexp2: (
        lambda result, x, y: np.exp2(x - result),
        lambda result, x, y: np.exp2(y - result),
    ),
    np.sin: (lambda result, x: np.cos(x),),
    np.cos: (lambda result, x: -np.sin(x),),
    np.tan: (lambda result, x: 1 + result * result,),
    np.arcsin: (lambda result, x: 1 / np.sqrt((1 - x) * (1 + x)),),
    np.arccos: (lambda result, x: -1 / np.sqrt((1 - x) * (1 + x)),),
    np.arctan: (lambda result, x: 1 / (1 + x * x),),
    np.sinh: (lambda result, x: np.cosh(x),),
    np.cosh: (lambda result, x: np.sinh(x),),
    np.tanh: (lambda result, x: 1 - result * result,),
    np.arcsinh: (lambda result, x: 1 / np.sqrt(1 + x * x),),
    # Not sqrt(x² - 1), whose branch cut differs for complex x (DLMF 4.37.19).
    np.arccosh: (lambda result, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)),),
    np.arctanh: (lambda result, x: 1 / ((1 - x) * (1 + x)),),
    np.arctan2: (
        lambda result, y, x: _over_squares(x, x, y),
        lambda result, y, x: -_over_squares(y, x, y),
    ),
    np.hypot: (lambda result, x, y: _ratio(x, result), lambda result, x, y: _ratio(y, result)),
    np.degrees: (lambda result, x: 180 / math.pi,),
    np.rad2deg: (lambda result, x: 180 / math.pi,),
    np.radians: (lambda result, x: math.pi / 180,),
    np.deg2rad: (lambda result, x: math.pi / 180,),
    np.copysign: (lambda result, x, y: np.sign(x) * np.sign(result), lambda result, x, y: 0.0),
    # x - y floor(x/y) and x - y trunc(x/y), the quotient being constant between its jumps.
    np.remainder: (lambda result, x, y: 1.0, lambda result, x, y: -np.floor(value_of(x) / value_of(y))),
    np.fmod: (lambda result, x, y: 1.0, lambda result, x, y: -np.trunc(value_of(x) / value_of(y))),
    np.ldexp: (lambda result, x, n: np.ldexp(np.ones((), value_of(result).dtype), value_of(n)), None),
    # x and the spacing of the numbers at x, which is constant between its jumps; x itself where y is equal.
    np.nextafter: (
        lambda result, x, y: (value_of(x) != value_of(y)).astype(value_of(result).dtype),
        lambda result, x, y: (value_of(x) == value_of(y)).astype(value_of(result).dtype),
    ),
    np.heaviside: (
        lambda result, x, y: 0.0,
        lambda result, x, y: (value_of(x) == 0).astype(value_of(result).dtype),
    ),
}


def _over_squares(a: Any, x: Any, y: Any) -> Any:
    """a / (x² + y²), and 0 where both are 0, as in torch."""
    squares = x * x + y * y
    zero = value_of(squares) == 0
    return np.where(zero, 0.0, a / np.where(zero, 1.0, squares))


def _ratio(x: Any, length: Any) -> Any:
    """x / length, and 0 where the length is 0 (the subgradient of smallest norm)."""
    zero = value_of(length) == 0
    return np.where(zero, 0.0, x / np.where(zero, 1.0, length))


def _define(table: Mapping[np.ufunc, Sequence[Rule | None]]) -> None:
    """Enter rows `ufunc: one rule per argument`. All of these ufuncs have one result and no parameters."""
    for ufunc, rules in table.items():
        kind = {1: Unary, 2: Binary}.get(ufunc.nin, Primitive)
        UFUNCS[ufunc] = define(ufunc.__name__, ufunc, rules, kind=kind)


_define(RULES)
_define({ufunc: [p and from_partial(p) for p in row] for ufunc, row in PARTIALS.items()})
UFUNCS.update(
    {
        np.add: operators.add,
        np.subtract: operators.subtract,
        np.multiply: operators.multiply,
        np.divide: operators.divide,
        np.power: operators.power,
        np.negative: operators.negative,
        np.positive: operators.positive,
        np.absolute: operators.absolute,
    }
)

# ---------------------------------------------------------------------------- zero derivative

ZERO_UFUNCS: tuple[np.ufunc, ...] = (
    np.floor, np.ceil, np.trunc, np.rint, np.floor_divide, np.signbit, np.spacing,
    np.isnan, np.isinf, np.isfinite,
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.bitwise_count,
    np.gcd, np.lcm,
)  # fmt: skip
"""Piecewise constant functions: their results are constants."""


def constant(forward: Any) -> Any:
    """`forward` applied to the values of Tensors, with a constant Tensor as the result."""

    def call(*args: Any, **kwargs: Any) -> Any:
        result = forward(*values_of(args), **{key: values_of(value) for key, value in kwargs.items()})
        if isinstance(result, tuple):
            parts = tuple(Tensor(part) for part in result)
            return type(result)(*parts) if hasattr(result, "_fields") else parts
        return as_tensor(result) if isinstance(result, np.ndarray | np.generic) else result

    return call


for _ufunc in ZERO_UFUNCS:
    UFUNCS[_ufunc] = constant(_ufunc)


def _sign(x: Any) -> Any:
    if not is_complex(x):
        return Tensor(np.sign(value_of(x)))
    # z / |z| turns with z: only for real numbers is the sign constant.
    return _ratio(x, np.absolute(x))


UFUNCS[np.sign] = _sign
UFUNCS[np.divmod] = lambda x, y: (np.floor_divide(x, y), np.remainder(x, y))

# Not x - trunc(x), which is nan for an infinite x and loses the sign of a zero.
fraction: Primitive = define("fraction", lambda x: np.modf(x)[0], [lambda c, result, x: c])
UFUNCS[np.modf] = lambda x: (fraction(x), np.trunc(x))


def _frexp(x: Any) -> Any:
    """The mantissa is x / 2^n, the exponent n constant between its jumps."""
    _, n = np.frexp(value_of(x))
    return np.ldexp(x, -n), Tensor(n)


UFUNCS[np.frexp] = _frexp

# ---------------------------------------------------------------------------- dtype and complex parts

real: Primitive = define(
    "real",
    # NumPy returns a real array itself, which would not count as a view of itself.
    lambda x: np.real(x)[...],
    [lambda c, result, x: c],
    lens=lambda whole, part: part + imag(whole) * 1j if is_complex(whole) else part,
)
imag: Primitive = define(
    "imag",
    np.imag,
    [lambda c, result, x: c * 1j if is_complex(x) else 0.0 * c],
    lens=lambda whole, part: real(whole) + part * 1j if is_complex(whole) else read_only(whole, part),
)
angle_radians: Primitive = define(
    "angle",
    np.angle,
    # arg z = Im log z, so its cotangent is i / conj(z).
    [lambda c, result, x: c * 1j / conj(x) if is_complex(x) else 0.0 * c],
)
implements(np.real)(real)
implements(np.imag)(imag)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """`numpy.angle`."""
    result = angle_radians(z)
    return np.degrees(result) if deg else result


@implements(np.astype)
def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Any:
    dtype = np.dtype(dtype)
    return x if not copy and dtype == x.dtype else astype(x, dtype=dtype)


NAMESPACE_OVERRIDES["astype"] = lambda x, dtype, /, **kwargs: astype(x, dtype=np.dtype(dtype))

# ---------------------------------------------------------------------------- choice

select_where: Primitive = define(
    "where",
    np.where,
    [
        None,
        lambda c, result, mask, x, y: np.where(value_of(mask), c, 0.0),
        lambda c, result, mask, x, y: np.where(value_of(mask), 0.0, c),
    ],
)


@implements(np.where)
def where(condition: Any, *branches: Any) -> Any:
    """`numpy.where`.

    Both branches are differentiated, as in torch: if the branch not taken has an infinite derivative, 0 * inf
    gives nan, so keep its argument away from there with another `where`.
    """
    if not branches:
        return np.nonzero(value_of(condition))
    if len(branches) != 2:
        raise ValueError("either both or neither of x and y must be given to numpy.where")
    return select_where(value_of(condition), *branches)


@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """`numpy.clip`: the whole cotangent goes to `a` on the bounds themselves, as in torch.clamp."""
    if (a_min is not None or a_max is not None) and (min is not None or max is not None):
        raise ValueError("numpy.clip takes either a_min and a_max or min and max, got some of both")
    low, high = (a_min, a_max) if a_min is not None or a_max is not None else (min, max)
    for bound, outside in ((low, np.less), (high, np.greater)):
        if bound is not None:
            edge = value_of(bound)
            a = select_where(outside(value_of(a), edge) | (edge != edge), bound, a)
    return np.positive(a) if low is None and high is None else a


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """`numpy.nan_to_num`: nothing flows to the replaced entries."""
    if is_complex(x):
        parts = (nan_to_num(part, copy, nan, posinf, neginf) for part in (np.real(x), np.imag(x)))
        return from_parts(*parts)
    value = value_of(x)
    finite = np.isfinite(value)
    # What is not taken is a constant of the recording, and must not move with the input.
    filled = np.nan_to_num(np.where(finite, 0, value), nan=nan, posinf=posinf, neginf=neginf)
    return select_where(finite, x, filled)


def from_parts(real_part: Any, imaginary_part: Any) -> Any:
    """The complex number of these two parts, in their precision."""
    return (
        real_part
        + np.astype(imaginary_part, np.result_type(value_of(imaginary_part).dtype, np.complex64)) * 1j
    )


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0) -> Any:
    """`numpy.round`: constant between the jumps."""
    return Tensor(np.round(value_of(a), decimals))


@implements(*present("fix"))
def fix(x: Any) -> Any:
    """`numpy.fix`: constant between the jumps."""
    return Tensor(np.trunc(value_of(x)))


# ---------------------------------------------------------------------------- sinc, i0


def _sin_over(t: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    """The n-th derivative of sin(t)/t.

    From t f = sin t follows t f_n = sin(t + n pi/2) - n f_(n-1), which loses digits for small t; there the
    power series of sin(t)/t (DLMF 4.19.1), differentiated term by term, is exact to the last digits.
    """
    small = np.abs(t) < n + 1.5
    safe = np.where(small, 1.0, t)
    far = np.sin(safe) / safe
    for k in range(1, n + 1):
        far = (np.sin(safe + k * (math.pi / 2)) - k * far) / safe
    near = np.zeros_like(t)
    x = np.where(small, t, 0.0)
    for k in range((n + 1) // 2, (n + 1) // 2 + 14 + 2 * n):
        power = 2 * k - n
        factor = (-1) ** k * math.perm(2 * k, n) / math.factorial(2 * k + 1)
        near = near + factor * x**power
    return np.where(small, near, far)


sin_over: Primitive = define(
    "sin_over",
    lambda t, *, n: _sin_over(t, n),
    [lambda c, result, t, *, n: c * conj(sin_over(t, n=n + 1))],
)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """`numpy.sinc`, sin(pi x) / (pi x)."""
    return sin_over(math.pi * x, n=0)


_BESSEL_POINTS = 256


def _bessel_derivative(x: Any, n: int) -> Any:
    """The n-th derivative of the modified Bessel function I_0, without scipy.

    It is the circle's mean of cosh or sinh (x cos t) cos^n t, for even and odd n: DLMF 10.32.1 differentiated
    under the integral. What is odd in cos t has mean 0. The trapezoidal rule converges geometrically for a
    periodic integrand: 256 points give all digits up to the largest x whose I_0 is a float. The terms have
    one sign, so nothing cancels.
    """
    x = np.asarray(x)
    cosines = np.cos((np.arange(_BESSEL_POINTS // 2) + 0.5) * (np.pi / _BESSEL_POINTS))
    total = np.zeros(x.shape)
    wide = x.astype(float)
    for cosine in cosines:
        total += (np.sinh if n % 2 else np.cosh)(wide * cosine) * cosine**n
    return (total / cosines.size).astype(x.dtype)


i0: Primitive = define(
    "i0",
    lambda x, *, n: _bessel_derivative(x, n) if n else np.i0(x),
    [lambda c, result, x, *, n: c * i0(x, n=n + 1)],
)


@implements(np.i0)
def _i0(x: Any) -> Any:
    """`numpy.i0`."""
    if value_of(x).dtype.kind == "c":
        raise TypeError(f"numpy.i0 takes real numbers, got dtype {value_of(x).dtype}")
    return i0(x, n=0)
