"""Hand-written rules, ``custom_vjp`` and ``custom_jvp``, that a function calls or a package contains.

A rule is found in the jaxpr of the function, which shows compiled code too, and tried separately with the
operands of its first call.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint, HandWritten
from pytest_gradcheck.frameworks.jax import traces
from pytest_gradcheck.frameworks.jax.keys import functions_of
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay, equations, subjaxprs
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES

#: The primitives of a call of a function with a rule.
CALLS = ("custom_vjp_call", "custom_jvp_call")

#: The primitives that call a function at some values alone.
BRANCHES = ("cond", "while")


@dataclass(eq=False)
class RuleCall:
    """The first call of a function with a rule of its own: the equation, and its operands."""

    equation: Any
    operands: tuple[Any, ...]
    #: Whether it was right when it was mapped and compiled; None before that is tried.
    mapped_at_once: bool | None = None
    #: What its trials share, while they run.
    first: Any = None

    def __call__(self, *operands: Any) -> list[Any]:
        """Call the function; JAX differentiates it by its rule."""
        params = self.equation.primitive.get_bind_params(self.equation.params)
        functions: Sequence[Any] = ()
        if isinstance(params, tuple):
            functions, params = params
        return list(self.equation.primitive.bind(*functions, *operands, **params))

    def plain(self, *operands: Any) -> list[Any]:
        """Call the function as it is defined, without its rule."""
        return list(jax.core.eval_jaxpr(self._closed.jaxpr, self._closed.consts, *operands))

    @property
    def _closed(self) -> Any:
        return self.equation.params["call_jaxpr"]

    @property
    def floating(self) -> list[int]:
        """The positions of the operands that have a derivative."""
        return [k for k, x in enumerate(self.operands) if jnp.issubdtype(x.dtype, jnp.inexact)]

    @property
    def is_forward(self) -> bool:
        """Whether the rule is a jvp."""
        return bool(self.equation.primitive.name == "custom_jvp_call")

    @functools.cached_property
    def source(self) -> tuple[str, str | None, int | None]:
        """The function's name, path and line."""
        return _source(self._closed.jaxpr.debug_info)

    def described(self, *ran: str) -> HandWritten:
        """Return the function's name and place, and those of its rule."""
        return _described(*self.source, self._line_of_rule(), ran)

    def _line_of_rule(self) -> int | None:
        rule = self.equation.params.get("bwd") or self.equation.params.get("jvp_jaxpr_fun")
        code = getattr(getattr(rule, "f", None), "__code__", None)
        return None if self.is_forward else getattr(code, "co_firstlineno", None)

    def __str__(self) -> str:
        """Return the function's name and where it is, as ``square (ops.py:12)``."""
        name, path, line = self.source
        return f"{name} ({Path(path).name}:{line})" if path and line else name

    @property
    def kind(self) -> tuple[Any, ...]:
        """Return a key that is equal for two calls of a rule that differ only in their numbers or sizes."""
        rule = self.equation.params.get("bwd") or self.equation.params.get("jvp_jaxpr_fun")
        forward = self.equation.params.get("fwd_jaxpr_thunk")
        # Several forward rules may share one backward.
        functions = (getattr(rule, "f", None), *(functions_of(forward) if forward is not None else ()))
        avals = tuple((len(x.shape), str(x.dtype)) for x in self.operands)
        return (*self.source, functions, avals)


class _Watch(Replay):
    """A replay that records the first call of each function with a user's rule."""

    def __init__(self, closed: Any) -> None:
        super().__init__(closed.jaxpr, closed.consts, RULES)
        self.calls: dict[Any, RuleCall] = {}

    def step(self, equation: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Return the results of one equation; see `Replay.step`."""
        if equation.primitive.name in CALLS and is_users(equation):
            key = _source(equation.params["call_jaxpr"].jaxpr.debug_info)
            if key not in self.calls:
                dtypes = [getattr(var.aval, "dtype", None) for var in equation.invars]
                # A replay in float64 is of a jaxpr in any dtype.
                given = tuple(
                    x if isinstance(x, jax.Array) else jnp.asarray(np.asarray(x), dtype)
                    for x, dtype in zip(operands, dtypes, strict=True)
                )
                self.calls[key] = RuleCall(equation, given)
        return super().step(equation, operands)


#: What is called where nothing depends on values, by the key of the jaxpr, once it was tried and right; so
#: many are kept.
_settled: dict[Any, list[RuleCall]] = {}
KEPT = 64

_calls: weakref.WeakKeyDictionary[Any, list[RuleCall]] = weakref.WeakKeyDictionary()


def calls_of(function: FunctionAtPoint) -> list[RuleCall]:
    """Return the first call of each function with a rule of a user's; empty where it cannot be traced."""
    if function not in _calls:
        found = _settled.get(_key(function)) if _settled else None
        _calls[function] = _calls_in(function) if found is None else found
    return _calls[function]


def settle(function: FunctionAtPoint) -> None:
    """Record that the calls in a function are right, for every function that traces to the same jaxpr."""
    key = _key(function)
    if key is None or any(
        e.primitive.name in BRANCHES for e in equations(traces.of(function, double=False).jaxpr)
    ):
        return
    _settled[key] = calls_of(function)
    if len(_settled) > KEPT:
        del _settled[next(iter(_settled))]


def release() -> None:
    """Forget what is known about the functions of one test."""
    _settled.clear()


def _key(function: FunctionAtPoint) -> Any:
    try:
        return traces.key_of(function, double=False).whole
    except Unavailable:
        return None


def _calls_in(function: FunctionAtPoint) -> list[RuleCall]:
    try:
        closed = traces.of(function, double=False)
    except Unavailable:
        return []
    if not has_rules(closed.jaxpr):
        return []
    watch = _Watch(closed)
    # A primitive without a rule on the engine ends the replay: the calls before it are known.
    with contextlib.suppress(Exception):
        watch(*function.inputs.split(function.point))
    return list(watch.calls.values())


def has_rules(jaxpr: Any) -> bool:
    """Whether a jaxpr calls a function with a rule of a user's, not of JAX itself."""
    return any(
        equation.primitive.name in CALLS and is_users(equation)
        for each in (jaxpr, *subjaxprs(jaxpr))
        for equation in each.eqns
    )


def is_users(equation: Any) -> bool:
    """Whether the function of a call is not JAX's own, such as ``jax.nn.relu``."""
    _, path, _ = _source(equation.params["call_jaxpr"].jaxpr.debug_info)
    code = getattr(getattr(equation.params.get("bwd"), "f", None), "__code__", None)
    if code is not None and not code.co_filename.startswith(_HOME):
        return True
    return path is None or not path.startswith(_HOME)


#: Where JAX's own code lies.
_HOME = str(Path(jax.__file__).parent)


def _source(info: Any) -> tuple[str, str | None, int | None]:
    """Return name, path and line from what a jaxpr knows of its function: ``square at /a/ops.py:12``."""
    text = str(getattr(info, "func_src_info", info) or "")
    found = re.match(r"(?P<name>.*?) at (?P<path>.*):(?P<line>\d+)$", text)
    if found is None:
        return text or "a function", None, None
    return found["name"], found["path"], int(found["line"])


@functools.lru_cache(maxsize=1024)
def _module_at(path: str | None) -> str | None:
    modules = list(sys.modules.items())
    return next((name for name, m in modules if path and getattr(m, "__file__", None) == path), None)


def _described(
    name: str, path: str | None, line: int | None, rule: int | None, ran: Sequence[str]
) -> HandWritten:
    module = _module_at(path)
    return HandWritten(f"{module}.{name}" if module else name, path, line, rule, tuple(sorted(ran)))


def hand_written_in(packages: Sequence[str]) -> list[HandWritten]:
    """Return the functions with a rule in the modules of packages; see `Framework.hand_written_in`."""
    found: dict[str, HandWritten] = {}
    for name, module in sorted(sys.modules.items()):
        if not any(name == package or name.startswith(f"{package}.") for package in packages):
            continue
        for value in list(vars(module).values()):
            function = getattr(value, "fun", None)
            code = getattr(function, "__code__", None)
            if not isinstance(value, jax.custom_vjp | jax.custom_jvp) or code is None:
                continue
            rule = getattr(value, "bwd", None) or getattr(value, "jvp", None)
            line = getattr(getattr(rule, "__code__", None), "co_firstlineno", None)
            one = _described(code.co_name, code.co_filename, code.co_firstlineno, line, ())
            found.setdefault(one.name, one)
    return [found[name] for name in sorted(found)]
