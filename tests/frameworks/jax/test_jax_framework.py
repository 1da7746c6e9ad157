"""Checks of JAX functions: arrays, containers, dtypes, rules that raise, complex numbers, and no import."""

import dataclasses
import inspect
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pytest_gradcheck import InvalidArgument, check_gradients
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.base import Framework

POINT = jnp.array([0.3, 0.7, -1.0])


def custom(function, backward, forward=None):
    rule = jax.custom_vjp(lambda x: function(x))
    rule.defvjp(forward or (lambda x: (function(x), x)), lambda x, g: (backward(x, g),))
    return rule


CUBE = custom(lambda x: x**3, lambda x, g: 3 * x * x * g)
WRONG_CUBE = custom(lambda x: x**3, lambda x, g: 3.03 * x * x * g)


@pytest.fixture(params=["float32", "float64"])
def point(request):
    with jax.enable_x64(request.param == "float64"):
        yield jnp.asarray(np.array(POINT), request.param)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint], ids=["plain", "jit", "remat"])
def test_a_right_rule_passes(point, wrap, order):
    result = check_gradients(wrap(CUBE), point, order=order)

    assert result.verdict == "pass", str(result)
    assert result.methods["jax"].status == "ok"


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint], ids=["plain", "jit", "remat"])
def test_a_wrong_rule_is_caught_by_name(point, wrap):
    result = check_gradients(wrap(WRONG_CUBE), point)

    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
    assert result.diagnosis.code == "constant-factor"


def test_a_check_in_float64_leaves_the_configuration_alone():
    seen = []

    def function(x):
        seen.append((jax.config.jax_enable_x64, str(x.dtype)))
        return x * x

    assert check_gradients(function, POINT).verdict == "pass"
    assert {(False, "float32"), (True, "float64")} <= set(seen)
    assert not jax.config.jax_enable_x64
    assert jnp.ones(1).dtype == jnp.float32


# -- containers --------------------------------------------------------------------------------------


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Layer:
    weight: jax.Array
    bias: jax.Array
    power: int = dataclasses.field(metadata={"static": True}, default=2)

    def __call__(self, x):
        return self.weight * x**self.power + self.bias


@jax.tree_util.register_pytree_node_class
class Pair:
    def __init__(self, first, second):
        self.first, self.second = first, second

    def tree_flatten(self):
        return (self.first, self.second), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


def test_registered_containers_are_inputs_and_outputs():
    def function(layer, x):
        return Pair(layer(x), {"twice": 2 * x})

    result = check_gradients(function, {"layer": Layer(POINT, POINT, 3), "x": POINT})
    assert result.verdict == "pass", str(result)

    wrong = check_gradients(
        lambda layer, x: Pair(WRONG_CUBE(layer.bias) + 0 * x, x), {"layer": Layer(POINT, POINT), "x": POINT}
    )
    assert wrong.verdict == "fail"
    assert wrong.worst.input == "layer.bias"
    assert wrong.worst.output == "output[0]"


def test_a_registered_class_without_names_is_indexed():
    result = check_gradients(lambda pair: WRONG_CUBE(pair.second), (Pair(POINT, POINT),))
    assert result.worst.input == "pair[1]"


def test_keys_integers_and_booleans_pass_through():
    inputs = {"x": POINT, "key": jax.random.key(3), "old": jax.random.PRNGKey(1), "mask": POINT > 0}

    def function(x, key, old, mask):
        noise = jax.random.uniform(key, (3,), jnp.float32) + jax.random.uniform(old, (3,), jnp.float32)
        return {"value": jnp.where(mask, x * noise, x), "count": mask.sum()}

    result = check_gradients(function, inputs)
    assert result.verdict == "pass", str(result)
    assert {n.what: n.reason for n in result.not_checked} == {
        "key": "dtype key<fry> is not differentiable",
        "old": "dtype uint32 is not differentiable",
        "mask": "dtype bool is not differentiable",
        "output['count']": "dtype int32 has no derivative",
    }


def test_a_rule_with_float0_cotangents():
    rule = jax.custom_vjp(lambda x, n: x * n)
    rule.defvjp(lambda x, n: (x * n, (n,)), lambda n, g: (n[0] * g, np.zeros(n[0].shape, jax.dtypes.float0)))
    assert check_gradients(rule, (POINT, jnp.arange(3))).verdict == "pass"


def test_arrays_of_numpy_next_to_those_of_jax_are_refused_or_left_out():
    with pytest.raises(InvalidArgument, match="a NumPy array next to jax arrays"):
        check_gradients(lambda x, y: x * y, (POINT, np.ones(3)))
    assert check_gradients(lambda x, y: x * y, (POINT, np.ones(3)), wrt="x").verdict == "pass"


# -- rules that do not fit ---------------------------------------------------------------------------


def broken(backward, forward=lambda x: (x**3, x)):
    rule = jax.custom_vjp(lambda x: x**3)
    rule.defvjp(forward, backward)
    return rule


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (broken(lambda x, g: (1 / 0,)), "backward-raised"),
        (broken(lambda x, g: (3 * x * x * g, 1.0)), "gradient-count"),
        (broken(lambda x, g: None), "gradient-count"),
        (broken(lambda x, g: (jnp.sum(3 * x * x * g),)), "shape-mismatch"),
        (broken(lambda x, g: (3 * x * x * g,), forward=lambda x: x**3), "backward-raised"),
    ],
    ids=["raises", "too-many", "none", "shape", "no-residuals"],
)
def test_a_rule_that_does_not_fit_fails_with_its_code(rule, code):
    result = check_gradients(rule, POINT)

    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
    assert result.diagnosis.code == code, str(result)


# -- complex numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "function",
    [lambda z: z * z, lambda z: jnp.abs(z) ** 2, lambda z: jnp.conj(z) * z, lambda z: jnp.exp(1j * z.real)],
    ids=["square", "abs", "conjugate", "real-part"],
)
def test_complex_functions_pass(function, order):
    result = check_gradients(function, jnp.array([1 + 2j, 3 - 1j]), order=order)
    assert result.verdict == "pass", str(result)


def test_a_cotangent_is_not_conjugated_in_jax():
    z = jnp.array([1 + 2j, 3 - 1j])
    right = custom(lambda z: z * z, lambda z, g: 2 * z * g)
    wrong = custom(lambda z: z * z, lambda z, g: 2 * jnp.conj(z) * g)

    assert check_gradients(right, z).verdict == "pass"
    result = check_gradients(wrong, z)
    assert (result.verdict, result.diagnosis.code) == ("fail", "conjugate")
    assert "conjugates neither" in result.diagnosis.text


# -- the framework itself ----------------------------------------------------------------------------


def test_provided_methods_have_the_parameters_of_the_protocol():
    framework = registry.named("jax")
    for name, of_protocol in inspect.getmembers(Framework, inspect.isfunction):
        own = getattr(framework, name)
        if getattr(own, "__func__", None) is of_protocol:
            continue
        expected = list(inspect.signature(of_protocol).parameters)[1:]
        given = list(inspect.signature(own).parameters)
        assert len(given) == len(expected) or "options" in expected, name


@pytest.mark.parametrize(
    "inputs",
    ["np.array([0.3, 0.7])", "0.5", "__import__('torch').tensor([0.3, 0.7])"],
    ids=["numpy", "float", "torch"],
)
def test_jax_is_not_imported_for_inputs_that_are_not_its_own(inputs):
    code = (
        "import sys\nimport numpy as np\nfrom pytest_gradcheck import check_gradients\n"
        f"result = check_gradients(lambda x: x * x, {inputs})\n"
        "assert result.verdict == 'pass' and 'jax' not in result.methods, result\n"
        "assert check_gradients(lambda x: x * x, 0.5, methods=('central', 'reference', 'jax')"
        ").methods['jax'].reason == 'jax does not run NumPy code'\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_is_not_imported_for_jax():
    code = (
        "import sys\nimport jax.numpy as jnp\nfrom pytest_gradcheck import check_gradients\n"
        "result = check_gradients(lambda x: x * x, jnp.ones(2))\n"
        "assert result.verdict == 'pass' and 'torch' not in result.methods, result\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
