"""Why a check of a correct or a broken operator is inconclusive, by name and variant."""

from __future__ import annotations

__all__ = ["BROKEN", "DIRECTIONAL", "RIGHT"]

FEW_DIGITS = "rounds its value so coarsely that no difference resolves a thousandth"
TARGET = "its target has a gradient here and is compared with 1 and -1, where the loss jumps"

RIGHT: dict[str, str] = {
    "__rpow__": "a negative number to a non-integer power: the value is nan",
    "_softmax_backward_data": "always runs in float32, with more noise than one difference can measure",
    "bfloat16": FEW_DIGITS,
    "chalf": FEW_DIGITS,
    "half": FEW_DIGITS,
    "nn.functional.cosine_embedding_loss": TARGET,
    "nn.functional.hinge_embedding_loss": TARGET,
    "prod": "the gradient is 1e-54, which underflows in float32",
    "sparse.mm.reduce": "sparse inputs are not supported",
    "tan": "close to a pole, float32 rounding is larger than a thousandth of the gradient",
    "to_sparse": "sparse results are not supported",
}
"""Right operators on which the check is inconclusive."""

BROKEN: dict[str, str] = {
    "matrix_exp": "times 1e7, torch's float32 gradient loses all digits: it is off by a third",
}
"""Operators of which a broken backward is found inconclusive, though the right one passes."""

DIRECTIONAL: dict[str, str] = {}
"""The same in directional mode, where the right one may be inconclusive as well."""
