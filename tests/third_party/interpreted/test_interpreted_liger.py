"""liger-kernel: Triton kernels for training language models, under Triton's interpreter.

The interpreter passes numbers on as Python's, without ``to``, and does not run libdevice. That leaves out the
kernels that cast such a number or call tanh: RMS norm, layer norm, group norm, SwiGLU, GEGLU, KL divergence.
"""

import pytest
import torch
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import check_gradients

liger = outside("liger_kernel.ops")
F = torch.nn.functional

pytestmark = MARKS

LABELS = torch.tensor([2, 0, -100, 5])


def drawn(*shape, seed=0):
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 1.5


def cross_entropy(x):
    # It writes the gradient into its argument, which nothing else in a model uses.
    return liger.LigerCrossEntropyFunction.apply(x.clone(), LABELS, None)[0]


def fused_linear_cross_entropy(x, weight):
    return liger.LigerFusedLinearCrossEntropyFunction.apply(x, weight, LABELS)[0]


ANGLES = drawn(1, 3, 4, seed=9).repeat(1, 1, 2)


def rope(q, k):
    return liger.LigerRopeFunction.apply(q, k, ANGLES.cos(), ANGLES.sin())


def eager_rope(q, k):
    def turned(x):
        a, b = x.chunk(2, -1)
        return x * ANGLES.cos().to(x.dtype) + torch.cat([-b, a], -1) * ANGLES.sin().to(x.dtype)

    return turned(q), turned(k)


def eager_sparsemax(x):
    ordered = x.sort(-1, descending=True).values
    sums = ordered.cumsum(-1) - 1
    count = (ordered * torch.arange(1, x.shape[-1] + 1) > sums).sum(-1, keepdim=True)
    return torch.relu(x - sums.gather(-1, count - 1) / count)


KERNELS = {
    "softmax": (liger.LigerSoftmaxFunction.apply, lambda x: x.softmax(-1), (drawn(3, 6),)),
    "sparsemax": (lambda x: liger.LigerSparsemaxFunction.apply(x, -1), eager_sparsemax, (drawn(3, 6),)),
    "cross entropy": (cross_entropy, lambda x: F.cross_entropy(x, LABELS), (drawn(4, 6),)),
    "fused linear cross entropy": (
        fused_linear_cross_entropy,
        lambda x, w: F.cross_entropy(x @ w.T, LABELS),
        (drawn(4, 3), drawn(6, 3, seed=1)),
    ),
    "squared ReLU": (liger.LigerReLUSquaredFunction.apply, lambda x: F.relu(x) ** 2, (drawn(3, 6),)),
    "RoPE": (rope, eager_rope, (drawn(1, 2, 3, 8), drawn(1, 2, 3, 8, seed=1))),
}

IN_PLACE = ("cross entropy",)


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_with_an_oracle(name):
    kernel, eager, inputs = KERNELS[name]
    result = check_gradients(kernel, inputs, oracle=eager)
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_without_an_oracle(name):
    kernel, _, inputs = KERNELS[name]
    result = check_gradients(kernel, inputs, properties=() if name in IN_PLACE else "default")
    assert result.verdict == "pass", str(result)


# It saves memory so: the gradient is where the logits were, and a second backward pass scales it again.
@pytest.mark.parametrize("name", IN_PLACE)
def test_kernel_that_writes_into_its_argument(name):
    kernel, _, inputs = KERNELS[name]
    assert_fault(check_gradients(kernel, inputs), "mutated-input")
