"""A custom activation: an autograd.Function with a hand-written backward, checked to second order.

PLANT_FAULT=1 drops one of the two terms of the product rule.
"""

import os

import pytest
import torch

from pytest_gradcheck import tensors

PLANT_FAULT = os.environ.get("PLANT_FAULT") == "1"


class Swish(torch.autograd.Function):
    """x · sigmoid(x), keeping only x for the backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        slope = s + x * s * (1 - s)
        if PLANT_FAULT:
            slope = s
        return grad_output * slope


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-6, max_value=6), order=2)
def test_swish(x):
    return Swish.apply(x)


@pytest.mark.gradcheck(x=tensors((2, 3), dtype=torch.float32, min_value=-6, max_value=6))
def test_swish_in_float32(x):
    return Swish.apply(x)
