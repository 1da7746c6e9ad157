"""Collect the results of one process's running tests, until they leave it as records."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gradcheck.core.results import CheckResult, Verdict
from pytest_gradcheck.records.inconclusive import Reason, judged, merge_reasons
from pytest_gradcheck.records.record import (
    Key,
    Record,
    Stopped,
    merge_functions,
    plain_data,
    replaces,
    weight,
)

#: The label of a check whose function gave the same value at all points, near and far.
CONSTANT = "constant"

NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass
class Tally:
    """The checks of the running test so far."""

    conclusive: int = 0
    inconclusive: int = 0
    #: The conclusive ones with the same value everywhere.
    constant: int = 0
    #: How often the fixtures were called, including calls that raised.
    calls: int = 0
    #: Reasons that differ only in their numbers count as one: the first is kept.
    reasons: dict[str, str] = field(default_factory=dict)


class ResultBuffer:
    """Takes every result, and returns records of those since the last call.

    With ``figures`` each record has the figures of the example that represents it.
    """

    def __init__(self, *, figures: bool = False) -> None:
        self._figures = figures
        self.tally = Tally()
        self._pending: dict[Key, _Group] = {}
        # Tests may check from threads of their own.
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start counting for a test."""
        self.tally = Tally()

    def add(self, nodeid: str, result: CheckResult) -> None:
        """Take one result of the test."""
        with self._lock:
            self._pending.setdefault((nodeid, result.name), _Group(result)).add(result)
            if result.verdict == Verdict.INCONCLUSIVE:
                self.tally.inconclusive += 1
                for reason in _reasons(result):
                    self.tally.reasons.setdefault(NUMBER.sub("#", reason), reason)
            else:
                self.tally.conclusive += 1
                self.tally.constant += CONSTANT in result.labels

    def drain(
        self,
        location: Mapping[str, Any] | None = None,
        stopped: Stopped | None = None,
        *,
        marked: bool = False,
        replayable: bool = True,
        interrupted: bool = False,
    ) -> list[Record]:
        """Return a record for every check that had examples since the last call.

        ``location`` is the place of the test: ``{"path": from the rootdir, "line": from 1, or None}``,
        ``stopped`` says how far its search got, ``marked`` whether it carries the marker, and ``replayable``
        whether it can be rerun at the inputs of a record. An ``interrupted`` test gets no figures, since its
        function may be what takes too long.
        """
        with self._lock:
            pending, self._pending = self._pending, {}
        drawn = self._figures and not interrupted
        try:
            records = [
                {**group.record(nodeid, location, figures=drawn, marked=marked), "replayable": replayable}
                for (nodeid, _), group in pending.items()
            ]
        except BaseException:
            # Interrupted while figures are drawn: the results are known anyway.
            with self._lock:
                self._pending = {**pending, **self._pending}
            raise
        if stopped is not None:
            records = [{**record, "stopped": dataclasses.asdict(stopped)} for record in records]
        return records


@dataclass
class _Group:
    """The results of one check over its examples; ``kept`` represents them."""

    kept: CheckResult
    examples: int = 0
    constant: int = 0
    reasons: list[Reason] = field(default_factory=list)
    effort: dict[str, list[float]] = field(default_factory=dict)
    functions: list[dict[str, Any]] = field(default_factory=list)

    def add(self, result: CheckResult) -> None:
        self.examples += 1
        self.constant += result.verdict == Verdict.PASS and CONSTANT in result.labels
        if result.verdict == Verdict.INCONCLUSIVE:
            why, again = result.diagnosis, result.reproduce
            reason = {"code": why.code, "text": why.text, "examples": 1, "reproduce": again}
            reason["imports"] = result.imports
            self.reasons = merge_reasons([*self.reasons, reason])
        for name, method in result.methods.items():
            effort = self.effort.setdefault(name, [0, 0, 0.0])
            effort[0] += method.evaluations
            effort[1] += method.calls
            effort[2] += method.seconds
        if result.verdict == Verdict.PASS:
            self.functions = merge_functions([*self.functions, *(f.to_dict() for f in result.functions)])
        if replaces(_weight(result), _weight(self.kept)):
            self.kept = result

    def record(
        self, nodeid: str, location: Mapping[str, Any] | None, *, figures: bool, marked: bool
    ) -> Record:
        record = {
            "nodeid": nodeid,
            "location": location,
            **self.kept.to_dict(),
            "message": str(self.kept),
            "functions": self.functions,
            "examples": self.examples,
            "inconclusive_examples": sum(reason["examples"] for reason in self.reasons),
            "inconclusive_reasons": self.reasons,
            "constant_examples": self.constant,
            "passed": None,
            "marked": marked,
            "stopped": None,
            "xfail": None,
            "test_failed": False,
            "figures": _figures(self.kept) if figures else {},
        }
        for name, (evaluations, calls, seconds) in self.effort.items():
            if name in record["methods"]:
                effort = {"evaluations": int(evaluations), "calls": int(calls), "seconds": round(seconds, 6)}
                record["methods"][name].update(effort)
        return judged(plain_data(record))


def _weight(result: CheckResult) -> tuple[int, float]:
    return weight(result.verdict, 0.0 if result.worst is None else result.worst.margin)


def _figures(result: CheckResult) -> Mapping[str, Any]:
    """Return the figures of a check; empty if the function cannot be called again."""
    try:
        return result.figures()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        # pytest's skip() is not an Exception, and may stand in the function under test.
        return {}


def _reasons(result: CheckResult) -> list[str]:
    text = result.diagnosis.text
    if result.diagnosis.code == "nothing-checked":
        # It says why each method could not run.
        return [f"nothing-checked: {text}"]
    reasons = {name: method.reason for name, method in result.methods.items()}
    more = [f"{name}: {reason}" for name, reason in reasons.items() if reason and reason not in text]
    return [f"{result.diagnosis.code}: {text}", *more]
