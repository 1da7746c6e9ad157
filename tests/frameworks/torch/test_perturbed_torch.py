"""Torch in disturbed arithmetic: what rounds is moved by so much, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pytest_gradcheck.frameworks.torch.perturbed import Disturbed

pytestmark = pytest.mark.kernels

X = torch.tensor([[0.3, -1.7], [2.2, 0.9]], dtype=torch.float64)


@pytest.mark.parametrize(
    "f",
    [torch.exp, lambda x: x @ x, lambda x: x * 1.1, torch.sigmoid, lambda x: x / x.sum(), torch.linalg.inv],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.complex128])
def test_what_rounds_is_moved_by_the_scale(f: Callable[[Any], Any], dtype: torch.dtype) -> None:
    x = X.to(dtype)
    with Disturbed(1e-4, 0):
        moved = f(x)
    error = ((moved - f(x)) / f(x)).abs()
    assert moved.dtype == f(x).dtype
    assert error.min() > 0
    assert 1e-5 < error.max() < 1e-3


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.T[1:],
        lambda x: torch.cat([x, -x]).sort(0).values.clamp(min=0),
        lambda x: torch.where(x > 0, x, torch.zeros_like(x))[[0, 1, 1]],
        lambda x: x.clone().fill_(0.3),
        lambda x: torch.arange(3.0) + 1.0,
        lambda x: x.argmax(),
        lambda x: (x > 0).to(x.dtype),
    ],
)
def test_what_moves_chooses_and_counts_stays_exact(f: Callable[[Any], Any]) -> None:
    with Disturbed(1e-2, 0):
        moved = f(X)
    assert torch.equal(moved, f(X))


def test_the_backward_pass_is_disturbed_too() -> None:
    x = X.clone().requires_grad_()
    y = (x.exp() * 1.3).sum()
    exact = torch.autograd.grad(y, x, retain_graph=True)[0]
    with Disturbed(1e-4, 0):
        moved = torch.autograd.grad(y, x)[0]
    error = ((moved - exact) / exact).abs()
    assert (error > 0).all()
    assert error.max() < 1e-3


def test_the_same_seed_gives_the_same_and_torch_draws_the_same_numbers() -> None:
    def run(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(0)
        with Disturbed(1e-4, seed):
            return X.exp(), torch.rand(3)

    assert torch.equal(run(3)[0], run(3)[0])
    assert not torch.equal(run(3)[0], run(4)[0])
    torch.manual_seed(0)
    plain = torch.rand(3)
    torch.testing.assert_close(run(3)[1], plain, rtol=2e-4, atol=0)


def test_a_derivative_of_a_power_keeps_its_whole_exponent() -> None:
    x = torch.tensor([-1.5], dtype=torch.float64, requires_grad=True)
    with Disturbed(1e-4, 0):
        y = x ** torch.tensor(2.0, dtype=torch.float64)
        gradient = torch.autograd.grad(y, x)[0]
    assert gradient.item() == pytest.approx(-3.0, rel=1e-3)


def test_zeros_without_memory_are_left_alone() -> None:
    """The derivative of an imaginary part is one: torch adds it to others, and frees it unread."""
    z = torch.tensor([1 + 2j, -0.5j], requires_grad=True)
    zero = torch._efficientzerotensor(2, dtype=torch.float64)
    with Disturbed(1e-4, 0):
        assert (zero * X[0]).eq(0).all()
        gradient = torch.autograd.grad(z.imag.sum() + z.real.pow(3).sum(), z)[0]
    torch.testing.assert_close(gradient, torch.tensor([3 + 1j, 1j]), rtol=1e-3, atol=0)
