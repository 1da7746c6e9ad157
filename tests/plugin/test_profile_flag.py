"""--gradcheck-profile and its ini key."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = """
@pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=right)
def test_free(x):
    return x * x

@pytest.mark.gradcheck(methods=("central", "user"), gradient=right)
@given(x=numbers)
def test_given(x):
    return x * x

@pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=right)
@settings(max_examples=23)
def test_own(x):
    return x * x
"""


def examples(project: Any, *args: str, default: int, workers: int = 0) -> list[int]:
    project.conftest(
        f"""
        settings.register_profile("this", parent=settings.default, max_examples={default})
        settings.load_profile("this")
        """
    )
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=report.json", *args, workers=workers).assert_outcomes(passed=3)
    return [c["examples"] for c in project.report()["checks"]]


@pytest.mark.parametrize("workers", [0, 2])
def test_quick_is_a_cap(project: Any, workers: int) -> None:
    args = ("--gradcheck-profile=quick",)
    assert examples(project, *args, default=30, workers=workers) == [20, 20, 23]


def test_quick_never_raises_the_number(project: Any) -> None:
    assert examples(project, "--gradcheck-profile=quick", default=3) == [3, 3, 23]


def test_thorough_is_a_multiple(project: Any) -> None:
    assert examples(project, "--gradcheck-profile=thorough", default=3) == [15, 15, 23]


def test_default_is_what_hypothesis_says(project: Any) -> None:
    assert examples(project, "--gradcheck-profile=default", default=30) == [30, 30, 23]


def test_the_flag_beats_the_ini_key(project: Any) -> None:
    project.pytester.makeini("[pytest]\ngradcheck_profile = thorough\n")
    assert examples(project, default=3) == [15, 15, 23]
    assert examples(project, "--gradcheck-profile=default", default=3) == [3, 3, 23]


def test_an_unknown_profile_is_a_usage_error(project: Any) -> None:
    result = project.run("--gradcheck-profile=quik")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--gradcheck-profile: got 'quik'; did you mean 'quick'? the profiles are: quick, *"]
    )
