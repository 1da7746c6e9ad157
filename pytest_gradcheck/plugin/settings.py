"""What the flags and ini keys say, made into one frozen `Settings`."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.methods.names import METHOD_NAMES
from pytest_gradcheck.plugin.flags import FACTOR, PROFILES
from pytest_gradcheck.records.gate import Thresholds
from pytest_gradcheck.records.gradient_coverage import WAYS
from pytest_gradcheck.reports import FORMATS, format_for_ending

# What one check can be told, as opposed to what concerns the whole session.
CHECK_OPTIONS = ("methods", "rtol", "atol", "sensitivity", "mode", "step", "seed")


# Settings whose flag has another name.
_FLAGS = {"reports": "report"}

# What a marker can tell a search, beside what it tells each check.
SEARCH_OPTIONS = ("profile", "max_seconds")


@dataclass(frozen=True)
class ReportTarget:
    """One report to write: its format's name, and where."""

    format: str
    path: Path


@dataclass(frozen=True)
class Baseline:
    """Where the baseline is, and what to do with it: compare with it, write it, drop what is gone."""

    path: Path
    update: bool = False
    prune: bool = False


@dataclass(frozen=True)
class Settings:
    """The settings in force; None leaves the choice to the check itself.

    The fixture ``gradcheck_settings`` returns them. Override it in a conftest, module or class to
    change what every check there is told: ``return gradcheck_settings.replace(rtol=1e-4)``.
    """

    methods: tuple[str, ...] | None = None
    rtol: float | None = None
    atol: float | None = None
    sensitivity: float | None = None
    mode: str | None = None
    step: float | None = None
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
                flag = _FLAGS.get(name, name).replace("_", "-")
                raise InvalidArgument(
                    name, repr(value), f"it concerns the whole session: set --gradcheck-{flag}"
                )
            raise InvalidArgument(name, repr(value), suggestion(name, CHECK_OPTIONS, "replace() takes"))
        from pytest_gradcheck.core.check import validate_options

        validate_options(**{k: v for k, v in changes.items() if v is not None})
        if changes.get("methods") is not None:
            changes["methods"] = tuple(changes["methods"])
        return dataclasses.replace(self, **changes)

    def options_for_check(self, explicit: Mapping[str, Any]) -> dict[str, Any]:
        """Combine the settings with what a marker or a call says: flag beats marker beats the rest."""
        own = {name: getattr(self, name) for name in CHECK_OPTIONS if getattr(self, name) is not None}
        if "methods" in own and not (explicit.get("gradient") or explicit.get("vjp")):
            # For a whole session the names are a restriction, and few checks have a gradient by hand.
            own["methods"] = tuple(name for name in own["methods"] if name != "user") or own["methods"]
        forced = {name: value for name, value in own.items() if name in self.from_flags}
        told = {name: value for name, value in explicit.items() if name not in SEARCH_OPTIONS}
        return {**own, **told, **forced}

    def told(self, explicit: Mapping[str, Any]) -> Settings:
        """Return these settings with what a marker says of the search, where no flag says otherwise."""
        said = {k: v for k, v in explicit.items() if k in SEARCH_OPTIONS and k not in self.from_flags}
        return dataclasses.replace(self, **said)


def read_settings(config: pytest.Config) -> Settings:
    """Return the settings of a session; a wrong value is a usage error that names its flag or key."""
    values: dict[str, Any] = {}
    from_flags: set[str] = set()
    for name, parse in (
        ("methods", _methods),
        ("profile", _profile),
        ("max_seconds", _seconds),
        ("fail_under", parse_percent),
        ("max_inconclusive", parse_count),
        ("baseline_factor", parse_factor),
        ("cov_fail_under", parse_percent_by_way),
    ):
        flag: str | None = config.getoption(f"gradcheck_{name}")
        key: str = config.getini(f"gradcheck_{name}")
        if flag is not None:
            from_flags.add(name)
            values[name] = parse(flag, f"--gradcheck-{name.replace('_', '-')}")
        elif key:
            values[name] = parse(key, f"ini key gradcheck_{name}")
    deterministic: bool | None = config.getoption("gradcheck_deterministic")
    values["deterministic"] = config.getini("gradcheck_deterministic") if deterministic is None else True
    return Settings(
        **values,
        reports=_reports(config),
        thresholds=tuple(_thresholds(line) for line in config.getini("gradcheck_thresholds")),
        baseline=_baseline(config),
        junit_properties=bool(_flag_or_key(config, "junit_properties")),
        cov=_packages(config, "cov_fail_under" in values),
        from_flags=frozenset(from_flags),
    )


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """Return the remedy for a name that is not known: the nearest one that is, and all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"{f'did you mean {near[0]!r}? ' if near else ''}{what}: {', '.join(known)}"


def _methods(text: str, where: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(re.split(r"[,\s]+", text.strip(", \t\n"))))
    for name in names:
        if name not in METHOD_NAMES:
            raise pytest.UsageError(
                f"{where}: got {name!r}; {suggestion(name, METHOD_NAMES, 'the methods are')}"
            )
    return names


def _profile(text: str, where: str) -> str:
    if text not in PROFILES:
        raise pytest.UsageError(f"{where}: got {text!r}; {suggestion(text, PROFILES, 'the profiles are')}")
    return text


def _seconds(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not is_budget(value):
        raise pytest.UsageError(f"{where}: got {text!r}; {BUDGET}")
    return value


def validate_search(**options: Any) -> None:
    """Check what a marker says of the search; raises `InvalidArgument`."""
    profile, seconds = options.get("profile"), options.get("max_seconds")
    if profile is not None and profile not in PROFILES:
        raise InvalidArgument(
            "profile", repr(profile), suggestion(str(profile), PROFILES, "the profiles are")
        )
    if seconds is not None and not is_budget(seconds):
        raise InvalidArgument("max_seconds", repr(seconds), BUDGET)


BUDGET = "give a number of seconds above zero, such as 5"


def is_budget(value: Any) -> bool:
    """Whether a value is a time that a search may take."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def parse_percent(text: str, where: str) -> Fraction:
    """Return a percentage from 0 to 100, exactly as it is written."""
    try:
        value = Fraction(text.strip().removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if not 0 <= value <= 100:
        raise pytest.UsageError(f"{where}: got {text!r}; give a percentage from 0 to 100")
    return value


def parse_percent_by_way(text: str, where: str) -> dict[str, Fraction]:
    """Return percentages by the way in which a gradient is run: ``100,double-backward:50``."""
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        way, colon, percent = part.rpartition(":")
        way = way.strip() if colon else "backward"
        if way not in WAYS:
            raise pytest.UsageError(
                f"{where}: got {text!r}, with {way!r} as a way; {suggestion(way, WAYS, 'the ways are')}"
            )
        if way in found:
            raise pytest.UsageError(f"{where}: got {text!r}, with {way} twice; give each way once")
        found[way] = parse_percent(percent, where)
    return found


def parse_count(text: str, where: str) -> int:
    """Return a whole number, 0 or more."""
    if not re.fullmatch(r"\d+", text.strip(), re.ASCII):
        raise pytest.UsageError(f"{where}: got {text!r}; give a whole number, 0 or more")
    return int(text)


def parse_factor(text: str, where: str) -> float:
    """Return a number of at least 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise pytest.UsageError(f"{where}: got {text!r}; give a number of at least 1")
    return value


def _thresholds(line: str) -> Thresholds:
    where = "ini key gradcheck_thresholds"
    pattern, *rules = line.split()
    said: dict[str, str] = {}
    for rule in rules:
        name, equals, value = rule.partition("=")
        if not equals or name not in ("fail-under", "max-inconclusive") or name in said:
            raise pytest.UsageError(
                f"{where}: got {rule!r} in {line!r}; write PATTERN and one or both of fail-under=PERCENT "
                "and max-inconclusive=COUNT"
            )
        said[name] = value
    if not said:
        raise pytest.UsageError(f"{where}: got {line!r}, which asks for nothing; add fail-under=PERCENT")
    return Thresholds(
        parse_percent(said["fail-under"], f"{where}: fail-under") if "fail-under" in said else None,
        parse_count(said["max-inconclusive"], f"{where}: max-inconclusive")
        if "max-inconclusive" in said
        else None,
        pattern,
    )


def _baseline(config: pytest.Config) -> Baseline | None:
    flag: str | None = config.getoption("gradcheck_baseline")
    key: str = config.getini("gradcheck_baseline")
    wishes = {}
    for name in ("update", "prune"):
        wishes[name] = bool(_flag_or_key(config, f"{name}_baseline"))
    if flag is None and not key:
        for name, wish in wishes.items():
            if wish:
                raise pytest.UsageError(
                    f"--gradcheck-{name}-baseline: got no baseline to {name}; give --gradcheck-baseline=FILE"
                )
        return None
    base = _ini_folder(config) if flag is None else config.invocation_params.dir
    path = Path(os.path.abspath(base / (flag or key)))
    where = "ini key gradcheck_baseline" if flag is None else "--gradcheck-baseline"
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        raise pytest.UsageError(
            f"{where}: got {path}, which is no file in a directory that exists; give a file"
        )
    if not os.path.exists(path) and not wishes["update"]:
        raise pytest.UsageError(
            f"{where}: got {path}, which does not exist; --gradcheck-update-baseline writes it from a run"
        )
    if any(wishes.values()):
        check_paths([path], where)
    return Baseline(path, **wishes)


def _flag_or_key(config: pytest.Config, name: str) -> Any:
    flag = config.getoption(f"gradcheck_{name}")
    return config.getini(f"gradcheck_{name}") if flag is None else flag


def _packages(config: pytest.Config, threshold: bool) -> tuple[str, ...]:
    flags: list[str] | None = config.getoption("gradcheck_cov")
    where = "ini key gradcheck_cov" if flags is None else "--gradcheck-cov"
    names = tuple(dict.fromkeys(config.getini("gradcheck_cov") if flags is None else flags))
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise pytest.UsageError(
                f"{where}: got {name!r}; give the dotted name of a package, such as mypkg.ops"
            )
    if threshold and not names:
        raise pytest.UsageError("--gradcheck-cov-fail-under: got no package; give --gradcheck-cov=PACKAGE")
    return names


def _ini_folder(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath is not None else config.rootpath


def _reports(config: pytest.Config) -> tuple[ReportTarget, ...]:
    flags: list[str] | None = config.getoption("gradcheck_report")
    if flags is not None:
        where, texts, base = "--gradcheck-report", flags, config.invocation_params.dir
    else:
        where, texts = "ini key gradcheck_report", config.getini("gradcheck_report")
        base = _ini_folder(config)
    targets: list[ReportTarget] = []
    for text in texts:
        target = parse_report(text, where, base)
        if any(target.path == other.path for other in targets):
            raise pytest.UsageError(f"{where}: got {text!r} twice; give every report a path of its own")
        targets.append(target)
    return tuple(targets)


def parse_report(text: str, where: str, base: Path) -> ReportTarget:
    """Take ``TYPE:PATH`` or a bare path apart; a relative path starts at ``base``."""
    prefix, colon, rest = text.partition(":")
    # A single letter before the colon is a Windows drive, not a type.
    if colon and re.fullmatch(r"[A-Za-z][\w-]+", prefix):
        if prefix not in FORMATS:
            raise pytest.UsageError(
                f"{where}: got {text!r} of type {prefix!r}; {suggestion(prefix, FORMATS, 'the types are')}"
            )
        name, path = prefix, rest
    else:
        path = text
        ending = format_for_ending(path)
        if ending is None and path:
            raise pytest.UsageError(
                f"{where}: got {text!r}, whose ending tells no type; write TYPE:PATH, "
                f"where the types are: {', '.join(FORMATS)}"
            )
        name = ending or ""
    if not path:
        raise pytest.UsageError(f"{where}: got {text!r}, without a path; write TYPE:PATH")
    return ReportTarget(name, Path(os.path.abspath(base / path)))


def check_paths(paths: Iterable[Path], where: str = "--gradcheck-report") -> None:
    """Refuse a file that cannot be written before any test has run for it."""
    for path in paths:
        try:
            obstacle = _obstacle(path)
        except OSError as error:
            # A name that is too long, or a directory that nobody here may look into.
            obstacle = f"cannot be looked at ({error.strerror})", "choose another path"
        if obstacle is not None:
            problem, remedy = obstacle
            raise pytest.UsageError(f"{where}: got {path}, which {problem}; {remedy}")


def _obstacle(path: Path) -> tuple[str, str] | None:
    """Return why a file cannot be written, and what would help."""
    folder = path.parent
    if path.is_dir():
        return "is a directory", "add the file's name"
    if not folder.exists():
        return f"lies in {folder}, which does not exist", "create that directory first"
    if not folder.is_dir():
        return f"lies in {folder}, which is not a directory", "choose another path"
    if not os.access(folder, os.W_OK):
        return f"lies in {folder}, which is not writable", "choose another path"
    return None
