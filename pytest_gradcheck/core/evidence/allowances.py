"""Allowances: comparisons in, comparisons out, with disagreements explained by kinks, edges and rounding."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.compare import Comparison, Sides, compare, fixed
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.frameworks.flat import Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.roles import BY_HAND

Comparisons = tuple[Comparison, ...]

#: The allowance that leaves entries unchecked: the name of `accept_below_rounding`.
BELOW_ROUNDING = "accept_below_rounding"


class Weighed(NamedTuple):
    """The input of an allowance: the numbers of a table, and their sizes.

    ``zero`` is the derivative that would be noticeable, shape ``(rows, inputs.size)``; ``sizes`` and ``bars``
    are those of `block_sizes`.
    """

    table: Table
    jacobian: Jacobian
    tolerance: Tolerance
    zero: Matrix
    sizes: Any
    bars: Any


def weigh(
    table: Table, jacobian: Jacobian, tolerance: Tolerance, thorough: bool, zero_bar: float = 0.0
) -> Table:
    """Compare every pair of methods in a table, and apply every allowance.

    With ``thorough`` a difference counts where it is outside of three error bars. ``zero_bar`` is the bar up
    to which two zeros agree.
    """
    sizes, bars = block_sizes(table, jacobian)
    block = sizes.max(axis=0)
    # A block is zero if it is within every method's rounding, or below the dtype's smallest normal number.
    unseen = (sizes <= np.fmax(thresholds.NOISE_BARS * bars, tolerance.tiny)).all(axis=0)
    floor = np.where(unseen, bars.max(axis=0), -1.0)
    zero = noticeable(table.cotangents, jacobian)
    noise = {name: thresholds.EXACT_NOISE * pullback.eps for name, pullback in jacobian.pullbacks.items()}
    noise |= jacobian.noises
    pairs = [
        Sides(a, left, b, right, max(noise[a], noise[b]), entrywise=True)
        for (a, left), (b, right) in itertools.combinations(table.exact.items(), 2)
    ]
    comparisons = compare(pairs, tolerance, scale=block, floor=floor, zero=zero, zero_bar=0.0)
    d = table.differences
    if d is not None:
        if table.tangents is not None:
            # The largest actual share of an entry: a thousandth of it must be detected.
            values = np.abs([e.value for e in table.exact.values()])
            largest = np.where(np.isfinite(values), values, 0.0).max(axis=0)
            shares = np.array([largest, floor, zero])[:, :, None, :] * np.abs(table.tangents)
            scale, low, none = shares.max(axis=3, initial=0.0)
            none = np.fmax(none, d.range_of_values)
        else:
            at = table.coordinates
            scale, low, none = block[:, at], floor[:, at], zero[:, at]
            none = np.fmax(none, d.range_of_values / jacobian.scales[None, at])
        seen, least = [(name, table.seen(name)) for name in table.exact], thresholds.MEASURED_NOISE
        pairs = []
        apart = jacobian.noises if table.tangents is not None else {}
        for name in jacobian.differences:
            slopes = getattr(d, name)
            mine = Estimate(
                slopes.value, (thresholds.THOROUGH_BARS if thorough else 1.0) * slopes.uncertainty
            )
            # In a sum over all inputs the rounding of a coarse dtype hides all of them. The rounding of an
            # oracle's derivative does not, since it is compared with the same method entry by entry.
            pairs += [
                Sides(
                    name,
                    mine,
                    exact,
                    theirs,
                    max(least, noise[exact]),
                    counts=exact not in apart or table.exact[exact].scatter is not None,
                )
                for exact, theirs in seen
            ]
            if name == "central" and "forward" in jacobian.differences:
                pairs.append(Sides(name, mine, "forward", d.forward, least, counts=False))
        comparisons += compare(
            pairs,
            tolerance,
            scale=scale,
            floor=low,
            zero=none,
            zero_bar=zero_bar,
            projected=table.tangents is not None,
        )
    if (d is None or not d.kink.any()) and all(c.agree for c in comparisons if c.counts):
        # There is nothing to excuse.
        return replace(table, comparisons=comparisons)
    weighed = Weighed(table, jacobian, tolerance, zero, sizes, bars)
    for allow in PASSES:
        comparisons = allow(comparisons, weighed)
    return replace(table, comparisons=comparisons)


def doubt_below_rounding(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Turn disagreement between a hand-written gradient and exact ones into doubt if rounding explains it."""
    if BY_HAND not in on.table.exact:
        return comparisons
    value = np.abs(on.table.cotangents) @ np.abs(on.jacobian.function.value)
    roundings = thresholds.SATURATED_ROUNDINGS * EPS64
    below = roundings * value[:, None] / np.fmax(on.jacobian.scales, 1.0)[None]
    return tuple(
        c.excuse("doubt_below_rounding", c.disagree & (c.difference <= below), resolved=False)
        if BY_HAND in (c.a, c.b) and c.entrywise
        else c
        for c in comparisons
    )


def accept_what_vanishes(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Accept a block of the gradient that is zero for every exact method, each within its own rounding.

    A bias right before a batch norm has no effect: its gradient is a sum of cotangents that cancel, and the
    remainder depends on the order of summation by more than any sample of runs shows. A nonzero number of one
    method, even a small one, is not accepted, and neither is a zero that no method had to round.
    """
    table, jacobian, zero = on.table, on.jacobian, on.zero
    if not jacobian.measured:
        return comparisons
    finite = np.isfinite([e.value for e in table.exact.values()])
    eps = np.array([jacobian.pullbacks[name].eps for name in table.exact])[:, None, None]
    small = on.sizes <= np.fmin(thresholds.NOISE_BARS * on.bars, thresholds.NOISE_ROUNDINGS * eps * zero)
    vanishes = (finite & small).all(axis=0) & (on.bars > 0).any(axis=0)
    at, out = table.coordinates, []
    for c in comparisons:
        if c.entrywise or (c.counts and table.tangents is None):
            there = vanishes
            if not c.entrywise:
                there = there[:, at] & (np.abs(c.left.value) <= thresholds.MEASURED_NOISE * zero[:, at])
                # In bfloat16 the whole gradient may be that small. A block in which an entry moves is not
                # accepted.
                for leaf in jacobian.function.inputs.leaves:
                    block = (leaf.start <= np.asarray(at)) & (np.asarray(at) < leaf.stop)
                    there[:, block] &= there[:, block].all(axis=1, keepdims=True)
            # Two zeros may differ by as much as rounding allows.
            c = _accepted(c, "accept_what_vanishes", there)  # the same pair
        out.append(c)
    return tuple(out)


def accept_below_rounding(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Accept entries below the rounding of the function's own terms as zero, unless differences resolve them.

    At 1e-200 the slope of sqrt(x² + 1) is 1e-200, or zero if x² has underflowed: no value within a step of
    one shows it. A long ladder takes such steps, a short one does not.
    """
    table, d = on.table, on.table.differences
    if d is None or table.tangents is not None or not table.refined:
        return comparisons
    at = table.coordinates
    terms = (np.abs(table.cotangents) @ np.abs(on.jacobian.function.value))[:, None] + d.range_of_values
    floor = thresholds.TERM_ROUNDINGS * EPS64 * terms / np.fmax(on.jacobian.scales, 1.0)[None, at]
    values = {name: np.abs(table.seen(name).value) <= floor for name in table.exact}
    contradicted = np.zeros(floor.shape, dtype=bool)
    for c in comparisons:
        if c.counts and not c.entrywise:
            contradicted |= c.disagree | ~np.isfinite(c.left.uncertainty)
    out = []
    for c in comparisons:
        if c.entrywise:
            there = np.zeros(c.disagree.shape, dtype=bool)
            there[:, at] = values[c.a] & values[c.b] & ~contradicted
        elif c.counts:
            there = values[c.b] & ~contradicted & (np.abs(c.left.value) <= floor + c.left.uncertainty)
        out.append(_accepted(c, BELOW_ROUNDING, there) if c.counts else c)
    return tuple(out)


def overrule_forward(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Drop disagreements of forward differences alone, against an exact method and central differences.

    Both differences see the same function values, and the central ones see them from two sides.
    """
    central = {c.b: c for c in comparisons if c.a == "central" and c.b in on.table.exact}
    out = []
    for c in comparisons:
        if c.a == "forward" and c.b in central and c.agree is False:
            backed = central[c.b].resolved & ~central[c.b].disagree
            # A pair that does not count does not affect the margin of a check.
            c = c.excuse("overrule_forward", c.disagree & backed, tolerance=np.inf)  # the same pair
        out.append(c)
    return tuple(out)


def excuse_beside_singularities(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Do not blame a method for nan at an input with respect to which another output has no finite
    derivative.

    The slope of the root at zero is infinite, and a backward multiplies it by the cotangents of all other
    outputs too, which are zero: 0 · inf. Where every output is smooth in the input, nan stays wrong.
    """
    table = on.table
    if table.tangents is not None or all(c.resolved.all() for c in comparisons if c.counts):
        return comparisons
    unmeasured = np.zeros(on.zero.shape[1], dtype=bool)
    for c in comparisons:
        if c.counts and not c.entrywise:
            unmeasured[table.coordinates] |= (~c.resolved & ~c.disagree).any(axis=0)

    def singular(c: Comparison) -> Any:
        there = (~c.resolved & ~c.disagree).any(axis=0) | (unmeasured if c.entrywise else False)
        return ~(np.isfinite(c.left.value) & np.isfinite(c.right.value)) & there

    excused = (c.excuse("excuse_beside_singularities", singular(c)) if c.counts else c for c in comparisons)
    return tuple(excused)


def accept_subgradients(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """At a kink any slope between the one-sided ones is right, even if two methods choose different ones."""
    table, d, tolerance = on.table, on.table.differences, on.tolerance
    if d is None or table.tangents is not None or not d.kink.any():
        return comparisons
    bar = np.fmax(d.right.uncertainty, d.left.uncertainty)
    bar = bar + tolerance.rtol * np.fmax(np.abs(d.right.value), np.abs(d.left.value)) + tolerance.atol
    low, high = np.fmin(d.right.value, d.left.value) - bar, np.fmax(d.right.value, d.left.value) + bar
    values = {name: table.seen(name).value for name in table.exact}
    inside = {name: d.kink & (value >= low) & (value <= high) for name, value in values.items()}
    out = []
    for c in comparisons:
        if c.entrywise:
            right = np.zeros_like(c.disagree)
            right[:, table.coordinates] = inside[c.a] & inside[c.b]
        elif c.counts:
            right = inside[c.b]
            c = replace(c, disagree=fixed(c.disagree | d.kink & ~right))  # the same pair
        # Two right slopes may differ by as much as the kink allows.
        out.append(_accepted(c, "accept_subgradients", right) if c.counts else c)
    return tuple(out)


def doubt_at_the_edge(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Turn disagreement with one-sided differences into doubt.

    At the edge of the domain the function may have a kink, whose other slope, just as right, lies outside.
    """
    table, d = on.table, on.table.differences
    if d is None or table.tangents is not None or not d.one_sided.any():
        return comparisons
    return tuple(
        c.excuse("doubt_at_the_edge", d.one_sided & c.disagree, resolved=False)
        if c.counts and not c.entrywise
        else c
        for c in comparisons
    )


def doubt_on_stairs(comparisons: Comparisons, on: Weighed) -> Comparisons:
    """Turn disagreement between a zero and the slope of a staircase into doubt.

    If values take few steps, no difference can tell whether the slope is that of the stair or of the flight.
    """
    d = on.table.differences
    if d is None or on.table.tangents is not None:
        return comparisons
    stairs = d.grainy.astype(bool)
    return tuple(
        c.excuse("doubt_on_stairs", stairs & (c.right.value == 0) & c.disagree, resolved=False)
        if c.counts and not c.entrywise
        else c
        for c in comparisons
    )


#: The allowances, in the order in which they are applied.
PASSES: tuple[Callable[[Comparisons, Weighed], Comparisons], ...] = (
    doubt_below_rounding,
    accept_what_vanishes,
    accept_below_rounding,
    overrule_forward,
    excuse_beside_singularities,
    accept_subgradients,
    doubt_at_the_edge,
    doubt_on_stairs,
)


def accept_next_to_nothing(table: Table, jacobian: Jacobian) -> Table:
    """Treat numbers as zero that are negligible compared with the largest one of their input.

    An implicit gradient has 1e-9 where zero is right: its linear solver stopped there. It applies where a
    gradient would be called wrong, and excuses no number that can be distinguished from zero.
    """
    if table.tangents is not None:
        return table
    largest = thresholds.NOTHING * block_sizes(table, jacobian)[0].max(axis=0)
    out = []
    for c in table.comparisons:
        if c.counts:
            floor = largest if c.entrywise else largest[:, table.coordinates]
            nothing = (np.abs(c.left.value) <= floor) & (np.abs(c.right.value) <= floor)
            c = c.excuse("accept_next_to_nothing", nothing & c.disagree, resolved=True)  # the same pair
        out.append(c)
    return replace(table, comparisons=tuple(out))


def accept_within_rounding_of_values(
    table: Table, jacobian: Jacobian, noise: Vector, fine: Mapping[str, Pullback | None]
) -> Table:
    """Excuse differences that rounding the function in its own dtype explains.

    A derivative in float32 has no more digits than the values next to it: gelu at -6 is 1 + erf(x/√2), of
    which float32 keeps one digit, and so does its derivative. ``noise`` is that of values, shape ``(m,)``.
    ``fine`` are the gradients on trial as they run in float64, None where they cannot. An error in float64 is
    not rounding, and a sum of a million terms has more noise than one of them.
    """
    if table.tangents is not None or not noise.any():
        return table
    own = np.where(jacobian.function.point != 0, np.abs(jacobian.function.point), jacobian.scales)
    floor = thresholds.ROUNDINGS_OF_VALUES * (np.abs(table.cotangents) @ noise)[:, None] / own
    # A gradient on trial that is right nowhere in float64 is not excused.
    right = {name: np.zeros((len(table.cotangents), own.size), dtype=bool) for name in fine}
    for name, pullback in fine.items():
        if pullback is None:
            continue
        rows = np.stack([pullback.vjp(u) for u in table.cotangents])
        for c in table.comparisons:
            if name in (c.a, c.b):
                at = slice(None) if c.entrywise else table.coordinates
                off = np.abs(rows[:, at] - (c.left if name == c.b else c.right).value)
                right[name][:, at] |= off <= np.fmax(c.tolerance, thresholds.RIGHT_IN_DOUBLE * c.difference)
    out = []
    for c in table.comparisons:
        if c.counts:
            at = slice(None) if c.entrywise else table.coordinates
            small = c.difference <= floor[:, at]
            for name in fine.keys() & {c.a, c.b}:
                small &= right[name][:, at]
            c = _accepted(c, "accept_within_rounding_of_values", small & c.disagree)
        out.append(c)
    return replace(table, comparisons=tuple(out))


def _accepted(c: Comparison, by: str, where: Any) -> Comparison:
    """Return the pair as agreeing in the entries of a mask, with their differences allowed."""
    return c.excuse(by, where, resolved=True, tolerance=np.fmax(c.tolerance, c.difference))


def block_sizes(table: Table, jacobian: Jacobian) -> tuple[Any, Any]:
    """Return, per exact method, the largest value and error bar in each block of the gradient.

    Both have the shape ``(methods, rows, inputs.size)``.
    """
    f, exact = jacobian.function, table.exact.values()
    out = leafwise(f.inputs, np.array([(e.value, e.uncertainty) for e in exact]), 1.0)
    if table.tangents is None:
        # The rows of one output leaf share their scale: the largest entry among them.
        starts = np.array([leaf.start for leaf in f.outputs.leaves if leaf.size])
        owner = np.searchsorted(starts, np.argmax(np.abs(table.cotangents), axis=1), side="right")
        for leaf in np.unique(owner):
            part = owner == leaf
            out[..., part, :] = out[..., part, :].max(axis=-2, keepdims=True)
    return out[:, 0], out[:, 1]


def noticeable(cotangents: Matrix, jacobian: Jacobian) -> Matrix:
    """Return what counts as a derivative where a whole block of the gradient is zero.

    It would move the output by its own size when the input moves by its own size: shape ``(rows, n)``.
    """
    value = np.abs(jacobian.function.value)
    return np.asarray((np.abs(cotangents) @ value)[:, None] / jacobian.scales[None, :])


def sufficient_sensitivity(
    table: Table, jacobian: Jacobian, most_of_all: float = thresholds.LEAST_SENSITIVITY
) -> float | None:
    """Return the smallest relative error, to one digit, that would have been detected in every entry, or
    None.

    An error of ``most_of_all`` or more is not worth a promise.
    """
    block = block_sizes(table, jacobian)[0].max(axis=0)
    needed = dict.fromkeys(table.exact, np.inf)
    for c in table.evidence:
        if table.tangents is not None and not c.entrywise:
            if c.agree is None:
                return None
            needed |= dict.fromkeys(needed.keys() & {c.a, c.b}, 0.0)
            continue
        size = block if c.entrywise else block[:, table.coordinates]
        size = np.fmax(size, np.fmax(np.abs(c.left.value), np.abs(c.right.value)))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.nan_to_num(c.tolerance / size, nan=np.inf)
        hidden = np.where(c.resolved, 0.0, share).max(initial=0.0)
        for name in needed.keys() & {c.a, c.b}:
            needed[name] = min(needed[name], float(hidden))
    most = max(needed.values())
    if not 0 < most < most_of_all:
        return None
    return rounded_up(most)


def rounded_up(number: float) -> float:
    """Round a positive number up to one significant digit."""
    digit = 10.0 ** math.floor(math.log10(number))
    return float(f"{math.ceil(number / digit) * digit:.1g}")
