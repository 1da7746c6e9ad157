"""The sweep is as wide as the documentation says."""

from __future__ import annotations

from pathlib import Path

import pytest
from outside import MARKS

pytestmark = MARKS

FOLDER = Path(__file__).parent
FUNCTIONS = 60
PACKAGES = 12


def test_enough_functions_of_enough_packages(request):
    """A function is a test that is checked, or one of the functions that it gets by ``parametrize``."""
    checked = [item for item in request.session.items if item.get_closest_marker("gradcheck")]
    absent = {path.name for path in FOLDER.glob("test_*.py")} - {
        item.path.name for item in request.session.items
    }
    if absent:
        pytest.skip(f"counts the whole folder; not collected: {', '.join(sorted(absent))}")
    functions = {
        (
            item.path.name,
            item.originalname,
            str(item.callspec.params.get("function")) if hasattr(item, "callspec") else "",
        )
        for item in checked
        if item.path.parent == FOLDER
    }
    packages = {file for file, *_ in functions}
    assert len(functions) >= FUNCTIONS
    assert len(packages) >= PACKAGES
