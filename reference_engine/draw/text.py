"""Numbers and arrays as short lines of text."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.draw.layout.boxes import LONGEST
from reference_engine.primitives import Node

__all__ = ["constant_lines", "value_lines"]


def value_lines(node: Node) -> list[str]:
    """The value and the gradient of `node`: in full if they are short, else shape, dtype and norms."""
    rows = {"data": node.data} if node.grad is None else {"data": node.data, "grad": node.grad}
    lines = [f"{name} {_in_full(array)}" for name, array in rows.items() if np.size(array) <= 4]
    if len(lines) == len(rows) and node.data.size and max(map(len, lines)) <= LONGEST:
        return lines
    return [_kind(node.data), *(f"{name} {_in_short(array)}" for name, array in rows.items())]


def constant_lines(value: Any) -> list[str]:
    """A number or an array that no gradient flows to."""
    array = np.asarray(value)
    full = _in_full(array) if 0 < array.size <= 4 else ""
    if 0 < len(full) <= LONGEST:
        return [full]
    return [_kind(array), _in_short(array)]


def _in_full(array: Any) -> str:
    array = np.asarray(array)
    if array.ndim:
        return f"[{', '.join(map(_in_full, array))}]"
    return str(array[()]) if array.dtype.kind in "biu" else f"{array[()]:.4g}"


def _kind(array: np.ndarray[Any, Any]) -> str:
    name = "" if array.dtype == np.float64 else f" {array.dtype}"
    return f"{array.shape}{name}"


def _in_short(array: Any) -> str:
    array = np.asarray(array)
    if not array.size:
        return "empty"
    if array.dtype.kind == "b":
        return f"{np.count_nonzero(array)} of {array.size} true"
    if array.dtype.kind in "iu":
        return f"{array.min()} to {array.max()}"
    finite = np.isfinite(array)
    if not finite.all():
        nan = np.count_nonzero(np.isnan(array))
        infinite = array.size - np.count_nonzero(finite) - nan
        return ", ".join(f"{count} {name}" for count, name in ((nan, "nan"), (infinite, "inf")) if count)
    return f"norm {_norm(array):.4g}"


def _norm(array: np.ndarray[Any, Any]) -> float:
    """The 2-norm, scaled so that the squares neither overflow nor vanish."""
    wide = array.astype(np.result_type(array.dtype, np.float64)).ravel()
    largest = max(np.abs(wide.real).max(), np.abs(wide.imag).max())
    return float(largest * np.linalg.norm(wide / largest)) if largest else 0.0
