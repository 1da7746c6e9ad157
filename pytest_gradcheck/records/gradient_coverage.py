"""Gradient coverage: which of a package's hand-written gradients ran in a passing check, and how far."""

from __future__ import annotations

import ast
import importlib.util
import linecache
import operator
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: The ways in which a gradient can run, least first.
WAYS = ("forward", "backward", "double-backward")

Gradient = dict[str, Any]

#: The comment, on the line of a class or of its backward, that excludes a gradient, with a reason.
PRAGMA = re.compile(r"#\s*pragma:\s*no gradcheck\b(?:\s*:(?P<why>.*))?")

#: The start of a definition after its decorators, and how many lines of them are read.
DEFINITION = re.compile(r"\s*(class|def)\s")
MOST_DECORATORS = 10


def inventory(packages: Sequence[str], root: Path, rules: Iterable[Any] = ()) -> list[Gradient]:
    """Return every hand-written gradient of the packages as plain data, sorted by name.

    ``rules`` are those that the project registers itself (`methods.registered_gradients.Rule`). Modules that
    were not imported are parsed: a class counts if it has a ``forward``, a ``backward`` and a base called
    Function. Paths below ``root`` are relative to it.
    """
    # Imported here, because every session loads this module for its flags.
    from pytest_gradcheck.frameworks import registry

    gradients: dict[str, Gradient] = {}
    of_frameworks = [one for framework in registry.imported() for one in framework.hand_written_in(packages)]
    for one in (*of_frameworks, *rules):
        gradients[one.name] = _gradient(one.name, one.path, one.line, one.backward_line, root, imported=True)
    for module, path in _sources(packages):
        for name, line, backward in _in_source(module, path) if module not in sys.modules else ():
            gradients.setdefault(name, _gradient(name, str(path), line, backward, root, imported=False))
    return [gradients[name] for name in sorted(gradients)]


def _gradient(
    name: str, path: str | None, line: int | None, backward_line: int | None, root: Path, *, imported: bool
) -> Gradient:
    return {
        "name": name,
        "path": relative(path, root),
        "line": line,
        "backward_line": backward_line,
        "imported": imported,
        "excluded": next((why for at in (line, backward_line) if (why := _excluded(path, at))), None),
    }


def _excluded(path: str | None, line: int | None) -> str | None:
    """Return the reason of a comment that excludes the definition at a line; None without one."""
    if path is None or line is None:
        return None
    for text in linecache.getlines(path)[line - 1 : line - 1 + MOST_DECORATORS]:
        if found := PRAGMA.search(text):
            return (found["why"] or "").strip() or "no reason given"
        if DEFINITION.match(text):
            break
    return None


def missing(package: str) -> bool:
    """Whether a package cannot be imported."""
    try:
        return importlib.util.find_spec(package) is None
    except (ImportError, ValueError):
        return True


def build(packages: Sequence[str], gradients: Iterable[Gradient], checks: Iterable[Mapping[str, Any]]) -> Any:
    """Return the ``coverage`` of a report.

    A gradient is covered if a check that passed ran its backward. ``tests`` names the tests of such checks. A
    gradient excluded by ``# pragma: no gradcheck: REASON`` is listed separately and not counted.
    """
    ran: dict[str, set[str]] = {}
    tests: dict[str, set[str]] = {}
    for check in checks:
        for function in check.get("functions", ()) if check["verdict"] == "pass" else ():
            ran.setdefault(function["name"], set()).update(function["ran"])
            if "backward" in function["ran"]:
                tests.setdefault(function["name"], set()).add(check["nodeid"])
    merged: dict[str, Gradient] = {}
    for gradient in gradients:
        # One process may have parsed a module that another has imported.
        if gradient["name"] not in merged or gradient["imported"]:
            merged[gradient["name"]] = gradient
    left_out = [gradient for gradient in merged.values() if gradient.get("excluded")]
    listed = [
        {
            **merged[name],
            "ran": [way for way in WAYS if way in ran.get(name, ())],
            "tests": sorted(tests.get(name, ())),
        }
        for name in sorted(merged)
        if merged[name] not in left_out
    ]
    return {
        "packages": sorted(packages),
        "gradients": listed,
        "excluded": sorted(left_out, key=operator.itemgetter("name")),
        "covered": sum("backward" in gradient["ran"] for gradient in listed),
        "total": len(listed),
    }


def merge(reports: Sequence[Mapping[str, Any]], checks: Iterable[Mapping[str, Any]]) -> Any:
    """Return the coverage of several reports, whose checks are merged already; empty if none has any."""
    parts = [report["coverage"] for report in reports if report.get("coverage")]
    if not parts:
        return {}
    packages = sorted({package for part in parts for package in part["packages"]})
    every = [gradient for part in parts for gradient in (*part["gradients"], *part.get("excluded", ()))]
    return build(packages, every, checks)


def not_run(coverage: Mapping[str, Any], way: str) -> list[Gradient]:
    """Return the gradients that no passing check ran in one of the `WAYS`."""
    return [gradient for gradient in coverage["gradients"] if way not in gradient["ran"]]


def relative(path: str | None, root: Path) -> str | None:
    """Return a path with slashes, relative to the root if it is below it."""
    if path is None or not Path(path).is_relative_to(root):
        return path
    return Path(path).relative_to(root).as_posix()


def _sources(packages: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Return every module of the packages with its file; only parent packages are imported."""
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None:
            continue
        if spec.submodule_search_locations is None and spec.origin is not None:
            yield package, Path(spec.origin)
        for folder in map(Path, spec.submodule_search_locations or ()):
            for path in sorted(folder.rglob("*.py")):
                parts = [package, *path.relative_to(folder).with_suffix("").parts]
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _in_source(module: str, path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield the name and the lines of each hand-written gradient in a file, and of its backward."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node, name in _classes(tree, module):
        methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        bases = {getattr(base, "attr", getattr(base, "id", "")) for base in node.bases}
        if {"forward", "backward"} <= methods.keys() and any(base.endswith("Function") for base in bases):
            yield name, node.lineno, methods["backward"].lineno


def _classes(tree: ast.AST, prefix: str) -> Iterator[tuple[ast.ClassDef, str]]:
    for node in ast.iter_child_nodes(tree):
        inside = prefix
        if isinstance(node, ast.ClassDef):
            yield node, (inside := f"{prefix}.{node.name}")
        elif isinstance(node, ast.FunctionDef):
            inside = f"{prefix}.{node.name}.<locals>"
        yield from _classes(node, inside)
