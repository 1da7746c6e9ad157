"""Linear operators under test: the product is the function, the adjoint is the derivative on trial.

The dot-product test, ⟨A v, u⟩ = ⟨v, Aᴴ u⟩, is the usual comparison of a slope, of the product along v
contracted with u, with a gradient, that of the adjoint. Operators are recognised by their methods, without
importing a library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.leaves import EPS_BY_DTYPE
from pytest_gradcheck.frameworks.registry import named
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.function.signatures import name_of
from pytest_gradcheck.methods.forms import Broken, Form
from pytest_gradcheck.methods.names import WRITTEN_AS

#: Attributes that operators have and functions do not.
ADJOINT = "rmatvec"
METHODS = ("matvec", ADJOINT)

#: Where the adjoint is written: by scipy's wrapper of two functions, in a subclass, or elsewhere.
WRITTEN = ("_CustomLinearOperator__rmatvec_impl", "_rmatvec", "rmatvec")

#: Deviations beyond this share of the size mean not linear; a solver's tolerance is smaller.
LEAST = 1e-3

#: A product with zero may be off by so many roundings of a product with a vector.
ROUNDINGS = 64


def is_operator(fn: Any) -> bool:
    """Whether the object under test is a linear operator, which need not be callable."""
    return not isinstance(fn, type) and all(callable(getattr(fn, name, None)) for name in METHODS)


def taken_apart(operator: Any, inputs: Any) -> tuple[Callable[..., Any], Any, Form]:
    """Return the product with an operator as a function, its inputs, and its adjoint as a form.

    A real vector would test only a part of a complex operator. So the vector becomes complex, unless the
    operator's ``clinear`` says that it takes only real numbers.
    """

    def product(x: Any) -> Any:
        return operator.matvec(x)

    def adjoint(x: Any, cotangent: Any) -> Any:
        try:
            return operator.rmatvec(cotangent)
        except NotImplementedError:
            got = f"{name_of(operator)}, whose rmatvec is not implemented"
            raise InvalidArgument("fn", got, "define rmatvec, which is what is checked") from None

    shape: tuple[int, ...] = tuple(getattr(operator, "shape", ()))
    given = inputs.values() if isinstance(inputs, dict) else inputs if isinstance(inputs, tuple) else [inputs]
    for vector in given:
        if len(shape) == 2 and np.shape(vector) not in ((shape[1],), (shape[1], 1)):
            got = f"an array of shape {np.shape(vector)} for an operator of shape {shape}"
            raise InvalidArgument("inputs", got, f"give a vector of {shape[1]} numbers")
    product.__name__ = product.__qualname__ = name_of(operator)
    setattr(product, WRITTEN_AS, operator)
    source = next(filter(None, (getattr(operator, name, None) for name in WRITTEN)))
    form = Form("rmatvec", "vjp", adjoint, source)
    is_complex = np.dtype(getattr(operator, "dtype", None) or float).kind == "c"
    if not is_complex or not getattr(operator, "clinear", True):
        return product, inputs, form
    if isinstance(inputs, dict):
        return product, {key: _complex(value) for key, value in inputs.items()}, form
    if isinstance(inputs, tuple):
        return product, tuple(_complex(value) for value in inputs), form
    return product, _complex(inputs), form


def _complex(value: Any) -> Any:
    array = value if named("numpy").owns(value) else None
    return value if array is None or np.iscomplexobj(array) else np.asarray(array, complex)


def must_be_linear(form: Form, problem: Problem) -> None:
    """Raise `Broken` for a product that is not linear, and `InvalidArgument` for one of several vectors.

    Of complex numbers it must be linear over them: a product that conjugates its vector is not.
    """
    if len(problem.inputs.leaves) != 1 or len(problem.outputs.leaves) != 1:
        raise InvalidArgument("inputs", "several for a linear operator", "give one vector")
    rng, size = np.random.default_rng(problem.seed), problem.inputs.size
    # At random vectors: at the zero vector any product may vanish.
    v, w = rng.uniform(0.5, 1.5, (2, size)) * rng.choice([-1.0, 1.0], (2, size))
    is_complex = problem.inputs.leaves[0].is_complex and problem.outputs.leaves[0].is_complex
    first, second = problem.evaluate(v), problem.evaluate(w)
    most = float(np.abs(np.concatenate([first, second])).max(initial=0.0))
    eps = max(EPS_BY_DTYPE.get(leaf.dtype, 0.0) for leaf in problem.outputs.leaves)
    at_zero = problem.evaluate(np.zeros(size))
    k = int(np.argmax(np.abs(at_zero)))
    if np.abs(at_zero[k]) > ROUNDINGS * max(eps, problem.eps) * most:
        where, index = problem.outputs.locate(k)
        raise Broken(
            "not-linear",
            f"the operator is not linear: its product with zero is {at_zero[k]:.6g} at {where}{list(index)}",
        )
    factor = -2.0 + 1.5j if is_complex else -2.0
    both = problem.evaluate(_times(factor, v, is_complex) + w)
    expected = _times(factor, first, is_complex) + second
    apart = np.abs(both - expected)
    if (apart > LEAST * 3 * most).any():
        k = int(np.argmax(apart))
        where, index = problem.outputs.locate(k)
        a = "(-2+1.5i)" if is_complex else "-2"
        raise Broken(
            "not-linear",
            f"the operator is not linear: at {where}{list(index)} A({a} v + w) is {both[k]:.6g}, and "
            f"{a} A(v) + A(w) is {expected[k]:.6g}",
        )


def _times(factor: complex, vector: Any, is_complex: bool) -> Any:
    return (factor * vector.view(complex)).view(float) if is_complex else factor * vector
