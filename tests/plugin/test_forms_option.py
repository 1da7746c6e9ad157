"""Derivatives by hand in every form, in the marker, in the fixtures, and next to the flag of the methods."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
def cube(x):
    return x**3

def jacobian(x):
    return np.diag(3 * x**2)

def scaled_jacobian(x, factor):
    return factor * jacobian(x)

@pytest.mark.gradcheck(x=vectors, jacobian=jacobian, jvp=lambda x, v: 3 * x**2 * v)
def test_right(x):
    return cube(x)

@pytest.mark.gradcheck(x=vectors, jacobian=jacobian, jvp=lambda x, v: 2 * x**2 * v)
def test_wrong_jvp(x):
    return cube(x)

@pytest.mark.gradcheck(x=vectors, hessian=lambda x: np.diag(3 * x))
def test_wrong_hessian(x):
    return cube(x).sum()

@pytest.mark.gradcheck(x=vectors, hessian=lambda x: np.diag(6 * x), hvp=lambda x, v: 6 * x * v)
def test_right_hessian(x):
    return cube(x).sum()

@pytest.mark.gradcheck(x=vectors, gradient=True)
def test_both(x):
    return x @ x, 2 * x

@pytest.mark.gradcheck(x=vectors, gradient=True)
def test_wrong_both(x):
    return x @ x, 3 * x

@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.gradcheck(x=vectors, jacobian=scaled_jacobian)
def test_constants(x, factor):
    return factor * cube(x)

@pytest.mark.gradcheck(jacobian=jacobian)
@given(x=vectors)
def test_given(x):
    return cube(x)

class Operator:
    def matvec(self, v):
        return 2.0 * v

    def rmatvec(self, u):
        return 2.0 * u

def test_fixture(gradcheck):
    assert gradcheck(cube, np.ones(3), jacobian=jacobian).methods["user"].status == "ok"
    assert gradcheck(Operator(), np.ones(3), name="operator")

def test_both_orders(gradgradcheck):
    gradgradcheck(lambda x: cube(x).sum(), np.ones(3), hessian=lambda x: np.diag(6 * x))
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_wherever_options_are_given(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    flags = ("--gradcheck-methods=central,reference,user", "--gradcheck-report=report.json")
    result = project.run(*flags, workers=workers)
    result.assert_outcomes(passed=8, failed=3)
    checks = {c["nodeid"].partition("::")[2]: c for c in project.report()["checks"]}
    assert [name for name, c in checks.items() if "user" not in c["methods"]] == []
    wrong = {name: c for name, c in checks.items() if c["verdict"] == "fail"}
    assert {c["culprit"] for c in wrong.values()} == {"user"}
    begins = {name: c["diagnosis"]["text"].partition(":")[0] for name, c in wrong.items()}
    assert begins == {"test_wrong_jvp": "jvp", "test_wrong_hessian": "hessian", "test_wrong_both": "gradient"}
    assert checks["test_right_hessian"]["order"] == 2


@pytest.mark.parametrize("workers", WORKERS)
def test_a_form_that_cannot_be_right_is_an_error_of_collection(project: Any, workers: int) -> None:
    project.write(
        test_number="""
        @pytest.mark.gradcheck(x=vectors, hessian=3)
        def test_a(x):
            return x @ x
        """,
        test_another_name="""
        @pytest.mark.gradcheck(x=vectors, hessp=3)
        def test_a(x):
            return x @ x
        """,
    )
    result = project.run(workers=workers)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*test_a: hessian: got 3; give a function of the inputs*",
            "*hessp: *did you mean hvp*",
        ]
    )


def test_a_form_of_another_shape_is_an_error_of_the_test(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=vectors, jacobian=lambda x: np.ones((7, 7)))
        def test_a(x):
            return x**2
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*jacobian: got shape (7, 7) for x; the right shape is (*"])
