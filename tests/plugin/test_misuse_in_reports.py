"""Tests that ended with InvalidArgument are in the reports, with their messages."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from inner import WORKERS

from pytest_gradcheck.__main__ import main
from pytest_gradcheck.records.load import schema

SOURCE = """
def test_misuse(gradcheck):
    gradcheck(right, 1.0, 2.0)

@pytest.mark.gradcheck(x=numbers, wrt="y")
def test_marked(x):
    return x

@pytest.mark.xfail
@pytest.mark.gradcheck(x=numbers, gradient=lambda x: 3.0)
def test_known(x):
    return x * x

def test_right(gradcheck):
    gradcheck(lambda x: x * x, 1.0)
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_a_wrong_use_is_in_every_report(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    flags = ("--gradcheck-report=report.json", "--gradcheck-report=report.html")
    result = project.run(*flags, workers=workers)
    result.assert_outcomes(failed=2, passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*2 gradient checks: 1 passed, 1 failed as expected*"])
    data = project.report()
    jsonschema.validate(data, schema())
    told = {one["nodeid"]: one["message"] for one in data["misused"]}
    assert told.keys() == {"test_it.py::test_marked", "test_it.py::test_misuse"}
    assert told["test_it.py::test_misuse"].endswith("put all inputs into one tuple: gradcheck(f, (a, b))")
    assert data["run"]["seconds"] > 0
    assert data["run"]["began"] > 1e9
    assert "put all inputs into one tuple" in (project.path / "report.html").read_text(encoding="utf-8")


def test_merged_reports_keep_them(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=one.json", "-k", "misuse or right")
    project.run("--gradcheck-report=two.json", "-k", "marked or known")
    monkeypatch.chdir(project.path)
    assert main(["merge", "two.json", "one.json", "-o", "all.json"]) == 0
    data = json.loads((project.path / "all.json").read_text(encoding="utf-8"))
    names = [one["nodeid"] for one in data["misused"]]
    assert names == ["test_it.py::test_marked", "test_it.py::test_misuse"]
    parts = [project.report(name)["run"] for name in ("one.json", "two.json")]
    assert data["run"]["began"] == min(part["began"] for part in parts)
    assert data["run"]["seconds"] == sum(part["seconds"] for part in parts)
