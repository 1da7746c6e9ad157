"""Sections for the report of pytest-html, added to those of each test, as escaped HTML.

pytest-html inserts them unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pytest_gradcheck.records.inconclusive import in_words
from pytest_gradcheck.records.record import Record, Stopped, margin, seconds
from pytest_gradcheck.reports.ranking import headline, standing, worst_first
from pytest_gradcheck.reports.terminal import coverage_lines

#: What pytest-html shows for a test that passed without output.
NOTHING = "No log output captured."


def of_test(records: Sequence[Record], shown: str) -> list[str]:
    """Return a section for each check of a test, without messages that the test's failure shows already."""
    return [
        escape("\n".join([f" gradcheck: {record['name']} ".center(80, "-"), *_lines(record, shown)])) + "\n"
        for record in worst_first(records)
    ]


def of_session(summary: Mapping[str, int], coverage: Mapping[str, Any], broken: Iterable[str]) -> list[str]:
    """Return paragraphs for the top of the page: the summary of all checks, and the violated rules."""
    lines = [headline(summary), *coverage_lines(coverage, quiet=False), *broken]
    return [f"<p>gradcheck: {escape(line.strip())}</p>" for line in lines]


def _lines(record: Record, shown: str) -> Iterator[str]:
    yield f"{standing(record)}: {record['diagnosis']['text']} [{record['diagnosis']['code']}]"
    if record["xfail"]:
        yield f"expected: {record['xfail']}"
    yield f"examples: {record['examples']}, in {seconds(record):.2f} s"
    if record["inconclusive_examples"]:
        yield in_words(record)
    if record["stopped"]:
        yield str(Stopped(**record["stopped"]))
    if record["worst"] is not None:
        yield f"margin: {margin(record):.3g} of the tolerance"
    yield from (f"{name}: {_method(method)}" for name, method in record["methods"].items())
    # The last line of a failure is the one to paste, and differs between the two.
    message = record["message"].splitlines()
    if record["verdict"] != "pass" and "\n".join(message[:3]) not in shown:
        yield from message


def _method(method: Mapping[str, Any]) -> str:
    if method["status"] == "ok":
        return f"{method['evaluations']} evaluations"
    return f"{method['status']} ({method['reason']})"
