"""Measured rounding of the exact methods: the same computation, fine and coarse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.core.jacobian import Jacobian, Matrix
from pytest_gradcheck.core.layout import Vector
from pytest_gradcheck.core.values import EPS32
from pytest_gradcheck.methods.base import Pullback, leafwise

#: Another order of summation rounds differently from the measured one, but not much worse.
MARGIN = 4.0


#: Coarse runs. One alone may be exact by luck: the weights of a softmax of three numbers sum to exactly
#: one in float32 in two cases of five, and a gradient that is nothing but rounding is then zero.
RUNS = 4


def nudged(arrays: Sequence[Any], k: int) -> list[Any]:
    """Return arrays moved by a few units of roundoff of float32, differently for each k; not at all for 0."""
    if k == 0:
        return list(arrays)
    rng = np.random.default_rng(k)
    return [a * (1 + 2 * EPS32 * rng.uniform(-1, 1, np.shape(a))) for a in arrays]


def measure(jacobian: Jacobian, wide: Pullback | None, narrow: Sequence[Pullback]) -> None:
    """Replace the estimated rounding of every exact method by what coarse runs of one show.

    ``wide`` and ``narrow`` are the same program at the same point, in a fine arithmetic and in a coarse one:
    the reference engine in float32 and with every operation off by a rounding of float32, or, where there is
    no engine, torch in float32 at neighbouring points. How far the gradients of the two are apart, in units
    of the coarse roundoff, is how much this computation amplifies rounding; the other methods do the same
    computation in their own arithmetic.
    """
    if wide is None or not narrow or narrow[0].eps <= wide.eps:
        return
    known: dict[bytes, Vector] = {}

    def amplification(cotangent: Vector) -> Vector:
        key = cotangent.tobytes()
        if key not in known:
            known[key] = _amplification(wide, narrow, cotangent)
        return known[key]

    for name, pullback in jacobian.pullbacks.items():
        jacobian.measured[name] = _bars(amplification, pullback)


def _bars(
    amplification: Callable[[Vector], Vector], pullback: Pullback
) -> Callable[[Matrix, Matrix], Matrix]:
    def bars(cotangents: Matrix, values: Matrix) -> Matrix:
        moved = np.stack([amplification(u) for u in cotangents])
        own = 4 * pullback.eps * np.abs(values)
        return np.asarray(MARGIN * pullback.eps * moved + np.where(np.isfinite(own), own, 0.0))

    return bars


def _amplification(wide: Pullback, narrow: Sequence[Pullback], cotangent: Vector) -> Vector:
    fine = wide.vjp(cotangent)
    most = np.zeros_like(fine)
    for coarse in narrow:
        with np.errstate(invalid="ignore", over="ignore"):
            moved = np.abs(fine - coarse.vjp(cotangent))
        most = np.fmax(most, np.where(np.isfinite(moved), moved, 0.0))
    return leafwise(wide.program.inputs, most, 1.0 / narrow[0].eps)
