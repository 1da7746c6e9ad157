"""Gradients that a project registers in its own way, and which of them a check runs.

A decorator leaves no trace in a graph that would identify its gradient. But the function that its author
wrote must start before it can return a gradient, and the interpreter reports that. `asked` says for which
method it starts.
"""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any, NamedTuple

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import HandWritten
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.call import AROUND
from pytest_gradcheck.methods.code_starts import reported

HOOK = "pytest_gradcheck_gradients"

#: The method whose gradient runs in this context, and whether that gradient is differentiated again.
_ASKED: ContextVar[tuple[str, bool] | None] = ContextVar("_ASKED", default=None)


@contextmanager
def asked(method: str | None, *, differentiated: bool = False) -> Iterator[None]:
    """In this context, whatever starts is part of a method's gradient, or with None of no gradient.

    ``differentiated`` says that the backward pass is a program to be differentiated, and not the last step.
    """
    token = _ASKED.set(None if method is None else (method, differentiated))
    try:
        yield
    finally:
        _ASKED.reset(token)


class Rule(NamedTuple):
    """A registered gradient: its place, the code of its function, and the code that must start."""

    name: str
    path: str
    line: int | None
    backward_line: int
    function: CodeType | None
    parts: tuple[CodeType, ...]


def rules_of(pairs: Iterable[Any], packages: Sequence[str]) -> tuple[Rule, ...]:
    """Return the pairs ``(function or name, backward)`` whose backward was written in one of the packages.

    Raises `InvalidArgument` for anything else, and for backwards that cannot be told apart.
    """
    found: dict[CodeType, tuple[str, Any]] = {}
    for pair in pairs:
        if not (isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2):
            raise InvalidArgument(HOOK, repr(pair), "return pairs (function or name, backward)")
        function, backward = pair
        if not (callable(function) or isinstance(function, str)):
            raise InvalidArgument(HOOK, f"{function!r} as a function", "give a callable, or a name")
        written = _written(backward)
        if written is None:
            raise InvalidArgument(
                HOOK, f"{backward!r} as a backward", "give the Python function that its author wrote"
            )
        module, code = written
        if not any(module == p or module.startswith(f"{p}.") for p in packages):
            continue
        name, before = _name(function), found.get(code)
        if before is not None and before != (name, function):
            raise InvalidArgument(
                HOOK,
                f"{before[0]} and {name}, which share the backward {code.co_name} in {code.co_filename}, "
                "so coverage cannot tell them apart",
                "register the function that each one calls",
            )
        found[code] = (name, function)
    return tuple(_rules(found))


class Watch:
    """Records which rules, and which of their functions, have started."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._parts = {part for rule in self._rules for part in rule.parts}
        self.codes = self._parts | {rule.function for rule in self._rules if rule.function is not None}
        #: Codes that ran with the method for which they did, and whether that gradient was differentiated.
        self._ran: set[tuple[CodeType, str, bool]] = set()
        self._started: set[CodeType] = set()

    def started(self, code: CodeType) -> None:
        """Take the report that one of the codes has started."""
        if WATCH.get() is not self:
            # In another thread, which checks something else.
            return
        self._started.add(code)
        asked_for = _ASKED.get()
        if code in self._parts and asked_for is not None:
            self._ran.add((code, *asked_for))

    def followed(self, method: str, pullback: Pullback) -> Pullback:
        """From now on, count what starts in the passes of a pullback as part of that method's gradient.

        Trials of a Function run its backward too, even if no input needs it. They bypass the pullback.
        """
        second_order = pullback.second_order

        def followed_too(cotangent: Vector) -> Pullback:
            with asked(method, differentiated=True):
                return self.followed(method, second_order(cotangent))

        vars(pullback).update(
            vjp=asked(method)(pullback.vjp), vjps=asked(method)(pullback.vjps), second_order=followed_too
        )
        return pullback

    def found(self, first: Collection[str], second: Collection[str]) -> tuple[HandWritten, ...]:
        """Return the gradients that ran, and how far each did.

        ``first`` are the methods whose gradient was compared in the end, ``second`` those whose gradient of
        the gradient was.
        """
        return tuple(
            HandWritten(rule.name, rule.path, rule.line, rule.backward_line, ways)
            for rule in self._rules
            if (ways := self._ways(rule, first, second))
        )

    def _ways(self, rule: Rule, first: Collection[str], second: Collection[str]) -> tuple[str, ...]:
        def ran(methods: Collection[str], differentiated: bool) -> bool:
            return all(
                any((part, method, differentiated) in self._ran for method in methods) for part in rule.parts
            )

        twice = ran(second, True)
        if twice or ran(first, False):
            return ("backward", "double-backward", "forward") if twice else ("backward", "forward")
        return ("forward",) if rule.function in self._started else ()


#: The watch of this context.
WATCH: ContextVar[Watch | None] = ContextVar("WATCH", default=None)


@contextmanager
def watched(rules: Sequence[Rule]) -> Iterator[Watch]:
    """Watch which rules start in this thread; does nothing while another profiler is active."""
    watch = Watch(rules)
    if not rules:
        yield watch
        return
    # If a function computes gradients itself, they are part of its value and not what is checked.
    around, here = AROUND.set(functools.partial(asked, None)), WATCH.set(watch)
    try:
        with reported(watch.codes, watch.started):
            yield watch
    finally:
        WATCH.reset(here)
        AROUND.reset(around)


def _rules(found: dict[CodeType, tuple[str, Any]]) -> Iterator[Rule]:
    many = Counter(name for name, _ in found.values())
    numbers: Counter[str] = Counter()
    for code, (name, function) in found.items():
        own = _written(function)
        line = None if own is None else own[1].co_firstlineno
        title = f"{name}[{numbers[name]}]" if many[name] > 1 else name
        numbers[name] += 1
        # A rule that returns the function of the cotangent has run when that has.
        inner = tuple(part for part in code.co_consts if _is_function(part))
        written = None if own is None else own[1]
        yield Rule(title, code.co_filename, line, code.co_firstlineno, written, inner or (code,))


def _is_function(constant: object) -> bool:
    if not isinstance(constant, CodeType) or not constant.co_flags & inspect.CO_OPTIMIZED:
        return False
    return constant.co_name == "<lambda>" or not constant.co_name.startswith("<")


def _name(function: Any) -> str:
    if isinstance(function, str):
        return function
    plain = inspect.unwrap(function)
    name = getattr(plain, "__qualname__", None) or getattr(plain, "name", None) or type(plain).__qualname__
    return f"{plain.__module__}.{name}"


def _written(function: Any) -> tuple[str, CodeType] | None:
    """Return the module and the code of what its author wrote, None for what is not written in Python."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        plain = inspect.unwrap(function)
    except ValueError:
        return None
    plain = getattr(plain, "__func__", plain)
    if not isinstance(getattr(plain, "__code__", None), CodeType):
        plain = type(plain).__call__ if callable(plain) else None
    code = getattr(plain, "__code__", None)
    return (str(plain.__module__), code) if isinstance(code, CodeType) else None
