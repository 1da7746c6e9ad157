"""The Markdown report: what it says, and that nothing from outside becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sample_results import PROOF, result

from pytest_gradcheck.core.results import Diagnosis
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.report import build
from pytest_gradcheck.reports import markdown, write_report
from pytest_gradcheck.reports.ranking import worst_first

TAGS = {
    "h2",
    "p",
    "strong",
    "sub",
    "code",
    "pre",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


class Page(HTMLParser):
    """The tags, attributes and text of a rendered page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(source))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {f"{name}={value}" for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def report(*named: tuple[str, Any], gate: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    recorder, aggregate = ResultBuffer(), Aggregate()
    for nodeid, one in named:
        recorder.add(nodeid, one)
    aggregate.take(recorder.drain({"path": "t.py", "line": 3}))
    return build(aggregate.checks(), aggregate.unchecked(), gate)


def flat(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def test_the_worst_comes_first_and_every_verdict_is_there() -> None:
    text = markdown.render(
        report(
            ("t.py::good", result("pass", margin=0.1)),
            ("t.py::near", result("pass", margin=0.9)),
            ("t.py::open", result("inconclusive")),
            ("t.py::bad", result("fail", margin=9.0)),
            ("t.py::worse", result("fail", margin=99.0)),
            gate=({"rule": "fail-under", "found": "3 of 5 passed", "remedy": "95 % takes 5"},),
        )
    )
    rows = re.findall(r"^\| (.*?) \| `t\.py::(\w+)`", text, re.MULTILINE)
    assert rows == [
        ("❌ fail", "worse"),
        ("❌ fail", "bad"),
        ("❔ inconclusive", "open"),
        ("✅ pass", "near"),
        ("✅ pass", "good"),
    ]
    page = Page(text)
    assert set(page.tags) <= TAGS
    assert "5 gradient checks: 2 passed, 2 failed, 1 inconclusive" in page.text
    assert "fail-under: 3 of 5 passed; 95 % takes 5" in page.text
    assert page.text.count("wrong gradient: f") == 2


def test_what_is_proved_has_a_badge() -> None:
    proved = ("t.py::a", result("fail", proofs=(PROOF,))), ("t.py::b", result("pass", proofs=(PROOF,)))
    text = markdown.render(report(*proved, ("t.py::c", result("fail", margin=0.1))))
    rows = re.findall(r"^\| (.*?) \| `t\.py::(\w+)`", text, re.MULTILINE)
    assert rows == [("❌ fail, proved", "a"), ("❌ fail", "c"), ("✅ pass, proved", "b")]


def test_a_check_without_a_worst_entry_has_no_margin() -> None:
    rows = Page(markdown.render(report(("t.py::a", result("inconclusive", worst=None))))).text.splitlines()
    assert rows[rows.index("t.py::a") + 4] == ""


def test_what_needs_attention_comes_first() -> None:
    named = [("expected", "fail"), ("passed", "pass"), ("open", "inconclusive"), ("failed", "fail")]
    checks = report(*[(name, result(verdict, margin=5.0)) for name, verdict in named])["checks"]
    checks.append({**checks[0], "nodeid": "near", "verdict": "pass", "worst": {"margin": "inf"}})
    for check in checks:
        check["xfail"] = "known" if check["nodeid"] == "expected" else None
    assert [check["nodeid"] for check in worst_first(checks)] == [
        "failed",
        "expected",
        "open",
        "near",
        "passed",
    ]


def test_without_checks_there_is_a_report_all_the_same() -> None:
    assert "0 gradient checks" in Page(markdown.render(report())).text


PIECES = (
    "|", "||", "`", "``", "```", "~~~", "<script>", "</code>", "</details>", "<!--", "&lt;", "\n", "\r",
    "\x85", "\u2028",
    "**", "_", "[a](b)", "![", "\\", "# ", "- ", "$x$", "é", "  ",
)  # fmt: skip
anything = st.text(max_size=20) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@example("`", "|", "a\\|b")
@example(
    "```\n<script>alert(1)</script>\n```", "</summary></details><img src=x onerror=alert(1)>", "| a | b |"
)
@given(anything, anything, anything)
def test_no_text_becomes_markup(name: str, nodeid: str, said: str) -> None:
    nodeid = "t.py::" + nodeid
    one = result("fail", name=name, diagnosis=Diagnosis("a-code", said), reproduce=said, inputs={"x": said})
    other = result("pass", name=name, diagnosis=Diagnosis("a-code", said))
    data = report((nodeid, one), (nodeid + "2", other))
    page = Page(markdown.render(data))
    plain = Page(
        markdown.render(report(("t.py::a", result("fail", reproduce="r")), ("t.py::b", result("pass"))))
    )
    assert set(page.tags) == set(plain.tags)
    assert page.tags.count("tr") == plain.tags.count("tr")
    assert page.tags.count("details") == plain.tags.count("details")
    assert page.attributes <= {"class=language-text", "class=language-python", "style=text-align:right"}
    kept = data["checks"][0]["name"]
    assert flat(kept) in flat(page.text)


@example("*a*")
@example("~a~ _b_ [c](d)")
@given(anything)
def test_a_rule_is_plain_text(text: str) -> None:
    def page(said: str) -> Page:
        return Page(markdown.render(report(gate=({"rule": "fail", "found": said, "remedy": "m"},))))

    found = page(text)
    assert found.tags == page("plain").tags
    assert f"fail: {flat(text)}; m" in flat(found.text)


@example("a\n```\n<b>x</b>")
@example("a\n````\n<b>x</b>")
@given(anything)
def test_a_fence_holds_any_text(text: str) -> None:
    page = Page("\n".join(markdown.fenced(text, "text")))
    assert page.tags == ["pre", "code"]
    assert page.text.split() == re.sub(r"[\x00-\x1f\x7f]", " ", text).split()


def test_a_long_message_is_cut() -> None:
    data = report(("t.py::a", result("fail")))
    data["checks"][0]["message"] = "x" * 30_000
    text = markdown.render(data)
    assert "x" * markdown.MOST_CHARACTERS in text
    assert "x" * (markdown.MOST_CHARACTERS + 1) not in text
    assert "… in full in the JSON report" in text


def test_what_was_not_imported_is_told_from_what_was_not_run() -> None:
    gradient = {"name": "mine.A", "path": "mine.py", "line": 1, "backward_line": 2, "ran": [], "tests": []}
    gradients = [{**gradient, "imported": True}, {**gradient, "imported": False}]
    covered = {"packages": ["mine"], "covered": 0, "total": 2, "gradients": gradients}
    text = markdown.render({**report(), "coverage": covered})
    assert text.count("❌ not run") == text.count("❌ not imported") == 1


def test_a_report_of_a_thousand_failures_stays_below_what_services_take() -> None:
    long = "x" * 50_000
    many = [(f"t.py::test_{i}", result("fail", reproduce=long)) for i in range(1000)]
    text = markdown.render(report(*many))
    assert len(text.encode()) <= markdown.MOST_BYTES
    assert text.count("❌ fail") == 1000
    assert "more messages are in the JSON report" in text


def test_a_report_stays_below_it_however_long_its_names_are() -> None:
    long = "🦊" * 1500
    data = report(*[(f"t.py::test_{long}[{i}]", result(("pass", "fail")[i % 2])) for i in range(300)])
    gradient = {
        "name": long,
        "path": long,
        "line": 1,
        "backward_line": 2,
        "ran": [],
        "imported": True,
        "tests": [],
    }
    data["coverage"] = {"packages": [long], "covered": 0, "total": 300, "gradients": [gradient] * 300}
    text = markdown.render(data)
    assert len(text.encode()) <= markdown.MOST_BYTES
    assert text.count("140 more rows are in the JSON report") == 2
    assert text.count("290 more rows are in the JSON report") == 1


@pytest.mark.parametrize("before", ["", "# Mine", "# Mine\r\n\r\n", "\udcff"])
def test_appending_keeps_what_is_there(tmp_path: Path, before: str) -> None:
    path = tmp_path / "summary"
    path.write_bytes(before.encode("utf-8", "surrogateescape"))
    data = report(("t.py::a", result()))
    write_report("markdown-append", path, data)
    write_report("markdown-append", path, data)
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    assert text.startswith(before)
    assert text.count("## Gradient checks") == 2
    assert re.findall(r"^## .*", text, re.MULTILINE) == ["## Gradient checks"] * 2


def test_appending_to_no_file_makes_one(tmp_path: Path) -> None:
    write_report("markdown-append", tmp_path / "new", report())
    assert (tmp_path / "new").read_text(encoding="utf-8").startswith("## Gradient checks")


def test_a_bar_in_a_name_ends_no_cell() -> None:
    text = markdown.render(report(("t.py::a[x|y]", result("fail", name="f|g"))))
    row = next(line for line in text.splitlines() if line.startswith("| ❌ fail"))
    cells = re.split(r"(?<!\\)\|", row)[1:-1]
    assert len(cells) == 8
    assert [cell.strip() for cell in cells[1:3]] == ["`t.py::a[x\\|y]`", "`f\\|g`"]
