"""The Taylor test of a failure: the culprit's remainder shrinks as h, that of a right gradient as h²."""

import json

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients

X = np.array([0.4, -1.1, 0.8])


def fn(x):
    return np.sum(np.sin(x) * x**2)


def gradient(x):
    return np.cos(x) * x**2 + 2 * x * np.sin(x)


def rates(result):
    return {name: each.order for name, each in result.rates.items()}


@pytest.mark.parametrize("factor", [2.0, -1.0, 1.01])
def test_a_wrong_gradient_is_of_first_order_and_a_right_one_of_second(factor):
    result = check_gradients(fn, X, gradient=lambda x: factor * gradient(x))

    found = rates(result)
    assert next(iter(found)) == "user"
    assert found["user"] == pytest.approx(1.0, abs=0.1)
    assert found["reference"] == pytest.approx(2.0, abs=0.1)
    steps, remainders = result.rates["user"].steps, result.rates["user"].remainders
    assert len(steps) == len(remainders) == 9
    assert list(steps) == sorted(steps, reverse=True)


def test_of_one_wrong_entry_among_many():
    x = np.random.default_rng(0).normal(size=60)

    def wrong(x):
        out = gradient(x)
        out[17] *= 1.1
        return out

    found = rates(check_gradients(fn, x, gradient=wrong))
    assert (found["user"], found["reference"]) == (pytest.approx(1, abs=0.1), pytest.approx(2, abs=0.1))


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ("jacobian", lambda x: np.diag(1.2 * 3 * x**2)),
        ("jvp", lambda x, v: 1.2 * 3 * x**2 * v),
        ("vjp", lambda x, u: 1.2 * 3 * x**2 * u),
    ],
)
def test_of_every_form(form, wrong):
    assert rates(check_gradients(lambda x: x**3, X, **{form: wrong}))["user"] == pytest.approx(1.0, abs=0.1)


def test_of_a_hessian():
    found = rates(check_gradients(fn, X, hessian=lambda x: np.eye(3)))
    assert (found["user"], found["reference"]) == (pytest.approx(1, abs=0.1), pytest.approx(2, abs=0.1))


def test_of_a_framework():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x**2

    found = rates(check_gradients(Cube.apply, torch.tensor(X)))
    assert (found["torch"], found["reference"]) == (pytest.approx(1, abs=0.1), pytest.approx(2, abs=0.1))


def test_a_linear_function_leaves_rounding():
    found = rates(check_gradients(lambda x: x @ np.array([1.0, 2.0, 3.0]), X, gradient=lambda x: np.ones(3)))
    assert found["user"] == pytest.approx(1.0, abs=0.1)
    assert found["reference"] is None


def test_it_is_in_the_data_and_in_the_long_text_of_a_failure_alone():
    wrong, right = (check_gradients(fn, X, gradient=lambda x, k=k: k * gradient(x)) for k in (2, 1))

    data = json.loads(json.dumps(wrong.to_dict()))["rates"]
    assert data["user"]["order"] == pytest.approx(1.0, abs=0.1)
    assert set(data["user"]) == {"order", "steps", "remainders"}
    assert right.rates == {}
    assert right.to_dict()["rates"] == {}
