"""The baseline's flags and keys, end to end."""

from __future__ import annotations

import os
from typing import Any

import pytest
from inner import WORKERS

from pytest_gradcheck.records import baseline

TWO = """
def test_a(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=right)

def test_b(gradcheck):
    gradcheck(lambda x: x * x, 1.0)
"""


def test_what_another_run_has_written_meanwhile_stays(project: Any) -> None:
    """Whatever it is: also if it is not a baseline any more."""
    project.write(test_it=TWO)
    flags = ("--gradcheck-baseline=b", "--gradcheck-update-baseline")
    meanwhile = "import pathlib\ndef pytest_collection_finish(): pathlib.Path('b').write_text({!r})"
    project.conftest(
        meanwhile.format(baseline.render({("t.py::test_other", "other"): {"verdict": "pass", "margin": 0.1}}))
    )
    assert project.run(*flags).ret == 0
    written = baseline.read(project.path / "b", "FILE")
    assert sorted(nodeid for nodeid, _ in written) == [
        "t.py::test_other",
        "test_it.py::test_a",
        "test_it.py::test_b",
    ]

    project.conftest(meanwhile.format("torn"))
    result = project.run(*flags)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gradcheck: baseline: not written: *got *which is not JSON*"])
    assert (project.path / "b").read_text() == "torn"


def write_baseline(project: Any) -> None:
    project.write(test_it=TWO)
    project.run("--gradcheck-baseline=b.json", "--gradcheck-update-baseline").assert_outcomes(passed=2)


@pytest.mark.parametrize("workers", WORKERS)
def test_a_check_that_passed_and_one_that_is_gone(project: Any, workers: int) -> None:
    write_baseline(project)
    undecided = TWO.replace("gradient=right", "methods=('central', 'forward')")
    project.write(test_it=undecided.partition("def test_b")[0])
    result = project.run("--gradcheck-baseline=b.json", workers=workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    named = "1 check passed in the baseline but not now: test_it.py::test_a: *<lambda> (inconclusive)"
    gone = "1 check no longer run: test_it.py::test_b: *<lambda>"
    result.stdout.fnmatch_lines(
        [
            f"gradcheck: baseline-verdict: {named}; *",
            f"gradcheck: baseline-vanished: {gone}; bring it back, *",
        ]
    )
    assert [e["verdict"] for e in project.report("b.json")["checks"]] == ["pass", "pass"], "only read"


@pytest.mark.parametrize("workers", WORKERS)
def test_writing_is_not_pruning(project: Any, workers: int) -> None:
    write_baseline(project)
    project.write(test_it=TWO.partition("def test_b")[0])
    result = project.run("--gradcheck-baseline=b.json", "--gradcheck-update-baseline", workers=workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(project.report("b.json")["checks"]) == 2
    result = project.run("--gradcheck-baseline=b.json", "--gradcheck-prune-baseline", workers=workers)
    assert result.ret == pytest.ExitCode.OK
    assert [e["nodeid"] for e in project.report("b.json")["checks"]] == ["test_it.py::test_a"]


@pytest.mark.parametrize(
    ("part", "workers"),
    [
        (("-k", "test_a"), 0),
        pytest.param(("-k", "test_a"), 2, marks=pytest.mark.sweep),
        (("--deselect", "test_it.py::test_b"), 0),
        (("test_it.py::test_a",), 0),
        pytest.param(("test_it.py::test_a",), 2, marks=pytest.mark.sweep),
    ],
)
def test_what_was_not_asked_for_is_not_gone(project: Any, part: tuple[str, ...], workers: int) -> None:
    write_baseline(project)
    result = project.run("--gradcheck-baseline=b.json", "--gradcheck-prune-baseline", *part, workers=workers)
    assert result.ret == pytest.ExitCode.OK
    assert len(project.report("b.json")["checks"]) == 2


def test_what_was_not_reached_is_not_gone(project: Any) -> None:
    write_baseline(project)
    project.write(test_it=TWO.replace("gradcheck(lambda x: x * x, 1.0, gradient=right)", "assert False"))
    result = project.run("--gradcheck-baseline=b.json", "-x")
    assert "baseline-vanished" not in result.stdout.str()
    result.stdout.fnmatch_lines(["baseline: run interrupted; missing*"])
    result = project.run("--gradcheck-baseline=b.json")
    result.stdout.fnmatch_lines(["gradcheck: baseline-vanished: 1 check *test_a*"])


@pytest.mark.parametrize("workers", WORKERS)
def test_a_margin_that_worsened_by_the_factor(project: Any, workers: int) -> None:
    write_baseline(project)
    project.write(test_it=TWO.replace("gradient=right", "gradient=lambda x: 2 * x * (1 + 3e-7)"))
    wide = project.run("--gradcheck-baseline=b.json", "--gradcheck-baseline-factor=1000", workers=workers)
    assert wide.ret == pytest.ExitCode.OK
    result = project.run("--gradcheck-baseline=b.json", workers=workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    near = "1 check whose margin grew more than 10x over the baseline: test_it.py::test_a"
    result.stdout.fnmatch_lines([f"gradcheck: baseline-margin: {near}*"])
    project.run("--gradcheck-baseline=b.json", "--gradcheck-update-baseline")
    assert project.run("--gradcheck-baseline=b.json").ret == pytest.ExitCode.OK


def test_the_ini_key_starts_at_the_ini_file(project: Any) -> None:
    project.pytester.makeini("[pytest]\ngradcheck_baseline = b.json\ngradcheck_update_baseline = true\n")
    project.write(test_it=TWO)
    project.run().assert_outcomes(passed=2)
    assert len(project.report("b.json")["checks"]) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--gradcheck-update-baseline"], "*--gradcheck-update-baseline: got no baseline to update; give *"),
        (["--gradcheck-prune-baseline"], "*--gradcheck-prune-baseline: got no baseline to prune; give *"),
        (
            ["--gradcheck-baseline=no.json"],
            "*got *no.json, which does not exist; --gradcheck-update-baseline writes*",
        ),
        (
            ["--gradcheck-baseline=no/b.json"],
            "*which is not a file, or its directory does not exist; give a file*",
        ),
        (["--gradcheck-baseline=."], "*which is not a file, or its directory does not exist; give a file*"),
        (["--gradcheck-baseline=bad.json"], "*--gradcheck-baseline: got *bad.json, which is not JSON*"),
        pytest.param(
            # Where root cannot write either.
            ["--gradcheck-baseline=/proc/self/b.json", "--gradcheck-update-baseline"],
            "*--gradcheck-baseline: got *b.json, which is in /proc/self, which is not writable; choose *",
            marks=pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a directory of Linux"),
        ),
        (
            [f"--gradcheck-baseline={'n' * 300}", "--gradcheck-update-baseline"],
            "*--gradcheck-baseline: got *, which cannot be accessed (File name too long); choose *",
        ),
        (
            ["--gradcheck-baseline-factor=0.5"],
            "*--gradcheck-baseline-factor: got '0.5'; give a number of at least 1*",
        ),
    ],
)
def test_a_wrong_value_is_told_before_anything_runs(project: Any, flags: list[str], message: str) -> None:
    project.write(test_it="def test_a(): raise SystemError('ran')")
    (project.path / "bad.json").write_text("{")
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_baseline_that_cannot_be_written_is_told(project: Any) -> None:
    write_baseline(project)
    project.write(
        test_it="import shutil\n" + TWO.replace("def test_b", "    shutil.rmtree('sub')\n\ndef test_b")
    )
    (project.path / "sub").mkdir()
    result = project.run("--gradcheck-baseline=sub/b.json", "--gradcheck-update-baseline")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradcheck: baseline: *b.json not written: No such file or directory; *"])


@pytest.mark.parametrize("workers", WORKERS)
def test_thresholds_for_a_part(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        def test_a(gradcheck):
            gradcheck(lambda x: x * x, 1.0, name="good")
            gradcheck(lambda x: x * x, 1.0, methods=("central", "forward"), name="open")
        """,
        test_other="def test_a(gradcheck): gradcheck(lambda x: x * x, 1.0)",
    )
    parts = "test_it.py* fail-under={} max-inconclusive={}\n    test_o* fail-under=100"
    ini = f"[pytest]\ngradcheck_thresholds =\n    {parts}\n"
    project.pytester.makeini(ini.format(50, 1))
    assert project.run().ret == pytest.ExitCode.OK
    project.pytester.makeini(ini.format("51", 0))
    result = project.run(workers=workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "gradcheck: fail-under: 1 of 2 checks of test_it.py[*] passed, 50 %; at least 2 of 2 (51 %) "
            "must pass",
            "gradcheck: max-inconclusive: 1 check of test_it.py[*] inconclusive; the limit is 0",
        ]
    )


@pytest.mark.parametrize(
    "line", ["t*", "t* fail-under", "t* fail-under=101", "t* other=1", "t* max-inconclusive=-1"]
)
def test_a_wrong_threshold_is_told(project: Any, line: str) -> None:
    project.pytester.makeini(f"[pytest]\ngradcheck_thresholds = {line}\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini key gradcheck_thresholds*got '*"])
