"""optax: a projection, a loss and a reversed gradient, with rules written by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import settings
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import arrays, check_gradients

optax = outside("optax")
projections = outside("optax.projections")
classification = outside("optax.losses._classification")

pytestmark = MARKS

scores = arrays(4, library="jax", min_value=-3, max_value=3)
X = jnp.asarray(np.float32([0.3, -0.7, 1.1, 0.2]))


@pytest.mark.gradcheck(x=scores)
@pytest.mark.parametrize(
    "function",
    [projections.projection_simplex, projections.projection_l1_ball, projections.projection_l2_ball],
)
@settings(max_examples=4)
def test_projection(function, x):
    return function(x)


@pytest.mark.gradcheck(x=scores, weights=arrays(4, library="jax", min_value=0.1, max_value=1))
@settings(max_examples=4)
def test_weighted_logsoftmax(x, weights):
    return classification.weighted_logsoftmax(x, weights)


@pytest.mark.gradcheck(x=scores)
@settings(max_examples=4)
def test_sparsemax_loss(x):
    return classification.multiclass_sparsemax_loss(x[None], jnp.asarray([1]))


def test_a_scaled_gradient_is_seen() -> None:
    # It is intended, and not the derivative.
    assert_fault(check_gradients(lambda x: optax.scale_gradient(x, 0.5), X), "constant-factor", "jax")
