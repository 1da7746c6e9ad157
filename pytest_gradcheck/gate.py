"""What a session's checks mean for its exit status: pure functions of plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from pytest_gradcheck.aggregate import Tally


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
) -> list[Violation]:
    """Return every rule that the checks break.

    A failed check breaks the first rule whatever became of its test, which may have swallowed the
    exception. Only a test that says by an xfail mark that it is known to fail is exempt: its author
    has put the failure on record, and pytest itself reports it in the same way. Such checks count
    neither for nor against ``fail_under``.
    """
    counted = [check for check in checks if not check["xfail"]]
    verdicts = [check["verdict"] for check in counted]
    failed, inconclusive, passed = (verdicts.count(v) for v in ("fail", "inconclusive", "pass"))
    violations = []
    if failed:
        names = sorted({check["nodeid"] for check in counted if check["verdict"] == "fail"})
        violations.append(
            Violation(
                "fail",
                f"{_count(failed, 'check')} failed, in {names[0]}"
                + (f" and {_count(len(names) - 1, 'other test')}" if len(names) > 1 else ""),
                "correct the gradient, or mark the test xfail if the failure is expected",
            )
        )
    if fail_under is not None:
        if not counted:
            violations.append(
                Violation(
                    "fail-under",
                    "no check was made",
                    f"make at least one, or leave out the threshold of {_percent(fail_under)}",
                )
            )
        elif passed * 100 < fail_under * len(counted):
            needed = -int(-(fail_under * len(counted)) // 100)
            violations.append(
                Violation(
                    "fail-under",
                    f"{passed} of {_count(len(counted), 'check')} passed, "
                    f"{_percent(Fraction(passed * 100, len(counted)))}",
                    f"{_percent(fail_under)} takes {needed} of {len(counted)}",
                )
            )
    if max_inconclusive is not None and inconclusive > max_inconclusive:
        violations.append(
            Violation(
                "max-inconclusive",
                f"{_count(inconclusive, 'check')} inconclusive",
                f"at most {max_inconclusive} may be",
            )
        )
    return violations


def nothing_checked(tally: Tally, *, marked: bool) -> str | None:
    """Return why a test that raised nothing must fail all the same, or None.

    A test in which no check reached a conclusion would otherwise be green for the reason that
    nothing could be seen.
    """
    if tally.conclusive:
        return None
    if tally.inconclusive:
        found = f"none of {_count(tally.inconclusive, 'check')} reached a conclusion"
    elif marked:
        found = "the test is marked gradcheck, but not one example of it was checked"
    else:
        return None
    return "\n".join([f"nothing-checked: {found}", *(f"  {reason}" for reason in list(tally.reasons)[:10])])


def exit_status(current: int, *, broken: bool) -> int:
    """Return the session's exit status; one that tells of trouble already stays as it is."""
    if broken and current in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return pytest.ExitCode.TESTS_FAILED
    return current


def _percent(value: Fraction) -> str:
    # Rounded down: 99.99 % must never read as 100 %.
    hundredths = int(value * 100)
    text = f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")
    return f"{text} %"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
