"""A marked test whose value depends on none of its inputs fails, and one that has steps does not."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

RED = """
@pytest.mark.gradcheck(x=vectors)
def test_forgotten(x):
    return 3.0

@pytest.mark.gradcheck(x=vectors, y=numbers)
def test_shape(x, y):
    return np.zeros(len(x))

@pytest.mark.gradcheck(x=vectors)
def test_vanishes(x):
    return (x - x).sum()

@pytest.mark.gradcheck
@given(x=numbers)
def test_given(x):
    return 0 * x
"""

GREEN = """
signed = st.floats(-3.25, 3.25)

@pytest.mark.parametrize("fn", [np.sign, np.floor, np.round, np.ceil, np.trunc])
@pytest.mark.gradcheck(x=st.sampled_from([-1.25, -0.25, 0.25, 1.25]))
def test_steps(fn, x):
    return fn(x)

@pytest.mark.gradcheck(x=st.sampled_from([-1.25, -0.75, -0.5, -0.25]))
def test_flat_part(x):
    return np.maximum(x, 0)

@pytest.mark.gradcheck(x=numbers, y=numbers)
def test_one_of_two(x, y):
    return y * y

def test_once(gradcheck):
    gradcheck(lambda x: 0 * x, 1.0)
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_a_marked_test_fails(project: Any, workers: int) -> None:
    project.write(test_it=RED)
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            "nothing-checked: the value was the same wherever the function was evaluated: it depends on none "
            "of its inputs; use them in the body, or remove the mark",
            "4 gradient checks: 4 inconclusive",
            "inconclusive: test_it.py::test_forgotten [[]constant]",
        ]
    )
    for check in project.report()["checks"]:
        assert (check["verdict"], check["diagnosis"]["code"]) == ("inconclusive", "constant")
        assert check["passed"]["diagnosis"]["code"] == "agree"


@pytest.mark.parametrize("workers", WORKERS)
def test_steps_and_flat_parts_do_not(project: Any, workers: int) -> None:
    project.write(test_it=GREEN)
    result = project.run("--gradcheck-report=report.json", "--gradcheck-report=report.md", workers=workers)
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["8 gradient checks: 8 passed", "constant: test_it.py::test_once*"])
    codes = {c["nodeid"].partition("::")[2]: c["diagnosis"]["code"] for c in project.report()["checks"]}
    assert [name for name, code in codes.items() if code == "constant"] == ["test_once"]
    assert "`constant`" in (project.path / "report.md").read_text(encoding="utf-8")
