"""JAX arrays as Python source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.frameworks.jax import leaves, precision
from pytest_gradcheck.frameworks.numpy import source


def source_of(value: Any, inner: Callable[[Any], str]) -> str | None:
    """Return source that gives an array back to the last bit; see `Framework.source_of`."""
    if not leaves.is_array(value):
        return None
    if leaves.is_key(value):
        data, kind = np.asarray(jax.random.key_data(value)), jax.random.key_impl(value)
        return f"jax.random.wrap_key_data({source.of_leaf(data)}, impl={str(kind)!r})"
    array = np.asarray(value)
    if array.dtype.kind == "V":
        # A dtype that NumPy lacks: float32 holds all numbers of bfloat16 and of the dtypes of eight bits.
        return f"jnp.asarray({source.of_leaf(array.astype(np.float32))}, jnp.{value.dtype})"
    text = source.of_leaf(array)
    if text is None:
        return None
    wide = value.dtype in (jnp.float64, jnp.complex128)
    # Outside of float64 JAX narrows what is wide, and the source would give another array.
    return f"jnp.asarray({text})" if precision.is_double() or not wide else None
