"""--gradcheck-max-seconds, its ini key and the marker's max_seconds=."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

# Time passes where a test says so, and nowhere else.
CLOCK = """
import pytest

class clock:
    now = 0.0

    @classmethod
    def monotonic(cls):
        return cls.now

def pytest_configure(config):
    patch = pytest.MonkeyPatch()
    patch.setattr("pytest_gradcheck.plugin.search.time", clock)
    config.add_cleanup(patch.undo)
"""

SOURCE = """
from conftest import clock

def slow(x):
    clock.now += 0.01
    return x * x

@pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=right MORE)
@settings(max_examples=50)
def test_slow(x):
    return slow(x)

@pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=right)
def test_quick(x):
    return x * x
"""


def checks(project: Any, *args: str, more: str = "", workers: int = 0, passed: int = 2) -> Any:
    project.conftest(CLOCK)
    project.write(test_it=SOURCE.replace(" MORE", more))
    result = project.run("--gradcheck-report=report.json", *args, workers=workers)
    result.assert_outcomes(passed=passed, failed=2 - passed)
    return {check["nodeid"].partition("::")[2]: check for check in project.report()["checks"]}, result


@pytest.mark.parametrize("workers", WORKERS)
def test_the_search_ends_and_says_how_far_it_came(project: Any, workers: int) -> None:
    found, result = checks(project, "--gradcheck-max-seconds=1", workers=workers)
    slow, quick = found["test_slow"], found["test_quick"]
    assert 1 <= slow["examples"] < 50
    assert slow["stopped"] == {"after": slow["examples"], "of": 50, "max_seconds": 1.0, "failed": False}
    assert (quick["examples"], quick["stopped"]) == (5, None)
    line = f"stopped after {slow['examples']} of 50 examples: max_seconds=1, test_it.py::test_slow"
    result.stdout.fnmatch_lines([line])
    assert result.ret == pytest.ExitCode.OK


def test_the_flag_beats_the_marker_and_the_marker_the_ini_key(project: Any) -> None:
    project.pytester.makeini("[pytest]\ngradcheck_max_seconds = 1000\n")
    found, _ = checks(project, more=", max_seconds=0.3")
    assert found["test_slow"]["stopped"]["max_seconds"] == 0.3
    found, _ = checks(project, "--gradcheck-max-seconds=0.4", more=", max_seconds=1000")
    assert found["test_slow"]["stopped"]["max_seconds"] == 0.4
    project.pytester.makeini("[pytest]\ngradcheck_max_seconds = 0.5\n")
    found, _ = checks(project)
    assert found["test_slow"]["stopped"]["max_seconds"] == 0.5


def test_the_statistics_say_it_too(project: Any) -> None:
    found, result = checks(project, "--gradcheck-max-seconds=0.3", "--hypothesis-show-statistics")
    after = found["test_slow"]["examples"]
    result.stdout.fnmatch_lines([f"*{after + 1} passing, 0 failing*", f"*settings.max_examples={after}*"])
    # The limit is that of one run: the next parameter, and the next run, begin again.
    result.stdout.fnmatch_lines(["*test_quick*", "*5 passing*"])


def test_nothing_checked_never_passes(project: Any) -> None:
    """The first example is always checked; where it says nothing, nothing has been seen to be right."""
    project.conftest(CLOCK)
    project.write(
        test_it="""
        from conftest import clock

        @pytest.mark.gradcheck(x=numbers, methods=("central", "forward"), max_seconds=1e-9)
        @settings(max_examples=50)
        def test_a(x):
            clock.now += 0.01
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "nothing-checked: the check could not reach a verdict",
            "  stopped after 1 of 50 examples: max_seconds=1e-09",
        ]
    )


def test_each_parameter_has_a_budget_of_its_own(project: Any) -> None:
    project.conftest(CLOCK)
    project.write(
        test_it="""
        from conftest import clock

        @pytest.mark.parametrize("p", [1, 2])
        @pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=right, max_seconds=0.3)
        @settings(max_examples=50)
        def test_slow(x, p):
            clock.now += 0.01
            return x * x
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=2)
    for check in project.report()["checks"]:
        assert (check["stopped"]["after"], check["stopped"]["of"]) == (check["examples"], 50)


def test_a_failure_found_before_is_never_hidden(project: Any) -> None:
    """Nor is it lost that it fails when the time is over before it has shrunk."""
    project.conftest(CLOCK)
    project.write(
        test_it="""
        from conftest import clock
        from pytest_gradcheck import arrays

        def gradient(x):
            wrong = x > 1.7
            # The time is over with the first failure.
            clock.now += 1.0 * bool(wrong.any())
            return (2 + wrong) * x

        @pytest.mark.gradcheck(
            x=arrays(6), methods=("central", "user"), gradient=gradient, max_seconds=0.9
        )
        @settings(max_examples=50)
        def test_slow(x):
            return (x * x).sum()
        """
    )
    result = project.run("--gradcheck-report=report.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "wrong gradient: test_slow",
            "*try again: @example(x=*)",
            "stopped shrinking a failure found after * of 50 examples: max_seconds=0.9, *::test_slow",
        ]
    )
    (check,) = project.report()["checks"]
    assert (check["verdict"], check["culprit"], check["stopped"]["failed"]) == ("fail", "user", True)


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf"])
def test_a_wrong_budget_is_a_usage_error(project: Any, value: str) -> None:
    result = project.run(f"--gradcheck-max-seconds={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*--gradcheck-max-seconds: got '{value}'; give a number of seconds above zero, such as 5*"]
    )


@pytest.mark.parametrize("value", ["0", "True", "'5'"])
def test_a_wrong_budget_in_a_marker_is_an_error(project: Any, value: str) -> None:
    project.write(
        test_it=f"""
        @pytest.mark.gradcheck(x=numbers, max_seconds={value})
        def test_a(x):
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*max_seconds: got {value}; give a number of seconds above zero*"])
