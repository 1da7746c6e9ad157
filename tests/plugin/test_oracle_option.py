"""``oracle=`` in the marker, in the fixtures, and next to the flag and the ini key of the methods."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
def slow(x):
    return sum(xi * xi for xi in x)

def slower(x, power):
    return (x ** power).sum()

@pytest.mark.gradcheck(x=vectors, gradient=right, oracle=slow)
def test_right(x):
    return x @ x

@pytest.mark.gradcheck(x=vectors, gradient=wrong, oracle=slow)
def test_wrong(x):
    return x @ x

@pytest.mark.gradcheck(x=vectors, gradient=wrong, oracle=lambda x: 1.5 * slow(x))
def test_another_value(x):
    return x @ x

@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.gradcheck(x=vectors, gradient=lambda x, power: power * x ** (power - 1), oracle=slower)
def test_constants(x, power):
    return (x ** power).sum()

@pytest.mark.gradcheck(gradient=right, oracle=slow)
@given(x=vectors)
def test_given(x):
    return x @ x

def test_fixture(gradcheck):
    assert gradcheck(lambda x: x @ x, np.ones(3), gradient=right, oracle=slow).methods["oracle"].note

def test_both_orders(gradgradcheck):
    gradgradcheck(lambda x: x @ x, np.ones(3), oracle=slow)
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_wherever_options_are_given(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.assert_outcomes(passed=6, failed=2)
    checks = {c["nodeid"].partition("::")[2]: c for c in project.report()["checks"]}
    assert all(c["methods"]["oracle"]["status"] == "ok" for c in checks.values())
    assert all("reference engine" in c["methods"]["oracle"]["note"] for c in checks.values())
    wrong, another = checks["test_wrong"], checks["test_another_value"]
    assert (wrong["culprit"], another["culprit"]) == ("user", None)
    assert another["diagnosis"]["code"] == "value-mismatch"


@pytest.mark.parametrize("workers", WORKERS)
def test_an_oracle_that_does_not_fit_is_an_error_of_collection(project: Any, workers: int) -> None:
    project.write(
        test_number="""
        @pytest.mark.gradcheck(x=vectors, gradient=right, oracle=3)
        def test_a(x):
            return x @ x
        """,
        test_too_many="""
        @pytest.mark.gradcheck(x=vectors, gradient=right, oracle=lambda x, y: x @ y)
        def test_a(x):
            return x @ x
        """,
        test_too_few="""
        @pytest.mark.gradcheck(x=vectors, y=vectors, oracle=lambda x: x @ x)
        def test_a(x, y):
            return x @ y
        """,
        test_a_constant_next_to_it="""
        @pytest.mark.parametrize("power", [2])
        @pytest.mark.gradcheck(x=vectors, oracle=lambda x, power: x**power)
        def test_a(x, power):
            return x**power
        """,
    )
    result = project.run(workers=workers)
    result.assert_outcomes(errors=3, passed=int(workers > 0))
    result.stdout.fnmatch_lines_random(
        [
            "*test_a: oracle: got 3; give a function of the same inputs that computes the same values",
            "*test_a: oracle: got <lambda>(x, y), but it is called with (x): *missing*'y'*; accept them by *",
            "*test_a: oracle: got <lambda>(x), but it is called with (x, y): too many arguments; accept "
            "them by*",
        ]
    )


def test_an_oracle_that_does_not_fit_the_outputs_is_an_error_of_the_test(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=vectors, gradient=right, oracle=lambda x: x * x)
        def test_a(x):
            return x @ x

        def test_b(gradcheck):
            gradcheck(lambda x: x @ x, np.ones(3), oracle=lambda x, y: x)
        """
    )
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*oracle: got <lambda>, which returns one output of shape (3,) where the function returns one *",
            "*oracle: got *<lambda>(x, y), but it is called with *; accept them by these names, or in "
            "this order*",
        ]
    )


@pytest.mark.parametrize("workers", WORKERS)
def test_the_methods_of_the_session(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        def test_with(gradcheck):
            gradcheck(lambda x: x @ x, np.ones(3), gradient=right, oracle=lambda x: x @ x)

        def test_without(gradcheck):
            gradcheck(lambda x: x @ x, np.ones(3))
        """
    )
    for named in ("central reference user oracle", "central reference user"):
        project.pytester.makeini(f"[pytest]\ngradcheck_methods = {named}\n")
        project.run("--gradcheck-report=report.json", workers=workers).assert_outcomes(passed=2)
        used = {c["nodeid"].partition("::")[2]: set(c["methods"]) for c in project.report()["checks"]}
        assert used == {
            "test_with": {"central", "reference", "user", "oracle"},
            "test_without": {"central", "reference"},
        }
