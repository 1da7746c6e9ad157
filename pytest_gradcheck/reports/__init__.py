"""The formats of a report: each is one module with ``render(report) -> str``, from plain data alone.

To add a format, write its module and name it here; `--gradcheck-report` then knows it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Format(NamedTuple):
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

    A format that appends puts it behind what is there.
    """
    put = append if FORMATS[name].appends else write_atomically
    put(path, rendered(name, report))


def rendered(name: str, report: Mapping[str, Any]) -> str:
    """Return the report in one of the formats."""
    render: Callable[[Mapping[str, Any]], str] = importlib.import_module(FORMATS[name].module).render
    return render(report)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file's content by the text in one step, so that no reader ever sees half of it."""
    data = text.encode("utf-8")
    if _is_special(path):
        path.write_bytes(data)
        return
    import secrets

    # A symbolic link stays one: its target is what is replaced.
    goal = Path(os.path.realpath(path))
    # A name of its own: one made of the goal's could be longer than a name may be.
    draft = goal.with_name(f".pytest-gradcheck-{secrets.token_hex(8)}.tmp")
    try:
        with open(draft, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Not every file system knows of permissions.
        with contextlib.suppress(OSError):
            shutil.copymode(goal, draft)
        os.replace(draft, goal)
    finally:
        draft.unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Put the text on lines of its own behind what the file holds, whole or not at all.

    The file stays the same one: others may have it open to append to it, as every step of a CI job may have
    its summary. Several that append at the same time follow one another, since each makes one write of it.
    """
    data = text.encode("utf-8")
    if _is_special(path):
        path.write_bytes(data)
        return
    with open(path, "a+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            data = data if file.read(1) == b"\n" else b"\n" + data
        written = 0
        try:
            # A disk that is full takes a part, and refuses when it is given the rest.
            while written < len(data):
                written += file.write(data[written:])
            os.fsync(file.fileno())
        except BaseException:
            end = file.tell()
            # Unless another text stands behind this one already.
            if written and os.fstat(file.fileno()).st_size == end:
                file.truncate(end - written)
            raise


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe: a file renamed onto it would replace it, and no write is torn."""
    return path.exists() and not path.is_file()
