"""The precision in which JAX works: the user's own, or float64 for calls that a check makes by itself.

JAX narrows float64 to float32 unless it is configured otherwise (``jax_enable_x64``). Within `double` it does
not, in this thread; the configuration stays as it is. https://docs.jax.dev/en/latest/default_dtypes.html
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax

# Before JAX 0.8 it is in `jax.experimental` alone.
_home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
_enable: Any = _home.enable_x64


def double() -> AbstractContextManager[Any]:
    """Return a context in which JAX computes in float64."""
    context: AbstractContextManager[Any] = _enable(True)
    return context


def working_in(*, double: bool) -> AbstractContextManager[Any]:
    """Return the context of a call; see `Framework.working_in`."""
    return _enable(True) if double else nullcontext()


def is_double() -> bool:
    """Whether JAX computes in float64 as it is configured here."""
    config: Any = jax.config
    return bool(config.jax_enable_x64)
