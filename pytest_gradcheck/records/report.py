"""The report: the data behind every format. ``report.schema.json`` describes it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.records.aggregate import summarise
from pytest_gradcheck.records.record import plain_data

FORMAT = "pytest-gradcheck"
VERSION = 1

# The packages whose versions can change a verdict.
_PACKAGES = ("pytest-gradcheck", "pytest", "hypothesis", *registry.names(), "pytest-xdist")


def build(
    checks: Sequence[Mapping[str, Any]],
    unchecked: Sequence[str] = (),
    gate: Sequence[Mapping[str, str]] = (),
    coverage: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    *,
    misused: Sequence[Mapping[str, str]] = (),
    run: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a report as plain data.

    ``unchecked`` are the marked tests in which no check ran, ``gate`` is every violated rule, ``environment``
    is by default that of this process. ``misused`` are the tests that ended with `InvalidArgument`, ``run``
    says when the session began and how many seconds it took.
    """
    data: dict[str, Any] = plain_data(
        {
            "format": FORMAT,
            "version": VERSION,
            "environment": this_environment() if environment is None else environment,
            "summary": summarise(checks, len(unchecked)),
            "gate": gate,
            "checks": checks,
            "unchecked": unchecked,
            "misused": misused,
            "run": run or {},
            "coverage": coverage or {},
        }
    )
    return data


def this_environment() -> dict[str, Any]:
    """Return the versions of Python and of the packages, without importing any of them."""
    packages = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": packages,
    }
