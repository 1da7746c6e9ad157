"""Define primitives and rules outside of the engine.

    @primitive(rules=[lambda cotangent, result, x: cotangent * np.cos(x)])
    def my_sin(x):
        return np.sin(x)

`my_sin` then works on arrays and on Tensors. A rule gets the cotangent of the result, the result, and the
arguments; the engine sums its return value over broadcast axes and casts it to the argument's dtype. A rule
written with NumPy's functions (or other primitives) is itself differentiable, so all higher orders work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from reference_engine import dispatch
from reference_engine.definitions import PRIMITIVES, define
from reference_engine.primitives import Primitive, Rule

__all__ = ["implements", "primitive"]

_F = TypeVar("_F", bound=Callable[..., Any])


def primitive(
    *, rules: Sequence[Rule | None], name: str | None = None, outputs: bool = False
) -> Callable[[Callable[..., Any]], Primitive]:
    """Decorator that turns a function on plain arrays into a primitive.

    `rules` has one entry per positional argument of the function, `rule(cotangent, result, *args, **params)`,
    or None for an argument without a derivative (a Tensor there that requires a gradient is then refused).
    Keyword-only arguments of the function are fixed parameters; rules get them too. With `outputs=True` the
    function returns a tuple, and rules get a tuple of cotangents, None where nothing depends on an output.
    `name` is its name in messages and pictures; default: the function's name.

    Errors: TypeError if the rules do not fit the function, ValueError for a name that is taken.
    """
    if not isinstance(rules, list | tuple):
        raise TypeError(
            f"rules must be a list with one rule per positional argument, got {type(rules).__name__}"
        )

    def decorate(function: Callable[..., Any]) -> Primitive:
        if not callable(function):
            raise TypeError(f"primitive decorates a function, got {type(function).__name__}")
        title: str = name or str(getattr(function, "__name__", "primitive"))
        positional, fixed = _parameters(function, title)
        if len(positional) != len(rules):
            raise TypeError(
                f"rules of {title} must have one entry per positional argument ({', '.join(positional)}), "
                f"got {len(rules)} for {len(positional)}"
            )
        for argument, rule in zip(positional, rules, strict=True):
            if rule is not None:
                _check_rule(rule, f"the rule of {title} for {argument}", positional, fixed)
        if title in PRIMITIVES:
            raise ValueError(f"name {title!r} is taken by another primitive; pass name=")
        return define(title, function, rules, outputs=outputs)

    return decorate


def _parameters(function: Callable[..., Any], title: str) -> tuple[list[str], list[str]]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        raise TypeError(f"the signature of {title} cannot be read; wrap it in a def of your own") from error
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise TypeError(f"{title} must name its positional arguments, *args has no rule")
    return positional, [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]


def _check_rule(rule: Any, what: str, positional: list[str], fixed: list[str]) -> None:
    if not callable(rule):
        raise TypeError(f"{what} must be callable, got {type(rule).__name__}")
    try:
        signature = inspect.signature(rule)
    except ValueError:
        return
    try:
        signature.bind(None, None, *positional, **dict.fromkeys(fixed))
    except TypeError as error:
        expected = ", ".join(["cotangent", "result", *positional, *(f"{key}=" for key in fixed)])
        raise TypeError(f"{what} must take ({expected}), got {signature}") from error


def implements(function: Callable[..., Any]) -> Callable[[_F], _F]:
    """Decorator: the function below implements NumPy's `function` for Tensors.

    For a ufunc it is called with the ufunc's inputs, for another function with the arguments unchanged.
    Errors: TypeError for a function that NumPy does not dispatch.
    """
    if isinstance(function, np.ufunc):
        ufunc = function

        def register(implementation: _F) -> _F:
            dispatch.UFUNCS[ufunc] = implementation
            return implementation

        return register
    if not hasattr(function, "_implementation"):
        raise TypeError(
            f"function must be a NumPy function that dispatches on its arguments, got {function!r}"
        )
    return dispatch.implements(function)
