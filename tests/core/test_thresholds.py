"""Every number that decides has its row: what it decides, and where it comes from."""

from __future__ import annotations

import ast
import re

import pytest
from pages import ROOT

PATH = ROOT / "pytest_gradcheck/core/thresholds.py"
TEXT = PATH.read_text(encoding="utf-8")
NAMES = [
    target.id
    for node in ast.parse(TEXT).body
    if isinstance(node, ast.Assign)
    for target in node.targets
    if isinstance(target, ast.Name)
]


def test_each_name_is_given_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_threshold_has_its_source(name: str) -> None:
    row = re.search(rf"((?:^#: .*\n)+)^{name} = ", TEXT, re.MULTILINE)
    assert row is not None
    assert re.search(r"(Source|Measured|Chosen)[:;]", row[1].replace("\n#:", "")), row[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_threshold_is_used(name: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in PATH.parent.rglob("*.py") if path != PATH]
    assert any(re.search(rf"thresholds\.{name}\b", source) for source in sources)
