"""--gradcheck-cov: which hand-written gradients of a package passing checks have run."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from inner import WORKERS

from pytest_gradcheck.records.load import schema

SCHEMA = schema()


OPS = """
import torch


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


class Wrong(Double):
    @staticmethod
    def backward(ctx, grad):
        return 3 * grad


class Unused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad


@torch.library.custom_op("mypkg::square", mutates_args=())
def square(x: torch.Tensor) -> torch.Tensor:
    return x * x


def setup(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def square_backward(ctx, grad):
    return 2 * grad * ctx.saved_tensors[0]


square.register_autograd(square_backward, setup_context=setup)
"""
APART = """
from torch import autograd

class Never(autograd.Function):
    def forward(ctx, x):
        return x

    def backward(ctx, grad):
        return grad
"""
TESTS = """
import torch
from mypkg.ops import Double, Wrong, square

X = torch.tensor([1.0, 2.0], dtype=torch.float64)
W = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)

def test_double(gradcheck):
    gradcheck(Double.apply, X)

def test_square(gradgradcheck):
    gradgradcheck(square, X)

def test_wrong(gradcheck):
    gradcheck(Wrong.apply, X)
"""


@pytest.fixture
def package(project: Any) -> Any:
    """A project with a package of four gradients that are imported, and one that is not."""
    folder = project.path / "mypkg"
    folder.mkdir()
    for name, text in (("__init__", ""), ("ops", OPS), ("apart", APART)):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    project.write(test_it=TESTS)
    return project


def run(package: Any, *flags: str, workers: int = 0) -> Any:
    # In a process of its own: a custom operation can be defined once in each.
    spread = ("-n", str(workers)) if workers else ("-p", "no:xdist")
    methods = ("-o", "gradcheck_methods=central,torch", "-p", "no:jaxtyping", "-p", "no:cacheprovider")
    return package.pytester.runpytest_subprocess("-W", "error", *methods, *spread, *flags)


@pytest.mark.parametrize("workers", WORKERS)
def test_what_passing_checks_ran(package: Any, workers: int) -> None:
    flags = ("--gradcheck-cov=mypkg", "--gradcheck-report=r.json")
    flags += ("--gradcheck-cov-fail-under=50,double-backward:21",)
    result = run(package, *flags, "--gradcheck-report=r.md", workers=workers)
    result.assert_outcomes(passed=2, failed=1)
    lines = OPS.splitlines()
    never = 1 + next(i for i, line in enumerate(APART.splitlines()) if "def backward" in line)
    unused, wrong = (
        1 + max(i for i, line in enumerate(lines) if text in line) for text in ("return grad", "3 * grad")
    )
    result.stdout.fnmatch_lines(
        [
            "hand-written gradients of mypkg: 2 of 5 run by a check that passed",
            f"  mypkg/apart.py:{never}: mypkg.apart.Never: its module was not imported",
            f"  mypkg/ops.py:{unused - 2}: mypkg.ops.Unused: not run",
            f"  mypkg/ops.py:{wrong - 2}: mypkg.ops.Wrong: not run",
            "gradcheck: cov-fail-under: 2 of 5 hand-written gradients of mypkg run by a check that passed, "
            f"40 %; not mypkg.apart.Never (mypkg/apart.py:{never}) and 2 other ones; at least 3 of 5 (50 "
            f"%) must pass",
            "gradcheck: cov-fail-under: 1 of 5 hand-written gradients of mypkg run double-backward by a "
            f"check that passed, 20 %; not mypkg.apart.Never (mypkg/apart.py:{never}) and 3 other ones; "
            "at least 2 of 5 (21 %) must pass",
        ]
    )
    report = package.report("r.json")
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    ran = {
        gradient["name"]: (gradient["ran"], gradient["tests"]) for gradient in report["coverage"]["gradients"]
    }
    assert ran == {
        "mypkg.apart.Never": ([], []),
        "mypkg.ops.Double": (["forward", "backward"], ["test_it.py::test_double"]),
        "mypkg.ops.Unused": ([], []),
        "mypkg.ops.Wrong": ([], []),
        "mypkg::square": (["forward", "backward", "double-backward"], ["test_it.py::test_square"]),
    }
    text = (package.path / "r.md").read_text(encoding="utf-8")
    assert "2 of 5 hand-written gradients" in text
    assert f"`mypkg/ops.py:{unused - 2}`" in text


def test_a_gradient_that_no_input_needs_is_not_run(package: Any) -> None:
    package.write(
        test_it="""
        import torch
        from mypkg.ops import Double

        def test_constant(gradcheck):
            w = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
            gradcheck(lambda x: x * Double.apply(w), torch.tensor([1.0, 2.0], dtype=torch.float64))
        """
    )
    result = run(package, "--gradcheck-cov=mypkg.ops")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*ops.py:*: mypkg.ops.Double: only its forward ran"])
    assert "mypkg.apart" not in result.stdout.str()


@pytest.mark.sweep
def test_reports_of_shards_are_covered_together(package: Any) -> None:
    from pytest_gradcheck.__main__ import main

    run(package, "--gradcheck-cov=mypkg", "--gradcheck-report=a.json", "-k", "double")
    run(package, "--gradcheck-cov=mypkg", "--gradcheck-report=b.json", "-k", "square")
    a, b, both = (str(package.path / name) for name in ("a.json", "b.json", "all.json"))
    assert main(["merge", a, b, "-o", both]) == 0
    assert package.report("all.json")["coverage"]["covered"] == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--gradcheck-cov=my-pkg"],
            "*--gradcheck-cov: got 'my-pkg'; give the dotted name of a package, *",
        ),
        (
            ["--gradcheck-cov-fail-under=5"],
            "*--gradcheck-cov-fail-under: got no package; give --gradcheck-cov=*",
        ),
        (
            ["--gradcheck-cov=mypkg", "--gradcheck-cov-fail-under=101"],
            "*--gradcheck-cov-fail-under: got '101'; give a percentage from 0 to 100*",
        ),
        (
            ["--gradcheck-cov=mypkg", "--gradcheck-cov-fail-under=double:5"],
            "*--gradcheck-cov-fail-under: got 'double:5', with 'double' as a way; *, double-backward",
        ),
        (
            ["--gradcheck-cov=mypkg", "--gradcheck-cov-fail-under=5,backward:5"],
            "*--gradcheck-cov-fail-under: got '5,backward:5', with backward twice; give each way once",
        ),
    ],
)
def test_a_wrong_value_is_told_before_anything_runs(project: Any, flags: list[str], message: str) -> None:
    project.write(test_it="def test_a(): raise SystemError('ran')")
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_package_that_is_not_there_or_has_none(project: Any) -> None:
    project.write(test_it="def test_a(): pass")
    result = project.run("--gradcheck-cov=nowhere_at_all")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradcheck: --gradcheck-cov: cannot import package 'nowhere_at_all'"])
    result = project.run("-o", "gradcheck_cov=json", "--gradcheck-cov-fail-under=1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["gradcheck: cov-fail-under: no hand-written gradient was found in json; name *"]
    )


EXCLUDED = """
import torch


class Native(torch.autograd.Function):  # pragma: no gradcheck: a kernel that needs a GPU
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad


class Old(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):  # pragma: no gradcheck
        return grad


class Counted(Old):
    @staticmethod
    def backward(ctx, grad):  # not left out: pragma no gradcheck is not a pragma
        return grad
"""


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("workers", WORKERS)
def test_a_comment_excludes_a_gradient_and_says_why(project: Any, workers: int, imported: bool) -> None:
    # What one test has imported stays so.
    name = "seen" if imported else "unseen"
    project.path.joinpath(name).mkdir()
    project.path.joinpath(name, "__init__.py").write_text("")
    project.path.joinpath(name, "ops.py").write_text(EXCLUDED)
    source = f"import {name}{'.ops' * imported}\n"
    project.write(test_it=f"import torch\n{source}def test_a(gradcheck): gradcheck(lambda x: x * x, 1.0)\n")
    result = project.run(f"--gradcheck-cov={name}", "--gradcheck-report=report.json", workers=workers)
    counted = 1 if imported else 0
    result.stdout.fnmatch_lines(
        [
            f"hand-written gradients of {name}: {'0 of 1 run by*' if counted else 'none found'}",
            f"  {name}/ops.py:1?: {name}.ops.Native: excluded, a kernel that needs a GPU",
            f"  {name}/ops.py:2?: {name}.ops.Old: excluded, no reason given",
        ]
    )
    data = project.report()
    jsonschema.validate(data, SCHEMA)
    assert data["coverage"]["total"] == counted
    excluded = {one["name"]: one["excluded"] for one in data["coverage"]["excluded"]}
    assert excluded == {
        f"{name}.ops.Native": "a kernel that needs a GPU",
        f"{name}.ops.Old": "no reason given",
    }
