"""Names of functions, arguments and leaves."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.registry import imported


def lies_under(name: str, key: str) -> bool:
    """Whether a leaf's name is the key itself or lies inside of it."""
    return name == key or (name.startswith(key) and name[len(key)] in ".[")


def parameter_names(fn: Any, count: int) -> list[str]:
    """Return the names by which the first positional arguments of a callable are known."""
    names: list[str] = []
    try:
        hidden = next(filter(None, (framework.signature_of(fn) for framework in imported())), None)
        signature = hidden or signature_of(fn)
    except (TypeError, ValueError):
        signature = None
    for p in () if signature is None else signature.parameters.values():
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(count - len(names))]
    names = names[:count]
    if len(names) < count:
        names += ["x"] if count == 1 else [f"x{i}" for i in range(len(names), count)]
    return names


def name_of(fn: Any) -> str:
    """Return the name of a callable in messages."""
    if isinstance(fn, functools.partial):
        return name_of(fn.func)
    owner = getattr(fn, "__self__", None)
    if inspect.isbuiltin(fn):
        return str(fn.__name__)
    if isinstance(owner, type):
        return f"{owner.__name__}.{fn.__name__}"
    return getattr(fn, "__qualname__", None) or type(fn).__qualname__


def signature_text(fn: Any) -> str:
    """Return a callable's signature without annotations, or ``(...)`` where it has none."""
    signature = signature_of(fn)
    if signature is None:
        return "(...)"
    empty = inspect.Parameter.empty
    plain = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=empty))


def call_by_name(
    argument: str, fn: Callable[..., Any], first: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """Call with the values in ``first`` by position, and each named one as the parameter of its name.

    Named values without a parameter of that name go to the remaining parameters, in order. So ``np.cos``, and
    whatever else has no names for its parameters, is called by position. Raises `InvalidArgument`, for the
    ``argument`` that the callable was given as, where the values do not fit.
    """
    bound = must_take(argument, fn, first, named)
    if bound is None:
        # Builtins of a framework may take keywords, and do not say which.
        try:
            return fn(*first, **named)
        except TypeError:
            return fn(*first, *named.values())
    return fn(*bound.args, **bound.kwargs)


def must_take(
    argument: str, fn: Callable[..., Any], first: Sequence[Any], named: Mapping[str, Any]
) -> inspect.BoundArguments | None:
    """Return the arguments of a call by name, None for a callable without a signature; see `call_by_name`."""
    signature = signature_of(fn)
    if signature is None:
        return None
    try:
        return _bound(signature, first, named)
    except TypeError as error:
        names = ", ".join([*(f"input {k}" for k in range(len(first))), *named])
        got = f"{name_of(fn)}{signature}, but it is called with ({names}): {error}"
        raise InvalidArgument(argument, got, "accept them by these names, or in this order") from None


def takes_keywords(fn: Callable[..., Any]) -> bool:
    """Whether every parameter has a name to call it by."""
    signature = signature_of(fn)
    return signature is not None and all(
        p.kind is not p.POSITIONAL_ONLY for p in signature.parameters.values()
    )


def signature_of(fn: Any) -> inspect.Signature | None:
    """Return the signature; None for builtins and ufuncs, which have none."""
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return None


def _bound(
    signature: inspect.Signature, first: Sequence[Any], named: Mapping[str, Any]
) -> inspect.BoundArguments:
    parameters, left = signature.parameters.values(), dict(named)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    given: dict[str, Any] = dict(zip((p.name for p in positional), first, strict=False))
    rest = first[len(positional) :]
    several = {p.kind: p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    single = [p.name for p in parameters if p.name not in (*given, *several.values())]
    given |= {name: left.pop(name) for name in single if name in left}
    by_keyword = several.get(inspect.Parameter.VAR_KEYWORD)
    for p in positional:
        # What **kwargs takes by its name does not replace a default.
        if left and p.name not in given and (p.default is p.empty or by_keyword is None):
            given[p.name] = left.pop(next(iter(left)))
    if by_keyword is not None:
        given[by_keyword] = left
    else:
        rest = [*rest, *left.values()]
    if rest:
        by_position = several.get(inspect.Parameter.VAR_POSITIONAL)
        if by_position is None:
            raise TypeError("too many arguments")
        given[by_position] = tuple(rest)
    bound = inspect.BoundArguments(signature, OrderedDict(given))
    signature.bind(*bound.args, **bound.kwargs)
    return bound


def called_wrongly(fn: Any, error: BaseException) -> bool:
    """Whether a TypeError comes from the call itself, not from inside of the function."""
    ran = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return hasattr(fn, "__code__") and fn.__code__ not in ran
