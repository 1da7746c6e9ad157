"""``python -m pytest_gradcheck``: show, merge and compare."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.__main__ import main
from pytest_gradcheck.records import gradient_coverage

SOURCE = """
def test_a(gradcheck):
    gradcheck(lambda x: x * x, 1.0, name="a")

def test_b(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=wrong, name="b")
"""


# The runs are the same for every test here: made once, they are files.
_made: dict[str, bytes] = {}


@pytest.fixture
def runs(project: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Reports of two shards, and of a run before the fault."""
    if not _made:
        project.write(test_it=SOURCE)
        project.run("--gradcheck-report=one.json", "-k", "test_a")
        project.run("--gradcheck-report=two.json", "-k", "test_b")
        project.write(test_it=SOURCE.replace("gradient=wrong", "gradient=right"))
        flags = ("--gradcheck-baseline=b.json", "--gradcheck-update-baseline")
        project.run("--gradcheck-report=before.json", *flags)
        _made.update({path.name: path.read_bytes() for path in project.path.glob("*.json")})
    project.write(test_it=SOURCE)
    for name, data in _made.items():
        (project.path / name).write_bytes(data)
    monkeypatch.chdir(project.path)
    capsys.readouterr()
    return Path(project.path)


def test_merge_gives_what_one_run_would(project: Any, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "one.json", "two.json", "-o", "all.json"]) == 0
    assert capsys.readouterr().out == "2 gradient checks: 1 passed, 1 failed\n"
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=whole.json")
    merged, whole = project.report("all.json"), project.report("whole.json")
    assert [c["message"] for c in merged["checks"]] == [c["message"] for c in whole["checks"]]
    # Times are those of the runs that were merged, not of one run.
    assert {k: v for k, v in merged.items() if k not in ("checks", "merged", "gate", "run")} == {
        k: v for k, v in whole.items() if k not in ("checks", "gate", "run")
    }


def test_merged_runs_begin_with_the_first_and_take_as_long_as_all(project: Any, runs: Path) -> None:
    assert main(["merge", "two.json", "one.json", "-o", "all.json"]) == 0
    one, two = (project.report(name)["run"] for name in ("one.json", "two.json"))
    assert project.report("all.json")["run"] == {
        "began": min(one["began"], two["began"]),
        "seconds": one["seconds"] + two["seconds"],
    }


def test_merge_tells_duplicates_and_conflicts(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "two.json", "before.json", "one.json", "-o", "all.md"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 gradient checks: 1 passed, 1 failed",
        "duplicate: test_it.py::test_a: a",
        "duplicate: test_it.py::test_b: b",
        "conflict: test_it.py::test_b: b",
    ]
    assert "❌ fail" in (runs / "all.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (
            ["--fail-under=50", "--max-inconclusive=0"],
            1,
            "gradcheck: fail: 1 check failed, in test_it.py::test_b",
        ),
        (
            ["--fail-under=51"],
            1,
            "gradcheck: fail-under: 1 of 2 checks passed, 50 %; at least 2 of 2 (51 %) must pass",
        ),
        (["--fail-under=x"], 2, "error: --fail-under: got 'x'; give a percentage from 0 to 100"),
        (["--cov-fail-under=x"], 2, "error: --cov-fail-under: got 'x'; give a percentage from 0 to 100"),
        (["--cov-fail-under=5"], 2, "error: --cov-fail-under: got reports without coverage; write them with"),
    ],
)
def test_merge_is_a_gate(
    runs: Path, capsys: pytest.CaptureFixture[str], flags: list[str], status: int, said: str
) -> None:
    assert main(["merge", "one.json", "two.json", "-o", "all.json", *flags]) == status
    assert said in capsys.readouterr().err
    assert (runs / "all.json").exists() == (status == 1), "written whatever the gate says"


def test_the_coverage_of_shards_is_gated_together(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        report = json.loads((runs / f"{name}.json").read_text(encoding="utf-8"))
        # What each shard has run of a package with two gradients.
        known = {"path": "ops.py", "line": 1, "backward_line": 2}
        gradients = [{"name": f"ops.{n}", **known, "imported": True} for n in (name, other)]
        report["checks"][0]["functions"] = [{"name": f"ops.{name}", **known, "ran": ["backward", "forward"]}]
        report["coverage"] = gradient_coverage.build(["ops"], gradients, report["checks"])
        (runs / f"{name}.json").write_text(json.dumps(report), encoding="utf-8")
    merge = ["merge", "one.json", "two.json", "-o", "all.json"]
    # The check of the second shard has failed.
    assert main([*merge, "--cov-fail-under=50,double-backward:0"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "hand-written gradients of ops: 1 of 2 run by a check that passed",
        "  ops.py:2: ops.two: not run",
    ]
    assert main([*merge, "--cov-fail-under=100"]) == 1
    assert "gradcheck: cov-fail-under: 1 of 2 hand-written gradients of ops run" in capsys.readouterr().err
    gate = json.loads((runs / "all.json").read_text(encoding="utf-8"))["gate"]
    assert [rule["rule"] for rule in gate] == ["cov-fail-under"]


def test_show_prints_and_converts(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "two.json"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "1 gradient check: 1 failed"
    assert shown[1].startswith("gradcheck: fail: 1 check failed")
    assert "wrong gradient: b" in shown
    assert main(["show", "two.json", "-o", "markdown:x.txt"]) == 0
    assert "wrong gradient: b" in (runs / "x.txt").read_text(encoding="utf-8")
    assert main(["show", "two.json", "-o", "x.sarif"]) == 0
    assert json.loads((runs / "x.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"


@pytest.mark.parametrize("old", ["before.json", "b.json"])
def test_compare(runs: Path, capsys: pytest.CaptureFixture[str], old: str) -> None:
    main(["merge", "one.json", "two.json", "-o", "all.json"])
    assert main(["compare", old, "all.json"]) == 1
    assert (
        "baseline-verdict: 1 check passed in the baseline but not now: test_it.py::test_b: b (fail)"
        in capsys.readouterr().err
    )
    assert main(["compare", old, "one.json"]) == 1
    assert "baseline-vanished: 1 check no longer run: test_it.py::test_b: b" in capsys.readouterr().err
    assert main(["compare", "all.json", "before.json", "--factor=2"]) == 0
    assert capsys.readouterr().out == "nothing is worse: 2 checks compared, 0 new\n"
    assert main(["compare", "one.json", "before.json"]) == 0
    assert capsys.readouterr().out == "nothing is worse: 1 check compared, 1 new\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["show", "no.json"],
            "show: error: REPORT: got no.json (No such file or directory); give a file that *",
        ),
        (["show", "test_it.py"], "show: error: REPORT: got test_it.py, which is not JSON"),
        (["show", "."], "show: error: REPORT: got . (Is a directory); give a file that can be read"),
        (
            ["show", "one.json/x"],
            "error: REPORT: got one.json/x (Not a directory); give a file that can be read",
        ),
        (["merge", "one.json", "no.json", "-o", "x.json"], "merge: error: REPORT: got no.json (No such file"),
        (["merge", "b.json", "-o", "x.json"], "merge: error: REPORT: got b.json, of format"),
        (["compare", "no.json", "one.json"], "compare: error: OLD: got no.json (No such file or directory)"),
        (["compare", "one.json", "."], "compare: error: NEW: got . (Is a directory); give a file"),
        (
            ["compare", "newer.json", "one.json"],
            "OLD: got newer.json, of format 'pytest-gradcheck' and version 2; ",
        ),
        (["show", "newer.json"], "and version 2; read it with the pytest-gradcheck that wrote it"),
        (["show", "b.json"], "show: error: REPORT: got b.json, of format 'pytest-gradcheck-baseline'"),
        (
            ["show", "one.json", "-o", "x.txt"],
            "show: error: --output: got 'x.txt', which has an unknown file extension",
        ),
        (["show", "one.json", "-o", "no/x.md"], "x.md, which is in "),
        (["compare", "b.json", "b.json"], "compare: error: NEW: got b.json, of format"),
        (["compare", "b.json", "one.json", "--factor=0"], "--factor: got '0'; give a number of at least 1"),
    ],
)
def test_a_wrong_use_is_told(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    newer = (runs / "one.json").read_text(encoding="utf-8").replace('"version": 1', '"version": 2')
    (runs / "newer.json").write_text(newer, encoding="utf-8")
    assert main(arguments) == 2
    assert not (runs / "x.json").exists()
    assert said.rstrip("*") in capsys.readouterr().err


def written(tmp_path: Path, number: int = 2000) -> Path:
    """Write a report whose names ASCII does not have; 2000 checks are more than a pipe holds."""
    path = tmp_path / "r.json"
    checks = [
        {
            "culprit": None,
            "worst": None,
            "nodeid": f"t.py::test_é[{n}]",
            "name": "é",
            "verdict": "inconclusive",
            "methods": {},
            "examples": 1,
            "inconclusive_examples": 1,
            "diagnosis": {"code": "a", "text": "é" * 100},
        }
        for n in range(number)
    ]
    data = {
        "format": "pytest-gradcheck",
        "version": 1,
        "environment": {"python": "3", "packages": {}},
        "summary": {"checks": number, "pass": 0, "fail": 0, "inconclusive": number, "not_checked": 0},
        "checks": checks,
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def shown(path: Path, out: Any, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest_gradcheck", "show", str(path)]
    # Without a buffer Python itself does not see that a pipe took only a part.
    environment = {**os.environ, "PYTHONUNBUFFERED": "", **environment}
    run = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, env=environment)
    if out is subprocess.PIPE:
        assert run.stdout is not None
        assert run.stdout.readline() == "2000 gradient checks: 2000 inconclusive\n"
        run.stdout.close()
    assert run.stderr is not None
    said = run.stderr.read()
    run.stderr.close()
    return run.wait(), said


def test_a_reader_may_stop_before_the_end(tmp_path: Path) -> None:
    assert shown(written(tmp_path), subprocess.PIPE) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("number", [1, 2000])
def test_an_output_that_is_full_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    path = written(tmp_path, number)
    with open("/dev/full", "w") as full:
        status, said = shown(path, full)
    assert (status, said.count("\n")) == (2, 1)
    assert "show: error: the output could not be written: No space left on device" in said
    assert main(["show", str(path), "-o", "json:/dev/full"]) == 2
    assert "error: --output: /dev/full not written: No space left on device" in capsys.readouterr().err


def test_a_terminal_may_have_another_encoding(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w") as out:
        assert shown(written(tmp_path, 1), out, PYTHONIOENCODING="ascii") == (0, "")
    assert "test_\\xe9[0]" in (tmp_path / "out").read_text(encoding="ascii")


def test_it_is_a_module_to_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest_gradcheck", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "show" in result.stdout
    assert "merge" in result.stdout
    assert "compare" in result.stdout


def test_help_has_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["replay", "--help"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "`" not in capsys.readouterr().out
