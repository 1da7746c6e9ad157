"""Files that were written before, read again: reports and baselines, which may be cut, edited or newer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_gradcheck.core.results import Verdict
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.methods.names import METHOD_NAMES
from pytest_gradcheck.records.aggregate import plain_data
from pytest_gradcheck.reports import json_report

BASELINE = "pytest-gradcheck-baseline"
BASELINE_VERSION = 1

# What a value must be: of a type; one of a set; a list whose entries are of a shape; an object with the keys,
# of which those with a question mark may lack, and the star is all others; in a tuple, one of several.
_COUNT = int
_NUMBER = (float, frozenset({"nan", "inf", "-inf"}))
_TEXT_OR_NONE = (str, None)
_METHOD = frozenset(METHOD_NAMES)
_VERDICT = frozenset(map(str, Verdict))
_RAN = [frozenset({"forward", "backward", "double-backward"})]
_KEYS = [{"nodeid": str, "name": str}]
_HAND_WRITTEN = {
    "name": str,
    "path": _TEXT_OR_NONE,
    "line": (_COUNT, None),
    "backward_line": (_COUNT, None),
    "ran": _RAN,
}
_CHECK = {
    "nodeid": str,
    "name": str,
    "verdict": _VERDICT,
    "culprit": (_METHOD, None),
    "examples": _COUNT,
    "inconclusive_examples": _COUNT,
    "diagnosis": {"code": str, "text": str},
    "worst": (
        {
            "input": str,
            "index": [int],
            "output": str,
            "output_index": [int],
            "values": {"*": _NUMBER},
            "uncertainties": {"*": _NUMBER},
            "difference": _NUMBER,
            "tolerance": _NUMBER,
            "margin": _NUMBER,
        },
        None,
    ),
    "methods": {
        "*": {
            "status": str,
            "reason": _TEXT_OR_NONE,
            "evaluations": _COUNT,
            "calls?": _COUNT,
            "seconds": float,
        }
    },
    "location?": ({"path": str, "line": (_COUNT, None)}, None),
    "message?": str,
    "reproduce?": str,
    "inputs?": {"*": str},
    "xfail?": _TEXT_OR_NONE,
    "stopped?": ({"after": _COUNT, "of": _COUNT, "max_seconds": float, "failed": bool}, None),
    "functions?": [_HAND_WRITTEN],
    "figures?": {},
}
_REPORT = {
    "checks": [_CHECK],
    "environment": {"python": str, "packages": {"*": str}, "*": str},
    "summary": dict.fromkeys(("checks", "pass", "fail", "inconclusive", "not_checked"), _COUNT),
    "gate?": [{"rule": str, "found": str, "remedy": str}],
    "unchecked?": [str],
    "merged?": {"duplicates": _KEYS, "conflicts": _KEYS},
    "coverage?": {
        "packages": [str],
        "covered": _COUNT,
        "total": _COUNT,
        "gradients": [{**_HAND_WRITTEN, "imported": bool, "tests": [str]}],
    },
}
_BASELINE = {"checks": [{"nodeid": str, "name": str, "verdict": _VERDICT, "margin": _NUMBER}]}


def read(path: Path, argument: str, *, baseline: bool = False) -> dict[str, Any]:
    """Return a JSON report, or with ``baseline`` that or a baseline, with text that every encoding can hold.

    What the first reports did not have yet is filled in. Raises `InvalidArgument`, with the name of the
    argument, for anything else.
    """
    data = _object(path, argument)
    kind, version = data.get("format"), data.get("version")
    said = f"{path}, of format {kind!r:.40} and version {version!r:.40}"
    known = [json_report.FORMAT, *([BASELINE] if baseline else [])]
    if kind not in known:
        kinds = " or ".join(map(repr, known))
        raise InvalidArgument(argument, said, f"give a file of format {kinds}")
    newest = BASELINE_VERSION if kind == BASELINE else json_report.VERSION
    if version != newest:
        newer = isinstance(version, int) and version > newest
        remedy = "read it with the pytest-gradcheck that wrote it"
        raise InvalidArgument(argument, said, remedy if newer else f"give one of version {newest}")
    # Nothing and an empty object say the same of what a report has on request.
    there = {key: value for key, value in data.items() if value != {}}
    problem = next(_problems(there, _BASELINE if kind == BASELINE else _REPORT, ""), None)
    if problem is not None:
        raise InvalidArgument(argument, f"{path}, {problem}", "write it anew; it is cut or edited")
    if kind != BASELINE:
        data.setdefault("coverage", {})
        for check in data["checks"]:
            for key, empty in (("xfail", None), ("stopped", None), ("reproduce", "")):
                check.setdefault(key, empty)
    return data


def _object(path: Path, argument: str) -> dict[str, Any]:
    try:
        data = plain_data(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidArgument(
            argument, f"{path} ({error.strerror})", "give a file that can be read"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(argument, f"{path}, which is not JSON: {error}", "give a report") from error
    if not isinstance(data, dict):
        raise InvalidArgument(argument, f"{path}, which holds no object", "give a report")
    return data


def _problems(value: Any, shape: Any, at: str) -> Iterator[str]:
    """Return in words where a value is not of a shape."""
    if isinstance(shape, tuple):
        found = [list(_problems(value, one, at)) for one in shape]
        if all(found):
            # Of an object that lacks something, not that it is no null either.
            yield next((f[0] for f in found if not f[0].startswith(f"in which {at} is ")), found[0][0])
    elif isinstance(shape, list) and isinstance(value, list):
        for k, one in enumerate(value):
            yield from _problems(one, shape[0], f"{at}[{k}]")
    elif isinstance(shape, dict) and isinstance(value, dict):
        yield from _problems_of_object(value, shape, at)
    elif not _is_one(value, shape):
        yield f"in which {at} is {value!s:.40}"


def _problems_of_object(value: dict[str, Any], shape: dict[str, Any], at: str) -> Iterator[str]:
    names = {key.removesuffix("?"): key for key in shape if key != "*"}
    for name, key in names.items():
        if name in value:
            yield from _problems(value[name], shape[key], f"{at}.{name}" if at else name)
        elif name == key:
            yield f"which lacks {name!r}{f' in {at}' if at else ''}"
    for name in value.keys() - names.keys() if "*" in shape else ():
        yield from _problems(value[name], shape["*"], f"{at}.{name}")


def _is_one(value: Any, shape: Any) -> bool:
    if isinstance(shape, frozenset):
        return isinstance(value, str) and value in shape
    if shape is None or shape is bool:
        return value is None if shape is None else isinstance(value, bool)
    if shape is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if shape is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return shape is str and isinstance(value, str)
