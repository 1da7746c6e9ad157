"""Gradients that a project registers by a decorator of its own, among the gradient coverage."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from inner import WORKERS

from pytest_gradcheck.records.load import schema

SCHEMA = schema()


#: A small engine of the project's own, with the registries of the three usual kinds: the rule next to the
#: function, the rule inside of the function, and a maker of rules.
REGISTRY = """
import functools
import numpy as np

RULES = {}
INSIDE = []
MAKERS = {}

def custom_gradient(backward):
    def decorate(function):
        RULES[function] = backward
        return function
    return decorate

def gradient_inside(function):
    INSIDE.append(function)
    return function

def pull(function, x, cotangent):
    if function in RULES:
        return RULES[function](x, cotangent)
    if function in MAKERS:
        return MAKERS[function](x)(cotangent)
    return function(x, with_gradient=True)[1](cotangent)
"""
OPS = """
import numpy as np
from rulespkg.registry import MAKERS, custom_gradient, gradient_inside

def cube_backward(x, cotangent):
    return 3 * x**2 * cotangent

@custom_gradient(cube_backward)
def cube(x):
    return x**3

@custom_gradient(lambda x, cotangent: 3 * x * cotangent)
def wrong(x):
    return x**2

@gradient_inside
def square(x, with_gradient=False):
    def backward(cotangent):
        return 2 * x * cotangent
    return (x**2, backward) if with_gradient else x**2

def sine(x):
    return np.sin(x)

def sine_maker(x):
    slope = np.cos(x)
    return lambda cotangent: slope * cotangent

MAKERS[sine] = sine_maker

@custom_gradient(lambda x, cotangent: cotangent)
def never(x):
    return x
"""
CONFTEST = """
def pytest_gradcheck_gradients(config):
    from rulespkg import ops, registry
    yield from registry.RULES.items()
    for function in registry.INSIDE:
        yield function, function
    yield from registry.MAKERS.items()
    yield "elsewhere", test_of_another_package

def test_of_another_package():
    pass
"""
TESTS = """
import functools
from rulespkg import ops, registry

def check(gradcheck, function):
    gradcheck(function, np.array([1.0, 2.0]), vjp=functools.partial(registry.pull, function))

def test_cube(gradcheck):
    check(gradcheck, ops.cube)

@pytest.mark.gradcheck(
    x=hn.arrays(np.float64, 3, elements=numbers),
    vjp=lambda x, cotangent: registry.pull(ops.square, x, cotangent),
)
def test_square(x):
    return ops.square(x)

def test_wrong(gradcheck):
    check(gradcheck, ops.wrong)

def test_a_gradient_as_a_value(gradcheck):
    # What is checked is the derivative of the rule, by others: the rule itself may be arbitrarily wrong.
    gradcheck(lambda x: registry.pull(ops.never, x, np.ones(2)) * x, np.array([1.0, 2.0]))

def test_made_and_not_called(gradcheck):
    def gradient(x):
        ops.sine_maker(x)
        return np.ones(2)

    gradcheck(lambda x: np.sum(x), np.array([1.0, 2.0]), gradient=gradient)
"""


@pytest.fixture
def package(project: Any) -> Any:
    folder = project.path / "rulespkg"
    folder.mkdir()
    for name, text in (("__init__", ""), ("registry", REGISTRY), ("ops", OPS)):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    project.conftest(CONFTEST)
    project.write(test_it=TESTS)
    return project


def line_of(text: str) -> int:
    return 1 + next(i for i, line in enumerate(OPS.splitlines()) if text in line)


@pytest.mark.parametrize("workers", WORKERS)
def test_which_rules_passing_checks_ran(package: Any, workers: int) -> None:
    flags = (
        "--gradcheck-cov=rulespkg",
        "--gradcheck-cov-fail-under=forward:0,80",
        "--gradcheck-report=r.json",
    )
    result = package.run(*flags, "-o", "gradcheck_methods=central,reference,user", workers=workers)
    result.assert_outcomes(passed=4, failed=1)
    never = line_of("cotangent: cotangent")
    result.stdout.fnmatch_lines(
        [
            "hand-written gradients of rulespkg: 2 of 5 run by a check that passed",
            f"  rulespkg/ops.py:{never}: rulespkg.ops.never: not run",
            f"  rulespkg/ops.py:{line_of('def sine_maker')}: rulespkg.ops.sine: not run",
            f"  rulespkg/ops.py:{line_of('3 * x * cotangent')}: rulespkg.ops.wrong: not run",
            "gradcheck: cov-fail-under: 2 of 5 hand-written gradients of rulespkg run by a check that "
            f"passed, 40 %; not rulespkg.ops.never (rulespkg/ops.py:{never}) and 2 other ones; "
            "at least 4 of 5 (80 %) must pass",
        ]
    )
    report = package.report("r.json")
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    ran = {g["name"]: (g["ran"], g["tests"], g["line"]) for g in report["coverage"]["gradients"]}
    both = ["forward", "backward"]
    cube, square = line_of("@custom_gradient(cube"), line_of("@gradient_inside")
    assert ran["rulespkg.ops.cube"] == (both, ["test_it.py::test_cube"], cube)
    assert ran["rulespkg.ops.square"] == (both, ["test_it.py::test_square"], square)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("return [5]", "*pytest_gradcheck_gradients: got 5; return pairs (function or name, backward)"),
        (
            "return [(5, print)]",
            "*_gradients: got 5 as a function; give a callable, or a name",
        ),
        ("return [('f', print)]", "*got <built-in function print> as a backward; give the Python function *"),
    ],
)
def test_what_is_no_gradient_is_told_before_anything_runs(project: Any, hook: str, message: str) -> None:
    project.conftest(f"def pytest_gradcheck_gradients(config): {hook}")
    project.write(test_it="def test_a(): raise SystemError('ran')")
    result = project.run("--gradcheck-cov=json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    # Without the flag the hook is not called.
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED
