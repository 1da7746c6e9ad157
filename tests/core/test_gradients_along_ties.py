"""Gradients that hold entry by entry and not along a tie: (0, 1, 1) at a maximum that two numbers share.

Along (0, 1, 1) the slope is one on both sides, and this gradient says two. Shares that add up to one, and the
whole for one of the tied entries, are right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from twins import fails, not_accused, passes

from pytest_gradcheck import check_gradients
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels


class Tied(NamedTuple):
    """A function with ``gradient(x, share)``, tied points, and one without ties.

    ``share`` weighs a mask of tied entries.
    """

    function: Callable[[Any], Any]
    gradient: Callable[[Any, Callable[[Any], Any]], Any]
    tied: tuple[list[float], ...]
    apart: list[float]


def first(mask: Any) -> Any:
    return np.eye(len(mask))[np.argmax(mask)]


def shared(mask: Any) -> Any:
    return mask / mask.sum()


def twice(mask: Any) -> Any:
    return mask.astype(float)


def second_largest(x: Any) -> Any:
    return np.sort(x)[-2]


TIES = {
    "largest": Tied(
        np.max,
        lambda x, share: share(x == x.max()),
        ([0.0, 1.0, 1.0], [2.0, 2.0, 2.0], [0.0, 0.0]),
        [0.3, 1.0, -2.0],
    ),
    "smallest": Tied(
        np.min, lambda x, share: share(x == x.min()), ([0.0, 1.0, 0.0], [-2.0, -2.0]), [0.3, 1.0, -2.0]
    ),
    "largest magnitude": Tied(
        lambda x: np.max(np.abs(x)),
        lambda x, share: np.sign(x) * share(np.abs(x) == np.abs(x).max()),
        ([0.5, 2.0, -2.0], [1.0, 1.0]),
        [0.3, 1.0, -2.0],
    ),
    "range": Tied(
        np.ptp,
        lambda x, share: share(x == x.max()) - share(x == x.min()),
        ([0.0, 1.0, 1.0],),
        [0.3, 1.0, -2.0],
    ),
    "square of the largest": Tied(
        lambda x: np.max(x) ** 2,
        lambda x, share: 2 * x.max() * share(x == x.max()),
        ([0.0, 1.0, 1.0], [2.0, 2.0]),
        [0.3, 1.0, -2.0],
    ),
    "pooling": Tied(
        lambda x: np.max(x[:2]) + np.max(x[2:]),
        lambda x, share: np.concatenate([share(x[:2] == x[:2].max()), share(x[2:] == x[2:].max())]),
        ([1.0, 1.0, 0.5, 2.0], [2.0, 2.0, 2.0, 2.0]),
        [0.3, 1.0, -2.0, 0.7],
    ),
    "distance of Chebyshev": Tied(
        lambda x: np.max(np.abs(x - np.array([1.0, 0.0, 0.0]))),
        lambda x, share: (
            np.sign(x - np.array([1.0, 0.0, 0.0]))
            * share(np.abs(x - np.array([1.0, 0.0, 0.0])) == np.abs(x - np.array([1.0, 0.0, 0.0])).max())
        ),
        ([2.0, 1.0, 1.0], [2.0, 1.0, 0.0]),
        [0.3, 1.5, -2.0],
    ),
}


@pytest.mark.parametrize("share", [first, shared], ids=["one of them", "shared"])
@pytest.mark.parametrize("name", TIES)
def test_right_gradients_at_ties_pass(name: str, share: Callable[[Any], Any]) -> None:
    case = TIES[name]
    for point in (*case.tied, case.apart):
        passes(case.function, np.array(point), gradient=lambda x: case.gradient(x, share))


@pytest.mark.parametrize("name", TIES)
def test_a_tie_counted_twice_fails(name: str) -> None:
    case = TIES[name]
    for point in case.tied:
        fails(case.function, np.array(point), gradient=lambda x: case.gradient(x, twice))
    # It is right where nothing is tied.
    passes(case.function, np.array(case.apart), gradient=lambda x: case.gradient(x, twice))


@pytest.mark.parametrize("name", TIES)
def test_a_tie_counted_not_at_all_fails(name: str) -> None:
    case = TIES[name]
    none = case.gradient(np.array(case.tied[0]), lambda mask: 0.0 * mask)
    if name != "largest magnitude" or none.any():
        fails(case.function, np.array(case.tied[0]), gradient=lambda x: none)


def test_away_from_ties_wrong_gradients_fail() -> None:
    for case in TIES.values():
        fails(
            case.function, np.array(case.apart), gradient=lambda x, case=case: 1.1 * case.gradient(x, first)
        )


class Max(torch.autograd.Function):
    """The maximum, with the whole gradient for every tied entry."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.max()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return g * (x == x.max())


class MaxShared(Max):
    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        tied = (x == x.max()).to(g.dtype)
        return g * tied / tied.sum()


class RowMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.amax(1)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return g[:, None] * (x == x.amax(1, keepdim=True))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_function_of_torch_that_counts_a_tie_twice(dtype: torch.dtype) -> None:
    tied, apart = torch.tensor([0.0, 1.0, 1.0], dtype=dtype), torch.tensor([0.3, 1.0, -2.0], dtype=dtype)
    fails(Max.apply, tied, "torch")
    passes(Max.apply, apart)
    passes(MaxShared.apply, tied)
    passes(torch.max, tied)
    passes(torch.amax, tied)
    rows = torch.tensor([[0.0, 1.0, 1.0], [0.3, 1.0, -2.0]], dtype=dtype)
    fails(RowMax.apply, rows, "torch")
    passes(lambda x: x.amax(1), rows)
    passes(lambda x: x.max(1).values, rows)


def test_two_inputs_that_are_tied() -> None:
    x, y = np.array([1.0, 0.3]), np.array([1.0, -2.0])
    passes(np.maximum, (x, y), vjp=lambda x, y, g: (g * (x >= y), g * (x < y)))
    passes(
        np.maximum,
        (x, y),
        vjp=lambda x, y, g: (g * ((x > y) + 0.5 * (x == y)), g * ((x < y) + 0.5 * (x == y))),
    )
    fails(np.maximum, (x, y), vjp=lambda x, y, g: (g * (x >= y), g * (x <= y)))
    fails(np.maximum, (x, y), vjp=lambda x, y, g: (g * (x > y), g * (x < y)))


def test_an_output_each_at_a_kink_of_its_own() -> None:
    """A cotangent that mixes outputs may leave the interval, though every row is right."""
    x = np.zeros(3)
    for slope in (0.0, 0.5, 1.0):
        passes(lambda x: np.maximum(x, 0), x, vjp=lambda x, g, slope=slope: g * slope)
    passes(lambda x: np.maximum(x, 0), x, vjp=lambda x, g: g * np.array([0.0, 1.0, 0.3]))
    fails(lambda x: np.maximum(x, 0), x, vjp=lambda x, g: g * 1.1)


def second_gradient(x: Any) -> Any:
    return np.eye(len(x))[np.argsort(-x, kind="stable")[1]]


def median_gradient(x: Any) -> Any:
    """The first of the entries that are the median, for an odd number of them."""
    return np.eye(len(x))[np.argsort(x, kind="stable")[len(x) // 2]]


def median_shared(x: Any) -> Any:
    return shared(x == np.median(x))


def test_the_middle_of_equal_numbers_moves_with_none_of_them() -> None:
    """Partial derivatives of zero exist, and the derivative does not: (1, 1, 1) moves the median by one."""
    same = np.array([1.0, 1.0, 1.0])
    not_accused(second_largest, same, gradient=second_gradient)
    not_accused(np.median, 2 * same, gradient=median_gradient)
    for gradient in (median_gradient, median_shared):
        not_accused(np.median, same, gradient=gradient)
        passes(np.median, np.array([1.0, 1.0, 0.0]), gradient=gradient)
        passes(np.median, np.array([1.0, 0.3, -2.0]), gradient=gradient)
    for point in (same, 2 * same, np.array([1.0, 1.0, 0.0])):
        fails(np.median, point, gradient=lambda x: (x == np.median(x)).astype(float))
        fails(np.median, point, gradient=lambda x: 0 * x)
    apart = np.array([0.3, 1.0, -2.0])
    passes(second_largest, apart, gradient=second_gradient)
    fails(second_largest, apart, gradient=lambda x: np.array([0.0, 1.0, 0.0]))


# -- one of many tied numbers --------------------------------------------------------------------------


def in_order(x: torch.Tensor) -> torch.Tensor:
    return x.sort(-1).values


#: Functions that one of many tied numbers alone moves, with the numbers that are tied in their last axis.
RANKED = {
    "median": (lambda x: x.median(-1).values, [[-0.0] * 4, [-0.0] * 4, [-0.0, -0.0, -0.0, 1.0]]),
    "median of large numbers": (lambda x: x.median(-1).values, [[3e4] * 4] * 3),
    "median next to one": (lambda x: x.median(-1).values, [[-1.0, 3e6, 3e6, 3e6], [3e6] * 4, [1.0] * 4]),
    "sorted": (in_order, [[7.3] * 4] * 3),
    "some sorted": (in_order, [[0.0, 1e-3, 1e-3, 0.034], [1e-3, 1e-3, 0.0, 0.0], [0.0] * 4]),
    "second largest": (lambda x: x.topk(2).values[..., 1], [[2.0] * 6, [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]]),
    "middle two": (
        lambda x: x.sort(-1).values[..., 2:4].sum(-1),
        [[0.5] * 6, [1.0, 1.0, 1.0, 1.0, 1.0, 3.0]],
    ),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", RANKED)
def test_a_rank_among_many_tied_numbers_passes(name: str, dtype: torch.dtype) -> None:
    function, point = RANKED[name]
    for seed in range(3):
        not_accused(function, torch.tensor(point, dtype=dtype), seed=seed)


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_a_rank_that_is_wrong_among_tied_numbers_fails(name: str, factor: float) -> None:
    function, point = RANKED[name]
    wrong = corrupt(function, lambda grads: [factor * g for g in grads])
    fails(wrong, torch.tensor(point, dtype=torch.float64), "torch")


def test_a_small_number_next_to_a_large_one_has_a_neighbourhood_of_its_own() -> None:
    for large in (7e8, 1e8, 3e5):
        x = torch.zeros(3, 4, dtype=torch.float64)
        x[0, 0], x[0, 2], x[2, 3] = -1.0, large, 1.0
        passes(lambda x: x.clamp(-1, 1), x)
        wrong = corrupt(lambda x: x.clamp(-1, 1), lambda grads: [2 * g for g in grads])
        fails(wrong, x, "torch")


def test_slopes_that_are_rounding_excuse_nothing() -> None:
    """Of a function that runs in float32 alone, slopes over short steps are noise, and no kink."""
    torch.manual_seed(0)
    weight = torch.randn(5, 5)

    def run(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.layer_norm(x.float() @ weight, (5,)))

    x = torch.randn(4, 5)
    assert check_gradients(run, x).verdict == "pass"
    fails(corrupt(run, lambda grads: [1.02 * g for g in grads]), x, "torch")
