"""Code without a gradient by hand, of which automatic differentiation loses all digits.

The gradient of expm1(x) / x is the difference of two numbers of the size of 1/x. That the engine subtracts
them in another order, and is right by luck, does not make autograd's wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from twins import fails, not_accused, passes

from pytest_gradcheck.testing import corrupt

GENERIC = torch.tensor([0.7, 1.0, -0.5], dtype=torch.float64)

#: Functions of torch, with one input detached, and points at which one method alone is right.
QUOTIENTS: dict[str, tuple[Callable[[Any, Any], Any], tuple[float, ...]]] = {
    "expm1(x) / x": (lambda x, y: torch.expm1(x) / y, (-7e-16, 7e-16)),
    "log1p(x) / x": (lambda x, y: torch.log1p(x) / y, (-9e-14, 3e-16)),
    "(sqrt(1 + x) - 1) / x": (
        lambda x, y: (torch.sqrt(1 + x) - 1) / y,
        (-2.8194338060078763e-11, -1.1177116658658773e-14),
    ),
    "(1 - cos(x)) / x": (lambda x, y: (1 - torch.cos(x)) / y, (1e-9, -3e-12)),
}


@pytest.mark.parametrize("name", QUOTIENTS)
def test_what_autograd_rounds_away_is_not_accused(name: str) -> None:
    function, points = QUOTIENTS[name]
    passes(lambda x: function(x, x), GENERIC)
    for at in points:
        for x in (torch.tensor([at]).double(), torch.tensor([at, 1.0, -0.5], dtype=torch.float64)):
            not_accused(lambda x: function(x, x), x)
            not_accused(lambda x: function(x, x).sum(), x)


@pytest.mark.parametrize("name", QUOTIENTS)
def test_a_wrong_gradient_of_the_same_code_fails(name: str) -> None:
    function, _ = QUOTIENTS[name]
    fails(lambda x: function(x, x.detach()), GENERIC, "torch")
    fails(corrupt(lambda x: function(x, x), lambda grads: [1.1 * g for g in grads]), GENERIC, "torch")


def test_a_wrong_gradient_fails_where_rounding_is_large_but_smaller() -> None:
    x = torch.tensor([-7e-16, 1.0, -0.5], dtype=torch.float64)
    fails(lambda x: torch.expm1(x) / x.detach(), x, "torch")
    # What is wrong next to it has all of its digits.
    fails(lambda x: torch.expm1(x) / torch.where(x > 0.9, x.detach(), x), x, "torch")
