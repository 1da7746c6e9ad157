"""Functions that are wrong at special places: their faults are met, by the strategies and by the checks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pages import ROOT
from processes import run_pytest

from docs.search_page import measure
from docs.search_page.planted import PLANTED

NAMES = [planted.name for planted in PLANTED]
#: One of each kind, and different ones each time that the table changes.
SAMPLE = list({planted.kind: planted for planted in PLANTED}.values())


def test_there_are_enough_of_both_libraries() -> None:
    assert len(PLANTED) >= 60
    assert len(set(NAMES)) == len(NAMES)
    assert sum(planted.library == "numpy" for planted in PLANTED) >= 20


@pytest.mark.parametrize("planted", SAMPLE, ids=lambda planted: planted.kind)
def test_each_kind_of_fault_is_met(planted: measure.Planted) -> None:
    for seed in (0, 1):
        assert measure.ours(planted, seed) is not None, seed


@pytest.mark.sweep
@pytest.mark.parametrize("planted", PLANTED, ids=NAMES)
def test_every_fault_is_met_over_twenty_seeds(planted: measure.Planted) -> None:
    assert [seed for seed in range(20) if measure.ours(planted, seed) is None] == []


@pytest.mark.sweep
def test_every_fault_is_found_by_a_marked_test_and_no_right_gradient_is_blamed(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    file = ROOT / "tests/strategies/marked_faults.py"
    _, output = run_pytest(str(file), "-n", "2", "--hypothesis-seed=0", f"--gradcheck-report={path}")
    failed = set(re.findall(r"^FAILED \S+::test_(\w+)", output, re.MULTILINE))
    assert failed == {f"{name}_wrong" for name in NAMES}
    checks = {check["name"]: check for check in json.loads(path.read_text(encoding="utf-8"))["checks"]}
    for planted in PLANTED:
        check = checks[f"test_{planted.name}_wrong"]
        assert check["verdict"] == "fail", check
        assert check["culprit"] == ("user" if planted.library == "numpy" else "torch"), check
        assert checks[f"test_{planted.name}_right"]["verdict"] == "pass"
