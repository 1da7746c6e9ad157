"""The jaxpr of a function at its point, traced once for all that ask for it."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint
from pytest_gradcheck.frameworks.jax import precision

#: What JAX raises where the way of a function depends on values.
NEEDS_VALUES = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)

_known: weakref.WeakKeyDictionary[Any, dict[bool, Any]] = weakref.WeakKeyDictionary()


def of(function: FunctionAtPoint, *, double: bool) -> Any:
    """Return the closed jaxpr of a function, in float64 or in the user's dtypes.

    Raises `Unavailable` for a function whose way depends on values, such as one with ``if x > 0``.
    """
    found = _known.setdefault(function, {})
    if double not in found:
        found[double] = _traced(function, double)
    closed = found[double]
    if isinstance(closed, Unavailable):
        raise closed
    return closed


def _traced(function: FunctionAtPoint, double: bool) -> Any:
    def call(*leaves: Any) -> Sequence[Any]:
        return [jnp.asarray(out) for out in function.call(leaves, double=double)]

    leaves = function.values_at(function.point) if double else function.native_values()
    with precision.working_in(double=double):
        try:
            return jax.make_jaxpr(call)(*leaves)
        except NEEDS_VALUES as error:
            return Unavailable(f"it cannot be traced: {str(error).strip().splitlines()[0]}")
