"""A baseline: a file, kept with the code, with the verdict and margin of every check in an earlier run.

It holds one line per check, sorted by name, so a review shows what changes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gradcheck.records import files, load
from pytest_gradcheck.records.load import BASELINE, BASELINE_VERSION
from pytest_gradcheck.records.record import Key, key, margin, plain_data


def read(path: Path, argument: str) -> dict[Key, dict[str, Any]]:
    """Return the entries of a baseline, or of a JSON report, which contains the same data.

    Raises `InvalidArgument`, with the name of the argument, for a file that is neither.
    """
    data = load.read(path, argument, baseline=True)
    return {key(check): _entry(check) for check in data["checks"]}


def updated(
    old: Mapping[Key, Mapping[str, Any]], checks: Iterable[Mapping[str, Any]], drop: Iterable[Key] = ()
) -> dict[Key, dict[str, Any]]:
    """Return the entries after a run: its checks replace theirs, and all others stay unless dropped."""
    gone = set(drop)
    kept = {known: dict(entry) for known, entry in old.items() if known not in gone}
    return kept | {key(check): _entry(check) for check in checks}


def update(path: Path, checks: Iterable[Mapping[str, Any]], drop: Iterable[Key] = ()) -> int:
    """Update a baseline from the checks of a run, and return its number of entries.

    Entries that other runs have written meanwhile stay; runs wait for each other. Raises `OSError` if the
    file cannot be written, and `InvalidArgument` if it is no longer a baseline.
    """
    with _alone_in(Path(os.path.realpath(path)).parent):
        old = read(path, "--gradcheck-baseline") if path.exists() else {}
        entries = updated(old, checks, drop)
        files.write_atomically(path, render(entries))
    return len(entries)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, where the system has one.

    The lock is on the folder, because the file is replaced. It ends with the process in any case.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        # Windows has no such lock: if two runs end within a few milliseconds there, a line may be lost.
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        # A network file system may have no locks.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def render(entries: Mapping[Key, Mapping[str, Any]]) -> str:
    """Return the file's text."""
    lines = [
        json.dumps({"nodeid": nodeid, "name": name, **plain_data(entries[nodeid, name])}, ensure_ascii=False)
        for nodeid, name in sorted(entries)
    ]
    body = ",\n    ".join(lines)
    checks = f"[\n    {body}\n  ]" if lines else "[]"
    return f'{{\n  "format": "{BASELINE}",\n  "version": {BASELINE_VERSION},\n  "checks": {checks}\n}}\n'


def within(nodeid: str, arguments: Sequence[str], root: Path, start: Path) -> bool:
    """Whether the paths on pytest's command line include a test.

    ``arguments`` are relative to ``start``, where pytest was called, nodeids to ``root``, its rootdir.
    """
    file, _, name = nodeid.partition("::")
    path = root / file
    for argument in arguments:
        place, _, part = argument.partition("::")
        given = Path(os.path.abspath(start / place))
        if given in path.parents or (given == path and name.startswith(part)):
            return True
    return False


def _entry(check: Mapping[str, Any]) -> dict[str, Any]:
    value = float(check["margin"]) if "margin" in check else margin(check)
    # Three digits: further ones change with every drawn input.
    return {"verdict": str(check["verdict"]), "margin": float(f"{value:.3g}")}
