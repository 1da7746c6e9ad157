"""The derivative at the point as each method sees it: entries and projections, with error bars."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_gradcheck.core.layout import Layout, Vector
from pytest_gradcheck.methods.base import Estimate, Pullback, leafwise
from pytest_gradcheck.methods.finite_difference import QUICK, THOROUGH, Line, Slopes, textbook

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass
class Cost:
    """What one method has spent so far."""

    evaluations: int = 0
    seconds: float = 0.0


@dataclass(eq=False)
class Function:
    """A function of a flat vector at a point, as differences see it.

    ``eps`` is the unit roundoff of the evaluation; ``jitter`` how much the value moves by itself;
    ``lower`` and ``upper`` bound every evaluation.
    """

    inputs: Layout
    outputs: Layout
    point: Vector
    value: Vector
    evaluate: Callable[[Vector], Vector]
    rounded: Callable[[Vector], Vector]
    lower: Vector
    upper: Vector
    jitter: Vector
    eps: float


@dataclass(frozen=True, eq=False)
class Differences:
    """Slopes along some directions: arrays of shape ``(rows, directions)``."""

    central: Estimate
    forward: Estimate
    right: Estimate
    left: Estimate
    kink: Any
    jump: Any
    swing: Any
    one_sided: Any


@dataclass(eq=False)
class Jacobian:
    """The map from tangents to tangents, and back from cotangents, by every method that runs here."""

    function: Function
    pullbacks: Mapping[str, Pullback]
    differences: tuple[str, ...]
    step: float | None = None
    costs: dict[str, Cost] = field(default_factory=dict)
    #: Measured rounding per exact method, from cotangents and rows; replaces the estimate on doubt.
    measured: dict[str, Callable[[Matrix, Matrix], Matrix]] = field(default_factory=dict)

    # -- exact methods: rows -------------------------------------------------------------------------

    def rows(self, name: str, cotangents: Matrix) -> Estimate:
        """Return ``cotangents · J`` by an exact method, shape ``(rows, inputs.size)``."""
        pullback = self.pullbacks[name]
        with self._charged(name) as cost:
            before = pullback.evaluations
            values = np.stack([pullback.vjp(u) for u in cotangents])
            cost.evaluations += pullback.evaluations - before
        if name in self.measured:
            return Estimate(values, self.measured[name](cotangents, values))
        bars = np.stack([pullback.rounding(u, g) for u, g in zip(cotangents, values, strict=True)])
        return Estimate(values, bars)

    # -- differences: columns ------------------------------------------------------------------------

    def along(self, tangent: Vector, cotangents: Matrix, *, thorough: bool) -> Differences:
        """Return slopes along one tangent, contracted with the cotangents: shapes ``(rows, 1)``."""
        with self._counted():
            slopes = self._along(tangent, thorough)
        return _contract(slopes, cotangents)

    def column(self, coordinate: int, cotangents: Matrix | None, *, thorough: bool) -> Differences:
        """Return derivatives by one coordinate, contracted with the cotangents: shapes ``(rows, 1)``.

        Without cotangents each output is a row of its own.
        """
        with self._counted():
            slopes = self._by_coordinate(coordinate, thorough)
        found = _contract(slopes, cotangents)
        if self.step is None:
            return found
        return self._at_fixed_step(found, coordinate, cotangents)

    def direction(self, rng: np.random.Generator) -> Vector:
        """Draw a tangent: random signs, magnitudes around each input's own scale, into the domain."""
        f = self.function
        signs = rng.choice([-1.0, 1.0], f.point.size)
        # At a bound the sign points inward, so that one side of the line stays inside.
        signs = np.where(f.point <= f.lower, 1.0, np.where(f.point >= f.upper, -1.0, signs))
        tangent = signs * rng.uniform(0.5, 1.5, f.point.size) * self.scales()
        room = np.where(signs > 0, f.upper - f.point, f.point - f.lower)
        return np.asarray(np.clip(tangent, -room, room))

    @functools.cached_property
    def _grain(self) -> Vector:
        """The roundoff of the largest entry beside each output."""
        return leafwise(self.function.outputs, self.function.value, self.function.eps)

    def scales(self) -> Vector:
        """Return, for every coordinate, the larger of its own magnitude and its leaf's (1 for zeros)."""
        point = np.abs(self.function.point)
        out = np.empty_like(point)
        for leaf in self.function.inputs.leaves:
            part = point[leaf.start : leaf.stop]
            typical = float(np.sqrt(np.mean(part**2))) if part.size else 1.0
            out[leaf.start : leaf.stop] = np.fmax(part, typical) if typical > 0 else 1.0
        return out

    def _along(self, tangent: Vector, thorough: bool) -> Slopes:
        f = self.function
        with np.errstate(divide="ignore", invalid="ignore"):
            up = np.where(tangent > 0, f.upper - f.point, f.point - f.lower) / np.abs(tangent)
            down = np.where(tangent > 0, f.point - f.lower, f.upper - f.point) / np.abs(tangent)
        room = (float(np.nanmin(up)), float(np.nanmin(down)))
        line = Line(f.evaluate, f.rounded, f.point, f.value, tangent, f.jitter, room, self._grain)
        return line.slopes(1.0, THOROUGH if thorough else QUICK, f.eps)

    def _by_coordinate(self, i: int, thorough: bool) -> Slopes:
        f = self.function
        tangent = np.zeros_like(f.point)
        tangent[i] = 1.0
        here = abs(float(f.point[i]))
        room = (float(f.upper[i] - f.point[i]), float(f.point[i] - f.lower[i]))
        line = Line(f.evaluate, f.rounded, f.point, f.value, tangent, f.jitter, room, self._grain)
        scales = [float(self.scales()[i])]
        if thorough:
            # The natural scale may be the entry's own, its neighbours', or one: a probability of
            # 1e-10 beside others, an angle of 1e9, a shift of 1e-20 are all met in practice.
            scales += [s for s in (here, 1.0) if s > 0 and all(max(s, t) > 8 * min(s, t) for t in scales)]
        best = None
        # From coarse to fine: where two ladders contradict each other the finer one has seen what the coarser
        # one jumped over, such as the waves of sin(x / 1e-20).
        for scale in sorted(scales, reverse=True):
            slopes = line.slopes(min(scale, max(room)), THOROUGH if thorough else QUICK, f.eps)
            best = slopes if best is None else _better(best, slopes)
            # What a ladder that saw the slope saw of the function's noise holds for finer steps too, at which
            # a sum that swallows its smallest terms does not move at all.
            clear = slopes.central.uncertainty < 1e-3 * np.abs(slopes.central.value)
            line.jitter = np.where(clear, np.fmax(line.jitter, slopes.noise), line.jitter)
        assert best is not None
        return best

    def _at_fixed_step(self, found: Differences, i: int, cotangents: Matrix | None) -> Differences:
        assert self.step is not None
        f = self.function
        with self._counted():
            central, forward = textbook(f.evaluate, f.point, f.value, i, self.step)
        best = found.central
        out = []
        for quotient in (central, forward):
            value = quotient if cotangents is None else cotangents @ quotient
            bar = np.abs(value[:, None] - best.value) + best.uncertainty
            out.append(Estimate(value[:, None], np.where(np.isfinite(bar), bar, np.inf)))
        return Differences(
            out[0], out[1], found.right, found.left, found.kink, found.jump, found.swing, found.one_sided
        )

    # -- accounts ------------------------------------------------------------------------------------

    @contextmanager
    def _charged(self, name: str) -> Iterator[Cost]:
        cost = self.costs.setdefault(name, Cost())
        start = time.perf_counter()
        try:
            yield cost
        finally:
            cost.seconds += time.perf_counter() - start

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Share the evaluations of a ladder among the difference methods, which use the same ones."""
        f = self.function
        inner, count = f.evaluate, 0

        def counting(vector: Vector) -> Vector:
            nonlocal count
            count += 1
            return inner(vector)

        f.evaluate = counting
        start = time.perf_counter()
        try:
            yield
        finally:
            f.evaluate = inner
            spent = time.perf_counter() - start
            for k, name in enumerate(self.differences):
                cost = self.costs.setdefault(name, Cost())
                cost.seconds += spent / len(self.differences)
                cost.evaluations += (count + k) // len(self.differences)


def _contract(slopes: Slopes, cotangents: Matrix | None) -> Differences:
    s = slopes
    if cotangents is None:
        central, right, left = (
            Estimate(e.value[:, None], e.uncertainty[:, None]) for e in (s.central, s.right, s.left)
        )
        return Differences(
            central,
            right,
            right,
            left,
            s.kink[:, None],
            s.jump[:, None],
            s.swing[:, None],
            np.full((s.swing.size, 1), s.one_sided),
        )
    weights = np.abs(cotangents)

    def estimate(e: Estimate) -> Estimate:
        # An output without an answer spoils only the rows that look at it.
        value = np.where(weights > 0, cotangents * e.value, 0.0).sum(axis=1)
        bar = np.where(weights > 0, weights * e.uncertainty, 0.0).sum(axis=1)
        return Estimate(value[:, None], bar[:, None])

    def flag(marks: Any) -> Any:
        return ((weights > 0) & marks).any(axis=1)[:, None]

    return Differences(
        estimate(slopes.central),
        estimate(slopes.right),
        estimate(slopes.right),
        estimate(slopes.left),
        flag(slopes.kink),
        flag(slopes.jump),
        (weights @ slopes.swing)[:, None],
        np.full((len(cotangents), 1), slopes.one_sided),
    )


def _better(coarse: Slopes, fine: Slopes) -> Slopes:
    """Take, output by output, the ladder with the smaller error bar, but the finer one if they contradict."""
    a, b = coarse, fine
    gap = np.abs(a.central.value - b.central.value)
    contradict = gap > a.central.uncertainty + b.central.uncertainty
    take = (b.central.uncertainty < a.central.uncertainty) | (contradict & ~b.kink)

    def pick(first: Estimate, second: Estimate) -> Estimate:
        return Estimate(
            np.where(take, second.value, first.value),
            np.where(take, second.uncertainty, first.uncertainty),
        )

    return Slopes(
        pick(a.central, b.central),
        pick(a.right, b.right),
        pick(a.left, b.left),
        np.where(take, b.kink, a.kink),
        np.where(take, b.jump, a.jump),
        np.fmax(a.swing, b.swing),
        a.one_sided,
        np.fmax(a.noise, b.noise),
    )


def stack(columns: list[Differences]) -> Differences:
    """Put columns side by side: shapes ``(rows, len(columns))``."""

    def join(name: str) -> Estimate:
        parts = [getattr(c, name) for c in columns]
        return Estimate(
            np.concatenate([p.value for p in parts], axis=1),
            np.concatenate([p.uncertainty for p in parts], axis=1),
        )

    return Differences(
        join("central"),
        join("forward"),
        join("right"),
        join("left"),
        np.concatenate([c.kink for c in columns], axis=1),
        np.concatenate([c.jump for c in columns], axis=1),
        np.concatenate([c.swing for c in columns], axis=1),
        np.concatenate([c.one_sided for c in columns], axis=1),
    )
