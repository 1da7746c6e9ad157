"""Hand-written gradients for torch: those of a package, and those in a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from pytest_gradcheck.frameworks.base import HandWritten
from pytest_gradcheck.frameworks.torch.private import function_of, is_compiled, is_registered, registered

#: The name of a node that runs a ``torch::autograd::Function`` written in C++.
NATIVE = "torch::autograd::CppNode<"


def in_graph(outs: Sequence[Any], leaves: Sequence[Any], *, double: bool) -> tuple[HandWritten, ...]:
    """Return the Functions of users in the graph from ``leaves`` to ``outs``, and how far each was run.

    ``backward`` was run if autograd needs it on the way to an input; with ``double`` the backward of it too.
    """
    nodes = nodes_of(outs)
    native = tuple(
        HandWritten(name.removeprefix(NATIVE).removesuffix(">"), None, None, None, ("backward", "forward"))
        for name in dict.fromkeys(node.name() for node in nodes)
        if name.startswith(NATIVE)
    )
    if not any(map(function_of, nodes)):
        return native
    needed = _leading_to(leaves, nodes)
    ran: dict[type[Any], set[str]] = {}
    for node in nodes:
        kind = function_of(node)
        if kind is not None and _backward_of(kind) is not None:
            known = ran.setdefault(kind, {"forward"})
            if node in needed:
                known |= {"backward", "double-backward"} if double else {"backward"}
    return native + tuple(_described(kind, ways) for kind, ways in ran.items() if is_users(kind))


def runs_compiled(outs: Sequence[Any]) -> bool:
    """Whether a graph runs through code that torch's compiler made."""
    return any(is_compiled(function_of(node)) for node in nodes_of(outs))


def hand_written_in(packages: Sequence[str]) -> list[HandWritten]:
    """Return every gradient written by hand in modules of the packages that are imported.

    These are subclasses of `torch.autograd.Function` with a backward of their own, and the backwards that
    were registered for custom operations with `torch.library`.
    """
    found: dict[str, HandWritten] = {}
    for kind in _subclasses(torch.autograd.Function):
        backward = _backward_of(kind)
        module = str(getattr(backward if is_registered(kind) else kind, "__module__", ""))
        if backward is not None and any(module == p or module.startswith(f"{p}.") for p in packages):
            one = _described(kind, ())
            found.setdefault(one.name, one)
    return [found[name] for name in sorted(found)]


def is_by_hand(node: Any) -> bool:
    """Whether a node of the graph is the backward of a Function that a user wrote."""
    kind = function_of(node)
    return kind is not None and is_users(kind)


def nodes_of(outs: Iterable[Any]) -> list[Any]:
    """Return the nodes of a graph, in the order in which a walk from its outputs meets them."""
    pending = [out.grad_fn for out in outs if out.grad_fn is not None]
    seen = dict.fromkeys(pending)
    while pending:
        for following, _ in pending.pop().next_functions:
            if following is not None and following not in seen:
                seen[following] = None
                pending.append(following)
    return list(seen)


def _leading_to(leaves: Iterable[Any], nodes: Sequence[Any]) -> set[Any]:
    """Return the nodes that lead to one of the leaves."""
    before: dict[Any, list[Any]] = {}
    for node in nodes:
        for following, _ in node.next_functions:
            if following is not None:
                before.setdefault(following, []).append(node)
    ends = {id(leaf) for leaf in leaves}
    pending = [node for node in nodes if id(getattr(node, "variable", None)) in ends]
    found = set(pending)
    while pending:
        for node in before.get(pending.pop(), ()):
            if node not in found:
                found.add(node)
                pending.append(node)
    return found


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def is_users(kind: type[Any]) -> bool:
    """Whether a Function is not torch's own; those made for a custom operation of the user's are not."""
    return is_registered(kind) or not kind.__module__.startswith("torch.")


def _backward_of(kind: type[Any]) -> Callable[..., Any] | None:
    """Return the backward that its author wrote, or None."""
    if is_registered(kind):
        return registered(kind)[0]
    for name in ("backward", "vjp"):
        own = getattr(kind, name, None)
        if own is not None and own is not getattr(torch.autograd.Function, name):
            return own  # type: ignore[no-any-return]  # an attribute of any class
    return None


def name_of(kind: type[Any]) -> str:
    """Return a Function's name, as its author wrote it."""
    return kind.__name__.removeprefix("GeneratedBackwardFor_")


def place_of(kind: type[Any], method: str = "backward") -> str:
    """Return where a method of a Function is, as ``" (ops.py:12)"``; nothing where it has no source."""
    if method != "backward":
        code = getattr(inspect.unwrap(getattr(kind, method)), "__code__", None)
        return "" if code is None else f" ({Path(code.co_filename).name}:{code.co_firstlineno})"
    known = _described(kind, ())
    at = known.path and known.backward_line
    return f" ({Path(known.path or '').name}:{known.backward_line})" if at else ""


def _described(kind: type[Any], ran: Iterable[str]) -> HandWritten:
    name = f"{kind.__module__}.{kind.__qualname__}"
    code = getattr(inspect.unwrap(_backward_of(kind) or kind.backward), "__code__", None)
    line, path = getattr(code, "co_firstlineno", None), getattr(code, "co_filename", None)
    if is_registered(kind):
        name = (registered(kind)[1] or name).removesuffix(".default")
    return HandWritten(
        name, path, line if is_registered(kind) else _line_of(kind, code), line, tuple(sorted(ran))
    )


def described_name(kind: type[Any]) -> str:
    """Return the name under which `HandWritten` knows a Function."""
    return _described(kind, ()).name


def _line_of(kind: type[Any], code: Any) -> int | None:
    """Return where a class begins; to parse its file takes longer than a small check does."""
    place = kind.__module__, kind.__qualname__, code
    if place not in _LINES:
        try:
            _LINES[place] = inspect.getsourcelines(kind)[1]
        except (OSError, TypeError):
            # A class made at run time has no source.
            _LINES[place] = None
    return _LINES[place]


#: Lines of classes by name and code; classes that a function creates in every call share them.
_LINES: dict[tuple[Any, ...], int | None] = {}
