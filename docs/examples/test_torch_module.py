"""A torch module in float32. Its parameters are inputs of the check under their own names."""

import pytest
import torch
from hypothesis import strategies as st

from pytest_gradcheck import tensors


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(3, 5)
        self.norm = torch.nn.LayerNorm(5)
        self.out = torch.nn.Linear(5, 2)

    def forward(self, x):
        return self.out(torch.nn.functional.silu(self.norm(self.hidden(x))))


def build():
    torch.manual_seed(0)
    return Classifier()


# A generated module is an input with all its parameters; a module from a fixture would be a constant.
@pytest.mark.gradcheck(
    model=st.builds(build), x=tensors((4, 3), dtype=torch.float32, min_value=-2, max_value=2)
)
def test_training_loss(model, x):
    labels = torch.tensor([0, 1, 1, 0])
    return torch.nn.functional.cross_entropy(model(x), labels)


def test_last_layer_alone(gradcheck):
    gradcheck(build(), torch.ones(4, 3), wrt=["out.weight", "out.bias"])
