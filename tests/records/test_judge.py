"""The rules that checks may break, from plain records alone."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np

from pytest_gradcheck import check_gradients
from pytest_gradcheck.records.buffer import ResultBuffer, Tally
from pytest_gradcheck.records.gate import judge, nothing_checked


def check(verdict: str, nodeid: str = "t.py::test_a", xfail: str | None = None) -> dict[str, Any]:
    return {"nodeid": nodeid, "name": "f", "verdict": verdict, "xfail": xfail}


def test_hundred_per_cent_is_exactly_all() -> None:
    checks = [check("pass")] * 9999
    assert judge(checks, fail_under=Fraction(100)) == []
    (violation,) = judge([*checks, check("inconclusive")], fail_under=Fraction(100))
    assert (
        str(violation)
        == "fail-under: 9999 of 10000 checks passed, 99.99 %; at least 10000 of 10000 (100 %) must pass"
    )
    (violation,) = judge([*checks * 3, check("inconclusive")], fail_under=Fraction(100))
    assert "29997 of 29998 checks passed, 99.99 %" in str(violation)


def test_a_threshold_is_met_exactly() -> None:
    checks = [check("pass")] * 2 + [check("inconclusive")]
    assert judge(checks, fail_under=Fraction(200, 3)) == []
    (violation,) = judge(checks, fail_under=Fraction(200, 3) + Fraction(1, 10**9))
    assert violation.remedy.startswith("at least 3 of 3 ")


def test_expected_failures_count_neither_way() -> None:
    assert judge([check("fail", xfail="known"), check("pass")], fail_under=Fraction(100)) == []
    (violation,) = judge([check("fail", xfail="known")], fail_under=Fraction(1))
    assert violation.found == "no check was run"


def test_every_broken_rule_is_told() -> None:
    checks = [check("fail", "t.py::a"), check("fail", "t.py::b"), check("inconclusive")]
    rules = judge(checks, fail_under=Fraction(1), max_inconclusive=0)
    assert [v.rule for v in rules] == ["fail", "fail-under", "max-inconclusive"]
    assert rules[0].found == "2 checks failed, in t.py::a and 1 other test"


def test_nothing_checked() -> None:
    assert nothing_checked(Tally(), marked=False) is None
    assert "none of its examples" in (nothing_checked(Tally(), marked=True) or "")
    assert nothing_checked(Tally(conclusive=1, inconclusive=5), marked=True) is None
    reasons = {"noise: # dB": "noise: 90 dB"}
    message = nothing_checked(Tally(inconclusive=2, reasons=reasons), marked=False)
    assert message == "nothing-checked: none of the 2 checks could reach a verdict\n  noise: 90 dB"


def test_a_reason_is_given_once_whatever_its_numbers() -> None:
    recorder, generator = ResultBuffer(), np.random.default_rng(0)
    for _ in range(3):
        recorder.add("test_it.py::test_it", check_gradients(lambda x: x * x + generator.normal(), 1.0))
    reasons = list(recorder.tally.reasons.values())
    assert len(reasons) == len({reason.partition(":")[0] for reason in reasons}), reasons
    assert any(re.search(r"reproduce the function: output is -?\d", reason) for reason in reasons)
