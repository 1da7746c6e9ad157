"""Where a report is written, and in which format: ``TYPE:PATH``, or a path whose extension decides."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pytest_gradcheck.errors import InvalidArgument, suggestion
from pytest_gradcheck.reports import FORMATS, format_for_ending


@dataclass(frozen=True)
class ReportTarget:
    """One report to write: the name of its format, and its absolute path."""

    format: str
    path: Path


def parse_report(text: str, where: str, base: Path) -> ReportTarget:
    """Parse ``TYPE:PATH`` or a bare path; a relative path starts at ``base``.

    Raises `InvalidArgument`, with ``where`` as the name of the argument.
    """
    prefix, colon, rest = text.partition(":")
    # A single letter before the colon is a Windows drive, not a type.
    if colon and re.fullmatch(r"[A-Za-z][\w-]+", prefix):
        if prefix not in FORMATS:
            remedy = suggestion(prefix, FORMATS, "the types are")
            raise InvalidArgument(where, f"{text!r} of type {prefix!r}", remedy)
        name, path = prefix, rest
    else:
        path = text
        ending = format_for_ending(path)
        if ending is None and path:
            remedy = f"write TYPE:PATH, where the types are: {', '.join(FORMATS)}"
            raise InvalidArgument(where, f"{text!r}, which has an unknown file extension", remedy)
        name = ending or ""
    if not path:
        raise InvalidArgument(where, f"{text!r}, without a path", "write TYPE:PATH")
    return ReportTarget(name, Path(os.path.abspath(base / path)))


def check_paths(paths: Iterable[Path], where: str = "--gradcheck-report") -> None:
    """Reject files that cannot be written, before any test runs; raises `InvalidArgument`."""
    for path in paths:
        try:
            obstacle = _obstacle(path)
        except OSError as error:
            # The name is too long, or a directory cannot be read.
            obstacle = f"cannot be accessed ({error.strerror})", "choose another path"
        if obstacle is not None:
            problem, remedy = obstacle
            raise InvalidArgument(where, f"{path}, which {problem}", remedy)


def _obstacle(path: Path) -> tuple[str, str] | None:
    """Return why a file cannot be written, and a remedy."""
    folder = path.parent
    if path.is_dir():
        return "is a directory", "add the file's name"
    if not folder.exists():
        return f"is in {folder}, which does not exist", "create that directory first"
    if not folder.is_dir():
        return f"is in {folder}, which is not a directory", "choose another path"
    if not os.access(folder, os.W_OK):
        return f"is in {folder}, which is not writable", "choose another path"
    return None
