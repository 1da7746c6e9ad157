"""Elementwise functions: each row is how one number is computed from numbers.

A smooth function is a value and a derivative on balls, `smooth(f, slope)`, with `slope(x, y)` at x and y =
f(x); what is made of others is written with these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import acb, arb

from reference_engine.balls.numbers import (
    METHODS,
    Jet,
    TieError,
    UndecidedError,
    ball_of,
    chained,
    conjugate,
    either,
    greater,
    imaginary,
    real,
    sign,
    value_of,
    whole,
)

__all__ = ["NUMBERS", "exp", "log", "smooth", "sqrt"]

Number = Any
"""A ball or a Jet."""


def smooth(f: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[[Number], Number]:
    """A function of one number from its value and its derivative `slope(x, f(x))` on balls."""

    def call(x: Number) -> Number:
        if type(x) is not Jet:
            return f(x)
        y = f(x.value)
        return chained(x, y, slope(x.value, y))

    return call


# ---------------------------------------------------------------------------- elementary functions

exp = smooth(lambda x: x.exp(), lambda x, y: y)
log = smooth(lambda x: x.log(), lambda x, y: 1 / x)
log1p = smooth(lambda x: x.log1p(), lambda x, y: 1 / (1 + x))
expm1 = smooth(lambda x: x.expm1(), lambda x, y: y + 1)
sin = smooth(lambda x: x.sin(), lambda x, y: x.cos())
cos = smooth(lambda x: x.cos(), lambda x, y: -x.sin())
sinh = smooth(lambda x: x.sinh(), lambda x, y: x.cosh())
cosh = smooth(lambda x: x.cosh(), lambda x, y: x.sinh())
tanh = smooth(lambda x: x.tanh(), lambda x, y: 1 / x.cosh() ** 2)
arctan = smooth(lambda x: x.atan(), lambda x, y: 1 / (1 + x * x))
_sqrt = smooth(lambda x: x.sqrt(), lambda x, y: 1 / (2 * y))


def sqrt(x: Number) -> Number:
    """The square root; that of a constant zero is zero."""
    if type(x) is Jet and type(x.value) is arb and x.value == 0:
        raise TieError("the square root of zero has no derivative")
    return _sqrt(x)


def _cbrt(x: Number) -> Number:
    def root(v: Any) -> Any:
        return v.root(3) if v > 0 else -((-v).root(3))

    if sign(x) == 0:
        return x
    return smooth(root, lambda v, y: 1 / (3 * y * y))(x)


def _power(x: Number, y: Number) -> Number:
    """x^y. A whole constant y multiplies, so x may be zero or negative."""
    if type(y) is not Jet:
        n = _whole_constant(y)
        if n is not None:
            if type(x) is not Jet:
                return x**n
            if n == 0:
                return arb(1)
            return chained(x, x.value**n, n * x.value ** (n - 1))
        if type(x) is not Jet:
            return x**y
        if type(x.value) is arb and x.value == 0:
            raise TieError("a power of zero has no derivative")
        return chained(x, x.value**y, y * x.value ** (y - 1))
    if type(x) is not Jet and type(x) is arb and x == 0:
        if value_of(y) > 0:
            return arb(0)
        raise TieError("a power of zero has no derivative")
    return exp(y * log(x))


def _whole_constant(y: Any) -> int | None:
    part = y.real if type(y) is acb else y
    if (type(y) is acb and y.imag != 0) or not part.is_exact() or not part.is_finite():
        return None
    n = part.unique_fmpz()
    return int(n) if n is not None and part == n and abs(n) < 2**31 else None


def _logaddexp(base: int | None) -> Callable[[Number, Number], Number]:
    def unit() -> Any:
        return arb(1) if base is None else arb(base).log()

    def call(x: Number, y: Number) -> Number:
        for one, other in ((x, y), (y, x)):
            if value_of(one) == arb("-inf"):
                return other
        high, low = (x, y) if ball_of(x).mid() > ball_of(y).mid() else (y, x)
        return high + log1p(exp((low - high) * unit())) / unit()

    return call


def _arctan2(y: Number, x: Number) -> Number:
    a, b = value_of(y), value_of(x)
    value = _arctan2(a, b) if type(a) is Jet or type(b) is Jet else arb.atan2(a, b)
    if type(x) is not Jet and type(y) is not Jet:
        return value
    squares = a * a + b * b
    if squares == 0:
        raise TieError("the angle of zero has no derivative")
    # The cut along the negative axis jumps, for what can leave the axis.
    if a == 0 and ball_of(b) < 0 and type(y) is Jet:
        raise TieError("an angle lies on its cut")
    total: Number = Jet(value, {})
    if type(y) is Jet:
        total = total + chained(y, arb(0), b / squares)
    if type(x) is Jet:
        total = total + chained(x, arb(0), -a / squares)
    return total


def absolute(x: Number) -> Number:
    """|x|, of complex numbers too."""
    if type(ball_of(x)) is acb:
        return _hypot(real(x), imaginary(x))
    try:
        return -x if sign(x) < 0 else x
    except UndecidedError as reason:
        return either(x, [-x], reason)


def _hypot(x: Number, y: Number) -> Number:
    if type(x) is not Jet and type(y) is not Jet:
        return (x * x + y * y).sqrt()
    if value_of(x) == 0 and value_of(y) == 0:
        raise TieError("a length is zero")
    return sqrt(x * x + y * y)


def _copysign(x: Number, y: Number) -> Number:
    size = absolute(x)
    return -size if sign(y) < 0 else size


def _remainder(x: Number, y: Number) -> Number:
    return x - y * whole(x / y)


def _truncated(x: Number) -> int:
    return -whole(-x) if ball_of(x) < 0 else whole(x)


def _fmod(x: Number, y: Number) -> Number:
    return x - y * _truncated(x / y)


def _larger(x: Number, y: Number) -> Number:
    try:
        return x if greater(x, y) else y
    except UndecidedError as reason:
        return either(x, [y], reason)


def _smaller(x: Number, y: Number) -> Number:
    try:
        return y if greater(x, y) else x
    except UndecidedError as reason:
        return either(x, [y], reason)


def _angle(z: Number) -> Number:
    return _arctan2(imaginary(z), real(z))


def _heaviside(x: Number, y: Number) -> Number:
    at = sign(x)
    return y if at == 0 else arb(1 if at > 0 else 0)


def _ldexp(x: Number, n: Number) -> Number:
    return x * arb(2) ** n


def _scaled(factor: Callable[[], Any]) -> Callable[[Number], Number]:
    return lambda x: x * factor()


def _scaled_log(base: int) -> Callable[[Number], Number]:
    return lambda x: log(x) / arb(base).log()


def _scaled_exp(base: int) -> Callable[[Number], Number]:
    return lambda x: exp(x * arb(base).log())


def sigmoid(x: Number) -> Number:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + exp(-x))


def _sin_over(n: int) -> Callable[[Any], Any]:
    """The n-th derivative of sin(t)/t on balls: t f_n = sin(t + nπ/2) - n f_(n-1)."""

    def call(t: Any) -> Any:
        if t == 0:
            return arb(0) if n % 2 else arb((-1) ** (n // 2)) / (n + 1)
        if n == 0:
            return t.sinc()
        return ((t + n * arb.pi() / 2).sin() - n * _sin_over(n - 1)(t)) / t

    return call


def _bessel_mean(n: int) -> Callable[[Any], Any]:
    """The n-th derivative of I_0: Σ binomial(n, k) I_(n-2k) / 2^n (DLMF 10.29.5)."""
    return lambda x: sum(math.comb(n, k) * x.bessel_i(n - 2 * k) for k in range(n + 1)) / arb(2) ** n


def of_order(family: Callable[[int], Callable[[Any], Any]]) -> Callable[..., Any]:
    """A row of a function with a parameter n, whose derivative is that with n + 1."""

    def row(x: Number, *, n: int) -> Number:
        return smooth(family(n), lambda v, y: family(n + 1)(v))(x)

    return row


NUMBERS: dict[str, Callable[..., Number]] = {
    # Arithmetic.
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "negative": lambda x: -x,
    "positive": lambda x: x,
    "reciprocal": lambda x: 1 / x,
    "square": lambda x: x * x,
    "power": _power,
    "float_power": _power,
    "ldexp": _ldexp,
    "degrees": _scaled(lambda: 180 / arb.pi()),
    "rad2deg": _scaled(lambda: 180 / arb.pi()),
    "radians": _scaled(lambda: arb.pi() / 180),
    "deg2rad": _scaled(lambda: arb.pi() / 180),
    # Roots, exponentials and logarithms.
    "sqrt": sqrt,
    "cbrt": _cbrt,
    "exp": exp,
    "exp2": _scaled_exp(2),
    "expm1": expm1,
    "log": log,
    "log2": _scaled_log(2),
    "log10": _scaled_log(10),
    "log1p": log1p,
    "logaddexp": _logaddexp(None),
    "logaddexp2": _logaddexp(2),
    "sigmoid": sigmoid,
    "logistic": sigmoid,
    # Circular and hyperbolic functions.
    "sin": sin,
    "cos": cos,
    "tan": smooth(lambda x: x.tan(), lambda x, y: 1 + y * y),
    "arcsin": smooth(lambda x: x.asin(), lambda x, y: 1 / ((1 - x) * (1 + x)).sqrt()),
    "arccos": smooth(lambda x: x.acos(), lambda x, y: -1 / ((1 - x) * (1 + x)).sqrt()),
    "arctan": arctan,
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "arcsinh": smooth(lambda x: x.asinh(), lambda x, y: 1 / (1 + x * x).sqrt()),
    # DLMF 4.37.19, as in the engine.
    "arccosh": smooth(lambda x: x.acosh(), lambda x, y: 1 / ((x - 1).sqrt() * (x + 1).sqrt())),
    "arctanh": smooth(lambda x: x.atanh(), lambda x, y: 1 / ((1 - x) * (1 + x))),
    "arctan2": _arctan2,
    "hypot": _hypot,
    # Choices.
    "absolute": absolute,
    "fabs": absolute,
    "maximum": _larger,
    "minimum": _smaller,
    "fmax": _larger,
    "fmin": _smaller,
    "copysign": _copysign,
    "heaviside": _heaviside,
    "remainder": _remainder,
    "fmod": _fmod,
    "fraction": lambda x: x - _truncated(x),
    # Complex numbers.
    "real": real,
    "imag": imaginary,
    "conjugate": conjugate,
    "angle": _angle,
}
"""A primitive by name, and the function of numbers that it is."""

PARAMETRIC: dict[str, Callable[..., Number]] = {
    "sin_over": of_order(_sin_over),
    "i0": of_order(_bessel_mean),
}
"""The same with parameters: keywords of the primitive."""

METHODS.update(
    {
        "acos": NUMBERS["arccos"], "acosh": NUMBERS["arccosh"], "asin": NUMBERS["arcsin"],
        "asinh": NUMBERS["arcsinh"], "atan": arctan, "atanh": NUMBERS["arctanh"], "cos": cos, "cosh": cosh,
        "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "power": _power, "sin": sin, "sinh": sinh,
        "sqrt": sqrt, "tan": NUMBERS["tan"], "tanh": tanh,
    }
)  # fmt: skip
