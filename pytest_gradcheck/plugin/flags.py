"""The flags and ini keys as every project's pytest gets to know them: names, help, and whether one is given.

What they say is read in `pytest_gradcheck.plugin.settings`, where there is anything to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from pytest_gradcheck.records.gradient_coverage import WAYS
from pytest_gradcheck.reports import FORMATS

PROFILES = ("quick", "default", "thorough")

#: How many times nearer to failing a check may come before a baseline objects. Other inputs are drawn in
#: every run, and with them the margin changes by a few times.
FACTOR = 10.0

_Type = Literal["string", "bool", "linelist", "args"]

#: What an ini key is where it is not set. Each is false: a key that is set to it says nothing either.
_UNSET: Mapping[_Type, Any] = {"string": "", "bool": False, "linelist": [], "args": []}

#: By ini key its type, and what it is for.
KEYS: Mapping[str, tuple[_Type, str]] = {
    "gradcheck_report": ("linelist", "reports to write, one TYPE:PATH a line"),
    "gradcheck_deterministic": ("bool", "let every run try the same examples"),
    "gradcheck_methods": ("string", "methods to use, separated by commas"),
    "gradcheck_profile": ("string", f"one of {', '.join(PROFILES)}"),
    "gradcheck_max_seconds": ("string", "seconds after which the search of each marked test ends"),
    "gradcheck_fail_under": ("string", "per cent of the checks that must pass"),
    "gradcheck_max_inconclusive": ("string", "how many checks may be inconclusive"),
    "gradcheck_cov_fail_under": (
        "string",
        "per cent of the hand-written gradients that passing checks must run",
    ),
    "gradcheck_baseline": (
        "string",
        "file of what the checks came to before; a relative path starts at this file",
    ),
    "gradcheck_baseline_factor": (
        "string",
        "how many times the margin of a check may grow over the baseline",
    ),
    "gradcheck_update_baseline": ("bool", "whether to write the baseline instead of comparing with it"),
    "gradcheck_prune_baseline": ("bool", "whether to drop checks that are no longer made from the baseline"),
    "gradcheck_junit_properties": (
        "bool",
        "whether the JUnit XML gets what the checks of each test came to",
    ),
    "gradcheck_cov": ("args", "packages whose hand-written gradients are listed"),
    "gradcheck_thresholds": (
        "linelist",
        "thresholds for a part of the checks, one a line: PATTERN fail-under=PERCENT max-inconclusive=COUNT",
    ),
}


def add_options(parser: pytest.Parser) -> None:
    """Register every flag, and an ini key of the same name for each."""
    group = parser.getgroup("gradcheck", "checking gradients")
    group.addoption(
        "--gradcheck-report",
        action="append",
        metavar="TYPE:PATH",
        help=f"write the results to PATH; TYPE is one of: {', '.join(FORMATS)}; without TYPE, the ending "
        "of PATH decides; may be repeated",
    )
    group.addoption(
        "--gradcheck-methods",
        metavar="NAMES",
        # The names of the installed frameworks are not looked up for a help that hardly any session prints.
        help="use these methods only, separated by commas: central, forward, complex_step, reference, torch, "
        "user",
    )
    group.addoption(
        "--gradcheck-profile",
        metavar="|".join(PROFILES),
        help="how many examples a marked test tries, and how closely: at most 20; as many as Hypothesis "
        "says; or 5 times that, and every entry of a Jacobian of up to 128 inputs and outputs",
    )
    group.addoption(
        "--gradcheck-max-seconds",
        metavar="SECONDS",
        help="end the search of each marked test after SECONDS, and say how far it came",
    )
    group.addoption(
        "--gradcheck-deterministic",
        action="store_true",
        default=None,
        help="let every run try the same examples: the seed comes from the test, and no database is used",
    )
    group.addoption(
        "--gradcheck-fail-under",
        metavar="PERCENT",
        help="fail if fewer than PERCENT of the checks pass, or if there are none",
    )
    group.addoption(
        "--gradcheck-junit-properties",
        action="store_true",
        default=None,
        help="put verdict, culprit, diagnosis, margin and examples of each test's checks into its JUnit XML",
    )
    group.addoption(
        "--gradcheck-cov",
        action="append",
        metavar="PACKAGE",
        help="list the hand-written gradients of PACKAGE, and which of them passing checks ran; repeatable",
    )
    group.addoption(
        "--gradcheck-cov-fail-under",
        metavar="[WAY:]PERCENT",
        help="fail if fewer than PERCENT of the hand-written gradients were run by checks that passed; WAY "
        f"is one of {', '.join(WAYS)}, backward if not said; several are separated by commas",
    )
    group.addoption(
        "--gradcheck-baseline",
        metavar="FILE",
        help="fail if a check is worse than FILE says: it passed, was further from failing, or is gone",
    )
    group.addoption(
        "--gradcheck-baseline-factor",
        metavar="FACTOR",
        help=f"how many times the margin of a check may grow over the baseline (default: {FACTOR:g})",
    )
    group.addoption(
        "--gradcheck-update-baseline",
        action="store_true",
        default=None,
        help="write what the checks of this run came to into the baseline instead of failing for it",
    )
    group.addoption(
        "--gradcheck-prune-baseline",
        action="store_true",
        default=None,
        help="drop checks that are no longer made from the baseline",
    )
    group.addoption(
        "--gradcheck-max-inconclusive",
        metavar="COUNT",
        help="fail if more than COUNT checks are inconclusive",
    )
    for key, (kind, what) in KEYS.items():
        parser.addini(key, what, type=kind, default=_UNSET[kind])


def given(config: pytest.Config) -> bool:
    """Whether any flag or key says anything."""
    flags = [value for name, value in vars(config.option).items() if name.startswith("gradcheck_")]
    return any(value is not None for value in flags) or any(config.getini(key) for key in KEYS)
