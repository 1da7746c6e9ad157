"""The register of all primitives, and helpers for their rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference_engine.errors import MissingRuleError
from reference_engine.primitives import Handle, Lens, Primitive, Rule, value_of

__all__ = [
    "PRIMITIVES",
    "Partial",
    "adjoint",
    "conj",
    "define",
    "fixed",
    "from_partial",
    "is_complex",
    "values_of",
]

PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name, for the coverage page and for the tests, which require a sample of each."""

_float64 = np.float64

Partial = Callable[..., Any]
"""`partial(result, *args)`: derivative of an elementwise function with respect to one of its arguments."""


def define(
    name: str,
    forward: Callable[..., Any],
    rules: Sequence[Rule | None] = (),
    *,
    variadic: Callable[..., Any] | None = None,
    outputs: bool = False,
    add_into: Callable[..., None] | None = None,
    lens: Lens | None = None,
    kind: type[Primitive] = Primitive,
) -> Primitive:
    """A `Primitive` entered into the register."""
    if name in PRIMITIVES:
        raise ValueError(f"there is a primitive named {name!r} already")
    PRIMITIVES[name] = kind(
        name, forward, rules, variadic=variadic, outputs=outputs, add_into=add_into, lens=lens
    )
    return PRIMITIVES[name]


def is_complex(value: Any) -> bool:
    """Whether `value` (array, Tensor or number) has a complex dtype."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, complex) if dtype is None else dtype.kind == "c"


def conj(value: Any) -> Any:
    """The complex conjugate, without a copy where there is nothing to conjugate."""
    if type(value) in _REAL:
        return value
    return np.conjugate(value) if is_complex(value) else value


def adjoint(x: Any) -> Any:
    """The conjugate transpose of the last two axes."""
    return conj(np.matrix_transpose(x))


def values_of(value: Any) -> Any:
    """`value_of` through lists and tuples."""
    if type(value) in (list, tuple):
        return type(value)(values_of(part) for part in value)
    return value_of(value)


def fixed(value: Any, function: str, argument: str) -> Any:
    """The value of an argument without a derivative in `function`; refused if it requires a gradient."""
    if isinstance(value, Handle) and value.requires_grad:
        raise MissingRuleError(
            f"{function} of a Tensor has no derivative with respect to {argument}; pass a constant there "
            f"(tensor.detach())"
        )
    return value_of(value)


def from_partial(partial: Partial) -> Rule:
    """The rule of an elementwise function from its derivative: cotangent times conjugate derivative."""

    def rule(cotangent: Any, result: Any, *args: Any) -> Any:
        return cotangent * conj(partial(result, *args))

    # The same without the packing of arguments, a fifth of the time of a rule on numbers.
    def of_one(cotangent: Any, result: Any, x: Any) -> Any:
        derivative = partial(result, x)
        return cotangent * (derivative if type(derivative) is _float64 else conj(derivative))

    def of_two(cotangent: Any, result: Any, x: Any, y: Any) -> Any:
        derivative = partial(result, x, y)
        return cotangent * (derivative if type(derivative) is _float64 else conj(derivative))

    count = partial.__code__.co_argcount
    return of_one if count == 2 else of_two if count == 3 else rule


# Their own conjugates; `bool` has no method for it.
_REAL = frozenset({float, int, np.float64, np.float32})
