"""The texts of the terminal, from results alone."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest
from _pytest.junitxml import bin_xml_escape
from hypothesis import given
from hypothesis import strategies as st
from sample_results import report, result

from pytest_gradcheck.core.results import GradientMismatch, MethodResult, Status
from pytest_gradcheck.records.aggregate import Aggregate, Recorder
from pytest_gradcheck.reports.terminal import (
    MAX_LINES,
    failure_message,
    properties,
    summary_lines,
    whole_report,
)

SUMMARY = dict.fromkeys(("checks", "pass", "fail", "inconclusive", "not_checked"), 0)
MANY = {
    name: MethodResult(Status.ERROR, "why " * 30)
    for name in ("central", "forward", "reference", "torch", "user")
}


def test_other_errors_have_no_message_of_ours() -> None:
    assert failure_message(ValueError("x"), marked=True) is None
    assert failure_message(ExceptionGroup("g", [ValueError("x")]), marked=False) is None


def test_the_input_is_shown_once_as_the_line_to_paste() -> None:
    found = failure_message(GradientMismatch(result("fail")), marked=True)
    assert found is not None
    assert found.splitlines()[-1] == "  try again: @example(x=np.array([1.0, 2.0]))"
    assert found.count("np.array([1.0, 2.0])") == 1


def test_a_fixture_s_message_is_the_result_s() -> None:
    one = result("fail")
    assert failure_message(GradientMismatch(one), marked=False) == str(one)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_no_message_is_longer_than_it_may_be(marked: bool, count: int) -> None:
    errors: list[Exception] = [GradientMismatch(result("fail", methods=MANY)) for _ in range(count)]
    group = ExceptionGroup(f"{count} failures", [*errors, *(ValueError(str(i)) for i in range(count))])
    for error in (errors[0], group):
        found = failure_message(error, marked=marked)
        assert found is not None
        assert len(found.splitlines()) <= MAX_LINES
        assert "wrong gradient: f" in found


def test_what_is_cut_is_said_and_the_line_to_paste_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_gradcheck.core.results import CheckResult

    monkeypatch.setattr(CheckResult, "__str__", lambda self: "\n".join(map(str, range(100))))
    found = failure_message(GradientMismatch(result("fail")), marked=True)
    assert found is not None
    lines = found.splitlines()
    assert len(lines) == MAX_LINES
    assert lines[-1].startswith("  try again: @example(")
    assert any("more lines; -vv shows them" in line for line in lines)


def test_a_flaky_failure_says_so_first() -> None:
    group = ExceptionGroup("Inconsistent results", [GradientMismatch(result("fail"))])
    found = failure_message(group, marked=True)
    assert found is not None
    assert found.splitlines()[:2] == ["Inconsistent results", "wrong gradient: f"]


def test_of_several_failures_the_one_that_names_a_culprit_comes_first() -> None:
    named = result("fail")
    nobody = dataclasses.replace(named, name="g", culprit=None)
    group = ExceptionGroup("2 failures", [GradientMismatch(nobody), GradientMismatch(named)])
    found = failure_message(group, marked=True)
    assert found is not None
    assert [line for line in found.splitlines() if line.startswith("wrong")] == [
        "wrong gradient: f",
        "wrong gradient: g",
    ]


def test_summary() -> None:
    recorder, aggregate = Recorder(), Aggregate()
    recorder.add("t.py::slow", result(margin=0.1))
    recorder.add("t.py::slow", result(margin=0.1))
    recorder.add("t.py::close", result(margin=0.9))
    recorder.add("t.py::open", result("inconclusive", worst=None))
    aggregate.take(recorder.drain())
    aggregate.mark("t.py::skipped")
    checks, summary = aggregate.checks(), aggregate.summary()
    first = "3 checks: 2 pass, 1 inconclusive; marked tests in which nothing was checked: 1"
    assert summary_lines(checks, summary, ["written"], quiet=False) == [
        first,
        "worst margin: 0.9 of the tolerance, t.py::close",
        "slowest: 1.50 s for 2 examples, t.py::slow",
        "inconclusive: t.py::open: f [agree]",
        "written",
    ]
    assert summary_lines(checks, summary, ["written"], quiet=True) == [first]


def test_the_summary_names_the_nearest_to_failing_wherever_it_is() -> None:
    named = (
        ("t.py::a", result(margin=0.1)),
        ("t.py::b", result(margin=0.9)),
        ("t.py::c", result(margin=0.2)),
    )
    lines = summary_lines(report(*named)["checks"], {**SUMMARY, "checks": 3, "pass": 3}, [], quiet=False)
    assert lines[1] == "worst margin: 0.9 of the tolerance, t.py::b"
    open_ = report(("t.py::a", result("inconclusive", worst=None)))["checks"]
    lines = summary_lines(open_, {**SUMMARY, "checks": 1, "inconclusive": 1}, [], quiet=False)
    assert [line.partition(":")[0] for line in lines[1:]] == ["slowest", "inconclusive"]


def test_of_many_stopped_searches_the_first_are_named() -> None:
    checks = report(*[(f"t.py::{k}", result()) for k in range(8)])["checks"]
    for check in checks:
        check["stopped"] = {"after": 3, "of": 9, "max_seconds": 1.0, "failed": False}
    lines = summary_lines(checks, {**SUMMARY, "checks": 8, "pass": 8}, [], quiet=False)
    assert lines[0] == "8 checks: 8 pass; stopped by max_seconds: 8"
    assert sum(line.startswith("stopped after 3 of 9 examples") for line in lines) == 5
    assert lines[-1] == "and 3 more stopped; the report lists them"


def test_a_whole_report_has_what_did_not_pass() -> None:
    named = (("t.py::a", result("fail")), ("t.py::b", result()), ("t.py::c", result("inconclusive")))
    lines = whole_report(report(*named, xfail=[("t.py::a", "since May")]))
    assert lines[0] == "3 checks: 1 pass, 1 fail, 1 inconclusive"
    assert [line for line in lines if line.startswith("t.py")] == ["t.py::a (expected: since May)", "t.py::c"]
    assert "wrong gradient: f" in lines


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_name_breaks_the_xml(one: str, other: str) -> None:
    recorder = Recorder()
    for name in (one, other):
        recorder.add("t.py::a", result("fail", name=name))
    records = recorder.drain()
    case = ElementTree.Element("testcase")
    for name, value in properties(records):
        # As pytest's own report does it.
        case.append(ElementTree.Element("property", name=str(name), value=bin_xml_escape(value)))
    found = ElementTree.fromstring(ElementTree.tostring(case, encoding="utf-8"))
    assert len(found) == sum(4 + (record["culprit"] is not None) for record in records)
