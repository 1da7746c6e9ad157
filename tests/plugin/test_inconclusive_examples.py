"""A check most of whose examples were inconclusive is not a pass, and every report says how many were."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from inner import WORKERS

# np.floor jumps at whole numbers: of each list that many of five examples are inconclusive.
SOURCE = """
@pytest.mark.gradcheck(x=st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.0]))
def test_most(x):
    return np.floor(x)

@pytest.mark.gradcheck(x=st.sampled_from([0.5, 1.5, 2.5, 3.0, 4.0]))
def test_some(x):
    return np.floor(x)

@pytest.mark.gradcheck(x=st.sampled_from([0.5, 1.5, 2.5, 3.5, 4.5]))
def test_none(x):
    return np.floor(x)
"""
FILES = ("report.json", "report.html", "report.md", "report.sarif", "junit.xml")
REPORTS = [f"--gradcheck-report={name}" for name in FILES[:-1]]
REPORTS += ["--junitxml=junit.xml", "--gradcheck-junit-properties", "-o", "junit_family=xunit1"]

# As users write them: the inputs that the functions are not made for are drawn as well.
UNBOUNDED = """
from pytest_gradcheck import arrays, tensors

@pytest.mark.gradcheck(x=arrays(3))
def test_log(x):
    return np.sum(np.log(x))

@pytest.mark.gradcheck(x=arrays(4))
def test_sqrt(x):
    return np.sqrt(x).sum()

@pytest.mark.gradcheck(x=arrays(4))
def test_arccos(x):
    return np.arccos(x).sum()

@pytest.mark.gradcheck(x=arrays((2, 2)))
def test_power(x):
    return x ** 0.3
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_most_are_shown_in_the_summary_and_every_report(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    result = project.run(*REPORTS, workers=workers)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "3 gradient checks: 2 passed, 1 inconclusive",
            "inconclusive: test_it.py::test_most [[]jump], 4 of 5 examples inconclusive: jump",
            "2 of 5 examples inconclusive: jump, test_it.py::test_some",
        ]
    )
    most, none, some = project.report()["checks"]
    assert [c["verdict"] for c in (most, some, none)] == ["inconclusive", "pass", "pass"]
    assert most["diagnosis"]["code"] == "jump"
    assert most["diagnosis"]["text"].startswith("4 of 5 examples were inconclusive, most of them because: ")
    assert most["passed"]["diagnosis"]["code"] == "agree"
    assert most["reproduce"] == most["inconclusive_reasons"][0]["reproduce"] != ""
    assert [(r["code"], r["examples"]) for r in some["inconclusive_reasons"]] == [("jump", 2)]
    assert none["inconclusive_reasons"] == []
    for name in FILES[1:]:
        text = (project.path / name).read_text(encoding="utf-8")
        if name.endswith(".sarif"):
            assert '"inconclusive_examples": 2' in text
        elif name != "junit.xml":
            assert "4 of 5 examples inconclusive: jump" in text, name
            assert "2 of 5 examples inconclusive: jump" in text, name
    properties = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in ET.parse(project.path / "junit.xml").getroot().iter("testcase")
    }
    assert properties["test_most"]["gradcheck.verdict"] == "inconclusive"
    assert properties["test_some"]["gradcheck.verdict"] == "pass"
    assert properties["test_some"]["gradcheck.inconclusive"] == "2 of 5 examples inconclusive: jump"
    assert "gradcheck.inconclusive" not in properties["test_none"]


@pytest.mark.parametrize("workers", WORKERS)
def test_the_gate_sees_them(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    result = project.run("--gradcheck-max-inconclusive=0", workers=workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradcheck: max-inconclusive: 1 check inconclusive; the limit is 0"])
    assert project.run("--gradcheck-max-inconclusive=0", "--deselect=test_it.py::test_most").ret == 0
    assert project.run("--gradcheck-max-inconclusive=1").ret == 0
    assert project.run("--gradcheck-fail-under=100").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("workers", WORKERS)
def test_unbounded_inputs(project: Any, workers: int) -> None:
    project.conftest("settings.register_profile('p', max_examples=30, derandomize=True, database=None)")
    project.write(test_it=UNBOUNDED)
    result = project.run("--gradcheck-max-inconclusive=0", "--gradcheck-report=report.json", workers=workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for check in project.report()["checks"]:
        assert check["verdict"] == "inconclusive", check["nodeid"]
        result.stdout.fnmatch_lines([f"inconclusive: {check['nodeid']} *examples inconclusive*"])


def test_a_wrong_gradient_in_the_rest_fails(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.0]), gradient=lambda x: 1.0)
        def test_most(x):
            return np.floor(x)
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(failed=1)
    assert project.report()["summary"]["fail"] == 1


def test_calls_of_the_fixture_by_one_name_are_examples_too(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.parametrize("points", [[0.5, 1.0, 2.0], [0.5, 1.5, 2.0]])
        def test_floor(gradcheck, points):
            for x in points:
                gradcheck(np.floor, x)
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=2)
    assert [c["verdict"] for c in project.report()["checks"]] == ["inconclusive", "pass"]
