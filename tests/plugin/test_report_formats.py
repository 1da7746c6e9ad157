"""--gradcheck-report in every format: written in full, alike with workers, and of one mind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from inner import WORKERS
from report_readers import standings

from pytest_gradcheck.reports import FORMATS

SOURCE = """
@pytest.mark.gradcheck(x=numbers)
@pytest.mark.parametrize("p", ["a|b", "<b>"])
def test_right(x, p):
    return x**2

@pytest.mark.gradcheck(x=numbers, gradient=wrong)
def test_wrong(x):
    return x * x

@pytest.mark.xfail
def test_known(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=wrong)

def test_undecided(gradcheck):
    gradcheck(lambda x: x * x, 1.0, methods=("central", "forward"), name="undecided")
"""
PATHS = {"json": "r.json", "html": "r.html", "markdown": "r.md", "sarif": "r.sarif"}
STANDINGS = [
    ("test_it.py::test_known", "test_known.<locals>.<lambda>", "xfail"),
    ("test_it.py::test_right[<b>]", "test_right", "pass"),
    ("test_it.py::test_right[a|b]", "test_right", "pass"),
    ("test_it.py::test_undecided", "undecided", "inconclusive"),
    ("test_it.py::test_wrong", "test_wrong", "fail"),
]


@pytest.mark.parametrize("workers", WORKERS)
def test_every_format_says_the_same(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    project.run(*(f"--gradcheck-report={path}" for path in PATHS.values()), workers=workers)
    for name, path in PATHS.items():
        assert standings(name, (project.path / path).read_text(encoding="utf-8")) == STANDINGS, name


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_what_cannot_be_written_is_told_and_keeps_nothing_else_from_it(project: Any) -> None:
    """Every format to a disk that is full, and one to where all is well."""
    project.write(test_it=SOURCE)
    flags = []
    for name in FORMATS:
        (project.path / f"full-{name}").symlink_to("/dev/full")
        flags.append(f"--gradcheck-report={name}:full-{name}")
    result = project.run(*flags, "--gradcheck-report=r.json")
    result.assert_outcomes(passed=2, failed=2, xfailed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for name in FORMATS:
        line = f"gradcheck: report: *full-{name} not written: No space left on device; choose another path"
        result.stdout.fnmatch_lines([line])
    assert standings("json", (project.path / "r.json").read_text(encoding="utf-8")) == STANDINGS
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.sweep
def test_two_runs_that_write_the_same_paths_at_the_same_time(project: Any) -> None:
    """What is replaced is one of them and whole; what is appended is both."""
    project.write(
        test_it="""
        import os, time

        @pytest.mark.parametrize("run", ["one", "two"])
        def test_a(gradcheck, run):
            gradcheck(lambda x: x * x, 1.0)
            open(run, "w").close()
            while not (os.path.exists("one") and os.path.exists("two")):
                time.sleep(0.01)
        """
    )
    flags = [f"--gradcheck-report={path}" for path in (*PATHS.values(), "markdown-append:summary")]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *flags]
    runs = [subprocess.Popen([*command, "-k", run], cwd=project.path) for run in ("one", "two")]
    assert [run.wait(300) for run in runs] == [0, 0]
    both = [(f"test_it.py::test_a[{run}]", "test_a.<locals>.<lambda>", "pass") for run in ("one", "two")]
    for name, path in PATHS.items():
        (found,) = standings(name, (project.path / path).read_text(encoding="utf-8"))
        assert found in both
    summary = (project.path / "summary").read_text(encoding="utf-8")
    assert standings("markdown-append", summary) == both


@pytest.mark.sweep
def test_a_thousand_checks(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.parametrize("n", range(1000))
        def test_a(gradcheck, n):
            gradient = {0: wrong, 1: right}.get(n % 3)
            methods = ("central",) if n % 3 == 2 else ("central", "user")
            gradcheck(lambda x: x * x, 1.0, gradient=gradient, methods=methods, name="f")
        """
    )
    flags = [f"--gradcheck-report={path}" for path in (*PATHS.values(), "markdown-append:summary")]
    result = project.run(*flags, "-q", "--no-header", "-r", "N", "--tb=no", workers=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    verdicts = ("fail", "pass", "inconclusive")
    expected = sorted((f"test_it.py::test_a[{n}]", "f", verdicts[n % 3]) for n in range(1000))
    for name, path in (*PATHS.items(), ("markdown-append", "summary")):
        assert standings(name, (project.path / path).read_text(encoding="utf-8")) == expected, name


def test_a_finding_has_the_line_of_its_test(project: Any) -> None:
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=r.json", "--gradcheck-report=r.sarif.json")
    lines = (project.path / "test_it.py").read_text(encoding="utf-8").splitlines()
    expected = 1 + next(i for i, line in enumerate(lines) if "gradient=wrong" in line)
    (wrong,) = [c for c in project.report("r.json")["checks"] if c["nodeid"].endswith("test_wrong")]
    assert wrong["location"]["path"] == "test_it.py"
    # From the decorator or from the def, as the Python and pytest at hand have it.
    assert wrong["location"]["line"] in (expected, expected + 1)
    (run,) = json.loads((project.path / "r.sarif.json").read_text(encoding="utf-8"))["runs"]
    at = run["results"][0]["locations"][0]["physicalLocation"]
    assert (at["artifactLocation"]["uri"], at["region"]["startLine"]) == (
        "test_it.py",
        wrong["location"]["line"],
    )


def test_the_rules_that_were_broken_are_in_the_report(project: Any) -> None:
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=r.json", "--gradcheck-report=r.md", "--gradcheck-fail-under=90")
    assert [rule["rule"] for rule in project.report("r.json")["gate"]] == ["fail", "fail-under"]
    assert "**fail-under**: 2 of 4 checks passed, 50 %" in (project.path / "r.md").read_text(encoding="utf-8")


def test_a_step_summary_is_appended_to(project: Any) -> None:
    project.write(test_it="def test_a(gradcheck): gradcheck(lambda x: x * x, 1.0)")
    summary = project.path / "summary"
    summary.write_text("# Before", encoding="utf-8")
    project.run("--gradcheck-report=markdown-append:summary")
    project.run("--gradcheck-report=markdown-append:summary")
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("# Before\n## Gradient checks\n")
    assert text.count("**1 gradient check: 1 passed**") == 2


@pytest.mark.parametrize("workers", WORKERS)
def test_figures_are_drawn_of_what_stands_for_each_test(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        import torch

        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        def test_wrong(x):
            return x * x

        def test_skips_in_the_end(gradcheck):
            calls = []

            def f(x):
                calls.append(x)
                if done:
                    pytest.skip("not once more")
                return x * x

            done = False
            gradcheck(f, 1.0)
            done = True
        """
    )
    result = project.run("--gradcheck-report=r.json", workers=workers)
    result.assert_outcomes(passed=1, failed=1)
    skips, wrong = project.report("r.json")["checks"]
    assert skips["figures"] == {}
    curve = wrong["figures"]["curve"]
    assert curve["slopes"]["user"] == pytest.approx(3 * curve["at"][0]), "where the fault is plain"
    project.run("--gradcheck-report=r.md", "--gradcheck-report=r.sarif", workers=workers)
