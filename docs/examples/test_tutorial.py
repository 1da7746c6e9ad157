"""The functions of the tutorial: what a derivative is, several inputs, and the chain rule."""

import pytest

from pytest_gradcheck import check_gradients


def f(x):
    return 2 * x**2 - 3 * x + 4


def line(a, b, c):
    return a * b + c


def loss(a, b, c, f):
    return (a * b + c) * f


@pytest.mark.gradcheck
def test_parabola(x: float):
    return f(x)


@pytest.mark.gradcheck
def test_line(a: float, b: float, c: float):
    return line(a, b, c)


@pytest.mark.gradcheck
def test_loss(a: float, b: float, c: float, f: float):
    return loss(a, b, c, f)


@pytest.mark.parametrize(
    ("x", "quotient", "slope"),
    [
        (2.0, 5.000002000876691, 5.0),
        (6.0, 21.000002000448603, 21.0),
        (-2.0, -10.999997996918864, -11.0),
    ],
)
def test_slope_of_the_parabola(x, quotient, slope):
    result = check_gradients(f, x, step=1e-6)
    assert result.methods["forward"].value == quotient
    assert result.methods["reference"].value == slope


def test_the_parabola_is_flat_at_its_lowest_point(gradcheck):
    result = gradcheck(f, 0.75)
    assert result.methods["reference"].value == 0.0
    assert result.methods["central"].value == pytest.approx(0.0, abs=1e-9)


def test_partial_derivatives(gradcheck):
    result = gradcheck(line, (3.0, -2.0, 8.0))
    assert result.methods["reference"].value == (-2.0, 3.0, 1.0)


def test_chain_rule(gradcheck):
    result = gradcheck(loss, {"a": 3.0, "b": -2.0, "c": 8.0, "f": -2.0})
    assert result.methods["reference"].value == {"a": 4.0, "b": -6.0, "c": -2.0, "f": 2.0}
