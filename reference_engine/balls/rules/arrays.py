"""What moves entries, adds and multiplies: NumPy runs most of it on arrays of numbers as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import acb, arb

from reference_engine.balls.numbers import greater, over_arrays, value_of
from reference_engine.balls.rules.elementwise import exp, log

__all__ = ["ARRAYS", "AS_THEY_ARE"]

AS_THEY_ARE: tuple[str, ...] = (
    "accumulate", "broadcast_to", "concatenate", "copy", "cumprod", "cumsum", "einsum", "fold", "getitem",
    "index_put", "matmul", "move", "move_back", "pick", "prod", "reshape", "scatter", "sum", "transpose",
    "where", "windows",
)  # fmt: skip
"""Their own computation, which NumPy runs on arrays of objects."""


def _mean(x: Any, *, axis: Any, keepdims: bool) -> Any:
    total = np.asarray(x.sum(axis=axis, keepdims=keepdims), object)
    return total / arb(x.size // max(total.size, 1))


def _extremum(larger: bool) -> Callable[..., Any]:
    def row(x: Any, *, axis: Any, keepdims: bool) -> Any:
        axes = tuple(range(x.ndim)) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
        axes = tuple(sorted(a % x.ndim for a in axes))
        rest = [a for a in range(x.ndim) if a not in axes]
        lines = x.transpose([*rest, *axes]).reshape(*(x.shape[a] for a in rest), -1)
        out = np.empty(lines.shape[:-1], object)
        for at in np.ndindex(*out.shape):
            out[at] = _best(list(lines[at]), larger)
        shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape)) if keepdims else out.shape
        return out.reshape(shape)

    return row


def _best(line: list[Any], larger: bool) -> Any:
    """The largest (or smallest) number; all others are compared with it."""
    mids = [value_of(x) for x in line]
    # The candidate by its midpoint needs one comparison with each of the others to be proven.
    at = 0
    for i, mid in enumerate(mids):
        if (mid.mid() > mids[at].mid()) if larger else (mid.mid() < mids[at].mid()):
            at = i
    for i, other in enumerate(line):
        if i != at:
            greater(line[at], other) if larger else greater(other, line[at])
    return line[at]


_exp, _log = over_arrays(exp), over_arrays(log)


def _logsumexp(x: Any, *, axis: Any, keepdims: bool) -> Any:
    # Balls do not overflow: no shift is needed.
    total = np.asarray(np.asarray(_exp(x), object).sum(axis=axis, keepdims=keepdims), object)
    return _log(total)


def _transform(direction: int) -> Callable[..., Any]:
    """The discrete Fourier transform by its definition: n² products."""

    def row(x: Any, *, axis: int, norm: str | None) -> Any:
        n = x.shape[axis]
        roots = [(acb(2 * direction * k) / n).exp_pi_i() for k in range(n)]
        matrix = np.empty((n, n), object)
        for j in range(n):
            for k in range(n):
                matrix[j, k] = roots[j * k % n]
        found = np.moveaxis(np.matmul(np.moveaxis(x, axis, -1), matrix), -1, axis)
        kind = norm or "backward"
        if kind == "ortho":
            return found / arb(n).sqrt()
        divided = kind == ("forward" if direction < 0 else "backward")
        return found / arb(n) if divided else found

    return row


ARRAYS: dict[str, Callable[..., Any]] = {
    "mean": _mean,
    "max": _extremum(True),
    "min": _extremum(False),
    "logsumexp": _logsumexp,
    "fft": _transform(-1),
    "ifft": _transform(1),
    # A cast is the identity of real numbers, whatever the dtype.
    "astype": lambda x, *, dtype: x,
}
"""A primitive by name, and the same computation on arrays of numbers."""
