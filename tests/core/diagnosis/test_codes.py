"""The table of diagnosis codes: one row each, on the page that the row names."""

from __future__ import annotations

import re

import pytest
from pages import ROOT

from pytest_gradcheck.core.diagnosis import codes


@pytest.mark.parametrize("code", codes.CODES, ids=lambda code: code.name)
def test_a_code_is_on_its_page(code: codes.Code) -> None:
    assert re.search(rf"[`\[ ]{code.name}[`\]\n]", (ROOT / "docs" / code.page).read_text(encoding="utf-8"))


def test_every_code_of_the_source_has_its_row_and_no_other() -> None:
    names = [code.name for code in codes.CODES]
    assert len(names) == len(set(names))
    used = set()
    for path in (ROOT / "pytest_gradcheck").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'(?:Diagnosis|_inconclusive|codes\.fixed)\(\s*"([a-z-]+)"', text))
    assert used <= set(names)


def test_the_page_of_inconclusive_verdicts_has_its_codes() -> None:
    page = (ROOT / "docs" / codes.Page.INCONCLUSIVE).read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE))
    assert {code.name for code in codes.CODES if code.page is codes.Page.INCONCLUSIVE} <= listed


def test_fixed_sentences_are_diagnoses() -> None:
    found = codes.fixed("jump")
    assert (found.code, found.text.split(";")[0]) == ("jump", "the function jumps at this point")
