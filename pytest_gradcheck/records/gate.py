"""The rules of the gate: pure functions from plain records to violations."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_gradcheck.core.diagnosis import codes
from pytest_gradcheck.records.buffer import Tally
from pytest_gradcheck.records.gradient_coverage import not_run
from pytest_gradcheck.records.record import Key, Stopped, backward_place, count, key, margin, passed, title
from pytest_gradcheck.records.thresholds import FACTOR, Thresholds

#: Smaller margins count as this one: a hundredth of the tolerance is as good as a millionth.
NEAR = 0.01


@dataclass(frozen=True)
class Violation:
    """A violated rule: its name, what was found, and a remedy."""

    rule: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}; {self.remedy}"


def judge(
    checks: Sequence[Mapping[str, Any]],
    *,
    fail_under: Fraction | None = None,
    max_inconclusive: int | None = None,
    parts: Sequence[Thresholds] = (),
) -> list[Violation]:
    """Return every rule that the checks violate.

    A failed check violates the first rule even if its test swallowed the exception. A failure that an xfail
    mark expects violates none, and counts neither for nor against ``fail_under``. ``parts`` are thresholds
    for a part of the checks.
    """
    counted = [check for check in checks if not check["xfail"]]
    violations = []
    failed = [check["nodeid"] for check in counted if check["verdict"] == "fail"]
    if failed:
        found = f"{count(len(failed), 'check')} failed, in {_first_of(sorted(set(failed)), 'test')}"
        remedy = "fix the gradient, or mark the test xfail if the failure is expected"
        violations.append(Violation("fail", found, remedy))
    for thresholds in (Thresholds(fail_under, max_inconclusive), *parts):
        violations += _below(counted, thresholds)
    return violations


def below_coverage(coverage: Mapping[str, Any], thresholds: Mapping[str, Fraction]) -> list[Violation]:
    """Return whether too few of the hand-written gradients were run by checks that passed.

    ``thresholds`` are percentages by one of the `gradient_coverage.WAYS` in which a gradient is run.
    """
    total, packages = coverage["total"], ", ".join(coverage["packages"])
    if not total:
        found = f"no hand-written gradient was found in {packages}"
        asked = " and ".join(map(_percent, thresholds.values()))
        remedy = f"name the package that has them, or leave out the threshold of {asked}"
        return [Violation("cov-fail-under", found, remedy)]
    violations = []
    for way, threshold in thresholds.items():
        missing = [f"{g['name']} ({backward_place(g)})" for g in not_run(coverage, way)]
        ran = total - len(missing)
        if ran * 100 >= threshold * total:
            continue
        run = "run" if way == "backward" else f"run {way}"
        found = (
            f"{ran} of {count(total, 'hand-written gradient')} of {packages} {run} by a check that passed, "
            f"{_percent(Fraction(100 * ran, total))}; not {_first_of(missing, 'one')}"
        )
        violations.append(Violation("cov-fail-under", found, _takes(threshold, total)))
    return violations


def _below(checks: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> list[Violation]:
    """Return the thresholds that the checks do not reach."""
    of, pattern, at_least = "", thresholds.pattern, thresholds.fail_under
    if pattern is not None:
        checks = [check for check in checks if fnmatch.fnmatchcase(check["nodeid"], pattern)]
        of = f" of {pattern}"
    verdicts = [check["verdict"] for check in checks]
    good, inconclusive, total = sum(map(passed, checks)), verdicts.count("inconclusive"), len(verdicts)
    violations = []
    if at_least is not None and not total:
        remedy = f"run at least one, or leave out the threshold of {_percent(at_least)}"
        violations.append(Violation("fail-under", f"no check{of} was run", remedy))
    elif at_least is not None and good * 100 < at_least * total:
        share = _percent(Fraction(good * 100, total))
        found = f"{good} of {count(total, 'check')}{of} passed, {share}"
        violations.append(Violation("fail-under", found, _takes(at_least, total)))
    if thresholds.max_inconclusive is not None and inconclusive > thresholds.max_inconclusive:
        found = f"{count(inconclusive, 'check')}{of} inconclusive"
        remedy = f"the limit is {thresholds.max_inconclusive}"
        violations.append(Violation("max-inconclusive", found, remedy))
    return violations


def against_baseline(
    checks: Sequence[Mapping[str, Any]],
    baseline: Mapping[Key, Mapping[str, Any]],
    *,
    factor: float = FACTOR,
    looked_for: Callable[[str], bool] = lambda nodeid: True,
) -> list[Violation]:
    """Return what is worse than in a baseline.

    A check is worse if it passed before and does not now, unless that is expected; if it still passes, but
    with a margin more than ``factor`` times that of before, or of `NEAR`; or if it did not run although its
    test was selected.
    """
    now = {key(check): check for check in checks}
    before = {name: entry for name, entry in baseline.items() if entry["verdict"] == "pass"}
    verdicts, margins = [], []
    for name in sorted(before.keys() & now.keys()):
        check, old = now[name], float(before[name]["margin"])
        if check["verdict"] != "pass":
            if not check["xfail"]:
                verdicts.append(f"{title(*name)} ({check['verdict']})")
        elif margin(check) > factor * max(old, NEAR):
            margins.append(f"{title(*name)} ({old:.3g} to {margin(check):.3g})")
    gone = [title(*name) for name in sorted(baseline.keys() - now.keys()) if looked_for(name[0])]
    accept = "or accept it with --gradcheck-update-baseline"
    drop = "bring it back, or drop it with --gradcheck-prune-baseline"
    nearer = f"whose margin grew more than {factor:g}x over the baseline"
    rules = (
        ("baseline-verdict", verdicts, "passed in the baseline but not now", f"fix it, {accept}"),
        ("baseline-margin", margins, nearer, f"investigate, {accept}"),
        ("baseline-vanished", gone, "no longer run", drop),
    )
    return [
        Violation(rule, f"{count(len(names), 'check')} {what}: {_first_of(names, 'check')}", remedy)
        for rule, names, what, remedy in rules
        if names
    ]


def nothing_checked(
    tally: Tally, *, marked: bool, takes: Sequence[str] = (), stopped: Stopped | None = None
) -> str | None:
    """Return why a test that raised nothing must fail anyway, or None.

    A test without a conclusive check would pass although nothing was checked. ``takes`` are the fixtures
    among its parameters.
    """
    if marked and 0 < tally.constant == tally.conclusive:
        remedy = "use them in the body, or remove the mark"
        return f"nothing-checked: {codes.fixed('constant').text}; {remedy}"
    if tally.conclusive:
        return None
    if tally.inconclusive:
        found = "the check could not reach a verdict"
        if tally.inconclusive > 1:
            found = f"none of the {tally.inconclusive} checks could reach a verdict"
    elif marked:
        found = "the test is marked gradcheck, but none of its examples was checked"
    elif takes and not tally.calls:
        remedy = (
            f"write {takes[0]}(fn, inputs), call pytest.skip where it does not apply, or drop the parameter"
        )
        found = f"the test takes the fixture {takes[0]} and never calls it; {remedy}"
        if takes[1:]:
            found = f"the test takes the fixtures {' and '.join(takes)} and calls neither; {remedy}"
    else:
        return None
    reasons = [*list(tally.reasons.values())[:10], *([] if stopped is None else [str(stopped)])]
    return "\n  ".join([f"nothing-checked: {found}", *reasons])


def _first_of(names: Sequence[str], thing: str) -> str:
    return names[0] + (f" and {count(len(names) - 1, f'other {thing}')}" if names[1:] else "")


def _takes(threshold: Fraction, total: int) -> str:
    return f"at least {-int(-(threshold * total) // 100)} of {total} ({_percent(threshold)}) must pass"


def _percent(value: Fraction) -> str:
    # Rounded down: 99.99 % must never read as 100 %.
    whole, hundredths = divmod(int(value * 100), 100)
    return f"{whole}.{hundredths:02d}".rstrip("0").rstrip(".") + " %"
