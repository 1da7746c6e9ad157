"""Proven numbers: balls, and balls that carry their derivatives along.

A *ball* is a midpoint and a radius with the truth inside (`flint.arb`, or `flint.acb` for complex numbers):
F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers
66, 2017. A `Jet` is a ball and the balls of its derivatives with respect to some inputs. Constants are plain
balls. Arrays of numbers are NumPy's arrays of objects, which gives them shapes, indexing, sums and products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from flint import acb, arb, ctx, fmpz

__all__ = [
    "Jet",
    "Slopes",
    "TieError",
    "UndecidedError",
    "chained",
    "conjugate",
    "decimal",
    "distance",
    "greater",
    "imaginary",
    "lifted",
    "nearest",
    "over_arrays",
    "precision",
    "real",
    "sign",
    "value_of",
]

Slopes = dict[int, Any]
"""The derivative with respect to each input by the input's number; zero for those that are not there."""


class UndecidedError(Exception):
    """Balls overlap, and a comparison of what they enclose is open. More digits may decide it."""


class TieError(UndecidedError):
    """Two numbers are equal, whatever the digits: a choice between them has no derivative."""


class Jet:
    """A ball and its slopes, with Python's operators. Nothing about it can be changed."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: Slopes) -> None:
        self.value = value
        self.slopes = slopes

    def __add__(self, other: Any) -> Any:
        if type(other) is Jet:
            return Jet(self.value + other.value, _sum(self.slopes, other.slopes))
        return Jet(self.value + other, self.slopes)

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(-self.value, {i: -d for i, d in self.slopes.items()})

    def __pos__(self) -> Jet:
        return self

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        a = self.value
        if type(other) is not Jet:
            return Jet(a * other, {i: d * other for i, d in self.slopes.items()})
        b = other.value
        slopes = {i: d * b for i, d in self.slopes.items()}
        for i, d in other.slopes.items():
            slopes[i] = slopes[i] + a * d if i in slopes else a * d
        return Jet(a * b, slopes)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if type(other) is not Jet:
            return Jet(self.value / other, {i: d / other for i, d in self.slopes.items()})
        return self * inverse(other)

    def __rtruediv__(self, other: Any) -> Any:
        return inverse(self) * other


def _sum(a: Slopes, b: Slopes) -> Slopes:
    total = dict(a)
    for i, d in b.items():
        total[i] = total[i] + d if i in total else d
    return total


def inverse(x: Jet) -> Jet:
    """1 / x."""
    y = 1 / x.value
    return chained(x, y, -y * y)


def chained(x: Jet, value: Any, derivative: Any) -> Jet:
    """The chain rule: f(x) from the value and the derivative of f at the value of x."""
    return Jet(value, {i: derivative * d for i, d in x.slopes.items()})


def value_of(x: Any) -> Any:
    """The ball of a number, without its slopes."""
    return x.value if type(x) is Jet else x


def over_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers as a function of arrays of numbers, which broadcast."""
    cache: dict[int, Any] = {}

    def call(*arrays: Any) -> Any:
        count = len(arrays)
        if count not in cache:
            cache[count] = np.frompyfunc(function, count, 1)
        return cache[count](*arrays)

    return call


# ---------------------------------------------------------------------------- real and complex parts


def _linear(part: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        if type(x) is Jet:
            return Jet(part(x.value), {i: part(d) for i, d in x.slopes.items()})
        return part(x)

    return call


real = _linear(lambda x: x.real if type(x) is acb else x)
imaginary = _linear(lambda x: x.imag if type(x) is acb else arb(0))
conjugate = _linear(lambda x: x.conjugate() if type(x) is acb else x)

# ---------------------------------------------------------------------------- decisions


def greater(a: Any, b: Any) -> bool:
    """Whether a real number is greater than another one; raises `UndecidedError` where the balls overlap."""
    x, y = value_of(a), value_of(b)
    if x > y:
        return True
    if x < y:
        return False
    if not (x.is_finite() and y.is_finite()):
        # Infinities that a program masks with are exact, and equal ones are not a choice of consequence.
        if x.is_nan() or y.is_nan() or type(a) is Jet or type(b) is Jet:
            raise UndecidedError(f"{x} and {y} cannot be compared")
        return False
    if x.is_exact() and y.is_exact():
        if type(a) is not Jet and type(b) is not Jet:
            return False
        raise TieError(f"two numbers that are compared are equal ({float(x):.6g})")
    raise UndecidedError("two numbers that are compared agree in all digits")


def sign(x: Any) -> int:
    """1 or -1; 0 for a constant that is zero. Raises `UndecidedError` where the sign is open."""
    value = value_of(x)
    if value > 0:
        return 1
    if value < 0:
        return -1
    if type(x) is not Jet and value == 0:
        return 0
    if value == 0:
        raise TieError("a number whose sign is asked for is zero")
    raise UndecidedError("a number whose sign is asked for is zero in all digits")


def whole(x: Any) -> int:
    """The largest whole number that is not larger; raises `UndecidedError` at a jump."""
    value = value_of(x)
    found = value.floor().unique_fmpz()
    if found is None:
        raise UndecidedError("a number that is rounded down lies at a whole number in all digits")
    if type(x) is Jet and value == found:
        raise TieError("a number that is rounded down is a whole number")
    return int(found)


# ---------------------------------------------------------------------------- floats and balls


def _ball(x: Any) -> Any:
    kind = type(x)
    if kind is Jet or kind is arb or kind is acb:
        return x
    if isinstance(x, complex | np.complexfloating):
        return acb(float(x.real), float(x.imag))
    if isinstance(x, float | np.floating):
        return arb(float(x))
    return arb(fmpz(int(x)))


_balls = np.frompyfunc(_ball, 1, 1)
_complex_balls = np.frompyfunc(
    lambda x: (
        (x if type(x.value) is acb else Jet(acb(x.value), x.slopes)) if type(x) is Jet else acb(_ball(x))
    ),
    1,
    1,
)


def lifted(array: Any, *, is_complex: bool = False) -> Any:
    """Floats, integers or numbers as an array of numbers; a float is the exact number that it is."""
    found = (_complex_balls if is_complex else _balls)(np.asarray(array))
    if isinstance(found, np.ndarray):
        return found
    out = np.empty((), object)
    out[()] = found
    return out


def _float(x: Any) -> float:
    try:
        found = float(x.mid())
    except OverflowError:
        return math.inf if x > 0 else -math.inf
    if found == 0 and not x.contains(0):
        # What a program asks of it is whether it is zero.
        return 5e-324 if x > 0 else -5e-324
    return found


def nearest(x: Any) -> Any:
    """The float next to the midpoint of a ball, complex for a complex one; never zero for what is not."""
    x = value_of(x)
    return complex(_float(x.real), _float(x.imag)) if type(x) is acb else _float(x)


#: Bits to compare balls with decimal numbers and floats in.
_PRINTED = 4096


def distance(x: Any, value: float) -> float:
    """How far a real number may be from a float, rounded up."""
    with precision(_PRINTED):
        gap = (x - arb(value)).abs_upper()
    try:
        found = float(gap)
    except OverflowError:
        return math.inf
    return math.nextafter(found, math.inf) if gap > 0 else 0.0


def decimal(x: Any, digits: int) -> tuple[str, str]:
    """The midpoint of a real ball with so many digits, and how far the truth is from that at most."""
    with precision(_PRINTED):
        shown = x.mid().str(digits, radius=False)
        gap = (x - arb(shown)).abs_upper()
        return shown, gap.str(2, radius=False) if gap > 0 else "0"


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Inside this context balls are computed with so many bits."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before
