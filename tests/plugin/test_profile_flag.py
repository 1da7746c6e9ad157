"""--gradcheck-profile and its ini key."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

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


def examples(project: Any, *args: str, default: int, workers: int = 0, source: str = SOURCE) -> list[int]:
    project.conftest(
        f"""
        settings.register_profile("this", parent=settings.default, max_examples={default})
        settings.load_profile("this")
        """
    )
    project.write(test_it=source)
    project.run("--gradcheck-report=report.json", *args, workers=workers).assert_outcomes(passed=3)
    return [c["examples"] for c in project.report()["checks"]]


@pytest.mark.parametrize("workers", WORKERS)
def test_quick_is_a_cap(project: Any, workers: int) -> None:
    args = ("--gradcheck-profile=quick",)
    assert examples(project, *args, default=30, workers=workers) == [20, 20, 23]


def test_quick_never_raises_the_number(project: Any) -> None:
    assert examples(project, "--gradcheck-profile=quick", default=3) == [3, 3, 23]


def test_thorough_is_a_multiple(project: Any) -> None:
    assert examples(project, "--gradcheck-profile=thorough", default=3) == [15, 15, 23]


def test_default_is_what_hypothesis_says(project: Any) -> None:
    assert examples(project, "--gradcheck-profile=default", default=30) == [30, 30, 23]


def test_the_flag_beats_the_marker_and_the_marker_the_ini_key(project: Any) -> None:
    project.pytester.makeini("[pytest]\ngradcheck_profile = thorough\n")
    assert examples(project, default=3) == [15, 15, 23]
    assert examples(project, "--gradcheck-profile=default", default=3) == [3, 3, 23]
    marked = SOURCE.replace("gradcheck(", "gradcheck(profile='quick', ")
    assert examples(project, default=30, source=marked) == [20, 20, 23]
    assert examples(project, "--gradcheck-profile=default", default=30, source=marked) == [30, 30, 23]


@pytest.mark.parametrize(("profile", "mode"), [("default", "directional"), ("thorough", "full")])
def test_thorough_looks_at_entries(project: Any, profile: str, mode: str) -> None:
    project.write(
        test_it="""
        from pytest_gradcheck import arrays

        @pytest.mark.gradcheck(x=arrays(12), methods=("central", "user"), gradient=right)
        @settings(max_examples=3)
        def test_a(x):
            return (x * x).sum()
        """
    )
    project.run(f"--gradcheck-profile={profile}", "--gradcheck-report=report.json").assert_outcomes(passed=1)
    assert [c["mode"] for c in project.report()["checks"]] == [mode]


def test_an_unknown_profile_in_a_marker_is_an_error(project: Any) -> None:
    project.write(test_it=SOURCE.replace("gradcheck(", "gradcheck(profile='quik', "))
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*profile: got 'quik'; did you mean 'quick'? the profiles are: quick, *"])


def test_a_profile_from_a_parameter_set_comes_too_late(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.parametrize("p", [pytest.param(1, marks=pytest.mark.gradcheck(profile="quick"))])
        @pytest.mark.gradcheck(x=numbers)
        def test_a(x, p):
            return x * x
        """
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*got 'profile' from a parameter set, which comes too late*"])


def test_an_unknown_profile_is_a_usage_error(project: Any) -> None:
    result = project.run("--gradcheck-profile=quik")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--gradcheck-profile: got 'quik'; did you mean 'quick'? the profiles are: quick, *"]
    )
