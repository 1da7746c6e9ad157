"""What moves entries, adds and multiplies: NumPy runs most of it on arrays of numbers as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import acb, arb, arb_mat

from reference_engine.balls.numbers import (
    Jet,
    UndecidedError,
    ball_of,
    either,
    greater,
    over_arrays,
    value_of,
)
from reference_engine.balls.rules.elementwise import exp, log

__all__ = ["ARRAYS", "AS_THEY_ARE"]

AS_THEY_ARE: tuple[str, ...] = (
    "accumulate", "broadcast_to", "concatenate", "copy", "cumprod", "cumsum", "einsum", "fold", "getitem",
    "index_put", "move", "move_back", "pick", "prod", "reshape", "scatter", "sum", "transpose",
    "where", "windows",
)  # fmt: skip
"""Their own computation, which NumPy runs on arrays of objects."""


#: Products of matrices whose slopes are so full are FLINT's, for all inputs in one.
FULL = 0.6


def _matmul(x: Any, y: Any) -> Any:
    """The product of two matrices, or of a matrix and a vector; of stacks by the operators of the entries.

    Of real numbers whose slopes are not sparse, FLINT multiplies the values, and the slopes side by side: a
    tenth of the time.
    """
    left, right = (np.atleast_2d(x) if x.ndim < 2 else x), (y[:, None] if y.ndim < 2 else y)
    flat = [*left.reshape(-1), *right.reshape(-1)] if left.ndim == right.ndim == 2 else []
    counts = [len(n.slopes) for n in flat if type(n) is Jet]
    inputs = sorted({i for n in flat if type(n) is Jet for i in n.slopes})
    if (
        not counts
        or sum(counts) < FULL * len(counts) * len(inputs)
        or any(type(value_of(n)) is not arb for n in flat)
    ):
        return np.matmul(x, y)
    (rows, inner), columns = left.shape, right.shape[1]
    a, b = _matrix(left, None), _matrix(right, None)
    value = a * b
    total = [arb_mat(rows, columns)] * len(inputs)
    if any(type(n) is Jet for n in right.reshape(-1)):
        wide = arb_mat(
            inner, columns * len(inputs), [_slope(n, i) for row in right for i in inputs for n in row]
        )
        product = a * wide
        total = [
            arb_mat(rows, columns, [product[r, k * columns + c] for r in range(rows) for c in range(columns)])
            for k in range(len(inputs))
        ]
    if any(type(n) is Jet for n in left.reshape(-1)):
        total = [each + _matrix(left, i) * b for each, i in zip(total, inputs, strict=True)]
    out = np.empty((rows, columns), object)
    for at in np.ndindex(rows, columns):
        out[at] = Jet(value[at], {i: each[at] for i, each in zip(inputs, total, strict=True)})
    out = out[0] if x.ndim < 2 else out
    return out[..., 0] if y.ndim < 2 else out


def _slope(number: Any, i: int) -> Any:
    return number.slopes.get(i, 0) if type(number) is Jet else 0


def _matrix(numbers: Any, i: int | None) -> Any:
    """The values of a matrix, or its slopes with respect to one input, as FLINT's matrix."""
    entries = [value_of(n) if i is None else _slope(n, i) for n in numbers.reshape(-1)]
    rows, columns = numbers.shape
    return arb_mat(rows, columns, entries)


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
    mids = [ball_of(x) for x in line]
    # The candidate by its midpoint needs one comparison with each of the others to be proven.
    at = 0
    for i, mid in enumerate(mids):
        if (mid.mid() > mids[at].mid()) if larger else (mid.mid() < mids[at].mid()):
            at = i
    equal, reason = [], None
    for i, other in enumerate(line):
        if i == at:
            continue
        try:
            greater(line[at], other) if larger else greater(other, line[at])
        except UndecidedError as open_:
            equal.append(other)
            reason = open_
    return line[at] if reason is None else either(line[at], equal, reason)


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
    "matmul": _matmul,
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
