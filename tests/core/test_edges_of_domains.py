"""Ties and kinks on a bound of the domain: what sees one side only accuses neither side.

A gradient that is right on either side of a kink is right where the domain ends at it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from twins import fails, not_accused, passes, times

pytestmark = pytest.mark.kernels


def argmax_gradient(x: Any) -> Any:
    return np.eye(len(x))[np.argmax(x)]


def argmin_gradient(x: Any) -> Any:
    return np.eye(len(x))[np.argmin(x)]


def range_gradient(x: Any) -> Any:
    return (np.ptp(x) > 1) * (argmax_gradient(x) - argmin_gradient(x))


def huber(x: Any) -> Any:
    return np.sum(np.where(np.abs(x) <= 1, 0.5 * x**2, np.abs(x) - 0.5))


def second_largest_gradient(x: Any) -> Any:
    return np.eye(len(x))[np.argsort(-x, kind="stable")[1]]


def hinge(x: Any) -> Any:
    """The loss of a classifier with three classes, the first one right."""
    return np.maximum(np.max(1 + x[1:] - x[0]), 0)


def hinge_gradient(x: Any) -> Any:
    margins = 1 + x[1:] - x[0]
    if margins.max() <= 0:
        return np.zeros(len(x))
    return np.eye(len(x))[1 + np.argmax(margins)] - np.eye(len(x))[0]


def log_sum_exp(x: Any) -> Any:
    """Smooth, though its largest entry is taken out."""
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / e.sum()


class Edge(NamedTuple):
    """A function with a right gradient, points on the bounds of its domain, and one where it is smooth."""

    function: Callable[[Any], Any]
    gradient: Callable[[Any], Any]
    points: tuple[list[float], ...]
    bounds: tuple[float | None, float | None]
    inside: list[float]


EDGES = {
    "largest": Edge(np.max, argmax_gradient, ([3.0, 3.0], [3.0, 3.0, -3.0]), (-3, 3), [0.3, 2.1]),
    "square of the largest": Edge(
        lambda x: np.max(x) ** 2,
        lambda x: 2 * np.max(x) * argmax_gradient(x),
        ([3.0, 1.0, 3.0],),
        (-3, 3),
        [0.3, 2.1, -2.0],
    ),
    "hinge on a range": Edge(
        lambda x: np.maximum(np.max(x) - np.min(x) - 1, 0),
        range_gradient,
        ([3.0, 0.0, 3.0, 0.0], [3.0, 2.0, 2.5, 2.5]),
        (-3, 3),
        [0.3, 2.1, -2.0, 1.0],
    ),
    "clipped": Edge(
        lambda x: np.sum(np.clip(x, -1, 1)),
        lambda x: (np.abs(x) < 1).astype(float),
        ([1.0], [1.0, 1.0]),
        (1, 3),
        [1.5],
    ),
    "Huber": Edge(huber, lambda x: np.clip(x, -1, 1), ([1.0, -1.0], [1.0, 1.0]), (-1, 1), [0.4, -0.3]),
    "distance to a corner": Edge(
        lambda x: np.sum(np.abs(x - 1)),
        lambda x: np.sign(x - 1),
        ([1.0, 1.0], [1.0, 2.0]),
        (1, 2),
        [1.3, 1.7],
    ),
    "second largest": Edge(
        lambda x: np.sort(x)[-2],
        second_largest_gradient,
        ([2.0, 2.0, 2.0], [2.0, 2.0, 0.0], [0.0, 0.0, 2.0]),
        (0, 2),
        [0.3, 1.9, 1.1],
    ),
    "hinge loss": Edge(
        hinge, hinge_gradient, ([2.0, 1.0, 1.0], [1.0, 0.0, 0.0], [2.0, 2.0, 2.0]), (0, 2), [0.3, 1.1, 1.9]
    ),
    "leaky rectifier": Edge(
        lambda x: np.sum(np.where(x > 0, x, 0.1 * x)),
        lambda x: np.where(x > 0, 1.0, 0.1),
        ([0.0, 0.0], [0.0, 1.0]),
        (0, 1),
        [0.3, 0.6],
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_gradient_passes_where_the_domain_ends_at_a_kink(name: str) -> None:
    case = EDGES[name]
    # A tie of margins and the kink of the loss meet at the bound.
    check = not_accused if name == "hinge loss" else passes
    for point in case.points:
        check(case.function, np.array(point), gradient=case.gradient, domain=case.bounds)


@pytest.mark.parametrize("name", EDGES)
def test_away_from_the_bounds_right_passes_and_wrong_fails(name: str) -> None:
    case, point = EDGES[name], np.array(EDGES[name].inside)
    passes(case.function, point, gradient=case.gradient, domain=case.bounds)
    wrong = times(1.1, case.gradient) if case.gradient(point).any() else lambda x: 0.1 + 0 * x
    fails(case.function, point, gradient=wrong, domain=case.bounds)


@pytest.mark.parametrize(
    ("function", "gradient", "point", "bounds"),
    [
        pytest.param(np.max, argmax_gradient, [3.0, 1.0], (-3, 3), id="largest"),
        pytest.param(lambda x: np.sum(x**2), lambda x: 2 * x, [3.0, -3.0], (-3, 3), id="squares"),
        pytest.param(log_sum_exp, softmax, [3.0, 3.0, -3.0], (-3, 3), id="log-sum-exp"),
        pytest.param(
            lambda x: np.sum(np.sqrt(x)), lambda x: 0.5 / np.sqrt(x), [0.5, 2.0], (0.5, 2), id="roots"
        ),
        pytest.param(
            lambda x: np.sum(np.arcsin(x)),
            lambda x: (1 - x**2) ** -0.5,
            [0.9, -0.9],
            (-0.9, 0.9),
            id="arcsines",
        ),
    ],
)
def test_a_bound_where_the_function_is_smooth_hides_nothing(
    function: Callable[[Any], Any], gradient: Callable[[Any], Any], point: list[float], bounds: Any
) -> None:
    passes(function, np.array(point), gradient=gradient, domain=bounds)
    fails(function, np.array(point), gradient=times(1.1, gradient), domain=bounds)
    fails(function, np.array(point), gradient=times(-1, gradient), domain=bounds)


class Clamp(torch.autograd.Function):
    factor = 1.0

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        one = torch.tensor(1.0, dtype=x.dtype)
        return torch.minimum(torch.maximum(x, -one), one)

    @classmethod
    def backward(cls, ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return cls.factor * g * (ctx.saved_tensors[0].abs() < 1)


class WrongClamp(Clamp):
    factor = 1.1


def test_a_function_of_torch_that_ends_where_its_domain_ends() -> None:
    not_accused(Clamp.apply, torch.tensor([1.0, 0.5], dtype=torch.float64), domain=(-1, 1))
    passes(Clamp.apply, torch.tensor([0.2, 0.5], dtype=torch.float64), domain=(-1, 1))
    fails(WrongClamp.apply, torch.tensor([0.2, 0.5], dtype=torch.float64), "torch", domain=(-1, 1))
    fails(WrongClamp.apply, torch.tensor([1.0, 0.5], dtype=torch.float64), "torch", domain=(-1, 1))


# -- values that the engine cannot look into -----------------------------------------------------------


class Attach(torch.autograd.Function):
    """A value computed outside of torch, with its gradient attached."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        return None, None, ctx.saved_tensors[0] * g


def attached(
    value: Callable[[Any], Any], gradient: Callable[[Any], Any]
) -> Callable[[torch.Tensor], torch.Tensor]:
    def function(x: torch.Tensor) -> torch.Tensor:
        array = x.detach().numpy()
        return Attach.apply(
            torch.tensor(float(value(array)), dtype=x.dtype), torch.tensor(gradient(array)), x
        )

    return function


OUTSIDE = {
    "smallest": (np.min, argmin_gradient, [1.0, 1.0, 1.0], (1.0, 3.0), [1.2, 2.0, 2.9]),
    "largest": (np.max, argmax_gradient, [3.0, 3.0], (1.0, 3.0), [1.2, 2.0]),
    "rectifiers": (
        lambda x: np.maximum(x, 0).sum(),
        lambda x: (x > 0).astype(float),
        [0.0, 0.0],
        (0.0, 1.0),
        [0.2, 0.7],
    ),
    "rectifiers at zero": (
        lambda x: np.maximum(x, 0).sum(),
        lambda x: (x >= 0).astype(float),
        [0.0, 0.0],
        (-1.0, 0.0),
        [-0.2, -0.7],
    ),
    "largest magnitude": (
        lambda x: np.abs(x).max(),
        lambda x: np.sign(x) * np.eye(len(x))[np.argmax(np.abs(x))],
        [-2.0, 2.0],
        (-2.0, 2.0),
        [-0.2, 1.5],
    ),
    "cheapest transport": (
        # Both plans cost the same at equal costs.
        lambda x: min(x[0] + x[3], x[1] + x[2]) / 2,
        lambda x: (
            np.array([1.0, 0, 0, 1]) / 2 if x[0] + x[3] <= x[1] + x[2] else np.array([0, 1.0, 1, 0]) / 2
        ),
        [0.0, 0.0, 0.0, 0.0],
        (0.0, 10.0),
        [1.0, 2.0, 3.0, 0.5],
    ),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_engine_that_cannot_see_in_has_no_vote(name: str) -> None:
    value, gradient, point, bounds, inside = OUTSIDE[name]
    right, wrong = attached(value, gradient), attached(value, lambda x: 1.1 * gradient(x) + 0.01)
    not_accused(right, torch.tensor(point, dtype=torch.float64), domain=bounds)
    passes(right, torch.tensor(inside, dtype=torch.float64), domain=bounds)
    fails(wrong, torch.tensor(inside, dtype=torch.float64), "torch", domain=bounds)


# -- smooth across the edge ----------------------------------------------------------------------------

#: Functions that are smooth across the edges of their domains, and points with an entry at an edge.
ACROSS = {
    "exponential": (lambda x: x.exp(), [[-2.0, 0.5], [1.0, 3.0]], (-2.0, 3.0)),
    "square": (lambda x: x * x + x, [0.2, 1.0, 0.3], (0.0, 1.0)),
    "entropy of two": (lambda x: (x + 1) * (x + 1).log(), [0.0, 0.5], (0.0, 1.0)),
    "product": (lambda x: x.cumprod(-1), [2.0, 1.0, 3.0], (1.0, 3.0)),
}


@pytest.mark.parametrize("name", ACROSS)
def test_a_gradient_that_is_wrong_at_an_edge_alone_fails(name: str) -> None:
    function, entries, (low, high) = ACROSS[name]
    point = torch.tensor(entries, dtype=torch.float64)

    class OffAtTheEdge(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return function(x)

        @staticmethod
        def backward(ctx: Any, cotangent: torch.Tensor) -> torch.Tensor:
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                y = x.detach().requires_grad_()
                (right,) = torch.autograd.grad(function(y), y, cotangent)
            return right * ((x > low) & (x < high))

    passes(function, point, domain=(low, high))
    fails(OffAtTheEdge.apply, point, "torch", domain=(low, high))


def test_no_function_that_hides_its_code_is_called_beyond_its_domain() -> None:
    seen: list[float] = []

    def hidden(x: Any) -> float:
        seen.extend(float(v) for v in x)
        return math.fsum(math.exp(float(v)) for v in x)

    point = np.array([0.0, 0.5])
    not_accused(hidden, point, gradient=lambda x: np.exp(x) * (x > 0), domain=(0.0, 1.0))
    assert min(seen) >= 0.0
    assert max(seen) <= 1.0
