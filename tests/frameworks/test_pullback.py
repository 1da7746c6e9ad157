"""The points at which coarse runs measure rounding."""

import numpy as np

from pytest_gradcheck.frameworks.leaves import EPS32
from pytest_gradcheck.frameworks.pullback import nudged

POINT = [np.linspace(-2.0, 2.0, 7), np.array([0.0, 0.5])]


def test_the_first_run_stays_at_the_point():
    for moved, array in zip(nudged(POINT, 0), POINT, strict=True):
        np.testing.assert_array_equal(moved, array)


def test_other_runs_move_by_a_few_roundings_and_each_differently():
    first, second = nudged(POINT, 1), nudged(POINT, 2)
    for a, b, array in zip(first, second, POINT, strict=True):
        assert (a[array != 0] != b[array != 0]).any()
        assert (np.abs(a - array) <= 2 * EPS32 * np.abs(array)).all()
