"""entmax: sparse alternatives to softmax, third-party custom autograd.Functions."""

import pytest
import torch
from hypothesis import settings

from pytest_gradcheck import tensors

entmax = pytest.importorskip("entmax", reason="needs entmax, which the test extra installs")

scores = tensors((2, 4))


# If a result comes from a search, or from sorting and truncation, the derivative of the steps may differ from
# the derivative of the result at single points. The reference engine differentiates the steps. At such a
# point, it disagrees with torch and the differences, and the report names it as the culprit.
@pytest.mark.gradcheck(x=scores)
@pytest.mark.parametrize("function", [entmax.sparsemax, entmax.entmax15, entmax.entmax_bisect])
@settings(max_examples=10)
def test_mapping(function, x):
    return function(x, dim=-1)


@pytest.mark.gradcheck(x=scores)
@pytest.mark.parametrize("function", [entmax.sparsemax_loss, entmax.entmax15_loss])
@settings(max_examples=10)
def test_loss(function, x):
    return function(x, torch.tensor([0, 2]))
