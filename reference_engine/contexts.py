"""What holds inside a `with` block: whether operations are recorded, under which name, and how exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

__all__ = ["name_scope", "no_grad", "perturbed", "recording"]

_recording: ContextVar[bool] = ContextVar("reference_engine_recording", default=True)
is_recording = _recording.get
_scope: ContextVar[str | None] = ContextVar("reference_engine_scope", default=None)
scope_now = _scope.get
_disturbance: ContextVar[Callable[[str, Any], Any] | None] = ContextVar(
    "reference_engine_disturbance", default=None
)
disturbance_now = _disturbance.get


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this context nothing is recorded: every result is a constant."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Inside this context every value belongs to the part `name` of the computation, for `draw`.

    Scopes nest: inside `name_scope("encoder")`, `name_scope("attention")` is "encoder/attention".
    """
    if not isinstance(name, str) or not name.strip("/"):
        raise ValueError(f"name must be a string that is not empty, got {name!r}")
    around = scope_now()
    token = _scope.set(name if around is None else f"{around}/{name}")
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def perturbed(scale: float, seed: int) -> Iterator[None]:
    """Inside this context every recorded result is moved by a random relative error of up to `scale`.

    Monte Carlo arithmetic (D. S. Parker, UCLA CSD-970002, 1997): the spread of gradients over a few seeds,
    divided by `scale`, is by how much a computation amplifies its own rounding. Operations that only move
    or choose entries are exact in every precision and stay so. `scale` is positive, `seed` any integer.
    """
    if not 0 < scale < 1:
        raise ValueError(f"scale must be between 0 and 1, got {scale!r}; try 1e-7")
    random = np.random.default_rng(seed)

    def disturb(name: str, result: Any) -> Any:
        if name in EXACT or result.dtype.kind not in "fc":
            return result
        error = random.uniform(-1, 1, (2, *result.shape))
        # The two parts of a complex number are rounded on their common scale.
        factor = 1 + scale * (error[0] + 1j * error[1] if result.dtype.kind == "c" else error[0])
        return np.asarray(result * np.asarray(factor).astype(result.dtype))

    token = _disturbance.set(disturb)
    try:
        yield
    finally:
        _disturbance.reset(token)


EXACT = frozenset([
    "absolute", "astype", "broadcast_to", "concatenate", "conjugate", "copy", "fabs", "fmax", "fmin",
    "getitem", "imag", "index_put", "max", "maximum", "min", "minimum", "move", "move_back", "negative",
    "positive", "real", "reshape", "scatter", "transpose", "where", "windows",
])  # fmt: skip
"""Primitives that round nothing."""


@contextmanager
def recording() -> Iterator[None]:
    """Inside this context operations are recorded, whatever surrounds it."""
    token = _recording.set(True)
    try:
        yield
    finally:
        _recording.reset(token)


transform_depth: ContextVar[int] = ContextVar("reference_engine_transform_depth", default=0)
"""How many transforms (`grad`, `vjp`, ...) are running the function that is being traced."""
