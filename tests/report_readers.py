"""What every format of a report says, read back by a parser of its own, and held to the format's rules."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
from markdown_it import MarkdownIt

from pytest_gradcheck.records.load import schema

TESTS = Path(__file__).parent
SCHEMA = schema()
# The schema of OASIS as schemastore.org publishes it, without its blanks.
SARIF_SCHEMA = json.loads((TESTS / "reports" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
_REPORT = jsonschema.Draft202012Validator(SCHEMA)
_SARIF = jsonschema.Draft4Validator(SARIF_SCHEMA)

#: A check: its test, its name and how it stands (``xfail`` for a failure that is expected). White space and
#: control characters are one blank each, as in formats for people.
Standing = tuple[str, str, str]

_SIGNS = {
    "❌ test failed": "test-failed",
    "❌ fail": "fail",
    "❎ expected fail": "xfail",
    "❔ inconclusive": "inconclusive",
    "✅ pass": "pass",
}


def standings(name: str, text: str) -> list[Standing]:
    """Return how every check of a report stands, sorted; raises for a text that its format does not allow."""
    text.encode("utf-8")
    return sorted(READERS[name](text))


def strict(text: str) -> Any:
    """Return what JSON says that has no NaN and no infinity, which are not JSON."""

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def flat(text: str) -> str:
    """Return the text on one line."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


class Page(HTMLParser):
    """The elements, attributes, rows of tables and embedded data of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[tuple[str, str, str | None]] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.data: Any = None
        self._inside = ""
        self._cell = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {(tag, *attribute) for attribute in attrs}
        self._inside = dict(attrs).get("id") or ""
        if tag == "tr":
            self.rows.append([])
        self._cell = tag == "td" or (self._cell and tag not in ("tr", "th"))
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self._cell = self._cell and tag not in ("td", "tr", "table")

    def handle_data(self, data: str) -> None:
        if self._inside == "report":
            self.data = strict(data)
            return
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data


def markdown_page(text: str) -> Page:
    """Return Markdown as GitHub renders it: HTML and tables are on."""
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def _standing(check: Any) -> Standing:
    expected = check["verdict"] == "fail" and check["xfail"]
    return flat(check["nodeid"]), flat(check["name"]), "xfail" if expected else check["verdict"]


def _of_the_check(standing: str) -> str:
    """Return the outcome of a check, whatever the outcome of its test."""
    return "pass" if standing == "test-failed" else standing


def _of_json(text: str) -> list[Standing]:
    data = strict(text)
    _REPORT.validate(data)
    return [_standing(check) for check in data["checks"]]


def _of_html(text: str) -> list[Standing]:
    page = Page(text)
    # Browsers end a script at more than what this parser does: there is to be no sign of an end at all.
    embedded = re.search('<script type="application/json" id="report">([^<>&]*)</script>', text)
    assert embedded is not None
    for check in page.data["checks"]:
        assert _of_the_check(check["standing"]) == _standing(check)[2]
    found = [_standing(check) for check in page.data["checks"]]
    # Where no script runs there is a table, with the verdict itself.
    shown = [(flat(row[1]), flat(row[2]), row[0].removesuffix(", proved")) for row in page.rows]
    assert shown == [(*names, "fail" if standing == "xfail" else standing) for *names, standing in found]
    return found


def _of_markdown(text: str) -> list[Standing]:
    # A verdict says if it is proved.
    found = [[row[0].removesuffix(", proved"), *row[1:]] for row in markdown_page(text).rows if row]
    rows = [row for row in found if row[0] in _SIGNS]
    return [(flat(row[1]), flat(row[2]), _of_the_check(_SIGNS[row[0]])) for row in rows]


def _of_sarif(text: str) -> list[Standing]:
    log = strict(text)
    _SARIF.validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    kinds = {("fail", False): "fail", ("fail", True): "xfail", ("open", False): "inconclusive"}
    results = {}
    for found in run["results"]:
        assert rules[found["ruleIndex"]] == found["ruleId"]
        said = found["properties"]
        results[said["nodeid"], said["name"]] = kinds[found["kind"], "suppressions" in found]
    stated = [(v["nodeid"], v["name"], v["verdict"]) for v in run["properties"]["verdicts"]]
    standing = {(n, m): results.get((n, m), "pass") for n, m, _ in stated}
    assert results.keys() <= standing.keys()
    for nodeid, name, verdict in stated:
        assert verdict == {"xfail": "fail"}.get(standing[nodeid, name], standing[nodeid, name])
    return [(flat(nodeid), flat(name), standing[nodeid, name]) for nodeid, name, _ in stated]


READERS = {
    "json": _of_json,
    "html": _of_html,
    "markdown": _of_markdown,
    "markdown-append": _of_markdown,
    "sarif": _of_sarif,
}
