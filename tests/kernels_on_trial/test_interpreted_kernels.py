"""The tests of the folder ``interpreted`` run in a process in which Triton interprets its kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
from interpreted_kernels import assert_interpreted

pytest.importorskip("torch")
pytest.importorskip("triton", reason="needs Triton, which the extra test installs")


@pytest.mark.parametrize(
    "chosen", ["not sweep", pytest.param("sweep", marks=pytest.mark.sweep)], ids=["quick", "sweep"]
)
def test_interpreted_kernels(chosen):
    assert_interpreted(Path(__file__).parent, chosen)
