"""The report as Markdown: for a step summary of a CI service, a pull request, or a file.

What comes from users is escaped or stands in fences longer than any that it holds, so that no name or
value can change the page around it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_gradcheck.records.record import Record, backward_place, margin, seconds
from pytest_gradcheck.reports.ranking import headline, standing, worst_first

#: GitHub refuses a step summary of more than 1 MiB, and shows none of it then.
MOST_BYTES = 900_000

#: What one message may take of that; an input of 10,000 numbers is whole in the JSON report.
MOST_CHARACTERS = 20_000

_SIGNS = {
    "fail": "❌ fail",
    "xfail": "❎ expected fail",
    "inconclusive": "❔ inconclusive",
    "pass": "✅ pass",
}


def render(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown text, of at most a megabyte."""
    text = ""
    # Every check keeps its row as long as there is room; the messages go first.
    for limits in ({}, {"messages": 0}, *({"messages": 0, "rows": rows} for rows in (1000, 100, 10, 0))):
        text = "\n".join(_lines(report, **limits)) + "\n"
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _lines(report: Mapping[str, Any], messages: int = 50, rows: int | None = None) -> Iterator[str]:
    yield "## Gradient checks"
    yield ""
    yield f"**{_text(headline(report['summary']))}**"
    for rule in report.get("gate", ()):
        yield ""
        yield f"🚫 **{_text(rule['rule'])}**: {_text(rule['found'])}; {_text(rule['remedy'])}"
    checks = worst_first(report["checks"])
    doubtful = [check for check in checks if standing(check) != "pass"]
    if doubtful:
        yield ""
        yield from _table(doubtful[:rows])
        yield from _left_out(len(doubtful), rows, "rows")
        for check in doubtful[:messages]:
            yield ""
            yield from _message(check)
        yield from _left_out(len(doubtful), messages, "messages")
    passed = [check for check in checks if standing(check) == "pass"]
    if passed:
        yield ""
        yield "<details>"
        yield f"<summary>{len(passed)} passed</summary>"
        yield ""
        yield from _table(passed[:rows])
        yield from _left_out(len(passed), rows, "rows")
        yield ""
        yield "</details>"
    yield from _coverage(report.get("coverage") or {}, rows)
    packages = report["environment"]["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    yield ""
    yield f"<sub>{_text('Python ' + report['environment']['python'] + ', ' + versions)}</sub>"


def _table(checks: list[Record]) -> Iterator[str]:
    yield "| verdict | test | function | culprit | diagnosis | margin | examples | time |"
    yield "| --- | --- | --- | --- | --- | ---: | ---: | ---: |"
    for check in checks:
        cells = [
            _SIGNS[standing(check)],
            _code(check["nodeid"]),
            _code(check["name"]),
            check["culprit"] or "",
            f"{_text(check['diagnosis']['text'])} {_code(check['diagnosis']['code'])}",
            f"{margin(check):.3g}" if check["worst"] is not None else "",
            str(check["examples"]),
            f"{seconds(check):.2f} s",
        ]
        yield f"| {' | '.join(cells)} |"


def _coverage(coverage: Mapping[str, Any], rows: int | None) -> Iterator[str]:
    if not coverage:
        return
    yield ""
    covered, total = coverage["covered"], coverage["total"]
    yield f"### {covered} of {total} hand-written gradients were run by a check that passed"
    yield ""
    yield "| gradient | backward at | run | tests |"
    yield "| --- | --- | --- | ---: |"
    gradients = sorted(coverage["gradients"], key=lambda gradient: "backward" in gradient["ran"])
    for gradient in gradients[:rows]:
        ran = ", ".join(gradient["ran"]) or ("❌ not run" if gradient["imported"] else "❌ not imported")
        cells = [_code(gradient["name"]), _code(backward_place(gradient)), ran, str(len(gradient["tests"]))]
        yield f"| {' | '.join(cells)} |"
    yield from _left_out(len(gradients), rows, "rows")


def _message(check: Record) -> Iterator[str]:
    yield "<details>"
    # A block of HTML until the next empty line: Markdown leaves it alone.
    yield f"<summary><code>{html.escape(_flat(check['nodeid'] + ': ' + check['name']))}</code></summary>"
    yield ""
    text = check.get("message") or f"{check['diagnosis']['text']} [{check['diagnosis']['code']}]"
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n… whole in the JSON report"
    yield from fenced(text, "text")
    if check["reproduce"] and len(check["reproduce"]) <= MOST_CHARACTERS:
        yield ""
        yield from fenced(check["reproduce"], "python")
    yield ""
    yield "</details>"


def fenced(text: str, language: str) -> list[str]:
    """Return the text as a code block, whatever backticks it has."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    # A carriage return is a line break to Markdown, other control characters are none of its business.
    clean = re.sub(r"[^\S\n]|[\x00-\x08\x0e-\x1f\x7f]", " ", text)
    return [f"{fence}{language}", *clean.split("\n"), fence]


def _left_out(number: int, limit: int | None, what: str) -> Iterator[str]:
    if limit is not None and number > limit:
        yield ""
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
