"""Find tests with the marker or the fixtures. This is all that runs in a project that uses neither."""

from __future__ import annotations

import unittest
from types import FunctionType
from typing import Any

import pytest

MARKER = "gradcheck"
FIXTURES = frozenset({"gradcheck", "gradgradcheck"})

#: The attribute that marks a wrapped function.
TAG = "_gradcheck_tag"


def listed(marks: Any) -> list[Any]:
    """Return the marks of a ``pytestmark``, which may be a single one."""
    return list(marks) if isinstance(marks, (list, tuple)) else [marks]


def marks_of(obj: object) -> list[pytest.Mark]:
    """Return an object's own gradcheck marks, without those of the class or module around it."""
    own = [getattr(mark, "mark", mark) for mark in listed(getattr(obj, "pytestmark", []))]
    return [mark for mark in own if mark.name == MARKER]


def marks_of_node(node: Any) -> list[pytest.Mark]:
    """Return a node's own gradcheck marks."""
    return [mark for mark in node.own_markers if mark.name == MARKER]


def marks_on(node: pytest.Item | pytest.Collector, obj: object = None) -> list[pytest.Mark]:
    """Return the gradcheck marks that hold for a node, and for an object in it, the closest first."""
    marks = marks_of(obj)
    for parent in reversed(node.listchain()):
        of_node = marks_of_node(parent)
        if isinstance(parent, pytest.Class):
            # pytest lists the marks of base classes first; the class itself is closer than its bases.
            bases = [listed(vars(cls).get("pytestmark", [])) for cls in parent.obj.__mro__]
            nearest = [getattr(mark, "mark", mark) for base in bases for mark in base]
            of_node.sort(key=lambda mark: next((i for i, m in enumerate(nearest) if m is mark), -1))
        marks += of_node
    return marks


def plain(obj: object) -> Any:
    """Return the function of a static or class method, and any other object as it is."""
    # By type, not by `isinstance`: a module may hold a proxy that raises on any attribute access.
    return obj.__func__ if issubclass(type(obj), (staticmethod, classmethod)) else obj  # type: ignore[attr-defined]  # mypy narrows by isinstance alone


def may_be_wrapped(collector: pytest.Module | pytest.Class, obj: object) -> bool:
    """Whether an object that is being collected is a marked function, or a wrapper already."""
    function = plain(obj)
    if type(function) is not FunctionType:
        return False
    if TAG in vars(function):
        return True
    # pytest asks about every name in a module. The keywords contain the names of all marks, so most names are
    # rejected here without a walk through the parents' marks.
    possible = "pytestmark" in vars(function) or MARKER in collector.keywords
    return possible and bool(marks_on(collector, function))


def concerns(item: pytest.Item) -> bool:
    """Whether a test may be marked, or asks for the fixtures by name."""
    # The keywords contain the names of all marks, so no walk through the parents' marks is needed.
    return MARKER in item.keywords or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def refuse_unittest(collector: pytest.Collector, name: str, cls: type) -> None:
    """Refuse the marker on methods of `unittest.TestCase`."""
    if not issubclass(cls, unittest.TestCase):
        return
    for method in unittest.defaultTestLoader.getTestCaseNames(cls):
        if marks_on(collector, cls) or marks_on(collector, getattr(cls, method)):
            raise collector.CollectError(
                f"{collector.nodeid}::{name}::{method}: gradcheck: got a method of unittest.TestCase, which "
                "takes no inputs; move it to a function or a plain class, or call assert_gradients in it"
            )
