"""The page on `inconclusive` names every code that such a verdict can have, and no other."""

from __future__ import annotations

import inspect
import re

from pages import ROOT

from pytest_gradcheck.core import verdict

PAGE = (ROOT / "docs/explanation/inconclusive.md").read_text(encoding="utf-8")


def test_every_code_is_there_and_no_other():
    said = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))
    source = inspect.getsource(verdict)
    direct = set(re.findall(r'Verdict\.INCONCLUSIVE, Diagnosis\("([\w-]+)"', source))
    undecided = re.search(r"def undecided.*?return", source, re.DOTALL)[0]
    assert said == direct | set(re.findall(r'Diagnosis\("([\w-]+)"', undecided))
