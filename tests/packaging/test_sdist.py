"""The sdist has what the tests and the pages need, and installs as the wheel does."""

from __future__ import annotations

import subprocess
import sys
import tarfile

import pytest
from pages import ROOT
from processes import run_apart

TEST = """
import numpy as np
import pytest

from pytest_gradcheck import arrays


@pytest.mark.gradcheck(x=arrays(3), gradient=np.cos)
def test_sine(x):
    return np.sin(x).sum()
"""


@pytest.mark.sweep
def test_the_sdist_is_complete_and_installs(tmp_path):
    built = run_apart(
        *(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT),
        cwd=tmp_path,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode == 0:
        # What serves the repository alone.
        left_out = {one for one in tracked.stdout.splitlines() if one.startswith(".")}
        assert set(tracked.stdout.splitlines()) - left_out <= inside

    # What pip makes of it is a wheel of its own, built in its folder: nothing of the repository is there.
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index")
    installed = run_apart(*pip, "--target", tmp_path / "installed", sdist, cwd=tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    (tmp_path / "test_sine.py").write_text(TEST, encoding="utf-8")
    environment = {"PYTHONPATH": tmp_path / "installed", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = (sys.executable, "-m", "pytest", "-p", "pytest_gradcheck.plugin", "-p", "no:cacheprovider")
    done = run_apart(*command, cwd=tmp_path, env={key: str(value) for key, value in environment.items()})
    assert done.returncode == 0, done.stdout + done.stderr
    where = run_apart(
        *(sys.executable, "-c", "import pytest_gradcheck as p; print(p.__file__)"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
    )
    assert where.stdout.startswith(str(tmp_path))
