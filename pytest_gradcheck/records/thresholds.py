"""Thresholds for the checks of a session, and how they are written in flags and keys.

Every parser takes a text and the name of its option, and raises `InvalidArgument` for a wrong text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_gradcheck.errors import InvalidArgument, suggestion
from pytest_gradcheck.records.gradient_coverage import WAYS

if TYPE_CHECKING:
    # Imported only if a threshold is given: every project imports this module for the flags' help.
    from fractions import Fraction

#: By which factor the margin of a check may grow before the comparison with a baseline fails. Each run draws
#: other inputs, which change the margin a few times over.
FACTOR = 10.0


class Thresholds(NamedTuple):
    """Thresholds for the checks whose test matches a pattern; None means no threshold.

    The pattern is that of `fnmatch`, for the whole nodeid; ``*`` takes any characters.
    """

    fail_under: Fraction | None = None
    max_inconclusive: int | None = None
    pattern: str | None = None


def parse_percent(text: str, where: str) -> Fraction:
    """Return a percentage from 0 to 100, exactly as it is written."""
    from fractions import Fraction

    try:
        value = Fraction(text.strip().removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if not 0 <= value <= 100:
        raise InvalidArgument(where, repr(text), "give a percentage from 0 to 100")
    return value


def parse_percent_by_way(text: str, where: str) -> dict[str, Fraction]:
    """Return percentages by the way in which a gradient is run: ``100,double-backward:50``."""
    percents: dict[str, Fraction] = {}
    for part in text.split(","):
        way, colon, percent = part.rpartition(":")
        way = way.strip() if colon else "backward"
        if way not in WAYS:
            remedy = suggestion(way, WAYS, "the ways are")
            raise InvalidArgument(where, f"{text!r}, with {way!r} as a way", remedy)
        if way in percents:
            raise InvalidArgument(where, f"{text!r}, with {way} twice", "give each way once")
        percents[way] = parse_percent(percent, where)
    return percents


def parse_count(text: str, where: str) -> int:
    """Return a whole number, 0 or more."""
    if not re.fullmatch(r"\d+", text.strip(), re.ASCII):
        raise InvalidArgument(where, repr(text), "give a whole number, 0 or more")
    return int(text)


def parse_factor(text: str, where: str) -> float:
    """Return a number of at least 1."""
    value = parse_float(text)
    if not 1 <= value < math.inf:
        raise InvalidArgument(where, repr(text), "give a number of at least 1")
    return value


def parse_float(text: str) -> float:
    """Return a number; NaN if the text is not a number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


#: Parsers of thresholds, by the name of the option.
PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "fail_under": parse_percent,
    "max_inconclusive": parse_count,
    "baseline_factor": parse_factor,
    "cov_fail_under": parse_percent_by_way,
}


def parse_thresholds(line: str, where: str) -> Thresholds:
    """Return the thresholds that a line ``PATTERN fail-under=PERCENT max-inconclusive=COUNT`` sets."""
    pattern, *rules = line.split()
    names = {"fail-under": "fail_under", "max-inconclusive": "max_inconclusive"}
    texts: dict[str, str] = {}
    for rule in rules:
        name, equals, text = rule.partition("=")
        if not equals or name not in names or name in texts:
            remedy = "write PATTERN and one or both of fail-under=PERCENT and max-inconclusive=COUNT"
            raise InvalidArgument(where, f"{rule!r} in {line!r}", remedy)
        texts[name] = text
    if not texts:
        raise InvalidArgument(where, f"{line!r}, which sets no threshold", "add fail-under=PERCENT")
    given = {
        names[name]: PARSERS[names[name]](texts[name], f"{where}: {name}") for name in names if name in texts
    }
    return Thresholds(**given, pattern=pattern)
