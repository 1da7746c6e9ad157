"""Functions that keep few digits of their terms: their values are stairs, or stand still.

Next to the point no value has the derivative. Farther away it adds up to what the values move by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from twins import fails, not_accused, one_entry, passes, times

from pytest_gradcheck.core.evidence import stairs
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.orders import FirstOrder
from pytest_gradcheck.function.problem import Problem

pytestmark = pytest.mark.kernels


def opaque(function: Callable[[float], float]) -> Callable[[Any], Any]:
    """Sum a function of Python numbers over an array: nothing sees into it."""
    return lambda x: math.fsum(function(float(v)) for v in np.ravel(x))


def each(function: Callable[[float], float]) -> Callable[[Any], Any]:
    """Apply a function of Python numbers to each entry of an array."""
    return np.vectorize(function, otypes=[float])


class Tail(NamedTuple):
    """A function of a number, its derivative, points where its digits are gone, and where they are not."""

    function: Callable[[float], float]
    slope: Callable[[Any], Any]
    gone: tuple[float, ...]
    there: tuple[float, ...]


TAILS = {
    "normal distribution": Tail(
        lambda x: 0.5 * (1 + math.erf(x / 2**0.5)),
        lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
        (-7.5, -8.0, -8.8, -9.4, -20.0, -37.0),
        (-3.0, 1.0),
    ),
    "gelu": Tail(
        lambda x: 0.5 * x * (1 + math.erf(x / 2**0.5)),
        lambda x: 0.5 * np.vectorize(math.erfc)(-x / 2**0.5) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
        (-7.8, -8.57, -9.3, -16.0, -37.5),
        (-4.0, 0.5),
    ),
    "softplus by its formula": Tail(
        lambda x: math.log(1 + math.exp(x)),
        lambda x: 1 / (1 + np.exp(-x)),
        (-34.0, -36.0, -40.0, -600.0),
        (-10.0, 2.0),
    ),
    "softplus of what is far": Tail(
        lambda x: math.log(1 + math.exp(x - 100)),
        lambda x: 1 / (1 + np.exp(100 - x)),
        (1.0, 50.0, 64.0),
        (95.0,),
    ),
    "one minus tanh": Tail(
        lambda x: 1 - math.tanh(x), lambda x: -1 / np.cosh(x) ** 2, (17.0, 19.0, 25.0, 300.0), (0.5, 4.0)
    ),
    "one minus sigmoid": Tail(
        lambda x: 1 - 1 / (1 + math.exp(-x)),
        lambda x: -np.exp(-x) / (1 + np.exp(-x)) ** 2,
        (34.0, 36.0, 40.0, 600.0),
        (1.0, 8.0),
    ),
    "an exponential without its line": Tail(
        lambda x: math.exp(x) - 1 - x, np.expm1, (1e-20, -1e-18, 1e-16, -1e-16), (-2.0, 0.1)
    ),
    "one minus cosine": Tail(lambda x: 1 - math.cos(x), np.sin, (1e-18, 1e-12, 1e-8), (0.1, 2.0)),
}


@pytest.mark.parametrize("name", TAILS)
def test_a_right_gradient_is_not_accused_where_the_digits_are_gone(name: str) -> None:
    tail = TAILS[name]
    for at in tail.gone:
        for x in (np.array([at]), at * np.array([1.0, 1.03, 0.97])):
            not_accused(opaque(tail.function), x, gradient=tail.slope)


@pytest.mark.parametrize("name", TAILS)
def test_a_wrong_gradient_fails_where_the_digits_are_there(name: str) -> None:
    tail = TAILS[name]
    for at in tail.there:
        x = at * np.array([1.0, 1.03, 0.97])
        passes(opaque(tail.function), x, gradient=tail.slope)
        fails(opaque(tail.function), x, gradient=times(1.1, tail.slope))
        fails(opaque(tail.function), x, gradient=times(2.0, tail.slope))
        fails(opaque(tail.function), x, gradient=one_entry(tail.slope, 1))


STAIRS = [
    ("normal distribution", -9.0),
    ("normal distribution", -13.0),
    ("gelu", -9.3),
    ("one minus tanh", 21.0),
    ("softplus by its formula", -40.0),
    ("softplus of what is far", 60.0),
    ("an exponential without its line", -1e-16),
]


@pytest.mark.parametrize("factor", [1.1, 2.0, -1.0])
@pytest.mark.parametrize(("name", "at"), STAIRS)
def test_a_gradient_that_does_not_add_up_to_the_values_fails_on_stairs(
    name: str, at: float, factor: float
) -> None:
    tail = TAILS[name]
    x = at * np.array([1.0, 1.03, 0.97])
    not_accused(each(tail.function), x, vjp=lambda x, u: u * tail.slope(x))
    fails(each(tail.function), x, vjp=lambda x, u: factor * u * tail.slope(x))


@pytest.mark.parametrize(("name", "at"), STAIRS[:-1])
def test_a_gradient_that_is_wrong_at_one_point_alone_fails_on_stairs(name: str, at: float) -> None:
    tail = TAILS[name]
    x = at * np.array([1.0, 1.03, 0.97])
    fails(each(tail.function), x, vjp=lambda z, u: u * tail.slope(z) * np.where(z == at, 2.0, 1.0))


@pytest.mark.parametrize("share", [0.02, 1e-4])
def test_a_gradient_that_is_wrong_in_a_band_fails_though_it_adds_up_to_the_values(share: float) -> None:
    """A small function is smooth, and so is one of which a part of the digits is gone."""
    near = 1 + share * np.array([1.0, -1.0])

    def banded(slope: Callable[[Any], Any], at: float) -> Callable[[Any], Any]:
        low, high = np.sort(at * near)
        return lambda z: slope(z) * np.where((low < z) & (z < high), 1.1, 1.0)

    fails(
        lambda x: 1e-12 * np.sin(x).sum(), np.array([0.7]), gradient=banded(lambda x: 1e-12 * np.cos(x), 0.7)
    )
    for name in ("normal distribution", "softplus by its formula"):
        tail = TAILS[name]
        fails(opaque(tail.function), np.array([-5.0]), gradient=banded(tail.slope, -5.0))


def test_a_gradient_that_is_small_where_the_function_is_constant() -> None:
    """What could hide in the rounding of a term of one is in doubt, and what could not is wrong."""
    constant = opaque(lambda x: float(x > 1e6))
    x = np.array([0.3, -1.0])
    not_accused(constant, x, gradient=lambda x: 1e-30 * x)
    fails(constant, x, gradient=lambda x: 1e-9 * x)


def test_the_steps_of_a_function_are_no_stairs_of_rounding() -> None:
    def function(x: Any) -> Any:
        return np.sum(np.round(x) + 0.1 * np.sin(x))

    for at in (0.45, 2.4):
        not_accused(function, np.array([at]), gradient=lambda x: 0.1 * np.cos(x))
        fails(function, np.array([at]), gradient=lambda x: 0.1 * np.cos(x) + 0.5)
        fails(function, np.array([at]), gradient=lambda x: 0.11 * np.cos(x))


def test_where_a_function_has_no_jump_no_gradient_is_asked_for_elsewhere() -> None:
    """Most wrong gradients are of smooth functions, and each pass costs a call of the function."""

    def asked(t: float) -> float:
        return float(pytest.fail(f"asked for at {t}")) if t else 1.1e-9

    for function in (lambda x: 1e-9 * np.sin(x), lambda x: 1e-9 * np.abs(x - 0.71)):
        problem = Problem(function, np.array([0.7]))
        order = FirstOrder(problem, Options(methods=("central", "forward"), mode="full"))
        jacobian = Jacobian(order.function, {}, ("central", "forward"))
        assert not stairs.bears_out(jacobian, np.array([0.7]), np.ones(1), asked, 1e-10)


class Gelu(torch.autograd.Function):
    """The formula of gelu with a backward that keeps its digits."""

    wrong = 1.0

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> Any:
        ctx.save_for_backward(x)
        return 0.5 * x * (1 + torch.erf(x * 0.5**0.5))

    @classmethod
    def backward(cls, ctx: Any, grad: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        density = torch.exp(-x * x / 2) * (2 * math.pi) ** -0.5
        return cls.wrong * grad * (0.5 * torch.erfc(-x * 0.5**0.5) + x * density)


class ByMath(Gelu):
    """The same by a library that no recording sees into."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        values = [0.5 * v * (1 + math.erf(v * 0.5**0.5)) for v in x.detach().numpy().ravel()]
        return torch.tensor(values, dtype=x.dtype).reshape(x.shape)


class Doubled(ByMath):
    wrong = 2.0


class Tenth(ByMath):
    wrong = 1.1


@pytest.mark.parametrize("options", [{}, {"methods": ("central", "torch")}, {"mode": "full"}], ids=str)
@pytest.mark.parametrize("function", [Gelu, ByMath])
def test_an_autograd_function_that_keeps_the_digits_of_a_tail(function: Any, options: Any) -> None:
    for at in (-7.613, -9.403):
        for x in ([at] * 3, [at, at - 0.3, at + 0.2]):
            not_accused(function.apply, torch.tensor(x, dtype=torch.float64), **options)


@pytest.mark.parametrize("wrong", [Doubled, Tenth])
def test_a_wrong_autograd_function_fails_on_the_tail_and_off_it(wrong: Any) -> None:
    for at in (-7.9, -4.0, 0.5):
        fails(wrong.apply, torch.tensor([at, at - 0.3, at + 0.2], dtype=torch.float64), "torch")
