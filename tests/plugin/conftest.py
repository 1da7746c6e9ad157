"""A small project under test: marked files, run by pytest inside of pytest."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from typing import Any

import hypothesis.core
import pytest
from hypothesis import settings
from inner import FAST, Keeper, share_constants

HEADER = """
import numpy as np
import pytest
import hypothesis.extra.numpy as hn
from hypothesis import HealthCheck, Phase, assume, example, given, seed, settings, strategies as st

numbers = st.floats(1, 2)
vectors = hn.arrays(np.float64, 3, elements=numbers)

def right(x):
    return 2 * x

def wrong(x):
    return 3 * x
"""

# Few examples, the same ones every time, and nothing remembered from another test.
PROFILE = """
from hypothesis import settings
settings.register_profile("project", max_examples=5, database=None, derandomize=True)
settings.load_profile("project")
"""


class Project:
    def __init__(self, pytester: pytest.Pytester, keeper: Keeper) -> None:
        self.pytester = pytester
        self.keeper = keeper
        self.path = pytester.path
        pytester.makeconftest(PROFILE)

    def write(self, **files: str) -> None:
        self.pytester.makepyfile(**{k: HEADER + textwrap.dedent(v) for k, v in files.items()})

    def conftest(self, text: str) -> None:
        self.pytester.makeconftest(PROFILE + textwrap.dedent(text))

    def remember_failures(self) -> None:
        """Keep a database of examples, as a project does by default."""
        self.conftest(
            """
            from hypothesis.database import DirectoryBasedExampleDatabase
            settings.register_profile(
                "remember", max_examples=20, derandomize=False,
                database=DirectoryBasedExampleDatabase("examples"),
            )
            settings.load_profile("remember")
            """
        )

    def run(self, *args: str, workers: int = 0, apart: bool = False) -> pytest.RunResult:
        """Run it: here, in a process of its own, or in pytest-xdist's processes."""
        if not workers and not apart:
            plugins = [self.keeper]
            flags = ("-W", "error", "-p", "no:xdist")
            result = self.pytester.runpytest_inprocess(*flags, *args, plugins=plugins)
            self.keeper.restore()
            return result
        share_constants(self.path)
        spread = ("-n", str(workers)) if workers else ("-p", "no:xdist")
        return self.pytester.runpytest_subprocess("-W", "error", *FAST, *spread, *args)

    def report(self, name: str = "report.json") -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        return data


@pytest.fixture
def keeper() -> Any:
    keeper = Keeper()
    yield keeper
    keeper.restore()


# The keeper comes first, and so has the last word when pytester has forgotten what this run imported.
@pytest.fixture
def project(keeper: Keeper, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    profile = settings.get_current_profile_name()
    # An inner run with --hypothesis-seed leaves it behind, and with it the database off.
    monkeypatch.setattr(hypothesis.core, "global_force_seed", None)
    # pytest prints more where it sees a CI; what the tests read must not depend on where they run.
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    # The tool that measures this suite's coverage must find its configuration from any directory.
    if "COVERAGE_PROCESS_START" in os.environ:
        monkeypatch.setenv(
            "COVERAGE_PROCESS_START", str(Path(os.environ["COVERAGE_PROCESS_START"]).resolve())
        )
    yield Project(pytester, keeper)
    settings.load_profile(profile)
