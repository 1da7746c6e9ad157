"""Decide when two jaxprs are the same computation, so code compiled for one is right for the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

#: What JAX does with the arguments and results of a rule: it depends on their structure alone.
FLATTENING = ("_flatten_bwd", "_flatten_jvp", "_flatten_fwd")


class Key(NamedTuple):
    """Three descriptions of a jaxpr, from the finest to the coarsest; all of them are hashable.

    Jaxprs with equal ``shapes`` differ only in the numbers written in them, those with equal ``family`` also
    in shapes and dtypes. Values that the function closes over are arguments of a jaxpr and do not count.
    ``rules`` describes what the hand-written rules depend on, independently of shapes and numbers.
    """

    whole: Any
    shapes: Any
    family: Any
    rules: Any


def key_of(closed: Any, rests_on: Callable[..., Any]) -> Key:
    """Describe a closed jaxpr with the rules written by hand that it calls.

    A rule is called after the jaxpr was traced, so what it ``rests_on`` may have changed.
    """
    walk = _Walk(rests_on)
    shapes = walk.jaxpr(closed.jaxpr), tuple(map(_aval, closed.consts))
    rules = tuple(walk.rules)
    return Key((shapes, tuple(walk.numbers), rules), shapes, tuple(walk.names), rules)


class _Walk:
    """One pass over a jaxpr, which collects numbers, names of operations and rules."""

    def __init__(self, rests_on: Callable[..., Any]) -> None:
        self._rests_on = rests_on
        self.numbers: list[Any] = []
        self.names: list[Any] = []
        self.rules: list[Any] = []

    def jaxpr(self, jaxpr: Any) -> Any:
        places: dict[Any, int] = {}
        for var in (*jaxpr.constvars, *jaxpr.invars):
            places[var] = len(places)
        found: list[Any] = [tuple(_aval(var.aval) for var in places)]
        for equation in jaxpr.eqns:
            self.names.append(equation.primitive.name)
            operands = tuple(self._operand(var, places) for var in equation.invars)
            params = tuple((name, self._param(name, value)) for name, value in equation.params.items())
            for var in equation.outvars:
                places[var] = len(places)
            found.append((equation.primitive, operands, params))
        found.append(tuple(self._operand(var, places) for var in jaxpr.outvars))
        return tuple(found)

    def _operand(self, var: Any, places: dict[Any, int]) -> Any:
        if isinstance(var, core.Literal):
            self.numbers.append(self._number(var.val))
            return _aval(var.aval)
        return places[var]

    def _number(self, value: Any) -> Any:
        # The bytes: nan is unlike itself, and 0.0 like -0.0.
        array = np.asarray(value)
        return array.dtype.str, array.shape, array.tobytes()

    def _param(self, name: str, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return tuple(self._param(name, part) for part in value)
        inner = getattr(value, "jaxpr", value)
        if hasattr(inner, "eqns"):
            self.numbers.extend(map(self._number, getattr(value, "consts", ())))
            return self.jaxpr(inner)
        if name == "out_trees":
            # How the rule's results are put together: by the function and the rule, which are there already.
            return None
        if hasattr(value, "call_wrapped"):
            return self._rule(value)
        try:
            hash(value)
        except TypeError:
            if isinstance(value, np.ndarray | jax.Array):
                return self._number(value)
            return object()
        return value

    def _rule(self, wrapped: Any) -> Any:
        """Describe a rule: the user's own function, and the values that it is called with besides arrays."""
        info = str(getattr(wrapped.debug_info, "func_src_info", ""))
        given: list[Any] = []
        for transformation, arguments in wrapped.transforms:
            name = transformation.__name__
            if name == "_prepend_static_args":
                for each in arguments[0]:
                    value = getattr(each, "val", each)
                    given.append((type(value), self._param("", value)))
            elif name not in FLATTENING:
                # Anything else is not known to be the same.
                given.append(object())
        functions = functions_of(wrapped)
        self.names.append((info, tuple(getattr(each, "__code__", None) for each in functions)))
        self.rules.append((tuple(given), self._rests_on(*functions)))
        return info, tuple(given)


def functions_of(wrapped: Any) -> list[Any]:
    """Return the user's functions that a parameter of an equation wraps.

    What JAX makes of a rule while it traces is another function at every call, around the user's own.
    """
    return _within(wrapped.f) if _is_made_by_tracing(wrapped.f) else [wrapped.f]


def _is_made_by_tracing(function: Callable[..., Any]) -> bool:
    return str(getattr(function, "__module__", "")).startswith("jax._src.interpreters")


def _within(function: Any, depth: int = 4) -> list[Any]:
    """Return the functions of a user that are wrapped in the closure of one of JAX's."""
    found: list[Any] = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            part = cell.cell_contents
        except ValueError:
            continue
        inner = part.f if hasattr(part, "call_wrapped") else part
        if _is_made_by_tracing(inner):
            found += _within(inner, depth - 1) if depth else []
        elif inner is not part:
            found.append(inner)
    return found


def _aval(value: Any) -> Any:
    aval = getattr(value, "aval", value)
    if not hasattr(aval, "dtype"):
        return str(aval) if not isinstance(aval, int | float | complex) else type(aval)
    return jnp.shape(aval), str(aval.dtype), bool(getattr(aval, "weak_type", False))
