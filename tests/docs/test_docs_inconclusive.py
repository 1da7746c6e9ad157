"""The page on `inconclusive` names every code that such a verdict can have, and no other."""

from __future__ import annotations

import inspect
import re

from pages import ROOT

from pytest_gradcheck.core import verdict
from pytest_gradcheck.core.diagnosis import codes

PAGE = (ROOT / "docs/explanation/inconclusive.md").read_text(encoding="utf-8")


def test_every_code_is_there_and_no_other():
    said = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))
    source = inspect.getsource(verdict)
    fixed = {code.name for code in codes.CODES if code.page is codes.Page.INCONCLUSIVE}
    direct = set(re.findall(r'_inconclusive\(\s*"([\w-]+)"', source))
    # Of all examples of a marked test together, not of one.
    assert said == direct | {"constant"}
    assert fixed <= said
