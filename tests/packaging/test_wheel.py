"""The wheel, installed into an empty environment beside a foreign project, gates that project."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest
from processes import ROOT, run_apart

PROJECT = """
import numpy as np
import pytest

from pytest_gradcheck import arrays


def energy(x):
    return np.sum(x**3) / 3


def force(x):
    return {gradient}


@pytest.mark.gradcheck(x=arrays(3, min_value=-2, max_value=2), gradient=force)
def test_energy(x):
    return energy(x)


def test_unmarked():
    pass
"""


def test_contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()
    assert {name.partition("/")[0] for name in names} == {"pytest_gradcheck", "reference_engine", info}
    for package in ("pytest_gradcheck", "reference_engine"):
        assert f"{package}/py.typed" in names
        files = {str(p.relative_to(ROOT)) for p in (ROOT / package).rglob("*.py")}
        assert files <= names, sorted(files - names)
    assert "[pytest11]\ngradcheck = pytest_gradcheck.plugin" in entry_points
    assert f"{info}/licenses/LICENSE" in names
    assert "pytest_gradcheck/records/report.schema.json" in names
    assert "License-Expression: MIT" in metadata
    assert "Provides-Extra: torch" in metadata
    # torch is an extra: nobody who checks NumPy code downloads it.
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert all("extra ==" in line for line in required if "torch" in line)


@pytest.mark.sweep
def test_it_gates_a_foreign_project(wheel, tmp_path):
    environment = tmp_path / "environment"
    made = run_apart(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    installed = run_apart(
        python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path
    )
    if installed.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"pip cannot install the dependencies: {installed.stderr.strip().splitlines()[-1]}")
    assert installed.returncode == 0, installed.stderr

    project = tmp_path / "project"
    project.mkdir()
    test = project / "test_energy.py"

    def check(*arguments):
        return run_apart(python, "-m", "pytest", "-p", "no:cacheprovider", *arguments, cwd=project)

    test.write_text(PROJECT.format(gradient="x"), encoding="utf-8")
    red = check("--gradcheck-report=report.json")
    assert red.returncode == 1, red.stdout + red.stderr
    assert "wrong gradient: test_energy" in red.stdout
    assert "culprit:   user" in red.stdout
    assert "1 failed, 1 passed" in red.stdout
    (entry,) = json.loads((project / "report.json").read_text(encoding="utf-8"))["checks"]
    assert entry["verdict"] == "fail"
    assert entry["methods"]["reference"]["status"] == "ok"
    assert "torch is not installed" in entry["methods"]["torch"]["reason"]

    test.write_text(PROJECT.format(gradient="x**2"), encoding="utf-8")
    green = check()
    assert green.returncode == 0, green.stdout + green.stderr
    assert "1 check: 1 pass" in green.stdout

    # What was imported came from the wheel, not from this repository.
    where = run_apart(python, "-c", "import pytest_gradcheck as p; print(p.__file__)", cwd=project)
    assert str(environment.resolve()) in str(Path(where.stdout.strip()).resolve())
