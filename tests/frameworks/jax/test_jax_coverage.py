"""--gradcheck-cov lists the functions of a package with a rule by hand, and which of them checks have run."""

import json
import os
import subprocess
import sys

OPS = """
import jax
import jax.numpy as jnp


@jax.custom_vjp
def double(x):
    return 2 * x


double.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


@jax.custom_jvp
def square(x):
    return x * x


@square.defjvp
def square_jvp(primals, tangents):
    return square(*primals), 2 * primals[0] * tangents[0]


@jax.custom_vjp
def unused(x):
    return x


unused.defvjp(lambda x: (x, None), lambda _, g: (g,))
"""

TESTS = """
import jax
import pytest
from hypothesis import settings
from mypkg.ops import double, square

from pytest_gradcheck import arrays


@settings(max_examples=3)
@pytest.mark.gradcheck(x=arrays(2, library="jax"))
def test_double(x):
    return jax.jit(double)(x)


@settings(max_examples=3)
@pytest.mark.gradcheck(x=arrays(2, library="jax", min_value=-2, max_value=2))
def test_square(x):
    return square(x)
"""


def test_rules_are_listed_and_those_that_ran_are_known(tmp_path):
    (tmp_path / "mypkg").mkdir()
    (tmp_path / "mypkg/__init__.py").write_text("")
    (tmp_path / "mypkg/ops.py").write_text(OPS)
    (tmp_path / "test_ops.py").write_text(TESTS)
    report = tmp_path / "report.json"
    arguments = ["-q", "-p", "no:cacheprovider", "--gradcheck-cov=mypkg", f"--gradcheck-report={report}"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    gradients = json.loads(report.read_text())["coverage"]["gradients"]
    assert {one["name"]: one["ran"] for one in gradients} == {
        "mypkg.ops.double": ["forward", "backward"],
        "mypkg.ops.square": ["forward", "backward"],
        "mypkg.ops.unused": [],
    }
    lines = {one["name"]: (one["path"], one["line"]) for one in gradients}
    assert lines["mypkg.ops.double"] == ("mypkg/ops.py", 6)
