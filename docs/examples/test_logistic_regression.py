"""A logistic regression in NumPy with a hand-written gradient, and its training.

PLANT_FAULT=1 drops the factor 2 of the derivative of a square.
"""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck import arrays

PLANT_FAULT = os.environ.get("PLANT_FAULT") == "1"

FEATURES = np.array([[1.0, 0.5, -1.2], [1.0, -0.3, 0.8], [1.0, 2.0, 0.1], [1.0, -1.5, -0.4]])
LABELS = np.array([1.0, 0.0, 1.0, 0.0])


def loss(weights, penalty):
    """Mean negative log-likelihood, plus a penalty on the weights."""
    scores = FEATURES @ weights
    # log(1 + exp(s)) without overflow for large scores.
    return np.mean(np.logaddexp(0.0, scores) - LABELS * scores) + penalty * np.sum(weights**2)


def loss_gradient(weights, penalty):
    probabilities = 1.0 / (1.0 + np.exp(-(FEATURES @ weights)))
    by_square = 2.0 * weights
    if PLANT_FAULT:
        by_square = weights
    by_weights = FEATURES.T @ (probabilities - LABELS) / len(LABELS) + penalty * by_square
    by_penalty = np.sum(weights**2)
    return by_weights, by_penalty


@pytest.mark.gradcheck(
    weights=arrays(3, min_value=-4, max_value=4), penalty=st.floats(0.0, 1.0), gradient=loss_gradient
)
def test_loss(weights, penalty):
    return loss(weights, penalty)


def test_loss_at_the_start(gradcheck):
    result = gradcheck(loss, (np.zeros(3), 0.1), gradient=loss_gradient)
    assert result.methods["user"].status == "ok"


@given(weights=arrays(3, min_value=-4, max_value=4))
def test_loss_without_penalty(gradcheck, weights):
    gradcheck(lambda w: loss(w, 0.0), weights, gradient=lambda w: loss_gradient(w, 0.0)[0])


def test_training_ends_where_the_gradient_vanishes():
    weights, penalty = np.zeros(3), 0.1
    for _ in range(200):
        weights = weights - 0.5 * loss_gradient(weights, penalty)[0]
    assert loss(weights, penalty) < loss(np.zeros(3), penalty)
    assert np.linalg.norm(loss_gradient(weights, penalty)[0]) < 1e-6
    assert np.array_equal(FEATURES @ weights > 0, LABELS == 1)
