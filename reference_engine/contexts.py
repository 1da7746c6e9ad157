"""Context managers: whether operations are recorded, under which name, and with which accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Context", "name_scope", "no_grad", "now", "perturbed", "recording", "tracing"]


class Context(NamedTuple):
    """The state at one place of a program, in one object, so an operation looks it up once."""

    recording: bool = True
    scope: str | None = None
    seen: Callable[[Any], None] | None = None
    """Called with every recorded node; may replace its value."""
    depth: int = 0
    """The number of transforms (`grad`, `vjp`, ...) that are running the traced function."""


_OUTSIDE = Context()
_context: ContextVar[Context] = ContextVar("reference_engine", default=_OUTSIDE)
now = _context.get


@contextmanager
def _with(**changes: Any) -> Iterator[None]:
    token = _context.set(now()._replace(**changes))
    try:
        yield
    finally:
        _context.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Inside this context nothing is recorded: every result is a constant."""
    return _with(recording=False)


def recording() -> AbstractContextManager[None]:
    """Inside this context operations are recorded, whatever the outer context."""
    return _with(recording=True)


@contextmanager
def tracing() -> Iterator[None]:
    """Inside this context a transform runs its function."""
    with _with(recording=True, depth=now().depth + 1):
        yield


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Inside this context every value belongs to the part `name` of the computation, for `draw`.

    Scopes nest: inside `name_scope("encoder")`, `name_scope("attention")` is "encoder/attention".
    """
    if not isinstance(name, str) or not name.strip("/"):
        raise ValueError(f"name must be a string that is not empty, got {name!r}")
    around = now().scope
    with _with(scope=name if around is None else f"{around}/{name}"):
        yield


@contextmanager
def perturbed(scale: float, seed: int) -> Iterator[None]:
    """Inside this context every recorded result is moved by a random relative error of up to `scale`.

    Monte Carlo arithmetic (D. S. Parker, UCLA CSD-970002, 1997): the spread of gradients over a few seeds,
    divided by `scale`, measures how much a computation amplifies its own rounding. Operations that only move
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
        return np.asarray(result * np.asarray(factor).astype(result.dtype))[()]

    def seen(node: Any) -> None:
        name = node.primitive.name
        if type(node.data) is tuple:
            node.data = tuple(disturb(name, result) for result in node.data)
        else:
            node.data = disturb(name, node.data)

    with watched(seen):
        yield


def watched(seen: Callable[[Any], None]) -> AbstractContextManager[None]:
    """Inside this context `seen` is called with every node that is recorded.

    It may replace the node's data, with which the program then computes: by data of the same shape and dtype,
    unless the data shares memory with an argument's.
    """
    return _with(seen=seen)


@contextmanager
def at_most(operations: int) -> Iterator[None]:
    """Inside this context at most `operations` results can be recorded; one more raises RuntimeError.

    For loops that depend on values, and may be endless in coarse arithmetic.
    """
    around, left = now().seen, operations

    def count(node: Any) -> None:
        nonlocal left
        if left <= 0:
            raise RuntimeError(f"more than {operations} operations were recorded")
        left -= 1
        if around is not None:
            around(node)

    with watched(count):
        yield


EXACT = frozenset([
    "absolute", "astype", "broadcast_to", "concatenate", "conjugate", "copy", "fabs", "fmax", "fmin",
    "getitem", "imag", "index_put", "max", "maximum", "min", "minimum", "move", "move_back", "negative",
    "positive", "real", "reshape", "scatter", "transpose", "where", "windows",
])  # fmt: skip
"""Primitives that round nothing."""
