"""Gradients that are zero but for rounding: a bias right before a batch norm moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.kernels

DTYPES = [torch.float64, torch.float32]


def points(dtype: torch.dtype, channels: int, width: int, size: int) -> tuple[Any, Any, Any]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(4, channels, size, size, generator=draw, dtype=dtype)
    weight = torch.randn(width, channels, 3, 3, generator=draw, dtype=dtype) / channels**0.5
    return x, weight, torch.randn(width, generator=draw, dtype=dtype)


def block(x: Any, weight: Any, bias: Any) -> Any:
    return functional.batch_norm(functional.conv2d(x, weight, bias), None, None, training=True)


def energy(x: Any, weight: Any, bias: Any) -> Any:
    return functional.gelu(block(x, weight, bias)).pow(2).sum()


def network(width: int, dtype: torch.dtype) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, width, 3),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
            torch.nn.Conv2d(width, width, 3),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(width, 5),
        ).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("function", [block, energy])
@pytest.mark.parametrize("sizes", [(2, 3, 5), (3, 32, 16), (16, 64, 16)], ids=str)
def test_a_bias_before_a_batch_norm(
    function: Callable[..., Any], sizes: tuple[int, int, int], dtype: torch.dtype
) -> None:
    result = check_gradients(function, points(dtype, *sizes))
    assert result.verdict == "pass", str(result)
    assert not result.not_checked
    # Nothing was searched: a closer look at every entry costs thousands.
    assert result.evaluations < 1500


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("width", [32, 64])
def test_two_of_them_in_a_network(width: int, dtype: torch.dtype) -> None:
    result = check_gradients(network(width, dtype), points(dtype, 3, 1, 16)[0])
    assert result.verdict == "pass", str(result)
    assert not [n for n in result.not_checked if "small entries" in n.what]
    assert result.evaluations < 200


class Biased(torch.autograd.Function):  # type: ignore[misc]  # torch is any here
    """Adds a bias whose gradient is off by a part of a cotangent."""

    @staticmethod
    def forward(ctx: Any, x: Any, bias: Any, part: float) -> Any:
        ctx.part = part
        return x + bias[:, None, None]

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g, g.sum((0, 2, 3)) + ctx.part * g[0, :, 0, 0].abs().max(), None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("part", [1.0, 1e-2])
@pytest.mark.parametrize("sizes", [(2, 3, 5), pytest.param((3, 32, 16), marks=pytest.mark.sweep)], ids=str)
def test_one_that_is_not_zero_fails(sizes: tuple[int, int, int], part: float, dtype: torch.dtype) -> None:
    def wrong(x: Any, weight: Any, bias: Any) -> Any:
        y = Biased.apply(functional.conv2d(x, weight), bias, part)
        return functional.gelu(functional.batch_norm(y, None, None, training=True)).pow(2).sum()

    result = check_gradients(wrong, points(dtype, *sizes))
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert result.worst is not None
    assert result.worst.input == "bias"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_gradient_that_is_small_beside_the_value_is_none_of_them(dtype: torch.dtype) -> None:
    class Doubled(torch.autograd.Function):  # type: ignore[misc]  # as above
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x + 1e6

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 4 * g * ctx.saved_tensors[0]

    x = torch.tensor([0.1, -0.2, 0.3], dtype=dtype)
    result = check_gradients(Doubled.apply, x)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
