"""--gradcheck-fail-under and --gradcheck-max-inconclusive, and their ini keys."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = """
@pytest.mark.parametrize("n", range(3))
def test_right(gradcheck, n):
    gradcheck(lambda x: x * x, 1.0)

def test_undecided(gradcheck):
    gradcheck(lambda x: x * x, 1.0, name="decided")
    gradcheck(lambda x: x * x, 1.0, name="undecided", methods=("central", "forward"))
"""


LINES = {
    "--gradcheck-fail-under=80": None,
    "--gradcheck-fail-under=80.1": "gradcheck: fail-under: 4 of 5 checks passed, 80 %; at least 5 of 5 "
    "(80.1 %) must pass",
    "--gradcheck-fail-under=100%": "gradcheck: fail-under: 4 of 5 checks passed, 80 %; at least 5 of 5 "
    "(100 %) must pass",
    "--gradcheck-max-inconclusive=1": None,
    "--gradcheck-max-inconclusive=0": "gradcheck: max-inconclusive: 1 check inconclusive; the limit is 0",
}


@pytest.mark.parametrize(("flag", "line"), LINES.items(), ids=LINES)
def test_the_thresholds(project: Any, flag: str, line: str | None) -> None:
    project.write(test_it=SOURCE)
    result = project.run(flag)
    result.assert_outcomes(passed=4)
    assert result.ret == (pytest.ExitCode.OK if line is None else pytest.ExitCode.TESTS_FAILED)
    if line is not None:
        result.stdout.fnmatch_lines([line])
    else:
        result.stdout.no_fnmatch_line("gradcheck: *")


@pytest.mark.parametrize(
    "flag",
    [
        "--gradcheck-fail-under=80.1",
        pytest.param("--gradcheck-max-inconclusive=0", marks=pytest.mark.sweep),
    ],
)
def test_the_thresholds_in_worker_processes(project: Any, flag: str) -> None:
    project.write(test_it=SOURCE)
    result = project.run(flag, workers=2)
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([str(LINES[flag])])


@pytest.mark.parametrize("source", ["def test_a(): pass", ""], ids=["unmarked", "none"])
def test_no_check_under_a_threshold_fails(project: Any, source: str) -> None:
    project.write(test_it=source)
    result = project.run("--gradcheck-fail-under=0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradcheck: fail-under: no check was run; run at least one, or leave out *"])


def test_the_flag_beats_the_ini_key(project: Any) -> None:
    project.write(test_it=SOURCE)
    project.pytester.makeini("[pytest]\ngradcheck_fail_under = 90\ngradcheck_max_inconclusive = 0\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradcheck: fail-under: *", "gradcheck: max-inconclusive: *"])
    assert (
        project.run("--gradcheck-fail-under=10", "--gradcheck-max-inconclusive=9").ret == pytest.ExitCode.OK
    )


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("fail-under=101", "*--gradcheck-fail-under: got '101'; give a percentage from 0 to 100*"),
        ("fail-under=-1", "*--gradcheck-fail-under: got '-1'; give a percentage from 0 to 100*"),
        ("fail-under=nan", "*--gradcheck-fail-under: got 'nan'; give a percentage from 0 to 100*"),
        ("fail-under=most", "*--gradcheck-fail-under: got 'most'; give a percentage from 0 to 100*"),
        ("max-inconclusive=-1", "*--gradcheck-max-inconclusive: got '-1'; give a whole number, 0 or more*"),
        ("max-inconclusive=1.5", "*--gradcheck-max-inconclusive: got '1.5'; give a whole number, 0 or more*"),
    ],
)
def test_a_wrong_threshold_is_a_usage_error(project: Any, arg: str, message: str) -> None:
    result = project.run(f"--gradcheck-{arg}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
