"""distrax: products and powers without nan, and the von Mises distribution, with rules written by hand."""

import pytest
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import arrays

distrax = outside("distrax")
functions = outside("distrax._src.utils.math")

pytestmark = MARKS

positive = arrays(3, library="jax", min_value=0.2, max_value=3)


@pytest.mark.gradcheck(x=positive, y=positive)
@pytest.mark.parametrize("function", [functions.multiply_no_nan, functions.power_no_nan])
@settings(max_examples=4)
def test_without_nan(function, x, y):
    return function(x, y)


@pytest.mark.gradcheck(x=arrays(3, library="jax", min_value=-3, max_value=3))
@settings(max_examples=4)
def test_von_mises(x):
    return distrax.VonMises(loc=0.3, concentration=2.0).log_prob(x)
