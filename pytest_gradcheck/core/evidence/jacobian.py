"""The derivative at the point by each method: entries and projections, with error bars."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.differences import CHUNK, QUICK, THOROUGH, Lines, Slopes, textbook
from pytest_gradcheck.methods.windows import (
    WIDTH,
    Few,
    Sample,
    Window,
    fitted,
    looked,
    natural_scales,
    one_sided,
    sampled,
    settled,
    window,
)


@dataclass
class Cost:
    """The cost of one method so far; fewer ``calls`` than evaluations if many points share one."""

    evaluations: int = 0
    calls: int = 0
    seconds: float = 0.0


@dataclass(eq=False)
class Function:
    """A function of a flat vector at a point, in the form that differences use.

    ``evaluate`` and ``rounded`` take many points at a time, shape ``(points, n)``; ``evaluate`` gives values
    of shape ``(points, m)`` and the number of calls that it took. ``eps`` is the unit roundoff of the
    evaluation; ``evaluation_noise`` how much the value varies between calls at the point; ``lower`` and
    ``upper`` bound every evaluation. Two calls of a function that ``is_erratic`` differ by more than
    rounding.
    """

    inputs: Layout
    outputs: Layout
    point: Vector
    value: Vector
    evaluate: Callable[[Matrix], tuple[Matrix, int]]
    rounded: Callable[[Matrix], Matrix]
    lower: Vector
    upper: Vector
    evaluation_noise: Vector
    eps: float
    is_erratic: bool = False

    @classmethod
    def of(cls, problem: Problem) -> Function:
        """Return the function of a problem."""
        p = problem
        at = p.inputs, p.outputs, p.point, p.value
        erratic = bool((p.evaluation_noise > math.sqrt(p.eps) * np.abs(p.value).max(initial=0.0)).any())
        return cls(*at, p.evaluate_many, p.rounded, p.lower, p.upper, p.evaluation_noise, p.eps, erratic)


def one_by_one(evaluate: Callable[[Vector], Vector]) -> Callable[[Matrix], tuple[Matrix, int]]:
    """Return an evaluation of many points, one call each; see `Function`."""
    return lambda points: (np.stack([evaluate(point) for point in points]), len(points))


def remembered(evaluate: Callable[[Matrix], tuple[Matrix, int]]) -> Callable[[Matrix], tuple[Matrix, int]]:
    """Return a memoized evaluation, which takes no call for a known point; see `Function`."""
    known: dict[bytes, Vector] = {}

    def again(points: Matrix) -> tuple[Matrix, int]:
        keys, calls = [point.tobytes() for point in points], 0
        new = [k for k, key in enumerate(keys) if key not in known]
        if new:
            values, calls = evaluate(points[new])
            known.update(zip((keys[k] for k in new), values, strict=True))
        return np.stack([known[key] for key in keys]), calls

    return again


@dataclass(frozen=True, eq=False)
class Differences:
    """Slopes along some directions: arrays of shape ``(rows, directions)``."""

    central: Estimate
    forward: Estimate
    right: Estimate
    left: Estimate
    kink: Any
    jump: Any
    range_of_values: Any
    one_sided: Any
    grainy: Any


@dataclass(eq=False)
class Jacobian:
    """Maps input tangents to output tangents, and output cotangents back, by every available method."""

    function: Function
    pullbacks: Mapping[str, Pullback]
    differences: tuple[str, ...]
    step: float | None = None
    costs: dict[str, Cost] = field(default_factory=dict)
    #: Rows with measured rounding, per exact method, from cotangents and values: used on doubt.
    measured: dict[str, Callable[[Matrix, Matrix], Estimate]] = field(default_factory=dict)
    #: Entries of a method below this share of the largest one next to them are noise, if known.
    noises: dict[str, float] = field(default_factory=dict)
    #: Cotangents, as bytes, of rows without doubt, whose rounding need not be measured.
    settled: frozenset[bytes] = frozenset()
    _last_rows: dict[str, tuple[Matrix, Matrix]] = field(default_factory=dict)
    _windows: dict[tuple[bytes, bytes, float], Window] = field(default_factory=dict)

    def without(self, name: str) -> Jacobian:
        """Return the same without one exact method; costs and measurements stay shared."""
        return dataclasses.replace(self, pullbacks={n: p for n, p in self.pullbacks.items() if n != name})

    # -- exact methods: rows -------------------------------------------------------------------------

    def rows(self, name: str, cotangents: Matrix) -> Estimate:
        """Return ``cotangents · J`` by an exact method, shape ``(rows, inputs.size)``."""
        pullback = self.pullbacks[name]
        # A closer look starts with the same rows.
        if name not in self._last_rows or not np.array_equal(self._last_rows[name][0], cotangents):
            cost, start = self.costs.setdefault(name, Cost()), time.perf_counter()
            before = pullback.evaluations
            # The result for the first cotangent is known.
            known = pullback.first
            if known is None or not np.array_equal(known[0], cotangents[0]):
                values = pullback.vjps(cotangents)
            elif len(cotangents) == 1:
                values = known[1][None]
            else:
                values = np.concatenate([known[1][None], pullback.vjps(cotangents[1:])])
            cost.evaluations += pullback.evaluations - before
            cost.seconds += time.perf_counter() - start
            self._last_rows[name] = cotangents, values
        values = self._last_rows[name][1]
        if name in self.measured:
            return self.measured[name](cotangents, values)
        return Estimate(values, pullback.rounding(values))

    # -- differences: columns ------------------------------------------------------------------------

    def along(self, tangents: Any, cotangents: Matrix | None, *, thorough: bool) -> Differences:
        """Return slopes along some tangents, contracted with the cotangents: shapes ``(rows, tangents)``.

        ``tangents`` has shape ``(tangents, inputs.size)``, or that of one tangent. Without cotangents each
        output is a separate row.
        """
        f, tangents = self.function, np.atleast_2d(tangents)
        lines = self._lines(tangents, self._room(tangents))
        with self._counted():
            slopes = lines.slopes(np.ones(len(tangents)), THOROUGH if thorough else QUICK, f.eps)
        return _contract(slopes, cotangents)

    def columns(
        self, coordinates: Sequence[int], cotangents: Matrix | None, *, thorough: bool
    ) -> Differences:
        """Return derivatives with respect to some coordinates, contracted with the cotangents: shapes
        ``(rows, columns)``.

        Without cotangents, or with those of single outputs, each output is a separate row.
        """
        if cotangents is not None and np.array_equal(cotangents, np.eye(len(cotangents))):
            cotangents = None
        at, steps = np.asarray(coordinates), THOROUGH if thorough else QUICK
        count = max(1, CHUNK // (2 * len(steps) * max(1, self.function.outputs.size)))
        with self._counted():
            parts = [
                _contract(self._by_coordinates(at[k : k + count], thorough), cotangents)
                for k in range(0, len(at), count)
            ]
        found = parts[0] if len(parts) == 1 else combined(lambda *a: np.concatenate(a, axis=1), *parts)
        return found if self.step is None else self._at_fixed_step(found, at, cotangents)

    def window(self, tangent: Vector, cotangent: Vector, scale: float) -> Window:
        """Fit the function along one tangent over a window, contracted with one cotangent; see `window`."""
        key = tangent.tobytes(), cotangent.tobytes(), scale
        if key not in self._windows:
            lines = self._lines(tangent[None], np.full((2, 1), np.inf))
            with self._counted():
                self._windows[key] = window(lines, np.array([scale]), cotangent[None], self.function.eps)
        return self._windows[key]

    def sample(self, tangents: Matrix, shape: Few) -> Sample:
        """Evaluate at few points along some tangents; see `methods.windows.Few`."""
        with self._counted():
            return sampled(self._lines(tangents, self._room(tangents)), shape)

    def inward(
        self, tangent: Vector, shape: Few, cotangents: Matrix, noise: Vector
    ) -> tuple[Estimate, Vector]:
        """Return the slope to the right along a tangent; see `methods.windows.one_sided`."""
        with self._counted():
            line = self._lines(tangent[None], self._room(tangent[None]))
            return one_sided(line, shape, cotangents, self.function.eps, noise)

    def column(self, tangent: Vector, cotangent: Vector) -> tuple[Window, Window]:
        """Fit one window along a tangent: contracted with a cotangent, and for each output by itself."""
        room = self._room(tangent[None])
        # Within the domain on both sides, where there are two.
        lines, scale = self._lines(tangent[None], room), np.fmin(1.0, room.min(axis=0) / WIDTH)
        with self._counted():
            values = looked(lines, scale)
        both = (fitted(lines, values, scale, u, self.function.eps) for u in (cotangent[None], None))
        return next(both), next(both)

    def at(self, point: Vector) -> Jacobian | None:
        """Return the function at another point, without exact methods; None if it is not finite there.

        Its costs are added to this account.
        """
        with self._counted():
            value = self._evaluate(point[None])[0]
        if not np.isfinite(value).all():
            return None
        there = replace(self.function, point=point, value=value)
        return replace(self, function=there, pullbacks={}, measured={}, _last_rows={}, _windows={})

    def quotients(self, tangent: Vector, cotangent: Vector, steps: Sequence[float]) -> Vector:
        """Return plain central quotients along one tangent, contracted with one cotangent: one per step."""
        lines = self._lines(tangent[None], np.full((2, 1), np.inf))
        t = np.array(steps)[:, None]
        with self._counted(), np.errstate(all="ignore"):
            (up, down), (above, below) = lines.sample(np.stack([t, -t]))
            looks = cotangent != 0
            return np.asarray(((above - below) / (up - down))[:, 0, looks] @ cotangent[looks])

    def secants(self, tangent: Vector, cotangent: Vector, t: Vector) -> Vector:
        """Return the quotients of neighbours among the points at ``t`` of a line, one fewer than these."""
        steps, values = self._at_steps(tangent, cotangent, t)
        with np.errstate(all="ignore"):
            return np.asarray(np.diff(values) / np.diff(steps))

    def values_along(self, tangent: Vector, cotangent: Vector, t: Vector) -> Vector:
        """Return the values at the points at ``t`` of a line, contracted with one cotangent."""
        return self._at_steps(tangent, cotangent, t)[1]

    def _at_steps(self, tangent: Vector, cotangent: Vector, t: Vector) -> tuple[Vector, Vector]:
        """Return the rounded steps to ``t`` along a line, and the contracted values there."""
        lines = self._lines(tangent[None], np.full((1, 1), np.inf))
        looks, still = cotangent != 0, t == 0
        with self._counted(), np.errstate(all="ignore"):
            steps, values = lines.sample(t[None, :, None])
            # `sample` does not accept a step of zero.
            steps = np.where(still, 0.0, steps[0, :, 0, 0])
            values = np.where(still[:, None], self.function.value, values[0, :, 0])
            return steps, np.asarray(values[:, looks] @ cotangent[looks])

    def direction(self, rng: np.random.Generator) -> Vector:
        """Draw a tangent: random signs, magnitudes around each input's own scale, into the domain."""
        f = self.function
        signs = random_signs(rng, f.point.size)
        # At a bound the sign points inward, so one side of the line stays inside.
        signs = np.where(f.point <= f.lower, 1.0, np.where(f.point >= f.upper, -1.0, signs))
        tangent = signs * rng.uniform(0.5, 1.5, f.point.size) * self.scales
        room = np.where(signs > 0, f.upper - f.point, f.point - f.lower)
        # nan and infinite inputs are not moved.
        return np.where(np.isfinite(f.point), np.clip(tangent, -room, room), 0.0)

    @functools.cached_property
    def output_weights(self) -> Vector:
        """Factors, one per coordinate of the outputs, that give outputs of very different sizes the same
        weight.

        A sum over a loss of 1e6 and a penalty of 1e-3 shows nothing of the penalty's gradient. The size is
        the slope of each output along a line; slopes within a factor of a thousand are not weighted.
        """
        f = self.function
        if sum(leaf.size > 0 for leaf in f.outputs.leaves) < 2:
            return np.ones(f.outputs.size)
        tangent = self.direction(np.random.default_rng(f.inputs.size))
        return self.weights_for(self.along(tangent, None, thorough=False).central)

    def weights_for(self, slope: Estimate) -> Vector:
        """Return the `output_weights` for slopes of all outputs along a line, shape ``(m, 1)``."""
        f = self.function
        weights = np.ones(f.outputs.size)
        leaves = [leaf for leaf in f.outputs.leaves if leaf.size]
        if len(leaves) < 2:
            return weights
        sizes = np.zeros(len(leaves))
        for k, leaf in enumerate(leaves):
            part, bar = (np.abs(v[leaf.start : leaf.stop, 0]) for v in (slope.value, slope.uncertainty))
            # An output that is almost cancelled is noise, and has no size to weigh it by.
            if np.isfinite(part).all() and part.sum() > thresholds.WAVERING * bar.sum():
                sizes[k] = part.max()
        for leaf, size in zip(leaves, sizes, strict=True):
            if 0 < size < thresholds.ALIKE * sizes.max():
                most = thresholds.MOST_OF_HALF if leaf.dtype in ("float16", "complex32") else np.inf
                weights[leaf.start : leaf.stop] = min(sizes.max() / size, most)
        return weights

    @functools.cached_property
    def scales(self) -> Vector:
        """For every coordinate, the larger of its own magnitude and its leaf's (1 for zeros)."""
        return natural_sizes(self.function.inputs, self.function.point)

    def _by_coordinates(self, at: Any, thorough: bool) -> Slopes:
        f = self.function
        lines = self._lines(at, np.stack([f.upper[at] - f.point[at], f.point[at] - f.lower[at]]))
        best: Slopes | None = None
        steps = THOROUGH if thorough else QUICK
        ladders = list(_from_coarse_to_fine(self.scales[at], np.abs(f.point[at]), wider=thorough))
        for left, (which, scale) in zip(reversed(range(len(ladders))), ladders, strict=True):
            if best is not None and not thorough:
                # A short ladder without a kink that settled, relative to the largest derivative of its line,
                # is as good as one with finer steps.
                largest = np.abs(best.central.value).max(axis=1, initial=0.0)
                bar = best.central.uncertainty.max(axis=1, initial=0.0)
                unclear = (~(bar <= thresholds.SETTLED * largest) | best.kink.any(axis=1))[which]
                which, scale = which[unclear], scale[unclear]
                if not which.size:
                    continue
            some = lines if len(which) == len(at) else lines.only(which)
            slopes = some.slopes(np.fmin(scale, some.room.max(axis=0)), steps, f.eps)
            if best is None:
                best = slopes
            else:
                better = _better(combined(itemgetter(which), best), slopes)
                best = combined(with_part(which), best, better)
            if not left:
                break
            # If a ladder resolved the slope, its noise holds for finer steps too, where a sum that absorbs
            # its smallest terms does not move at all.
            clear = slopes.central.uncertainty < thresholds.SEEN_SLOPE * np.abs(slopes.central.value)
            noise = some.evaluation_noise
            lines.evaluation_noise[which] = np.where(clear, np.fmax(noise, slopes.noise), noise)
        assert best is not None
        return self._by_windows(at, lines, best) if thorough else best

    def _by_windows(self, at: Any, lines: Lines, best: Slopes) -> Slopes:
        """Fit windows where ladders are in doubt: their residuals measure the noise of the function."""
        bar, size = best.central.uncertainty, np.abs(best.central.value).max(axis=1, keepdims=True)
        grainy = best.grainy & (best.range_of_values > 0)
        open_ = ~(best.kink | best.jump) & (grainy | ~(bar <= thresholds.SEEN_SLOPE * size))
        which = np.flatnonzero((open_ & np.isfinite(self.function.value)).any(axis=1) & ~best.one_sided)
        if not which.size:
            return best
        some = lines.only(which)
        own, reach = np.abs(self.function.point[at[which]]), some.room.min(axis=0) / WIDTH
        scales = (np.fmin(s, reach) for s in (self.scales[at[which]], own, np.ones_like(own)))
        seen = settled(some, natural_scales(*scales), self.function.eps)
        contradict = np.abs(seen.value - best.central.value[which]) > seen.uncertainty + bar[which]
        take = open_[which] & (grainy[which] | ~contradict) & (seen.uncertainty < bar[which])
        take |= grainy[which] & np.isfinite(seen.uncertainty) & open_[which]
        central, right, left = (
            Estimate(
                *(
                    with_part(which)(a, np.where(take, b, a[which]))
                    for a, b in zip(vars(e).values(), pair, strict=False)
                )
            )
            for e, pair in (
                (e, (seen.value, seen.uncertainty)) for e in (best.central, best.right, best.left)
            )
        )
        return replace(best, central=central, right=right, left=left)

    def _room(self, tangents: Matrix) -> Matrix:
        """Return how far each line may extend to the right and to the left, shape ``(2, lines)``."""
        f = self.function
        with np.errstate(divide="ignore", invalid="ignore"):
            up = np.where(tangents > 0, f.upper - f.point, f.point - f.lower) / np.abs(tangents)
            down = np.where(tangents > 0, f.point - f.lower, f.upper - f.point) / np.abs(tangents)
        return np.asarray(np.fmin.reduce([up, down], axis=2))

    def _lines(self, tangents: Any, room: Matrix) -> Lines:
        f = self.function
        # One per line: each ladder adds to its own noise.
        noise = np.tile(f.evaluation_noise, (len(tangents), 1))
        rounding = leafwise(f.outputs, f.value, f.eps)
        return Lines(self._evaluate, f.rounded, f.point, f.value, tangents, noise, room, rounding)

    def _at_fixed_step(self, found: Differences, at: Any, cotangents: Matrix | None) -> Differences:
        assert self.step is not None
        f = self.function
        with self._counted():
            quotients = [
                textbook(lambda v: self._evaluate(v[None])[0], f.point, f.value, int(i), self.step)
                for i in at
            ]
        best, out = found.central, []
        for columns in zip(*quotients, strict=True):
            matrix = np.stack(columns, axis=1)
            value = matrix if cotangents is None else cotangents @ matrix
            bar = np.abs(value - best.value) + best.uncertainty
            out.append(Estimate(value, np.where(np.isfinite(bar), bar, np.inf)))
        return dataclasses.replace(found, central=out[0], forward=out[1])

    # -- accounts ------------------------------------------------------------------------------------

    def _evaluate(self, points: Matrix) -> Matrix:
        values, calls = self.function.evaluate(points)
        self._spent.evaluations += len(points)
        self._spent.calls += calls
        return values

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Share the evaluations of a ladder among the difference methods, which use the same ones."""
        self._spent = Cost()
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            for k, name in enumerate(self.differences):
                cost = self.costs.setdefault(name, Cost())
                cost.seconds += spent / len(self.differences)
                cost.evaluations += (self._spent.evaluations + k) // len(self.differences)
                cost.calls += (self._spent.calls + k) // len(self.differences)


def random_cotangents(rng: np.random.Generator, m: int) -> Matrix:
    """Draw signed cotangents away from zero, so nothing cancels by design and no entry is left out."""
    shape = thresholds.DIRECTIONS, m
    return np.asarray(random_signs(rng, shape) * rng.uniform(0.5, 1.5, shape))


def random_signs(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Any:
    """Equivalent to ``rng.choice([-1.0, 1.0], shape)``, in half of the time."""
    return 2.0 * rng.integers(0, 2, shape) - 1.0


Arrays = TypeVar("Arrays", Slopes, Differences)


def combined(how: Callable[..., Any], *parts: Arrays) -> Arrays:
    """Combine the arrays of the parts, field by field."""
    out: list[Any] = []
    for found in zip(*(vars(part).values() for part in parts), strict=True):
        if isinstance(found[0], Estimate):
            out.append(Estimate(how(*(e.value for e in found)), how(*(e.uncertainty for e in found))))
        else:
            out.append(how(*found))
    return type(parts[0])(*out)


def with_part(index: Any) -> Callable[[Any, Any], Any]:
    """Return a function that replaces a part of an array; see `combined`."""

    def how(whole: Any, part: Any) -> Any:
        out = np.array(whole)
        out[index] = part
        return out

    return how


def root_mean_squares(layout: Layout, vector: Vector) -> Vector:
    """Return, for every coordinate, the root of the mean square within its leaf."""
    out = np.empty_like(vector)
    for leaf in layout.leaves:
        part = vector[leaf.start : leaf.stop]
        out[leaf.start : leaf.stop] = np.sqrt(np.mean(part**2)) if part.size else 0.0
    return out


def natural_sizes(layout: Layout, vector: Vector) -> Vector:
    """Return, for every coordinate, the larger of its own magnitude and its leaf's (1 for zeros)."""
    typical = root_mean_squares(layout, vector)
    return np.where(typical > 0, np.fmax(np.abs(vector), typical), 1.0)


def _from_coarse_to_fine(scales: Vector, own: Vector, *, wider: bool) -> Iterator[tuple[Any, Vector]]:
    """Yield the columns that have a first, second, third scale, and their scales, the largest first.

    ``wider`` says whether any may be larger than ``scales``.

    The natural scale may be the entry's own, its neighbours', or one: a probability of 1e-10 next to others,
    an angle of 1e9, a shift of 1e-20 all occur in practice. If two ladders contradict each other, the finer
    one has seen what the coarser one stepped over, such as the waves of sin(x / 1e-20).
    """
    candidates = np.stack([scales, own, np.ones_like(own)])
    apart = np.fmax(candidates, scales) > thresholds.SCALES_APART * np.fmin(candidates, scales)
    if not wider:
        apart &= candidates < scales
    apart[0] = True
    for row in np.sort(np.where(apart, candidates, 0.0), axis=0)[::-1]:
        which = np.flatnonzero(row)
        if which.size:
            yield which, row[which]


def _contract(slopes: Slopes, cotangents: Matrix | None) -> Differences:
    """Contract the outputs with cotangents: from shapes ``(lines, m)`` to ``(rows, lines)``."""
    s, weights = slopes, None if cotangents is None else np.abs(cotangents)
    looks = None if weights is None else weights > 0
    terms = [(cotangents, e.value) for e in (s.central, s.right, s.left)]
    terms += [(weights, e.uncertainty) for e in (s.central, s.right, s.left)]
    sums: list[Any] = []
    marks: list[tuple[Any, Any]] = [(looks, s.kink), (looks, s.jump)]
    marks.append((looks, s.grainy & (s.range_of_values > 0)))
    for factors, values in [*terms, *marks, (weights, s.range_of_values)]:
        if factors is None:
            sums.append(values.T)
        elif np.isfinite(values).all():
            sums.append(factors @ values.T)
        else:
            # An output without an answer affects only the rows that contain it.
            sums.append(np.stack([np.where(u != 0, u * values, 0.0).sum(axis=1) for u in factors]))
    central, right, left = map(Estimate, sums[:3], sums[3:6])
    one_sided = np.broadcast_to(s.one_sided, sums[-1].shape)
    kink, jump, grainy, range_of_values = sums[6:]
    return Differences(central, right, right, left, kink, jump, range_of_values, one_sided, grainy)


def _better(coarse: Slopes, fine: Slopes) -> Slopes:
    """Take, output by output, the ladder with the smaller error bar, but the finer one if they contradict."""
    a, b = coarse, fine
    gap = np.abs(a.central.value - b.central.value)
    contradict = gap > a.central.uncertainty + b.central.uncertainty
    take = (b.central.uncertainty < a.central.uncertainty) | (contradict & ~b.kink)

    central, right, left = (
        Estimate(np.where(take, y.value, x.value), np.where(take, y.uncertainty, x.uncertainty))
        for x, y in ((a.central, b.central), (a.right, b.right), (a.left, b.left))
    )
    kink, jump = np.where(take, b.kink, a.kink), np.where(take, b.jump, a.jump)
    range_of_values, noise = np.fmax(a.range_of_values, b.range_of_values), np.fmax(a.noise, b.noise)
    grainy = np.where(take, b.grainy, a.grainy | b.grainy)
    return Slopes(central, right, left, kink, jump, range_of_values, a.one_sided, noise, grainy)
