"""jaxopt: projections, and solvers that are differentiated implicitly."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import settings
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import arrays, check_gradients

jaxopt = outside("jaxopt")
projection = outside("jaxopt.projection")

pytestmark = MARKS

POINTS = jnp.asarray([[1.0, 0.2], [0.3, -1.1], [-0.4, 0.8], [0.9, 0.9]])
TARGETS = jnp.asarray([0.7, -0.2, 0.4, 1.3])


@pytest.mark.gradcheck(x=arrays(4, library="jax", min_value=-3, max_value=3))
@settings(max_examples=4)
def test_projection_onto_the_simplex(x):
    return projection.projection_simplex(x)


@pytest.mark.gradcheck(x=arrays(4, library="jax", min_value=0.1, max_value=3))
@settings(max_examples=4)
def test_projection_onto_the_ball(x):
    return projection.projection_l2_ball(x)


def test_the_projection_onto_the_ball_has_no_gradient_at_its_centre() -> None:
    # A norm is differentiated at zero, in the branch that is not taken.
    assert_fault(check_gradients(projection.projection_l2_ball, jnp.zeros(4)), "non-finite-gradient", "jax")


def loss(w, penalty):
    return jnp.sum((POINTS @ w - TARGETS) ** 2) + penalty * jnp.sum(w**2)


@jaxopt.implicit_diff.custom_root(jax.grad(loss))
def ridge(init, penalty):
    del init
    return jnp.linalg.solve(POINTS.T @ POINTS + penalty * jnp.eye(2, dtype=penalty.dtype), POINTS.T @ TARGETS)


@pytest.mark.gradcheck(penalty=arrays((), library="jax", min_value=0.1, max_value=2))
@settings(max_examples=4)
def test_ridge_by_implicit_differentiation(penalty):
    return ridge(None, penalty)
