"""Whether a function depends on its inputs at all, by its values alone."""

from __future__ import annotations

import numpy as np

from pytest_gradcheck.function.problem import Problem

#: How many pairs of opposite points are tried.
PAIRS = 4

#: Their distance from the point, in units of each number's size, or of one if that is more: beyond zero,
#: where the sign changes, and beyond the next step of `round`.
NEAREST, FARTHEST = 0.5, 2.5


def is_constant(problem: Problem) -> bool:
    """Whether the value is the same at the point and at every one of some points far from it.

    Points outside of the function's domain do not count; without any other point the answer is no. It costs
    at most ``2 * PAIRS`` evaluations, and one for most functions that are not constant.
    """
    generator = np.random.default_rng(problem.seed)
    size, seen = np.maximum(np.abs(problem.point), 1.0), False
    for _ in range(PAIRS):
        signs = generator.choice([-1.0, 1.0], len(size))
        far = generator.uniform(NEAREST, FARTHEST, len(size)) * signs * size
        for step in (far, -far):
            point = np.clip(problem.point + step, problem.lower, problem.upper)
            value = problem.evaluate(point)
            if np.array_equal(point, problem.point) or np.isnan(value).all():
                continue
            if not np.array_equal(value, problem.value):
                return False
            seen = True
    return seen
