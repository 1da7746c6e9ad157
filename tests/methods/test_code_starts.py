"""Which starts of functions are reported, whichever interface of the interpreter reports them."""

from __future__ import annotations

import sys
from types import CodeType

import pytest

from pytest_gradcheck.methods import code_starts


def one():
    return two()


def two():
    return 2


def failing():
    return 1 / 0


def other():
    return one()


def test_the_chosen_functions_are_reported_as_often_as_they_start():
    seen: list[CodeType] = []
    with code_starts.reported({one.__code__, two.__code__}, seen.append):
        other()
        two()
    other()
    assert seen == [one.__code__, two.__code__, two.__code__]


def test_it_ends_with_the_context_when_that_raises():
    seen: list[CodeType] = []
    with (
        pytest.raises(ZeroDivisionError),
        code_starts.reported({one.__code__, failing.__code__}, seen.append),
    ):
        failing()
    one()
    assert seen == [failing.__code__]
    assert sys.getprofile() is None


def test_another_profiler_is_left_alone():
    seen: list[CodeType] = []
    with (
        code_starts.reported({one.__code__}, seen.append),
        code_starts.reported({two.__code__}, seen.append),
    ):
        one()
    assert seen == [one.__code__]
