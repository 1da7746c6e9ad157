"""Results made by hand, for tests of what is made from results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_gradcheck.core.results import (
    CheckResult,
    Diagnosis,
    MethodResult,
    NotChecked,
    Pair,
    Place,
    Proof,
    Status,
    Verdict,
    Worst,
)
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.report import build

#: What means something to one format or another.
PIECES = (
    "]]>", "</script>", "<script>alert(1)</script>", "<!--", "-->", "<![CDATA[", "<img src=x onerror=y>",
    "</td></tr></table>", "</details>", "&lt;", "&", '"', "'", "|", "||", "\\|", "\\", "`", "``", "```",
    "\n", "\r", "\r\n", "\n\n", "\t", "\x00", "\x1b[31m", "\x1b]8;;http://a\x07", "\x7f", "\x85", "\x9b",
    "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "\ud800", "\udfff", "\udcff", "🦊", "é", "e\u0301",
    "\u202e", "\u200b", "**", "_", "[a](b)", "![", "# ", "- ", "1. ", "$x$", ":::", "@everyone", "#1", "{}",
    "%s", "%0A", "::error::", "${x}", "{{x}}", "javascript:", "  ", "NaN", "null", "a", "0",
)  # fmt: skip

PLACE = Place("x", (0, 1), "output", ())

PROOF = Proof(PLACE, "0.1234567890123456789012345", "1.2e-26")


def result(verdict: str = "pass", *, margin: float = 0.5, name: str = "f", **changes: Any) -> CheckResult:
    worst = Worst(PLACE, {"central": 1.0, "user": 1.0 + margin}, {"central": 0.0, "user": 0.0}, margin, 1.0)
    fields: dict[str, Any] = {
        "name": name,
        "verdict": Verdict(verdict),
        "culprit": "user" if verdict == "fail" else None,
        "methods": {
            "central": MethodResult(Status.OK, evaluations=4, seconds=0.25, calls=2),
            "user": MethodResult(Status.OK, evaluations=1, seconds=0.5),
            "torch": MethodResult(Status.UNAVAILABLE, "torch is not installed"),
        },
        "pairs": (Pair("central", "user", margin, margin, PLACE, 1.0, verdict != "fail"),),
        "worst": worst,
        "diagnosis": Diagnosis("wrong-values" if verdict == "fail" else "agree", "what was found"),
        "not_checked": (NotChecked("n", "an integer"),),
        "inputs": {} if verdict == "pass" else {"x": "np.array([1.0, 2.0])"},
    }
    return CheckResult(**{**fields, **changes})


def report(
    *named: tuple[str, CheckResult],
    marked: Iterable[str] = (),
    xfail: Iterable[tuple[str, str]] = (),
    **parts: Any,
) -> dict[str, Any]:
    """Return the report of a session in which tests, by their nodeids, had these results.

    ``xfail`` are nodeids and the reasons for which their failures are expected.
    """
    recorder, aggregate = ResultBuffer(), Aggregate()
    for nodeid, one in named:
        recorder.add(nodeid, one)
    aggregate.take(recorder.drain({"path": "t.py", "line": 3}))
    for nodeid in marked:
        aggregate.mark(nodeid)
    for nodeid, reason in xfail:
        aggregate.expect_failure(nodeid, reason or "no reason given")
    return build(aggregate.checks(), aggregate.unchecked(), **parts)
