"""entmax: sparse relatives of softmax, and their losses, with hand-written backwards."""

import pytest
import torch
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import tensors

entmax = outside("entmax")

pytestmark = MARKS

scores = tensors((2, 4))
TARGET = torch.tensor([0, 2])


@pytest.mark.gradcheck(x=scores)
@pytest.mark.parametrize(
    "function", [entmax.sparsemax, entmax.entmax15, entmax.sparsemax_bisect, entmax.entmax_bisect]
)
@settings(max_examples=20)
def test_mapping(function, x):
    return function(x, dim=-1)


@pytest.mark.gradcheck(x=scores)
@pytest.mark.parametrize("function", [entmax.normmax_bisect, entmax.budget_bisect])
@settings(max_examples=5)
def test_mapping_by_bisection(function, x):
    return function(x, dim=-1)


@pytest.mark.gradcheck(x=scores)
@pytest.mark.parametrize(
    "function",
    [
        entmax.sparsemax_loss,
        entmax.entmax15_loss,
        entmax.sparsemax_bisect_loss,
        entmax.entmax_bisect_loss,
    ],
)
@settings(max_examples=20)
def test_loss(function, x):
    return function(x, TARGET)
