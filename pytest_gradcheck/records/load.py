"""Read reports and baselines from files, which may be truncated, edited or newer."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records import report
from pytest_gradcheck.records.record import plain_data

BASELINE = "pytest-gradcheck-baseline"
BASELINE_VERSION = 1

#: Properties that every report has but no format needs; a report without them is accepted.
_NOT_NEEDED = {
    "coverage", "environment.implementation", "environment.platform", "checks.inputs", "checks.labels",
    "checks.mode", "checks.not_checked", "checks.order", "checks.pairs", "checks.properties",
    "checks.reproduce", "checks.seed", "checks.sensitivity", "checks.xfail",
}  # fmt: skip

_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of a report."""
    text = (resources.files("pytest_gradcheck.records") / "report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def read(path: Path, argument: str, *, baseline: bool = False) -> dict[str, Any]:
    """Return a JSON report, or with ``baseline`` also a baseline, with text that every encoding can hold.

    Fields that the first reports lacked are filled in. Raises `InvalidArgument`, with the name of the
    argument, for anything else.
    """
    data = _object(path, argument)
    kind, version = data.get("format"), data.get("version")
    got = f"{path}, of format {kind!r:.40} and version {version!r:.40}"
    known = [report.FORMAT, *([BASELINE] if baseline else [])]
    if kind not in known:
        kinds = " or ".join(map(repr, known))
        raise InvalidArgument(argument, got, f"give a file of format {kinds}")
    newest = BASELINE_VERSION if kind == BASELINE else report.VERSION
    if version != newest:
        newer = isinstance(version, int) and version > newest
        remedy = "read it with the pytest-gradcheck that wrote it"
        raise InvalidArgument(argument, got, remedy if newer else f"give one of version {newest}")
    shape = schema()["$defs"]["baseline"] if kind == BASELINE else schema()
    problem = next(_problems(data, shape, ""), None)
    if problem is not None:
        raise InvalidArgument(argument, f"{path}, {problem}", "it is truncated or edited; regenerate it")
    if kind != BASELINE:
        data.setdefault("coverage", {})
        for check in data["checks"]:
            for key, empty in (
                ("xfail", None),
                ("stopped", None),
                ("passed", None),
                ("marked", False),
                ("replayable", True),
                ("test_failed", False),
                ("reproduce", ""),
            ):
                check.setdefault(key, empty)
    return data


def _object(path: Path, argument: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".html", ".htm"):
            inside = re.search(r'<script type="application/json" id="report">(.*?)</script>', text, re.DOTALL)
            text = inside[1] if inside else ""
        data = plain_data(json.loads(text))
    except OSError as error:
        remedy = "give a file that can be read"
        raise InvalidArgument(argument, f"{path} ({error.strerror})", remedy) from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(argument, f"{path}, which is not JSON: {error}", "give a report") from error
    if not isinstance(data, dict):
        raise InvalidArgument(argument, f"{path}, which is not a JSON object", "give a report")
    return data


def _problems(value: Any, shape: dict[str, Any], at: str) -> Iterator[str]:
    """Yield the places where a value violates a schema; supports the part of JSON Schema that ours uses."""
    if not shape:
        return
    if "$ref" in shape:
        yield from _problems(value, schema()["$defs"][shape["$ref"].rpartition("/")[2]], at)
    for part in shape.get("allOf", ()):
        yield from _problems(value, part, at)
    if "anyOf" in shape:
        first = [next(_problems(value, part, at), "") for part in shape["anyOf"]]
        if all(first):
            # For an object that lacks something, do not add that it is not null either.
            yield min(first, key=lambda problem: problem.startswith(f"in which {at} is "))
    if not _fits(value, shape):
        yield f"in which {at} is {value!s:.40}"
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from _problems(item, shape.get("items", {}), f"{at}[{k}]")
    elif isinstance(value, dict):
        yield from _problems_of_object(value, shape, at)


def _problems_of_object(value: dict[str, Any], shape: dict[str, Any], at: str) -> Iterator[str]:
    required, properties = shape.get("required", ()), shape.get("properties", {})
    for name in dict.fromkeys([*required, *properties, *value]):
        path = f"{at}.{name}" if at else name
        if name in value:
            of_value = properties.get(name, shape.get("additionalProperties", {}))
            yield from _problems(value[name], of_value, path)
        elif name in required and re.sub(r"\[\d+\]", "", path) not in _NOT_NEEDED:
            yield f"which lacks {name!r}{f' in {at}' if at else ''}"


def _fits(value: Any, shape: dict[str, Any]) -> bool:
    """Whether a value itself, without its parts, conforms to a schema."""
    if "type" in shape:
        types = [shape["type"]] if isinstance(shape["type"], str) else shape["type"]
        if not any(isinstance(value, _TYPES[name]) for name in types):
            return False
        if isinstance(value, bool) and "boolean" not in types:
            return False
    if isinstance(value, dict) and len(value) > shape.get("maxProperties", len(value)):
        return False
    if isinstance(value, (int, float)) and value < shape.get("minimum", value):
        return False
    return "enum" not in shape or value in shape["enum"]
