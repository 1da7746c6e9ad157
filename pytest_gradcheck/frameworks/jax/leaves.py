"""JAX arrays as leaves: to NumPy and back, and drawn."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.frameworks.jax import precision

Array = np.ndarray[Any, Any]

#: The wide dtypes, and what JAX makes of them as long as it is not configured to keep them.
_NARROWED = {"float64": "float32", "complex128": "complex64", "int64": "int32"}


def is_array(value: Any) -> bool:
    """Whether a value is an array of JAX, or stands for one while a function is traced."""
    return isinstance(value, jax.Array)


def is_array_type(annotation: Any) -> bool:
    """Whether an annotation is ``jax.Array``; see `Framework.is_array_type`."""
    return annotation is jax.Array


def dtype_of(leaf: Any) -> str:
    """Return ``float32``, or ``key<fry>`` for the keys of random numbers."""
    return str(leaf.dtype)


def is_key(leaf: Any) -> bool:
    """Whether a leaf holds keys of random numbers."""
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def is_floating(leaf: Any) -> bool:
    """Whether a leaf holds real or complex floating numbers."""
    return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))


def to_numpy(leaf: Any) -> Array:
    """Return floating numbers as float64 or complex128, others as they are; see `Framework.to_numpy`."""
    array = np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
    if array.dtype.kind == "c":
        return array.astype(np.complex128, copy=False)
    return array.astype(np.float64, copy=False) if is_floating(leaf) else array


def like(array: Array, original: Any, *, double: bool) -> Any:
    """Return an array where the original is; see `Framework.like`."""
    if double:
        with precision.double():
            return _placed(jnp.asarray(array), original)
    return _placed(_given(array, original.dtype), original)


def _given(array: Array, dtype: Any) -> Any:
    """Return an array of numbers in a dtype, wide ones among them whatever the configuration."""
    if str(dtype) in _NARROWED:
        with precision.double():
            return jnp.asarray(array, dtype)
    return jnp.asarray(array, dtype)


def _placed(leaf: Any, original: Any) -> Any:
    """Return a leaf on the devices of the original."""
    sharding = getattr(original, "sharding", None)
    if sharding is None or isinstance(original, jax.core.Tracer) or sharding == leaf.sharding:
        return leaf
    return jax.device_put(leaf, sharding)


def copy(leaf: Any, *, double: bool) -> Any:
    """Return a copy: a function may give the memory of its arguments away (``donate_argnums``)."""
    if isinstance(leaf, jax.core.Tracer) or is_key(leaf):
        return leaf
    dtype = leaf.dtype
    if double and is_floating(leaf):
        dtype = jnp.complex128 if leaf.dtype.kind == "c" else jnp.float64
    # Constants are copied while a function is traced too, and must not become a part of what is traced.
    with precision.double(), jax.ensure_compile_time_eval():
        return jnp.array(leaf, dtype)


def rounded(array: Array, original: Any) -> Array:
    """Return an array, of any shape, rounded to the original's dtype; see `Framework.rounded`."""
    # What is too large for it becomes infinite, as in JAX.
    with np.errstate(over="ignore"):
        return array.astype(original.dtype).astype(array.dtype)


def fingerprint(leaf: Any) -> bytes | None:
    """Return the bytes of an array, and its dtype; see `Framework.fingerprint`."""
    array = np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
    return f"{leaf.dtype} {leaf.weak_type} {array.shape} ".encode() + array.tobytes()


def dtype_drawn(name: str) -> str:
    """Return float32 for float64 where JAX makes that of it; see `Framework.dtype_drawn`."""
    return name if precision.is_double() else _NARROWED.get(name, name)


def from_drawn(array: Array, dtype: str, layout: str) -> Any:
    """Return a drawn array as one of JAX; see `Framework.from_drawn`."""
    # A copy: on a CPU, JAX may go on reading the memory of a NumPy array.
    return jnp.array(array, dtype=jnp.dtype(dtype_drawn(dtype)))


def from_numpy(array: Array) -> Any:
    """Return a copy of an array, with its dtype whatever the configuration; see `Framework.from_numpy`."""
    return _given(np.array(array), array.dtype)
