"""The table of rules on the page of the architecture is that of the source."""

from __future__ import annotations

import re

from pages import ROOT

from pytest_gradcheck.core import verdict

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_rules_are_listed_in_the_order_in_which_they_are_asked() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
    tuples = {
        name: [rule.__name__ for rule in value]
        for name, value in vars(verdict).items()
        if name.isupper() and isinstance(value, tuple) and all(map(callable, value))
    }
    assert {name: re.findall(r"`(\w+)`", listed) for name, listed in rows} == tuples


def test_the_page_stays_short_enough_to_be_read() -> None:
    assert len(PAGE.splitlines()) <= 200
