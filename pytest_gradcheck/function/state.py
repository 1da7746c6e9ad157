"""Find and restore what a function keeps between calls.

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
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from pytest_gradcheck.frameworks.registry import names, owner

#: Folders of installed packages.
INSTALLED = frozenset(["site-packages", "dist-packages"])

#: At most so many objects are visited.
MOST = 5000

#: Longer collections are data, not state.
LONGEST = 1000

#: Larger arrays, in bytes, count as changed at every look.
LARGEST = 2**20

#: How deep arrays are looked for in a value.
DEPTH = 4

#: Modules whose functions keep nothing that a check could leave, and whose objects lead to everything.
APART = frozenset(["pytest_gradcheck", "reference_engine", "pytest", "_pytest", "pluggy", "hypothesis"])

_MISSING = object()

#: Values in which there is nothing to find.
_PLAIN = (
    *(str, bytes, int, np.integer, np.bool_, np.ufunc, type(None), types.CodeType, types.FrameType),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, types.MethodDescriptorType),
    *(types.WrapperDescriptorType, types.ModuleType),
)

#: What is not followed in the attributes of a class.
METHODS = (types.FunctionType, staticmethod, classmethod, property)

Content = dict[Any, Any]


class Holder(Protocol):
    """An object of which single parts can be replaced."""

    def read(self) -> Content:
        """Return the parts by key."""

    def holds(self, parts: Content) -> bool:
        """Whether it still holds what `read` returned: as a rule, so this is fast."""

    def write(self, key: Any, value: Any) -> None:
        """Put a part in its place."""

    def delete(self, key: Any) -> None:
        """Remove a part."""


#: What some holders hold.
Held = list[tuple[Holder, Content]]


def _same(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(map(operator.is_, some, others))


class _Dict:
    """A dict: that of an object, or the user's own."""

    def __init__(self, parts: dict[Any, Any]):
        self._parts = parts

    def read(self) -> Content:
        return dict(self._parts)

    def holds(self, parts: Content) -> bool:
        # Most dicts of a module are the empty ones of its hooks.
        same = len(self._parts) == len(parts)
        return same and (not parts or _same(self._parts.values(), parts.values()))

    def write(self, key: Any, value: Any) -> None:
        self._parts[key] = value

    def delete(self, key: Any) -> None:
        del self._parts[key]


class _Globals(_Dict):
    """Some names of a module of Python: those that code mentions."""

    def __init__(self, parts: dict[Any, Any], names: frozenset[str]):
        super().__init__(parts)
        self._names = names

    def read(self) -> Content:
        return {name: self._parts[name] for name in self._names if name in self._parts}

    def holds(self, parts: Content) -> bool:
        return _same(
            map(self._parts.get, self._names, repeat(_MISSING)), map(parts.get, self._names, repeat(_MISSING))
        )


class _Attributes:
    """The attributes of a class, or those of an object that are in slots."""

    def __init__(self, whole: Any, names: tuple[str, ...] | None = None):
        self._whole, self._names = whole, names

    def read(self) -> Content:
        if self._names is None:
            return dict(vars(self._whole))
        found = zip(self._names, self._now(self._names), strict=True)
        return {name: value for name, value in found if value is not _MISSING}

    def holds(self, parts: Content) -> bool:
        if self._names is not None:
            return _same(self._now(self._names), map(parts.get, self._names, repeat(_MISSING)))
        now = vars(self._whole)
        return len(now) == len(parts) and _same(now.values(), parts.values())

    def _now(self, names: tuple[str, ...]) -> Iterator[Any]:
        return map(getattr, repeat(self._whole), names, repeat(_MISSING))

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

    def holds(self, parts: Content) -> bool:
        try:
            return self._cell.cell_contents is parts.get(0, _MISSING)
        except ValueError:
            return not parts

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

    def holds(self, parts: Content) -> bool:
        return len(self._items) == len(parts) and _same(self._items, parts.values())

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

    def holds(self, parts: Content) -> bool:
        return len(self._items) == len(parts) and _same(self._items, parts.values())

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
        """Find the objects again: a function may make some in its first call."""
        self._slots: list[Holder] = []
        self._collections: list[Holder] = []
        #: Whether all of them were looked at.
        self._whole = True
        seen: dict[int, Any] = {}
        rest = deque(self._roots)
        while rest and len(seen) < MOST:
            value = rest.popleft()
            kind = _kind_of(value)
            if kind is not None and id(value) not in seen:
                seen[id(value)] = value
                try:
                    rest.extend(kind.enter(self, value, kind))
                except Exception:
                    # An object may raise anything on access.
                    self._whole = False
        self._whole = self._whole and not rest

    # -- by kind: write down what of an object can be replaced, and return what it leads to --------------

    def _enter_dict(self, value: dict[Any, Any], kind: _Kind) -> Iterable[Any]:
        return self._slot(_Dict(value)) if len(value) <= LONGEST else ()

    def _enter_object(self, value: Any, kind: _Kind) -> Iterable[Any]:
        found: list[Any] = [] if kind.of_library else [type(value)]
        parts = getattr(value, "__dict__", None)
        if isinstance(parts, dict) and (parts or not isinstance(value, dict)):
            found += self._slot(_Dict(parts))
        if kind.slots:
            found += self._slot(_Attributes(value, kind.slots))
        if isinstance(value, dict):
            found += self._enter_dict(value, kind)
        elif isinstance(value, list | tuple | deque | set | frozenset) and len(value) <= LONGEST:
            found += value
            if isinstance(value, list | deque):
                self._collections.append(_Sequence(value))
            elif isinstance(value, set):
                self._collections.append(_Set(value))
        return found

    def _enter_class(self, value: type, kind: _Kind) -> Iterable[Any]:
        if _is_library(value.__module__):
            return ()
        # The methods of a class of tests lead to all of its tests.
        parts = self._slot(_Attributes(value))
        return [*value.__bases__, *(part for part in parts if not isinstance(part, METHODS))]

    def _enter_generator(self, value: types.GeneratorType[Any, Any, Any], kind: _Kind) -> Iterable[Any]:
        if value.gi_frame is None:
            return ()
        mentioned = _Globals(value.gi_frame.f_globals, _names_in(value.gi_code))
        return *value.gi_frame.f_locals.values(), *self._slot(mentioned)

    def _enter_function(self, function: types.FunctionType, kind: _Kind) -> Iterable[Any]:
        found = [part for cell in function.__closure__ or () for part in self._slot(_Cell(cell))]
        found += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        if function.__dict__:
            found += self._slot(_Dict(function.__dict__))
        if _is_library(function.__module__) and function not in self._roots:
            return found
        mentioned = _names_in(function.__code__)
        found += self._slot(_Globals(function.__globals__, mentioned))
        # What is asked of another module of the user's by its name, and of a module inside of that.
        modules = [part for part in found if isinstance(part, types.ModuleType)]
        for module in modules:
            if not _is_library(module.__name__):
                parts = self._slot(_Globals(vars(module), mentioned))
                found += parts
                modules += [
                    part for part in parts if isinstance(part, types.ModuleType) and part not in modules
                ]
        return found

    def _slot(self, holder: Holder) -> list[Any]:
        self._slots.append(holder)
        return list(holder.read().values())

    def now(self, *, collections: bool = True) -> Held:
        """Return what all of them hold, to be put back; without ``collections`` no list and no set."""
        holders = [*self._slots, *self._collections] if collections else self._slots
        try:
            return [(holder, holder.read()) for holder in holders]
        except Exception:
            return [(holder, _read(holder)) for holder in holders]

    def content(self) -> Any:
        """Return a hashable description of the roots and of all that they lead to.

        Where not all is seen it is unlike any other. Two are equal where functions have the same code and
        rest on equal numbers, texts and arrays of NumPy, and on the same other objects.
        """
        if not self._whole:
            return object()
        held = [list(parts.items()) for _, parts in self.now()]
        return _content([*self._roots]), tuple(
            tuple((key, _content(part)) for key, part in each) for each in held
        )

    def __bool__(self) -> bool:
        """Whether there is anything that could be replaced."""
        return bool(self._slots or self._collections)


class _Identical:
    """An object equal only to itself; it is kept alive, so no other one gets its id."""

    def __init__(self, value: Any):
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identical) and self._value is other._value


def _content(value: Any) -> Any:
    """Return what is equal for values that are the same to code; what they lead to is described elsewhere."""
    kind = type(value)
    if kind in (int, bool, str, bytes, type(None), types.CodeType):
        return kind, value
    if kind in (float, complex):
        # nan is unlike itself, and 0.0 like -0.0.
        return kind, repr(value)
    if kind is types.FunctionType:
        return kind, value.__code__, _content(value.__defaults__), _content(value.__kwdefaults__)
    if kind is types.MethodType:
        return kind, _content(value.__func__), _Identical(value.__self__)
    if kind is functools.partial:
        return kind, _content(value.func), _content(value.args), _content(tuple(value.keywords.items()))
    if kind in (tuple, list) and len(value) <= LONGEST:
        return kind, tuple(map(_content, value))
    if kind is dict and len(value) <= LONGEST:
        return kind, tuple((_content(key), _content(part)) for key, part in value.items())
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return (kind, value.dtype.str, value.shape, value.tobytes()) if value.nbytes <= LARGEST else object()
    return _Identical(value)


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
        if _still_holds(holder, held):
            continue
        now = _read(holder)
        of_interest = _is_foreign if isinstance(holder, _Sequence | _Set) else _is_array
        for key in (*held, *(key for key in now if key not in held)):
            new, old = now.get(key, _MISSING), held.get(key, _MISSING)
            if new is not old and (_holds(new, of_interest) or _holds(old, of_interest)):
                yield holder, key, old


def _still_holds(holder: Holder, held: Content) -> bool:
    try:
        return holder.holds(held)
    except Exception:
        return False


def _is_array(value: Any) -> bool:
    """Whether a value is an array, a floating scalar of NumPy's, or something like them."""
    return hasattr(type(value), "__array__")


def _is_foreign(value: Any) -> bool:
    """Whether a value is something like an array, of no framework: what stood in for one in a call."""
    return hasattr(type(value), "__array__") and owner(value) is None


def _read(holder: Holder) -> Content:
    """Return the parts of an object; none if it does not expose them, which is not the function's fault."""
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
    return _is_installed(_root_of(module))


def _root_of(module: str | None) -> str:
    return (module or "").partition(".")[0]


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
    parts = ((name, part) for base in kind.__mro__ for name, part in vars(base).items())
    return tuple(name for name, part in parts if isinstance(part, types.MemberDescriptorType))


#: Writes down what of an object can be replaced, and returns what it leads to.
Enter = Callable[["State", Any, "_Kind"], Iterable[Any]]


class _Kind(NamedTuple):
    """How objects of one class are looked at."""

    enter: Enter
    of_library: bool
    slots: tuple[str, ...]

    @classmethod
    def of(cls, value: Any) -> _Kind | None:
        """Return how objects of the class of this one are looked at, None where there is nothing to find."""
        kind = type(value)
        if issubclass(kind, _PLAIN) or owner(value) is not None or _root_of(kind.__module__) in APART:
            return None
        plain: Enter = State._enter_dict if kind is dict else State._enter_object
        enter = next((way for base, way in _WAYS if issubclass(kind, base)), plain)
        return cls(enter, _is_library(kind.__module__), _slots_of(kind))


def _kind_of(value: Any) -> _Kind | None:
    kind = type(value)
    if kind not in _kinds:
        _kinds[kind] = None
        # A class may raise as its objects do.
        with contextlib.suppress(Exception):
            _kinds[kind] = _Kind.of(value)
    return _kinds[kind]


_kinds: weakref.WeakKeyDictionary[type, _Kind | None] = weakref.WeakKeyDictionary()


#: The first that an object's class is a subclass of; any other object by `State._enter_object`.
_WAYS: tuple[tuple[type, Enter], ...] = (
    (types.FunctionType, State._enter_function),
    (types.MethodType, lambda _, value, kind: (value.__self__, value.__func__)),
    (functools.partial, lambda _, value, kind: (value.func, *value.args, *value.keywords.values())),
    (staticmethod, lambda _, value, kind: (value.__func__,)),
    (classmethod, lambda _, value, kind: (value.__func__,)),
    (property, lambda _, value, kind: (value.fget, value.fset)),
    (types.BuiltinFunctionType, lambda _, value, kind: (value.__self__,)),
    (types.GeneratorType, State._enter_generator),
    (type, State._enter_class),
)
