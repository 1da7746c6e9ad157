"""The jaxpr of a function at its point, traced once and shared."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint
from pytest_gradcheck.frameworks.jax import keys, precision
from pytest_gradcheck.frameworks.jax.keys import Key

#: JAX's errors if control flow depends on values.
NEEDS_VALUES = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)

#: The jaxprs in float64, by the keys of those in the user's dtypes, and those by what the function is; so
#: many are kept.
_wide_of: dict[Any, Any] = {}
_native_of: dict[Any, Any] = {}
KEPT = 64

_keys: weakref.WeakKeyDictionary[Any, dict[bool, Key]] = weakref.WeakKeyDictionary()
_known: weakref.WeakKeyDictionary[Any, dict[bool, Any]] = weakref.WeakKeyDictionary()


def of(function: FunctionAtPoint, *, double: bool) -> Any:
    """Return the closed jaxpr of a function, in float64 or in the user's dtypes.

    Raises `Unavailable` if control flow depends on values, as in ``if x > 0``.
    """
    found = _known.setdefault(function, {})
    if double not in found:
        found[double] = _wide(function) if double else _native(function)
    closed = found[double]
    if isinstance(closed, Unavailable):
        raise closed
    return closed


def release() -> None:
    """Let go of what is known of more than one function."""
    _wide_of.clear()
    _native_of.clear()


def _native(function: FunctionAtPoint) -> Any:
    """Return the jaxpr in the user's dtypes, that of an earlier example where nothing else has changed."""
    avals = [(leaf.shape, leaf.dtype, leaf.weak_type, leaf.sharding) for leaf in function.leaves]
    key = function.description, tuple(avals), precision.is_double()
    if key not in _native_of:
        _keep(_native_of, key, _traced(function, double=False))
    return _native_of[key]


def _keep(traces: dict[Any, Any], key: Any, found: Any) -> None:
    traces[key] = found
    if len(traces) > KEPT:
        del traces[next(iter(traces))]


def _wide(function: FunctionAtPoint) -> Any:
    """Return the jaxpr in float64, that of another function where both are the same in the user's dtypes.

    Tracing takes longer than running everything compiled. Values that the function closes over are not in the
    jaxpr, and must be traced.
    """
    try:
        closed = of(function, double=False)
        key = key_of(function, double=False).whole
    except Exception:
        # The function may accept only float64.
        return _traced(function, double=True)
    found_keys = _keys.setdefault(function, {})
    if key in _wide_of:
        found, found_keys[True] = _wide_of[key]
        return found
    found = _traced(function, double=True)
    if not (isinstance(found, Unavailable) or closed.consts or found.consts):
        found_keys[True] = keys.key_of(found, function.rests_on)
        _keep(_wide_of, key, (found, found_keys[True]))
    return found


def key_of(function: FunctionAtPoint, *, double: bool) -> Key:
    """Return the key of the jaxpr of a function that can be traced."""
    closed, found = of(function, double=double), _keys.setdefault(function, {})
    if double not in found:
        found[double] = keys.key_of(closed, function.rests_on)
    return found[double]


def _traced(function: FunctionAtPoint, *, double: bool) -> Any:
    def call(*leaves: Any) -> Sequence[Any]:
        return [jnp.asarray(out) for out in function.call(leaves, double=double)]

    leaves = function.values_at(function.point, double=True) if double else function.native_values()
    with precision.working_in(double=double):
        try:
            return jax.make_jaxpr(call)(*leaves)
        except NEEDS_VALUES as error:
            return Unavailable(f"it cannot be traced: {str(error).strip().splitlines()[0]}")
