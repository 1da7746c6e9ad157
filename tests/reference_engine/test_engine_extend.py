"""Primitives from outside."""

from __future__ import annotations

import numpy as np
import pytest

import reference_engine as engine
from reference_engine import extend
from reference_engine.definitions import PRIMITIVES
from reference_engine.dispatch import FUNCTIONS, UFUNCS


@pytest.fixture(autouse=True)
def restore_tables():
    saved = dict(PRIMITIVES), dict(UFUNCS), dict(FUNCTIONS)
    yield
    for table, before in zip((PRIMITIVES, UFUNCS, FUNCTIONS), saved, strict=True):
        table.clear()
        table.update(before)


def test_a_primitive_in_a_few_lines():
    @extend.primitive(rules=[lambda c, result, x, *, power: c * power * x ** (power - 1)])
    def my_power(x, *, power):
        return x**power

    assert my_power(np.array([2.0]), power=3).tolist() == [8.0]
    assert engine.grad(lambda x: my_power(x, power=3))(2.0) == 12
    assert engine.grad(engine.grad(lambda x: my_power(x, power=3)))(2.0) == 12


def test_several_outputs():
    def rule(cotangents, result, x):
        c_sin, c_cos = cotangents
        total = 0.0 * x
        if c_sin is not None:
            total = total + c_sin * np.cos(x)
        if c_cos is not None:
            total = total - c_cos * np.sin(x)
        return total

    @extend.primitive(rules=[rule], outputs=True)
    def sin_cos(x):
        return np.sin(x), np.cos(x)

    assert engine.grad(lambda x: sin_cos(x)[1])(0.5) == -np.sin(0.5)
    assert engine.grad(engine.grad(lambda x: sin_cos(x)[0]))(0.5) == pytest.approx(-np.sin(0.5))


def test_an_own_rule_for_a_numpy_function():
    @extend.implements(np.nextafter)
    def nextafter(x, y):
        return x * 1.0

    assert engine.grad(lambda x: np.nextafter(x, 2.0))(1.0) == 1

    @extend.implements(np.piecewise)
    def piecewise(x, conditions, functions):
        return x * 3.0

    assert engine.grad(lambda x: np.piecewise(x, [], []))(1.0) == 3


@pytest.mark.parametrize(
    ("rules", "function", "error", "message"),
    [
        ("abc", lambda x: x, TypeError, "rules must be a list"),
        ([], lambda x: x, TypeError, "one entry per positional argument"),
        ([lambda c, x: c], lambda x: x, TypeError, r"must take \(cotangent, result, x\)"),
        ([3], lambda x: x, TypeError, "must be callable"),
        ([None], lambda *xs: xs, TypeError, "name its positional arguments"),
        ([None], 3, TypeError, "decorates a function"),
    ],
)
def test_wrong_definitions(rules, function, error, message):
    with pytest.raises(error, match=message):
        extend.primitive(rules=rules)(function)


def test_names_are_unique():
    with pytest.raises(ValueError, match="name 'sin' is taken"):
        extend.primitive(rules=[None], name="sin")(lambda x: x)
    with pytest.raises(TypeError, match="NumPy function that dispatches"):
        extend.implements(len)
