"""The installed frameworks, found through their entry points.

An entry point of the group is called like the top-level module of its library. A framework is loaded when an
input of that library may have been met: not before the library itself has been imported.
"""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pytest_gradcheck.frameworks.base import Framework

GROUP = "pytest_gradcheck.frameworks"

#: Those of them that differentiate functions of NumPy arrays and Python numbers too (`Framework.stand_in`).
#: They have a separate group, so other frameworks' libraries need not be imported to find out.
STAND_INS = "pytest_gradcheck.stand_ins"


@functools.cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    found = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    # NumPy first: most leaves are its arrays, and what it owns needs no other framework to be loaded.
    return {name: found[name] for name in sorted(found, key=lambda name: (name != "numpy", name))}


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of the installed frameworks, NumPy first, without loading any."""
    return tuple(_entry_points())


@functools.cache
def stand_ins() -> frozenset[str]:
    """Return the names of the frameworks that run NumPy code, without loading any."""
    found = importlib.metadata.entry_points(group=STAND_INS)
    return frozenset(point.name for point in found) & frozenset(names())


@functools.cache
def named(name: str) -> Framework:
    """Load a framework by its name; raises ``KeyError`` for one that is not installed."""
    framework: Framework = _entry_points()[name].load()()
    _loaded.append(framework)
    return framework


_loaded: list[Framework] = []


def aliases() -> dict[str, str]:
    """Return the modules that sources of arrays call by another name, of the frameworks that are in use."""
    return {alias: module for framework in _loaded for alias, module in framework.aliases.items()}


def release() -> None:
    """Release what frameworks cache for the checks of one test, without loading any framework or library."""
    for framework in _loaded:
        if framework.name in sys.modules:
            framework.release()


def imported() -> list[Framework]:
    """Return the frameworks besides NumPy whose library has been imported."""
    return list(map(named, filter(sys.modules.get, names()[1:])))


def owner(value: Any) -> Framework | None:
    """Return the framework whose array or number a value is, None for a value of no framework."""
    kind = type(value)
    if kind in _owners:
        return _owners[kind]
    found = next((f for f in (named("numpy"), *imported()) if f.owns(value)), None)
    # A class that is made inside of a function is not kept alive.
    if "<locals>" not in kind.__qualname__:
        _owners[kind] = found
    return found


_owners: dict[type, Framework | None] = {}


def parts_of(value: Any) -> tuple[Framework, dict[str, Any]] | None:
    """Return the arrays that a module holds, by name, and its framework; None for any other value."""
    for framework in imported():
        parts = framework.parts_of(value)
        if parts is not None:
            return framework, parts
    return None


def children_of(value: Any) -> tuple[list[tuple[str, Any]], Callable[[Sequence[Any]], Any]] | None:
    """Return the children of a container that a framework knows; see `Framework.children_of`."""
    return next(filter(None, (framework.children_of(value) for framework in imported())), None)
