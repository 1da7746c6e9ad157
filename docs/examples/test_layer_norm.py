"""A layer norm fused into one autograd.Function, in float32. It saves only the normalised input.

PLANT_FAULT=1 ignores that the scale of a row depends on its entries.
"""

import os

import pytest
import torch

from pytest_gradcheck import tensors

PLANT_FAULT = os.environ.get("PLANT_FAULT") == "1"

EPSILON = 1e-3


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        centred = x - x.mean(dim=-1, keepdim=True)
        rstd = torch.rsqrt((centred * centred).mean(dim=-1, keepdim=True) + EPSILON)
        normalised = centred * rstd
        ctx.save_for_backward(normalised, rstd, weight)
        return normalised * weight + bias

    @staticmethod
    def backward(ctx, grad_output):
        normalised, rstd, weight = ctx.saved_tensors
        by_normalised = grad_output * weight
        by_mean = by_normalised.mean(dim=-1, keepdim=True)
        by_scale = normalised * (by_normalised * normalised).mean(dim=-1, keepdim=True)
        if PLANT_FAULT:
            by_scale = 0.0
        rows = tuple(range(grad_output.dim() - 1))
        return (
            rstd * (by_normalised - by_mean - by_scale),
            (grad_output * normalised).sum(dim=rows),
            grad_output.sum(dim=rows),
        )


def float32(*shape):
    return tensors(shape, dtype=torch.float32, min_value=-3, max_value=3)


@pytest.mark.gradcheck(x=float32(2, 4), weight=float32(4), bias=float32(4))
def test_layer_norm(x, weight, bias):
    return LayerNorm.apply(x, weight, bias)


def test_the_value_is_that_of_torch():
    x = torch.tensor([[0.5, -1.0, 2.0, 0.25], [3.0, 1.0, -2.0, 0.0]])
    weight, bias = torch.tensor([1.0, 2.0, -1.0, 0.5]), torch.tensor([0.0, 1.0, 0.5, -1.0])
    expected = torch.nn.functional.layer_norm(x, (4,), weight, bias, EPSILON)
    torch.testing.assert_close(LayerNorm.apply(x, weight, bias), expected)
