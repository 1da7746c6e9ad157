"""The page of diagnoses says what the checks say today."""

from __future__ import annotations

import pytest

from docs import diagnoses
from docs.diagnoses_page import faults

pytestmark = pytest.mark.kernels


def test_the_page_is_what_the_checks_say():
    assert diagnoses.PAGE.read_text(encoding="utf-8") == diagnoses.page(), "run python docs/diagnoses.py"


def test_every_fault_is_on_it_with_its_code():
    text = diagnoses.PAGE.read_text(encoding="utf-8")
    for fault in (*faults.VALUES, *faults.CAUSES, *faults.RAISES, *faults.PROPERTIES):
        assert f"| {fault.what} | `{fault.code}` | fail | torch |" in text
    for fault in faults.ORACLES:
        assert f"| {fault.what} | `{fault.code}` | fail | None |" in text


def test_it_writes_and_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(diagnoses, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(diagnoses, "page", lambda: "# Title\n")
    assert diagnoses.main(["--check"]) == 1
    assert "run python docs/diagnoses.py" in capsys.readouterr().err
    assert diagnoses.main([]) == 0
    assert diagnoses.main(["--check"]) == 0
    diagnoses.PAGE.write_text("# Another\n", encoding="utf-8")
    assert diagnoses.main(["--check"]) == 1
    assert diagnoses.main(["--verbose"]) == 2
