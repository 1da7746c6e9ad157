"""The values of the flags and ini keys, as one frozen `Settings`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_gradcheck.errors import InvalidArgument, suggestion
from pytest_gradcheck.frameworks.properties import selected
from pytest_gradcheck.methods.names import FIRST_FORMS, METHOD_NAMES, SECOND_FORMS
from pytest_gradcheck.plugin import flags
from pytest_gradcheck.plugin.flags import PROFILES
from pytest_gradcheck.records.thresholds import FACTOR, PARSERS, Thresholds, parse_float, parse_thresholds
from pytest_gradcheck.reports.targets import ReportTarget, check_paths, parse_report

# The options of one check, as opposed to those of the whole session.
CHECK_OPTIONS = ("methods", "rtol", "atol", "sensitivity", "mode", "step", "properties", "seed")

# The options of a search that a marker takes, besides those of each check.
SEARCH_OPTIONS = ("profile", "max_seconds")

BUDGET = "give a number of seconds above zero, such as 5"


@dataclass(frozen=True)
class Baseline:
    """The path of the baseline, and whether to update it or to drop missing checks."""

    path: Path
    update: bool = False
    prune: bool = False


@dataclass(frozen=True)
class Settings:
    """The settings in force; None leaves the choice to the check itself.

    The fixture ``gradcheck_settings`` returns them. Override it in a conftest, module or class to change
    the options of every check there: ``return gradcheck_settings.replace(rtol=1e-4)``.
    """

    methods: tuple[str, ...] | None = None
    rtol: float | None = None
    atol: float | None = None
    sensitivity: float | None = None
    mode: str | None = None
    step: float | None = None
    properties: str | tuple[str, ...] | None = None
    seed: int | None = None
    profile: str = "default"
    max_seconds: float | None = None
    deterministic: bool = False
    reports: tuple[ReportTarget, ...] = ()
    fail_under: Fraction | None = None
    max_inconclusive: int | None = None
    thresholds: tuple[Thresholds, ...] = ()
    junit_properties: bool = False
    cov: tuple[str, ...] = ()
    cov_fail_under: Mapping[str, Fraction] = field(default_factory=dict)
    baseline: Baseline | None = None
    baseline_factor: float = FACTOR
    from_flags: frozenset[str] = frozenset()

    def replace(self, **changes: Any) -> Settings:
        """Return these settings with some options of a check changed."""
        for name, value in changes.items():
            if name in CHECK_OPTIONS:
                continue
            if name in {f.name for f in dataclasses.fields(self)}:
                flag = flags.flag("report" if name == "reports" else name)
                raise InvalidArgument(name, repr(value), f"it concerns the whole session: set {flag}")
            raise InvalidArgument(name, repr(value), suggestion(name, CHECK_OPTIONS, "replace() takes"))
        from pytest_gradcheck.core.check import validate_options

        validate_options(**{k: v for k, v in changes.items() if v is not None})
        for name in ("methods", "properties"):
            if changes.get(name) is not None and not isinstance(changes[name], str):
                changes[name] = tuple(changes[name])
        return dataclasses.replace(self, **changes)

    def options_for_check(self, explicit: Mapping[str, Any]) -> dict[str, Any]:
        """Combine the settings with the options of a marker or a call: flag beats marker beats the rest."""
        own = {name: getattr(self, name) for name in CHECK_OPTIONS if getattr(self, name) is not None}
        if "methods" in own:
            # A session's names are a restriction, and few checks have a gradient by hand or an oracle. One
            # that a test gives is used anyway: it is there to be compared.
            by_hand = any(explicit.get(name) for name in (*FIRST_FORMS, *SECOND_FORMS))
            absent = {"oracle"} if by_hand else {"oracle", "user"}
            own["methods"] = tuple(name for name in own["methods"] if name not in absent) or own["methods"]
            if explicit.get("oracle"):
                own["methods"] += ("oracle",)
        forced = {name: value for name, value in own.items() if name in self.from_flags}
        options = {name: value for name, value in explicit.items() if name not in SEARCH_OPTIONS}
        return {**own, **options, **forced}

    def for_search(self, explicit: Mapping[str, Any]) -> Settings:
        """Return these settings with a marker's options of the search, except where a flag is given."""
        options = {k: v for k, v in explicit.items() if k in SEARCH_OPTIONS and k not in self.from_flags}
        return dataclasses.replace(self, **options)


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn an `InvalidArgument` into pytest's usage error."""
    try:
        yield
    except InvalidArgument as error:
        raise pytest.UsageError(str(error)) from error


@usage_errors()
def read_settings(config: pytest.Config) -> Settings:
    """Return the settings of a session; a wrong value is a usage error that names its flag or key."""
    options = {name: _read(config, name) for name in flags.OPTIONS}
    given = {name: options[name] for name in _PARSERS if options[name].is_set}
    parts = options["thresholds"]
    return Settings(
        **{name: _PARSERS[name](option.value, option.where) for name, option in given.items()},
        deterministic=bool(options["deterministic"].value),
        junit_properties=bool(options["junit_properties"].value),
        reports=_reports(options["report"]),
        thresholds=tuple(parse_thresholds(line, parts.where) for line in parts.value),
        baseline=_baseline(options),
        cov=_packages(options["cov"], "cov_fail_under" in given),
        from_flags=frozenset(name for name, option in given.items() if option.by_flag),
    )


class _Value(NamedTuple):
    """The value of a flag, or else of its ini key: where it is from, and where its relative paths start."""

    value: Any
    where: str
    base: Path
    by_flag: bool

    @property
    def is_set(self) -> bool:
        return self.by_flag or bool(self.value)


def _read(config: pytest.Config, name: str) -> _Value:
    value = config.getoption(flags.key(name), None)
    if value is not None:
        return _Value(value, flags.flag(name), config.invocation_params.dir, True)
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    return _Value(config.getini(flags.key(name)), f"ini key {flags.key(name)}", base, False)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.split(r"[,\s]+", text.strip(", \t\n"))))


def _properties(text: str, where: str) -> tuple[str, ...]:
    names = _names(text)
    selected(names, where)
    return names


def _methods(text: str, where: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if name not in METHOD_NAMES:
            raise InvalidArgument(where, repr(name), suggestion(name, METHOD_NAMES, "the methods are"))
    return names


def _profile(value: Any, where: str) -> str:
    if value not in PROFILES:
        raise InvalidArgument(where, repr(value), suggestion(str(value), PROFILES, "the profiles are"))
    return str(value)


def _seconds(text: str, where: str) -> float:
    value = parse_float(text)
    if not _is_budget(value):
        raise InvalidArgument(where, repr(text), BUDGET)
    return value


_PARSERS = {
    "methods": _methods,
    "properties": _properties,
    "profile": _profile,
    "max_seconds": _seconds,
    **PARSERS,
}


def validate_search(**options: Any) -> None:
    """Validate a marker's options of the search; raises `InvalidArgument`."""
    profile, seconds = options.get("profile"), options.get("max_seconds")
    if profile is not None:
        _profile(profile, "profile")
    if seconds is not None and not _is_budget(seconds):
        raise InvalidArgument("max_seconds", repr(seconds), BUDGET)


def _is_budget(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _baseline(options: Mapping[str, _Value]) -> Baseline | None:
    option = options["baseline"]
    actions = {name: bool(options[f"{name}_baseline"].value) for name in ("update", "prune")}
    if not option.is_set:
        for name in (name for name, wanted in actions.items() if wanted):
            where = flags.flag(f"{name}_baseline")
            raise InvalidArgument(where, f"no baseline to {name}", "give --gradcheck-baseline=FILE")
        return None
    path = Path(os.path.abspath(option.base / option.value))
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        got = f"{path}, which is not a file, or its directory does not exist"
        raise InvalidArgument(option.where, got, "give a file")
    if not os.path.exists(path) and not actions["update"]:
        remedy = "--gradcheck-update-baseline writes it from a run"
        raise InvalidArgument(option.where, f"{path}, which does not exist", remedy)
    if any(actions.values()):
        check_paths([path], option.where)
    return Baseline(path, **actions)


def _packages(option: _Value, threshold: bool) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(option.value))
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            remedy = "give the dotted name of a package, such as mypkg.ops"
            raise InvalidArgument(option.where, repr(name), remedy)
    if threshold and not names:
        raise InvalidArgument("--gradcheck-cov-fail-under", "no package", "give --gradcheck-cov=PACKAGE")
    return names


def _reports(option: _Value) -> tuple[ReportTarget, ...]:
    targets: list[ReportTarget] = []
    for text in option.value:
        target = parse_report(text, option.where, option.base)
        if any(target.path == other.path for other in targets):
            raise InvalidArgument(option.where, f"{text!r} twice", "give every report a path of its own")
        targets.append(target)
    return tuple(targets)
