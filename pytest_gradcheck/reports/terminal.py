"""The summary in the terminal, and a whole report as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gradcheck.records.inconclusive import in_words, is_constant
from pytest_gradcheck.records.record import Stopped, backward_place, count, key, margin, seconds, title
from pytest_gradcheck.reports.ranking import headline, worst_first

#: At most so many inconclusive checks, and so many stopped searches, are listed.
MAX_LISTED = 5

#: A hint is given for checks of at least so many seconds whose function takes at least so many per call.
SLOW_SECONDS = 10.0
SLOW_CALL = 0.005


def summary_lines(
    checks: Sequence[Mapping[str, Any]], summary: Mapping[str, int], written: Sequence[str], *, quiet: bool
) -> list[str]:
    """Return the summary of a session in which a check ran; one line if quiet."""
    lines = [headline(summary)]
    stopped = [check for check in checks if check.get("stopped") is not None]
    if stopped:
        lines[0] += f"; stopped by max_seconds: {len(stopped)}"
    if quiet:
        return lines
    measured = [check for check in checks if check["verdict"] == "pass" and check["worst"] is not None]
    if measured:
        closest = max(measured, key=margin)
        lines.append(f"closest to failing: {_percent(margin(closest))} of the tolerance, {closest['nodeid']}")
    slowest = max(checks, key=seconds)
    examples = count(slowest["examples"], "example")
    lines.append(f"slowest: {seconds(slowest):.2f} s for {examples}, {slowest['nodeid']}{_faster(slowest)}")
    inconclusive = [
        f"inconclusive: {title(check['nodeid'], check['name'])} [{check['diagnosis']['code']}]{_share(check)}"
        for check in checks
        if check["verdict"] == "inconclusive"
    ]
    lines += _listed(inconclusive, "inconclusive")
    lines += inconclusive_examples(checks)
    constant = [
        f"constant: {title(*key(check))}"
        for check in checks
        if check["verdict"] == "pass" and is_constant(check)
    ]
    lines += _listed(constant, "constant")
    lines += _listed([f"{Stopped(**check['stopped'])}, {check['nodeid']}" for check in stopped], "stopped")
    return [*lines, *written]


def colour(checks: Sequence[Mapping[str, Any]]) -> str:
    """Return the colour of the summary's first line, as pytest uses colours."""
    if any(check["verdict"] == "fail" and not check.get("xfail") for check in checks):
        return "red"
    return "yellow" if any(check["verdict"] == "inconclusive" for check in checks) else "green"


def _percent(share: float) -> str:
    """Return ``86 %``, rounded down; checks far from failing need no digits."""
    if not math.isfinite(share):
        return "inf %"
    return f"{math.floor(100 * share)} %" if share >= 0.01 else "less than 1 %"


def _faster(check: Mapping[str, Any]) -> str:
    """Return a hint for a slow check whose function takes the time."""
    calls = sum(method["calls"] for method in check["methods"].values())
    each = seconds(check) / max(calls, 1)
    if seconds(check) < SLOW_SECONDS or each < SLOW_CALL:
        return ""
    remedy = "try an oracle" if check["examples"] == 1 else "try max_seconds= or an oracle"
    return f"; {1e3 * each:.0f} ms a call: {remedy}"


def _share(check: Mapping[str, Any]) -> str:
    """Return how many examples made a check inconclusive; empty for a check of one point."""
    words = in_words(check) if check["examples"] > 1 else ""
    return words and f", {words}"


def inconclusive_examples(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line on the inconclusive examples of conclusive checks, if there are any."""
    found = [
        check for check in checks if check["verdict"] != "inconclusive" and check["inconclusive_examples"]
    ]
    if not found:
        return []
    number = sum(check["inconclusive_examples"] for check in found)
    most = max(found, key=lambda check: check["inconclusive_examples"] / check["examples"])
    one = f"{in_words(most)}, {most['nodeid']}"
    if not found[1:]:
        return [one]
    return [
        f"{count(number, 'inconclusive example')} in {count(len(found), 'check')} with a verdict, most: {one}"
    ]


def _listed(lines: Sequence[str], what: str) -> list[str]:
    more = len(lines) - MAX_LISTED
    return [*lines[:MAX_LISTED], *([f"and {more} more {what}; the report lists them"] if more > 0 else [])]


def coverage_lines(coverage: Mapping[str, Any], *, quiet: bool) -> list[str]:
    """Return how many hand-written gradients ran, and the place of each backward that did not."""
    if not coverage:
        return []
    packages, total = ", ".join(coverage["packages"]), coverage["total"]
    left_out = [
        f"  {backward_place(gradient)}: {gradient['name']}: excluded, {gradient['excluded']}"
        for gradient in ([] if quiet else coverage.get("excluded", ()))
    ]
    if not total:
        return [f"hand-written gradients of {packages}: none found", *left_out]
    lines = [
        f"hand-written gradients of {packages}: {coverage['covered']} of {total} run by a check that passed"
    ]
    if quiet:
        return lines
    for gradient in coverage["gradients"]:
        if "backward" not in gradient["ran"]:
            why = "only its forward ran" if gradient["ran"] else "not run"
            why = why if gradient["imported"] else "its module was not imported"
            lines.append(f"  {backward_place(gradient)}: {gradient['name']}: {why}")
    return lines + left_out


def whole_report(report: Mapping[str, Any]) -> list[str]:
    """Return a report as text: its summary, and the message of every check that did not pass."""
    lines = [headline(report["summary"])]
    lines += [f"gradcheck: {r['rule']}: {r['found']}; {r['remedy']}" for r in report.get("gate", ())]
    lines += coverage_lines(report.get("coverage") or {}, quiet=False)
    lines += inconclusive_examples(report["checks"])
    for check in worst_first(report["checks"]):
        if check["verdict"] == "pass":
            break
        expected = f" (expected: {check['xfail']})" if check["xfail"] else ""
        text = check.get("message") or f"{check['diagnosis']['text']} [{check['diagnosis']['code']}]"
        lines += ["", f"{check['nodeid']}{expected}", *text.splitlines()]
    return lines
