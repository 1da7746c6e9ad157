"""--gradcheck-methods and its ini key."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
@pytest.mark.gradcheck(x=numbers, gradient=right)
def test_all(x):
    return x * x

@pytest.mark.gradcheck(x=numbers, gradient=right, methods=("forward", "user"))
def test_marker(x):
    return x * x

def test_fixture(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=right)
"""


def used(project: Any) -> dict[str, set[str]]:
    return {c["nodeid"].partition("::")[2]: set(c["methods"]) for c in project.report()["checks"]}


@pytest.mark.parametrize("workers", WORKERS)
def test_the_flag_beats_the_marker(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    project.pytester.makeini("[pytest]\ngradcheck_methods = reference forward\n")
    args = ("--gradcheck-methods=central, user", "--gradcheck-report=report.json")
    project.run(*args, workers=workers).assert_outcomes(passed=3)
    assert used(project) == {
        name: {"central", "user"} for name in ("test_all", "test_marker", "test_fixture")
    }


def test_user_is_left_out_where_no_gradient_is_given(project: Any) -> None:
    project.write(test_it="def test_a(gradcheck): gradcheck(lambda x: x * x, 1.0)")
    project.run("--gradcheck-methods=central,reference,user", "--gradcheck-report=report.json")
    assert used(project) == {"test_a": {"central", "reference"}}


@pytest.mark.parametrize("value", ["central,user", "central user", "\n    central\n    user"])
def test_the_marker_beats_the_ini_key(project: Any, value: str) -> None:
    project.write(test_it=SOURCE)
    project.pytester.makeini(f"[pytest]\ngradcheck_methods = {value}\n")
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=3)
    assert used(project) == {
        "test_all": {"central", "user"},
        "test_marker": {"forward", "user"},
        "test_fixture": {"central", "user"},
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "central,refrence",
            "*--gradcheck-methods: got 'refrence'; did you mean 'reference'? the methods are: central, *",
        ),
        (
            "",
            "*--gradcheck-methods: got ''; the methods are: central, forward, complex_step, *",
        ),
    ],
)
def test_a_misspelt_method_is_a_usage_error(project: Any, value: str, message: str) -> None:
    project.write(test_it=SOURCE)
    result = project.run(f"--gradcheck-methods={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_misspelt_method_in_the_ini_file_names_the_key(project: Any) -> None:
    project.pytester.makeini("[pytest]\ngradcheck_methods = centre\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini key gradcheck_methods: got 'centre'; did you mean 'central'? *"])
