"""NumPy arrays and scalars, and Python's numbers, as Python source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.source import ZEROS, of_complex, of_float, of_shape, shortest

Array = np.ndarray[Any, Any]


def of_leaf(value: Any) -> str | None:
    """Return source that restores a number or an array to the last bit; None for subclasses."""
    if type(value) is np.ndarray:
        return _in_layout(value)
    if isinstance(value, np.generic):
        return _scalar(value)
    if type(value) is float:
        return of_float(value)
    return of_complex(value) if type(value) is complex else None


def _scalar(value: np.generic) -> str | None:
    dtype, array = value.dtype, np.asarray(value).reshape(1)
    if dtype.kind in "biu":
        return f"np.{dtype.name.replace('bool', 'bool_')}({value.item()!r})"
    if dtype.kind not in "fc" or not dtype.isnative:
        return None
    text = f"np.{dtype.name}({_texts(array)[0]})"
    return text if _gives(text, np.asarray(value), type(value)) else f"{_source(np.asarray(value))}[()]"


def _in_layout(array: Array) -> str | None:
    """Return source for an array, in its own layout where there is a short way to write that."""
    source = _source(array)
    if source is None or array.flags.c_contiguous or array.size < 2:
        return source
    if array.flags.f_contiguous:
        return f"np.asfortranarray({source})"
    if array[..., ::-1].flags.c_contiguous:
        return f"{_source(array[..., ::-1])}[{'::-1' if array.ndim == 1 else '..., ::-1'}]"
    wide = np.repeat(array, 2, -1)[..., ::2]
    return f"np.repeat({source}, 2, -1)[..., ::2]" if wide.strides == array.strides else source


def _source(array: Array) -> str | None:
    dtype = array.dtype
    if dtype.kind not in "biufcSU":
        return None
    name = f"np.{dtype.name}" if dtype.isnative and dtype.kind in "iufc" else repr(dtype.str)
    name = "bool" if dtype.kind == "b" else name
    #: Whether NumPy makes this dtype of numbers that are floating anyway.
    default = name in ("np.float64", "np.complex128")
    raw, shape = np.ascontiguousarray(array).reshape(-1), of_shape(array.shape)

    def listed(text: str) -> Sequence[str]:
        # NumPy infers the dtype of other entries too, on most machines.
        plain = [f"np.array({text})"] if default or dtype.kind in "biSU" else []
        return [*plain, f"np.array({text}, dtype={name})"]

    def filled(text: str) -> str:
        if text in ZEROS:
            return f"np.zeros({shape}{'' if name == 'np.float64' else f', dtype={name}'})"
        return f"np.full({shape}, {text}{'' if default or name == 'bool' else f', dtype={name}'})"

    return shortest(
        raw,
        array.shape,
        texts=lambda where: _texts(raw[where]),
        listed=listed,
        filled=filled,
        patched=lambda text, at, texts: f"(lambda a: (a.put({at}, [{texts}]), a)[1])({filled(text)})",
        packed=lambda data, reshape: f"np.frombuffer({data}, dtype={dtype.str!r}){reshape}.copy()",
        gives=lambda source: _gives(source, array, np.ndarray),
    )


def _texts(flat: Array) -> list[str]:
    if flat.dtype.kind == "f":
        # The fewest digits that distinguish a number from its neighbours in the array's dtype.
        return [str(v) if np.isfinite(v) else _not_finite(v) for v in flat]
    return [of_complex(complex(v)) if flat.dtype.kind == "c" else repr(v.item()) for v in flat]


def _not_finite(value: Any) -> str:
    return f"{'-' if np.signbit(value) else ''}np.{'nan' if np.isnan(value) else 'inf'}"


def _gives(source: str, array: Array, kind: type) -> bool:
    """Whether a source evaluates to a value of a type, with the dtype, shape and bits of an array."""
    value = eval(source, {"np": np})
    found = np.asarray(value)
    same = type(value) is kind and found.dtype == array.dtype and found.shape == array.shape
    return same and _bits(found) == _bits(array)


def _bits(array: Array) -> bytes:
    """Return the bytes of an array, without those that pad the 80 bits of a long double."""
    raw = np.ascontiguousarray(array).reshape(-1, 1)
    padded = raw.dtype.kind in "fc" and np.finfo(raw.dtype).nmant == 63
    return (raw.view(np.longdouble).reshape(-1, 1).view(np.uint8)[:, :10] if padded else raw).tobytes()
