"""What can be differentiated and by what, of a function's inputs and of its outputs; why not the others."""

from __future__ import annotations

from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import Framework, NotChecked, kind_of
from pytest_gradcheck.function.call import Call
from pytest_gradcheck.function.signatures import lies_under


def inputs_to_differentiate(call: Call, wrt: Any) -> tuple[list[int], list[NotChecked]]:
    """Return the positions among the leaves of those to differentiate by, and why the others are constants.

    ``wrt`` are names or positions of arguments as in `check_gradients`, None for all that are floating.
    Raises `InvalidArgument` where none is left.
    """
    wanted = None if wrt is None else _wanted(call, wrt)
    reasons = call.framework.why_constants(call.leaves, call.in_module)
    positions, constants = [], []
    for i, (name, reason) in enumerate(zip(call.names, reasons, strict=True)):
        if reason is None and wanted is not None and not any(lies_under(name, w) for w in wanted):
            reason = "left out by wrt"
        if reason is None:
            positions.append(i)
        else:
            constants.append(NotChecked(name, reason))
    if not positions:
        found = ", ".join(f"{n.what} ({n.reason})" for n in constants) or "nothing"
        raise InvalidArgument(
            "inputs",
            f"nothing to differentiate by: {found}",
            "give floats, or arrays of a floating dtype",
        )
    return positions, constants


def _wanted(call: Call, wrt: Any) -> list[str]:
    keys = list(call.arguments)
    wanted = []
    for item in wrt if isinstance(wrt, list | tuple | set | frozenset) else [wrt]:
        if isinstance(item, int) and not isinstance(item, bool) and -len(keys) <= item < len(keys):
            wanted.append(keys[item])
        elif isinstance(item, str) and any(lies_under(name, item) for name in call.names):
            wanted.append(item)
        else:
            raise InvalidArgument(
                "wrt", repr(item), f"name one of {', '.join(call.names)}, or give an argument's position"
            )
    return wanted


def why_no_output(value: Any, owner: Framework | None) -> str | None:
    """Return why a leaf of the function's result has no derivative, None where it has one."""
    if owner is not None:
        return owner.why_no_derivative(value)
    return "None" if value is None else f"{kind_of(value)} has no derivative"
