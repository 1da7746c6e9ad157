"""What is worse than a baseline, the file, and its flags end to end."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records import baseline
from pytest_gradcheck.records.gate import against_baseline

# Three more processes each: with workers in the sweep.
WORKERS = [0, pytest.param(2, marks=pytest.mark.sweep)]

# ---------------------------------------------------------------------------- rules


def check(verdict: str, margin: float = 0.1, name: str = "f", xfail: str | None = None) -> dict[str, Any]:
    return {
        "nodeid": f"t.py::test_{name}",
        "name": name,
        "verdict": verdict,
        "worst": {"margin": margin},
        "xfail": xfail,
    }


def entry(verdict: str, margin: float = 0.1, name: str = "f") -> dict[tuple[str, str], dict[str, Any]]:
    return {(f"t.py::test_{name}", name): {"verdict": verdict, "margin": margin}}


@pytest.mark.parametrize(
    ("before", "now", "rule"),
    [
        (entry("pass"), [check("pass")], None),
        (entry("pass"), [check("fail")], "baseline-verdict"),
        (entry("pass"), [check("inconclusive")], "baseline-verdict"),
        (entry("pass"), [check("fail", xfail="known")], None),
        (entry("fail"), [check("fail")], None),
        (entry("inconclusive"), [check("fail")], None),
        (entry("pass", 0.05), [check("pass", 0.5)], None),
        (entry("pass", 0.05), [check("pass", 0.51)], "baseline-margin"),
        (entry("pass", 1e-9), [check("pass", 0.09)], None),
        (entry("pass"), [], "baseline-vanished"),
        (entry("fail"), [], "baseline-vanished"),
        ({}, [check("fail")], None),
    ],
)
def test_what_is_worse(before: Any, now: Any, rule: str | None) -> None:
    assert [v.rule for v in against_baseline(now, before)] == ([rule] if rule else [])
    assert [v.rule for v in against_baseline(now, before, looked_for=lambda nodeid: False)] == (
        [rule] if rule and rule != "baseline-vanished" else []
    )


def test_the_first_is_named_and_the_others_counted() -> None:
    before = entry("pass", name="a") | entry("pass", name="b")
    (violation,) = against_baseline([check("fail", name="a"), check("fail", name="b")], before)
    assert str(violation) == (
        "baseline-verdict: 2 checks passed before and not now: t.py::test_a: a (fail) and 1 other check; "
        "correct it, or accept it with --gradcheck-update-baseline"
    )


# ---------------------------------------------------------------------------- the file

entries = st.dictionaries(
    st.tuples(st.text(), st.text()),
    st.fixed_dictionaries(
        {
            "verdict": st.sampled_from(["pass", "fail", "inconclusive"]),
            "margin": st.floats(0) | st.just(float("inf")),
        }
    ),
)


@given(entries)
def test_a_baseline_is_read_as_it_was_written(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    found = {key: value for key, value in found.items() if "\ud800" not in "".join(key)}
    written = baseline.updated({}, [{"nodeid": n, "name": m, **e} for (n, m), e in found.items()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b"
        path.write_text(baseline.render(written), encoding="utf-8")
        assert baseline.read(path, "FILE") == written
        # Once more is the same text: nothing changes in it that did not change.
        assert baseline.render(baseline.updated(written, [])) == path.read_text(encoding="utf-8")


def test_every_check_has_a_line() -> None:
    text = baseline.render(entry("fail", name="b") | entry("pass", name="a"))
    assert [line.strip().rstrip(",") for line in text.splitlines() if "nodeid" in line] == [
        '{"nodeid": "t.py::test_a", "name": "a", "verdict": "pass", "margin": 0.1}',
        '{"nodeid": "t.py::test_b", "name": "b", "verdict": "fail", "margin": 0.1}',
    ]


def test_the_digits_that_change_with_every_input_are_not_kept() -> None:
    assert baseline.updated({}, [check("pass", 0.123456)]) == entry("pass", 0.123)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no lock on a folder")
def test_of_runs_that_end_together_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "b"
    names = [str(k) for k in range(16)]
    # Two would take turns by themselves: each has to read what the other has written.
    meet = threading.Barrier(len(names))

    def run(name: str) -> None:
        meet.wait()
        baseline.update(path, [check("pass", name=name)])

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(run, names))
    assert baseline.read(path, "FILE").keys() == {key for name in names for key in entry("pass", name=name)}


def test_what_another_run_has_written_meanwhile_stays(project: Any) -> None:
    """Whatever it is: also if it is no baseline any more."""
    project.write(test_it=TWO)
    flags = ("--gradcheck-baseline=b", "--gradcheck-update-baseline")
    meanwhile = "import pathlib\ndef pytest_collection_finish(): pathlib.Path('b').write_text({!r})"
    project.conftest(meanwhile.format(baseline.render(entry("pass", name="other"))))
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which is not JSON"),
        ("[]", "which holds no object"),
        ('{"format": "other", "version": 1}', "of format 'other' and version 1; give a file of format"),
        ('{"format": "pytest-gradcheck-baseline", "version": 2}', "and version 2"),
        ('{"format": "pytest-gradcheck-baseline", "version": 1, "checks": [{}]}', "lacks 'nodeid'"),
    ],
)
def test_what_is_no_baseline_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=f"^FILE: got .*{message}"):
        baseline.read(path, "FILE")


@pytest.mark.parametrize(
    ("arguments", "inside"),
    [
        ([""], True),
        (["tests"], True),
        (["tests/test_a.py"], True),
        (["tests/test_a.py::test_x"], True),
        (["tests/test_a.py::test_y"], False),
        (["tests/test_b.py"], False),
        (["other", "tests"], True),
        (["test"], False),
    ],
)
def test_which_tests_the_paths_take_in(arguments: list[str], inside: bool) -> None:
    root = Path("/root")
    assert baseline.within("tests/test_a.py::test_x[1]", arguments, root, root) is inside


def test_paths_start_where_pytest_was_called_and_nodeids_at_its_rootdir() -> None:
    root = Path("/root")
    assert baseline.within("tests/test_a.py::test_x", ["test_a.py"], root, root / "tests")
    assert not baseline.within("tests/test_a.py::test_x", ["tests"], root, root / "tests")
    assert baseline.within("tests/test_a.py::test_x", [".."], root, root / "other")


# ---------------------------------------------------------------------------- flags

TWO = """
def test_a(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=right)

def test_b(gradcheck):
    gradcheck(lambda x: x * x, 1.0)
"""


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
    named = "1 check passed before and not now: test_it.py::test_a: *<lambda> (inconclusive)"
    gone = "1 check no longer made: test_it.py::test_b: *<lambda>"
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
    result.stdout.fnmatch_lines(["baseline: the run was cut short*"])
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
    near = "1 check nearer to failing by a factor of 10: test_it.py::test_a"
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
        (["--gradcheck-baseline=no/b.json"], "*which is no file in a directory that exists; give a file*"),
        (["--gradcheck-baseline=."], "*which is no file in a directory that exists; give a file*"),
        (["--gradcheck-baseline=bad.json"], "*--gradcheck-baseline: got *bad.json, which is not JSON*"),
        pytest.param(
            # Where root cannot write either.
            ["--gradcheck-baseline=/proc/self/b.json", "--gradcheck-update-baseline"],
            "*--gradcheck-baseline: got *b.json, which lies in /proc/self, which is not writable; choose *",
            marks=pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a directory of Linux"),
        ),
        (
            [f"--gradcheck-baseline={'n' * 300}", "--gradcheck-update-baseline"],
            "*--gradcheck-baseline: got *, which cannot be looked at (File name too long); choose *",
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
            "gradcheck: fail-under: 1 of 2 checks of test_it.py[*] passed, 50 %; 51 % takes 2 of 2",
            "gradcheck: max-inconclusive: 1 check of test_it.py[*] inconclusive; at most 0 may be",
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
