"""A project that uses the plugin, the wheel in a fresh environment: its gate is red when it should be."""

from __future__ import annotations

import json
import shutil
import site
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import ROOT, run_apart

RIGHT, WRONG = "x * (1 - slope * slope)", "x * (1 + slope * slope)"

NEW = """
import numpy as np
import torch

from smoothops.arrays import with_gradient


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s + x * s * (1 - s))


@with_gradient(lambda x, cotangent: cotangent * np.tanh(x))
def log_cosh(x):
    return np.log(np.cosh(x))
"""

TEST_OF_NEW = """
import pytest

from pytest_gradcheck import arrays, tensors
from smoothops.arrays import GRADIENTS
from smoothops.swish import Swish, log_cosh


@pytest.mark.gradcheck(x=tensors(3, min_value=-4, max_value=4))
def test_swish(x):
    return Swish.apply(x)


@pytest.mark.gradcheck(x=arrays(3, min_value=1, max_value=4), vjp=GRADIENTS[log_cosh])
def test_log_cosh(x):
    return log_cosh(x)
"""


@dataclass
class Downstream:
    path: Path
    python: Path

    def ci(self, *arguments):
        return run_apart("bash", self.path / "ci.sh", *arguments, cwd=self.path, env={"PYTHON": self.python})

    def report(self):
        return json.loads((self.path / "report.json").read_text(encoding="utf-8"))


@pytest.fixture
def downstream(wheel, tmp_path):
    project, environment = tmp_path / "smoothops", tmp_path / "environment"
    shutil.copytree(ROOT / "tests" / "downstream", project)
    made = run_apart(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"

    def install(*what):
        pip = (sys.executable, "-m", "pip", f"--python={python}", "install", "--no-index", "--no-deps")
        done = run_apart(*pip, *what, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr

    install(wheel)
    # torch and the rest, gigabytes of them, from the environment of this run: after what the wheel brought,
    # and after its installation, so pip sees nothing else that is called pytest-gradcheck.
    (own,) = environment.glob("lib/python*/site-packages")
    (own / "shared.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    install("--no-build-isolation", "--editable", project)
    where = run_apart(python, "-c", "import pytest_gradcheck as p; print(p.__file__)", cwd=project)
    assert Path(where.stdout.strip()).is_relative_to(own)
    return Downstream(project, python)


@pytest.mark.sweep
def test_the_gate_of_a_downstream_project(downstream):
    source = downstream.path / "src" / "smoothops"
    functions = source / "functions.py"
    functions.write_text(functions.read_text(encoding="utf-8").replace(RIGHT, WRONG), encoding="utf-8")
    broken = downstream.ci()
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "wrong gradient: test_soft_abs" in broken.stdout
    assert "culprit:   torch" in broken.stdout
    assert (
        "gradcheck: fail-under: 2 of 3 checks passed, 66.66 %; at least 3 of 3 (100 %) must pass"
        in broken.stdout
    )
    assert "gradcheck: baseline-verdict: 1 check passed in the baseline but not now" in broken.stdout
    assert "gradcheck: cov-fail-under: 2 of 3 hand-written gradients of smoothops" in broken.stdout

    functions.write_text(functions.read_text(encoding="utf-8").replace(WRONG, RIGHT), encoding="utf-8")
    (source / "swish.py").write_text(NEW, encoding="utf-8")
    unchecked = downstream.ci()
    assert unchecked.returncode == 1, unchecked.stdout + unchecked.stderr
    assert "3 passed" in unchecked.stdout
    lines = NEW.splitlines()
    function, lambda_ = lines.index("    def backward(ctx, grad):"), lines.index("def log_cosh(x):")
    assert f"  src/smoothops/swish.py:{function}: smoothops.swish.Swish: not run\n" in unchecked.stdout
    assert f"  src/smoothops/swish.py:{lambda_}: smoothops.swish.log_cosh: not run\n" in unchecked.stdout
    assert (
        "gradcheck: cov-fail-under: 3 of 5 hand-written gradients of smoothops run by a check that passed, "
        "60 %; not smoothops.swish.Swish"
    ) in unchecked.stdout

    (downstream.path / "tests" / "test_swish.py").write_text(TEST_OF_NEW, encoding="utf-8")
    green = downstream.ci()
    assert green.returncode == 0, green.stdout + green.stderr
    assert "5 gradient checks: 5 passed" in green.stdout
    assert downstream.report()["coverage"]["covered"] == 5
    assert "Swish" in (downstream.path / "report.html").read_text(encoding="utf-8")
    # One summary for each run of the gate.
    summary = (downstream.path / "summary.md").read_text(encoding="utf-8")
    assert summary.count("## Gradient checks") == 3

    # A test that is gone takes its gradient out of the coverage, and is missed in the baseline.
    tests = downstream.path / "tests" / "test_functions.py"
    tests.write_text(tests.read_text(encoding="utf-8").partition("\n\n\n")[0], encoding="utf-8")
    gone = downstream.ci()
    assert gone.returncode == 1, gone.stdout + gone.stderr
    assert "gradcheck: baseline-vanished: 2 checks no longer run" in gone.stdout
    assert "not smoothops.functions.SoftAbs" in gone.stdout
