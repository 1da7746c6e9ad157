"""The flags and ini keys, one row each, with help. `settings` reads their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pytest

from pytest_gradcheck.records.gradient_coverage import WAYS
from pytest_gradcheck.records.thresholds import FACTOR
from pytest_gradcheck.reports import FORMATS

PROFILES = ("quick", "default", "thorough")

_Type = Literal["string", "bool", "linelist", "args"]

#: The values of ini keys that are not set. Each is false: a key set to one of them has no effect.
_UNSET: Mapping[_Type, Any] = {"string": "", "bool": False, "linelist": [], "args": []}


class Option(NamedTuple):
    """An option: the type of its ini key, the help of key and flag, and the name of the flag's value.

    A flag of type ``bool`` takes no value; one of type ``linelist`` or ``args`` may be repeated. An option
    without help for the flag has no flag.
    """

    type: _Type
    key_help: str
    flag_help: str = ""
    metavar: str | None = None


#: By name: the ini key is ``gradcheck_NAME``, the flag ``--gradcheck-NAME``, with hyphens.
OPTIONS: Mapping[str, Option] = {
    "report": Option(
        "linelist",
        "reports to write, one TYPE:PATH a line",
        f"write the results to PATH; TYPE is one of: {', '.join(FORMATS)}; without TYPE, the "
        "extension of PATH decides; repeatable",
        "TYPE:PATH",
    ),
    "methods": Option(
        "string",
        "methods to use, separated by commas",
        # The installed frameworks are not looked up here, since few sessions print the help.
        "use these methods only, separated by commas: central, forward, complex_step, reference, torch, "
        "user, exact",
        "NAMES",
    ),
    "properties": Option(
        "string",
        "properties of gradients to try, separated by commas",
        "try these properties of gradients only, separated by commas: default, none, names such as vmap, or "
        "-NAME to leave one out of the default",
        "NAMES",
    ),
    "profile": Option(
        "string",
        f"one of {', '.join(PROFILES)}",
        "how many examples a marked test tries, and how closely: at most 20; the number that Hypothesis "
        "sets; or 5 times that, and every entry of a Jacobian of up to 128 inputs and outputs",
        "|".join(PROFILES),
    ),
    "max_seconds": Option(
        "string",
        "seconds after which the search of each marked test ends",
        "end the search of each marked test after SECONDS, and report how far it got",
        "SECONDS",
    ),
    "deterministic": Option(
        "bool",
        "try the same examples in every run",
        "try the same examples in every run: the seed comes from the test, and no database is used",
    ),
    "fail_under": Option(
        "string",
        "per cent of the checks that must pass",
        "fail if fewer than PERCENT of the checks pass, or if there are none",
        "PERCENT",
    ),
    "junit_properties": Option(
        "bool",
        "whether the JUnit XML gets the results of each test's checks",
        "add verdict, culprit, diagnosis, margin and examples of each test's checks to its JUnit XML",
    ),
    "cov": Option(
        "args",
        "packages whose hand-written gradients are listed",
        "list the hand-written gradients of PACKAGE, and which of them passing checks ran; repeatable",
        "PACKAGE",
    ),
    "cov_fail_under": Option(
        "string",
        "per cent of the hand-written gradients that passing checks must run",
        "fail if fewer than PERCENT of the hand-written gradients were run by checks that passed; WAY "
        f"is one of {', '.join(WAYS)}, default: backward; several are separated by commas",
        "[WAY:]PERCENT",
    ),
    "baseline": Option(
        "string",
        "baseline file with earlier results; a relative path starts at this file",
        "fail if a check is worse than in FILE: it passed there, was further from failing, or is missing now",
        "FILE",
    ),
    "baseline_factor": Option(
        "string",
        "factor by which the margin of a check may grow over the baseline",
        f"factor by which the margin of a check may grow over the baseline (default: {FACTOR:g})",
        "FACTOR",
    ),
    "update_baseline": Option(
        "bool",
        "whether to write the baseline instead of comparing with it",
        "update the baseline from this run instead of failing",
    ),
    "prune_baseline": Option(
        "bool",
        "whether to remove checks that no longer run from the baseline",
        "remove checks that no longer run from the baseline",
    ),
    "max_inconclusive": Option(
        "string",
        "how many checks may be inconclusive",
        "fail if more than COUNT checks are inconclusive",
        "COUNT",
    ),
    "thresholds": Option(
        "linelist",
        "thresholds for a part of the checks, one a line: PATTERN fail-under=PERCENT max-inconclusive=COUNT",
    ),
}


def key(name: str) -> str:
    """Return the ini key of an option, under which pytest also keeps its flag's value."""
    return f"gradcheck_{name}"


def flag(name: str) -> str:
    """Return the flag of an option."""
    return f"--gradcheck-{name.replace('_', '-')}"


def add_options(parser: pytest.Parser) -> None:
    """Register every flag and ini key."""
    group = parser.getgroup("gradcheck", "checking gradients")
    for name, option in OPTIONS.items():
        parser.addini(key(name), option.key_help, type=option.type, default=_UNSET[option.type])
        if option.flag_help and option.type == "bool":
            group.addoption(flag(name), action="store_true", default=None, help=option.flag_help)
        elif option.flag_help:
            action = "store" if option.type == "string" else "append"
            group.addoption(flag(name), action=action, metavar=option.metavar, help=option.flag_help)


def given(config: pytest.Config) -> bool:
    """Whether any flag or key is set."""
    return any(config.getoption(key(name), None) is not None or config.getini(key(name)) for name in OPTIONS)
