"""Products of arrays and numpy.linalg.

Rules of the decompositions follow M. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008), and for complex matrices M. Seeger et al., "Auto-Differentiating
Linear Algebra" (2017), each in the engine's own operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reference_engine.numpy_front import UFUNCS, implements
from reference_engine.rules.table import conj, define, value_of
from reference_engine.tensor import as_tensor, operators

# ---------------------------------------------------------------------------- products


def _matrix(c: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Cotangent and arguments of x @ y with a vector on the left as a row and one on the right as a column."""
    if x.ndim == 1:
        x = np.reshape(x, (1, -1))
        c = np.reshape(c, (*c.shape[: c.ndim - (y.ndim > 1)], 1, *c.shape[c.ndim - (y.ndim > 1) :]))
    if y.ndim == 1:
        y = np.reshape(y, (-1, 1))
        c = np.reshape(c, (*c.shape, 1))
    return c, x, y


def adjoint(x: Any) -> Any:
    """The conjugate transpose of the last two axes."""
    return conj(np.matrix_transpose(x))


def _matmul_left(c: Any, result: Any, x: Any, y: Any) -> Any:
    c, left, right = _matrix(c, x, y)
    back = np.matmul(c, adjoint(right))
    return np.reshape(back, (*back.shape[:-2], -1)) if x.ndim == 1 else back


def _matmul_right(c: Any, result: Any, x: Any, y: Any) -> Any:
    c, left, right = _matrix(c, x, y)
    back = np.matmul(adjoint(left), c)
    return np.reshape(back, (*back.shape[:-2], -1)) if y.ndim == 1 else back


matmul = define("matmul", np.matmul, [_matmul_left, _matmul_right])
operators["matmul"] = UFUNCS[np.matmul] = matmul


@implements(np.linalg.matmul)
def _linalg_matmul(x1: Any, x2: Any, /) -> Any:
    return matmul(x1, x2)


UFUNCS[np.vecdot] = lambda x, y: np.sum(conj(x) * y, axis=-1)
UFUNCS[np.matvec] = lambda x, y: matmul(x, np.expand_dims(y, -1))[..., 0]
UFUNCS[np.vecmat] = lambda x, y: matmul(np.expand_dims(conj(x), -2), y)[..., 0, :]


@implements(np.linalg.vecdot)
def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.sum(conj(x1) * x2, axis=axis)


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """`numpy.tensordot`."""
    a, b = as_tensor(a), as_tensor(b)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = ([one] if isinstance(one, int) else list(one) for one in axes)
    left, right = [i % a.ndim for i in left], [i % b.ndim for i in right]
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"axes {axes} of shapes {a.shape} and {b.shape} do not match")
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [i for i in range(b.ndim) if i not in right]
    count = int(np.prod([a.shape[i] for i in left], dtype=np.intp))
    flat_a = a.transpose(rows + left).reshape(
        (int(np.prod([a.shape[i] for i in rows], dtype=np.intp)), count)
    )
    flat_b = b.transpose(right + columns).reshape(
        (count, int(np.prod([b.shape[i] for i in columns], dtype=np.intp)))
    )
    return matmul(flat_a, flat_b).reshape(
        tuple(a.shape[i] for i in rows) + tuple(b.shape[i] for i in columns)
    )


@implements(np.dot)
def dot(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.dot`."""
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return a @ b
    return tensordot(a, b, (-1, -2 if b.ndim > 1 else -1))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """`numpy.inner`."""
    a, b = as_tensor(a), as_tensor(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, (-1, -1))


@implements(np.outer)
def outer(a: Any, b: Any, out: None = None) -> Any:
    """`numpy.outer`."""
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@implements(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Any:
    return outer(x1, x2)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """`numpy.vdot`."""
    return np.sum(conj(np.reshape(a, -1)) * np.reshape(b, -1))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """`numpy.kron`."""
    a, b = as_tensor(a), as_tensor(b)
    ndim = max(a.ndim, b.ndim)
    sa, sb = (1,) * (ndim - a.ndim) + a.shape, (1,) * (ndim - b.ndim) + b.shape
    left = a.reshape(tuple(n for pair in zip(sa, (1,) * ndim, strict=True) for n in pair))
    right = b.reshape(tuple(n for pair in zip((1,) * ndim, sb, strict=True) for n in pair))
    return (left * right).reshape(tuple(m * n for m, n in zip(sa, sb, strict=True)))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """`numpy.cross` of vectors of length 3."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_tensor(a), axisa, -1), np.moveaxis(as_tensor(b), axisb, -1)  # type: ignore[call-overload]  # Tensor
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(
            f"numpy.cross of Tensors needs vectors of length 3, got {a.shape[-1]} and {b.shape[-1]}"
        )
    after, before = [1, 2, 0], [2, 0, 1]
    result = a[..., after] * b[..., before] - a[..., before] * b[..., after]
    return np.moveaxis(result, -1, axisc)


@implements(np.linalg.cross)
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return cross(x1, x2, axis=axis)


# ---------------------------------------------------------------------------- einsum


def _einsum_rule(
    argnum: int, c: Any, result: Any, *operands: Any, inputs: tuple[str, ...], output: str
) -> Any:
    """The same sum with the operand's and the result's subscripts exchanged.

    A subscript that only this operand has was summed away: its cotangent is the same all along that axis. One that it
    has twice was a diagonal: the cotangent lies on that diagonal.
    """
    fresh = (letter for letter in _LETTERS if letter not in "".join(inputs) + output)
    terms, arrays = [output], [c]
    for i, operand in enumerate(operands):
        if i != argnum:
            terms.append(inputs[i])
            arrays.append(conj(operand))
    target = ""
    shape = operands[argnum].shape
    dtype = value_of(c).dtype
    for axis, letter in enumerate(inputs[argnum]):
        n = shape[axis]
        if letter in target:
            other = next(fresh)
            terms.append(letter + other)
            arrays.append(np.eye(n, dtype=dtype))
            target += other
        else:
            if not any(letter in term for term in terms):
                terms.append(letter)
                arrays.append(np.ones(n, dtype=dtype))
            target += letter
    return einsum_(*arrays, inputs=tuple(terms), output=target)


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

einsum_ = define(
    "einsum",
    lambda *operands, inputs, output: np.einsum(
        f"{','.join(inputs)}->{output}", *operands, optimize=len(operands) > 2
    ),
    variadic=_einsum_rule,
)


@implements(np.einsum)
def einsum(*operands: Any, out: None = None, optimize: Any = False, **kwargs: Any) -> Any:
    """`numpy.einsum`, with subscripts as one string or as lists of integers."""
    if kwargs:
        raise NotImplementedError(f"numpy.einsum of a Tensor does not take {', '.join(kwargs)}")
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0].replace(" ", ""), [as_tensor(x) for x in operands[1:]]
    else:
        subscripts, arrays = _from_lists(operands)
    inputs, output = _explicit(subscripts, [array.ndim for array in arrays])
    return einsum_(*arrays, inputs=inputs, output=output)


def _from_lists(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    def term(labels: Sequence[Any]) -> str:
        return "".join("..." if label is Ellipsis else _LETTERS[label] for label in labels)

    arrays = [as_tensor(x) for x in operands[: len(operands) // 2 * 2 : 2]]
    subscripts = ",".join(term(labels) for labels in operands[1::2])
    return (f"{subscripts}->{term(operands[-1])}" if len(operands) % 2 else subscripts), arrays


def _explicit(subscripts: str, ndims: list[int]) -> tuple[tuple[str, ...], str]:
    """Subscripts with letters in place of `...` and with the result spelt out."""
    left, arrow, output = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"the subscripts {subscripts!r} name {len(terms)} operands, got {len(ndims)}")
    free = [letter for letter in _LETTERS if letter not in subscripts]
    widths = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    if any(w < 0 or (w and "..." not in term) for term, w in zip(terms, widths, strict=True)):
        raise ValueError(f"the subscripts {subscripts!r} do not fit operands with {ndims} axes")
    widest = max((w for term, w in zip(terms, widths, strict=True) if "..." in term), default=0)
    letters = "".join(free[:widest])
    terms = [term.replace("...", letters[widest - w :]) for term, w in zip(terms, widths, strict=True)]
    if arrow:
        return tuple(terms), output.replace("...", letters)
    joined = "".join(terms)
    once = sorted(letter for letter in set(joined) if joined.count(letter) == 1 and letter not in letters)
    return tuple(terms), letters + "".join(once)
