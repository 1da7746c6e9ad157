"""Every line that a failure prints, and every replay of a report, ends in the same verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from pytest_gradcheck.__main__ import main

# The corpus and its replays take a minute together.
pytestmark = pytest.mark.sweep

OPS = """
import numpy as np
import torch

def cube(x):
    return np.sum(x**3)

def cube_gradient(x, factor=3):
    return 1.5 * factor * x**2

half = lambda x: np.sum(x**2)

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.saved_tensors[0]

class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, x):
        return Wrong.apply(x * self.w)

scale = Scale()
"""

FAILURES = """
import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from ops import Wrong, cube, cube_gradient, half, scale
from pytest_gradcheck import arrays, tensors

TWO = dict(min_value=-2, max_value=2)

@pytest.mark.gradcheck(x=arrays(3, **TWO), gradient=cube_gradient, rtol=1e-5, atol=1e-9)
def test_marked(x):
    return cube(x)

class TestIt:
    @pytest.mark.gradcheck(x=arrays(3, **TWO), gradient=cube_gradient, sensitivity=1e-2)
    def test_method(self, x):
        return cube(x)

    @pytest.mark.gradcheck(gradient=cube_gradient)
    @given(x=arrays(3, **TWO))
    def test_given_method(self, x):
        return cube(x)

@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.gradcheck(x=arrays(3, **TWO), gradient=cube_gradient)
def test_parametrized(x, power):
    return np.sum(x**power)

@pytest.mark.gradcheck(x=arrays(3, **TWO), gradient=lambda x: x)
def test_lambda(x):
    return np.sum(x**2)

@pytest.mark.gradcheck
@given(x=tensors(3, **TWO))
def test_given(x):
    return Wrong.apply(x).sum()

@pytest.fixture
def factor():
    return 2.0

@pytest.mark.gradcheck(x=tensors(3, **TWO))
def test_with_a_fixture(x, factor):
    return Wrong.apply(factor * x)

@pytest.mark.gradcheck(x=tensors(400, **TWO))
def test_many_entries(x):
    return Wrong.apply(x)

def test_options(gradcheck):
    gradient, methods = partial(cube_gradient, factor=3), ("central", "user")
    gradcheck(cube, np.array([1.0, 2.0]), gradient=gradient, mode="full", domain=(0.5, 3.0), methods=methods)

def test_local(gradcheck):
    gradcheck(lambda x: np.sum(x**2), np.ones(3), gradient=lambda x: x)

def test_named_lambda(gradcheck):
    gradcheck(half, np.ones(3), gradient=np.cos)

def test_module(gradcheck):
    gradcheck(scale, torch.ones(2, dtype=torch.float64), wrt="x")

def test_apply(gradcheck):
    gradcheck(Wrong.apply, torch.ones(2, dtype=torch.float32), properties="none")

def test_second_order(gradgradcheck):
    gradgradcheck(Wrong.apply, (torch.zeros(2, dtype=torch.float64),))

def test_large(gradcheck):
    x = np.random.default_rng(0).normal(size=400)
    gradcheck(cube, {"x": x}, gradient=cube_gradient, step=1e-4)

@dataclasses.dataclass
class Pair:
    a: object
    b: object

def product(p):
    return p.a * p.b

def product_gradient(p):
    return Pair(p.b, 2 * p.a)

def test_dataclass(gradcheck):
    gradcheck(product, Pair(2.0, 3.0), gradient=product_gradient)
"""

#: Tests of functions that no other module can import.
LOCAL = {"test_lambda", "test_local", "test_with_a_fixture"}

#: What a person types before a line of the report.
SESSION = """
import json, sys
import numpy as np
import torch
from pytest_gradcheck import check_gradients

for check in json.load(open("r.json"))["checks"]:
    if check["imports"] is not None:
        names = {"np": np, "torch": torch, "check_gradients": check_gradients}
        exec(check["imports"], names)
        result = eval(check["reproduce"], names)
        print(json.dumps([check["nodeid"], str(result.verdict), result.culprit, result.order]))
"""

SEED = "--hypothesis-seed=1"

#: Made once, by whichever test is first.
_made: dict[str, bytes] = {}


@pytest.fixture
def checks(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    pytester.makepyfile(ops=OPS, test_corpus=FAILURES)
    if not _made:
        flags = ("--gradcheck-report=r.json", "--gradcheck-report=r.html", "-p", "no:xdist", SEED)
        pytester.runpytest_subprocess(*flags)
        _made.update({name: (pytester.path / name).read_bytes() for name in ("r.json", "r.html")})
    for name, content in _made.items():
        (pytester.path / name).write_bytes(content)
    found: list[dict[str, Any]] = json.loads(_made["r.json"])["checks"]
    return found


def test_every_line_gives_the_same_verdict(pytester: pytest.Pytester, checks: list[dict[str, Any]]) -> None:
    failed = [check for check in checks if check["verdict"] == "fail"]
    assert len(failed) == len(checks) == 17
    alone = [check for check in failed if check["imports"] is not None]
    names = {check["nodeid"].rpartition("::")[2].partition("[")[0] for check in failed if check not in alone}
    assert names == LOCAL
    ran = subprocess.run(
        [sys.executable, "-c", SESSION], cwd=pytester.path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert found == [[c["nodeid"], c["verdict"], c["culprit"], c["order"]] for c in alone]


def test_a_replay_gives_the_same_failures(pytester: pytest.Pytester, checks: list[dict[str, Any]]) -> None:
    command = [sys.executable, "-m", "pytest_gradcheck", "replay", "r.html", "test_corpus.py"]
    ran = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert f"{len(checks)} failed" in ran.stdout
    for check in checks:
        if check["inputs"] and "gradcheck" not in check["nodeid"]:
            assert f"FAILED {check['nodeid']} - " in ran.stdout


def test_a_replay_tries_the_inputs_of_the_report_alone(
    pytester: pytest.Pytester, checks: list[dict[str, Any]]
) -> None:
    own = next(check for check in checks if check["nodeid"].endswith("test_marked"))
    own["inputs"] = {"x": "np.array([0.25, 0.5, 0.75])"}
    report = json.loads((pytester.path / "r.json").read_text())
    report["checks"] = [own]
    (pytester.path / "one.json").write_text(json.dumps(report))
    command = [sys.executable, "-m", "pytest_gradcheck", "replay", "one.json", own["nodeid"]]
    ran = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert "try again: @example(x=np.array([0.25, 0.5, 0.75]))" in ran.stdout
    assert "1 failed" in ran.stdout


def test_a_replay_of_what_is_not_there(
    checks: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "r.json", "test_corpus.py::test_markd"]) == 2
    assert "which is not in the report; did you mean test_corpus.py::test_marked?" in capsys.readouterr().err


def test_what_cannot_be_imported_is_replayed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ops=OPS, test_corpus=FAILURES)
    result = pytester.runpytest_subprocess(
        "-k", "local or halved", "--gradcheck-report=r.json", "-p", "no:xdist"
    )
    result.stdout.fnmatch_lines(
        [
            "  reproduce: check_gradients(fn, np.array(?1.0, 1.0, 1.0?), gradient=gradient, seed=*)  "
            "# where fn and gradient can be named",
            "  replay:    python -m pytest_gradcheck replay r.json test_corpus.py::test_local",
        ]
    )


GIVEN = """
import numpy as np
from hypothesis import given, settings, strategies as st

@settings(max_examples=5)
@given(s=st.floats(1, 2))
def test_given(gradcheck, s):
    gradcheck(lambda x: np.sum(s * x**2), s * np.ones(2), gradient=lambda x: x)

def test_local(gradcheck):
    gradcheck(lambda x: np.sum(x**2), np.ones(2), gradient=lambda x: x)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_what_a_test_draws_itself_is_shown_and_not_replayed(
    pytester: pytest.Pytester, workers: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile(test_it=GIVEN)
    result = pytester.runpytest_subprocess("--gradcheck-report=r.json", SEED, *workers)
    result.stdout.fnmatch_lines_random(
        [
            "  example:   test_given(s=1.0)",
            "  replay:    python -m pytest_gradcheck replay r.json test_it.py::test_local",
        ]
    )
    result.stdout.no_fnmatch_line("*replay r.json test_it.py::test_given*")
    found = json.loads((pytester.path / "r.json").read_text())["checks"]
    able = {check["nodeid"]: check["replayable"] for check in found}
    assert able == {"test_it.py::test_given": False, "test_it.py::test_local": True}
    assert main(["replay", "r.json", "test_it.py::test_given"]) == 2
    assert "which draws its inputs with its own @given and calls a fixture" in capsys.readouterr().err


LARGE = """
import numpy as np

def wave(x):
    return np.sum(np.sin(x))

def half(x):
    return 0.5 * np.cos(x)

def test_called(gradcheck):
    gradcheck(wave, np.random.default_rng(0).normal(size=600), gradient=half)
"""


def test_a_large_input_is_replayed_from_the_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=LARGE)
    without = pytester.runpytest_subprocess("-p", "no:xdist")
    without.stdout.fnmatch_lines(
        ["*(* characters; in full with -vv and in a report: --gradcheck-report=report.html)"]
    )
    without.stdout.no_fnmatch_line("  replay:*")
    result = pytester.runpytest_subprocess("--gradcheck-report=r.html", "-p", "no:xdist")
    result.stdout.fnmatch_lines(
        ["  replay:    python -m pytest_gradcheck replay r.html test_it.py::test_called", "  called at: *"]
    )
    (line,) = [line for line in result.outlines if line.startswith("  replay:")]
    command = [sys.executable, *line.partition("python ")[2].split()]
    ran = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert "FAILED test_it.py::test_called - constant-factor" in ran.stdout


JAX = """
import jax
import pytest
from pytest_gradcheck import arrays

@jax.custom_vjp
def sine(x):
    return jax.numpy.sin(x)

sine.defvjp(lambda x: (jax.numpy.sin(x), x), lambda x, g: (1.1 * g * jax.numpy.cos(x),))

def test_called(gradcheck):
    gradcheck(sine, jax.numpy.ones(2))

@pytest.mark.gradcheck(x=arrays(2, library="jax", min_value=-1, max_value=1))
def test_marked(x):
    return sine(x)
"""

PASTED = """
import json
import numpy as np
from pytest_gradcheck import check_gradients

for check in json.load(open("r.json"))["checks"]:
    names = {"np": np, "check_gradients": check_gradients}
    exec(check["imports"], names)
    print(eval(check["reproduce"], names).culprit)
"""


def test_the_lines_for_jax_import_what_they_name(pytester: pytest.Pytester) -> None:
    pytest.importorskip("jax")
    pytester.makepyfile(test_it=JAX)
    result = pytester.runpytest_subprocess("--gradcheck-report=r.json", "-p", "no:xdist", SEED)
    result.stdout.fnmatch_lines(["  imports:   import jax.numpy as jnp; from test_it import sine"])
    for command in (["-c", PASTED], ["-m", "pytest_gradcheck", "replay", "r.json", "test_it.py"]):
        ran = subprocess.run(
            [sys.executable, *command], cwd=pytester.path, capture_output=True, text=True, check=False
        )
        if command[0] == "-c":
            assert ran.stdout.split() == ["jax", "jax"], ran.stderr
        else:
            assert ran.stdout.count("constant-factor: JAX's gradient") == 2, ran.stdout
