"""lineax: linear solves and norms, with rules written by hand."""

import jax.numpy as jnp
import pytest
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import arrays, positive_definite

lineax = outside("lineax")
norms = outside("lineax.internal")

pytestmark = MARKS

vectors = arrays(3, library="jax", min_value=0.1, max_value=2)


@pytest.mark.gradcheck(matrix=positive_definite(3, library="jax"), vector=vectors)
@settings(max_examples=4)
def test_solve(matrix, vector):
    return lineax.linear_solve(lineax.MatrixLinearOperator(matrix), vector).value


@pytest.mark.gradcheck(x=vectors)
@pytest.mark.parametrize("function", [norms.two_norm, norms.rms_norm, norms.sum_squares])
@settings(max_examples=4)
def test_norm(function, x):
    return function(x)


@pytest.mark.gradcheck(x=vectors)
@settings(max_examples=4)
def test_largest(x):
    return norms.max_norm(x * jnp.asarray([1.0, 3.0, 0.5]))
