"""What holds of every format: it is valid whatever is in it, and of one mind with the others."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from report_readers import Page, flat, markdown_page, standings, strict
from sample_results import PIECES, report, result

from pytest_gradcheck.core.results import (
    Diagnosis,
    HandWritten,
    MethodResult,
    NotChecked,
    Pair,
    Place,
    Property,
    Status,
    Worst,
)
from pytest_gradcheck.records import gradient_coverage
from pytest_gradcheck.reports import FORMATS, rendered

# ---------------------------------------------------------------------------- whatever can be in a report

text = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(st.characters(), max_size=12)
code = st.text("az09-", min_size=1, max_size=5)
number = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308])
index = st.lists(st.integers(0, 10**20), max_size=2).map(tuple)
place = st.builds(Place, text, index, text, index)
method = st.builds(
    MethodResult,
    st.sampled_from(Status),
    st.none() | text,
    evaluations=st.integers(0, 10**20),
    seconds=st.floats(0, 1e6),
    calls=st.integers(0, 9),
)
names = st.sampled_from(["central", "forward", "complex_step", "reference", "torch", "user"])
unknown = st.none() | st.booleans()
worst = st.builds(lambda p, v, d, t: Worst(p, {"user": v}, {"user": d}, d, t), place, number, number, number)
pair = st.builds(Pair, names, names, number, number, place, number, unknown)
line = st.none() | st.integers(1, 9)
ways = st.sets(st.sampled_from(gradient_coverage.WAYS)).map(tuple)
function = st.builds(HandWritten, text, st.none() | text, line, line, ways)
changes = st.fixed_dictionaries(
    {
        "name": text,
        "diagnosis": st.builds(Diagnosis, code, text),
        "inputs": st.dictionaries(text, text, max_size=2),
        "reproduce": text,
    },
    optional={
        "worst": st.none() | worst,
        "pairs": pair.map(lambda one: (one,)),
        "methods": st.dictionaries(names, method, max_size=3),
        "not_checked": st.builds(NotChecked, text, text).map(lambda one: (one,)),
        "properties": st.builds(Property, code, unknown, text, text).map(lambda one: (one,)),
        "functions": function.map(lambda one: (one,)),
        "labels": text.map(lambda one: (one,)),
    },
)
results = st.builds(
    lambda verdict, said: result(verdict, **said), st.sampled_from(["pass", "fail", "inconclusive"]), changes
)
nodeids = text.map(lambda name: f"t.py::{name}")


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, Any]:
    """Reports of a few checks, with rules that were broken, tests that were not checked, and coverage."""
    named = draw(st.lists(st.tuples(nodeids, results), max_size=3))
    xfail = [(nodeid, draw(text)) for nodeid, _ in named if draw(st.booleans())]
    rule = {"rule": "fail", "found": draw(text), "remedy": draw(text)}
    marked = draw(st.lists(nodeids, max_size=1))
    data = report(*named, marked=marked, xfail=xfail, gate=[rule] if draw(st.booleans()) else [])
    if draw(st.booleans()):
        known = [f.to_dict() for _, one in named for f in one.functions]
        found = [{**f, "imported": draw(st.booleans())} for f in known]
        data = report(
            *named, marked=marked, xfail=xfail, coverage=gradient_coverage.build(["p"], found, data["checks"])
        )
    return data


def expected(data: Any) -> list[tuple[str, str, str]]:
    return sorted(
        (flat(c["nodeid"]), flat(c["name"]), "xfail" if c["xfail"] else c["verdict"]) for c in data["checks"]
    )


# All that a page of ours has, whatever is in it.
HTML_TAGS = {
    "html", "head", "meta", "title", "link", "style", "body", "main", "h1", "p", "noscript", "script",
    "table", "tr", "td",
}  # fmt: skip
MARKDOWN_TAGS = {
    "h2", "h3", "p", "strong", "sub", "code", "pre", "details", "summary",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
MARKDOWN_ATTRIBUTES = {
    ("code", "class", "language-text"), ("code", "class", "language-python"),
    ("td", "style", "text-align:right"), ("th", "style", "text-align:right"),
}  # fmt: skip
HTML_ATTRIBUTES = Page(rendered("html", report(("t.py::a", result())))).attributes


# To draw a report takes longer than to render it in every format.
@settings(max_examples=30, deadline=None)
@given(sessions())
def test_every_format_is_valid_without_foreign_markup_and_says_the_same(data: dict[str, Any]) -> None:
    texts = {name: rendered(name, data) for name in FORMATS}
    for name, said in texts.items():
        assert standings(name, said) == expected(data), name
        assert said.endswith("\n"), name
    gradients = data["coverage"].get("gradients", [])
    assert strict(texts["json"])["coverage"] == data["coverage"]
    assert strict(texts["sarif"])["runs"][0]["properties"]["coverage"] == data["coverage"]
    page = Page(texts["html"])
    assert page.data["coverage"] == data["coverage"]
    assert set(page.tags) <= HTML_TAGS
    assert page.tags.count("script") == 2
    assert page.attributes <= HTML_ATTRIBUTES
    page = markdown_page(texts["markdown"])
    assert set(page.tags) <= MARKDOWN_TAGS
    assert page.attributes <= MARKDOWN_ATTRIBUTES
    # A table of those that passed, one of the others and one of coverage; a message for each of the others.
    passed = sum(check["verdict"] == "pass" for check in data["checks"])
    others = len(data["checks"]) - passed
    tables = bool(passed) + bool(others) + bool(data["coverage"])
    assert page.tags.count("table") == tables
    assert page.tags.count("tr") == tables + passed + others + len(gradients)
    assert sorted((flat(row[0]), row[3]) for row in page.rows if len(row) == 4) == sorted(
        (flat(gradient["name"]), str(len(gradient["tests"]))) for gradient in gradients
    )
    assert page.tags.count("details") == page.tags.count("summary") == others + bool(passed)
    assert page.tags.count("h2") == 1
