"""Proven numbers: balls, and balls that carry their derivatives along.

A *ball* is a midpoint and a radius with the truth inside (`flint.arb`, or `flint.acb` for complex numbers):
F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers
66, 2017. A `Jet` is a ball and the balls of its derivatives with respect to some inputs. Constants are plain
balls. Arrays of numbers are NumPy's arrays of objects, which gives them shapes, indexing, sums and products.
"""

from __future__ import annotations

import functools
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
    "ball_of",
    "chained",
    "conjugate",
    "decimal",
    "distance",
    "either",
    "greater",
    "imaginary",
    "lifted",
    "nearest",
    "over_arrays",
    "precision",
    "real",
    "settled",
    "sign",
    "ties",
    "value_of",
]

Slopes = dict[int, Any]
"""The derivative with respect to each input by the input's number; zero for those that are not there."""


class UndecidedError(Exception):
    """Balls overlap, and a comparison of what they enclose is open. More digits may decide it."""


class TieError(UndecidedError):
    """Two numbers are equal, whatever the digits: a choice between them has no derivative."""


METHODS: dict[str, Callable[..., Any]] = {}
"""What balls have as methods, for Jets: `elementwise` fills it in."""


class Jet:
    """A ball and its slopes, with Python's operators. Nothing about it can be changed.

    For second derivatives the value is a Jet itself, and so are the slopes: the functions of balls that a
    derivative is made of are `METHODS` of it.
    """

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: Slopes) -> None:
        self.value = value
        self.slopes = slopes

    def __getattr__(self, name: str) -> Any:
        try:
            return functools.partial(METHODS[name], self)
        except KeyError:
            raise AttributeError(f"{name} is not known twice differentiable") from None

    def __pow__(self, other: Any) -> Any:
        return METHODS["power"](self, other if isinstance(other, Jet | arb | acb) else arb(other))

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


def ball_of(x: Any) -> Any:
    """The ball of a number, of one whose value carries slopes itself too."""
    while type(x) is Jet:
        x = x.value
    return x


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
            return Jet(call(x.value), {i: call(d) for i, d in x.slopes.items()})
        return part(x)

    return call


real = _linear(lambda x: x.real if type(x) is acb else x)
_imaginary = _linear(lambda x: x.imag if type(x) is acb else arb(0))


def imaginary(x: Any) -> Any:
    """The imaginary part; that of a real number is the constant zero."""
    return _imaginary(x) if type(ball_of(x)) is acb else arb(0)


conjugate = _linear(lambda x: x.conjugate() if type(x) is acb else x)

# ---------------------------------------------------------------------------- decisions


def greater(a: Any, b: Any) -> bool:
    """Whether a real number is greater than another one; raises `UndecidedError` where the balls overlap."""
    x, y = ball_of(a), ball_of(b)
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
    value = ball_of(x)
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
    value = ball_of(x)
    found = value.floor().unique_fmpz()
    if found is None:
        raise UndecidedError("a number that is rounded down lies at a whole number in all digits")
    if type(x) is Jet and value == found:
        raise TieError("a number that is rounded down is a whole number")
    return int(found)


# ---------------------------------------------------------------------------- ties


class _Tie:
    """A choice that is open: why, and how far the slopes of what may be chosen lie from those in use."""

    def __init__(self, reason: UndecidedError, spread: Slopes) -> None:
        self.reason = reason
        self.spread = spread


_open: list[_Tie] | None = None


@contextmanager
def ties() -> Iterator[list[_Tie]]:
    """Inside this context a choice between numbers may stay open: see `either`; `settled` takes the list."""
    global _open
    before, _open = _open, []
    try:
        yield _open
    finally:
        _open = before


def either(first: Any, others: list[Any], reason: UndecidedError) -> Any:
    """One of several real numbers that nothing tells apart: the hull of their values, with an open slope.

    To first order a result depends on the choice through its derivative with respect to the chosen number.
    That is carried along as the slope of an input of its own. Where it is zero, as for the maximum that a
    softmax subtracts, all choices have the same derivative, and it is that of the function.

    Raises:
        UndecidedError: the reason, outside of `ties`, and for what is differentiated twice.
    """
    numbers = [first, *others]
    if _open is None or any(type(value_of(x)) is not arb for x in numbers):
        raise reason
    value = value_of(first)
    spread: Slopes = {}
    own = first.slopes if type(first) is Jet else {}
    for other in others:
        value = value.union(value_of(other))
        theirs = other.slopes if type(other) is Jet else {}
        for i in {*own, *theirs}:
            gap = theirs.get(i, arb(0)) - own.get(i, arb(0))
            spread[i] = spread.get(i, arb(0)).union(gap)
    if all(gap == 0 for gap in spread.values()):
        return Jet(value, own) if own else value
    _open.append(_Tie(reason, spread))
    return Jet(value, {**own, -len(_open): arb(1)})


def settled(x: Any, found: list[_Tie]) -> Any:
    """A result whose slopes hold whatever was chosen at the ties that were found.

    Raises:
        UndecidedError: the derivative depends on a choice.
    """
    if type(x) is not Jet or not any(i < 0 for i in x.slopes):
        return x
    slopes = dict(x.slopes)
    # What was chosen last may depend on what was chosen before.
    for k in reversed(range(len(found))):
        weight = slopes.pop(-1 - k, None)
        if weight is None:
            continue
        # Gaps that shrink with more digits are none.
        least = arb(2) ** (-ctx.prec // 2)
        if not _contains_zero(weight) and any(gap.abs_upper() > least for gap in found[k].spread.values()):
            raise found[k].reason
        for i, gap in found[k].spread.items():
            slopes[i] = slopes[i] + weight * gap if i in slopes else weight * gap
    return Jet(x.value, slopes)


def _contains_zero(x: Any) -> bool:
    parts = (x.real, x.imag) if type(x) is acb else (x,)
    return all(part.contains(0) for part in parts)


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


def _complex_ball(x: Any) -> Any:
    if type(x) is Jet:
        return x if type(x.value) is acb else Jet(_complex_ball(x.value), x.slopes)
    return acb(_ball(x))


_complex_balls = np.frompyfunc(_complex_ball, 1, 1)


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
    x = ball_of(x)
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
