"""The primitives that a Tensor itself calls: behind its operators, its indexing, `astype` and `copy`.

They are below the Tensor, which calls them by name; all other primitives are in `rules`, which build on
Tensors. The rules here use Python's operators and NumPy's functions, which dispatch on their arguments.
"""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np

from reference_engine.definitions import adjoint, conj, define, from_partial
from reference_engine.errors import OutOfGraphError
from reference_engine.leaving import out_of_graph
from reference_engine.primitives import Binary, Primitive, Unary, value_of

__all__ = [
    "absolute",
    "add",
    "astype",
    "copied",
    "divide",
    "getitem",
    "index_put",
    "matmul",
    "multiply",
    "negative",
    "positive",
    "power",
    "scatter",
    "subtract",
]

_float64 = np.float64

# ---------------------------------------------------------------------------- arithmetic
# On NumPy's scalars an operator takes a tenth of the ufunc's time; x ** 2 is quick on arrays too.


def _power_base(result: Any, x: Any, y: Any) -> Any:
    """d x^y / dx = y x^(y-1), and 0 for y = 0 even at x = 0 (torch's convention).

    Elsewhere a y of 0 is not a special case: the derivative with respect to y is 1/x there.
    """
    if type(y) is int and y == 2:
        return y * x
    if isinstance(y, int | float | complex):
        return y * x ** (y - 1) if y else 0.0
    zero = (value_of(y) == 0) & (value_of(x) == 0)
    return np.where(
        zero, 0.0, y * x ** np.where(zero, 1.0, y - 1).astype(np.result_type(value_of(x), value_of(y)))
    )


def _power_exponent(result: Any, x: Any, y: Any) -> Any:
    """d x^y / dy = x^y log x, and 0 at x = 0 for Re y >= 0 (torch's convention)."""
    zero = (value_of(x) == 0) & (np.real(value_of(y)) >= 0)
    return np.where(zero, 0.0, result * np.log(np.where(zero, 1.0, x)))


add = define("add", operator.add, [lambda c, result, x, y: c, lambda c, result, x, y: c], kind=Binary)
subtract = define(
    "subtract", operator.sub, [lambda c, result, x, y: c, lambda c, result, x, y: -c], kind=Binary
)
multiply = define(
    "multiply",
    operator.mul,
    # The type is asked before the call, because a product of two numbers costs less than that call.
    [
        lambda c, result, x, y: c * y if type(y) is _float64 else c * conj(y),
        lambda c, result, x, y: c * x if type(x) is _float64 else c * conj(x),
    ],
    kind=Binary,
)
divide = define(
    "divide",
    operator.truediv,
    [lambda c, result, x, y: c / conj(y), lambda c, result, x, y: -c * conj(result / y)],
    kind=Binary,
)
power_partials = (_power_base, _power_exponent)
power = define("power", operator.pow, [from_partial(partial) for partial in power_partials], kind=Binary)
negative = define("negative", operator.neg, [lambda c, result, x: -c], kind=Unary)
# The copy of any array; numpy.positive knows no truth values.
positive = define("positive", lambda x: np.array(x), [lambda c, result, x: c], kind=Unary)
# |z|: the direction z / |z|, and 0 at 0.
absolute = define("absolute", np.absolute, [lambda c, result, x: c * np.sign(x)], kind=Unary)

# ---------------------------------------------------------------------------- product of matrices


def _matrix(c: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Cotangent and arguments of x @ y, a vector on the left as a row, one on the right as a column."""
    if x.ndim == 1:
        x = np.reshape(x, (1, -1))
        c = np.reshape(c, (*c.shape[: c.ndim - (y.ndim > 1)], 1, *c.shape[c.ndim - (y.ndim > 1) :]))
    if y.ndim == 1:
        y = np.reshape(y, (-1, 1))
        c = np.reshape(c, (*c.shape, 1))
    return c, x, y


def _matmul_left(c: Any, result: Any, x: Any, y: Any) -> Any:
    c, _, right = _matrix(c, x, y)
    back = np.matmul(c, adjoint(right))
    return np.squeeze(back, -2) if x.ndim == 1 else back


def _matmul_right(c: Any, result: Any, x: Any, y: Any) -> Any:
    c, left, _ = _matrix(c, x, y)
    back = np.matmul(adjoint(left), c)
    return np.squeeze(back, -1) if y.ndim == 1 else back


matmul = define("matmul", np.matmul, [_matmul_left, _matmul_right])

# ---------------------------------------------------------------------------- dtype and memory


def _cast(x: Any, dtype: Any) -> Any:
    array = np.asarray(x)
    if array.dtype.kind in "fc" and np.dtype(dtype).kind not in "biufc":
        # Objects and text hand out the entries themselves, as a list does.
        raise OutOfGraphError(
            out_of_graph("astype", sys._getframe(1), ("numpy", "scipy", "reference_engine"))
        )
    if array.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        array = array.real
    return array.astype(dtype, copy=False)


astype = define("astype", lambda x, *, dtype: _cast(x, dtype), [lambda c, result, x, *, dtype: c])
copied = define("copy", lambda x, *, order: np.array(x, order=order), [lambda c, result, x, *, order: c])

# ---------------------------------------------------------------------------- indexing
# `getitem` and `scatter` are each other's transpose, so each is the other's rule.


def _is_basic(index: Any) -> bool:
    """Whether `index` can meet no entry twice: slices, integers and masks, but no integer arrays."""
    parts = index if type(index) is tuple else (index,)
    return not any(isinstance(part, np.ndarray) and part.dtype != bool and part.ndim for part in parts)


def _scatter(values: Any, *, index: Any, shape: tuple[int, ...]) -> Any:
    values = np.asarray(values)
    out = np.zeros(shape, values.dtype)
    if _is_basic(index):
        out[index] = values
    else:
        np.add.at(out, index, values)
    return out


def _add_at(total: Any, values: Any, *, index: Any) -> None:
    if _is_basic(index):
        total[index] += values
    else:
        np.add.at(total, index, values)


def _index_put(base: Any, values: Any, *, index: Any, accumulate: bool) -> Any:
    out = np.array(base, dtype=np.result_type(base, values))
    if not accumulate:
        out[index] = values
    else:
        _add_at(out, values, index=index)
    return out


def _winners(shape: tuple[int, ...], index: Any) -> Any:
    """1 where a written value is the last one written to its place, 0 where another overwrote it."""
    owner = np.full(shape, -1)
    turn = np.arange(owner[index].size).reshape(owner[index].shape)
    owner[index] = turn
    return (owner[index] == turn).astype(float)


def _values_rule(c: Any, result: Any, base: Any, values: Any, *, index: Any, accumulate: bool) -> Any:
    share = getitem(c, index=index)
    if accumulate or _is_basic(index):
        return share
    return share * _winners(base.shape, index).astype(c.dtype)


getitem: Primitive = define(
    "getitem",
    lambda x, *, index: x[index],
    [lambda c, result, x, *, index: scatter(c, index=index, shape=x.shape)],
    add_into=_add_at,
    lens=lambda whole, part, *, index: index_put(whole, part, index=index, accumulate=False),
)
scatter: Primitive = define(
    "scatter",
    _scatter,
    [lambda c, result, values, *, index, shape: getitem(c, index=index)],
)
index_put: Primitive = define(
    "index_put",
    _index_put,
    [
        lambda c, result, base, values, *, index, accumulate: (
            c if accumulate else index_put(c, 0.0, index=index, accumulate=False)
        ),
        _values_rule,
    ],
)
