"""What functions, arguments and leaves are called."""

from __future__ import annotations

import inspect
from typing import Any

from pytest_gradcheck.core.pytree import is_module


def lies_under(name: str, key: str) -> bool:
    """Whether a leaf's name is the key itself or lies inside of it."""
    return name == key or (name.startswith(key) and name[len(key)] in ".[")


def parameter_names(fn: Any, count: int) -> list[str]:
    """Return the names by which the first positional arguments of a callable are known."""
    target = fn.forward if is_module(fn) else fn
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, type) and fn.__name__ == "apply" and hasattr(owner, "forward"):
        # torch.autograd.Function.apply takes anything; its forward knows the names.
        target = owner.forward
    names: list[str] = []
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        # Builtins and ufuncs have no signature.
        parameters = ()  # type: ignore[assignment]  # an empty stand-in for the mapping's view
    for p in parameters:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(count - len(names))]
    if target is not fn and names[:1] == ["ctx"]:
        del names[0]
    names = names[:count]
    if len(names) < count:
        names += ["x"] if count == 1 else [f"x{i}" for i in range(len(names), count)]
    return names


def name_of(fn: Any) -> str:
    """Return what to call a callable in messages."""
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, type) and not inspect.isbuiltin(fn):
        return f"{owner.__name__}.{fn.__name__}"
    if inspect.isbuiltin(fn):
        return str(fn.__name__)
    return getattr(fn, "__qualname__", None) or type(fn).__qualname__


def signature_text(fn: Any) -> str:
    """Return a callable's signature, or ``(...)`` where it has none."""
    try:
        return str(inspect.signature(fn))
    except (TypeError, ValueError):
        return "(...)"


def called_wrongly(fn: Any, error: BaseException) -> bool:
    """Whether a TypeError comes from the call itself, not from inside of the function."""
    trace = error.__traceback__
    depth = 0
    while trace is not None:
        depth += 1
        code = trace.tb_frame.f_code
        if code is getattr(fn, "__code__", None):
            return False
        trace = trace.tb_next
    return hasattr(fn, "__code__")
