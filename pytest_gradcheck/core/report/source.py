"""Write values as Python source that restores them to the last bit."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.registry import owner, parts_of


def to_source(value: Any, *, max_length: int | None = None) -> str:
    """Return Python source that evaluates to the same value, bit for bit.

    The source needs ``import numpy as np`` and the import of other frameworks, as well as the names of
    the user's own classes (dataclasses, named tuples, enums). Supported are Python's numbers (NaN and
    infinities included), strings, bytes, None, tuples, lists, dicts, sets, slices and ranges, NumPy
    scalars, dtypes, and the arrays of every framework, nested in any way.

    An array is written as a list, as a constant with exceptions, or as compressed bytes: the shortest that
    was verified to restore every bit. These memory layouts are kept: Fortran order, gaps of one entry between
    entries, a reversed last axis, and a repeated first row. Anything else, and values that cannot be restored
    exactly, become their ``repr``.

    With ``max_length`` a longer source is replaced by a summary in angle brackets, which is not a source:
    ``<ndarray float64 (100, 3)>``.
    """
    text = _source(value, ())
    if max_length is not None and len(text) > max_length:
        return _summary(value)
    return text


def _source(value: Any, parents: tuple[int, ...]) -> str:
    if id(value) in parents:
        return repr(value)
    inner = functools.partial(_source, parents=(*parents, id(value)))
    kind = type(value)
    if kind is int:
        # Python converts at most a few thousand decimal digits.
        with contextlib.suppress(ValueError):
            return repr(value)
        return hex(value)
    if kind in (list, set, frozenset, dict, tuple):
        return _container(value, inner)
    if isinstance(value, enum.Enum):
        member = f".{value.name}" if str(value.name).isidentifier() else f"({inner(value.value)})"
        return f"{kind.__qualname__}{member}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _call(kind.__qualname__, ((f, getattr(value, f)) for f in value._fields), inner)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.init]
        return _call(kind.__qualname__, ((f, getattr(value, f)) for f in fields), inner)
    if isinstance(value, np.dtype):
        return f"np.{value!r}"
    if isinstance(value, type):
        module = {"builtins": "", "numpy": "np."}.get(value.__module__, f"{value.__module__}.")
        return f"{module}{value.__qualname__}"
    framework = owner(value)
    if framework is None and (holder := parts_of(value)) is not None:
        framework = holder[0]
    return (framework.source_of(value, inner) if framework is not None else None) or repr(value)


def _container(value: Any, inner: Callable[[Any], str]) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inner(k)}: {inner(v)}" for k, v in value.items()) + "}"
    parts = ", ".join(inner(v) for v in value)
    if isinstance(value, tuple):
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    if isinstance(value, list):
        return f"[{parts}]"
    if isinstance(value, frozenset):
        return f"frozenset({{{parts}}})" if value else "frozenset()"
    return f"{{{parts}}}" if value else "set()"


def _call(name: str, fields: Iterator[tuple[str, Any]], inner: Callable[[Any], str]) -> str:
    return f"{name}({', '.join(f'{key}={inner(value)}' for key, value in fields)})"


def _summary(value: Any) -> str:
    kind, framework = type(value).__name__, owner(value)
    if framework is not None and hasattr(value, "dtype"):
        return f"<{kind} {framework.dtype_of(value)} {framework.shape_of(value)}>"
    try:
        return f"<{kind} of {len(value)}>"
    except TypeError:
        return f"<{kind}>"
