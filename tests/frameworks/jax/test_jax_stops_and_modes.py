"""Gradients that are stopped on purpose, and functions that JAX differentiates in forward mode alone."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from pytest_gradcheck import check_gradients

X = jnp.array([0.3, 0.7, -1.2])


def rounded(x):
    return x + lax.stop_gradient(jnp.round(x) - x)


STOPPED = {
    "straight-through": lambda x: jnp.sin(rounded(x)),
    "factor": lambda x: x * lax.stop_gradient(jnp.sin(x)),
    "in-a-loop": lambda x: lax.fori_loop(0, 3, lambda _, c: c + x * lax.stop_gradient(jnp.cos(c)), x),
    "compiled": jax.jit(lambda x: x**2 * lax.stop_gradient(x)),
}


@pytest.mark.parametrize("name", STOPPED)
def test_a_stopped_gradient_is_wrong_unless_it_is_intended(name):
    result = check_gradients(STOPPED[name], X)
    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
    assert result.diagnosis.code == "stop-gradient"
    assert "test_jax_stops_and_modes.py" in result.diagnosis.text

    intended = check_gradients(STOPPED[name], X, stop_gradients="intended")
    assert intended.verdict == "pass", str(intended)
    assert any("stop_gradient at" in n.what for n in intended.not_checked)


def test_stops_within_jax_are_no_remark():
    wrong = jax.custom_vjp(jax.nn.softmax)
    wrong.defvjp(lambda x: (jax.nn.softmax(x), jax.nn.softmax(x)), lambda p, g: (p * g,))
    result = check_gradients(wrong, X)
    assert result.verdict == "fail"
    assert result.diagnosis.code != "stop-gradient"


def loop(step):
    return lambda x: lax.while_loop(lambda s: s[1] < 3, lambda s: (step(s[0]), s[1] + 1), (x, 0))[0]


def cube(factor):
    rule = jax.custom_jvp(lambda x: 0.5 * x**3)
    rule.defjvp(lambda p, t: (0.5 * p[0] ** 3, factor * 0.5 * p[0] ** 2 * t[0]))
    return rule


@pytest.mark.parametrize("factor", [3.0, 3.03])
def test_a_loop_without_a_reverse_mode_is_tried_in_forward_mode(factor):
    result = check_gradients(loop(cube(factor)), X)
    assert result.verdict == ("pass" if factor == 3.0 else "fail"), str(result)
    assert result.culprit == (None if factor == 3.0 else "jax")
    assert result.methods["reference"].status == "ok"


def test_complex_numbers_in_forward_mode():
    result = check_gradients(loop(lambda z: jnp.conj(z) * z + 0.1j), 0.3 * X.astype(jnp.complex64))
    assert result.verdict == "pass", str(result)


def test_a_jvp_that_is_not_linear_fails():
    rule = jax.custom_jvp(lambda x: x**3)
    rule.defjvp(lambda p, t: (p[0] ** 3, 3 * p[0] ** 2 * jnp.abs(t[0])))
    result = check_gradients(rule, X)
    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
    assert "Transpose rule" in result.diagnosis.text


@pytest.mark.parametrize("factor", [2.0, 2.1])
def test_a_way_that_depends_on_values_needs_no_engine(factor):
    rule = jax.custom_vjp(lambda x: x**2)
    rule.defvjp(lambda x: (x**2, x), lambda x, g: (factor * x * g,))
    result = check_gradients(lambda x: rule(x) if x[0] > 0 else x, X)
    assert result.verdict == ("pass" if factor == 2.0 else "fail"), str(result)
    assert "cannot be traced" in result.methods["reference"].reason


def test_the_error_that_a_solver_returns_next_to_its_solution_is_no_value_to_compare():
    def solve(a, x):
        for _ in range(12):
            x = x - (x**3 + x - a) / (3 * x**2 + 1)
        return x, x**3 + x - a

    rule = jax.custom_vjp(lambda a: solve(a, a))

    def forward(a):
        # The compiled solver is off by other roundings.
        x, error = solve(a, 0.9 * a)
        return (x, 3.0 * error), x

    rule.defvjp(forward, lambda x, g: (g[0] / (3 * x**2 + 1),))
    result = check_gradients(lambda a: rule(a)[0], X)
    assert result.verdict == "pass", str(result)
