"""What a function keeps between calls, and how to leave it as it was.

A module keeps its running statistics, a closure its last value, a class the range that it has seen. A check
calls the function in ways that no user does: on tensors with an axis more, on Tensors of the reference
engine, in other precisions, in disturbed arithmetic. What such a call leaves behind is put back.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence, MutableSet
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pytest_gradcheck.frameworks.registry import names, owner

#: More parts than this are a large state: 50 µs to look at twice.
LARGE = 10

#: Folders of installed packages.
INSTALLED = frozenset(["site-packages", "dist-packages"])

#: So many objects are looked at. What lies behind them is not seen.
MOST = 5000

#: Longer collections are data, not state.
LONGEST = 1000

#: How deep arrays are looked for in a value.
DEPTH = 4

#: Modules whose functions keep nothing that a check could leave, and whose objects lead to everything.
APART = frozenset(["pytest_gradcheck", "reference_engine", "pytest", "_pytest", "pluggy", "hypothesis"])

_MISSING = object()

#: Values in which there is nothing to find.
_PLAIN = (str, bytes, int, np.integer, np.bool_, type(None), types.CodeType, types.FrameType)

#: What is not followed in the attributes of a class.
METHODS = (types.FunctionType, staticmethod, classmethod, property)

Content = dict[Any, Any]


class Holder(Protocol):
    """An object of which single parts can be replaced."""

    def read(self) -> Content:
        """Return the parts by key."""

    def write(self, key: Any, value: Any) -> None:
        """Put a part in its place."""

    def delete(self, key: Any) -> None:
        """Remove a part."""


#: What some holders hold.
Held = list[tuple[Holder, Content]]


class _Dict:
    """A dict: that of an object, of a module of Python (some ``names`` alone), or the user's own."""

    def __init__(self, parts: dict[Any, Any], names: frozenset[str] | None = None):
        self._parts, self._names = parts, names

    def read(self) -> Content:
        if self._names is None:
            return dict(self._parts)
        return {name: self._parts[name] for name in self._names if name in self._parts}

    def write(self, key: Any, value: Any) -> None:
        self._parts[key] = value

    def delete(self, key: Any) -> None:
        del self._parts[key]


class _Attributes:
    """The attributes of a class, or those of an object that are in slots."""

    def __init__(self, whole: Any, names: Iterable[str] | None = None):
        self._whole, self._names = whole, names

    def read(self) -> Content:
        if self._names is None:
            return dict(vars(self._whole))
        found = ((name, getattr(self._whole, name, _MISSING)) for name in self._names)
        return {name: value for name, value in found if value is not _MISSING}

    def write(self, key: Any, value: Any) -> None:
        (type if isinstance(self._whole, type) else object).__setattr__(self._whole, key, value)

    def delete(self, key: Any) -> None:
        (type if isinstance(self._whole, type) else object).__delattr__(self._whole, key)


class _Cell:
    """A variable that functions share."""

    def __init__(self, cell: types.CellType):
        self._cell = cell

    def read(self) -> Content:
        try:
            return {0: self._cell.cell_contents}
        except ValueError:
            return {}

    def write(self, key: Any, value: Any) -> None:
        self._cell.cell_contents = value

    def delete(self, key: Any) -> None:
        del self._cell.cell_contents


class _Sequence:
    """A list, or another sequence that can grow, by position."""

    def __init__(self, items: MutableSequence[Any]):
        self._items = items

    def read(self) -> Content:
        return dict(enumerate(self._items))

    def write(self, key: Any, value: Any) -> None:
        if key < len(self._items):
            self._items[key] = value
        else:
            self._items.append(value)

    def delete(self, key: Any) -> None:
        del self._items[key]


class _Set:
    """A set of arrays, which are told apart by identity."""

    def __init__(self, items: MutableSet[Any]):
        self._items = items

    def read(self) -> Content:
        return {id(item): item for item in self._items}

    def write(self, key: Any, value: Any) -> None:
        self._items.add(value)

    def delete(self, key: Any) -> None:
        self._items.discard(next(item for item in self._items if id(item) == key))


class State:
    """The parts that can be replaced of the objects that some roots lead to.

    Followed are closures, defaults, the global names that a function's code mentions, attributes, slots,
    collections and partial functions. The globals of Python's library and of frameworks are not followed.
    """

    def __init__(self, *roots: Any):
        self._roots = roots
        self.look()

    def look(self) -> None:
        """Find the objects anew: a function may make some in its first call."""
        self._slots: list[Holder] = []
        self._collections: list[Holder] = []
        seen: dict[int, Any] = {}
        rest = deque(self._roots)
        while rest and len(seen) < MOST:
            value = rest.popleft()
            # An object may raise whatever it likes when it is looked at.
            with contextlib.suppress(Exception):
                if id(value) not in seen and not isinstance(value, _PLAIN) and owner(value) is None:
                    seen[id(value)] = value
                    rest.extend(self._enter(value))

    def _enter(self, value: Any) -> Iterable[Any]:
        """Write down what of an object can be replaced, and return what it leads to."""
        found: list[Any]
        if isinstance(value, types.FunctionType):
            return self._enter_function(value)
        if isinstance(value, types.MethodType):
            return value.__self__, value.__func__
        if isinstance(value, functools.partial):
            return value.func, *value.args, *value.keywords.values()
        if isinstance(value, staticmethod | classmethod):
            return (value.__func__,)
        if isinstance(value, property):
            return value.fget, value.fset
        if isinstance(value, types.BuiltinFunctionType):
            return (value.__self__,)
        if isinstance(value, types.GeneratorType) and value.gi_frame is not None:
            mentioned = _Dict(value.gi_frame.f_globals, _names_in(value.gi_code))
            return *value.gi_frame.f_locals.values(), *self._slot(mentioned)
        if isinstance(value, types.ModuleType):
            return ()
        if isinstance(value, type):
            if _is_library(value.__module__):
                return ()
            # The methods of a class of tests lead to all of its tests.
            found = [part for part in self._slot(_Attributes(value)) if not isinstance(part, METHODS)]
            return [*value.__bases__, *found]
        found = [] if _is_library(type(value).__module__) else [type(value)]
        if type(value).__module__.partition(".")[0] in APART:
            return ()
        parts = getattr(value, "__dict__", None)
        if isinstance(parts, dict) and (parts or not isinstance(value, dict)):
            found += self._slot(_Dict(parts))
        if slots := _slots_of(type(value)):
            found += self._slot(_Attributes(value, slots))
        if isinstance(value, dict):
            if len(value) <= LONGEST:
                found += self._slot(_Dict(value))
        elif isinstance(value, list | tuple | deque | set | frozenset) and len(value) <= LONGEST:
            found += value
            if isinstance(value, list | deque):
                self._collections.append(_Sequence(value))
            elif isinstance(value, set):
                self._collections.append(_Set(value))
        return found

    def _enter_function(self, function: types.FunctionType) -> Iterable[Any]:
        found = [part for cell in function.__closure__ or () for part in self._slot(_Cell(cell))]
        found += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        if function.__dict__:
            found += self._slot(_Dict(function.__dict__))
        if _is_library(function.__module__) and function not in self._roots:
            return found
        mentioned = _names_in(function.__code__)
        found += self._slot(_Dict(function.__globals__, mentioned))
        # What is asked of another module of the user's by its name.
        for module in [part for part in found if isinstance(part, types.ModuleType)]:
            if not _is_library(module.__name__):
                found += self._slot(_Dict(vars(module), mentioned))
        return found

    def _slot(self, holder: Holder) -> list[Any]:
        self._slots.append(holder)
        return list(holder.read().values())

    def now(self, *, collections: bool = True) -> Held:
        """Return what all of them hold, to be put back; without ``collections`` no list and no set."""
        holders = [*self._slots, *self._collections] if collections else self._slots
        return [(holder, _read(holder)) for holder in holders]

    @property
    def is_large(self) -> bool:
        """Whether it takes longer to look at than most functions take to be called."""
        return len(self._slots) + len(self._collections) > LARGE

    def __bool__(self) -> bool:
        """Whether there is anything that could be replaced."""
        return bool(self._slots or self._collections)


def changed(before: Held) -> bool:
    """Whether an array has been replaced since."""
    return any(True for _ in _changes(before))


def put_back(before: Held) -> bool:
    """Put every array back that has been replaced since, and remove those that have come; say if any was.

    Python's own numbers, texts and objects without arrays stay as they are: a function may count its calls
    and take their time. From a list or a set only that goes which stood in for an array: a function may log
    what it was called with.
    """
    changes = [*_changes(before)]
    for holder, key, old in changes:
        # A holder may refuse, as one that is frozen does.
        with contextlib.suppress(Exception):
            if old is not _MISSING:
                holder.write(key, old)
    for holder, key, old in reversed(changes):
        with contextlib.suppress(Exception):
            if old is _MISSING:
                holder.delete(key)
    return bool(changes)


def _changes(before: Held) -> Iterator[tuple[Holder, Any, Any]]:
    for holder, held in before:
        now = _read(holder)
        if len(now) == len(held) and all(map(operator.is_, now.values(), held.values())):
            # As a rule.
            continue
        of_interest = _is_foreign if isinstance(holder, _Sequence | _Set) else _is_array
        for key in (*held, *(key for key in now if key not in held)):
            new, old = now.get(key, _MISSING), held.get(key, _MISSING)
            if new is not old and (_holds(new, of_interest) or _holds(old, of_interest)):
                yield holder, key, old


def _is_array(value: Any) -> bool:
    """Whether a value is an array, a floating scalar of NumPy's, or something like them."""
    return hasattr(type(value), "__array__")


def _is_foreign(value: Any) -> bool:
    """Whether a value is something like an array, of no framework: what stood in for one in a call."""
    return hasattr(type(value), "__array__") and owner(value) is None


def _read(holder: Holder) -> Content:
    """Return the parts of an object; none where it does not show them, which is no fault of the function."""
    try:
        return holder.read()
    except Exception:
        return {}


def _holds(value: Any, wanted: Callable[[Any], bool], depth: int = DEPTH) -> bool:
    """Whether a value is one that is wanted, or holds one; what cannot be looked at is not."""
    with contextlib.suppress(Exception):
        return _looked_at(value, wanted, depth)
    return False


def _looked_at(value: Any, wanted: Callable[[Any], bool], depth: int) -> bool:
    if value is _MISSING or depth == 0 or isinstance(value, (*_PLAIN, type, types.ModuleType)):
        return False
    if wanted(value):
        return True
    inner: list[Any] = []
    if isinstance(value, types.FunctionType):
        inner += [part for cell in value.__closure__ or () for part in _Cell(cell).read().values()]
    elif isinstance(value, functools.partial):
        inner += [*value.args, *value.keywords.values()]
    elif isinstance(value, dict):
        inner += value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        inner += value
    else:
        inner += getattr(value, "__dict__", {}).values()
        inner += [getattr(value, name, None) for name in _slots_of(type(value))]
    return any(_holds(part, wanted, depth - 1) for part in inner[:LONGEST])


def _is_library(module: str | None) -> bool:
    """Whether a module is Python's own, one of a framework, one that runs the tests, or an installed one.

    The classes and globals of an installed package lead to all of it: five thousand objects behind a model of
    statsmodels, 50 ms each time that they are looked at. What its objects hold is followed.
    """
    return _is_installed((module or "").partition(".")[0])


@functools.lru_cache(maxsize=4096)
def _is_installed(top: str) -> bool:
    if top in sys.stdlib_module_names or top in APART or top in names():
        return True
    found = getattr(sys.modules.get(top), "__file__", None) or ""
    return not INSTALLED.isdisjoint(Path(found).parts)


@functools.lru_cache(maxsize=4096)
def _names_in(code: types.CodeType) -> frozenset[str]:
    """Return the names that code mentions, and that the functions inside of it do."""
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return frozenset(code.co_names).union(*map(_names_in, inner))


def _slots_of(kind: type) -> tuple[str, ...]:
    """Return the names of the attributes that objects of a class have in slots."""
    if kind not in _slots:
        parts = ((name, part) for base in kind.__mro__ for name, part in vars(base).items())
        _slots[kind] = tuple(name for name, part in parts if isinstance(part, types.MemberDescriptorType))
    return _slots[kind]


_slots: weakref.WeakKeyDictionary[type, tuple[str, ...]] = weakref.WeakKeyDictionary()
