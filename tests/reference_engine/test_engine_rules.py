"""Every rule against differences of the function itself, at first and second order.

The samples are looked up by the engine's own tables, so a rule without a sample fails.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special
from engine_samples import SAMPLES, name_of

import reference_engine as engine
from reference_engine.backward import ancestors
from reference_engine.containers import flatten
from reference_engine.definitions import PRIMITIVES
from reference_engine.dispatch import FUNCTIONS, METHODS, UFUNCS
from reference_engine.rules.constants import CONSTANT, PLAIN
from reference_engine.rules.creation import CONSTANT_LIKE, MADE
from reference_engine.rules.elementwise import ZERO_UFUNCS
from reference_engine.rules.special import SPECIAL

pytestmark = pytest.mark.kernels

CASES = [
    pytest.param(function, args, id=f"{name_of(key)}-{i}")
    for key, samples in SAMPLES.items()
    for i, (function, args) in enumerate(samples)
]


def inner(a: Any, b: Any) -> Any:
    """The real inner product of lists of arrays, under which a complex number is a pair of reals."""
    total: Any = 0.0
    for x, y in zip(a, b, strict=True):
        product = np.sum(np.conjugate(x) * y)
        total = total + np.real(product)
    return total


def like(rng: np.random.Generator, x: Any) -> Any:
    values = rng.standard_normal(np.shape(x))
    return values + 1j * rng.standard_normal(np.shape(x)) if np.iscomplexobj(x) else values


def slope(f: Any, args: Any, direction: Any) -> float:
    """d f(args + t direction) / dt at 0 by the central difference of order 6; good to about 1e-11."""
    h = 2e-3
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    total = 0.0
    for k, weight in weights.items():
        for sign in (1, -1):
            moved = [x + sign * k * h * v for x, v in zip(args, direction, strict=True)]
            total += sign * weight * float(f(*moved))
    return total / h


def active(args: Any) -> list[int]:
    return [i for i, x in enumerate(args) if np.result_type(x).kind in "fc"]


@pytest.mark.parametrize(("function", "args"), CASES)
def test_rule_agrees_with_differences(function: Any, args: Any) -> None:
    rng = np.random.default_rng(7)
    places = active(args)
    chosen = [args[i] for i in places]

    def f(*inputs: Any) -> list[Any]:
        full = list(args)
        for i, x in zip(places, inputs, strict=True):
            full[i] = x
        leaves, _ = flatten(function(*full))
        return leaves

    value, pullback = engine.vjp(f, *chosen)
    expected = f(*chosen)
    for got, want in zip(value, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
        assert np.shape(got) == np.shape(want)
        assert np.result_type(got) == np.result_type(want)

    u = [like(rng, x) for x in value]
    v = [like(rng, x) for x in chosen]
    w = [like(rng, x) for x in chosen]
    gradient = pullback(u)
    for g, x in zip(gradient, chosen, strict=True):
        assert np.shape(g) == np.shape(x)
        assert np.result_type(g) == np.result_type(x)
    numeric = slope(lambda *x: inner(u, f(*x)), chosen, v)
    scale = 1 + abs(numeric) + sum(np.sum(np.abs(g)) for g in gradient)
    assert float(inner(gradient, v)) == pytest.approx(numeric, abs=1e-8 * scale)

    _, tangent = engine.jvp(f, tuple(chosen), tuple(v))
    assert float(inner(u, tangent)) == pytest.approx(float(inner(gradient, v)), abs=1e-11 * scale)

    def first(*inputs: Any) -> Any:
        return inner(w, engine.vjp(f, *inputs)[1](u))

    second = engine.vjp(first, *chosen)[1](1.0) if np.size(first(*chosen)) and _depends(first, chosen) else w
    if second is not w:
        numeric = slope(first, chosen, v)
        scale = 1 + abs(numeric) + sum(np.sum(np.abs(g)) for g in second)
        assert float(inner(second, v)) == pytest.approx(numeric, abs=1e-7 * scale)
    else:
        assert slope(first, chosen, v) == pytest.approx(0, abs=1e-7 * scale)


def _depends(f: Any, args: Any) -> bool:
    result = f(*[engine.Tensor(x, requires_grad=True) for x in args])
    return isinstance(result, engine.Tensor) and result.requires_grad


NO_DERIVATIVE = {
    *ZERO_UFUNCS, *CONSTANT, *PLAIN, *CONSTANT_LIKE, *MADE, np.round, np.fix, np.linalg.matrix_rank,
}  # fmt: skip
ALIASES = {np.around: np.round, np.amax: np.max, np.amin: np.min, np.unique_values: np.unique}
ROWS = [key for key in (*UFUNCS, *FUNCTIONS, *METHODS) if key not in NO_DERIVATIVE]


# `test_engine_special` holds the functions of scipy.special against mpmath.
@pytest.mark.parametrize("key", [key for key in ROWS if name_of(key) not in SPECIAL], ids=name_of)
def test_every_table_row_has_a_sample(key: Any) -> None:
    key = ALIASES.get(key, key)
    assert key in SAMPLES or key in NO_DERIVATIVE, f"add a sample for {name_of(key)} to engine_samples.py"


# Primitives that stand in the derivatives of others alone.
IN_GRADIENTS = (scipy.special.ellipk, scipy.special.erfcx, scipy.special.i0e)


def test_every_primitive_is_met_by_a_sample() -> None:
    met = {
        node.primitive.name
        for function in IN_GRADIENTS
        for node in ancestors([engine.grad(function)(engine.Tensor(0.4, requires_grad=True))._node])
        if node.primitive is not None
    }
    for samples in SAMPLES.values():
        for function, args in samples:
            traced = [
                engine.Tensor(x, requires_grad=True) if np.result_type(x).kind in "fc" else x for x in args
            ]
            leaves, _ = flatten(function(*traced))
            for node in ancestors([leaf._node for leaf in leaves if isinstance(leaf, engine.Tensor)]):
                if node.primitive is not None:
                    met.add(node.primitive.name)
    # Other tests extend the table, which is shared.
    own = {name for name in PRIMITIVES if not name.startswith("test_")}
    assert own - met - {"move_back"} == set()
