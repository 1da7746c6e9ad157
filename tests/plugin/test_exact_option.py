"""The proven derivative end to end: in a marked test, by the flag, and in the report."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
import numpy as np

@pytest.mark.gradcheck(x=numbers, methods=("central", "exact"))
def test_marked(x):
    return np.tanh(x) * x

ALL = ("central", "forward", "reference", "user", "exact")

def test_settled(gradcheck):
    gradcheck(lambda x: (np.exp(x) - 1) / x, -7e-16, gradient=lambda x: 0.5 + x / 3, methods=ALL)

def test_convicted(gradcheck):
    gradcheck(lambda x: (np.exp(x) - 1) / x, -7e-16, gradient=lambda x: 0.525 + x / 3, methods=ALL)
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_a_proof_is_in_the_report_as_text(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*proved:*= 0.4999999999999997666666667 ± *"])
    checks = {check["nodeid"].partition("::")[2]: check for check in project.report()["checks"]}
    assert set(checks["test_marked"]["methods"]) == {"central", "exact"}
    assert checks["test_settled"]["diagnosis"]["code"] == "proved"
    for name, verdict in (("test_settled", "pass"), ("test_convicted", "fail")):
        check = checks[name]
        assert (check["verdict"], check["proved"]) == (verdict, True)
        assert check["proofs"][0]["digits"] == "0.4999999999999997666666667"
    assert checks["test_convicted"]["culprit"] == "user"


@pytest.mark.parametrize("workers", WORKERS)
def test_the_flag_asks_for_it(project: Any, workers: int) -> None:
    project.write(test_it="def test_a(gradcheck): gradcheck(lambda x: x * x, 1.5)")
    project.run("--gradcheck-methods=central,exact", "--gradcheck-report=report.json", workers=workers)
    (check,) = project.report()["checks"]
    assert set(check["methods"]) == {"central", "exact"}
    assert (check["verdict"], check["proofs"][0]["digits"]) == ("pass", "3.000000000000000000000000")
