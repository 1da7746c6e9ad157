"""What the tables of special functions share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference_engine.definitions import is_complex
from reference_engine.primitives import value_of

__all__ = ["SQRT_2PI", "TWO_OVER_SQRT_PI", "Row", "RowEntry", "piecewise", "real_only", "sp"]

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
SQRT_2PI = math.sqrt(2 * math.pi)


RowEntry = Callable[..., Any] | None
Row = Sequence[RowEntry]
"""Per argument the derivative `partial(result, *args)`, None where no closed form is known.

For a function of several outputs `result` is a tuple, and so is what a partial returns.
"""


@functools.cache
def sp() -> Any:
    """scipy.special, which the caller of one of its functions has imported already."""
    import scipy.special

    return scipy.special


def piecewise(
    mask: Any, x: Any, inside: Callable[[Any], Any], outside: Callable[[Any], Any], x_in: float, x_out: float
) -> Any:
    """`inside(x)` where `mask`, else `outside(x)`; neither is evaluated where the other applies.

    `x_in` and `x_out` are any points at which the two are smooth: they replace the others' arguments, so
    nothing infinite enters the derivative of `where`.
    """
    if not np.any(mask):
        return outside(x)
    if np.all(mask):
        return inside(x)
    return np.where(mask, inside(np.where(mask, x, x_in)), outside(np.where(mask, x_out, x)))


def real_only(name: str, *args: Any) -> None:
    """Refuse complex arguments if a function is not holomorphic, or its derivative is a real integral."""
    if any(is_complex(value_of(arg)) for arg in args):
        raise NotImplementedError(
            f"the derivative of scipy.special.{name} is known for real arguments only, got a complex one; "
            "pass real ones, or build the function from others that are holomorphic"
        )
