"""A gradient written by hand is called however it wants to be called."""

import functools
import math

import numpy as np
import pytest
import torch

from pytest_gradcheck import InvalidArgument, check_gradients

pytestmark = pytest.mark.kernels


def scaled(scale, v, /):
    return scale * np.cos(v)


class Cosine:
    def __call__(self, v):
        return np.cos(v)


@pytest.mark.parametrize("inputs", [{"x": 0.5}, (0.5,), 0.5], ids=["by name", "a tuple", "one"])
@pytest.mark.parametrize(
    "gradient",
    [
        np.cos,
        math.cos,
        functools.partial(scaled, 1.0),
        lambda x, /: np.cos(x),
        lambda angle: np.cos(angle),
        lambda x, scale=1.0: scale * np.cos(x),
        lambda *inputs: np.cos(inputs[0]),
        lambda v, **others: np.cos(v) + len(others),
        lambda v, *others: np.cos(v) + len(others),
        Cosine(),
    ],
)
def test_a_gradient_without_the_names_of_the_inputs(gradient, inputs):
    result = check_gradients(lambda x: np.sin(x), inputs, gradient=gradient)

    assert (result.verdict, result.methods["user"].status) == ("pass", "ok"), str(result)


@pytest.mark.parametrize("gradient", [functools.partial(np.multiply, 3.0), lambda **point: 3 * point["x"]])
def test_a_gradient_without_a_signature_or_without_positions(gradient):
    result = check_gradients(lambda x: 1.5 * x**2, {"x": 0.5}, gradient=gradient)

    assert (result.verdict, result.methods["user"].status) == ("pass", "ok"), str(result)


def test_a_builtin_of_torch_as_a_gradient():
    point = {"x": torch.tensor(0.5, dtype=torch.float64)}

    assert check_gradients(lambda x: torch.sin(x), point, gradient=torch.cos).verdict == "pass"


def product(x, w):
    return x**2 * w


@pytest.mark.parametrize(
    "gradient",
    [
        lambda w, x: {"x": 2 * x * w, "w": x**2},
        lambda w, /, x: {"x": 2 * x * w, "w": x**2},
        lambda w, *, x: {"x": 2 * x * w, "w": x**2},
        lambda first, second: (2 * first * second, first**2),
        lambda first, w: (2 * first * w, first**2),
        lambda w, **rest: (2 * rest["x"] * w, rest["x"] ** 2),
    ],
)
def test_inputs_go_by_name_and_the_rest_in_their_order(gradient):
    assert check_gradients(product, {"x": 3.0, "w": 5.0}, gradient=gradient).verdict == "pass"


@pytest.mark.parametrize(
    "vjp",
    [
        lambda x, w, cotangent: (cotangent * 2 * x * w, cotangent * x**2),
        lambda x, w, g: (g * 2 * x * w, g * x**2),
        lambda x, w, cotangent, /: (cotangent * 2 * x * w, cotangent * x**2),
        lambda *all_three: (2 * math.prod(all_three), all_three[0] ** 2 * all_three[2]),
        lambda x, w, scale=2, *, cotangent: (scale * cotangent * x * w, cotangent * x**2),
    ],
)
@pytest.mark.parametrize("inputs", [{"x": 3.0, "w": 5.0}, (3.0, 5.0)], ids=["by name", "a tuple"])
def test_a_vjp_is_called_by_its_names_or_in_order(vjp, inputs):
    assert check_gradients(product, inputs, vjp=vjp).verdict == "pass"


def test_a_vjp_is_called_by_its_names_in_any_order():
    def vjp(cotangent, w, x):
        return {"x": cotangent * 2 * x * w, "w": cotangent * x**2}

    assert check_gradients(product, {"x": 3.0, "w": 5.0}, vjp=vjp).verdict == "pass"


@pytest.mark.parametrize(("gradient", "why"), [(lambda: 1.0, "x"), (lambda x, w, v: 1.0, "missing .* 'v'")])
def test_a_gradient_of_other_inputs_is_a_wrong_use(gradient, why):
    with pytest.raises(InvalidArgument, match=f"gradient: .*{why}.*by these names, or in this order"):
        check_gradients(product, {"x": 3.0, "w": 5.0}, gradient=gradient)


def test_an_error_inside_of_the_gradient_is_no_wrong_use():
    result = check_gradients(product, {"x": 3.0, "w": 5.0}, gradient=lambda x, w: x + "a")

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "backward-raised")


@pytest.mark.parametrize("fn", [np.sin, math.sin, lambda x, /: np.sin(x)])
def test_a_function_whose_parameters_have_no_names_takes_a_dict(fn):
    assert check_gradients(fn, {"x": 0.5}, gradient=math.cos).verdict == "pass"
