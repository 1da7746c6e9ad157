"""optimistix: roots and fixed points, differentiated implicitly."""

import jax.numpy as jnp
import pytest
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import arrays

optimistix = outside("optimistix")

pytestmark = MARKS


@pytest.mark.gradcheck(a=arrays(2, library="jax", min_value=0.5, max_value=2))
@settings(max_examples=4)
def test_root(a):
    solver = optimistix.Newton(rtol=1e-6, atol=1e-6)
    return optimistix.root_find(lambda y, a: y**3 + y - a, solver, jnp.ones_like(a), args=a).value


@pytest.mark.gradcheck(a=arrays(2, library="jax", min_value=0.2, max_value=0.8))
@settings(max_examples=4)
def test_fixed_point(a):
    solver = optimistix.FixedPointIteration(rtol=1e-6, atol=1e-6)
    return optimistix.fixed_point(lambda y, a: jnp.cos(a * y), solver, jnp.ones_like(a), args=a).value
