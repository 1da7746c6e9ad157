"""The numbers of a table compared pair by pair, and what kinks, edges and rounding make of a disagreement."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from pytest_gradcheck.core.evidence.compare import Sides, Tolerance, blocks, compare, finite
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS

#: A gradient is nothing but rounding where no method's is more than so many of its own measured error bars,
#: and would move the output by no more than so many roundings of its value when the input moves by its size.
NOISE_BARS, NOISE_ROUNDINGS = 16.0, 64.0

#: A gradient by hand is not blamed for what moves the output by no more than so many roundings (of float64)
#: of its value when the input moves by its size, or by one: beyond 30 a sigmoid is one but for rounding, and
#: the textbook's s · (1 - s), of which s is all that is known, is off by 1e-3 there, and zero from 37 on.
SATURATED_ROUNDINGS = 64.0

#: Differences say nothing of entries this far below the largest one beside them: a function that cancels
#: large parts (``1 + erf(x)`` near minus one) is flat or straight there for no reason but rounding.
MEASURED_GRAIN = 1e-9


def weigh(
    table: Table, jacobian: Jacobian, tolerance: Tolerance, thorough: bool, nothing: float = 0.0
) -> None:
    """Compare every pair of methods on a table, and say what the function itself makes of it.

    With ``thorough`` a difference counts where it is outside of three error bars. ``nothing`` is the bar up
    to which two zeros agree.
    """
    sizes, bars = block_sizes(table, jacobian)
    block = sizes.max(axis=0)
    # Zero as far as anybody can tell is what nobody's own rounding tells from it, nor the dtype on trial.
    unseen = (sizes <= np.fmax(NOISE_BARS * bars, tolerance.tiny)).all(axis=0)
    floor = np.where(unseen, bars.max(axis=0), -1.0)
    zero = noticeable(table.cotangents, jacobian)
    grain = {name: 8 * pullback.eps for name, pullback in jacobian.pullbacks.items()}
    pairs = [
        Sides(a, left, b, right, max(grain[a], grain[b]))
        for (a, left), (b, right) in itertools.combinations(table.exact.items(), 2)
    ]
    table.comparisons = compare(pairs, tolerance, scale=block, floor=floor, zero=zero, nothing=0.0)
    if "user" in table.exact:
        _doubt_below_rounding(table, "user", jacobian)
    _accept_what_vanishes(table, jacobian, zero, sizes, bars)
    d = table.differences
    if d is None:
        _excuse_beside_singularities(table)
        return
    if table.tangents is not None:
        # The largest share that an entry really has: one in a thousand of it must be seen.
        largest = finite(np.array([e.value for e in table.exact.values()])).max(axis=0)
        shares = np.array([largest, floor, zero])[:, :, None, :] * np.abs(table.tangents)
        scale, low, none = shares.max(axis=3, initial=0.0)
        none = np.fmax(none, d.swing)
    else:
        at = table.coordinates
        scale, low, none = block[:, at], floor[:, at], zero[:, at]
        none = np.fmax(none, d.swing / jacobian.scales[None, at])
    estimates = {"central": d.central, "forward": d.forward}
    seen = {name: table.seen(name) for name in table.exact}
    pairs = []
    for name in jacobian.differences:
        wide = (3.0 if thorough else 1.0) * estimates[name].uncertainty
        measured = Estimate(estimates[name].value, wide)
        pairs += [
            Sides(name, measured, exact, estimate, max(MEASURED_GRAIN, grain[exact]))
            for exact, estimate in seen.items()
        ]
        if name == "central" and "forward" in jacobian.differences:
            pairs.append(Sides(name, measured, "forward", d.forward, MEASURED_GRAIN))
    table.comparisons += compare(
        pairs, tolerance, scale=scale, floor=low, zero=none, nothing=nothing, projected=table.projected
    )
    _accept_what_vanishes(table, jacobian, zero, sizes, bars)
    _overrule_forward(table)
    _excuse_beside_singularities(table)
    if not table.projected:
        _accept_subgradients(table, tolerance)
        _doubt_at_the_edge(table)


def _doubt_below_rounding(table: Table, method: str, jacobian: Jacobian) -> None:
    """Turn disagreement of a method with exact ones into doubt where rounding of the value explains it."""
    value = np.abs(table.cotangents) @ np.abs(jacobian.function.value)
    below = SATURATED_ROUNDINGS * EPS64 * value[:, None] / np.fmax(jacobian.scales, 1.0)[None]
    for c in table.comparisons:
        within = (method in (c.a, c.b)) & c.disagree & (c.difference <= below)
        c.resolved[within] = False
        c.disagree[within] = False


def _accept_what_vanishes(table: Table, jacobian: Jacobian, zero: Matrix, sizes: Any, bars: Any) -> None:
    """Accept a block of the gradient that every exact method sees as zero, each within its own rounding.

    What is added right before a batch norm moves nothing: its gradient is a sum of cotangents that cancel,
    and what is left differs from one order of summation to another by more than any sample of runs shows.
    One method's nonzero number, even a small one, is none of that; nor is a zero that nobody had to round.
    ``zero`` is the derivative that would be noticeable, shape ``(rows, inputs.size)``; ``sizes`` and ``bars``
    are those of `block_sizes`.
    """
    if not jacobian.measured:
        return
    vanishes = np.ones(zero.shape, dtype=bool)
    rounded = np.zeros(zero.shape, dtype=bool)
    for (name, estimate), size, bar in zip(table.exact.items(), sizes, bars, strict=True):
        roundings = NOISE_ROUNDINGS * jacobian.pullbacks[name].eps * zero
        vanishes &= np.isfinite(estimate.value) & (size <= np.fmin(NOISE_BARS * bar, roundings))
        rounded |= bar > 0
    vanishes &= rounded
    for c in table.evidence:
        there = vanishes
        if not table.entrywise(c):
            if table.projected:
                continue
            at = table.coordinates
            there = vanishes[:, at] & (np.abs(c.left.value) <= MEASURED_GRAIN * zero[:, at])
        c.disagree[there], c.resolved[there] = False, True
        # How far apart two zeros are is what rounding allows.
        c.tolerance[there] = np.fmax(c.tolerance, c.difference)[there]


def _excuse_beside_singularities(table: Table) -> None:
    """Do not blame nan on a method at an input by which another output has no finite derivative.

    The slope of the root at zero is infinite, and a backward multiplies it by the cotangents of all other
    outputs too, which are zero: 0 · inf. Where every output is smooth in the input, nan stays wrong.
    """
    if table.projected or all(c.resolved.all() for c in table.evidence):
        return
    unmeasured = np.zeros(table.exact[next(iter(table.exact))].value.shape[1], dtype=bool)
    for c in table.evidence:
        if not table.entrywise(c):
            unmeasured[table.coordinates] |= (~c.resolved & ~c.disagree).any(axis=0)
    for c in table.evidence:
        singular = (~c.resolved & ~c.disagree).any(axis=0)
        if table.entrywise(c):
            singular |= unmeasured
        not_finite = ~(np.isfinite(c.left.value) & np.isfinite(c.right.value))
        c.disagree[not_finite & singular] = False


def _doubt_at_the_edge(table: Table) -> None:
    """Turn disagreement with one-sided differences into doubt.

    At the edge of the domain the function may have a kink, whose other slope, just as right, lies outside.
    """
    d = table.differences
    assert d is not None
    for c in table.evidence:
        if not table.entrywise(c):
            c.resolved[d.one_sided & c.disagree] = False
            c.disagree[d.one_sided] = False


def _overrule_forward(table: Table) -> None:
    """Drop disagreements of forward differences alone, against an exact method and central differences.

    Both differences see the same function values, and the central ones see them from two sides.
    """
    central = {c.b: c for c in table.evidence if c.a == "central"}
    for c in table.evidence:
        if c.a == "forward" and c.b in central and c.disagree.any():
            better = central[c.b]
            overruled = c.disagree & better.resolved & ~better.disagree
            c.disagree[overruled] = False
            # What counts for nothing is no measure of how near to failing a check is.
            c.tolerance[overruled] = np.inf


def block_sizes(table: Table, jacobian: Jacobian) -> tuple[Any, Any]:
    """Return, per exact method, the largest value and error bar in each block of the gradient.

    Both have the shape ``(methods, rows, inputs.size)``.
    """
    exact = table.exact.values()
    out = blocks(jacobian.function.inputs, finite(np.array([(e.value, e.uncertainty) for e in exact])))
    if not table.projected:
        out = _over_outputs(out, table.cotangents, jacobian)
    return out[:, 0], out[:, 1]


def _over_outputs(block: Any, cotangents: Matrix, jacobian: Jacobian) -> Any:
    """Let the rows of one output leaf share their scale: the largest entry among them."""
    outputs = jacobian.function.outputs
    starts = np.array([leaf.start for leaf in outputs.leaves if leaf.size])
    owner = np.searchsorted(starts, np.argmax(np.abs(cotangents), axis=1), side="right")
    out = block.copy()
    for leaf in np.unique(owner):
        out[..., owner == leaf, :] = block[..., owner == leaf, :].max(axis=-2, keepdims=True)
    return out


def _accept_subgradients(table: Table, tolerance: Tolerance) -> None:
    """At a kink every slope between the one-sided ones is right, also when two methods choose two."""
    d = table.differences
    assert d is not None
    if not d.kink.any():
        return
    bar = np.fmax(d.right.uncertainty, d.left.uncertainty)
    bar = bar + tolerance.rtol * np.fmax(np.abs(d.right.value), np.abs(d.left.value)) + tolerance.atol
    low, high = np.fmin(d.right.value, d.left.value) - bar, np.fmax(d.right.value, d.left.value) + bar
    inside: dict[str, Any] = {}
    for name in table.exact:
        value = table.seen(name).value
        inside[name] = d.kink & (value >= low) & (value <= high)
    for c in table.evidence:
        if table.entrywise(c):
            right = np.zeros_like(c.disagree)
            right[:, table.coordinates] = inside[c.a] & inside[c.b]
        else:
            right = inside[c.b if c.a in DIFFERENCE_METHODS else c.a]
            c.disagree[d.kink & ~right] = True
        c.disagree[right], c.resolved[right] = False, True
        # How far apart two right slopes are is what the kink allows.
        c.tolerance[right] = np.fmax(c.tolerance, c.difference)[right]


def noticeable(cotangents: Matrix, jacobian: Jacobian) -> Matrix:
    """Return what counts as a derivative where a whole block of the gradient is zero.

    It would move the output by its own size when the input moves by its own size: shape ``(rows, n)``.
    """
    value = np.abs(jacobian.function.value)
    return np.asarray((np.abs(cotangents) @ value)[:, None] / jacobian.scales[None, :])
