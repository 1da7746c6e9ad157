"""torchsde: solvers of stochastic differential equations, and their adjoints."""

import pytest
import torch
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import tensors

torchsde = outside("torchsde")

pytestmark = MARKS

TIMES = torch.linspace(0.0, 1.0, 3, dtype=torch.float64)


class Brownian(torch.nn.Module):
    noise_type = "diagonal"
    sde_type = "stratonovich"

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def f(self, t, y):
        return -self.rate * y

    def g(self, t, y):
        return 0.2 * torch.ones_like(y)


@pytest.mark.gradcheck(
    y0=tensors((1, 2), min_value=-2, max_value=2), rate=tensors((), min_value=0.1, max_value=2)
)
@settings(max_examples=5)
def test_sdeint(y0, rate):
    noise = torchsde.BrownianInterval(0.0, 1.0, size=(1, 2), dtype=y0.dtype, entropy=3)
    return torchsde.sdeint(Brownian(rate), y0, TIMES, bm=noise, method="midpoint", dt=0.25)


class Drifting(torch.nn.Module):
    noise_type = "diagonal"
    sde_type = "stratonovich"

    def f(self, t, y):
        return -0.5 * y

    def g(self, t, y):
        return 0.2 * torch.ones_like(y)


# The adjoint is the derivative of the solution, up to the error of the solver.
@pytest.mark.gradcheck(y0=tensors((1, 2), min_value=-2, max_value=2), rtol=1e-3)
@settings(max_examples=3)
def test_sdeint_adjoint(y0):
    noise = torchsde.BrownianInterval(0.0, 1.0, size=(1, 2), dtype=y0.dtype, entropy=3)
    return torchsde.sdeint_adjoint(Drifting(), y0, TIMES, bm=noise, method="midpoint", dt=0.05)
