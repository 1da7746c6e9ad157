"""Reports of several runs made into one: shards of a test suite, machines, repeated runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gradcheck.records import gradient_coverage
from pytest_gradcheck.records.aggregate import Record, merge_records
from pytest_gradcheck.records.baseline import Key
from pytest_gradcheck.reports import json_report

#: Between the values of an environment in which the runs differ.
_EITHER = " / "


def merge(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one report for all; later ones come after earlier ones, however they are grouped.

    A check that is in several is one check with the examples of all. It is a *duplicate*, and a *conflict*
    if it failed in one of them and not in another; ``merged`` lists both.
    """
    records: dict[Key, Record] = {}
    duplicates: set[Key] = set()
    conflicts: set[Key] = set()
    for report in reports:
        said = report.get("merged", {})
        duplicates |= _keys(said.get("duplicates", ()))
        conflicts |= _keys(said.get("conflicts", ()))
        for check in report["checks"]:
            key = (check["nodeid"], check["name"])
            known = records.get(key)
            if known is None:
                records[key] = dict(check)
                continue
            duplicates.add(key)
            if (known["verdict"] == "fail") is not (check["verdict"] == "fail"):
                conflicts.add(key)
            records[key] = merge_records(known, dict(check))
    tests = {nodeid for nodeid, _ in records}
    unchecked = {nodeid for report in reports for nodeid in report.get("unchecked", ())} - tests
    checks = [records[key] for key in sorted(records)]
    environment = _environment([report["environment"] for report in reports])
    covered = gradient_coverage.merge(reports, checks)
    data = json_report.assemble(environment, checks, sorted(unchecked), (), covered)
    return {**data, "merged": {"duplicates": _listed(duplicates), "conflicts": _listed(conflicts)}}


def _environment(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the runs have in common, and where they differ all that was met."""
    names = dict.fromkeys(name for e in environments for name in e if name != "packages")
    packages = sorted({name for e in environments for name in e["packages"]})
    return {
        **{name: _either(e.get(name) for e in environments) for name in names},
        "packages": {name: _either(e["packages"].get(name) for e in environments) for name in packages},
    }


def _either(values: Iterable[Any]) -> str:
    met = {part for value in values if value is not None for part in str(value).split(_EITHER)}
    return _EITHER.join(sorted(met))


def _keys(entries: Iterable[Mapping[str, str]]) -> set[Key]:
    return {(entry["nodeid"], entry["name"]) for entry in entries}


def _listed(keys: Iterable[Key]) -> list[dict[str, str]]:
    return [{"nodeid": nodeid, "name": name} for nodeid, name in sorted(keys)]
