"""The order in which reports list checks, and the summary in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_gradcheck.records.record import Record, count, margin, passed

_ORDER = ("fail", "xfail", "inconclusive", "test-failed", "pass")


def standing(check: Mapping[str, Any]) -> str:
    """Return the verdict, or ``xfail`` for a failure that is expected.

    ``test-failed`` is a check that passed, in a test that failed for another reason.
    """
    expected = check["verdict"] == "fail" and check.get("xfail")
    if check["verdict"] == "pass" and not passed(check):
        return "test-failed"
    return "xfail" if expected else str(check["verdict"])


def badge(check: Mapping[str, Any]) -> str:
    """Return the suffix of a verdict: ``, proved`` if the derivative is proved, else nothing."""
    return ", proved" if check.get("proved") else ""


def worst_first(checks: Iterable[Record]) -> list[Record]:
    """Sort by what needs attention: failures, expected ones, inconclusive ones, passes by margin."""
    return sorted(checks, key=lambda c: (_ORDER.index(standing(c)), -margin(c), c["nodeid"], c["name"]))


def headline(summary: Mapping[str, int]) -> str:
    """Return the summary as a sentence: ``40 gradient checks: 37 passed, 2 failed, 1 inconclusive``."""
    expected = summary.get("expected", 0)
    numbers = {
        "passed": summary["pass"],
        "failed": summary["fail"] - expected,
        "inconclusive": summary["inconclusive"],
        "failed as expected": expected,
    }
    counts = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
    text = f"{count(summary['checks'], 'gradient check')}{': ' + counts if counts else ''}"
    if summary.get("test_failed"):
        text += f"{', ' if counts else ': '}{summary['test_failed']} in tests that failed otherwise"
    if summary["not_checked"]:
        text += f"; marked tests in which nothing was checked: {summary['not_checked']}"
    return text
