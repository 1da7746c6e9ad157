"""The tests of ``interpreted`` run in a process in which Triton interprets its kernels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from processes import run_pytest

pytest.importorskip("torch")
pytest.importorskip("triton", reason="needs Triton, which the extra test installs")

FOLDER = Path(__file__).with_name("interpreted")

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") == "1", reason="the tests of the folder are collected here"
)


@pytest.mark.parametrize(
    "chosen", ["not sweep", pytest.param("sweep", marks=pytest.mark.sweep)], ids=["quick", "sweep"]
)
def test_interpreted_kernels(chosen, monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    status, output = run_pytest("-q", "-m", chosen, str(FOLDER))
    assert status == 0, output
    assert "passed" in output
