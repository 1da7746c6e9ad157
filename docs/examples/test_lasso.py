"""A loss with a kink: least squares with a penalty on absolute values, with a hand-written subgradient.

At a weight of zero, every slope between the one-sided slopes is right. PLANT_FAULT=1 computes a sign by
dividing a weight by its absolute value, which is right everywhere else.
"""

import os

import numpy as np
import pytest

from pytest_gradcheck import arrays

PLANT_FAULT = os.environ.get("PLANT_FAULT") == "1"

FEATURES = np.array([[1.0, 0.5, -1.2], [1.0, -0.3, 0.8], [1.0, 2.0, 0.1], [1.0, -1.5, -0.4]])
TARGETS = np.array([0.3, 1.1, -0.7, 0.4])
PENALTY = 0.5


def loss(weights):
    return 0.5 * np.mean((FEATURES @ weights - TARGETS) ** 2) + PENALTY * np.sum(np.abs(weights))


def loss_subgradient(weights):
    signs = np.sign(weights)
    if PLANT_FAULT:
        with np.errstate(invalid="ignore"):
            signs = weights / np.abs(weights)
    return FEATURES.T @ (FEATURES @ weights - TARGETS) / len(TARGETS) + PENALTY * signs


@pytest.mark.gradcheck(weights=arrays(3, min_value=-2, max_value=2), gradient=loss_subgradient)
def test_loss(weights):
    return loss(weights)


def test_a_weight_of_zero_is_a_kink(gradcheck):
    result = gradcheck(loss, np.array([0.5, 0.0, -1.0]), gradient=loss_subgradient)
    assert "kink" in result.labels
