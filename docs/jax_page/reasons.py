"""Why a primitive of JAX does not run on the engine, or comes to no conclusion, by name."""

from __future__ import annotations

__all__ = ["REASONS"]

REASONS: dict[str, str] = {
    "igamma": "its derivative with respect to the first argument is not on the engine",
    "reduce_precision": "its value is rounded to few digits, and JAX rounds its cotangent too",
}
"""What stands next to a primitive with which not all is as expected."""
