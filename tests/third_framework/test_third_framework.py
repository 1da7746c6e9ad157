"""A third framework, from outside of the packages: a file and an entry point are all that it takes."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Not the folder of this file, which pytest puts on the path of all tests.
DISTRIBUTION = HERE / "distribution"


@pytest.mark.skipif(importlib.util.find_spec("mlx") is None, reason="MLX is not there for every platform")
def test_gradients_of_a_third_framework_are_checked():
    path = os.pathsep.join([str(DISTRIBUTION), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "mlx_checks.py"],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_framework_takes_no_more_than_150_lines():
    assert len((DISTRIBUTION / "gradcheck_mlx.py").read_text().splitlines()) <= 150
