"""Tests of Triton kernels, which run in a process of their own.

Triton reads ``TRITON_INTERPRET`` as it is imported, and other tests may have imported it. So these tests are
in folders named ``interpreted``. They are collected where the variable is set, and one test next to the
folder runs them in a process in which it is.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from processes import run_pytest

VARIABLE = "TRITON_INTERPRET"
FOLDER = "interpreted"


def ignore_unless_interpreting(path: Path) -> bool | None:
    """Tell pytest not to collect the folder where kernels would not be interpreted."""
    return True if path.name == FOLDER and os.environ.get(VARIABLE) != "1" else None


def assert_interpreted(folder: Path, chosen: str, named: str = "") -> None:
    """Run the tests of the folder that the marks and the names choose, with Triton's interpreter."""
    if os.environ.get(VARIABLE) == "1":
        pytest.skip("these tests are collected in this process")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "1")
        status, output = run_pytest("-q", "-m", chosen, "-k", named, str(folder / FOLDER))
    assert status == 0, output
    assert " passed" in output
