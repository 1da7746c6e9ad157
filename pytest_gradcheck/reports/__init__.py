"""The formats of a report: one module with ``render(report) -> str`` and one line here for each."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Format(NamedTuple):
    """A format's module, imported when a report is written, and the file extensions that select it.

    A format that ``appends`` keeps the file's content; one with ``figures`` needs those of each check.
    """

    module: str
    endings: tuple[str, ...] = ()
    appends: bool = False
    figures: bool = False


FORMATS: Mapping[str, Format] = {
    "json": Format("pytest_gradcheck.reports.json_report", (".json",), figures=True),
    "html": Format("pytest_gradcheck.reports.html_report", (".html", ".htm"), figures=True),
    "markdown": Format("pytest_gradcheck.reports.markdown", (".md", ".markdown")),
    "markdown-append": Format("pytest_gradcheck.reports.markdown", appends=True),
    "sarif": Format("pytest_gradcheck.reports.sarif", (".sarif", ".sarif.json")),
}


def format_for_ending(path: str) -> str | None:
    """Return the name of the format for a path's extension, or None."""
    known = [(ending, name) for name, form in FORMATS.items() for ending in form.endings]
    fitting = [(len(ending), name) for ending, name in known if path.lower().endswith(ending)]
    return max(fitting)[1] if fitting else None


def write_report(name: str, path: Path, report: Mapping[str, Any]) -> None:
    """Write or append a report to the path atomically; raises `OSError` if that fails."""
    from pytest_gradcheck.records import files

    write = files.append if FORMATS[name].appends else files.write_atomically
    write(path, rendered(name, report))


def rendered(name: str, report: Mapping[str, Any]) -> str:
    """Return the report in one of the formats."""
    render: Callable[[Mapping[str, Any]], str] = importlib.import_module(FORMATS[name].module).render
    return render(report)
