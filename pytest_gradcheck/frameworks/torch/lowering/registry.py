"""Which rule an operation has: the table of the package, and what users add to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from pytest_gradcheck.frameworks.torch.lowering.tape import Rule


class Entry(NamedTuple):
    """A rule and what the recorder must do for it.

    ``recorded``: the results of the recording are passed to the rule as the keyword ``recorded``, for
    operations that draw their own noise. ``hidden_writes`` names, among the arguments of a call, the tensors
    that the operation updates without saying so in its schema; their new values are further results of the
    rule.
    """

    function: Rule
    recorded: bool = False
    hidden_writes: Callable[[tuple[Any, ...]], tuple[torch.Tensor, ...]] | None = None


_rules: dict[str, Entry] = {}
_found: dict[tuple[str, str], Entry | None] = {}
_decompositions: dict[Any, Callable[..., Any]] | None = None
_loaded = False


def find(base: str, overload: str) -> Entry | None:
    """The rule of an operation: that of the overload if there is one, else that of all overloads."""
    key = (base, overload)
    if key not in _found:
        _load()
        _found[key] = _rules.get(f"{base}.{overload}", _rules.get(base))
    return _found[key]


def _load() -> None:
    global _loaded
    if not _loaded:
        _loaded = True
        from pytest_gradcheck.frameworks.torch.lowering import (
            aten,  # the table is built on this module's Entry
        )

        for name, entry in aten.table().items():
            _rules.setdefault(name, entry)


def names() -> list[str]:
    """Every operation that has a rule."""
    _load()
    return sorted(_rules)


def register(operation: Any, function: Rule) -> None:
    """Give an operation its reference rule.

    Args:
        operation: a name as in the error message (``"mylib::blur"`` or ``"mylib::blur.default"``), or the
            operation itself (``torch.ops.mylib.blur``, one of its overloads, or what
            ``torch.library.custom_op`` returned). A rule given before, ours included, is replaced.
        function: the same computation on arrays, written with NumPy's functions, which the reference engine
            differentiates. Gets the operation's arguments with arrays or engine tensors for tensors and
            NumPy dtypes for dtypes; returns an array, or a tuple where the operation has several results.

    Raises:
        TypeError: if ``operation`` names none or ``function`` is not callable.
    """
    if not callable(function):
        raise TypeError(f"the reference rule must be callable, got {type(function).__name__}")
    _load()
    _rules[_name_of(operation)] = Entry(function)
    _found.clear()


def unregister(operation: Any) -> None:
    """Take back a rule given with `register`; an operation of torch has no rule at all then."""
    _load()
    _rules.pop(_name_of(operation), None)
    _found.clear()


def _name_of(operation: Any) -> str:
    operation = getattr(operation, "_opoverload", operation)
    if isinstance(operation, torch._ops.OpOverload):
        name = f"{operation._schema.name}.{operation._overloadname}"
    elif isinstance(operation, torch._ops.OpOverloadPacket):
        name = operation._qualified_op_name
    elif isinstance(operation, str) and "::" in operation:
        name = operation
    else:
        raise TypeError(
            f'operation must be a name such as "mylib::blur" or an operation of torch.ops, got {operation!r}'
        )
    return name.removeprefix("aten::")


def decomposition(func: Any) -> Callable[..., Any] | None:
    """torch's own definition of an operation in terms of simpler ones, where it has one."""
    global _decompositions
    if _decompositions is None:
        # Only now: importing torch._decomp takes about half a second, and most functions never need it.
        try:
            from torch._decomp import core_aten_decompositions, decomposition_table

            _decompositions = {**decomposition_table, **core_aten_decompositions()}
        except Exception:
            # A private module of torch: where a version has moved it, operations without a rule are opaque.
            _decompositions = {}
    return _decompositions.get(func)
