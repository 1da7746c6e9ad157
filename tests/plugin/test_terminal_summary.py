"""The section of the terminal summary."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
@pytest.mark.parametrize("n", range(2))
def test_right(gradcheck, n):
    gradcheck(lambda x: x * x, 1.0)

def test_wrong(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=wrong)
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_it_says_what_the_checks_came_to_once(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.stdout.fnmatch_lines(
        [
            "=* gradcheck =*",
            "3 gradient checks: 2 passed, 1 failed",
            "closest to failing: * % of the tolerance, test_it.py::test_right[[]?[]]",
            "slowest: * s for 1 example, test_it.py::test_*",
            "json report written to *report.json",
            "gradcheck: fail: 1 check failed, in test_it.py::test_wrong; fix the gradient, *",
        ],
        consecutive=True,
    )
    assert sum("3 gradient checks" in line for line in result.outlines) == 1


def test_it_names_what_was_inconclusive_and_not_too_many(project: Any) -> None:
    project.write(
        test_it="""
        def test_steps(gradcheck):
            gradcheck(lambda x: x * x, 1.0)
            for k in range(7):
                gradcheck(np.floor, float(k), name=f"floor at {k}")
        """
    )
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "8 gradient checks: 1 passed, 7 inconclusive",
            *(f"inconclusive: test_it.py::test_steps: floor at {k} [[]jump]" for k in range(5)),
            "and 2 more inconclusive; the report lists them",
        ]
    )


def test_it_is_absent_where_no_check_ran(project: Any) -> None:
    project.write(test_it="def test_a(): pass")
    result = project.run("--gradcheck-report=report.json")
    result.stdout.no_fnmatch_line("*gradcheck =*")
    result.stdout.no_fnmatch_line("*report*")


def test_quiet_is_one_line(project: Any) -> None:
    project.write(test_it=SOURCE.partition("def test_wrong")[0])
    result = project.run("-q", "--gradcheck-report=report.json")
    result.stdout.fnmatch_lines(["2 gradient checks: 2 passed"])
    for absent in ("*gradcheck =*", "closest*", "slowest*", "*written*"):
        result.stdout.no_fnmatch_line(absent)


def test_without_the_terminal_plugin_it_still_works(project: Any) -> None:
    project.write(test_it=SOURCE)
    result = project.run("-p", "no:terminal", "--gradcheck-report=report.json", apart=True)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.report()["summary"]["fail"] == 1
