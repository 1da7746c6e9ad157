"""What the README shows is what is printed today."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pages import ROOT, blocks, noted
from printed import same_text
from processes import run_pytest

pytestmark = pytest.mark.kernels

README = ROOT / "README.md"
WRONG = ROOT / "docs/examples/test_wrong_backward.py"


@pytest.fixture(scope="module")
def printed():
    """What pytest prints for the example that is wrong on purpose: its message, and nothing else."""
    _, output = run_pytest("docs/examples/test_wrong_backward.py", "-n", "0")
    return re.search(r"^(wrong gradient:.*?)\n={5,}", output, re.DOTALL | re.MULTILINE)[1]


def test_the_message_is_the_one_that_is_printed(printed):
    assert same_text(noted(README, "message"), printed), printed


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("culprit:   torch", "culprit:   reference"),
        ("0.00347662", "0.00347762"),
        ("± 1e-11", "± 1e-07"),
        ("difference 0.00254", "difference 0.00257"),
        ("allowed 6.02e-09", "allowed 6.1e-09"),
        ("torch.tensor([1.0,", "torch.tensor([2.0,"),
        ("  worst at:", "\n  worst at:"),
    ],
)
def test_a_changed_message_would_be_noticed(there, instead):
    shown = noted(README, "message")
    assert there in shown
    assert not same_text(shown, shown.replace(there, instead))


def test_the_example_is_the_one_that_runs():
    # The comment that gives the mistake away is left out in the README.
    code = "\n".join(
        line for line in WRONG.read_text(encoding="utf-8").splitlines() if "# The mistake" not in line
    )
    assert noted(README, "example").strip() in code


def test_the_first_bug_is_caught_within_one_screen():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert next(n for n, line in enumerate(lines) if line.startswith("wrong gradient")) < 50


def test_ci_runs_the_commands_of_the_readme():
    commands = [b.note.removeprefix("command: ") for b in blocks(README) if b.note.startswith("command: ")]
    assert commands == ["main-job", "suite"]
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for name in commands:
        assert f"$(command_of {name} README.md)" in script
        taken = subprocess.run(
            ["bash", "-c", _function(script) + f"\ncommand_of {name} README.md"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert taken.stdout == noted(README, f"command: {name}")


def _function(script):
    return re.search(r"^command_of\(\) \{.*?^\}", script, re.DOTALL | re.MULTILINE)[0]


def test_versions_are_pinned():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(r"^torch==\d", pins, re.MULTILINE)
    assert all("-c constraints.txt" in b.text for b in blocks(README) if b.note.startswith("command: "))
    assert sys.version_info >= (3, 11)
