"""The rules that the checks of a session may break: pure functions of plain records."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_gradcheck.records.buffer import Tally
from pytest_gradcheck.records.gradient_coverage import not_run
from pytest_gradcheck.records.record import Key, Stopped, backward_place, count, key, margin, title
from pytest_gradcheck.records.thresholds import FACTOR, Thresholds

#: Smaller margins count as this one: a result that uses a hundredth of the tolerance is as good as one that
#: uses a millionth.
NEAR = 0.01


@dataclass(frozen=True)
class Violation:
    """A rule that the session broke: its name, what was found, and what would satisfy it."""

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
    """Return every rule that the checks break.

    A failed check breaks the first rule whatever became of its test, which may have swallowed the
    exception. Only a test that says by an xfail mark that it is known to fail is exempt: its author
    has put the failure on record, and pytest itself reports it in the same way. Such checks count
    neither for nor against ``fail_under``. ``parts`` are thresholds for a part of the checks.
    """
    counted = [check for check in checks if not check["xfail"]]
    violations = []
    failed = [check for check in counted if check["verdict"] == "fail"]
    if failed:
        names = sorted({check["nodeid"] for check in failed})
        violations.append(
            Violation(
                "fail",
                f"{count(len(failed), 'check')} failed, in {_first_of(names, 'test')}",
                "correct the gradient, or mark the test xfail if the failure is expected",
            )
        )
    for rule in (Thresholds(fail_under, max_inconclusive), *parts):
        violations += _below(counted, rule)
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
        needed = -int(-(threshold * total) // 100)
        run = "run" if way == "backward" else f"run {way}"
        violations.append(
            Violation(
                "cov-fail-under",
                f"{ran} of {count(total, 'hand-written gradient')} of {packages} {run} by a check that "
                f"passed, {_percent(Fraction(100 * ran, total))}; not {_first_of(missing, 'one')}",
                f"{_percent(threshold)} takes {needed} of {total}",
            )
        )
    return violations


def _below(counted: Sequence[Mapping[str, Any]], rule: Thresholds) -> list[Violation]:
    """Return which of the thresholds some checks do not reach."""
    of = ""
    if rule.pattern is not None:
        counted = [check for check in counted if fnmatch.fnmatchcase(check["nodeid"], rule.pattern)]
        of = f" of {rule.pattern}"
    verdicts = [check["verdict"] for check in counted]
    passed, inconclusive = verdicts.count("pass"), verdicts.count("inconclusive")
    violations = []
    if rule.fail_under is not None:
        if not counted:
            violations.append(
                Violation(
                    "fail-under",
                    f"no check{of} was made",
                    f"make at least one, or leave out the threshold of {_percent(rule.fail_under)}",
                )
            )
        elif passed * 100 < rule.fail_under * len(counted):
            needed = -int(-(rule.fail_under * len(counted)) // 100)
            violations.append(
                Violation(
                    "fail-under",
                    f"{passed} of {count(len(counted), 'check')}{of} passed, "
                    f"{_percent(Fraction(passed * 100, len(counted)))}",
                    f"{_percent(rule.fail_under)} takes {needed} of {len(counted)}",
                )
            )
    if rule.max_inconclusive is not None and inconclusive > rule.max_inconclusive:
        violations.append(
            Violation(
                "max-inconclusive",
                f"{count(inconclusive, 'check')}{of} inconclusive",
                f"at most {rule.max_inconclusive} may be",
            )
        )
    return violations


def against_baseline(
    checks: Sequence[Mapping[str, Any]],
    baseline: Mapping[Key, Mapping[str, Any]],
    *,
    factor: float = FACTOR,
    looked_for: Callable[[str], bool] = lambda nodeid: True,
) -> list[Violation]:
    """Return what has become worse than a baseline.

    Worse is a check that passed and does not now, one that still passes with a margin more than ``factor``
    times as large, and one that was not made, if its test was looked for at all. A failure that is
    expected now is on record already. Margins below `NEAR` are ignored.
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
    rules = (
        ("baseline-verdict", verdicts, "passed before and not now", "correct it"),
        ("baseline-margin", margins, f"nearer to failing by a factor of {factor:g}", "find out why"),
        (
            "baseline-vanished",
            gone,
            "no longer made",
            "bring it back, or drop it with --gradcheck-prune-baseline",
        ),
    )
    return [
        Violation(
            rule,
            f"{count(len(names), 'check')} {what}: {_first_of(names, 'check')}",
            remedy
            if rule == "baseline-vanished"
            else f"{remedy}, or accept it with --gradcheck-update-baseline",
        )
        for rule, names, what, remedy in rules
        if names
    ]


def nothing_checked(tally: Tally, *, marked: bool, stopped: Stopped | None = None) -> str | None:
    """Return why a test that raised nothing must fail all the same, or None.

    A test in which no check reached a conclusion would otherwise pass because nothing could be checked.
    """
    if tally.conclusive:
        return None
    if tally.inconclusive:
        found = f"none of {count(tally.inconclusive, 'check')} reached a conclusion"
    elif marked:
        found = "the test is marked gradcheck, but not one example of it was checked"
    else:
        return None
    reasons = [*list(tally.reasons.values())[:10], *([] if stopped is None else [str(stopped)])]
    return "\n".join([f"nothing-checked: {found}", *(f"  {reason}" for reason in reasons)])


def _first_of(names: Sequence[str], thing: str) -> str:
    more = len(names) - 1
    return names[0] + (f" and {more} other {thing}{'' if more == 1 else 's'}" if more else "")


def _percent(value: Fraction) -> str:
    # Rounded down: 99.99 % must never read as 100 %.
    hundredths = int(value * 100)
    text = f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")
    return f"{text} %"
