"""A torch function as a program on the reference engine, with what the recording saw of it."""

from __future__ import annotations

from typing import Any

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint, Lowering
from pytest_gradcheck.frameworks.pullback import Program
from pytest_gradcheck.frameworks.torch import lowering
from pytest_gradcheck.frameworks.torch.pullback import as_tensor

#: The lowering takes the root of zero at 1e-200, where it has a slope of 5e99, so that limits come out
#: right; a gradient that stays as steep is infinite. A finite one beyond it costs a witness, no more.
SINGULAR = 1e95


def lower(function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
    """Record the function at its point; see `Framework.lower`."""

    def call(*leaves: Any) -> list[Any]:
        return [as_tensor(out) for out in function.call(leaves, double=function.double)]

    try:
        lowered = lowering.lower(call, function.values_at(function.point), hold_stops=hold_stops)
        if hold_stops:
            lowered = lowered.holding_stops()
    except lowering.LoweringError as error:
        raise Unavailable(str(error)) from error
    notes = [
        (
            "hidden",
            f"{site.operation} at {site.location}, in the forward of a Function, hides it from the engine",
        )
        if site.inside
        else (
            "out-of-graph",
            f"{site.operation} at {site.location} takes the value out of the graph; use torch's functions",
        )
        for site in lowered.escapes
    ]
    notes += [
        ("stop-gradient", f"{site.operation} at {site.location} stops the gradient")
        for site in lowered.stop_gradients
    ]

    def parting() -> str:
        parts = [text.partition(";")[0] for code, text in notes if code in ("out-of-graph", "hidden")]
        found = lowering.first_divergence(call, function.values_at(function.point))
        if found is not None:
            parts.insert(
                0, f"the first operation that gives another value is {found.operation} at {found.location}"
            )
        return "".join(f"; {part}" for part in parts)

    program = Program(lowered, function.inputs, function.outputs, singular=SINGULAR)
    return Lowering(program, notes, parting)
