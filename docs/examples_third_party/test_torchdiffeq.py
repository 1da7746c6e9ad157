"""torchdiffeq: gradients of an ODE's solution by the adjoint method, a custom autograd.Function."""

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st

from pytest_gradcheck import tensors

torchdiffeq = pytest.importorskip("torchdiffeq", reason="needs torchdiffeq, which the test extra installs")


class Spiral(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.tensor([[-0.1, 2.0], [-2.0, -0.1]], dtype=torch.float64))

    def forward(self, t, y):
        return torch.tanh(y) @ self.matrix


# The adjoint is the derivative of the solution. Finite differences and the reference engine differentiate the
# solver's steps. The two agree up to the error of the solver, and rtol= allows for it. Differences at the
# bounds are one-sided and less exact, so special=False generates no inputs there.
@pytest.mark.gradcheck(
    ode=st.builds(Spiral), y0=tensors((1, 2), min_value=0.5, max_value=2, special=False), rtol=1e-5
)
@settings(max_examples=3)
def test_adjoint(ode, y0):
    times = torch.linspace(0.0, 1.0, 3, dtype=torch.float64)
    return torchdiffeq.odeint_adjoint(ode, y0, times, rtol=1e-9, atol=1e-9)
