"""No time and no ratio of times in the README or on a page that no command prints there."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT

#: Pages that a script writes as a whole, which tests of their own hold.
WRITTEN = "<!-- Written by "

#: A number with a unit of time, or as a factor of time.
FIGURE = re.compile(
    r"\b\d[\d.,]*\s?(?:ns|µs|us|ms|s|seconds?|minutes?|hours?)\b"
    r"|\b\d[\d.,]*(?: to \d[\d.,]*)?\s(?:times|×)\s"
    r"(?:as long|as fast|as slow|faster|slower|cheaper|sooner|longer)\b"
    r"|\b(?:takes?|costs?|in|of) \d[\d.,]*\s?% of the time\b"
)

#: What looks like one and is no measurement but a setting that the reader gives.
SETTINGS = {("docs/howto/gate_ci.md", "600 seconds")}


def prose(text):
    """What is left of a page without code, the blocks that a command writes, and code in a line."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- (\w+): begin -->.*?<!-- \1: end -->", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def figures(page):
    text = page.read_text(encoding="utf-8")
    if text.startswith(WRITTEN):
        return set()
    return {(str(page.relative_to(ROOT)), found) for found in FIGURE.findall(prose(text))}


@pytest.mark.parametrize(
    "said",
    [
        "takes 3 ms",
        "in 0.5 s,",
        "some 20 seconds",
        "is 7 times faster",
        "1.5 to 1.8 times as long",
        "5 minutes",
    ],
)
def test_a_figure_is_seen(said):
    assert FIGURE.search(f"A check {said} now.")


@pytest.mark.parametrize(
    "said", ["5 steps", "float64", "at most 100 examples", "3 times the error", "x = 2 s_1"]
)
def test_other_numbers_are_none(said):
    assert not FIGURE.search(said)


def test_figures_between_marks_and_in_code_are_not_looked_at():
    text = "a 3 ms\n<!-- engine: begin -->\n4 ms\n<!-- engine: end -->\n```sh\nsleep 5 s\n```\n`6 s` b"
    assert FIGURE.findall(prose(text)) == ["3 ms"]


def test_every_figure_is_one_that_a_command_prints():
    pages = [page for page in PAGES if page.name != "CHANGELOG.md"]
    assert len(pages) > 20
    assert set().union(*map(figures, pages)) == SETTINGS
