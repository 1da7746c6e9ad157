"""Write files atomically."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace the file's content in one step, so no reader ever sees a part of it."""
    data = text.encode("utf-8")
    if _is_special(path):
        path.write_bytes(data)
        return
    import secrets

    # A symbolic link stays one: its target is replaced.
    goal = Path(os.path.realpath(path))
    # An independent name: one derived from the target's could be too long.
    draft = goal.with_name(f".pytest-gradcheck-{secrets.token_hex(8)}.tmp")
    try:
        with open(draft, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Not every file system has permissions.
        with contextlib.suppress(OSError):
            shutil.copymode(goal, draft)
        os.replace(draft, goal)
    finally:
        draft.unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Append the text to the file on separate lines, all of it or nothing.

    The file is not replaced: other steps of a CI job may have it open for appending, each with one write.
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
            # A full disk accepts a part, and raises for the rest.
            while written < len(data):
                written += file.write(data[written:])
            os.fsync(file.fileno())
        except BaseException:
            end = file.tell()
            # Unless another process has appended already.
            if written and os.fstat(file.fileno()).st_size == end:
                file.truncate(end - written)
            raise


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, which renaming would replace, and whose writes are atomic."""
    return path.exists() and not path.is_file()
