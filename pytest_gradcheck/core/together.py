"""Combine the results of several derivatives of one function, each checked separately."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pytest_gradcheck.core.results import CheckResult, Diagnosis, NotChecked, Verdict
from pytest_gradcheck.core.verdict import Finding
from pytest_gradcheck.methods.forms import Form
from pytest_gradcheck.methods.roles import BY_HAND

#: Verdicts by precedence: the first that any result has is the verdict of all.
IN_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


class Checked(NamedTuple):
    """The result of a check of one derivative; ``form`` is the one by hand that was on trial, if any."""

    result: CheckResult
    finding: Finding
    form: Form | None

    @property
    def is_wrong(self) -> bool:
        """Whether it failed."""
        return self.result.verdict is Verdict.FAIL

    @property
    def is_right(self) -> bool:
        """Whether it passed."""
        return self.result.verdict is Verdict.PASS

    @property
    def text(self) -> str:
        """The text of its diagnosis, preceded by the name of the form if there are others."""
        text = self.result.diagnosis.text
        return text if self.form is None else self.form.named(text, BY_HAND)


def together(checked: Sequence[Checked]) -> Checked:
    """Return the check that decides, with a note on the others and their costs.

    The first that failed decides, else the first that is inconclusive, else the last.
    """
    if len(checked) > 1 and checked[0].form is None and _says_nothing(checked[0]):
        # The first order has no gradient on trial, but the second one has.
        checked = checked[1:]
    verdict = next(v for v in IN_ORDER if any(each.result.verdict is v for each in checked))
    alike = [each for each in checked if each.result.verdict is verdict]
    chosen = alike[-1] if verdict is Verdict.PASS else alike[0]
    code, text = chosen.result.diagnosis.code, chosen.text
    if verdict is Verdict.PASS:
        names = [each.form.name for each in alike if each.form is not None and each.form.is_named]
        if names:
            text = f"{', '.join(dict.fromkeys(names))}: {chosen.result.diagnosis.text}"
    else:
        text = "; ".join(dict.fromkeys(each.text for each in alike))
    result = replace(chosen.result, diagnosis=Diagnosis(code, text))
    forms = {each.form for each in checked if each.form is not None}
    if len(forms) > 1 or (forms and len(checked) > 1 and any(form.order == 2 for form in forms)):
        result = _with_costs(result, [each.result for each in checked])
    return Checked(result, chosen.finding, chosen.form)


def _says_nothing(first: Checked) -> bool:
    return first.result.diagnosis.code == "nothing-checked" and first.finding.evidence.order.roles.own is None


def _with_costs(result: CheckResult, results: Sequence[CheckResult]) -> CheckResult:
    """Return a result with the costs, unchecked parts and labels of all of them."""
    methods = {}
    for name, method in result.methods.items():
        all_ = [each.methods[name] for each in results if name in each.methods]
        methods[name] = dataclasses.replace(
            method,
            evaluations=sum(each.evaluations for each in all_),
            calls=sum(each.calls for each in all_),
            seconds=sum(each.seconds for each in all_),
        )
    not_checked: dict[NotChecked, None] = dict.fromkeys(one for each in results for one in each.not_checked)
    labels = dict.fromkeys(label for each in results for label in each.labels)
    return replace(result, methods=methods, not_checked=tuple(not_checked), labels=tuple(labels))
