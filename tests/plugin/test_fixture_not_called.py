"""A test that takes a fixture and never calls it has checked nothing."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

RED = """
def test_plain(gradcheck):
    assert callable(gradcheck)

@pytest.mark.parametrize("value", [1.0, None])
def test_returns_early(gradcheck, value):
    if value is None:
        return
    gradcheck(np.sin, value)

class TestIt:
    def test_method(self, gradgradcheck):
        function = np.sin  # the call is forgotten

    @staticmethod
    def test_static(gradcheck):
        [gradcheck for x in ()]

@given(x=numbers)
def test_given(gradcheck, x):
    assert x > 0

def test_both(gradcheck, gradgradcheck):
    pass
"""

GREEN = """
def test_skips(gradcheck):
    pytest.skip("no accelerator")

def test_expected(gradcheck):
    pytest.xfail("later")

def test_refused(gradcheck):
    with pytest.raises(ValueError, match="rtol"):
        gradcheck(np.sin, 1.0, rtol=-1)

def test_one_of_two(gradcheck, gradgradcheck):
    gradgradcheck(lambda x: x * x, 1.0)

def test_through_a_helper(gradcheck):
    helper(gradcheck)

def helper(check):
    check(np.sin, 1.0)

@pytest.fixture
def layer(gradcheck):
    return lambda fn: gradcheck(fn, 1.0)

def test_of_a_fixture(layer):
    pass

@pytest.fixture(autouse=True)
def every(gradcheck):
    yield

@pytest.mark.usefixtures("gradcheck")
def test_used(gradcheck_settings):
    pass

@given(x=numbers)
def test_given(gradcheck, x):
    gradcheck(np.sin, x)

@pytest.mark.gradcheck(x=numbers)
def test_marked(gradcheck, x):
    return np.sin(x)

@pytest.fixture
def checked(gradcheck):
    gradcheck(np.sin, 1.0)

def test_in_setup(gradcheck, checked):
    pass
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_it_fails(project: Any, workers: int) -> None:
    project.write(test_it=RED)
    result = project.run(workers=workers)
    result.assert_outcomes(failed=6, passed=1)
    result.stdout.fnmatch_lines_random(
        [
            "nothing-checked: the test takes the fixture gradcheck and never calls it; "
            "write gradcheck(fn, inputs), call pytest.skip where it does not apply, or drop the parameter",
            "nothing-checked: the test takes the fixture gradgradcheck and never calls it; *",
            "nothing-checked: the test takes the fixtures gradcheck and gradgradcheck and calls neither; *",
            "FAILED test_it.py::test_returns_early[[]None[]] - *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize("workers", WORKERS)
def test_what_calls_it_or_did_not_come_to_it_does_not(project: Any, workers: int) -> None:
    project.write(test_it=GREEN)
    project.run(workers=workers).assert_outcomes(passed=8, skipped=1, xfailed=1)


def test_an_exception_is_shown_as_itself(project: Any) -> None:
    project.write(test_it="def test_a(gradcheck):\n    gradcheck(1 / 0, 1.0)")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])
    result.stdout.no_fnmatch_line("*nothing-checked*")


def test_a_test_that_passes_at_its_second_run_is_counted_anew(project: Any) -> None:
    project.write(
        test_it="""
        def test_a(gradcheck):
            gradcheck(np.sin, 1.0)

        def test_b(gradcheck):
            pass
        """
    )
    project.run().assert_outcomes(passed=1, failed=1)
