"""What makes a session or a test fail although nothing was raised."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

from pytest_gradcheck.plugin.controller import exit_status


@pytest.mark.parametrize(
    ("current", "broken", "expected"),
    [(0, True, 1), (5, True, 1), (0, False, 0), (2, True, 2), (3, True, 3), (1, False, 1)],
)
def test_a_status_that_tells_of_trouble_stays(current: int, broken: bool, expected: int) -> None:
    assert exit_status(current, broken=broken) == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_a_swallowed_failure_makes_the_exit_status_non_zero(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        def test_a(gradcheck):
            with pytest.raises(AssertionError):
                gradcheck(lambda x: x * x, 1.0, gradient=wrong)
        """
    )
    result = project.run(workers=workers)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["gradcheck: fail: 1 check failed, in test_it.py::test_a; fix the gradient, or mark *"]
    )


@pytest.mark.parametrize("workers", WORKERS)
def test_an_xfail_mark_exempts(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        @pytest.mark.xfail(reason="known since May")
        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        def test_marked(x):
            return x * x

        @pytest.mark.xfail(strict=False)
        def test_swallowed(gradcheck):
            with pytest.raises(AssertionError):
                gradcheck(lambda x: x * x, 1.0, gradient=wrong)
        """
    )
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.assert_outcomes(xfailed=1, xpassed=1)
    assert result.ret == pytest.ExitCode.OK
    assert [c["xfail"] for c in project.report()["checks"]] == ["known since May", "no reason given"]


def test_an_xfail_mark_whose_condition_is_false_does_not(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.xfail(False, reason="elsewhere")
        def test_a(gradcheck):
            with pytest.raises(AssertionError):
                gradcheck(lambda x: x * x, 1.0, gradient=wrong)
        """
    )
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("workers", WORKERS)
def test_a_test_in_which_nothing_was_decided_fails(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers, methods=("central", "forward"))
        def test_marker(x):
            return x * x

        def test_fixture(gradcheck):
            assert gradcheck(lambda x: x * x, 1.0, methods=["central"]).verdict == "inconclusive"

        @pytest.mark.xfail(reason="so far")
        def test_expected(gradcheck):
            gradcheck(lambda x: x * x, 1.0, methods=["central"])
        """
    )
    result = project.run(workers=workers)
    result.assert_outcomes(failed=2, xfailed=1)
    result.stdout.fnmatch_lines_random(
        [
            "nothing-checked: none of the 5 checks could reach a verdict",
            "  nothing-checked: only finite differences could run*",
            "nothing-checked: the check could not reach a verdict",
        ],
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_marked_test_without_examples_fails(project: Any) -> None:
    project.conftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            return True  # another plugin that takes the call over
        """
    )
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers)
        def test_a(x):
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["nothing-checked: the test is marked gradcheck, but none of its examples was *"]
    )


def test_a_run_that_is_tried_again_counts_by_its_last_try(project: Any) -> None:
    """As pytest-rerunfailures does it: the outcome 'rerun' for all tries but the last."""
    project.conftest(
        """
        import pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl
        def pytest_runtest_protocol(item, nextitem):
            for again in (True, False):
                item._initrequest()
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    if again and report.failed:
                        report.outcome = "rerun"
                    item.ihook.pytest_runtest_logreport(report=report)
            return True

        def pytest_report_teststatus(report):
            if report.outcome == "rerun":
                return "rerun", "R", "RERUN"
        """
    )
    project.write(
        test_it="""
        tries = []

        class TestIt:
            def test_a(self, gradcheck):
                tries.append(1)
                gradcheck(lambda x: x * x, 1.0, gradient=wrong if len(tries) == 1 else right)

            @pytest.mark.gradcheck(x=numbers)
            def test_b(self, x):
                return x * x
        """
    )
    result = project.run("--gradcheck-report=report.json")
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    assert [c["verdict"] for c in project.report()["checks"]] == ["pass", "pass"]
