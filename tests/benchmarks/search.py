"""A marked test of a hundred examples next to a loop of a hundred calls of torch.autograd.gradcheck."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.benchmarks.tables import Aim, Ratio, Table, figures
from tests.benchmarks.timing import best

PACKAGES = ("hypothesis", "pytest", "torch", "numpy")

#: One test each of a right backward and of wrong ones. The loop draws as many points by ``randn``.
SOURCE = '''
import math
import pytest
import torch
from hypothesis import settings
from torch.nn import functional
from pytest_gradcheck import tensors

pytestmark = pytest.mark.gradcheck(x=tensors((3, 4)))


class Gelu(torch.autograd.Function):
    """Without the term that goes through the distribution."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return functional.gelu(x)

    @staticmethod
    def backward(ctx, g):
        return g * 0.5 * (1 + torch.erf(ctx.saved_tensors[0] / math.sqrt(2)))


class Softmax(torch.autograd.Function):
    """Without the sum over the row."""

    @staticmethod
    def forward(ctx, x):
        y = torch.softmax(x, -1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


def convolution(x, w):
    return functional.conv2d(x.reshape(1, 1, 3, 4), w)


def test_right_gelu(x):
    return functional.gelu(x)

def test_wrong_gelu(x):
    return Gelu.apply(x)

def test_right_softmax(x):
    return functional.softmax(x, -1)

def test_wrong_softmax(x):
    return Softmax.apply(x)

@pytest.mark.gradcheck(w=tensors((2, 1, 2, 2)))
def test_right_convolution(x, w):
    return convolution(x, w)

@pytest.mark.gradcheck(w=tensors((2, 1, 2, 2)))
def test_wrong_convolution(x, w):
    return convolution(x, w.detach())
'''

CONFTEST = """
from hypothesis import settings
settings.register_profile("benchmark", max_examples={examples}, database=None, derandomize=True)
settings.load_profile("benchmark")
"""

RIGHT: dict[str, Callable[..., Any]] = {
    "gelu": torch.nn.functional.gelu,
    "softmax": lambda x: torch.nn.functional.softmax(x, -1),
    "convolution": lambda x, w: torch.nn.functional.conv2d(x.reshape(1, 1, 3, 4), w),
}


class Stopwatch:
    """Runs the tests of a pytest session as often as it takes to time them."""

    def __init__(self, examples: int, rounds: int) -> None:
        self.examples = examples
        self.rounds = rounds
        self.seconds: dict[str, float] = {}
        self.outcomes: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        contestants: dict[str, Callable[[], object]] = {
            item.name.removeprefix("test_").replace("_", " "): lambda item=item: (
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            )
            for item in session.items
        }
        for name, function in RIGHT.items():
            contestants[f"gradcheck {name}"] = lambda function=function: self._gradcheck(function)
        self.seconds = best(contestants, self.rounds)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.outcomes[report.nodeid.partition("::test_")[2].replace("_", " ")] = report.outcome

    def _gradcheck(self, function: Callable[..., Any]) -> None:
        generator = torch.Generator().manual_seed(0)
        shapes = [(3, 4), (2, 1, 2, 2)][: 2 if function is RIGHT["convolution"] else 1]
        for _ in range(self.examples):
            point = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
            assert torch.autograd.gradcheck(function, [x.requires_grad_() for x in point])


def timed(examples: int, rounds: int) -> Stopwatch:
    """Time every test of `SOURCE`, and the loops of gradcheck, in one process."""
    watch = Stopwatch(examples, rounds)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        Path(folder, "conftest.py").write_text(CONFTEST.format(examples=examples), encoding="utf-8")
        Path(folder, "test_it.py").write_text(SOURCE, encoding="utf-8")
        path = list(sys.path)
        pytest.main(["-q", "-p", "no:cacheprovider", f"--rootdir={folder}", folder], plugins=[watch])
        # Another module of the name could not be collected in this process.
        sys.path[:] = path
        for name in [n for n, m in sys.modules.items() if str(getattr(m, "__file__", "")).startswith(folder)]:
            del sys.modules[name]
    return watch


def run(quick: bool) -> list[Table]:
    """Both tables."""
    examples, rounds = (5, 1) if quick else (100, 5)
    watch = timed(examples, rounds)
    seconds = watch.seconds
    passing, failing, aims, more, ratios = [], [], [], [], []
    for name in RIGHT:
        right, wrong, loop = (seconds[f"{what} {name}"] for what in ("right", "wrong", "gradcheck"))
        assert (watch.outcomes[f"right {name}"], watch.outcomes[f"wrong {name}"]) == ("passed", "failed")
        passing.append([name, *figures(right, loop, right / loop)])
        ratios.append(right / loop)
        failing.append([name, *figures(wrong, right, wrong / right)])
        aims.append(Aim(f"{name}, of the loop's time", 1, right / loop))
        more.append(Aim(f"wrong {name}, of the right one's time", 2, wrong / right))
    return [
        Table(
            "A marked test and a loop of gradcheck",
            f"A test with {examples} examples of shape (3, 4), all four methods, drawing and reporting "
            f"included, and {examples} calls of `torch.autograd.gradcheck` at points from `torch.randn`.",
            ["", "marked test, s", "loop, s", "ratio"],
            passing,
            aims,
            [Ratio("a marked test of a hundred examples, over a loop of gradcheck", ratios)],
        ),
        Table(
            "A test that fails and one that passes",
            "The same with a wrong backward: until it is found, shrunk and explained.",
            ["", "wrong, s", "right, s", "ratio"],
            failing,
            more,
        ),
    ]
