"""torchdiffeq: solvers, their adjoints, and the times of events."""

import pytest
import torch
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import Verdict, check_gradients, tensors

torchdiffeq = outside("torchdiffeq")

pytestmark = MARKS

TIMES = torch.linspace(0.0, 1.0, 3, dtype=torch.float64)


class Spiral(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.tensor([[-0.1, 2.0], [-2.0, -0.1]], dtype=torch.float64))

    def forward(self, t, y):
        return torch.tanh(y) @ self.matrix


# With fixed steps the adjoint is the derivative of the solution up to the error of the solver.
@pytest.mark.gradcheck(y0=tensors((1, 2), min_value=0.5, max_value=2), rtol=1e-5)
@settings(max_examples=2)
def test_adjoint(y0):
    return torchdiffeq.odeint_adjoint(Spiral(), y0, TIMES, rtol=1e-9, atol=1e-9)


@pytest.mark.gradcheck(y0=tensors((1, 2), min_value=-2, max_value=2))
@pytest.mark.parametrize("method", ["euler", "midpoint", "rk4"])
@settings(max_examples=20)
def test_odeint(method, y0):
    return torchdiffeq.odeint(Spiral(), y0, TIMES, method=method)


def event_time(y0, level):
    # y falls as exp(-t). It meets the level at log(y / level).
    t, _ = torchdiffeq.odeint_event(
        lambda t, y: -y, y0, TIMES[0], event_fn=lambda t, y: y[0, 0] - level, rtol=1e-10, atol=1e-12
    )
    return t


@pytest.mark.gradcheck(y0=tensors((1, 2), min_value=0.5, max_value=2))
@settings(max_examples=2)
def test_event(y0):
    return event_time(y0, 0.2)


# A fault: the event function's own parameters get the gradient zero, without a word. The derivative of the
# time by the level is -1 / level = -5.
def test_time_of_an_event_by_its_level_is_zero():
    y0 = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    result = check_gradients(lambda level: event_time(y0, level), (torch.tensor(0.2, dtype=torch.float64),))
    assert result.verdict is not Verdict.PASS
    assert result.worst.values["torch"] == 0
    # The recording is a constant, which proves nothing next to values that move.
    assert result.methods["exact"].status != "ok"
    assert not result.proofs
    assert result.worst.values["central"] == pytest.approx(-5, rel=1e-6)
