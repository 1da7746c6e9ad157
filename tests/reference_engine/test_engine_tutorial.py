"""The numbers of the backpropagation tutorial."""

from __future__ import annotations

import numpy as np
import pytest

from reference_engine import Tensor, grad

pytestmark = pytest.mark.kernels


def parabola(x):
    return 2 * x**2 - 3 * x + 4


@pytest.mark.parametrize(("x", "slope"), [(2.0, 5.0), (6.0, 21.0), (-2.0, -11.0), (0.75, 0.0), (2, 5.0)])
def test_slope_of_the_parabola(x, slope):
    assert grad(parabola)(x) == slope


def test_gradients_of_every_node():
    a, b, c, f = (Tensor(v, requires_grad=True) for v in (3.0, -2.0, 8.0, -2.0))
    d = a * b
    e = d + c
    L = e * f
    L.backward()
    assert L.item() == -4
    assert [t.grad for t in (L, e, f, d, a, b, c)] == [1, -2, 2, -2, 4, -6, -2]
    assert isinstance(a.grad, np.float64)


def test_gradients_add_up_over_uses_and_over_passes_until_cleared():
    a = Tensor(3.0, requires_grad=True)
    L = a * a + a
    L.backward()
    assert a.grad == 7
    L.backward()
    assert a.grad == 14
    assert L.grad == 2
    L.zero_grad()
    assert a.grad is None
    assert L.grad is None
    L.backward()
    assert a.grad == 7
