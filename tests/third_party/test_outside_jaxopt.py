"""jaxopt: projections, and solvers that are differentiated implicitly."""

import jax.numpy as jnp
import pytest
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import arrays

jaxopt = outside("jaxopt")
projection = outside("jaxopt.projection")

pytestmark = MARKS

POINTS = jnp.asarray([[1.0, 0.2], [0.3, -1.1], [-0.4, 0.8], [0.9, 0.9]])
TARGETS = jnp.asarray([0.7, -0.2, 0.4, 1.3])


@pytest.mark.gradcheck(x=arrays(4, library="jax", min_value=-3, max_value=3))
@pytest.mark.parametrize("function", [projection.projection_simplex, projection.projection_l2_ball])
@settings(max_examples=4)
def test_projection(function, x):
    return function(x)


@pytest.mark.gradcheck(penalty=arrays((), library="jax", min_value=0.1, max_value=2))
@settings(max_examples=4)
def test_ridge_by_implicit_differentiation(penalty):
    def loss(w, penalty):
        return jnp.sum((POINTS @ w - TARGETS) ** 2) + penalty * jnp.sum(w**2)

    solver = jaxopt.GradientDescent(loss, maxiter=500, tol=1e-7, implicit_diff=True)
    return solver.run(jnp.zeros(2, penalty.dtype), penalty).params
