"""A callable and its arguments: the arguments as named leaves, and a call with others in their places."""

from __future__ import annotations

import contextlib
import enum
import functools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.frameworks.leaves import kind_of
from pytest_gradcheck.frameworks.registry import named, owner
from pytest_gradcheck.function.containers import Substitution, Tree, is_module, is_tensor
from pytest_gradcheck.function.signatures import call_by_name, parameter_names, takes_keywords

#: Makes a context in which every call of a function under test runs, where something needs to know of it.
AROUND: ContextVar[Callable[[], contextlib.AbstractContextManager[None]] | None] = ContextVar(
    "AROUND", default=None
)


class Dialect(enum.StrEnum):
    """What kind of values the function is called with; decided by the inputs, never guessed."""

    PYTHON = "python"
    NUMPY = "numpy"
    TORCH = "torch"


class Call:
    """The function and the inputs that it was given with, taken apart into leaves in a fixed order.

    ``leaves`` are all of them, ``names`` what leads to each, and ``in_module`` whether it is a parameter or a
    buffer of a module; those of a module that is the function itself come last. ``arguments`` are the inputs
    by argument name, as they were given; ``how`` they were given is ``"dict"``, ``"tuple"`` or ``"one"``.
    """

    def __init__(self, fn: Callable[..., Any], inputs: Any):
        if not callable(fn):
            raise InvalidArgument("fn", kind_of(fn), "give a function, a torch.nn.Module or another callable")
        self._run: Callable[[dict[str, Any]], Any]
        if isinstance(inputs, dict):
            self.how, arguments = "dict", inputs
            self._run = lambda named: fn(**named)
            if not takes_keywords(fn):
                self._run = functools.partial(call_by_name, "fn", fn, ())
            for key in inputs:
                if not isinstance(key, str):
                    raise InvalidArgument(
                        "inputs", f"the key {key!r}", "the keys name fn's arguments: strings"
                    )
        elif isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
            self.how, self._run = "tuple", lambda named: fn(*named.values())
            arguments = dict(zip(parameter_names(fn, len(inputs)), inputs, strict=True))
        else:
            self.how, self._run = "one", lambda named: fn(*named.values())
            arguments = {parameter_names(fn, 1)[0]: inputs}
        if not arguments and not is_module(fn):
            raise InvalidArgument("inputs", "none", "give one array, a tuple or a dict of inputs")
        self.arguments = dict(arguments)
        self._trees = {key: Tree(value, key) for key, value in arguments.items()}
        if is_module(fn):
            self._trees[""] = Tree(fn, "")
        self.names = [name for tree in self._trees.values() for name in tree.names]
        self.leaves = [leaf for tree in self._trees.values() for leaf in tree.leaves]
        self.in_module = [flag for tree in self._trees.values() for flag in tree.in_module]

    @property
    def dialect(self) -> Dialect:
        """The kind of values that the function is called with."""
        if any(is_tensor(v) for v in self.leaves):
            return Dialect.TORCH
        if any(isinstance(v, np.ndarray | np.generic) for v in self.leaves):
            return Dialect.NUMPY
        return Dialect.PYTHON

    @property
    def framework(self) -> Framework:
        """The framework whose arrays the function is called with."""
        found = [owner(v) for v in self.leaves]
        return next((f for f in found if f is not None and f.name != "numpy"), None) or named("numpy")

    def run(self, leaves: Sequence[Any]) -> Any:
        """Call the function with these leaves in the places of its own, and return what it returns."""
        arguments, substitutions = self._assemble(leaves)
        around = AROUND.get()
        if around is None and not substitutions:
            return self._run(arguments)
        with (around or contextlib.nullcontext)(), _substituted(substitutions):
            return self._run(arguments)

    def run_another(
        self, argument: str, function: Callable[..., Any], leaves: Sequence[Any], more: dict[str, Any]
    ) -> Any:
        """Call another function of the user's, given as ``argument``, on these leaves, and on ``more``.

        Inputs in a tuple go by position, others by name where the function has it.
        """
        arguments, _ = self._assemble(leaves)
        if self.how == "dict":
            return call_by_name(argument, function, (), arguments | more)
        return call_by_name(argument, function, tuple(arguments.values()), more)

    def substituted(self, leaves: Sequence[Any]) -> contextlib.AbstractContextManager[None]:
        """Let the modules among the inputs hold these leaves, as they do in `run`."""
        return _substituted(self._assemble(leaves)[1])

    def structure(self, parts: Sequence[Any]) -> Any:
        """Put one value per leaf into the structure of the inputs; one input alone stands for itself."""
        by_key, start = {}, 0
        for key, tree in self._trees.items():
            stop = start + len(tree.leaves)
            by_key[key] = tree.map(parts[start:stop])
            start = stop
        if self.how == "dict" or "" in by_key:
            return by_key | by_key.pop("", {})
        values = tuple(by_key.values())
        return values if self.how == "tuple" else values[0]

    def match(self, answer: Any) -> list[Any] | None:
        """Find the part of each leaf in an answer structured like the inputs; None where it does not fit."""
        keys = [key for key in self._trees if key]
        if isinstance(answer, dict) and set(answer) >= set(keys):
            parts = {key: answer[key] for key in keys}
        elif isinstance(answer, tuple | list) and len(answer) == len(keys) and self.how != "one":
            parts = dict(zip(keys, answer, strict=True))
        elif len(keys) == 1:
            alone = isinstance(answer, tuple) and len(answer) == 1
            parts = {keys[0]: answer[0] if alone else answer}
        else:
            return None
        found: list[Any] = []
        for key, tree in self._trees.items():
            part = parts.get(key)
            if tree.names == [key]:
                found.append(part)
                continue
            inner = Tree(part, key)
            by_name = dict(zip(inner.names, inner.leaves, strict=True))
            found += [by_name.get(name) for name in tree.names]
        return found

    def _assemble(self, leaves: Sequence[Any]) -> tuple[dict[str, Any], list[Substitution]]:
        arguments: dict[str, Any] = {}
        substitutions: list[Substitution] = []
        start = 0
        for key, tree in self._trees.items():
            stop = start + len(tree.leaves)
            arguments[key], swaps = tree.rebuild(leaves[start:stop])
            substitutions += swaps
            start = stop
        arguments.pop("", None)
        return arguments, substitutions


@contextlib.contextmanager
def _substituted(substitutions: Sequence[Substitution]) -> Iterator[None]:
    if not substitutions:
        yield
        return
    from torch.nn.utils.stateless import _reparametrize_module

    with contextlib.ExitStack() as stack:
        for swap in substitutions:
            stack.enter_context(_reparametrize_module(swap.module, swap.tensors))
        yield
