"""The order in which people want to see the checks of a report, and its summary in one line."""

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
    """Return what to add to a verdict: that the derivative in question is proved, or nothing."""
    return ", proved" if check.get("proved") else ""


def worst_first(checks: Iterable[Record]) -> list[Record]:
    """Sort by what needs attention: failures, expected ones, inconclusive ones, passes by margin."""
    return sorted(checks, key=lambda c: (_ORDER.index(standing(c)), -margin(c), c["nodeid"], c["name"]))


def headline(summary: Mapping[str, int]) -> str:
    """Return the summary as a sentence: ``40 checks: 37 pass, 2 fail, 1 inconclusive``."""
    expected = summary.get("expected", 0)
    by_kind = {**summary, "fail": summary["fail"] - expected, "expected fail": expected}
    kinds = ("pass", "fail", "inconclusive", "expected fail")
    counts = ", ".join(f"{by_kind[kind]} {kind}" for kind in kinds if by_kind[kind])
    text = f"{count(summary['checks'], 'check')}{': ' + counts if counts else ''}"
    if summary.get("test_failed"):
        text += f"{', ' if counts else ': '}{summary['test_failed']} in tests that failed otherwise"
    if summary["not_checked"]:
        text += f"; marked tests in which nothing was checked: {summary['not_checked']}"
    return text
