"""A check in a test that fails by an exception is not counted as passed."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
def test_right(gradcheck):
    gradcheck(np.sin, 1.0)

def test_raises(gradcheck):
    gradcheck(np.sin, 1.0)
    raise RuntimeError("later")

def test_asserts(gradcheck):
    assert gradcheck(np.cos, 1.0).order == 2

@pytest.fixture
def broken():
    yield
    raise OSError("at the end")

def test_teardown(gradcheck, broken):
    gradcheck(np.exp, 1.0)

def test_wrong_next_to_right(gradcheck):
    gradcheck(np.sin, 1.0, name="right")
    gradcheck(np.sin, 1.0, gradient=wrong, name="wrong")

@pytest.mark.xfail(reason="known")
def test_expected(gradcheck):
    gradcheck(np.tanh, 1.0)
    raise RuntimeError("known")
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_it_is_counted_apart(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    reports = ["--gradcheck-report=report.json", "--gradcheck-report=report.md"]
    result = project.run(*reports, workers=workers)
    result.stdout.fnmatch_lines(["7 gradient checks: 3 passed, 1 failed, 3 in tests that failed otherwise"])
    report = project.report()
    assert {c["nodeid"].partition("::")[2] for c in report["checks"] if c["test_failed"]} == {
        "test_raises",
        "test_asserts",
        "test_teardown",
    }
    assert (report["summary"]["pass"], report["summary"]["test_failed"]) == (3, 3)
    assert (project.path / "report.md").read_text(encoding="utf-8").count("test failed") == 3


@pytest.mark.parametrize("workers", WORKERS)
def test_the_threshold_does_not_count_it(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    result = project.run("--gradcheck-fail-under=50", workers=workers)
    result.stdout.fnmatch_lines(
        ["gradcheck: fail-under: 3 of 7 checks passed, 42.85 %; at least 4 of 7 (50 %) must pass"]
    )
