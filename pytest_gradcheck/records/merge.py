"""Merge the reports of several runs: shards of a test suite, machines, repeated runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gradcheck.records import gradient_coverage
from pytest_gradcheck.records.record import Key, Record, key, merge_records
from pytest_gradcheck.records.report import build

#: Separates values of the environment in which the runs differ.
_EITHER = " / "


def merge(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge reports into one, later ones after earlier ones; the grouping does not matter.

    A check that is in several reports becomes one check with the examples of all. It is a *duplicate*, and a
    *conflict* if it failed in only some of them; ``merged`` lists both.
    """
    records: dict[Key, Record] = {}
    duplicates: set[Key] = set()
    conflicts: set[Key] = set()
    for report in reports:
        merged = report.get("merged", {})
        duplicates |= set(map(key, merged.get("duplicates", ())))
        conflicts |= set(map(key, merged.get("conflicts", ())))
        for check in report["checks"]:
            name = key(check)
            known = records.get(name)
            if known is None:
                records[name] = dict(check)
                continue
            duplicates.add(name)
            if (known["verdict"] == "fail") is not (check["verdict"] == "fail"):
                conflicts.add(name)
            records[name] = merge_records(known, dict(check))
    tests = {nodeid for nodeid, _ in records}
    unchecked = {nodeid for report in reports for nodeid in report.get("unchecked", ())} - tests
    checks = [records[name] for name in sorted(records)]
    environment = _environment([report["environment"] for report in reports])
    coverage = gradient_coverage.merge(reports, checks)
    wrong = {one["nodeid"]: one for report in reports for one in report.get("misused", ())}
    misused = [wrong[nodeid] for nodeid in sorted(wrong)]
    runs = [report["run"] for report in reports if report.get("run")]
    # Shards run in parallel: the seconds are those of all machines together.
    run = (
        {"began": min(one["began"] for one in runs), "seconds": sum(one["seconds"] for one in runs)}
        if runs
        else {}
    )
    data = build(checks, sorted(unchecked), (), coverage, environment, misused=misused, run=run)
    return {**data, "merged": {"duplicates": _listed(duplicates), "conflicts": _listed(conflicts)}}


def _environment(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of the environments, joined where they differ."""
    names = dict.fromkeys(name for e in environments for name in e if name != "packages")
    packages = sorted({name for e in environments for name in e["packages"]})
    return {
        **{name: _either(e.get(name) for e in environments) for name in names},
        "packages": {name: _either(e["packages"].get(name) for e in environments) for name in packages},
    }


def _either(values: Iterable[Any]) -> str:
    parts = {part for value in values if value is not None for part in str(value).split(_EITHER)}
    return _EITHER.join(sorted(parts))


def _listed(keys: Iterable[Key]) -> list[dict[str, str]]:
    return [{"nodeid": nodeid, "name": name} for nodeid, name in sorted(keys)]
