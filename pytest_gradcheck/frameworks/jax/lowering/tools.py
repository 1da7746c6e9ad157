"""Helpers for the tables of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine import Tensor
from reference_engine.primitives import value_of

#: A rule takes the equation's parameters, as attributes, and the values of its operands: NumPy arrays, or
#: engine tensors where they depend on the inputs. ``out`` is shape and dtype of the first result. It returns
#: ``NotImplemented`` for what it does not know.
Rule = Callable[..., Any]
Rules = dict[str, Rule]

data = value_of


def is_complex(x: Any) -> bool:
    """Whether a value has a complex dtype."""
    return bool(np.dtype(x.dtype).kind == "c")


def conj(x: Any) -> Any:
    """Return the conjugate of complex numbers, others as they are."""
    return np.conjugate(x) if is_complex(x) else x


def adjoint(x: Any) -> Any:
    """Return the conjugate transpose of the last two axes."""
    return conj(np.swapaxes(x, -1, -2))


def flat(x: Any) -> Any:
    """Return all entries along one axis."""
    return np.reshape(x, (-1,))


def is_tensor(x: Any) -> bool:
    """Whether a value depends on the inputs, and is recorded by the engine."""
    return isinstance(x, Tensor)
