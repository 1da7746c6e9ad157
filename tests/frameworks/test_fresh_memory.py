"""Fresh memory with a number in it, and results that depend on it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from pytest_gradcheck.frameworks.flat import Layout
from pytest_gradcheck.frameworks.fresh_memory import NAMED, Unwritten, allocates, filling_numpy, unwritten

LARGEST = np.iinfo(np.int64).max


@pytest.mark.parametrize(
    ("dtype", "number", "held"),
    [
        (np.float64, np.nan, np.nan), (np.float32, 1.0, 1.0), (np.complex128, np.nan, np.nan),
        (np.int64, np.nan, LARGEST), (np.int64, 1.0, 1), (np.bool_, 1.0, True),
    ],
)  # fmt: skip
def test_fresh_memory_holds_the_number(dtype, number, held):
    before = np.empty, np.empty_like
    with filling_numpy(number):
        made = [np.empty(3, dtype), np.empty_like(np.zeros(3, dtype)), np.empty(shape=(2, 2), dtype=dtype)]
    assert (np.empty, np.empty_like) == before
    for array in made:
        np.testing.assert_array_equal(array, np.full(array.shape, held, dtype))


def test_other_kinds_of_memory_stay_as_they_are():
    with filling_numpy(np.nan):
        assert np.empty(2, dtype=object).tolist() == [None, None]
        assert np.empty(2, dtype="U3").shape == (2,)


def test_numpy_is_put_back_after_an_error():
    before = np.empty
    with pytest.raises(ValueError, match="negative"), filling_numpy(np.nan):
        np.empty(-1)
    assert np.empty is before


def test_entries_that_depend_on_it_are_found():
    def some():
        out = np.empty(4)
        out[1:3] = 5.0
        return out

    found = unwritten(some, filling_numpy)
    assert found is not None
    assert found.entries.tolist() == [True, False, False, True]
    layout = Layout(["x"], [(2, 2)], ["float64"])
    assert found.where(layout) == "x[0, 0], x[1, 1]"
    many = Unwritten(np.ones(4, bool))
    assert many.where(layout).endswith(f"and {4 - NAMED} more")


def test_what_only_raises_by_it_is_found():
    def index():
        return np.arange(4.0)[np.empty(2, np.int64)]

    found = unwritten(index, filling_numpy)
    assert found == Unwritten(None)
    assert found.where(Layout(["x"], [(2,)], ["float64"])) == ""


@pytest.mark.parametrize(
    "run",
    [
        lambda: np.array([np.nan, 1.0]),
        lambda: np.random.default_rng().normal(size=2),
        lambda: 1 / 0,
        lambda: np.add(np.zeros(2), 1, out=np.empty(2)),
    ],
    ids=["nan", "random", "raises", "written"],
)
def test_anything_else_is_not(run):
    assert unwritten(run, filling_numpy) is None


def helper(x):
    return np.empty_like(x)


class Holder:
    def method(self, x):
        return np.empty(3) + x

    def other(self, x):
        return np.zeros(3) + x


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: np.empty(3), True),
        (lambda x: [np.empty_like(x) for _ in range(2)], True),
        (lambda x: 2 * helper(x), True),
        (functools.partial(helper, x=1), True),
        (functools.wraps(helper)(lambda *args: helper(*args)), True),
        (Holder().method, True),
        (Holder().other, False),
        (lambda x: np.zeros(3), False),
        (np.cos, False),
    ],
)
def test_code_that_allocates_is_known_by_its_names(function, expected):
    assert allocates(function) is expected
