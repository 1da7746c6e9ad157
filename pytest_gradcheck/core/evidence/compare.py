"""Error bars and verdicts: when two answers agree, when they do not, and when nobody can tell."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.frameworks.flat import Layout
from pytest_gradcheck.methods.base import Estimate

#: Differences of a function that is zero at every step have an error bar of the smallest numbers over the
#: step. No derivative as small as this one means anything, so two methods that say zero agree, once the long
#: ladder says so: on the short one a flat piece may be all that was seen.
NOTHING = 1e-250


@dataclass(frozen=True)
class Tolerance:
    """What is allowed beyond the error bars, and the smallest relative error that must be seen."""

    rtol: float
    atol: float
    sensitivity: float
    #: The smallest normal number of the dtype on trial; below it numbers lose digits or vanish.
    tiny: float = 0.0


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two methods side by side on the same entries: arrays of one shape.

    ``disagree`` marks differences beyond tolerance and error bars, ``resolved`` entries where an
    error of the promised size could not have hidden.
    """

    a: str
    b: str
    left: Estimate
    right: Estimate
    difference: Any
    tolerance: Any
    disagree: Any
    resolved: Any

    @property
    def agree(self) -> bool | None:
        """Whether the two agree everywhere; None when somewhere nobody can tell."""
        if bool(self.disagree.any()):
            return False
        return True if bool(self.resolved.all()) else None


class Sides(NamedTuple):
    """Two methods to be compared; entries below ``grain`` times the scale are noise, whatever made them."""

    a: str
    left: Estimate
    b: str
    right: Estimate
    grain: float


#: Pairs of so few numbers are compared in one go: NumPy takes longer to be called than to compute.
TOGETHER = 2048


def compare(
    pairs: Sequence[Sides],
    tolerance: Tolerance,
    *,
    scale: Any,
    floor: Any,
    zero: Any,
    nothing: float,
    projected: bool = False,
) -> list[Comparison]:
    """Compare pairs of estimates, all of one shape, entry by entry.

    ``scale``, of the same shape, is the magnitude against which an entry counts as large or small.
    Where it is no more than ``floor``, the rounding of the exact methods, the gradient is zero as far as
    anybody can tell, and ``zero`` stands in for it: the derivative that would be noticeable.
    Zero on both sides is agreement where the bars are no more than ``nothing``, and on one side certain.
    ``projected`` values are sums over many entries: the sum may be far larger than the one entry in which
    an error must be seen, so its own size counts for nothing.
    """
    if not pairs:
        return []
    if len(pairs) > 1 and scale.size > TOGETHER:
        one = functools.partial(
            compare, scale=scale, floor=floor, zero=zero, nothing=nothing, projected=projected
        )
        return [found for pair in pairs for found in one([pair], tolerance)]
    left, left_bar, right, right_bar = (
        np.array(each)
        for each in zip(
            *[(p.left.value, p.left.uncertainty, p.right.value, p.right.uncertainty) for p in pairs],
            strict=True,
        )
    )
    grain = np.array([p.grain for p in pairs])[:, None, None]
    with np.errstate(invalid="ignore", over="ignore"):
        left_known, right_known = np.isfinite(left), np.isfinite(right)
        size = scale
        if not projected:
            size = np.fmax(np.where(left_known, np.abs(left), 0.0), np.where(right_known, np.abs(right), 0.0))
        bars = left_bar + right_bar + grain * scale
        allowed = tolerance.rtol * size + tolerance.atol + tolerance.tiny + bars
        difference = np.abs(left - right)
        one_finite = left_known ^ right_known
        bounded = np.isfinite(allowed)
        known = np.isfinite(difference) & bounded
        reach = np.where(scale <= floor, np.fmax(zero, scale), scale)
        visible = tolerance.sensitivity * np.fmax(reach, size)
        # A method that answers nan where the other one is certain is wrong; two that both answer inf
        # have not been seen to agree on anything.
        bar = np.where(left_known, left_bar, right_bar)
        still = (np.where(left_known, left, right) == 0) & (bar <= nothing)
        certain = one_finite & bounded & ((bar <= visible) | still)
        disagree = (known & (difference > allowed)) | certain
        resolved = known & ((allowed <= visible) | (difference == 0) & (bars <= nothing))
        difference = np.where(one_finite, np.inf, difference)
    return [
        Comparison(p.a, p.b, p.left, p.right, *arrays)
        for p, *arrays in zip(pairs, difference, allowed, disagree, resolved, strict=True)
    ]


def finite(values: Any) -> Any:
    """Return magnitudes, zero for what is not finite."""
    return np.where(np.isfinite(values), np.abs(values), 0.0)


def blocks(layout: Layout, magnitudes: Any) -> Any:
    """Return, for gradients of shape ``(…, n)``, the largest magnitude in each input leaf.

    The same within a leaf, so that the shape is the same.
    """
    out = np.array(magnitudes)
    for leaf in layout.leaves:
        if leaf.size:
            part = out[..., leaf.start : leaf.stop]
            part[...] = part.max(axis=-1, keepdims=True)
    return out


def vote(agreement: Mapping[tuple[str, str], bool | None], methods: Iterable[str]) -> str | None:
    """Name the method that stands alone against others that agree among themselves, or None.

    Differences are one witness between them: they see the same function values. Where they are sure,
    they outvote, since it is the function itself that they measure.
    """
    names = list(methods)

    def say(a: str, b: str) -> bool | None:
        return agreement.get((a, b), agreement.get((b, a)))

    exact = [n for n in names if n not in ("central", "forward")]
    measured = [n for n in ("central", "forward") if n in names]
    suspects = [
        n
        for n in exact
        if any(say(n, d) is False for d in measured) and not any(say(n, d) is True for d in measured)
    ]
    if len(suspects) == 1:
        return suspects[0]
    if suspects:
        return None
    alone = [
        n
        for n in exact
        if any(say(n, o) is False for o in exact if o != n)
        and not any(say(n, o) is True for o in names if o != n)
    ]
    backed = [n for n in exact if n not in alone and any(say(n, o) is True for o in names if o != n)]
    if len(alone) == 1 and backed:
        return alone[0]
    # In an entry that is small beside the largest one differences may agree with everybody.
    outvoted = [
        n
        for n in exact
        if len(exact) > 2
        and all(say(n, o) is False for o in exact if o != n)
        and all(say(a, b) is True for a, b in itertools.combinations(exact, 2) if n not in (a, b))
    ]
    return outvoted[0] if len(outvoted) == 1 else None
