"""Why a primitive of JAX does not run on the engine, or does not pass, by name."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["OTHERWISE", "REASONS", "Otherwise"]


class Otherwise(NamedTuple):
    """How JAX's derivative differs from the function's: in the checks of these dtypes, or in no check."""

    dtypes: tuple[str, ...]
    reason: str


BOTH = ("float64", "float32")

OTHERWISE: dict[str, Otherwise] = {
    "acosh": Otherwise(
        (), "JAX's derivative has the wrong sign at complex numbers with a negative real part"
    ),
    "bitcast_convert_type": Otherwise(BOTH, "JAX's derivative is zero, even for the identity"),
    "digamma": Otherwise(("float64",), "JAX's derivative has a relative error of 3e-6 at -7.659"),
    "lgamma": Otherwise((), "its second derivative is the derivative of digamma"),
    "random_gamma": Otherwise(
        BOTH, "JAX differentiates the distribution, not the sample for fixed random numbers"
    ),
    "sign": Otherwise((), "JAX's derivative is zero at complex numbers, where that of z / abs(z) is not"),
    "stop_gradient": Otherwise(BOTH, "JAX's derivative is zero, as intended"),
}
"""The primitives whose derivative in JAX is not the function's. They count neither as right nor as broken."""

REASONS: dict[str, str] = {
    "reduce_precision": "its value is rounded to few digits, and JAX also rounds the cotangent",
    **{name: each.reason for name, each in OTHERWISE.items()},
}
"""What stands next to a primitive with which not all is as expected."""
