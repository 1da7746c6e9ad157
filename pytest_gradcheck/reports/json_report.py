"""The JSON report: the data that every other format is made from, and its contract.

``docs/report.schema.json`` describes it to other programs.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gradcheck.records.aggregate import plain_data, summarise

FORMAT = "pytest-gradcheck"
VERSION = 1

# The packages whose versions can change a verdict.
_PACKAGES = ("pytest-gradcheck", "pytest", "hypothesis", "numpy", "torch", "pytest-xdist")


def build(
    checks: Sequence[Mapping[str, Any]],
    unchecked: Sequence[str] = (),
    gate: Sequence[Mapping[str, str]] = (),
    coverage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the whole report as plain data.

    ``unchecked`` are the marked tests in which no check was made, ``gate`` is every rule that was broken,
    ``coverage`` what was run of the packages' hand-written gradients.
    """
    return assemble(environment(), checks, unchecked, gate, coverage)


def assemble(
    environment: Mapping[str, Any],
    checks: Sequence[Mapping[str, Any]],
    unchecked: Sequence[str],
    gate: Sequence[Mapping[str, str]],
    coverage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a report of checks that were made in an environment that is known already."""
    data: dict[str, Any] = plain_data(
        {
            "format": FORMAT,
            "version": VERSION,
            "environment": environment,
            "summary": summarise(checks, len(unchecked)),
            "gate": gate,
            "checks": checks,
            "unchecked": unchecked,
            "coverage": coverage or {},
        }
    )
    return data


def environment() -> dict[str, Any]:
    """Return what the checks ran on, without importing any of it."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": packages,
    }


def render(report: Mapping[str, Any]) -> str:
    """Return the report as JSON text."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
