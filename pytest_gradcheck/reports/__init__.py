"""The formats of a report: each is one module with ``render(report) -> str``, from plain data alone.

To add a format, write its module and name it here; `--gradcheck-report` then knows it.
"""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Format:
    """A format's module, imported when a report is written, and the endings that choose it.

    One that ``appends`` keeps what the file holds already; one with ``figures`` shows those of each check.
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
    """Return the name of the format that a path's ending stands for, or None."""
    known = [(ending, name) for name, form in FORMATS.items() for ending in form.endings]
    found = [(len(ending), name) for ending, name in known if path.lower().endswith(ending)]
    return max(found)[1] if found else None


def write_report(name: str, path: Path, report: Mapping[str, Any]) -> None:
    """Render the report and put it at the path, whole or not at all; OSError tells why not.

    A format that appends puts it behind what is there, in the same one step.
    """
    text = rendered(name, report)
    if FORMATS[name].appends and path.is_file():
        before = path.read_bytes().decode("utf-8", "surrogateescape")
        text = f"{before}{chr(10) if before and not before.endswith(chr(10)) else ''}{text}"
    write_atomically(path, text)


def rendered(name: str, report: Mapping[str, Any]) -> str:
    """Return the report in one of the formats."""
    render: Callable[[Mapping[str, Any]], str] = importlib.import_module(FORMATS[name].module).render
    return render(report)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file's content by the text in one step, so that no reader ever sees half of it."""
    if path.exists() and not path.is_file():
        # Renaming a file onto a device or a pipe would replace it; what is written there cannot be torn.
        path.write_text(text, encoding="utf-8")
        return
    # A symbolic link stays one: its target is what is replaced.
    goal = Path(os.path.realpath(path))
    draft = goal.with_name(f".{goal.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(draft, "x", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, goal)
    finally:
        draft.unlink(missing_ok=True)
