"""Results brought together: over the examples of a test, over processes, over files.

A *record* is one entry of ``checks`` in the JSON report: plain data for one test and one name of a
check, however many examples it had. Records travel on pytest's own test reports, which reach the
controlling process the same way with and without pytest-xdist.
"""

from __future__ import annotations

import dataclasses
import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gradcheck.core.results import CheckResult, Verdict
from pytest_gradcheck.plugin.search import Stopped

Record = dict[str, Any]

# Which verdict stands for a group: one failure is a failure, and one conclusion is a conclusion.
_RANK = {"fail": 2, "pass": 1, "inconclusive": 0}


@dataclass
class _Group:
    """The results of one check over its examples."""

    kept: CheckResult
    examples: int = 0
    inconclusive: int = 0
    effort: dict[str, list[float]] = field(default_factory=dict)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, result: CheckResult) -> None:
        self.examples += 1
        self.inconclusive += result.verdict == Verdict.INCONCLUSIVE
        for name, method in result.methods.items():
            effort = self.effort.setdefault(name, [0, 0, 0.0])
            effort[0] += method.evaluations
            effort[1] += method.calls
            effort[2] += method.seconds
        if result.verdict == Verdict.PASS:
            _join_functions(self.functions, [f.to_dict() for f in result.functions])
        if _stands(_weight(result.verdict, _margin(result)), _weight(self.kept.verdict, _margin(self.kept))):
            self.kept = result

    def record(self, nodeid: str, location: Mapping[str, Any] | None, figures: bool) -> Record:
        record = {
            "nodeid": nodeid,
            "location": location,
            **self.kept.to_dict(),
            "message": str(self.kept),
            "functions": [self.functions[name] for name in sorted(self.functions)],
            "examples": self.examples,
            "inconclusive_examples": self.inconclusive,
            "stopped": None,
            "xfail": None,
            "figures": _figures(self.kept) if figures else {},
        }
        for name, (evaluations, calls, seconds) in self.effort.items():
            if name in record["methods"]:
                effort = {"evaluations": int(evaluations), "calls": int(calls), "seconds": round(seconds, 6)}
                record["methods"][name].update(effort)
        plain: Record = plain_data(record)
        return plain


def _figures(result: CheckResult) -> Mapping[str, Any]:
    """Return the figures of a check, or nothing where the function does not bear to be called once more."""
    try:
        return result.figures()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        # pytest's skip() is no Exception, and may stand in the function under test.
        return {}


NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass
class Tally:
    """What the checks of the running test came to so far."""

    conclusive: int = 0
    inconclusive: int = 0
    #: The first of those that differ by nothing but their numbers, which change from example to example.
    reasons: dict[str, str] = field(default_factory=dict)


class Recorder:
    """Takes every result where it arises and hands out records of what is new since the last time.

    With ``figures`` each record has those of the example that stands for it.
    """

    def __init__(self, *, figures: bool = False) -> None:
        self._figures = figures
        self.tally = Tally()
        self._pending: dict[tuple[str, str], _Group] = {}
        # Tests may check from threads of their own.
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start counting for a test."""
        self.tally = Tally()

    def add(self, nodeid: str, result: CheckResult) -> None:
        """Take one result of the test."""
        with self._lock:
            key = (nodeid, result.name)
            if key not in self._pending:
                self._pending[key] = _Group(result)
            self._pending[key].add(result)
            if result.verdict == Verdict.INCONCLUSIVE:
                self.tally.inconclusive += 1
                for reason in _reasons(result):
                    self.tally.reasons.setdefault(NUMBER.sub("#", reason), reason)
            else:
                self.tally.conclusive += 1

    def drain(
        self,
        location: Mapping[str, Any] | None = None,
        stopped: Stopped | None = None,
        *,
        interrupted: bool = False,
    ) -> list[Record]:
        """Return a record for every check that had examples since the last call.

        ``location`` is where the test is: ``{"path": from the rootdir, "line": from 1, or None}``,
        ``stopped`` where its search was ended. Of a test that was ``interrupted`` nothing is drawn: its
        function may be the one that takes too long.
        """
        with self._lock:
            pending, self._pending = self._pending, {}
        drawn = self._figures and not interrupted
        try:
            records = [group.record(nodeid, location, drawn) for (nodeid, _), group in pending.items()]
        except BaseException:
            # Interrupted while it is drawn: what it came to is known all the same.
            with self._lock:
                self._pending = {**pending, **self._pending}
            raise
        said = {} if stopped is None else {"stopped": dataclasses.asdict(stopped)}
        return [{**record, **said} for record in records]


class Aggregate:
    """Every record of the session, in the process that reports on it.

    Nodeids are those of the records, as `plain_data` leaves them: file names can hold what no encoding does.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._marked: set[str] = set()

    def take(self, records: Iterable[Record]) -> None:
        """Add records; those of a check that is known already are merged with it."""
        for record in records:
            key = (record["nodeid"], record["name"])
            known = self._records.get(key)
            self._records[key] = record if known is None else merge_records(known, record)

    def mark(self, nodeid: str) -> None:
        """Note that a test carries the marker, and so should have been checked."""
        self._marked.add(plain_data(nodeid))

    def forget(self, nodeid: str) -> None:
        """Drop what a test came to, because it is about to run again."""
        for key in [key for key in self._records if key[0] == plain_data(nodeid)]:
            del self._records[key]

    def expect_failure(self, nodeid: str, reason: str) -> None:
        """Note that the test's failing checks are expected to fail."""
        for (owner, _), record in self._records.items():
            if owner == plain_data(nodeid) and record["verdict"] == "fail":
                record["xfail"] = reason

    def checks(self) -> list[Record]:
        """Return every record, in an order that does not depend on who ran what when."""
        return [self._records[key] for key in sorted(self._records)]

    def summary(self) -> dict[str, int]:
        """Count the checks by verdict, and the marked tests in which none was made."""
        return summarise(self.checks(), len(self.unchecked()))

    def unchecked(self) -> list[str]:
        """Return the marked tests in which no check was made."""
        return sorted(self._marked - {nodeid for nodeid, _ in self._records})


def summarise(checks: Iterable[Mapping[str, Any]], not_checked: int) -> dict[str, int]:
    """Return the ``summary`` of a report."""
    verdicts = [check["verdict"] for check in checks]
    return {
        "checks": len(verdicts),
        **{name: verdicts.count(name) for name in ("pass", "fail", "inconclusive")},
        "not_checked": not_checked,
    }


def merge_records(old: Record, new: Record) -> Record:
    """Return one record for the examples of both; ``new`` is the later one."""
    stands = _stands(_record_weight(new), _record_weight(old))
    kept, other = (new, old) if stands else (old, new)
    return {
        **kept,
        "methods": _merge_methods(kept["methods"], other["methods"]),
        "examples": old["examples"] + new["examples"],
        "inconclusive_examples": old["inconclusive_examples"] + new["inconclusive_examples"],
        "stopped": max(
            (r["stopped"] for r in (old, new) if r.get("stopped") is not None),
            key=lambda stopped: (stopped["after"], stopped["of"], stopped["max_seconds"], stopped["failed"]),
            default=None,
        ),
        "functions": _joined(old.get("functions", ()), new.get("functions", ())),
    }


def _joined(*parts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for part in parts:
        _join_functions(known, part)
    return [known[name] for name in sorted(known)]


def _join_functions(known: dict[str, dict[str, Any]], more: Iterable[Mapping[str, Any]]) -> None:
    """Add gradients written by hand, each with all the ways in which it was run."""
    for function in more:
        own = known.setdefault(function["name"], dict(function))
        own["ran"] = sorted({*own["ran"], *function["ran"]})


def _merge_methods(kept: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    methods: dict[str, dict[str, Any]] = {}
    for name in [*kept, *(name for name in other if name not in kept)]:
        own = kept.get(name, other.get(name))
        costs = [m[name] for m in (kept, other) if name in m]
        methods[name] = {
            **own,
            "evaluations": sum(cost["evaluations"] for cost in costs),
            # The first reports had none.
            "calls": sum(cost.get("calls", 0) for cost in costs),
            # Whole microseconds, so that it does not matter which were added first.
            "seconds": round(sum(cost["seconds"] for cost in costs), 6),
        }
    return methods


def called(nodeid: str, name: str) -> str:
    """Return what a person knows a check by: the test, and the function where that is called otherwise."""
    test = nodeid.partition("[")[0].rpartition("::")[2]
    return nodeid if test == name.rpartition(".")[2] else f"{nodeid}: {name}"


def margin(record: Mapping[str, Any]) -> float:
    """Return the difference over the tolerance at the worst entry; NaN counts as beyond all."""
    worst = record.get("worst")
    if worst is None:
        return 0.0
    value = float(worst["margin"])
    return math.inf if math.isnan(value) else value


def seconds(record: Mapping[str, Any]) -> float:
    """Return the time that all methods of a check took together."""
    return float(sum(method["seconds"] for method in record["methods"].values()))


def backward_place(gradient: Mapping[str, Any]) -> str:
    """Return ``path:line`` of the backward of a gradient written by hand."""
    line = gradient["backward_line"] or gradient["line"]
    return f"{gradient['path']}:{line}" if gradient["path"] and line else str(gradient["path"] or "?")


def plain_data(value: Any) -> Any:
    """Return the value as JSON can hold it; numbers that it cannot are strings.

    Subclasses of the basic types, such as NumPy's float64, become the basic type: execnet, by which
    pytest-xdist sends reports, takes no others.
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
    if hasattr(value, "__float__"):
        number = float(value)
        if math.isfinite(number):
            return number
        return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"
    return plain_data(str(value))


def _weight(verdict: str, size: float) -> tuple[int, float]:
    # Among failures the order alone decides: Hypothesis replays the smallest one last.
    return _RANK[verdict], 0.0 if verdict == "fail" else size


def _stands(new: tuple[int, float], old: tuple[int, float]) -> bool:
    """Whether the later result replaces the earlier one as the one to show."""
    return new > old or (new == old and new[0] == _RANK["fail"])


def _record_weight(record: Mapping[str, Any]) -> tuple[int, float]:
    rank, size = _weight(record["verdict"], margin(record))
    # A failure that nobody expected is not excused by one elsewhere that somebody did.
    return rank, -1.0 if record["xfail"] else size


def _margin(result: CheckResult) -> float:
    if result.worst is None:
        return 0.0
    value = result.worst.margin
    return math.inf if math.isnan(value) else value


def _reasons(result: CheckResult) -> list[str]:
    text = result.diagnosis.text
    said = [(name, method.reason) for name, method in result.methods.items()]
    return [
        f"{result.diagnosis.code}: {text}",
        *(f"{name}: {reason}" for name, reason in said if reason and reason not in text),
    ]
