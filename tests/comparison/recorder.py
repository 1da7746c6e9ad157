"""Every check that runs through the public functions, kept as plain data that can be compared."""

from __future__ import annotations

import functools
import hashlib
import json
import linecache
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any

import pytest_gradcheck

ROOT = Path(pytest_gradcheck.__file__).parents[1]
"""The tree under test, which need not be the one that this file is in."""

LONGEST = 1000
"""Longer texts, such as the source of an input of a hundred numbers, are kept as their start and a digest."""

Entry = dict[str, Any]


class Recorder:
    """Stands in for `check_gradients` and `assert_gradients`, and keeps an entry per check.

    Args:
        repeat: How often each check runs. The first run is recorded; the CPU time is the least of all runs.

    Attributes:
        entries: The checks by id, in the order in which they ran.
    """

    def __init__(self, repeat: int = 1) -> None:
        self.entries: dict[str, Entry] = {}
        self._repeat = repeat
        self._where = ""
        self._count = 0
        self._check: Callable[..., Any] = pytest_gradcheck.check_gradients
        self._mismatch: Callable[..., Exception] = pytest_gradcheck.GradientMismatch

    def install(self) -> None:
        """Replace the public functions. Modules that import them from now on use the recorder."""
        vars(pytest_gradcheck).update(check_gradients=self.check, assert_gradients=self.demand)

    def at(self, where: str) -> None:
        """Name the checks that follow; the second one of the same name becomes ``name#2``."""
        self._where, self._count = where, 0

    def check(self, fn: Any, inputs: Any, **options: Any) -> Any:
        """Run `check_gradients` and keep its result, or the exception that it raised."""
        key = self._next()
        clock = process_time()
        try:
            result = self._check(fn, inputs, **options)
        except Exception as error:
            self.entries[key] = of_exception(error, process_time() - clock)
            raise
        seconds = process_time() - clock
        for _ in range(self._repeat - 1):
            clock = process_time()
            self._check(fn, inputs, **options)
            seconds = min(seconds, process_time() - clock)
        self.entries[key] = of_record({**result.to_dict(), "message": str(result)}, seconds)
        return result

    def demand(self, fn: Any, inputs: Any, **options: Any) -> None:
        """Run `assert_gradients` by way of `check`."""
        __tracebackhide__ = True
        result = self.check(fn, inputs, **options)
        if result.verdict != "pass":
            raise self._mismatch(result)

    def attempt(self, where: str, fn: Any, inputs: Any, **options: Any) -> None:
        """Check under a name of its own. An exception is recorded and goes no further."""
        self.at(where)
        try:
            self.check(fn, inputs, **options)
        except Exception:
            return

    def failed(self, where: str, error: BaseException) -> None:
        """Record that what should have led to checks raised."""
        self.at(where)
        self.entries[self._next()] = of_exception(error, None)

    def _next(self) -> str:
        self._count += 1
        wanted = self._where if self._count == 1 else f"{self._where}#{self._count}"
        key, again = wanted, 1
        while key in self.entries:
            again += 1
            key = f"{wanted} (again, {again})"
        return key


def of_record(record: Mapping[str, Any], cpu: float | None) -> Entry:
    """Return an entry from a check of a JSON report, or from ``to_dict()`` with its ``message``.

    Left out are ``seconds``, the one field of a report that two runs of the same code differ in, and what
    belongs to the file rather than to the check: ``nodeid``, ``location`` and ``figures``.
    """
    data = {key: value for key, value in record.items() if key not in ("nodeid", "location", "figures")}
    methods = data.pop("methods")
    diagnosis = data.pop("diagnosis")
    # In a record "code" is the code on trial and its place; trees from before have none.
    where = data.pop("code", "")
    return _plain_entry(
        {
            "error": None,
            "code": diagnosis["code"],
            "text": diagnosis["text"],
            "where": where,
            **data,
            "pairs": [_line(each) for each in data["pairs"]],
            "properties": [_line(each) for each in data["properties"]],
            "not_checked": [_line(each) for each in data["not_checked"]],
            "functions": [_line(_of_function(each)) for each in data["functions"]],
            "methods": {name: [m["status"], m["reason"]] for name, m in methods.items()},
            "evaluations": {name: m["evaluations"] for name, m in methods.items()},
            "calls": {name: m["calls"] for name, m in methods.items()},
            "cpu": cpu,
        }
    )


def _line(item: Mapping[str, Any]) -> str:
    """Return an item of a list as one line of text, which is what a difference is printed as."""
    return json.dumps(item, ensure_ascii=False)


def of_exception(error: BaseException, cpu: float | None) -> Entry:
    """Return the entry of a check that raised."""
    return _plain_entry({"error": type(error).__name__, "message": str(error), "cpu": cpu})


def _of_function(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hand-written gradient with its lines as ``path:line``, which `_plain` reads."""
    lines = {key: f"{function['path']}:{function[key]}" for key in ("line", "backward_line") if function[key]}
    return {**function, **lines}


def _plain_entry(entry: Mapping[str, Any]) -> Entry:
    return {key: _plain(value) for key, value in entry.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _shortened(same_everywhere(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return f"{text[:LONGEST]}… ({len(text)} characters, {digest})"


_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_LINE = re.compile(r"([\w./-]+\.py):(\d+)")


def same_everywhere(text: str) -> str:
    """Return a text without what the place of a file or an object in memory changes.

    The tree's own path and addresses go. A line's number becomes what stands on that line: a file may gain
    an import, while the line that a check names has to stay the same.
    """
    text = _ADDRESS.sub("0x…", text.replace(f"{ROOT}/", ""))
    return _LINE.sub(lambda found: f"{found[1]}:{_source(found[1], int(found[2]))}", text)


def _source(name: str, line: int) -> str:
    path = _path(name)
    return "#" if path is None else f"«{linecache.getline(str(path), line).strip()}»"


@functools.cache
def _path(name: str) -> Path | None:
    """Return the file of a path as a message shows it, from the root or by its last part alone."""
    if (ROOT / name).is_file():
        return ROOT / name
    folders = ("docs", "tests", "pytest_gradcheck", "reference_engine")
    found = [path for folder in folders for path in (ROOT / folder).rglob(Path(name).name)]
    return found[0] if len(found) == 1 else None


def save(path: Path, parts: Mapping[str, Any]) -> None:
    """Write a recording: per part its CPU seconds and its checks by id, one a line."""
    lines = []
    for name, part in parts.items():
        checks = [f"{_dumped(key)}: {_dumped(entry)}" for key, entry in part["checks"].items()]
        lines.append(f'{_dumped(name)}: {{"cpu": {part["cpu"]}, "checks": {{\n' + ",\n".join(checks) + "\n}}")
    path.write_text('{"parts": {\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def load(path: Path) -> dict[str, Any]:
    """Read a recording: per part ``{"cpu": seconds, "checks": {id: entry}}``."""
    parts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parts"]
    return parts
