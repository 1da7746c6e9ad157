"""A function that depends on none of its inputs, and functions that only look like it at a point."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients

CONSTANT = {
    "forgotten": lambda x: 3.0,
    "shape": lambda x: np.ones(np.shape(x)),
    "times zero": lambda x: 0 * x,
    "difference": lambda x: (x - x).sum(),
    "one element softmax": lambda x: np.sum(x * 0 + 1.0),
}
VARYING = {
    "sign": np.sign,
    "floor": np.floor,
    "round": np.round,
    "stationary": lambda x: (x - 0.7) ** 2,
    "relu": lambda x: np.maximum(x, 0),
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "clip": lambda x: np.clip(x, -1, 1),
    "cube": lambda x: x**3,
}


@pytest.mark.parametrize("x", [0.7, -40.3, np.array([0.3, 0.7, -2.2]), np.full((2, 2), 1e-3)], ids=str)
@pytest.mark.parametrize("name", CONSTANT)
def test_constant_functions_are_labelled(name, x):
    if np.ndim(x) or name != "difference":
        result = check_gradients(CONSTANT[name], x)
        assert result, str(result)
        assert "constant" in result.labels


@pytest.mark.parametrize("x", [0.7, -40.3, np.array([0.3, 0.7, -2.2]), np.full(3, -0.7)], ids=str)
@pytest.mark.parametrize("name", VARYING)
def test_functions_that_are_flat_at_the_point_are_not(name, x):
    result = check_gradients(VARYING[name], x)
    assert result, str(result)
    assert "constant" not in result.labels


@pytest.mark.parametrize("order", [1, 2])
def test_torch_and_the_second_order(order):
    x = torch.tensor([0.5, 1.5], dtype=torch.float64)
    assert "constant" in check_gradients(lambda x: (x * 0).sum(), x, order=order).labels
    # Its second derivative is zero.
    assert "constant" not in check_gradients(lambda x: (3 * x).sum(), x, order=order).labels


def test_a_dependence_on_one_input_is_enough():
    assert "constant" not in check_gradients(lambda x, y: y * 2.0, (1.0, 2.0)).labels
    assert "constant" in check_gradients(lambda x, y: y * 2.0, (1.0, 2.0), wrt="x").labels


def test_nothing_is_said_of_what_cannot_be_evaluated_elsewhere():
    def fn(x):
        if abs(x - 0.5) > 0.3:
            raise ValueError("outside")
        return 0.0 * x

    result = check_gradients(fn, 0.5)
    assert result, str(result)
    assert "constant" not in result.labels


def test_it_costs_a_varying_function_one_evaluation():
    calls = []

    def fn(x):
        calls.append(x)
        return x * 2.0

    check_gradients(fn, 1.0, methods=("central", "reference"))
    steep = len(calls)
    calls.clear()

    def flat(x):
        calls.append(x)
        return np.floor(x)

    check_gradients(flat, 1.5, methods=("central", "reference"))
    assert len(calls) <= steep + 1


def test_a_wrong_gradient_of_a_constant_function_fails():
    assert check_gradients(lambda x: 3.0, 0.5, gradient=lambda x: 1.0).verdict == "fail"
