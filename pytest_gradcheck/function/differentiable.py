"""What can be differentiated and by what, of a function's inputs and of its outputs; why not the others."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pytest_gradcheck.core.results import NotChecked
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.leaves import dtype_of, kind_of
from pytest_gradcheck.function.call import Call, Dialect
from pytest_gradcheck.function.containers import is_tensor
from pytest_gradcheck.function.signatures import lies_under


def inputs_to_differentiate(call: Call, wrt: Any) -> tuple[list[int], list[NotChecked]]:
    """Return the positions among the leaves of those to differentiate by, and why the others are constants.

    ``wrt`` are names or positions of arguments as in `check_gradients`, None for all that are floating.
    Raises `InvalidArgument` where none is left.
    """
    wanted = _wanted(call, wrt)
    torch_function = call.dialect is Dialect.TORCH
    some_require_grad = any(
        is_tensor(v) and v.requires_grad and not inside
        for v, inside in zip(call.leaves, call.in_module, strict=True)
    )
    positions, constants = [], []
    for i, (name, value, inside) in enumerate(zip(call.names, call.leaves, call.in_module, strict=True)):
        reason = _why_constant(value, inside, some_require_grad, torch_function)
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


def _wanted(call: Call, wrt: Any) -> list[str] | None:
    if wrt is None:
        return None
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


def _why_constant(value: Any, inside: bool, some_require_grad: bool, torch_function: bool) -> str | None:
    if is_tensor(value):
        if not (value.dtype.is_floating_point or value.dtype.is_complex):
            return f"dtype {dtype_of(value)} is not differentiable"
        if value.layout is not sys.modules["torch"].strided:
            return f"layout {value.layout} cannot be perturbed; make it from a dense tensor inside of fn"
        if inside:
            return None if value.requires_grad else "a tensor of the module that requires no gradient"
        if some_require_grad and not value.requires_grad:
            return "requires no gradient, beside a tensor that does"
        return None
    if torch_function:
        return f"{kind_of(value)} beside tensors"
    if isinstance(value, np.ndarray | np.generic):
        return None if value.dtype.kind in "fc" else f"dtype {value.dtype} is not differentiable"
    if isinstance(value, float | complex):
        return None
    return f"{kind_of(value)} is not differentiable"


def why_no_output(value: Any) -> str | None:
    """Return why a leaf of the function's result has no derivative, None where it has one."""
    if value is None:
        return "None"
    if is_tensor(value):
        if value.layout is not sys.modules["torch"].strided:
            return f"layout {value.layout} cannot be compared; return a dense tensor"
        floating = value.dtype.is_floating_point or value.dtype.is_complex
        return None if floating else f"dtype {dtype_of(value)} has no derivative"
    if isinstance(value, np.ndarray | np.generic):
        return None if value.dtype.kind in "fc" else f"dtype {value.dtype} has no derivative"
    if isinstance(value, float | complex):
        return None
    return f"{kind_of(value)} has no derivative"
