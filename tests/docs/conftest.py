"""Commands of the pages, run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys

import followed  # noqa: F401  the profile
import hypothesis.core
import pytest
import without_proofs
from hypothesis import settings
from inner import Keeper
from pages import ROOT

from pytest_gradcheck.__main__ import main
from reference_engine.definitions import PRIMITIVES

TESTS = ROOT / "tests"
EXACT = re.compile(r"pytest-gradcheck\[(\w+,)*exact\b")
FLAGS = ("-W", "error", "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-profile=followed")


class Reader:
    """Follows the steps of a page in a directory, without a process for each command."""

    def __init__(self, pytester, keeper):
        self.pytester = pytester
        self.keeper = keeper
        self.path = pytester.path
        self.primitives = dict(PRIMITIVES)
        self.proves = False

    def run(self, words):
        """Run the words of a command; its exit status and what it printed."""
        if "=" in words[0]:
            # A library may read the variable as it is imported, and this process has imported it.
            name, value = words[0].split("=", 1)
            environment = os.environ | {name: value, "PYTHONPATH": os.pathsep.join([str(TESTS), str(ROOT)])}
            plugins = ["-p", "followed", *([] if self.proves else ["-p", "without_proofs"])]
            command = [sys.executable, "-m", "pytest", *plugins, *FLAGS, *words[2:]]
            assert words[1] == "pytest"
            done = subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr
        if words[0] == "pip":
            # What is installed is held elsewhere, but for this: a failure looks different with it.
            self.proves |= any(EXACT.search(word) for word in words)
            return 0, ""
        if words[0] == "cc":
            done = subprocess.run(words, cwd=self.path, capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr
        with contextlib.nullcontext() if self.proves else without_proofs.hidden():
            return self.run_here(words)

    def run_here(self, words):
        """Run the words of a command in this process."""
        if words[0] == "pytest":
            done = self.pytester.runpytest_inprocess(*FLAGS, *words[1:], plugins=[self.keeper])
            self.keeper.restore()
            self.forget()
            return int(done.ret), "\n".join([*done.outlines, *done.errlines])
        said = io.StringIO()
        status = 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            if words[:3] == ["python", "-m", "pytest_gradcheck"]:
                status = main(words[3:])
            else:
                (program,) = words[1:]
                runpy.run_path(program, run_name="__main__")
        return status, said.getvalue()

    def forget(self):
        """Drop the primitives that a run has defined, as the end of a process does."""
        for name in PRIMITIVES.keys() - self.primitives.keys():
            del PRIMITIVES[name]


@pytest.fixture
def keeper():
    # Before pytester looks: it forgets what a run was the first to import; torch cannot be imported twice.
    pytest.importorskip("torch", reason="the guides are about torch too")
    keeper = Keeper()
    yield keeper
    keeper.restore()


# The keeper comes first, and so has the last word when pytester has forgotten what a run imported.
@pytest.fixture
def reader(keeper, pytester, monkeypatch):
    monkeypatch.setattr(hypothesis.core, "global_force_seed", None)
    # A file that is edited within a second, and no longer than before, would be taken from its bytecode.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    before = settings.get_current_profile_name()
    yield Reader(pytester, keeper)
    settings.load_profile(before)
