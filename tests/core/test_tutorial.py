"""Every number of "Backpropagation from the ground up", by the method that it belongs to."""

import pytest
import torch

from pytest_gradcheck import check_gradients
from reference_engine import Tensor

pytestmark = pytest.mark.kernels


def f(x):
    return 2 * x**2 - 3 * x + 4


@pytest.mark.parametrize(
    ("x", "quotient", "slope"),
    [(2.0, 5.000002000876691, 5.0), (6.0, 21.000002000448603, 21.0), (-2.0, -10.999997996918864, -11.0)],
)
def test_the_difference_quotient_to_the_last_digit(x, quotient, slope):
    result = check_gradients(f, x, step=1e-6)

    assert result.verdict == "pass"
    assert result.methods["forward"].value == quotient
    assert abs(quotient - slope) <= result.methods["forward"].uncertainty
    assert result.methods["reference"].value == slope
    assert result.methods["torch"].value == slope


def test_the_slope_is_zero_at_the_bottom():
    result = check_gradients(f, 0.75, step=1e-9)

    assert result.methods["forward"].value == 0.0
    assert result.methods["reference"].value == 0.0
    assert result.verdict == "pass"


def test_the_partial_derivatives_of_d():
    result = check_gradients(lambda a, b, c: a * b + c, (3.0, -2.0, 8.0))

    assert result.verdict == "pass"
    assert result.methods["reference"].value == (-2.0, 3.0, 1.0)


def test_the_partial_quotients_of_d_are_what_one_gets_by_hand():
    a, b, c, h = 3.0, -2.0, 8.0, 1e-4
    result = check_gradients(lambda a, b, c: a * b + c, (a, b, c), step=h)

    assert result.methods["forward"].value == (
        (((a + h) * b + c) - (a * b + c)) / h,
        ((a * (b + h) + c) - (a * b + c)) / h,
        ((a * b + (c + h)) - (a * b + c)) / h,
    )
    assert result.methods["forward"].value[1:] == (3.00000000000189, 0.9999999999976694)


def test_the_chain_rule_back_from_l():
    a, b, c, f = (
        Tensor(v, requires_grad=True, label=n) for n, v in (("a", 3.0), ("b", -2.0), ("c", 8.0), ("f", -2.0))
    )
    d = a * b
    e = d + c
    loss = e * f
    loss.backward()

    assert [float(node.grad) for node in (loss, e, f, d, c, a, b)] == [1.0, -2.0, 2.0, -2.0, -2.0, 4.0, -6.0]


def test_the_same_in_torch_in_float32():
    a, b, c, f = (torch.tensor([v], requires_grad=True) for v in (3.0, -2.0, 8.0, -2.0))
    result = check_gradients(lambda a, b, c, f: (a * b + c) * f, (a, b, c, f))

    assert result.verdict == "pass"
    assert [g.item() for g in result.methods["torch"].value] == [4.0, -6.0, -2.0, 2.0]
