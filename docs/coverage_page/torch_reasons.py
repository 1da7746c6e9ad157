"""What is known of torch's operators that do not come out like the others.

`docs/torch_coverage.py` and the sweep fail for an operator that does not come out and is not listed here, and
for one that is listed and comes out by now.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KNOWN", "TOLERANCES", "Known"]

SPARSE = "sparse tensors have no counterpart on the engine"
DUPLICATES = "of several values written to one place, the last one stays; torch gives all of them a gradient"
SAMPLER = "for fixed random numbers it is a different function from the one torch differentiates"
NO_NUMBER = "torch's second derivative is nan"


class Known(NamedTuple):
    """Where an operator does not come out, and a pattern for all that is seen there, ``stage: text``.

    ``whose``: "none" where the engine cannot run it, else whose answer is not the derivative, "torch" or
    "undefined" where there is none.
    """

    stages: frozenset[str]
    shows: str
    whose: str
    reason: str


def _known(stages: str, shows: str, whose: str, reason: str) -> Known:
    return Known(frozenset(stages.split()), shows, whose, reason)


_UNPOOL = _known("first second", "first: -?0.0 in place of|second: ", "torch", DUPLICATES)

KNOWN: dict[str, Known] = {
    "as_strided_scatter": _known(
        "first second",
        "",
        "torch",
        "torch gives a gradient to overwritten values, and none to the values kept",
    ),
    "linalg.norm": _known(
        "second", "in place of nan", "undefined", f"{NO_NUMBER} at zero, where the norm has none"
    ),
    "linalg.norm.subgradients_at_zero": _known(
        "second", "in place of nan", "undefined", f"{NO_NUMBER} at zero, where the norm has none"
    ),
    "masked.logaddexp": _known(
        "second",
        "in place of nan",
        "torch",
        f"{NO_NUMBER} where both arguments are masked, which is constant",
    ),
    "nn.functional.linear_cross_entropy.chunked": _known(
        "second", "in place of 0.0", "torch", "torch's second derivative is zero, without a warning"
    ),
    "nn.functional.max_unpool1d": _UNPOOL,
    "nn.functional.max_unpool2d": _UNPOOL,
    "nn.functional.max_unpool3d": _UNPOOL,
    "normal": _known("runs", "draws from a distribution", "none", SAMPLER),
    "normal.number_mean": _known("runs", "draws from a distribution", "none", SAMPLER),
    "sparse.mm.reduce": _known("runs", "sparse", "none", SPARSE),
    "sparse.sampled_addmm": _known("runs", "sparse", "none", SPARSE),
    "to_sparse": _known("runs", "sparse", "none", SPARSE),
}

TOLERANCES: dict[str, tuple[float, str]] = {
    "nn.functional.binary_cross_entropy": (1e-7, "torch's second derivative adds 1e-12 to its denominators"),
    "nn.functional.hardsigmoid": (1e-7, "the 1/6 in torch's backward is a float32 number"),
}
"""Operators that agree less closely than the others, with the reason."""
