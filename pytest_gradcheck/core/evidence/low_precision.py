"""What the dtype on trial allows: the error of correct, slower code in that dtype.

Kernel libraries test in this way. A kernel may be as far from a reference in float32 as plain code in half
precision is, times a small factor: `EAGER_FACTOR` of `thresholds`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.jacobian import Jacobian, root_mean_squares
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate


@dataclass(frozen=True, eq=False)
class Eager:
    """Right code in the dtype on trial, and in float64: ``fine``.

    ``eager`` is that code as it runs in the dtype, None where it cannot. ``coarse()`` are runs of it in
    another coarse arithmetic, with errors at least as large in units of its roundoff; they stand in where
    ``eager`` gives no number. ``eps`` is the unit roundoff of the dtype on trial.
    """

    fine: Pullback
    eager: Pullback | None
    coarse: Callable[[], Sequence[Pullback]]
    eps: float
    _known: dict[bytes, Vector] = field(default_factory=dict)

    def second_order(self, cotangent: Vector) -> Eager:
        """Return the same of the gradient at one cotangent; see `Pullback.second_order`."""
        eager = None
        with contextlib.suppress(Exception):
            eager = self.eager and self.eager.second_order(cotangent)

        def coarse() -> Sequence[Pullback]:
            return [run.second_order(cotangent) for run in self.coarse()]

        return Eager(self.fine.second_order(cotangent), eager, coarse, self.eps)

    def of_values(self) -> Vector:
        """Return how far off a value may be, for each output: shape ``(outputs.size,)``."""
        return self._allowed(self.fine.program.outputs, self.fine.primal, lambda run: run.primal)

    def of_rows(self, cotangents: Matrix) -> Matrix:
        """Return how far off rows of the Jacobian may be: shape ``(rows, inputs.size)``."""
        inputs = self.fine.program.inputs

        def allowed(u: Vector) -> Vector:
            if (key := u.tobytes()) not in self._known:
                self._known[key] = self._allowed(inputs, self.fine.vjp(u), lambda run: run.vjp(u))
            return self._known[key]

        return np.stack([allowed(u) for u in cotangents])

    def measured(self, cotangents: Matrix, values: Matrix) -> Estimate:
        """Return rows of a method on trial with these error bars; see `Jacobian.measured`."""
        return Estimate(values, self.of_rows(cotangents))

    def _allowed(self, layout: Layout, right: Vector, ask: Callable[[Pullback], Vector]) -> Vector:
        off = np.full(layout.size, np.nan)
        with np.errstate(all="ignore"):
            if self.eager is not None:
                with contextlib.suppress(Exception):
                    off = _largest(layout, ask(self.eager) - right)
            if np.isnan(off).any():
                # It overflows or cannot run: the result in float64 is the measure.
                off = np.where(np.isnan(off), self._emulated(layout, right, ask), off)
            last = thresholds.EAGER_ROUNDINGS * self.eps * leafwise(layout, right, 1.0)
        return np.asarray(thresholds.EAGER_FACTOR * off + last)

    def _emulated(self, layout: Layout, right: Vector, ask: Callable[[Pullback], Vector]) -> Vector:
        seen: list[Any] = []
        with contextlib.suppress(Exception):
            for run in self.coarse():
                seen.append(_largest(layout, ask(run) - right) * self.eps / run.eps)
        known = np.fmax.reduce(seen) if seen else np.full(layout.size, np.nan)
        # The estimate that exact methods use for their rounding without a measurement.
        return np.where(np.isnan(known), leafwise(layout, right, 32 * self.eps), known)


@dataclass(eq=False)
class Scatter:
    """Error bars for rows of a gradient in a coarse dtype: of the worst entry, and of most entries.

    A bar for the worst entry of a backward pass in bfloat16 is a quarter of the largest entry, and a sum over
    fifty entries with such bars shows nothing. A pass is linear in the cotangent up to rounding, so another
    pass with a multiple of it shows the rounding of most entries. ``eps`` is the unit roundoff of the dtype
    on trial, and an entry may be off by ``worst`` of its roundings. With ``by_entry`` small entries get
    smaller bars than the large ones of their input.
    """

    jacobian: Jacobian
    name: str
    eps: float
    worst: float
    multiple: float
    by_entry: bool = False
    _known: dict[bytes, Vector] = field(default_factory=dict)

    def __call__(self, cotangents: Matrix, values: Matrix) -> Estimate:
        """Return rows with their error bars; see `Jacobian.measured`."""
        size = leafwise(self.jacobian.function.inputs, values, 1.0)
        seen = np.stack([self._seen(u, row) for u, row in zip(cotangents, values, strict=True)])
        most = np.fmax(self.worst * self.eps * size, thresholds.SCATTERS * seen)
        unit = self.eps * (2 * np.abs(values) if self.by_entry else thresholds.SCATTER_IF_COARSE * size)
        return Estimate(values, most, np.fmax(unit, seen))

    def _seen(self, u: Vector, row: Vector) -> Vector:
        """Return the error of entries, as a root mean square per input: shape ``(n,)``."""
        if np.count_nonzero(u) <= 1:
            # Entries are judged by the worst of them.
            return np.zeros_like(row)
        if (key := u.tobytes()) not in self._known:
            plain = replace(self.jacobian, measured={}, _last_rows={})
            other = plain.rows(self.name, self.multiple * u[None]).value[0] / self.multiple
            off = np.abs(row - other)
            if not self.by_entry:
                off = root_mean_squares(self.jacobian.function.inputs, off) / np.sqrt(2)
            self._known[key] = np.where(np.isfinite(off), off, 0.0)
        return self._known[key]


def _largest(layout: Layout, gaps: Vector) -> Vector:
    """Return the largest gap of each leaf; NaN for a leaf in which one is not finite."""
    out = leafwise(layout, gaps, 1.0)
    for leaf in layout.leaves:
        if not np.isfinite(gaps[leaf.start : leaf.stop]).all():
            out[leaf.start : leaf.stop] = np.nan
    return np.asarray(out)
