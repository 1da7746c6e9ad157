"""Compare two answers entry by entry: they agree, disagree, or are undecided."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.methods.base import Estimate


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two methods side by side on the same entries: arrays of one shape that cannot be written to.

    ``disagree`` marks differences beyond tolerance and error bars, ``resolved`` entries in which an error of
    the promised size would have been detected. ``excused`` has the name of each function that changed that,
    and a mask of the entries.
    """

    a: str
    b: str
    left: Estimate
    right: Estimate
    difference: Any
    tolerance: Any
    disagree: Any
    resolved: Any
    #: Whether both are exact: they are compared in whole rows.
    entrywise: bool
    #: Whether one of them is exact: two difference methods use the same function values, so they are not
    #: evidence.
    counts: bool
    excused: tuple[tuple[str, Any], ...] = ()

    @functools.cached_property
    def agree(self) -> bool | None:
        """Whether the two agree everywhere; None if some entry is undecided."""
        if self.disagree.any():
            return False
        return True if self.resolved.all() else None

    def excuse(
        self, by: str, where: Any, *, resolved: bool | None = None, tolerance: Any = None
    ) -> Comparison:
        """Remove the disagreement in the entries of a mask, and record the name of the reason.

        ``resolved`` says whether these entries agree (True), are in doubt (False) or stay as resolved as
        before (None). ``tolerance`` replaces what was allowed in them.
        """
        if not where.any():
            return self
        changed = where & (self.disagree | ~self.resolved) if resolved else where & self.disagree
        if tolerance is None and not changed.any():
            return self
        return replace(
            self,
            disagree=fixed(self.disagree & ~where),
            resolved=self.resolved if resolved is None else fixed(np.where(where, resolved, self.resolved)),
            tolerance=self.tolerance
            if tolerance is None
            else fixed(np.where(where, tolerance, self.tolerance)),
            excused=(*self.excused, (by, fixed(changed))) if changed.any() else self.excused,
        )


def fixed(array: Any) -> Any:
    """Return the array, made read-only."""
    array.flags.writeable = False
    return array


def margins(difference: Any, tolerance: Any) -> Any:
    """Return differences in units of their tolerance: zero for none, NaN where there is no answer."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = difference / tolerance
    ratio[difference == 0] = 0.0
    return ratio


class Sides(NamedTuple):
    """Two methods to compare; entries below ``noise`` times the scale are noise, whatever their cause."""

    a: str
    left: Estimate
    b: str
    right: Estimate
    noise: float
    entrywise: bool = False
    counts: bool = True


#: Pairs of so few numbers are compared in one go: NumPy takes longer to be called than to compute.
TOGETHER = 2048


def compare(
    pairs: Sequence[Sides],
    tolerance: Tolerance,
    *,
    scale: Any,
    floor: Any,
    zero: Any,
    zero_bar: float,
    projected: bool = False,
) -> tuple[Comparison, ...]:
    """Compare pairs of estimates, all of one shape, entry by entry.

    ``scale``, of the same shape, is the magnitude against which an entry counts as large or small. Where it
    is at most ``floor``, the rounding of the exact methods, the gradient cannot be distinguished from zero,
    and ``zero`` stands in for it: the derivative that would be noticeable. Zero on both sides is agreement
    where the bars are no more than ``zero_bar``, and on one side certain. ``projected`` values are sums over
    many entries: the sum may be far larger than the entry in which an error must be detected, so its own size
    does not count.
    """
    if not pairs:
        return ()
    if len(pairs) > 1 and scale.size > TOGETHER:
        one = functools.partial(
            compare, scale=scale, floor=floor, zero=zero, zero_bar=zero_bar, projected=projected
        )
        return tuple(found for pair in pairs for found in one([pair], tolerance))
    left, left_bar, right, right_bar = (
        np.array(each)
        for each in zip(
            *[(p.left.value, p.left.uncertainty, p.right.value, p.right.uncertainty) for p in pairs],
            strict=True,
        )
    )
    noise = np.array([p.noise for p in pairs])[:, None, None]
    with np.errstate(invalid="ignore", over="ignore"):
        left_known, right_known = np.isfinite(left), np.isfinite(right)
        size = scale
        if not projected:
            size = np.fmax(np.where(left_known, np.abs(left), 0.0), np.where(right_known, np.abs(right), 0.0))
        bars = left_bar + right_bar + noise * scale
        allowed = tolerance.rtol * size + tolerance.atol + tolerance.tiny + bars
        difference = np.abs(left - right)
        one_finite = left_known ^ right_known
        bounded = np.isfinite(allowed)
        known = np.isfinite(difference) & bounded
        reach = np.where(scale <= floor, np.fmax(zero, scale), scale)
        visible = tolerance.sensitivity * np.fmax(reach, size)
        # A method that returns nan where the other is certain is wrong; two that both return inf do not count
        # as agreeing.
        bar = np.where(left_known, left_bar, right_bar)
        still = (np.where(left_known, left, right) == 0) & (bar <= zero_bar)
        certain = one_finite & bounded & ((bar <= visible) | still)
        disagree = (known & (difference > allowed)) | certain
        resolved = known & ((allowed <= visible) | (difference == 0) & (bars <= zero_bar))
        difference = np.where(one_finite, np.inf, difference)
    for array in (difference, allowed, disagree, resolved):
        array.flags.writeable = False
    return tuple(
        Comparison(p.a, p.b, p.left, p.right, gap, bound, differs, is_seen, p.entrywise, p.counts)
        for p, gap, bound, differs, is_seen in zip(
            pairs, difference, allowed, disagree, resolved, strict=True
        )
    )
