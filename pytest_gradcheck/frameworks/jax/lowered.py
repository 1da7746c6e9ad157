"""A JAX function as a program on the reference engine."""

from __future__ import annotations

from typing import Any

from pytest_gradcheck.frameworks.base import FunctionAtPoint, Lowering
from pytest_gradcheck.frameworks.jax import traces
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay, equations, place_of
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES
from pytest_gradcheck.frameworks.pullback import Program


def lower(function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
    """Trace the function at its point; see `Framework.lower`."""
    closed = traces.of(function, double=function.double)
    held: list[Any] | None = [] if hold_stops else None
    program = Replay(closed.jaxpr, closed.consts, RULES, held=held)
    if hold_stops:
        program(*function.inputs.split(function.point))
    stops = [each for each in equations(closed.jaxpr) if each.primitive.name == "stop_gradient"]
    places = dict.fromkeys(filter(None, map(place_of, stops)))
    notes = [("stop-gradient", f"stop_gradient{place} stops the gradient") for place in places]
    return Lowering(Program(program, function.inputs, function.outputs), notes)
