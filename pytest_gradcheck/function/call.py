"""A callable and its arguments: the arguments as named leaves, and a call with others in their places."""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import Framework, kind_of
from pytest_gradcheck.frameworks.containers import Hold, Tree, as_dict, itself
from pytest_gradcheck.frameworks.registry import named, parts_of
from pytest_gradcheck.function.signatures import (
    call_by_name,
    must_take,
    parameter_names,
    signature_of,
    takes_keywords,
)

#: Makes a context in which every call of a function under test runs, where something needs to know of it.
AROUND: ContextVar[Callable[[], contextlib.AbstractContextManager[None]] | None] = ContextVar(
    "AROUND", default=None
)


class Call:
    """The function and the inputs that it was given with, taken apart into leaves in a fixed order.

    ``leaves`` are all of them, ``names`` what leads to each, ``owners`` their frameworks, and ``in_module``
    whether they are parameters or buffers of a module; those of a module that is the function itself come
    last. ``framework`` is the one whose arrays the function is called with. ``arguments`` are the inputs by
    argument name, as they were given; ``how`` they were given is ``"dict"``, ``"tuple"`` or ``"one"``.
    """

    def __init__(self, fn: Callable[..., Any], inputs: Any):
        if not callable(fn):
            raise InvalidArgument(
                "fn",
                kind_of(fn),
                "give a function, a torch.nn.Module, another callable, or a linear operator with matvec and "
                "rmatvec",
            )
        self._run: Callable[[dict[str, Any]], Any] = lambda named: fn(*named.values())
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
            self.how = "tuple"
            arguments = dict(zip(parameter_names(fn, len(inputs)), inputs, strict=True))
        else:
            self.how = "one"
            arguments = {parameter_names(fn, 1)[0]: inputs}
        is_module = parts_of(fn) is not None
        if not arguments and not is_module:
            raise InvalidArgument("inputs", "none", "give one array, a tuple or a dict of inputs")
        self.arguments = dict(arguments)
        self._trees = {key: Tree(value, key) for key, value in arguments.items()}
        if is_module:
            self._trees[""] = Tree(fn, "")
        trees = self._trees.values()
        self.names = [name for tree in trees for name in tree.names]
        self.leaves = [leaf for tree in trees for leaf in tree.leaves]
        self.owners = [owner for tree in trees for owner in tree.owners]
        self.in_module = [flag for tree in trees for flag in tree.in_module]
        # NumPy arrays next to those of another framework are no inputs of their own: see `selection`.
        known = (owner for owner in self.owners if owner is not None and owner.name != "numpy")
        self.framework = next(known, named("numpy"))

    def run(self, leaves: Sequence[Any]) -> Any:
        """Call the function with these leaves in the places of its own, and return what it returns."""
        around = AROUND.get()
        if around is None and True not in self.in_module:
            return self._run(self._arguments(leaves))
        with contextlib.ExitStack() as stack:
            if around is not None:
                stack.enter_context(around())
            return self._run(self._arguments(leaves, functools.partial(_held, stack)))

    def run_another(
        self, argument: str, function: Callable[..., Any], leaves: Sequence[Any], more: dict[str, Any]
    ) -> Any:
        """Call another function of the user's, given as ``argument``, on these leaves, and on ``more``.

        Inputs in a tuple go by position, others by name where the function has it.
        """
        arguments = self._arguments(leaves)
        if self.how == "dict":
            return call_by_name(argument, function, (), arguments | more)
        return call_by_name(argument, function, tuple(arguments.values()), more)

    def run_along(
        self, argument: str, function: Callable[..., Any], leaves: Sequence[Any], tangents: Sequence[Any]
    ) -> Any:
        """Call another function of the user's on leaves and on one tangent per argument; see `run_another`.

        ``tangents`` has one value per leaf, None for a leaf that is not differentiated. An argument without
        differentiated leaves has no tangent, or None for a function that takes one for every argument.
        """
        by_key, parts = self.by_argument(tangents), iter(tangents)
        given = {key: [next(parts) for _ in tree.leaves] for key, tree in self._trees.items()}
        moving = [key for key, some in given.items() if any(part is not None for part in some)]
        arguments = self._arguments(leaves)
        first, named = ((), arguments) if self.how == "dict" else (tuple(arguments.values()), {})
        if len(moving) < len(by_key):
            with contextlib.suppress(InvalidArgument):
                must_take(argument, function, first, named | _tangents(by_key, list(by_key)))
                moving = list(by_key)
        return call_by_name(argument, function, first, named | _tangents(by_key, moving))

    def run_instead(
        self,
        argument: str,
        function: Callable[..., Any],
        leaves: Sequence[Any],
        framework: Framework,
        *,
        double: bool,
    ) -> Any:
        """Call another function, given as ``argument``, in the place of this one, on leaves of a framework.

        Modules hold the leaves while it runs. Where this function is a module, one that is called instead
        holds the leaves of it too, and another function may take them by their names. For arrays of another
        framework dicts stand for modules.
        """
        with contextlib.ExitStack() as stack:

            def hold(owner: Framework, module: Any, parts: dict[str, Any]) -> Any:
                return _held(stack, owner, module, parts) if owner is framework else parts

            arguments, parts = self._arguments(leaves, hold), {}
            if "" in self._trees:
                names = self._trees[""].names
                parts = dict(zip(names, leaves[len(leaves) - len(names) :], strict=True))
            found = parts_of(function)
            if found is not None:
                held = _matched(argument, *found, parts, double=double)
                stack.enter_context(found[0].holding(function, held))
                parts = {}
            known = getattr(signature_of(function), "parameters", ())
            more = {name: part for name, part in parts.items() if name in known}
            if self.how == "dict":
                return call_by_name(argument, function, (), arguments | more)
            return call_by_name(argument, function, tuple(arguments.values()), more)

    @contextlib.contextmanager
    def substituted(self, leaves: Sequence[Any]) -> Iterator[None]:
        """Let the modules among the inputs hold these leaves, as they do in `run`."""
        with contextlib.ExitStack() as stack:
            self._arguments(leaves, functools.partial(_held, stack))
            yield

    def structure(self, parts: Sequence[Any]) -> Any:
        """Put one value per leaf into the structure of the inputs; one input alone stands for itself."""
        by_key = self.by_argument(parts)
        if self.how == "dict" or "" in by_key:
            return by_key | by_key.pop("", {})
        values = tuple(by_key.values())
        return values if self.how == "tuple" else values[0]

    def by_argument(self, parts: Sequence[Any]) -> dict[str, Any]:
        """Put one value per leaf into the structure of each argument; a module is a dict of its arrays."""
        rest = iter(parts)
        return {key: tree.rebuild(rest, as_dict) for key, tree in self._trees.items()}

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
            for name in tree.names:
                found.append(by_name[name] if name in by_name else _inside(part, name.removeprefix(key)))
        return found

    def _arguments(self, leaves: Sequence[Any], hold: Hold = itself) -> dict[str, Any]:
        rest = iter(leaves)
        arguments = {key: tree.rebuild(rest, hold) for key, tree in self._trees.items()}
        arguments.pop("", None)
        return arguments


def _inside(value: Any, path: str) -> Any:
    """Return what lies at a path such as ``["w"][0].a``: a block of a Hessian may be a container itself."""
    for index, attribute in re.findall(r"\[([^\]]*)\]|\.(\w+)", path):
        try:
            value = getattr(value, attribute) if attribute else value[ast.literal_eval(index)]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, SyntaxError):
            return None
    return value


def _tangents(by_key: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the tangents of some arguments by the names that they are passed by."""
    return {"tangent" if len(keys) == 1 else f"{key}_tangent": by_key[key] for key in keys}


def _held(stack: contextlib.ExitStack, framework: Framework, module: Any, parts: dict[str, Any]) -> Any:
    stack.enter_context(framework.holding(module, parts))
    return module


def _matched(
    argument: str, framework: Framework, own: dict[str, Any], parts: dict[str, Any], *, double: bool
) -> dict[str, Any]:
    """Return what a module holds in the place of another one: its arrays by name, or else in their order.

    What it alone has, such as a buffer, it keeps, in float64 with ``double``.
    """
    kept = {name: framework.copy(array, double=double) for name, array in own.items()}
    if set(parts) <= set(own):
        return kept | parts
    shapes = [framework.shape_of(array) for array in own.values()]
    if shapes != [framework.shape_of(array) for array in parts.values()]:
        got = f"a module with {', '.join(own) or 'no parameters'}"
        raise InvalidArgument(argument, got, f"give one with those of the function: {', '.join(parts)}")
    # A module inside of another one, as a compiled module has it, gives names of its own.
    return dict(zip(own, parts.values(), strict=True))
