"""The report as Markdown: for a step summary of a CI service, a pull request, or a file.

User data is escaped, or fenced with more backticks than it contains, so no name or value can change the page
around it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_gradcheck.records.inconclusive import in_words
from pytest_gradcheck.records.record import Record, backward_place, margin, seconds
from pytest_gradcheck.reports.ranking import badge, headline, standing, worst_first

#: GitHub rejects a step summary of more than 1 MiB entirely.
MOST_BYTES = 900_000

#: Share of one message; an input of 10,000 numbers is in full in the JSON report.
MOST_CHARACTERS = 20_000

_CHECKS = """\
| verdict | test | function | culprit | diagnosis | margin | examples | time |
| --- | --- | --- | --- | --- | ---: | ---: | ---: |"""
_GRADIENTS = """\
| gradient | backward at | run | tests |
| --- | --- | --- | ---: |"""

_SIGNS = {
    "fail": "❌ fail",
    "xfail": "❎ expected fail",
    "inconclusive": "❔ inconclusive",
    "test-failed": "❌ test failed",
    "pass": "✅ pass",
}


def render(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown text, of at most a megabyte."""
    text = ""
    # Messages are dropped before rows: every check keeps its row while there is room.
    for limits in ({}, {"messages": 0}, *({"messages": 0, "rows": rows} for rows in (1000, 100, 10, 0))):
        text = "\n\n".join(_blocks(report, **limits)) + "\n"
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _blocks(report: Mapping[str, Any], messages: int = 50, rows: int | None = None) -> Iterator[str]:
    """Yield the blocks of the page."""
    yield "## Gradient checks"
    yield f"**{_text(headline(report['summary']))}**"
    for rule in report.get("gate", ()):
        yield f"🚫 **{_text(rule['rule'])}**: {_text(rule['found'])}; {_text(rule['remedy'])}"
    checks = worst_first(report["checks"])
    doubtful = [check for check in checks if standing(check) != "pass"]
    if doubtful:
        yield from _table(_CHECKS, [*map(_cells, doubtful)], rows)
        for check in doubtful[:messages]:
            yield from _message(check)
        yield from _left_out(len(doubtful), messages, "messages")
    passed = [check for check in checks if standing(check) == "pass"]
    if passed:
        yield f"<details>\n<summary>{len(passed)} passed</summary>"
        yield from _table(_CHECKS, [*map(_cells, passed)], rows)
        yield "</details>"
    yield from _coverage(report.get("coverage") or {}, rows)
    packages = report["environment"]["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    yield f"<sub>{_text('Python ' + report['environment']['python'] + ', ' + versions)}</sub>"


def _table(head: str, cells: Sequence[Sequence[str]], most: int | None) -> Iterator[str]:
    yield "\n".join([head, *(f"| {' | '.join(row)} |" for row in cells[:most])])
    yield from _left_out(len(cells), most, "rows")


def _cells(check: Record) -> list[str]:
    return [
        _SIGNS[standing(check)] + badge(check),
        _code(check["nodeid"]),
        _code(check["name"]),
        check["culprit"] or "",
        f"{_text(check['diagnosis']['text'])} {_code(check['diagnosis']['code'])}",
        f"{margin(check):.3g}" if check["worst"] is not None else "",
        _text(in_words(check)) or str(check["examples"]),
        f"{seconds(check):.2f} s",
    ]


def _coverage(coverage: Mapping[str, Any], rows: int | None) -> Iterator[str]:
    if not coverage:
        return
    covered, total = coverage["covered"], coverage["total"]
    yield f"### {covered} of {total} hand-written gradients were run by a check that passed"
    cells = []
    for gradient in sorted(coverage["gradients"], key=lambda gradient: "backward" in gradient["ran"]):
        ran = ", ".join(gradient["ran"]) or ("❌ not run" if gradient["imported"] else "❌ not imported")
        place = _code(backward_place(gradient))
        cells.append([_code(gradient["name"]), place, ran, str(len(gradient["tests"]))])
    for gradient in coverage.get("excluded", ()):
        why, place = f"excluded: {gradient['excluded']}", _code(backward_place(gradient))
        cells.append([_code(gradient["name"]), place, _text(why), ""])
    yield from _table(_GRADIENTS, cells, rows)


def _message(check: Record) -> Iterator[str]:
    # An HTML block extends to the next empty line, and Markdown does not change it.
    shown = html.escape(_flat(check["nodeid"] + ": " + check["name"]))
    yield f"<details>\n<summary><code>{shown}</code></summary>"
    text = check.get("message") or f"{check['diagnosis']['text']} [{check['diagnosis']['code']}]"
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n… in full in the JSON report"
    yield "\n".join(fenced(text, "text"))
    if check["reproduce"] and len(check["reproduce"]) <= MOST_CHARACTERS:
        yield "\n".join(fenced(check["reproduce"], "python"))
    yield "</details>"


def fenced(text: str, language: str) -> list[str]:
    """Return the text as a code block, whatever backticks it has."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    # Markdown treats a carriage return as a line break, and ignores other control characters.
    clean = re.sub(r"[^\S\n]|[\x00-\x08\x0e-\x1f\x7f]", " ", text)
    return [f"{fence}{language}", *clean.split("\n"), fence]


def _left_out(number: int, limit: int | None, what: str) -> Iterator[str]:
    if limit is not None and number > limit:
        yield f"{number - limit} more {what} are in the JSON report."


def _code(text: str) -> str:
    """Return the text as a code span, in which nothing is markup, that may stand in a table."""
    flat = _flat(text).replace("|", "\\|")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    room = " " if flat.startswith("`") or flat.endswith("`") or not flat else ""
    return f"{ticks}{room}{flat}{room}{ticks}"


def _text(text: str) -> str:
    """Return one line of text in which nothing is markup."""
    flat = _flat(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"[\\`*_{}\[\]()#+!|~$]", r"\\\g<0>", flat)


def _flat(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", str(text)).split())
