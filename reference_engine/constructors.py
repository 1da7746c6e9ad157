"""NumPy as a function sees it while Tensors, or other stand-ins for arrays, go through it.

NumPy dispatches on its arguments, not on the entries of a list. So ``np.array([a, b])``, ``np.r_[a, b]``,
``np.sum([a, b])`` and ``out = np.zeros(2); out[0] = a`` never reach a stand-in: NumPy asks it for a number.
For constructors NEP 35 has the argument ``like=``, which names the stand-in. That is the one principle here:
within `seen_by` a module's names for NumPy lead to the same functions with ``like=`` filled in, and with
lists of stand-ins joined by ``np.asarray(..., like=)``. Everything else stays NumPy's.

The names are replaced in the globals of given modules and put back at the end, whatever ends the call. They
act in the context of the call alone: in other threads, and after the call where one is kept, each is the
function of NumPy that it stands for.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

__all__ = ["Seen", "seen_by"]

T = TypeVar("T")

_stand_in: ContextVar[Any] = ContextVar("stand_in", default=None)
"""What ``like=`` is filled with; None where nothing is."""

DEPTH = 4
"""So deep lists in lists are looked into."""

LARGEST = 2048
"""Constants of more entries stay arrays. A write copies the whole memory: to fill 2048 entries one by one
takes 34 MB, and to fill a million entries that way would take terabytes."""

#: Constructors that take data, with `like=`.
_OF_DATA = ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "require", "full")

#: Functions whose result is new memory, into which entries may be written later.
_NEW = (
    "array", "copy", "empty", "empty_like", "eye", "full", "full_like", "identity", "ones", "ones_like",
    "tri", "zeros", "zeros_like",
)  # fmt: skip

#: Functions of a sequence of arrays: each item is an array of its own.
_OF_SEQUENCES = (
    "choose", "column_stack", "concat", "concatenate", "dstack", "hstack", "ix_", "lexsort", "multi_dot",
    "select", "stack", "vstack",
)  # fmt: skip

#: Functions that look into nested lists themselves.
_OF_NESTED = ("block", "piecewise")

#: The methods of a ufunc.
_METHODS = frozenset({"accumulate", "at", "outer", "reduce", "reduceat"})

_MODULES = (np, np.linalg, np.fft)


def _has_no_derivative(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a dtype of objects or of text is asked for: such arrays hand out the entries themselves."""
    for value in (*args[1:], *kwargs.values()):
        if isinstance(value, type | np.dtype | str):
            with contextlib.suppress(TypeError):
                if np.dtype(value).kind not in "biufc":
                    return True
    return False


def _holds(value: Any, kind: type, depth: int = DEPTH) -> bool:
    """Whether a list or tuple has a stand-in among its items."""
    if type(value) not in (list, tuple) or not depth:
        return False
    return any(type(item) is kind or _holds(item, kind, depth - 1) for item in value)


class _Function:
    """A function of NumPy that also finds stand-ins in lists and tuples."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function
        self.__name__ = self.__qualname__ = getattr(function, "__name__", "")
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        like = _stand_in.get()
        if like is None:
            return self.__wrapped__(*args, **kwargs)
        return self._on(like, args, kwargs)

    def _on(self, like: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = tuple(self._joined(value, like) for value in args)
        return self.__wrapped__(*args, **{key: self._joined(value, like) for key, value in kwargs.items()})

    def _joined(self, value: Any, like: Any) -> Any:
        return np.asarray(value, like=like) if _holds(value, type(like)) else value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.__wrapped__, name)
        return _Function(value) if name in _METHODS else value

    def __eq__(self, other: object) -> bool:
        return self.__wrapped__ == (other.__wrapped__ if isinstance(other, _Function) else other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


class _OfSequence(_Function):
    """A function of several arrays in a sequence."""

    def _joined(self, value: Any, like: Any) -> Any:
        if not _holds(value, type(like)):
            return value
        return [super(_OfSequence, self)._joined(item, like) for item in value]


class _Constructor(_Function):
    """A function that makes arrays; what it makes of constants alone can be written into as well."""

    def _on(self, like: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name, kind = self.__name__, type(like)
        given = (*args, *kwargs.values())
        if _has_no_derivative(args, kwargs):
            return self.__wrapped__(*args, **kwargs)
        if any(type(value) is kind or _holds(value, kind) for value in given):
            if name == "full_like":
                args = (np.array(args[0], like=like), *args[1:]) if args else args
            more = {"like": like} if name in _OF_DATA else {}
            return self.__wrapped__(*args, **kwargs, **more)
        result = self.__wrapped__(*args, **kwargs)
        if (
            name in _NEW
            and type(result) is np.ndarray
            and result.dtype.kind in "fc"
            and result.size <= LARGEST
        ):
            return np.array(result, like=like)
        return result


class _FromIterator(_Function):
    """`numpy.fromiter`, which asks every item for a number."""

    def _on(self, like: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        items, *rest = args
        items = list(items)
        if _holds(items, type(like)) and not _has_no_derivative((items, *rest), kwargs):
            return np.array(items, *rest[:1], **{k: v for k, v in kwargs.items() if k == "dtype"}, like=like)
        return self.__wrapped__(items, *rest, **kwargs)


class _Index:
    """`numpy.r_` or `numpy.c_`: what stands in the brackets is joined."""

    def __init__(self, own: Any, name: str) -> None:
        self._own, self._name = own, name

    def __getitem__(self, key: Any) -> Any:
        like = _stand_in.get()
        parts = key if type(key) is tuple else (key,)
        kind = type(like)
        if like is None or not any(type(part) is kind or _holds(part, kind) for part in parts):
            return self._own[key]
        if any(isinstance(part, str) for part in parts):
            return self._own[key]  # refused by the stand-in
        made = [self._part(np.r_[part] if isinstance(part, slice) else part, like) for part in parts]
        return np.concatenate(made, axis=0 if self._name == "r_" else -1)

    def _part(self, part: Any, like: Any) -> Any:
        array = np.asarray(part, like=like)
        if self._name == "r_":
            return array if np.ndim(array) else np.reshape(array, (1,))
        return array if np.ndim(array) > 1 else np.reshape(array, (-1, 1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def __len__(self) -> int:
        return 0


class _Module(ModuleType):
    """NumPy, or a part of it, with the functions of this file."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        object.__setattr__(self, "_module", module)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return _table().get(id(value), value)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._module, name)

    def __dir__(self) -> list[str]:
        return dir(self._module)


def _of(name: str, function: Any) -> _Function | _Index | None:
    """What stands for an attribute of NumPy; None for one that is left alone."""
    if name in ("r_", "c_"):
        return _Index(function, name)
    if name == "fromiter":
        return _FromIterator(function)
    if name in _OF_DATA or name in _NEW:
        return _Constructor(function)
    if name in _OF_SEQUENCES:
        return _OfSequence(function)
    if isinstance(function, type | ModuleType) or not callable(function) or name in _OF_NESTED:
        return None
    return None if name.startswith("_") else _Function(function)


@functools.cache
def _table() -> dict[int, Any]:
    """What stands for an object of NumPy, by the identity of that. NumPy keeps them all alive."""
    found: dict[int, Any] = {id(module): _Module(module) for module in _MODULES}
    for module in _MODULES:
        for name, value in vars(module).items():
            if id(value) not in found and (stands_for := _of(name, value)) is not None:
                found[id(value)] = stands_for
    return found


# ---------------------------------------------------------------------------- for the time of a call


class _Substituted:
    """The globals of one module while calls need other names in it."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.globals = names
        self.calls: set[object] = set()
        self.before: dict[str, Any] = {}

    def enter(self, call: object) -> None:
        self.calls.add(call)
        if self.before:
            return
        table = _table()
        for name, value in list(self.globals.items()):
            if id(value) in table:
                self.before[name] = value
                self.globals[name] = table[id(value)]

    def leave(self, call: object) -> None:
        """Put the names back after the last call, but for those that the module has given another value."""
        self.calls.discard(call)
        if self.calls:
            return
        table = _table()
        while self.before:
            name, value = next(iter(self.before.items()))
            if self.globals.get(name) is table[id(value)]:
                self.globals[name] = value
            del self.before[name]


_lock = threading.RLock()
_all: dict[int, _Substituted] = {}


def seen_by(modules: Iterable[dict[str, Any]], like: Any, call: Callable[[], T]) -> T:
    """Return `call()`, for which NumPy in the given modules (their globals) knows the stand-in `like`.

    The modules are as they were when it returns or raises, KeyboardInterrupt included. Calls may be nested
    and may run in several threads: the last one that needs a module puts its names back.
    """
    token, mine = object(), list(modules)
    before = _stand_in.get()
    try:
        _stand_in.set(like)
        with _lock:
            for each in mine:
                _all.setdefault(id(each), _Substituted(each)).enter(token)
        return call()
    finally:
        # Twice, since an interrupt may arrive in the first; to leave again does nothing.
        try:
            _leave(mine, token)
        finally:
            _stand_in.set(before)
            _leave(mine, token)


def _leave(modules: Iterable[dict[str, Any]], token: object) -> None:
    with _lock:
        for each in modules:
            found = _all.get(id(each))
            if found is not None:
                found.leave(token)
                if not found.calls:
                    del _all[id(each)]


class Seen:
    """Calls that may be refused for how a module makes its arrays, and are then made once more.

    A call runs as it is at first. If `refuses` says of its exception that a stand-in was asked for a number,
    the modules on the way there see NumPy as `seen_by` has it from then on, and the call is made again.
    `apart` are top-level packages that always see NumPy as it is.
    """

    def __init__(self, refuses: Callable[[BaseException], bool], apart: Collection[str]) -> None:
        self._refuses = refuses
        self._apart = frozenset(apart) | _APART
        self._modules: dict[int, dict[str, Any]] = {}

    def run(self, like: Any, call: Callable[[], T], raised: Exception | None = None) -> T:
        """Return `call()`; the stand-in `like` is what it hands to the function.

        `raised` is what the call has raised already, if it has been made.
        """
        refused: Exception | None = None
        while True:
            try:
                if raised is not None:
                    before, raised = raised, None
                    raise before
                return seen_by(self._modules.values(), like, call) if self._modules else call()
            except Exception as error:
                if not self._refuses(error):
                    # Code that takes arrays and no stand-ins; what it was given instead is the reason.
                    if refused is not None:
                        raise refused from refused.__cause__
                    raise
                more = {id(each): each for each in self._on_the_way(error)}
                if more.keys() <= self._modules.keys():
                    raise
                self._modules |= more
                refused = error

    def _on_the_way(self, error: BaseException) -> Iterator[dict[str, Any]]:
        table = _table()
        traceback = error.__traceback__
        while traceback is not None:
            names = traceback.tb_frame.f_globals
            top = str(names.get("__name__", "")).partition(".")[0]
            if top not in self._apart and any(id(value) in table for value in list(names.values())):
                yield names
            traceback = traceback.tb_next


#: Packages that know Tensors, or that compare a module with NumPy to find out whose arrays they have.
_APART = frozenset({"numpy", "scipy", "reference_engine", *sys.stdlib_module_names})
