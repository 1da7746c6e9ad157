"""entmax: sparse relatives of softmax, as custom autograd.Functions that nobody here wrote."""

import pytest
import torch
from hypothesis import settings

from pytest_gradcheck import tensors

entmax = pytest.importorskip("entmax", reason="needs entmax, which the test extra installs")

# Where a result is found by search, or by sorting and cutting off, the derivative of the steps is not the
# derivative of the result: that is why these functions have a backward of their own. The reference engine
# differentiates the steps, so it is no witness here; differences are.
WITNESSES = ("central", "forward", "torch")

scores = tensors((2, 4))


@pytest.mark.gradcheck(x=scores, methods=WITNESSES)
@pytest.mark.parametrize("function", [entmax.sparsemax, entmax.entmax15, entmax.entmax_bisect])
@settings(max_examples=5)
def test_mapping(function, x):
    return function(x, dim=-1)


@pytest.mark.gradcheck(x=scores, methods=WITNESSES)
@pytest.mark.parametrize("function", [entmax.sparsemax_loss, entmax.entmax15_loss])
@settings(max_examples=5)
def test_loss(function, x):
    return function(x, torch.tensor([0, 2]))
