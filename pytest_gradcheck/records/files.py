"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace the file's content by the text in one step, so no reader ever sees half of it."""
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

    The file stays the same one: steps of a CI job may have it open to append to it, each by one write.
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
