"""Rules around code that no recording sees: function values alone speak for it, and calls are the cost."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pytest_gradcheck import check_gradients
from pytest_gradcheck.errors import Opaque
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES
from reference_engine import vjp

X = np.linspace(0.3, 2.0, 30)


def kernel(factor, calls):
    """x sin(x) in NumPy, with a rule by hand in NumPy too, which counts its calls."""

    def forward(x):
        calls["forward"] += 1
        return np.asarray(x * np.sin(x), x.dtype)

    def backward(x, g):
        calls["backward"] += 1
        return np.asarray(factor * g * (np.sin(x) + x * np.cos(x)), x.dtype)

    def called(function, *operands):
        result = jax.ShapeDtypeStruct(operands[0].shape, operands[0].dtype)
        return jax.pure_callback(lambda *each: function(*map(np.asarray, each)), result, *operands)

    made = jax.custom_vjp(lambda x: called(forward, x))
    made.defvjp(lambda x: (called(forward, x), x), lambda x, g: (called(backward, x, g),))
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_rule_takes_few_calls(dtype):
    calls = collections.Counter()
    with jax.enable_x64(dtype == "float64"):
        result = check_gradients(kernel(1.0, calls), jnp.asarray(X, dtype))
    assert result.verdict == "pass", str(result)
    reference = result.methods["reference"]
    assert reference.status == "unavailable"
    assert reference.reason.startswith("<lambda>: pure_callback at test_jax_opaque_rules.py")
    assert calls["forward"] <= (24 if dtype == "float32" else 16)
    assert calls["backward"] <= 6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [-1.0, 1.01])
def test_a_wrong_rule_is_found_in_few_calls(factor, dtype):
    calls = collections.Counter()
    with jax.enable_x64(dtype == "float64"):
        result = check_gradients(kernel(factor, calls), jnp.asarray(X, dtype))
    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
    assert calls["forward"] <= 100
    assert calls["backward"] <= 20


def opaque(name):
    def function(x):
        if name == "pure_callback":
            return jax.pure_callback(np.sin, x, x)
        return jax.ffi.ffi_call("nothing", jax.ShapeDtypeStruct(x.shape, x.dtype))(x)

    return function


@pytest.mark.parametrize("name", ["pure_callback", "ffi_call"])
def test_the_engine_says_what_is_opaque(name):
    closed = jax.make_jaxpr(opaque(name))(jnp.asarray(X, jnp.float32))
    with pytest.raises(Opaque, match=name):
        vjp(lambda x: Replay(closed.jaxpr, closed.consts, RULES)(x)[0], X)
