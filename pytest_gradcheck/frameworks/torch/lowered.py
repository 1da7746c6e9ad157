"""A torch function as a program on the reference engine, with observations of the recording."""

from __future__ import annotations

from typing import Any

from pytest_gradcheck.errors import Opaque, Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint, Lowering
from pytest_gradcheck.frameworks.pullback import Program
from pytest_gradcheck.frameworks.torch import lowering
from pytest_gradcheck.frameworks.torch.lowering.tape import OpaqueError
from pytest_gradcheck.frameworks.torch.pullback import as_tensor

#: The lowering takes the root of zero at 1e-200, where it has a slope of 5e99, so limits come out right; a
#: gradient that large counts as infinite. A finite one beyond it only costs a witness.
SINGULAR = 1e95

#: Texts about recorded operations, by code.
SEEN = {
    "hidden": ", in the forward of a Function, hides it from the engine",
    "out-of-graph": " takes the value out of the graph; use torch's functions",
    "stop-gradient": " stops the gradient",
}


def lower(function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
    """Record the function at its point; see `Framework.lower`."""

    def call(*leaves: Any) -> list[Any]:
        return [as_tensor(out) for out in function.call(leaves, double=function.double)]

    try:
        lowered = lowering.lower(call, function.values_at(function.point), hold_stops=hold_stops)
        if hold_stops:
            lowered = lowered.holding_stops()
    except OpaqueError as error:
        raise Opaque(str(error)) from error
    except lowering.LoweringError as error:
        raise Unavailable(str(error)) from error
    seen = [("hidden" if site.inside else "out-of-graph", site) for site in lowered.escapes]
    seen += [("stop-gradient", site) for site in lowered.stop_gradients]
    notes = [(code, f"{site.operation} at {site.location}{SEEN[code]}") for code, site in seen]

    def parting() -> str:
        parts = [text.partition(";")[0] for code, text in notes if code in ("out-of-graph", "hidden")]
        found = lowering.first_divergence(call, function.values_at(function.point))
        if found is not None:
            first = (
                f"the first operation that gives a different value is {found.operation} at {found.location}"
            )
            parts.insert(0, first)
        return "".join(f"; {part}" for part in parts)

    program = Program(lowered, function.inputs, function.outputs, singular=SINGULAR)
    return Lowering(program, notes, parting)
