"""The rules of operations: the table of the package, and rules that users add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_gradcheck.frameworks.torch.lowering.tape import Entry, NumpyRule
from pytest_gradcheck.frameworks.torch.private import decompositions, name_of_operation

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
        # Half of the import of the lowering, for which a check without the reference engine has no use.
        from pytest_gradcheck.frameworks.torch.lowering.aten import table

        _rules.update(table() | _rules)


def names() -> list[str]:
    """Every operation that has a rule."""
    _load()
    return sorted(_rules)


def register(operation: Any, function: NumpyRule) -> None:
    """Register the reference rule of an operation.

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
    """Remove a rule added with `register`; an operation of torch then has no rule at all."""
    _load()
    _rules.pop(_name_of(operation), None)
    _found.clear()


def _name_of(operation: Any) -> str:
    name = operation if isinstance(operation, str) else name_of_operation(operation)
    if name is None or "::" not in name:
        raise TypeError(
            f'operation must be a name such as "mylib::blur" or an operation of torch.ops, got {operation!r}'
        )
    return name.removeprefix("aten::")


def decomposition(func: Any) -> Callable[..., Any] | None:
    """torch's own definition of an operation in terms of simpler ones, where it has one."""
    global _decompositions
    if _decompositions is None:
        # Imported here: most functions never need it.
        _decompositions = decompositions()
    return _decompositions.get(func)
