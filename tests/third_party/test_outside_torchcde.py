"""torchcde: splines through data."""

import pytest
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import tensors

torchcde = outside("torchcde")

pytestmark = MARKS


@pytest.mark.gradcheck(x=tensors((5, 2), min_value=-3, max_value=3))
@pytest.mark.parametrize(
    "function",
    [
        torchcde.natural_cubic_coeffs,
        torchcde.linear_interpolation_coeffs,
        torchcde.hermite_cubic_coefficients_with_backward_differences,
    ],
)
@settings(max_examples=30)
def test_coefficients(function, x):
    return function(x)


@pytest.mark.gradcheck(
    x=tensors((5, 2), min_value=-3, max_value=3), t=tensors((), min_value=0.1, max_value=3.9)
)
@settings(max_examples=30)
def test_spline(x, t):
    return torchcde.CubicSpline(torchcde.natural_cubic_coeffs(x)).evaluate(t)
