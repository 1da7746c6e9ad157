"""The texts of the terminal, from results alone."""

from __future__ import annotations

import pytest
from sample_results import report, result

from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.reports.terminal import colour, summary_lines, whole_report

SUMMARY = dict.fromkeys(("checks", "pass", "fail", "inconclusive", "test_failed", "not_checked"), 0)


def test_summary() -> None:
    recorder, aggregate = ResultBuffer(), Aggregate()
    recorder.add("t.py::slow", result(margin=0.1))
    recorder.add("t.py::slow", result(margin=0.1))
    recorder.add("t.py::close", result(margin=0.9))
    recorder.add("t.py::open", result("inconclusive", worst=None))
    aggregate.take(recorder.drain())
    aggregate.mark("t.py::skipped")
    checks, summary = aggregate.checks(), aggregate.summary()
    first = "3 gradient checks: 2 passed, 1 inconclusive; marked tests in which nothing was checked: 1"
    assert summary_lines(checks, summary, ["written"], quiet=False) == [
        first,
        "closest to failing: 90 % of the tolerance, t.py::close",
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
    assert lines[1] == "closest to failing: 90 % of the tolerance, t.py::b"
    open_ = report(("t.py::a", result("inconclusive", worst=None)))["checks"]
    lines = summary_lines(open_, {**SUMMARY, "checks": 1, "inconclusive": 1}, [], quiet=False)
    assert [line.partition(":")[0] for line in lines[1:]] == ["slowest", "inconclusive"]


@pytest.mark.parametrize(
    ("margin", "text"),
    [(0.86, "86 %"), (0.9999, "99 %"), (0.012, "1 %"), (1e-9, "less than 1 %"), (0.0, "less than 1 %")],
)
def test_how_close_a_pass_comes_to_failing(margin: float, text: str) -> None:
    named = (("t.py::a", result(margin=margin)), ("t.py::b", result("fail", margin=7.0)))
    for xfail in ([], [("t.py::b", "since May")]):
        lines = summary_lines(report(*named, xfail=xfail)["checks"], SUMMARY, [], quiet=False)
        assert lines[1] == f"closest to failing: {text} of the tolerance, t.py::a"
    lines = summary_lines(report(named[1])["checks"], SUMMARY, [], quiet=False)
    assert not any(line.startswith("closest") for line in lines)


def test_of_many_stopped_searches_the_first_are_named() -> None:
    checks = report(*[(f"t.py::{k}", result()) for k in range(8)])["checks"]
    for check in checks:
        check["stopped"] = {"after": 3, "of": 9, "max_seconds": 1.0, "failed": False}
    lines = summary_lines(checks, {**SUMMARY, "checks": 8, "pass": 8}, [], quiet=False)
    assert lines[0] == "8 gradient checks: 8 passed; stopped by max_seconds: 8"
    assert sum(line.startswith("stopped after 3 of 9 examples") for line in lines) == 5
    assert lines[-1] == "and 3 more stopped; the report lists them"


def test_a_whole_report_has_what_did_not_pass() -> None:
    named = (("t.py::a", result("fail")), ("t.py::b", result()), ("t.py::c", result("inconclusive")))
    lines = whole_report(report(*named, xfail=[("t.py::a", "since May")]))
    assert lines[0] == "3 gradient checks: 1 passed, 1 inconclusive, 1 failed as expected"
    assert [line for line in lines if line.startswith("t.py")] == ["t.py::a (expected: since May)", "t.py::c"]
    assert "wrong gradient: f" in lines


@pytest.mark.parametrize(
    ("seconds", "calls", "examples", "hint"),
    [
        (40.0, 2000, 100, "; 20 ms a call: try max_seconds= or an oracle"),
        (40.0, 2000, 1, "; 20 ms a call: try an oracle"),
        (40.0, 20000, 100, ""),
        (4.0, 200, 100, ""),
    ],
)
def test_a_slow_function_gets_a_hint(seconds: float, calls: int, examples: int, hint: str) -> None:
    (check,) = report(("t.py::a", result("pass")))["checks"]
    method = {"status": "ok", "reason": None, "evaluations": calls, "calls": calls, "seconds": seconds}
    slow = {**check, "methods": {"central": method}, "examples": examples}
    summary = Aggregate().summary() | {"checks": 1, "pass": 1}
    (line,) = [text for text in summary_lines([slow], summary, [], quiet=False) if text.startswith("slowest")]
    assert line.endswith(f", t.py::a{hint}")


def test_the_colour_of_the_summary() -> None:
    failed, open_, good = (
        report(("t.py::a", result(v)))["checks"][0] for v in ("fail", "inconclusive", "pass")
    )
    assert colour([good]) == "green"
    assert colour([good, open_]) == "yellow"
    assert colour([good, open_, failed]) == "red"
    assert colour([good, {**failed, "xfail": "known"}]) == "green"
