"""A JAX function as a program on the reference engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint, Lowering
from pytest_gradcheck.frameworks.jax import precision
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay, equations, place_of, traced
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES
from pytest_gradcheck.frameworks.pullback import Program


def lower(function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
    """Trace the function at its point; see `Framework.lower`."""

    def call(*leaves: Any) -> Sequence[Any]:
        return [jnp.asarray(out) for out in function.call(leaves, double=function.double)]

    leaves = function.values_at(function.point)
    with precision.working_in(double=function.double):
        try:
            closed = traced(call, leaves)
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
            raise Unavailable(f"it cannot be traced: {str(error).strip().splitlines()[0]}") from error
    held: list[Any] | None = [] if hold_stops else None
    program = Replay(closed.jaxpr, closed.consts, RULES, held=held)
    if hold_stops:
        program(*function.inputs.split(function.point))
    notes = [
        ("stop-gradient", f"stop_gradient{place_of(equation)} stops the gradient")
        for equation in equations(closed.jaxpr)
        if equation.primitive.name == "stop_gradient" and place_of(equation)
    ]
    return Lowering(Program(program, function.inputs, function.outputs), list(dict.fromkeys(notes)))
