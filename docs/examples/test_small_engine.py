"""A small autograd engine for teaching, checked against the reference engine of this package.

PLANT_FAULT=1 overwrites a gradient instead of accumulating it: a number used twice keeps one of two parts.
"""

import os

import pytest

from pytest_gradcheck import scalars
from reference_engine import grad

PLANT_FAULT = os.environ.get("PLANT_FAULT") == "1"


class Value:
    """A number that stores its operands and its slope with respect to each of them."""

    def __init__(self, data, made_of=()):
        self.data = data
        self.grad = 0.0
        self.made_of = made_of

    def __add__(self, other):
        other = value_of(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        other = value_of(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    def __pow__(self, exponent):
        return Value(self.data**exponent, [(self, exponent * self.data ** (exponent - 1))])

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -value_of(other)

    def __truediv__(self, other):
        return self * value_of(other) ** -1

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        self.grad = 1.0
        for value in reversed(in_order(self)):
            for part, slope in value.made_of:
                part.grad += slope * value.grad
                if PLANT_FAULT:
                    part.grad = slope * value.grad


def value_of(number):
    return number if isinstance(number, Value) else Value(number)


def in_order(value, seen=None):
    """Return this value and all its ancestors in topological order."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    return [*(each for part, _ in value.made_of for each in in_order(part, seen)), value]


def gradient_by_small_engine(function):
    def gradient(*numbers):
        leaves = [Value(number) for number in numbers]
        function(*leaves).backward()
        return tuple(leaf.grad for leaf in leaves)

    return gradient


def loss(a, b, c, f):
    return (a * b + c) * f


def rational(x, y):
    return (x * y - 3.0 * x) ** 2 / (y * y + 1.0)


def test_the_picture_of_the_tutorial():
    at = (3.0, -2.0, 8.0, -2.0)
    assert (
        gradient_by_small_engine(loss)(*at) == grad(loss, argnums=(0, 1, 2, 3))(*at) == (4.0, -6.0, -2.0, 2.0)
    )


numbers = scalars(min_value=-3, max_value=3)


@pytest.mark.gradcheck(x=numbers, y=numbers, gradient=gradient_by_small_engine(rational))
def test_rational(x, y):
    return rational(x, y)
