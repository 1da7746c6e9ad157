"""The tests of the folder ``interpreted`` run in a process in which Triton interprets its kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
from interpreted_kernels import assert_interpreted

pytest.importorskip("torch")
pytest.importorskip("triton", reason="needs Triton, which the extra test installs")


@pytest.mark.sweep
def test_interpreted_kernels():
    assert_interpreted(Path(__file__).parent, "not sweep")


@pytest.mark.sweep
# In parts, which workers can share.
@pytest.mark.parametrize("named", ["not float32 and not oracle", "not float32 and oracle", "float32"])
def test_more_interpreted_kernels(named):
    assert_interpreted(Path(__file__).parent, "sweep", named)
