"""A record: the results of one check in one test, over all its examples, as plain data.

It is one entry of ``checks`` in the JSON report, and travels on pytest's own test reports.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gradcheck.core.results import json_number
from pytest_gradcheck.records.inconclusive import judged, merge_reasons, unjudged

Record = dict[str, Any]

#: A check: the test and the name of the function.
Key = tuple[str, str]

# The verdict of a group: one failure makes it a failure, else one pass makes it a pass.
_RANK = {"fail": 2, "pass": 1, "inconclusive": 0}


@dataclass(frozen=True)
class Stopped:
    """How far a search got within its time limit in seconds, and whether it had found a failure by then."""

    after: int
    of: int
    max_seconds: float
    failed: bool

    def __str__(self) -> str:
        """``stopped after 41 of 100 examples: max_seconds=5``."""
        what = "stopped shrinking a failure found" if self.failed else "stopped"
        return f"{what} after {self.after} of {self.of} examples: max_seconds={self.max_seconds:g}"


def key(check: Mapping[str, Any]) -> Key:
    """Return the name of a check."""
    return check["nodeid"], check["name"]


def title(nodeid: str, name: str) -> str:
    """Return the displayed name of a check: the test, and the function if its name differs."""
    test = nodeid.partition("[")[0].rpartition("::")[2]
    return nodeid if test == name.rpartition(".")[2] else f"{nodeid}: {name}"


def count(number: int, thing: str) -> str:
    """Return ``1 check`` or ``2 checks``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def margin(record: Mapping[str, Any]) -> float:
    """Return the difference over the tolerance at the worst entry; 0 without one."""
    worst = record.get("worst")
    return _comparable(0.0 if worst is None else worst["margin"])


def _comparable(margin: float | str) -> float:
    """Return a margin for comparisons; NaN counts as larger than all."""
    value = float(margin)
    return math.inf if math.isnan(value) else value


def seconds(record: Mapping[str, Any]) -> float:
    """Return the time of all methods of a check together."""
    return float(sum(method["seconds"] for method in record["methods"].values()))


def passed(record: Mapping[str, Any]) -> bool:
    """Whether a check passed, in a test that did not fail for another reason."""
    return record["verdict"] == "pass" and not record.get("test_failed")


def backward_place(gradient: Mapping[str, Any]) -> str:
    """Return ``path:line`` of the backward of a gradient written by hand."""
    line = gradient["backward_line"] or gradient["line"]
    return f"{gradient['path']}:{line}" if gradient["path"] and line else str(gradient["path"] or "?")


def plain_data(value: Any) -> Any:
    """Convert a value for JSON; numbers that JSON does not have become strings.

    Subclasses of the basic types, such as NumPy's float64, become the basic type: execnet, with which
    pytest-xdist sends reports, accepts no others.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # A lone surrogate is valid in a Python string and in no encoding.
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {plain_data(str(k)): plain_data(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain_data(v) for v in value]
    if getattr(getattr(value, "dtype", None), "kind", "") == "b":
        return bool(value)
    if hasattr(value, "__index__"):
        return int(value)
    return json_number(value) if hasattr(value, "__float__") else plain_data(str(value))


def weight(verdict: str, margin: float | str) -> tuple[int, float]:
    """Return the sort key that decides which of several results of a check represents it."""
    # Among failures only the order decides: Hypothesis replays the smallest one last.
    return _RANK[verdict], 0.0 if verdict == "fail" else _comparable(margin)


def replaces(new: tuple[int, float], old: tuple[int, float]) -> bool:
    """Whether a result of weight ``new`` replaces an earlier one as the one to show."""
    return new > old or (new == old and new[0] == _RANK["fail"])


def merge_records(old: Record, new: Record) -> Record:
    """Return one record for the examples of both; ``new`` is the later one."""
    old, new = unjudged(old), unjudged(new)
    kept, other = (new, old) if replaces(_weight(new), _weight(old)) else (old, new)
    stops = [r["stopped"] for r in (old, new) if r.get("stopped") is not None]
    reasons = [*old.get("inconclusive_reasons", ()), *new.get("inconclusive_reasons", ())]
    merged = {
        **kept,
        "methods": _merge_methods(kept["methods"], other["methods"]),
        "examples": old["examples"] + new["examples"],
        "inconclusive_examples": old["inconclusive_examples"] + new["inconclusive_examples"],
        "test_failed": bool(old.get("test_failed") or new.get("test_failed")),
        "inconclusive_reasons": merge_reasons(reasons),
        "constant_examples": old.get("constant_examples", 0) + new.get("constant_examples", 0),
        "stopped": max(stops, key=operator.itemgetter("after", "of", "max_seconds", "failed"), default=None),
        "functions": merge_functions([*old.get("functions", ()), *new.get("functions", ())]),
    }
    return judged(merged)


def merge_functions(functions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each hand-written gradient once, with all the ways in which it ran, by name."""
    merged: dict[str, dict[str, Any]] = {}
    for function in functions:
        own = merged.setdefault(function["name"], dict(function))
        own["ran"] = sorted({*own["ran"], *function["ran"]})
    return [merged[name] for name in sorted(merged)]


def _merge_methods(kept: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    methods: dict[str, dict[str, Any]] = {}
    for name in {**kept, **other}:
        costs = [m[name] for m in (kept, other) if name in m]
        methods[name] = {
            **costs[0],
            "evaluations": sum(cost["evaluations"] for cost in costs),
            # The first reports had none.
            "calls": sum(cost.get("calls", 0) for cost in costs),
            # Whole microseconds, so it does not matter which were added first.
            "seconds": round(sum(cost["seconds"] for cost in costs), 6),
        }
    return methods


def _weight(record: Mapping[str, Any]) -> tuple[int, float]:
    rank, size = weight(record["verdict"], margin(record))
    # A failure expected in one run does not excuse an unexpected one in another.
    return rank, -1.0 if record["xfail"] else size
