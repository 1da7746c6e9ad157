"""The oldest pytest, Hypothesis and NumPy that `pyproject.toml` says the package takes."""

from __future__ import annotations

import os
import shutil
import site
import sys
import tomllib

import pytest
from processes import ROOT, run_apart

WRONG = "test_wrong_backward.py::test_gelu"


def oldest() -> list[str]:
    """What the package needs, each at the least version allowed."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert all(one.count(">=") == 1 for one in needed), needed
    return [one.replace(">=", "==") for one in needed]


@pytest.mark.sweep
def test_the_examples_with_the_oldest_versions(wheel, tmp_path):
    environment, examples = tmp_path / "environment", tmp_path / "examples"
    made = run_apart(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"
    installed = run_apart(python, "-m", "pip", "install", "--quiet", *oldest(), wheel, cwd=tmp_path)
    if installed.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"pip cannot install {oldest()}: {installed.stderr.strip().splitlines()[-1]}")
    assert installed.returncode == 0, installed.stderr
    # torch, gigabytes of it, comes from the environment of this run, behind what is installed here.
    (own,) = environment.glob("lib/python*/site-packages")
    (own / "shared.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    for one in oldest():
        name, _, version = one.partition("==")
        asked = f"import {name}; print({name}.__version__)"
        assert run_apart(python, "-c", asked, cwd=tmp_path).stdout.strip().startswith(version)

    shutil.copytree(ROOT / "docs" / "examples", examples, ignore=shutil.ignore_patterns("__pycache__"))
    # The other plugins of this run's environment are not in the package's.
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
    run = run_apart(
        *(python, "-m", "pytest", "-p", "pytest_gradcheck.plugin", "-p", "no:cacheprovider"),
        cwd=examples,
        env=alone,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert [line.split()[1] for line in failed] == [WRONG], run.stdout
    assert "culprit:   torch" in run.stdout
    assert " passed" in run.stdout
