"""Measure the rounding of the exact methods, by the same computation in fine and coarse arithmetic."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.jacobian import Jacobian, root_mean_squares
from pytest_gradcheck.frameworks.flat import Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.roles import EXACT


@dataclass(frozen=True)
class Runs:
    """The same program at the same point, in a fine arithmetic and several times in a coarse one."""

    fine: Pullback
    coarse: Sequence[Pullback]

    def second_order(self, cotangent: Vector) -> Runs:
        """Return the runs of the gradient at one cotangent; see `Pullback.second_order`."""
        coarse = []
        for run in self.coarse:
            # A backward may inspect its numbers, and raise for those that rounding has spoilt.
            with contextlib.suppress(Exception):
                coarse.append(run.second_order(cotangent))
        return Runs(self.fine.second_order(cotangent), coarse)


def measure(
    jacobian: Jacobian,
    common: Runs | None,
    own: Mapping[str, Runs],
    kinked: Any,
    finer: Runs | None = None,
    kept: Mapping[str, Runs] | None = None,
) -> None:
    """Replace the estimated rounding of every exact method by the measurement of coarse runs.

    The difference between the gradients of the two arithmetics, in units of the coarse roundoff, is the
    amplification of rounding. ``common`` is the function as written: the reference engine in float32 and with
    every operation off by a rounding of float32, or, without an engine, the framework in float32 at
    neighbouring points. Every method differentiates that computation, in its own arithmetic. ``own`` is the
    additional rounding of a method: autograd's backward of copysign divides and multiplies by x where the
    engine's takes a sign. It excuses only a gradient that is nothing but such rounding: a method that loses
    digits that the function keeps is wrong by that much. ``finer`` is the function disturbed by little more
    than float64 rounds: where a rounding of float32 moves the gradient by all of its size (a system whose
    condition is 1e14), the true factor cannot be observed. ``kept`` is the effect of a rounded forward pass
    on an exact backward pass that uses only saved values: the textbook's s · (1 - s) of a sigmoid loses near
    one the digits that s has lost. At the coordinates marked in ``kinked`` a neighbouring point may lie
    beyond a kink, which is not rounding. Rows that are ``jacobian.settled`` keep their estimates: a pass
    through each run costs as much as the row.
    """
    shared = [_Amplification(runs, kinked) for runs in (common, finer) if runs]
    for name, pullback in jacobian.pullbacks.items():
        if name == EXACT:
            # Its bars are proven.
            continue
        mine = _Amplification(own[name], kinked) if name in own else None
        forward = [_Amplification(kept[name], kinked)] if kept and name in kept else []
        if shared or mine or forward:
            jacobian.measured[name] = _bars([*shared, *forward], mine, pullback, jacobian.settled)


class _Amplification:
    """The amplification of rounding by a program, for each cotangent."""

    def __init__(self, runs: Runs, kinked: Any):
        self._runs = runs
        self._kinked = kinked
        self._known: dict[bytes, tuple[Vector, Vector]] = {}

    def __call__(self, cotangent: Vector) -> tuple[Vector, Vector]:
        """Return it for the worst entry of each input, and for each entry by itself: shapes ``(n,)``."""
        key = cotangent.tobytes()
        if key not in self._known:
            self._known[key] = self._measure(cotangent)
        return self._known[key]

    def _measure(self, cotangent: Vector) -> tuple[Vector, Vector]:
        fine = self._runs.fine.vjp(cotangent)
        seen = []
        for coarse in self._runs.coarse:
            # As in `Runs.second_order`.
            with contextlib.suppress(Exception), np.errstate(invalid="ignore", over="ignore"):
                moved = np.abs(fine - coarse.vjp(cotangent)) / coarse.eps
                seen.append(np.where(np.isfinite(moved), moved, 0.0))
        if not seen:
            estimate = self._runs.fine.rounding(fine) / self._runs.fine.eps
            return estimate, estimate
        most = np.max(seen, axis=0)
        inputs = self._runs.fine.program.inputs
        smooth = leafwise(inputs, np.where(self._kinked, 0.0, most), 1.0)
        # A few entries may all be exact by luck, so each gets at least the typical value.
        each = np.fmax(most, root_mean_squares(inputs, most))
        return np.where(self._kinked, np.fmax(most, smooth), smooth), each


def _bars(
    shared: Sequence[_Amplification],
    mine: _Amplification | None,
    pullback: Pullback,
    settled: frozenset[bytes],
) -> Callable[[Matrix, Matrix], Estimate]:
    inputs, eps = pullback.program.inputs, pullback.eps

    def bars(cotangent: Vector, value: Vector) -> tuple[Vector, Vector]:
        if cotangent.tobytes() in settled:
            estimate = pullback.rounding(value)
            return estimate, estimate
        # The worst entry of each input, and each entry by itself, as in an amplification.
        nothing = np.zeros((2, value.size))
        common = np.max([a(cotangent) for a in shared], axis=0) if shared else nothing
        own = np.array(mine(cotangent)) if mine else nothing
        vanishes = leafwise(inputs, value, 1.0) <= thresholds.ROUNDING_MARGIN * eps * own[0]
        worst, each = np.where(vanishes | (not shared), np.fmax(common, own), common)
        last = thresholds.LAST_ROUNDINGS * eps * np.where(np.isfinite(value), np.abs(value), 0.0)
        return thresholds.ROUNDING_MARGIN * eps * worst + last, eps * each

    def measured(cotangents: Matrix, values: Matrix) -> Estimate:
        rows = [bars(u, value) for u, value in zip(cotangents, values, strict=True)]
        return Estimate(values, *(np.stack(both) for both in zip(*rows, strict=True)))

    return measured
