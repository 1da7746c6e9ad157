"""Oracles and surrogates of JAX functions: in JAX, NumPy or torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pytest_gradcheck import check_gradients

X = np.array([0.3, -1.2, 0.7])


def rule(factor):
    """x · tanh(x) as a custom_vjp."""
    made = jax.custom_vjp(lambda x: x * jnp.tanh(x))
    made.defvjp(
        lambda x: (x * jnp.tanh(x), x),
        lambda x, g: (factor * g * (jnp.tanh(x) + x * (1 - jnp.tanh(x) ** 2)),),
    )
    return made


def by_torch(x):
    torch = pytest.importorskip("torch")
    x = torch.as_tensor(x)
    return x * torch.tanh(x)


ORACLES = {"jax": lambda x: x * jnp.tanh(x), "numpy": lambda x: x * np.tanh(x), "torch": by_torch}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_an_oracle_judges_a_rule(name, factor, dtype):
    with jax.enable_x64(dtype == "float64"):
        result = check_gradients(rule(factor), jnp.asarray(X, dtype), oracle=ORACLES[name])
    assert result.methods["oracle"].status == "ok", str(result)
    assert result.verdict == ("pass" if factor == 1.0 else "fail"), str(result)
    assert result.culprit == (None if factor == 1.0 else "jax")


def test_an_oracle_of_another_value():
    result = check_gradients(rule(1.0), jnp.asarray(X), oracle=lambda x: 1.01 * x * jnp.tanh(x))
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", None, "value-mismatch")


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_an_oracle_of_a_pytree(factor):
    function = rule(factor)
    result = check_gradients(
        lambda p: {"y": function(p["x"]) * p["w"]},
        {"p": {"x": jnp.asarray(X), "w": jnp.asarray(2 * X)}},
        oracle=lambda p: {"y": p["x"] * jnp.tanh(p["x"]) * p["w"]},
    )
    assert result.verdict == ("pass" if factor == 1.0 else "fail"), str(result)
    assert result.culprit == (None if factor == 1.0 else "jax")


def straight_through(factor):
    """The step function, with the gradient that tanh would have, as spiking neurons do."""
    made = jax.custom_vjp(lambda x: jnp.where(x > 0, 1.0, 0.0).astype(x.dtype))
    made.defvjp(
        lambda x: (made(x), x),
        lambda x, g: (factor * g * (1 - jnp.tanh(x) ** 2),),
    )
    return made


@pytest.mark.parametrize("surrogate", [jnp.tanh, np.tanh], ids=["jax", "numpy"])
@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_a_surrogate_is_what_a_gradient_is_meant_to_be(factor, surrogate):
    result = check_gradients(straight_through(factor), jnp.asarray(X), surrogate=surrogate)
    assert result.verdict == ("pass" if factor == 1.0 else "fail"), str(result)
    assert result.culprit == (None if factor == 1.0 else "jax")
