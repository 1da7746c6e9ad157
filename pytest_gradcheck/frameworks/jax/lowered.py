"""A JAX function as a program on the reference engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax

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
    places = dict.fromkeys(place_of(each) for each in stops if _is_users(each))
    notes = [("stop-gradient", f"stop_gradient{place} stops the gradient") for place in places]
    return Lowering(Program(program, function.inputs, function.outputs), notes)


#: Where JAX's own code lies.
_HOME = str(Path(jax.__file__).parent)


def _is_users(stop: Any) -> bool:
    """Whether the user's code stops a gradient, not JAX's own, as that of ``jax.nn.softmax`` does."""
    frames = list(getattr(stop.source_info.traceback, "frames", ()))
    names = [frame.function_name for frame in frames]
    if "stop_gradient" not in names:
        return False
    after = frames[names.index("stop_gradient") + 1 :]
    caller = next((f for f in after if not f.file_name.endswith(("tree_util.py", "traceback_util.py"))), None)
    return caller is not None and not caller.file_name.startswith(_HOME)
