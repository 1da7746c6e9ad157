"""Random functions: those whose parameters depend on the inputs accuse no gradient, the others hide none."""

import jax
import jax.numpy as jnp
import pytest

from pytest_gradcheck import check_gradients

KEY = jax.random.key(0)
A = jnp.array([1.0, 1.5, 3.0])


@pytest.mark.sweep
def test_no_sampler_is_accused():
    result = check_gradients(lambda a: jax.random.gamma(KEY, a), A)
    assert result.verdict == "inconclusive", str(result)
    for method in ("central", "forward"):
        assert result.methods[method].status == "unavailable"
        assert "random_gamma draws from a distribution" in result.methods[method].reason


def doubled(function):
    rule = jax.custom_vjp(function)
    rule.defvjp(lambda a: (function(a), a), lambda a, g: (2 * jax.vjp(function, a)[1](g)[0],))
    return rule


def noise(a):
    return jax.random.normal(KEY, (3,)) * a**2


def test_noise_hides_no_wrong_gradient():
    assert check_gradients(noise, A).verdict == "pass"
    result = check_gradients(doubled(noise), A)
    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
