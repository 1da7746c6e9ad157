"""What CI services get besides the reports: properties in JUnit XML, and GitHub's annotations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inner import WORKERS

from pytest_gradcheck.reports.github import commands

SOURCE = """
def test_right(gradcheck):
    gradcheck(lambda x: x * x, 1.0, name="a\\x00<b>")

def test_two(gradcheck):
    gradcheck(lambda x: x * x, 1.0, name="first")
    gradcheck(lambda x: x * x, 1.0, gradient=wrong, name="second")

def test_odd(gradcheck):
    gradcheck(lambda x: x * x, 1.0, name="]]>\\x00\\ufffe\\ud800\\n")
    gradcheck(lambda x: x * x, 1.0, name="\\x1b[31m<b>&\\"")

def test_other():
    pass
"""


def of_test(path: Path, name: str) -> dict[str, str | None]:
    case = ElementTree.parse(path).find(f".//testcase[@name='{name}']")
    assert case is not None
    return {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}


@pytest.mark.parametrize("workers", WORKERS)
def test_junit_xml_has_the_verdicts_on_request(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    project.run("--junitxml=j.xml", "--gradcheck-junit-properties", workers=workers)
    path = project.path / "j.xml"
    right = of_test(path, "test_right")
    assert right.pop("gradcheck.margin") is not None
    assert right == {"gradcheck.verdict": "pass", "gradcheck.diagnosis": "agree", "gradcheck.examples": "1"}
    two = of_test(path, "test_two")
    assert (two["gradcheck.verdict[first]"], two["gradcheck.verdict[second]"]) == ("pass", "fail")
    assert two["gradcheck.culprit[second]"] == "user"
    assert of_test(path, "test_other") == {}
    odd = of_test(path, "test_odd")
    assert odd["gradcheck.verdict[]]>#x00#xFFFE\\ud800\n]"] == "pass"
    assert odd['gradcheck.verdict[#x1B[31m<b>&"]'] == "pass"


def test_junit_xml_is_left_alone_without(project: Any) -> None:
    project.write(test_it=SOURCE)
    project.run("--junitxml=j.xml")
    assert of_test(project.path / "j.xml", "test_two") == {}
    project.pytester.makeini("[pytest]\ngradcheck_junit_properties = true\n")
    project.run("--junitxml=j.xml")
    assert "gradcheck.verdict[first]" in of_test(project.path / "j.xml", "test_two")


def test_junit_xml_has_the_last_try_and_every_phase(project: Any) -> None:
    """As pytest-rerunfailures runs a test again."""
    project.conftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for again in (True, False):
                item._initrequest()
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    if again and report.when == "call":
                        report.outcome = "rerun"
                    if not again:
                        item.ihook.pytest_runtest_logreport(report=report)
            return True
        """
    )
    project.write(
        test_it="""
        tries = []

        @pytest.fixture
        def before(gradcheck):
            gradcheck(lambda x: x * x, 1.0, name="before")

        def test_a(gradcheck, before, request):
            request.node.user_properties.append(("mine", "1"))
            tries.append(1)
            gradcheck(lambda x: x * x, 1.0, gradient=wrong if len(tries) == 1 else right, name="f")
        """
    )
    project.run("--junitxml=j.xml", "--gradcheck-junit-properties")
    case = ElementTree.parse(project.path / "j.xml").find(".//testcase[@name='test_a']")
    assert case is not None
    found = [(p.attrib["name"], p.attrib["value"]) for p in case.iter("property")]
    assert [pair for pair in found if "verdict" in pair[0]] == [
        ("gradcheck.verdict[before]", "pass"),
        ("gradcheck.verdict[f]", "pass"),
    ]
    assert ("mine", "1") in found


@pytest.mark.parametrize("workers", WORKERS)
def test_github_is_told_what_failed(project: Any, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    project.write(test_it=SOURCE)
    result = project.run("--gradcheck-fail-under=100", workers=workers)
    lines = [line for line in result.outlines if line.startswith("::error")]
    assert lines[1].startswith("::error title=gradcheck%3A fail-under::4 of 5 checks passed")
    line = 1 + next(
        i
        for i, text in enumerate((project.path / "test_it.py").read_text().splitlines())
        if "test_two" in text
    )
    file = f"{project.path.name}/test_it.py"
    assert lines[2].startswith(
        f"::error file={file},line={line},title=gradcheck%3A test_it.py%3A%3Atest_two::wrong"
    )
    assert "%0A  culprit:   user%0A" in lines[2]


def test_nobody_is_told_twice(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(test_it=SOURCE)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert "::error" not in project.run().stdout.str()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.conftest(
        """
        def pytest_configure(config):
            config.pluginmanager.register(object(), "pytest_github_actions_annotate_failures")
        """
    )
    assert "::error" not in project.run().stdout.str()


def as_github_reads_it(text: str) -> str:
    for sign in "\r\n:,":
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text.replace("%25", "%")


pieces = st.sampled_from(
    ["%", "%0A", "%25", "::", "\n::error::x", "\r", ",", "=", "\x1b[0m", "]]>", "\u2028", "a"]
)


@given(*[st.text() | st.lists(pieces).map("".join)] * 2)
def test_a_command_is_one_line_and_says_what_was_said(name: str, message: str) -> None:
    check = {"nodeid": f"t.py::{name}", "name": name, "verdict": "fail", "xfail": None, "worst": None}
    check |= {"message": message or "m", "location": {"path": f"{name}.py", "line": 3}}
    rule = {"rule": "fail", "found": name, "remedy": message}
    broken, line = commands([check], [rule], Path("/root"), None)
    assert (
        as_github_reads_it(broken.partition("::error title=gradcheck%3A fail::")[2]) == f"{name}; {message}"
    )
    assert len(re.split("[\r\n]", line)) == 1
    match = re.fullmatch("::error file=([^:,]*),line=3,title=gradcheck%3A ([^:,]*)::(.*)", line, re.DOTALL)
    assert match is not None
    file, title, said = map(as_github_reads_it, match.groups())
    assert (file, title, said) == ((Path("/root") / f"{name}.py").as_posix(), f"t.py::{name}", message or "m")


def test_what_is_expected_or_undecided_is_no_error() -> None:
    check = {"nodeid": "t.py::a", "name": "f", "worst": None, "message": "m"}
    known = {**check, "verdict": "fail", "xfail": "known"}
    undecided = {**check, "verdict": "inconclusive", "xfail": None}
    assert commands([known, undecided], [], Path("/root"), None) == []


def test_only_the_worst_are_shown() -> None:
    checks = [
        {
            "nodeid": f"t.py::{i}",
            "name": "f",
            "verdict": "fail",
            "xfail": None,
            "worst": {"margin": float(i)},
            "message": "m",
        }
        for i in range(30)
    ]
    lines = commands(checks, [], Path("/root"), None)
    assert len(lines) == 10
    assert "t.py%3A%3A29" in lines[0]
