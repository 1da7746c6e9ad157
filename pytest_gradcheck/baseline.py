"""A baseline: what every check came to when somebody last looked, as a file that is kept with the code.

It holds one line per check, in the order of their names, so that a change of it can be read in a review.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gradcheck.aggregate import margin, plain_data
from pytest_gradcheck.core.errors import InvalidArgument

FORMAT = "pytest-gradcheck-baseline"
VERSION = 1

#: A check: the test and the name of the function.
Key = tuple[str, str]


def read(path: Path, argument: str) -> dict[Key, dict[str, Any]]:
    """Return the entries of a baseline, or of a JSON report, which says the same and more.

    Raises `InvalidArgument`, with the name of the argument, for a file that is neither.
    """
    data = read_json(path, argument)
    kind, version = data.get("format"), data.get("version")
    if kind not in (FORMAT, "pytest-gradcheck") or version != VERSION:
        raise InvalidArgument(
            argument,
            f"{path}, of format {kind!r} and version {version!r}",
            f"give a file of format {FORMAT!r} or 'pytest-gradcheck', version {VERSION}",
        )
    try:
        return {(check["nodeid"], check["name"]): _entry(check) for check in data["checks"]}
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArgument(
            argument, f"{path}, with an entry that lacks {error}", "make it anew from a run"
        ) from error


def read_json(path: Path, argument: str) -> dict[str, Any]:
    """Return the JSON object in a file; raises `InvalidArgument` for anything else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgument(
            argument, f"{path} ({error.strerror})", "give a file that can be read"
        ) from error
    except ValueError as error:
        raise InvalidArgument(argument, f"{path}, which is not JSON: {error}", "give a report") from error
    if not isinstance(data, dict):
        raise InvalidArgument(argument, f"{path}, which holds no object", "give a report")
    return data


def updated(
    old: Mapping[Key, Mapping[str, Any]], checks: Iterable[Mapping[str, Any]], drop: Iterable[Key] = ()
) -> dict[Key, dict[str, Any]]:
    """Return the entries after a run: those of its checks are new, all others stay unless dropped."""
    gone = set(drop)
    new = {key: dict(entry) for key, entry in old.items() if key not in gone}
    new.update({(check["nodeid"], check["name"]): _entry(check) for check in checks})
    return new


def render(entries: Mapping[Key, Mapping[str, Any]]) -> str:
    """Return the file's text."""
    lines = [
        json.dumps({"nodeid": nodeid, "name": name, **plain_data(entries[nodeid, name])}, ensure_ascii=False)
        for nodeid, name in sorted(entries)
    ]
    body = ",\n    ".join(lines)
    checks = f"[\n    {body}\n  ]" if lines else "[]"
    return f'{{\n  "format": "{FORMAT}",\n  "version": {VERSION},\n  "checks": {checks}\n}}\n'


def within(nodeid: str, arguments: Sequence[str], root: Path, start: Path) -> bool:
    """Whether the paths that pytest was given take in a test.

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
    found = float(check["margin"]) if "margin" in check else margin(check)
    # Three digits: what is beyond them changes with every input that is drawn.
    return {"verdict": str(check["verdict"]), "margin": float(f"{found:.3g}")}
