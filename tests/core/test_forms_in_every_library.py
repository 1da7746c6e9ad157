"""Each form by hand for functions of torch and of JAX, and for inputs in containers: right and wrong ones."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from pytest_gradcheck import check_gradients

POINT = np.array([1.3, 0.7, -0.4])
LIBRARIES = {
    "numpy": lambda: (np, np.array(POINT)),
    "torch": lambda: (torch, torch.tensor(POINT)),
    "jax": lambda: (jnp, jnp.asarray(POINT, jnp.float32)),
}


def forms(xp: Any, factor: float) -> dict[str, Any]:
    """The derivatives of x³ and of the sum of x³, times a factor."""
    return {
        "vjp": lambda x, u: factor * 3 * x**2 * u,
        "jacobian": lambda x: factor * xp.diag(3 * x**2),
        "jvp": lambda x, v: factor * 3 * x**2 * v,
        "gradient": lambda x: factor * 3 * x**2,
        "hessian": lambda x: factor * xp.diag(6 * x),
        "hvp": lambda x, v: factor * 6 * x * v,
    }


SCALAR = ("gradient", "hessian", "hvp")


@pytest.mark.parametrize("form", forms(np, 1.0))
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_a_form_of_a_function_of_a_library(library, form):
    xp, point = LIBRARIES[library]()

    def function(x):
        return xp.sum(x**3) if form in SCALAR else x**3

    right = check_gradients(function, point, **{form: forms(xp, 1.0)[form]})
    wrong = check_gradients(function, point, **{form: forms(xp, 1.1)[form]})
    assert right.verdict == "pass", str(right)
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_value_with_its_gradient(library):
    xp, point = LIBRARIES[library]()
    right = check_gradients(lambda x: (xp.sum(x**3), 3 * x**2), point, gradient=True)
    wrong = check_gradients(lambda x: (xp.sum(x**3), 2 * x**2), point, gradient=True)
    assert right.verdict == "pass", str(right)
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)


W, B = np.array([[1.0, -2.0], [0.5, 0.3]]), np.array([0.4, 1.1])


def layer(p):
    return p["w"] @ np.ones(2) + p["b"] ** 2


def energy(p):
    return np.sum(p["w"] ** 3) + np.sum(p["b"] ** 2) * p["w"][0, 0]


def of_containers(factor: float) -> dict[str, tuple[Any, Any]]:
    """By form the function and the derivative, which is wrong for b alone with another factor than one."""

    def slope(p):
        w = 3 * p["w"] ** 2
        w[0, 0] += np.sum(p["b"] ** 2)
        return {"w": w, "b": factor * 2 * p["b"] * p["w"][0, 0]}

    def product(p, v):
        w = 6 * p["w"] * v["w"]
        w[0, 0] += 2 * p["b"] @ v["b"]
        b = 2 * v["b"] * p["w"][0, 0] + 2 * p["b"] * v["w"][0, 0]
        return {"w": w, "b": factor * b}

    def hessian(p):
        blocks = {"w": {"w": np.zeros((2, 2, 2, 2)), "b": np.zeros((2, 2, 2))}, "b": {}}
        for index in np.ndindex(2, 2):
            blocks["w"]["w"][index + index] = 6 * p["w"][index]
        blocks["w"]["b"][0, 0] = 2 * p["b"]
        blocks["b"]["w"] = np.moveaxis(blocks["w"]["b"], -1, 0)
        blocks["b"]["b"] = factor * 2 * p["w"][0, 0] * np.eye(2)
        return blocks

    def jacobian(p):
        w = np.zeros((2, 2, 2))
        w[0, 0] = w[1, 1] = 1.0
        return {"w": w, "b": factor * np.diag(2 * p["b"])}

    return {
        "gradient": (energy, slope),
        "vjp": (layer, lambda p, u: {"w": np.outer(u, np.ones(2)), "b": factor * 2 * p["b"] * u}),
        "jacobian": (layer, jacobian),
        "jvp": (layer, lambda p, v: v["w"] @ np.ones(2) + factor * 2 * p["b"] * v["b"]),
        "hessian": (energy, hessian),
        "hvp": (energy, product),
    }


@pytest.mark.parametrize("form", of_containers(1.0))
def test_a_form_of_inputs_in_containers(form):
    for factor in (1.0, 1.1):
        function, derivative = of_containers(factor)[form]
        result = check_gradients(function, {"p": {"w": W, "b": B}}, **{form: derivative})
        assert result.verdict == ("pass" if factor == 1 else "fail"), str(result)


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_the_value_with_its_gradient_in_containers(factor):
    _, slope = of_containers(factor)["gradient"]
    result = check_gradients(lambda p: (energy(p), slope(p)), {"p": {"w": W, "b": B}}, gradient=True)
    assert result.verdict == ("pass" if factor == 1 else "fail"), str(result)


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_sparse_jacobians_of_several_inputs(factor):
    def function(a, b):
        return a**3 + np.sin(b)

    def jacobian(a, b):
        return sparse.diags_array(3 * a**2), aslinearoperator(sparse.diags_array(factor * np.cos(b)))

    a, b = np.linspace(-1, 1, 300), np.linspace(0.5, 2, 300)
    for inputs in ((a, b), {"a": a, "b": b}):
        result = check_gradients(function, inputs, jacobian=jacobian)
        assert result.verdict == ("pass" if factor == 1 else "fail"), str(result)
        assert factor == 1 or result.worst.place.input == "b"
