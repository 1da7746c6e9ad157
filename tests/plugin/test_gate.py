"""What makes a session or a test fail although nothing was raised."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check_gradients
from pytest_gradcheck.records.aggregate import Recorder, Tally
from pytest_gradcheck.records.gate import exit_status, judge, nothing_checked


def check(verdict: str, nodeid: str = "t.py::test_a", xfail: str | None = None) -> dict[str, Any]:
    return {"nodeid": nodeid, "name": "f", "verdict": verdict, "xfail": xfail}


def test_hundred_per_cent_is_exactly_all() -> None:
    checks = [check("pass")] * 9999
    assert judge(checks, fail_under=Fraction(100)) == []
    (violation,) = judge([*checks, check("inconclusive")], fail_under=Fraction(100))
    assert str(violation) == "fail-under: 9999 of 10000 checks passed, 99.99 %; 100 % takes 10000 of 10000"
    (violation,) = judge([*checks * 3, check("inconclusive")], fail_under=Fraction(100))
    assert "29997 of 29998 checks passed, 99.99 %" in str(violation)


def test_a_threshold_is_met_exactly() -> None:
    checks = [check("pass")] * 2 + [check("inconclusive")]
    assert judge(checks, fail_under=Fraction(200, 3)) == []
    (violation,) = judge(checks, fail_under=Fraction(200, 3) + Fraction(1, 10**9))
    assert violation.remedy.endswith("takes 3 of 3")


def test_expected_failures_count_neither_way() -> None:
    assert judge([check("fail", xfail="known"), check("pass")], fail_under=Fraction(100)) == []
    (violation,) = judge([check("fail", xfail="known")], fail_under=Fraction(1))
    assert violation.found == "no check was made"


def test_every_broken_rule_is_told() -> None:
    checks = [check("fail", "t.py::a"), check("fail", "t.py::b"), check("inconclusive")]
    rules = judge(checks, fail_under=Fraction(1), max_inconclusive=0)
    assert [v.rule for v in rules] == ["fail", "fail-under", "max-inconclusive"]
    assert rules[0].found == "2 checks failed, in t.py::a and 1 other test"


@pytest.mark.parametrize(
    ("current", "broken", "expected"),
    [(0, True, 1), (5, True, 1), (0, False, 0), (2, True, 2), (3, True, 3), (1, False, 1)],
)
def test_a_status_that_tells_of_trouble_stays(current: int, broken: bool, expected: int) -> None:
    assert exit_status(current, broken=broken) == expected


def test_nothing_checked() -> None:
    assert nothing_checked(Tally(), marked=False) is None
    assert "not one example" in (nothing_checked(Tally(), marked=True) or "")
    assert nothing_checked(Tally(conclusive=1, inconclusive=5), marked=True) is None
    reasons = {"noise: # dB": "noise: 90 dB"}
    message = nothing_checked(Tally(inconclusive=2, reasons=reasons), marked=False)
    assert message == "nothing-checked: none of 2 checks reached a conclusion\n  noise: 90 dB"


def test_a_reason_is_given_once_whatever_its_numbers() -> None:
    recorder, generator = Recorder(), np.random.default_rng(0)
    for _ in range(3):
        recorder.add("test_it.py::test_it", check_gradients(lambda x: x * x + generator.normal(), 1.0))
    reasons = list(recorder.tally.reasons.values())
    assert len(reasons) == len({reason.partition(":")[0] for reason in reasons}), reasons
    assert any(re.search(r"reproduce the function: output is -?\d", reason) for reason in reasons)


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
        ["gradcheck: fail: 1 check failed, in test_it.py::test_a; correct the gradient, or mark *"]
    )


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.sweep)])
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


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.sweep)])
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
            "nothing-checked: none of 5 checks reached a conclusion",
            "  nothing-checked: differences alone check nothing*",
            "nothing-checked: none of 1 check reached a conclusion",
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
        ["nothing-checked: the test is marked gradcheck, but not one example of it was *"]
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
