"""The page of properties has every property, and says of each what a check says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from docs.diagnoses_page.faults import PROPERTIES  # noqa: E402  # after the skip
from pytest_gradcheck import check_gradients  # noqa: E402  # the same
from pytest_gradcheck.frameworks.properties import HOLDS  # noqa: E402  # the same

PAGE = Path(__file__).parents[2] / "docs/reference/properties.md"


def test_every_property_has_its_line() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    seen = {p.name for fault in PROPERTIES for p in check_gradients(fault.function, fault.inputs).properties}
    assert set(HOLDS) | seen <= set(rows)
    assert set(rows) == set(HOLDS) | {"deterministic"}
