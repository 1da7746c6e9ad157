"""Import the packages of the extra ``third-party`` for the tests of this folder."""

from __future__ import annotations

import importlib
import os
import warnings
from types import ModuleType

import pytest

from pytest_gradcheck import CheckResult, Verdict

#: The marks of every file here. Warnings are the packages' own affair.
MARKS = [pytest.mark.third_party, pytest.mark.filterwarnings("ignore")]


def outside(name: str) -> ModuleType:
    """Return the module `name` of a third-party package, or skip the file where the package is missing.

    In CI, which installs the extra, a missing package is an error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.environ.get("CI"):
            return importlib.import_module(name)
        return pytest.importorskip(
            name, reason=f"needs {name}, which the extra third-party installs", exc_type=ImportError
        )


def assert_fault(result: CheckResult, code: str, culprit: str = "torch") -> None:
    """Hold that a check has failed, and for the right reason: a real fault of a package is found."""
    assert (result.verdict, result.culprit, result.diagnosis.code) == (Verdict.FAIL, culprit, code), str(
        result
    )
