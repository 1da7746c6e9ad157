"""Gradients that a project registers in a way of its own: which there are, and which of them a check runs.

A decorator leaves nothing in a graph by which its gradient could be known, but the function that its author
wrote has to start before it can give a gradient, and Python tells of every function that starts.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, NamedTuple

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import HandWritten
from pytest_gradcheck.frameworks.torch.pullback import TorchPullback
from pytest_gradcheck.function.call import FUNCTION_UNDER_TEST
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.reference import ReferencePullback

HOOK = "pytest_gradcheck_gradients"

#: Where a gradient is asked for that is then compared, and of which method. The trials of a Function run its
#: backward too, also where no input needs it.
_COMPARED = {
    TorchPullback.pull.__code__: "torch",
    TorchPullback.vjps.__code__: "torch",
    ReferencePullback.vjp.__code__: "reference",
    Problem.call_on_inputs.__code__: "user",
}

#: Where the backward pass is a program to be differentiated, and not the last thing that is done.
_DIFFERENTIATED = {
    TorchPullback.second_order.__code__: "torch",
    ReferencePullback.second_order.__code__: "reference",
}


class Rule(NamedTuple):
    """A registered gradient: its place, the code of its function, and the code that has to start."""

    name: str
    path: str
    line: int | None
    backward_line: int
    function: CodeType | None
    parts: tuple[CodeType, ...]


def rules_of(pairs: Iterable[Any], packages: Sequence[str]) -> tuple[Rule, ...]:
    """Return the pairs ``(function or name, backward)`` whose backward was written in one of the packages.

    Raises `InvalidArgument` for what is no such pair, and for backwards that nobody can tell apart.
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
                f"{before[0]} and {name} with the code of one backward, {code.co_name} in {code.co_filename}",
                "give what that calls for each of them: nobody could tell for which it ran",
            )
        found[code] = (name, function)
    return tuple(_rules(found))


class Watch:
    """Which rules, and which of their functions, have started since it began to look."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._parts = {part for rule in self._rules for part in rule.parts}
        self._codes = self._parts | {rule.function for rule in self._rules if rule.function is not None}
        # By code the methods for which it ran: to be compared, and to be differentiated.
        self._compared: dict[CodeType, set[str]] = {}
        self._differentiated: dict[CodeType, set[str]] = {}
        self._started: set[CodeType] = set()

    def look(self, frame: FrameType, event: str, arg: object) -> None:
        """Take what `sys.setprofile` tells."""
        if event == "call" and frame.f_code in self._codes:
            self._started.add(frame.f_code)
            if frame.f_code in self._parts:
                self._look_up(frame)

    def _look_up(self, frame: FrameType) -> None:
        """See in whose hands a part of a rule has started."""
        above, callers = frame.f_back, set()
        while above is not None:
            callers.add(above.f_code)
            above = above.f_back
        # A function that takes gradients itself has them as its value: they are not what is checked.
        if FUNCTION_UNDER_TEST in callers:
            return
        for known, kept in ((_COMPARED, self._compared), (_DIFFERENTIATED, self._differentiated)):
            kept.setdefault(frame.f_code, set()).update(known[code] for code in callers & known.keys())

    def found(self, first: Collection[str], second: Collection[str]) -> tuple[HandWritten, ...]:
        """Return the gradients that were run, and how far each was.

        ``first`` are the methods whose gradient was compared in the end, ``second`` those whose gradient of
        the gradient was.
        """
        ran = ((rule, self._ways(rule, first, second)) for rule in self._rules)
        return tuple(
            HandWritten(rule.name, rule.path, rule.line, rule.backward_line, ways)
            for rule, ways in ran
            if ways
        )

    def _ways(self, rule: Rule, first: Collection[str], second: Collection[str]) -> tuple[str, ...]:
        def by(kept: Mapping[CodeType, set[str]], methods: Collection[str]) -> bool:
            return all(not kept.get(part, set()).isdisjoint(methods) for part in rule.parts)

        twice = by(self._differentiated, second)
        if twice or by(self._compared, first):
            return ("backward", "double-backward", "forward") if twice else ("backward", "forward")
        return ("forward",) if rule.function in self._started else ()


@contextmanager
def watched(rules: Sequence[Rule]) -> Iterator[Watch]:
    """Look which of the rules start in this thread; at nothing while somebody else profiles it."""
    watch = Watch(rules)
    if not rules or sys.getprofile() is not None:
        yield watch
        return
    sys.setprofile(watch.look)
    try:
        yield watch
    finally:
        sys.setprofile(None)


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
        yield Rule(
            title,
            code.co_filename,
            line,
            code.co_firstlineno,
            None if own is None else own[1],
            inner or (code,),
        )


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
