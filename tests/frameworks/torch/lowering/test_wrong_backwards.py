"""Custom Functions of both styles: reference and torch alone tell a wrong backward from a right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_gradcheck import CheckResult, check_gradients

pytestmark = pytest.mark.kernels

torch = pytest.importorskip("torch")

# ---------------------------------------------------------------------- one forward, several backwards


def value(x: Any, y: Any) -> Any:
    return x * y + x.sin()


def right(g: Any, x: Any, y: Any) -> Any:
    return g * (y + x.cos()), g * x


def sign(g: Any, x: Any, y: Any) -> Any:
    return -g * (y + x.cos()), g * x


def factor(g: Any, x: Any, y: Any) -> Any:
    return 1.01 * g * (y + x.cos()), g * x


def missing_term(g: Any, x: Any, y: Any) -> Any:
    return g * y, g * x


def second_input(g: Any, x: Any, y: Any) -> Any:
    return g * (y + x.cos()), 1.01 * g * x


def double_backward(g: Any, x: Any, y: Any) -> Any:
    return g * (y + x.detach().cos()), g * x


WRONG = [sign, factor, missing_term, second_input]


def old_style(backward: Callable[..., Any]) -> Any:
    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            return value(x, y)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return backward(g, *ctx.saved_tensors)

    return Old.apply


def new_style(backward: Callable[..., Any]) -> Any:
    class New(torch.autograd.Function):
        @staticmethod
        def forward(x: Any, y: Any) -> Any:
            return value(x, y)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return backward(g, *ctx.saved_tensors)

    return New.apply


# ---------------------------------------------------------------------- what is kept, and changed afterwards


def kept_in_old_style(keep: Callable[[Any], Any]) -> Any:
    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            root = x.sqrt()
            # Not through save_for_backward, which would notice the change.
            ctx.root = keep(root)
            result = root * 3
            root.mul_(2)
            return result

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 3 * g / (2 * ctx.root)

    return Old.apply


def kept_in_new_style(keep: Callable[[Any], Any]) -> Any:
    class New(torch.autograd.Function):
        @staticmethod
        def forward(x: Any) -> Any:
            return x.exp()

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.output = keep(output.detach())

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.output

    return lambda x: New.apply(x).mul_(2)


STYLES = pytest.mark.parametrize("style", [old_style, new_style])
KEPT = pytest.mark.parametrize("kept", [kept_in_old_style, kept_in_new_style])
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def check(fn: Any, dtype: Any, inputs: int, order: int = 1) -> CheckResult:
    points = ([0.3, 1.7, 2.2], [1.1, -0.4, 0.6])
    tensors = tuple(torch.tensor(point, dtype=dtype) for point in points[:inputs])
    return check_gradients(fn, tensors, methods=("reference", "torch"), order=order)


@DTYPES
@STYLES
def test_a_right_backward_passes(style: Any, dtype: Any) -> None:
    result = check(style(right), dtype, 2, order=2)
    assert result.verdict == "pass", str(result)


@DTYPES
@STYLES
@pytest.mark.parametrize("backward", WRONG)
def test_a_wrong_backward_is_caught(style: Any, backward: Any, dtype: Any) -> None:
    result = check(style(backward), dtype, 2)
    assert result.verdict == "fail", str(result)
    assert result.worst is not None
    assert result.worst.input == ("y" if backward is second_input else "x"), str(result)


@DTYPES
@STYLES
def test_one_that_is_wrong_in_the_double_backward_only(style: Any, dtype: Any) -> None:
    fn = style(double_backward)
    assert check(fn, dtype, 2).verdict == "pass"
    result = check(fn, dtype, 2, order=2)
    assert result.verdict == "fail", str(result)


@DTYPES
@KEPT
def test_what_was_changed_after_it_was_kept(kept: Any, dtype: Any) -> None:
    result = check(kept(lambda t: t), dtype, 1)
    assert result.verdict == "fail", str(result)
    assert check(kept(torch.clone), dtype, 1).verdict == "pass"
