"""Functions that torch has no gradient of, or gives it in one way only: nobody's gradient is wrong there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from pytest_gradcheck import check_gradients

X = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=torch.float64)
WEIGHT = torch.tensor([[0.2, -0.3, 0.5], [0.7, 0.1, -0.6], [-0.4, 0.9, 0.3]], dtype=torch.float64)

# torch warns when a checkpointed function is called without a gradient, as differences do.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")


def reentrant(x: Any) -> Any:
    return checkpoint(lambda x: torch.tanh(x @ WEIGHT), x, use_reentrant=True)


class Doubled(torch.autograd.Function):  # type: ignore[misc]  # torch is any here
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 2 * g


def test_a_reentrant_checkpoint_is_checked_by_a_plain_backward() -> None:
    result = check_gradients(reentrant, X)
    assert result.verdict == "pass", str(result)
    assert result.methods["torch"].status == "ok"


def test_a_wrong_gradient_inside_of_one_is_still_found() -> None:
    def wrong(x: Any) -> Any:
        return checkpoint(lambda x: Doubled.apply(torch.tanh(x)), x, use_reentrant=True)

    result = check_gradients(wrong, X)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "constant-factor")


def test_the_gradient_that_an_input_had_is_put_back() -> None:
    x = X.clone().requires_grad_()
    x.grad = torch.ones_like(x)
    assert check_gradients(reentrant, x).verdict == "pass"
    assert bool((x.grad == 1).all())


def test_its_second_derivative_does_not_exist() -> None:
    result = check_gradients(reentrant, X, order=2)
    assert (result.verdict, result.culprit) == ("inconclusive", None), str(result)
    assert result.diagnosis.code == "not-implemented"
    assert result.methods["torch"].status == "unavailable"


def attention(q: Any, k: Any, v: Any) -> Any:
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return functional.scaled_dot_product_attention(q, k, v)


def test_a_fused_kernel_without_a_second_derivative() -> None:
    draw = torch.Generator().manual_seed(0)
    inputs = tuple(torch.randn(1, 2, 4, 8, generator=draw) for _ in range(3))
    assert check_gradients(attention, inputs).verdict == "pass"
    result = check_gradients(attention, inputs, order=2)
    assert (result.verdict, result.culprit, result.diagnosis.code) == (
        "inconclusive",
        None,
        "not-implemented",
    ), str(result)
    assert "is not implemented" in str(result.methods["torch"].reason)


def test_what_is_not_implemented_is_not_passed_on_the_word_of_others() -> None:
    # The reference engine and differences agree on the second derivative; it is torch's that was asked for.
    result = check_gradients(reentrant, X, order=2)
    assert result.methods["reference"].status == "ok"
    assert result.verdict == "inconclusive"


def test_differences_alone_check_nothing_here_either() -> None:
    result = check_gradients(reentrant, X, order=2, methods=("central", "torch"))
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "not-implemented")
