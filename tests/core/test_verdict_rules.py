"""Each rule of the verdict, reached by a check that no other rule decides."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from pytest_gradcheck.core import verdict
from pytest_gradcheck.core.check import _check
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.results import Status
from pytest_gradcheck.core.verdict import Evidence, Finding
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.reference import ReferencePullback
from pytest_gradcheck.methods.roles import Roles, roles_of
from pytest_gradcheck.testing import corrupt

X = torch.tensor([0.3, 0.7], dtype=torch.float64)
RULES = (
    *verdict.BEFORE_LOOKING,
    *verdict.ON_THE_NUMBERS,
    *verdict.ON_SECOND_LOOK,
    *verdict.ON_PROPERTIES,
)


class Case(NamedTuple):
    """A check, and the verdict that its rule gives."""

    verdict: str
    code: str
    function: Callable[..., Any]
    inputs: Any = X
    options: Mapping[str, Any] = MappingProxyType({})


class Raising(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        raise ValueError("no")


class Spoiling(torch.autograd.Function):
    """Its cotangent is changed for the next backward."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        right = g.clone()
        g.mul_(3.0)
        return right


noise = np.random.default_rng(0)


def saddle(x: Any) -> Any:
    """Nothing along each axis, and a jump along any other line."""
    return 0.0 if not x.any() else x[0] * x[1] / (x @ x)


def slope_of_the_saddle(x: Any) -> Any:
    return x[::-1] / (x @ x) - 2 * x[0] * x[1] * x / (x @ x) ** 2


def exp_but_for_its_tangent(x: Any) -> float:
    """At 1e-14 nothing but the last term moves the values, and they go the wrong way."""
    return sum(math.exp(v) - 1 - v for v in x)


CASES = {
    "value_mismatch": Case("fail", "value-mismatch", torch.sin, options={"oracle": torch.cos}),
    "raised": Case("fail", "backward-raised", Raising.apply),
    "no_entries": Case("inconclusive", "nothing-checked", lambda x: x[:0]),
    "not_finite": Case("inconclusive", "non-finite-value", np.log, -1.0),
    "erratic": Case("inconclusive", "nondeterministic", lambda x: x + noise.normal(), 1.0),
    "own_cannot_run": Case(
        "inconclusive", "nothing-checked", lambda x: x * (3 if torch.is_grad_enabled() else 2)
    ),
    "nothing_to_compare": Case(
        "inconclusive", "nothing-checked", np.sin, 0.3, {"methods": ("central", "forward")}
    ),
    "broken_property": Case("fail", "mutated-cotangent", Spoiling.apply),
    "agree": Case("pass", "agree", torch.sin),
    "subgradient": Case("pass", "subgradient", torch.relu, torch.zeros(2, dtype=torch.float64)),
    "nowhere_finite": Case(
        "inconclusive", "non-finite-gradient", lambda x: np.where(x > 0, x, np.expm1(x)), np.array([1e3])
    ),
    "no_common_ground": Case("inconclusive", "methods-split", np.median, np.ones(3)),
    "confirmed": Case("fail", "constant-factor", corrupt(torch.sin, lambda g: [g[0] * 2])),
    "limit": Case(
        "pass", "subgradient", np.max, np.ones(2), {"gradient": lambda x: [1.0, 0.0], "domain": (0, 1)}
    ),
    "rough": Case("inconclusive", "kink", saddle, np.zeros(2), {"gradient": slope_of_the_saddle}),
    "not_confirmed": Case(
        "inconclusive",
        "unconfirmed",
        exp_but_for_its_tangent,
        np.array([1e-14, 0, 0]),
        {"gradient": np.expm1},
    ),
    "jump": Case("inconclusive", "jump", lambda x: np.where(x >= 1, x + 1, x), 1.0),
    "singularity": Case("inconclusive", "singularity", lambda x: np.abs(x) ** 0.5, 0.0),
    "unresolved": Case(
        "inconclusive", "unresolved", lambda x: x.half().double(), torch.tensor([0.3], dtype=torch.float64)
    ),
}

#: Rules that constructed evidence reaches below: a check needs a wrong engine or a certain kernel for them.
CONSTRUCTED = {
    "not_implemented",
    "engine_overruled",
    "differences_split",
    "lone_method",
    "outvoted",
    "split",
    "borne_out",
}


def decided(case: Case) -> Finding:
    _, findings = _check(case.function, case.inputs, Options(**case.options))
    return findings[-1]


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_decides_its_check(rule: str) -> None:
    found = decided(CASES[rule])
    assert (found.rule, str(found.verdict), found.diagnosis.code) == (
        rule,
        CASES[rule].verdict,
        CASES[rule].code,
    )


def test_every_rule_has_its_test() -> None:
    names = {rule.__name__ for rule in RULES}
    assert names == CASES.keys() | CONSTRUCTED
    assert all(rule.__doc__ for rule in RULES)


def test_the_first_rule_that_answers_wins() -> None:
    def silent(evidence: Evidence) -> Finding | None:
        return None

    case = constructed()
    first = verdict.answer((silent, verdict.lone_method, verdict.unresolved), case)
    assert first is not None
    assert first.rule == "lone_method"
    assert first.evidence is case
    assert verdict.answer((silent,), case) is None


def constructed(order: Any = None, **more: Any) -> Evidence:
    """Return evidence of one exact method on one entry, with nothing to compare it with."""
    exact = {"reference": Estimate(np.ones((1, 1)), np.zeros((1, 1)))}
    table = Table(np.eye(1), None, [0], exact, None)
    jacobian = Jacobian(SimpleNamespace(), {}, ())  # type: ignore[arg-type]  # the rules do not look at it
    known: dict[str, Any] = {"order": order, "heard": {}, "states": {}}
    return Evidence(**{**known, "jacobian": jacobian, "first": table, "table": table, **more})


def test_one_method_alone_checks_nothing() -> None:
    found = verdict.lone_method(constructed())
    assert found is not None
    assert (str(found.verdict), found.diagnosis.code) == ("inconclusive", "nothing-checked")
    assert found.diagnosis.text == "only one method (reference) gave a gradient; at least two are needed"


@pytest.mark.parametrize(
    ("heard", "answers"), [({}, True), ({"reference": None}, True), ({"user": None}, False)]
)
def test_what_the_framework_has_no_derivative_of_is_not_decided_by_others(heard: Any, answers: bool) -> None:
    order: Any = SimpleNamespace(roles=Roles("torch", ()), methods=SimpleNamespace(missing="no such rule"))
    found = verdict.not_implemented(constructed(order, heard=heard))
    assert (found is not None) == answers
    if found is not None:
        assert (found.diagnosis.code, found.diagnosis.text) == ("not-implemented", "torch: no such rule")


def test_a_wrong_engine_is_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ReferencePullback.vjp
    monkeypatch.setattr(ReferencePullback, "vjp", lambda self, u: 2 * right(self, u))
    found = decided(Case("pass", "reference-engine", torch.sin))
    assert (found.rule, str(found.verdict), found.culprit) == ("engine_overruled", "pass", "reference")
    assert found.evidence.overruled
    assert "reference" not in found.evidence.heard
    assert found.evidence.states["reference"][0] is Status.UNAVAILABLE


def test_a_second_look_follows_methods_that_are_apart() -> None:
    found = decided(CASES["confirmed"])
    first = verdict.answer(verdict.ON_THE_NUMBERS, found.evidence)
    assert first is not None
    assert (first.rule, first.culprit) == ("outvoted", "torch")
    case = Case("", "", np.sin, 0.3, {"gradient": lambda x: 2 * np.cos(x), "methods": ("reference", "user")})
    found = decided(case)
    first = verdict.answer(verdict.ON_THE_NUMBERS, found.evidence)
    assert first is not None
    assert (first.rule, first.culprit) == ("split", None)
    assert (found.rule, found.culprit) == ("confirmed", "user")


def test_function_values_bear_out_a_gradient_that_a_wrong_engine_contradicts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = ReferencePullback.vjp
    monkeypatch.setattr(ReferencePullback, "vjp", lambda self, u: 2 * right(self, u))
    found = decided(Case("", "", torch.sin, X, {"methods": ("reference", "torch")}))
    assert (found.rule, str(found.verdict), found.culprit) == ("borne_out", "pass", "reference")


def test_differences_that_contradict_themselves_blame_no_method() -> None:
    ones, zeros = np.ones((1, 1)), np.zeros((1, 1), dtype=bool)
    exact = {name: Estimate(ones, 0 * ones) for name in ("reference", "torch")}

    def pair(a: str, b: str, *, apart: bool, entrywise: bool = False) -> Any:
        return SimpleNamespace(
            a=a,
            b=b,
            agree=not apart,
            disagree=zeros | apart,
            resolved=~zeros,
            entrywise=entrywise,
            counts=True,
        )

    pairs: Any = (
        pair("reference", "torch", apart=False, entrywise=True),
        *(pair("central", name, apart=False) for name in exact),
        *(pair("forward", name, apart=True) for name in exact),
    )
    table = Table(np.eye(1), None, [0], exact, None, pairs)
    found = verdict.differences_split(constructed(table=table))
    assert found is not None
    assert (str(found.verdict), found.diagnosis.code) == ("inconclusive", "methods-split")
    agreed = dataclasses.replace(table, comparisons=pairs[:3])
    assert verdict.differences_split(constructed(table=agreed)) is None


# -- who is not a witness -------------------------------------------------------------------------------


def left_out(function: Callable[..., Any], inputs: Any, **options: Any) -> dict[str, str | None]:
    found = decided(Case("", "", function, inputs, options))
    return {
        name: reason
        for name, (status, reason) in found.evidence.states.items()
        if status is Status.UNAVAILABLE and name in found.evidence.order.methods.pullbacks
    }


def test_methods_that_are_nan_where_differences_are_not_are_no_witnesses() -> None:
    reasons = left_out(lambda x: np.where(x > 0, x, np.expm1(x)), np.array([1e3]))
    assert reasons.keys() == {"reference", "torch"}
    assert all("not finite" in str(reason) for reason in reasons.values())


def test_a_stand_in_that_stands_alone_is_no_witness() -> None:
    reasons = left_out(np.linalg.det, np.diag([1.0, 2.0, 0.0]))
    assert reasons.keys() == {"torch"}
    assert "stands alone" in str(reasons["torch"])


def test_a_complex_step_of_what_is_not_analytic_is_no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    table = SimpleNamespace(
        exact={"reference": None, "complex_step": None},
        agreement={
            ("central", "complex_step"): False,
            ("central", "reference"): True,
            ("reference", "complex_step"): False,
        },
    )
    found = verdict.no_witness("complex_step", constructed(table=table))
    assert found is not None
    assert "not analytic" in found.reason
    assert not found.overruled


def test_a_method_that_gave_no_table_is_not_left_out() -> None:
    assert verdict.no_witness("torch", constructed()) is None


# -- votes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agreement", "culprit"),
    [
        ({("central", "reference"): True, ("central", "user"): False, ("reference", "user"): False}, "user"),
        ({("central", "reference"): False, ("central", "user"): False, ("reference", "user"): True}, None),
        ({("reference", "torch"): True, ("reference", "user"): False, ("torch", "user"): False}, "user"),
        ({("reference", "user"): False}, None),
        ({("central", "user"): False}, "user"),
    ],
)
def test_a_vote_names_the_one_that_stands_alone(agreement: Any, culprit: str | None) -> None:
    assert verdict.vote(agreement, dict.fromkeys(name for pair in agreement for name in pair)) == culprit


def test_methods_of_one_witness_have_one_voice() -> None:
    two_against_one = {("reference", "torch"): True, ("reference", "user"): False, ("torch", "user"): False}
    names = ["reference", "torch", "user"]
    one = {"torch": "reference"}
    assert verdict.vote(two_against_one, names, lambda name: one.get(name, name)) is None
    measured = {**two_against_one, ("central", "user"): True}
    measured |= {("central", "reference"): False, ("central", "torch"): False}
    assert verdict.vote(measured, ["central", *names], lambda name: one.get(name, name)) == "reference"
    assert verdict.vote(measured, ["central", *names]) is None


def test_differences_are_one_witness_and_so_are_the_engine_and_its_stand_in() -> None:
    numpy_code = roles_of(SimpleNamespace(name="numpy", differentiates=False), ("central", "torch"))  # type: ignore[arg-type]
    assert numpy_code.witness("central") == numpy_code.witness("forward")
    assert numpy_code.witness("torch") == numpy_code.witness("reference") == "reference"
    assert not numpy_code.is_on_trial("torch")
    torch_code = roles_of(SimpleNamespace(name="torch", differentiates=True), ("central", "torch"))  # type: ignore[arg-type]
    assert torch_code.witness("torch") == "torch"
    assert torch_code.is_on_trial("torch")
    assert torch_code.is_on_trial("user")
    assert not torch_code.is_on_trial("reference")
