"""What is compiled, when, and for which functions it is right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pytest_gradcheck import check_gradients
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.jax import compiled, keys
from pytest_gradcheck.function.state import State

X = np.random.default_rng(0).uniform(0.3, 1.2, 4).astype(np.float32)


@pytest.fixture(autouse=True)
def nothing_compiled():
    registry.release()
    compiled.release()
    yield
    compiled.release()


def key(function, *values):
    closed = jax.make_jaxpr(function)(*map(jnp.asarray, values))
    return keys.key_of(closed, lambda *functions: State(*functions).content())


def rule(factor, static=None):
    made = jax.custom_vjp(lambda x: jnp.sin(x))
    made.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (factor * g * jnp.cos(x),))
    return made


def kinds():
    """The kinds of what is compiled."""
    return [kind if isinstance(kind, str) else kind[0] for kind, _ in compiled._compiled]


# -- keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        jnp.sin,
        lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
        lambda x: lax.fori_loop(0, 3, lambda k, y: y * x, x),
        lambda x: jax.nn.relu(jax.jit(jnp.exp)(x)),
        rule(1.0),
    ],
    ids=["sin", "cond", "loop", "relu", "rule"],
)
def test_the_same_computation_has_the_same_key(function):
    one, other = key(function, X), key(function, 2 * X)
    assert one == other
    assert hash(one) == hash(other)


def test_numbers_shapes_and_rules_tell_keys_apart():
    plain = key(lambda x: x * 2.0, X)
    number, shape = key(lambda x: x * 3.0, X), key(lambda x: x * 2.0, X[:3])
    assert (plain.whole == number.whole, plain.shapes == number.shapes) == (False, True)
    assert (plain.shapes == shape.shapes, plain.family == shape.family) == (False, True)
    one, other = key(rule(1.0), X), key(rule(1.01), X)
    assert (one.whole == key(rule(1.0), X).whole, one.whole == other.whole) == (True, False)
    assert one.shapes == other.shapes


def test_a_static_argument_of_a_rule_is_a_part_of_its_key():
    def power(x, n):
        return x * x

    made = jax.custom_vjp(power, nondiff_argnums=(1,))
    made.defvjp(lambda x, n: (x * x, x), lambda n, x, g: (n * g * x,))
    assert key(lambda x: made(x, 2), X) == key(lambda x: made(x, 2), X)
    assert key(lambda x: made(x, 2), X) != key(lambda x: made(x, 3), X)


def test_what_a_function_closes_over_does_not_count():
    one, other = jnp.ones(4), jnp.zeros(4)
    assert key(lambda x: x * one, X) == key(lambda x: x * other, X)


# -- when ----------------------------------------------------------------------------------------------------


def test_values_are_compiled_at_once_and_gradients_from_the_third_example():
    function = rule(1.0)
    for count in range(1, 4):
        assert check_gradients(function, jnp.asarray(X * count / 4)).verdict == "pass"
        assert kinds().count("values") == 1
        assert kinds().count("gradient") == (count > compiled.BY_OPERATION)


def test_a_number_that_varies_is_not_compiled_again():
    for count in range(4):
        assert check_gradients(lambda x, c=1.0 + count: c * jnp.sin(x), jnp.asarray(X)).verdict == "pass"
    assert kinds().count("values") == 1
    assert kinds().count("gradient") <= 1


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_every_example_has_its_own_verdict(factor):
    function, right = rule(factor), factor == 1.0
    for count in range(1, 4):
        inputs = jnp.asarray(X * count / 4)
        result = check_gradients(function, inputs)
        assert (result.verdict == "pass") == right, str(result)
        assert result.culprit == (None if right else "jax")


def test_what_differs_from_example_to_example_is_not_taken_from_another():
    made = jax.custom_vjp(lambda x, c: jnp.sin(c * x))
    made.defvjp(
        lambda x, c: (jnp.sin(c * x), (x, c)),
        lambda kept, g: (g * kept[1] * jnp.cos(kept[0] * kept[1]), None),
    )
    for k in range(4):
        scale = jnp.asarray(np.random.default_rng(k).uniform(1, 2, 4), jnp.float32)
        result = check_gradients(lambda x, c=scale: made(x, c), jnp.asarray(X))
        assert result.verdict == "pass", str(result)
    assert kinds().count("gradient") == 1


FACTOR = 1.0


class Settings:
    factor = 1.0


def by_global():
    made = jax.custom_vjp(lambda x: jnp.sin(x))
    made.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (FACTOR * g * jnp.cos(x),))
    return made, lambda monkeypatch, factor: monkeypatch.setitem(globals(), "FACTOR", factor)


def by_object():
    settings = Settings()
    made = jax.custom_vjp(lambda x: jnp.sin(x))
    made.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (settings.factor * g * jnp.cos(x),))
    return made, lambda monkeypatch, factor: setattr(settings, "factor", factor)


def by_residual():
    settings = [1.0]
    made = jax.custom_vjp(lambda x: jnp.sin(x))
    made.defvjp(lambda x: (jnp.sin(x), settings[0] * jnp.cos(x)), lambda slope, g: (g * slope,))
    return made, lambda monkeypatch, factor: settings.__setitem__(0, factor)


def by_tangent():
    settings = Settings()
    made = jax.custom_jvp(lambda x: jnp.sin(x))
    made.defjvp(lambda p, t: (jnp.sin(p[0]), settings.factor * jnp.cos(p[0]) * t[0]))
    return made, lambda monkeypatch, factor: setattr(settings, "factor", factor)


@pytest.mark.parametrize("make", [by_global, by_object, by_residual, by_tangent])
def test_a_rule_that_becomes_wrong_is_found(make, monkeypatch):
    function, put = make()
    for count in range(1, 5):
        assert check_gradients(function, jnp.asarray(X * count / 4)).verdict == "pass"
    put(monkeypatch, 1.01)
    assert check_gradients(function, jnp.asarray(X)).verdict == "fail"
    put(monkeypatch, 1.0)
    assert check_gradients(function, jnp.asarray(X)).verdict == "pass"


def test_it_is_let_go_of():
    for _ in range(3):
        check_gradients(rule(1.0), jnp.asarray(X))
    assert kinds()
    registry.release()
    assert not kinds()


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.sweep)], ids=["alone", "xdist"]
)
def test_it_is_let_go_of_after_a_test(pytester, workers):
    pytester.makepyfile(
        """
        import jax.numpy as jnp
        import pytest
        from pytest_gradcheck import arrays
        from pytest_gradcheck.frameworks.jax import compiled

        @pytest.mark.gradcheck(x=arrays(3, library="jax"))
        def test_marked(x):
            return jnp.sin(x)

        def test_after():
            assert not compiled._compiled
            assert not compiled._met
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *workers)
    result.assert_outcomes(passed=2)


# -- for which functions -------------------------------------------------------------------------------------


def test_a_function_that_knows_that_it_is_traced_is_called_as_it_is():
    def function(x):
        return jnp.sin(x) if isinstance(x, jax.core.Tracer) else jnp.cos(x)

    check_gradients(function, jnp.asarray(X))
    values = [run for (kind, _), run in compiled._compiled.items() if kind == "values"]
    assert len(values) == 1
    # It was compiled and then found to be another function.
    result = check_gradients(function, jnp.asarray(X))
    assert result.verdict != "pass", str(result)


def test_a_function_that_counts_its_calls_is_erratic():
    calls = []

    def function(x):
        calls.append(0)
        return jnp.sin(x) * (1 + len(calls) * 1e-5)

    assert check_gradients(function, jnp.asarray(X)).verdict == "inconclusive"


def test_many_cotangents_and_points_are_worked_off_in_parts():
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1, 40), jnp.float32)
    for _ in range(3):
        result = check_gradients(lambda x: jnp.sin(x) * x[::-1], x, mode="full")
        assert result.verdict == "pass", str(result)


def test_a_rule_with_a_loop_is_compiled_for_many_cotangents():
    function = jax.custom_vjp(lambda x: lax.fori_loop(0, 3, lambda k, y: y * x, x))
    function.defvjp(
        lambda x: (function(x), x),
        lambda x, g: (lax.fori_loop(0, 3, lambda k, y: y * x, 4.0 * g),),
    )
    assert check_gradients(function, jnp.asarray(X)).verdict == "pass"
    assert "gradient" in kinds()


def test_a_rule_with_control_flow_in_python_is_called_as_it_is():
    function = jax.custom_vjp(jnp.sin)
    function.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x) if float(x[0]) < 9 else g,))
    for _ in range(4):
        assert check_gradients(function, jnp.asarray(X)).verdict == "pass"
