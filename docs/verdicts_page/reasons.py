"""Why a check of a right or a broken operator comes to no conclusion, by name and variant."""

from __future__ import annotations

__all__ = ["BROKEN", "DIRECTIONAL", "RIGHT"]

FEW_DIGITS = "rounds its value to so few digits that no difference resolves a thousandth"
TARGET = "its target, which has a gradient here, is compared with 1 and -1, and the loss jumps there"

RIGHT: dict[str, str] = {
    "__rpow__": "a negative number to a power that is no integer: the value is nan",
    "_softmax_backward_data": "runs in float32 always, and wavers more than one of the differences can tell",
    "bfloat16": FEW_DIGITS,
    "chalf": FEW_DIGITS,
    "half": FEW_DIGITS,
    "nn.functional.cosine_embedding_loss": TARGET,
    "nn.functional.hinge_embedding_loss": TARGET,
    "prod": "the gradient is 1e-54, which float32 cannot hold",
    "sparse.mm.reduce": "a sparse input is refused",
    "tan": "close to a pole the rounding of float32 is larger than a thousandth of the gradient",
    "to_sparse": "a sparse result is not checked",
}
"""Right operators on which the check is inconclusive."""

BROKEN: dict[str, str] = {
    "matrix_exp": "times 1e7 torch's gradient in float32 has lost its digits: it is off by a third",
}
"""Operators of which a broken backward is found inconclusive, though the right one passes."""

DIRECTIONAL: dict[str, str] = {}
"""The same in directional mode, where the right one may be inconclusive as well."""
