"""A deliberately wrong backward. Running this file fails, by design: it shows what a failure looks like."""

import math

import pytest
import torch

from pytest_gradcheck import tensors

SCALE = math.sqrt(2 / math.pi)


class Gelu(torch.autograd.Function):
    """The tanh form of GELU."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * x * (1 + torch.tanh(SCALE * (x + 0.044715 * x**3)))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        t = torch.tanh(SCALE * (x + 0.044715 * x**3))
        # The mistake: the derivative of x**3 is 3 * x**2, and the 3 is missing here.
        inner = SCALE * (1 + 0.044715 * x**2)
        return grad_output * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner)


@pytest.mark.gradcheck(x=tensors(4, min_value=-4, max_value=4))
def test_gelu(x):
    return Gelu.apply(x)
