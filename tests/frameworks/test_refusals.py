"""Code that refuses its arguments, and code that breaks down on them."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck.frameworks.refusals import is_refusal


def local():
    if not __name__:
        value = 1
    return value


def raising(error):
    def run():
        raise error

    return run


def asserting():
    assert not __name__


def again():
    try:
        return {}["key"]
    except KeyError as error:
        raise ValueError("no such key") from error


BREAKS = {
    "unbound": local,
    "name": lambda: undefined,  # noqa: F821  it is the point
    "attribute of None": lambda: None.data,
    "attribute by a raise": raising(AttributeError("'Net' object has no attribute 'scale'")),
    "operation on None": lambda: None * 2,
    "call": lambda: local(1),
    "key": lambda: {}["key"],
    "index": lambda: [][0],
    "division": lambda: 1 // 0,
    "unpacked": lambda: (lambda a, b: a)(*[1]),
    "too few": lambda: [a for a, b in [(1,)]],
}
REFUSES = {
    "RuntimeError": raising(RuntimeError("contiguous, please")),
    "NotImplementedError": raising(NotImplementedError()),
    "TypeError": raising(TypeError("tensors only")),
    "ValueError": raising(ValueError("no rows")),
    "IndexError": raising(IndexError("no such axis")),
    "assert": asserting,
    "from another": again,
    "NumPy's": lambda: np.ones(2) + np.ones(3),
    "its own": raising(type("Refused", (Exception,), {})()),
}


def raised(run):
    with pytest.raises(Exception) as caught:  # noqa: PT011  any
        run()
    return caught.value


@pytest.mark.parametrize("run", BREAKS.values(), ids=BREAKS)
def test_what_the_interpreter_raises_is_no_refusal(run):
    assert not is_refusal(raised(run))


@pytest.mark.parametrize("run", REFUSES.values(), ids=REFUSES)
def test_what_is_raised_on_purpose_is_a_refusal(run):
    assert is_refusal(raised(run))


def test_an_exception_that_was_never_raised():
    assert is_refusal(RuntimeError("from C"))
    assert not is_refusal(TypeError("from C"))
