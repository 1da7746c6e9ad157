"""What a person reads in the terminal: the message of a failed check, and the summary."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.core.results import CheckResult, GradientMismatch
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.plugin.search import Stopped
from pytest_gradcheck.records.aggregate import backward_place, called, margin, seconds
from pytest_gradcheck.reports.ranking import headline, worst_first

#: A message that is longer than this is not read.
MAX_LINES = 25

#: As many checks are listed that were inconclusive, and that were stopped by their time budget.
MAX_LISTED = 5


class _Shown(Exception):  # noqa: N818  never raised: it carries a text into pytest's own report
    """The text that stands for an exception."""


def shorten(
    report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException], path: Path, *, marked: bool
) -> None:
    """Let the report of a test that a wrong gradient failed show the message and nothing else.

    The traceback leads through Hypothesis and the checker, neither of which is what is wrong.
    """
    message = failure_message(excinfo.value, marked=marked)
    if message is None:
        return
    if not marked:
        calls = [entry for entry in excinfo.traceback if entry.path == path]
        if calls:
            message = "\n".join(
                _cut([*message.splitlines(), f"  called at: {path.name}:{calls[-1].lineno + 1}"])
            )
    shown = pytest.ExceptionInfo.from_exception(_Shown(message).with_traceback(excinfo.tb))
    text = shown.getrepr(style="value", chain=False)
    if text.reprcrash is not None:
        # pytest's short summary shows this, in CI in full: once is enough.
        text.reprcrash.message = message.partition("\n")[0]
    report.longrepr = text


def expand(report: pytest.TestReport, error: BaseException) -> None:
    """Add all that the failed checks know to a report that shows everything else already."""
    from pytest_gradcheck.core.results import render

    found = [render(leaf.result, full=True) for leaf in _leaves(error) if isinstance(leaf, GradientMismatch)]
    if found:
        report.sections.append(("gradcheck", "\n".join(found)))


def failure_message(error: BaseException, *, marked: bool) -> str | None:
    """Return the message of a test that failed by a wrong gradient or use, or None for any other error.

    For a marked test the falsifying input is shown as the line that makes Hypothesis try it again.
    """
    leaves = _leaves(error)
    if marked and isinstance(error, InvalidArgument):
        return str(error)
    if marked and leaves == [error] and type(error).__module__.startswith("hypothesis."):
        # Hypothesis speaks of the test as a whole; the line that called it is the checker's, not the test's.
        return f"{type(error).__name__}: {error}"
    if not any(isinstance(leaf, GradientMismatch) for leaf in leaves):
        return None
    lines = [] if leaves == [error] else [str(error.args[0]) if error.args else type(error).__name__]
    tails: list[str] = []
    # Of several failures those that say who is wrong come first: the others are mostly the same mistake.
    for leaf in sorted(leaves, key=_names_nobody):
        if isinstance(leaf, GradientMismatch):
            lines += _mismatch(leaf.result, marked)
            continue
        first = next(iter(str(leaf).splitlines()), "")
        tails.append(f"also: {type(leaf).__name__}: {first} (-vv shows its traceback)")
    return "\n".join(_cut(lines, MAX_LINES - min(len(tails), 3)) + tails[:3])


def _names_nobody(error: BaseException) -> bool:
    return isinstance(error, GradientMismatch) and error.result.culprit is None


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
    worst = max(checks, key=margin)
    if worst["worst"] is not None:
        lines.append(f"worst margin: {margin(worst):.3g} of the tolerance, {_where(worst)}")
    slowest = max(checks, key=seconds)
    lines.append(f"slowest: {seconds(slowest):.2f} s for {_examples(slowest)}, {_where(slowest)}")
    open_ = [check for check in checks if check["verdict"] == "inconclusive"]
    lines += _listed(
        [f"inconclusive: {called(c['nodeid'], c['name'])} [{c['diagnosis']['code']}]" for c in open_],
        "inconclusive",
    )
    lines += _listed([f"{Stopped(**check['stopped'])}, {_where(check)}" for check in stopped], "stopped")
    lines += written
    return lines


def _listed(lines: Sequence[str], what: str) -> list[str]:
    more = len(lines) - MAX_LISTED
    return [*lines[:MAX_LISTED], *([f"and {more} more {what}; the report lists them"] if more > 0 else [])]


def properties(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, object]]:
    """Return what the checks of one test came to, as properties of the test: ``gradcheck.verdict`` and so on.

    Where a test makes several checks the name of the function stands in brackets.
    """
    found: list[tuple[str, object]] = []
    for record in records:
        # pytest makes the values fit for XML, and takes the names as they are.
        of = f"[{_fit_for_xml(record['name'])}]" if len(records) > 1 else ""
        values = {
            "verdict": record["verdict"],
            "culprit": record["culprit"],
            "diagnosis": record["diagnosis"]["code"],
            "margin": f"{margin(record):.3g}" if record["worst"] is not None else None,
            "examples": record["examples"],
        }
        found += [(f"gradcheck.{key}{of}", value) for key, value in values.items() if value is not None]
    return found


def _fit_for_xml(text: str) -> str:
    """Return the text with characters that XML 1.0 (2.2) cannot hold written as pytest writes them."""
    allowed = "\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
    return re.sub(f"[^{allowed}]", lambda sign: f"#x{ord(sign[0]):02X}", text)


def coverage_lines(coverage: Mapping[str, Any], *, quiet: bool) -> list[str]:
    """Return what was run of the hand-written gradients, and the place of each backward that was not."""
    if not coverage:
        return []
    packages, total = ", ".join(coverage["packages"]), coverage["total"]
    if not total:
        return [f"hand-written gradients of {packages}: none found"]
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
    return lines


def whole_report(report: Mapping[str, Any]) -> list[str]:
    """Return a report as text: what it comes to, and the message of every check that did not pass."""
    lines = [headline(report["summary"])]
    lines += [
        f"gradcheck: {rule['rule']}: {rule['found']}; {rule['remedy']}" for rule in report.get("gate", ())
    ]
    lines += coverage_lines(report.get("coverage") or {}, quiet=False)
    for check in worst_first(report["checks"]):
        if check["verdict"] == "pass":
            break
        expected = f" (expected: {check['xfail']})" if check["xfail"] else ""
        said = check.get("message") or f"{check['diagnosis']['text']} [{check['diagnosis']['code']}]"
        lines += ["", f"{check['nodeid']}{expected}", *said.splitlines()]
    return lines


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _mismatch(result: CheckResult, marked: bool) -> list[str]:
    if not (marked and result.inputs):
        return str(result).splitlines()
    from pytest_gradcheck.core.results import pasteable

    example = ", ".join(f"{name}={pasteable(source)}" for name, source in result.inputs.items())
    # The line to paste says the input once and to the last bit, so that nothing else needs to.
    text = str(dataclasses.replace(result, inputs={}, reproduce=""))
    return [*_cut(text.splitlines(), MAX_LINES - 1), f"  try again: @example({example})"]


def _cut(lines: list[str], limit: int = MAX_LINES) -> list[str]:
    if len(lines) <= limit:
        return lines
    # The last line is the one to paste.
    return [*lines[: limit - 2], f"  ... {len(lines) - limit + 1} more lines; -vv shows them", lines[-1]]


def _where(check: Mapping[str, Any]) -> str:
    return str(check["nodeid"])


def _examples(check: Mapping[str, Any]) -> str:
    number = check["examples"]
    return f"{number} example{'' if number == 1 else 's'}"
