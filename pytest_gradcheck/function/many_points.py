"""Evaluate many points in one call, as long as the values match those of single calls.

The framework calls the function once on arrays with a batch axis. The values are compared with those of
single calls, at some points of every batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_gradcheck.frameworks.flat import Matrix, is_rounding

if TYPE_CHECKING:
    from pytest_gradcheck.function.problem import Problem

#: Points of the first batch at which the function is called by itself too; later it is called at one.
SAMPLED = 3


class Batch:
    """Evaluates a problem at many points at a time; ``refused`` is the reason if that fails, else None.

    It does not hold the problem, which holds it: a cycle keeps the inputs' memory until it is collected.
    """

    def __init__(self, seed: int):
        self.refused: str | None = None
        self._rng = np.random.default_rng(seed)
        self._tried = False

    def __call__(self, problem: Problem, points: Matrix) -> tuple[Matrix, int] | None:
        """Return the values, shape ``(points, outputs.size)``, and the number of calls; None for one by one.

        The last call is always a single one: whatever the function keeps of a call (a module its activations)
        it keeps of that.
        """
        if self.refused is not None:
            return None
        try:
            # The point itself goes first, to see by how much a value moves that is computed in this way.
            together = problem.framework.values_at_many(problem, points)
        except Exception as error:
            self.refused = f"{type(error).__name__}: {error}"
            return None
        here, values = together[0], together[1:]
        if self._tried:
            sample = [int(self._rng.integers(len(points)))]
        else:
            # A ladder begins with its widest step: the first point is a farthest one.
            sample = [0, *map(int, self._rng.integers(1, len(points), SAMPLED - 1))]
            self._tried = True
        single = np.stack([problem.value, *(problem.evaluate(points[k]) for k in sample)])
        many = together[[0, *(k + 1 for k in sample)]]
        if not np.array_equal(many, single) and not all(
            is_rounding(problem.outputs, *pair, problem.eps) for pair in zip(many, single, strict=True)
        ):
            self.refused = "the values differ from those of single calls"
            return None
        moved = problem.value - here
        if moved.any():
            values += np.where(np.isfinite(moved), moved, 0.0)
        return values, 1 + len(sample)
