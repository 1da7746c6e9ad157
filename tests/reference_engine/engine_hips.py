# ruff: noqa: E501  # a table: one row per line, however long
# fmt: off
"""Calls of every function that HIPS autograd can differentiate, by the name that it has in autograd.numpy."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from engine_sampling import cplx, inner, positive, real

from reference_engine import OutOfGraphError


class Call(NamedTuple):
    """`function(xp, *args)`, to be taken with NumPy on Tensors and with autograd.numpy as xp.

    Real and complex arrays among `args` are what is differentiated by.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]


CALLS: dict[str, list[Call]] = {}
"""What autograd differentiates, and rightly so."""

CONSTANT: dict[str, list[Call]] = {}
"""What autograd takes as constant in the derivative."""


def call_of(name: str, *call: Any, **kwargs: Any) -> Call:
    if callable(call[0]):
        return Call(call[0], call[1:])
    return Call(lambda xp, *inputs: attrgetter(name)(xp)(*inputs, **kwargs), call)


def enter(table: dict[str, list[Call]], names: str, calls: Any, kwargs: Any) -> None:
    for name in names.split():
        table.setdefault(name, []).extend(call_of(name, *call, **kwargs) for call in calls)


def add(names: str, *calls: Any, **kwargs: Any) -> None:
    """Calls of each of `names`: a tuple of arguments, or a function of xp and its arguments."""
    enter(CALLS, names, calls, kwargs)


def constant(names: str, *calls: Any, **kwargs: Any) -> None:
    """The same for functions without a derivative to follow."""
    enter(CONSTANT, names, calls, kwargs)


def definite(*shape: int) -> Any:
    x = real(*shape, shape[-1])
    return x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1])


x, y, z, w = real(2, 3), real(3, seed="y"), cplx(2, 3), cplx(3, seed="w")
cube, square, vector = real(2, 3, 4), 2 * np.eye(3) + 0.3 * real(3, 3), real(5)

# ---------------------------------------------------------------------------- elementwise
add("sin cos tan sinh cosh tanh exp arctan arcsinh square reciprocal negative absolute conjugate real imag angle", (x,), (z,))
add("sqrt log log10 log1p log2 exp2 expm1 arcsin arccos arctanh", (inner(3),), (0.5 * z,))
add("arccosh", (1.2 + inner(3),))
add("fabs rad2deg degrees deg2rad radians sinc", (x,))
add("add subtract multiply divide", (x, 1 + inner(3)), (z, w), (x, w), (x, 2.5))
add("maximum minimum fmax fmin logaddexp logaddexp2 arctan2 hypot", (x, y), (x, 0.3))
add("remainder", (5 * x, positive(3)))
add("power", (positive(2, 3), y), (x, 3), (z, w), (2.0, y))
add("where", (lambda xp, x, y: xp.where(x > y, x, y), x, 0.1 * x), (lambda xp, z: xp.where(x > 0, z, 0.0), z))
add("clip", (x, -0.5, 0.5))
add("nan_to_num", (x,))
add("real_if_close", (x,), (z,))
add("astype", (x, np.float64))

# ---------------------------------------------------------------------------- shape
add("reshape", (x, (3, 2)), (x, 6)), add("reshape", (x, (3, -1)), order="F")
add("ravel", (x,)), add("ravel", (x, ), order="F")
add("roll", (x, 2), (x, 1, 1), (x, -1, 0))
add("array_split", (x, 2, 1), (vector, [1, 4]))
add("split", (vector, [2, 3]), (x, 3, 1))
add("vsplit", (x, 2)), add("hsplit", (x, 3)), add("dsplit", (cube, 2))
add("expand_dims", (x, 1)), add("squeeze", (real(1, 3, 1),), (real(1, 3, 1), 0))
add("diag", (square,), (square, 1), (y,))
add("flipud fliplr rot90", (x,)), add("rot90", (x, 3))
add("triu tril", (square,), (x, 1), (cube, -1))
add("swapaxes", (cube, 0, -1)), add("moveaxis", (cube, 0, -1), (cube, [0, 1], [1, 2])), add("rollaxis", (cube, 2), (cube, 0, 2))
add("transpose", (x,), (cube, (1, 2, 0)))
add("broadcast_to", (real(2, 1), (2, 3)))
add("atleast_1d atleast_2d atleast_3d", (y,), (real(),))
add("repeat", (x, 2), (x, 3, 1)), add("tile", (y, 2), (x, (2, 3)))
add("pad", (x, 2, "constant"), (x, ((1, 0), (0, 2)), "constant"))
add("__getitem__", *((lambda xp, x, i=i: x[i], cube) for i in (
    1, (slice(None), -1), (..., slice(None, None, -2)), (None, 0, ..., None), [0, 1, 0], np.array([[1, 0], [0, 0]]), ([0, 1], [2, 2]),
    cube > 0, (slice(None), np.array([True, False, True])))))
add("concatenate", *((lambda xp, x, y, a=axis: xp.concatenate([x, y], axis=a), x, 2 * x) for axis in (0, 1, -1)))
for name in ("vstack", "hstack", "column_stack", "stack"):
    add(name, (lambda xp, x, y, f=name: getattr(xp, f)([x, y]), x, 2 * x), (lambda xp, x, y, f=name: getattr(xp, f)((x, y)), y, y + 1))
add("stack", (lambda xp, x, y: xp.stack([x, y], axis=-1), x, 2 * x))
add("append", (x, y), (y, 2.0)), add("append", (x, 2 * x), axis=1)
add("select", (lambda xp, x, y: xp.select([x > 0.5, x < 0], [x, y * x], 7.0), y, positive(3)))

# ---------------------------------------------------------------------------- sums, order, differences
add("sum mean var std prod max min amax amin", (x,), (x, 1)), add("sum mean var std prod max min amax amin", (cube,), axis=(0, -1), keepdims=True)
add("sum mean var prod", (z,), (z, 0)), add("var std", (x,), axis=0, ddof=1)
add("cumsum", (x,), (x, 1), (z, 0))
add("sort", (vector,)), add("partition", (vector, 2))
add("diff", (x,), (cube, 2, 1)), add("gradient", (vector,), (real(5, 5),)), add("gradient", (real(5, 6),), axis=1)
add("linspace", (real(), real(seed="y"), 5))
add("trace", (square,), (x, 1)), add("diagonal", (real(2, 3, 3), 0, -1, -2))

# ---------------------------------------------------------------------------- products
add("inner", (x, y), (y, y + 1), (z, w)), add("outer", (y, vector), (w, z[0]))
add("matmul", (x, y), (y, x.T), (cube, real(4, 2)), (z, w), (y, cube), (y, vector[:3]))
add("dot", (x, y), (y, x.T), (cube, real(4, 2)), (z, w), (real(), x), (y, y + 1))
add("tensordot", (cube, real(3, 4)), (cube, real(4, 3, 2), [[1, 2], [1, 0]]), (x, y, 1), (z, w, 1), (x, y, 0))
add("kron", (x, square), (y, w)), add("cross", (x, 2 * x + 1), (y, x[0]))
add("einsum", *((lambda xp, *args, s=s: xp.einsum(s, *args), *args) for s, args in {
    "ij,j->i": (x, y), "ij->ji": (x,), "ij,jk": (z, square), "i,i->": (y, w), "...ij,...jk->...ik": (cube, real(4, 2)), "ij->": (x,)}.items()),
    (lambda xp, x, y: xp.einsum(x, [0, 1], y, [1], [0]), x, y))

# ---------------------------------------------------------------------------- linalg
add("linalg.inv linalg.det linalg.slogdet", (square,), (square + 0.1 * cube[:, :, :3],))
add("linalg.pinv", (square,), (x,), (x.T,))
add("linalg.solve", (square, y), (square, real(3, 2)))
add("linalg.norm", (x,), (z,), (x, "fro"), (x, "nuc"), (y, 3), (x, 2, 1), (cube, "nuc", (0, 2)))
# The gradient of eigh lies in the triangle that is read; autograd's of cholesky in both, as torch's does.
add("linalg.eigh", *((lambda xp, a, s=s: xp.linalg.eigh(a + xp.swapaxes(a, -1, -2), s), a) for s, a in {"L": square, "U": cube[:, :, :3]}.items()))
# The phase of an eigenvector is anyone's choice.
add("linalg.eig", (lambda xp, a: (lambda e, v: (e, xp.abs(v)))(*xp.linalg.eig(a)), square))
add("linalg.cholesky", *((lambda xp, a: xp.linalg.cholesky(a + xp.swapaxes(a, -1, -2)), a) for a in (definite(3), definite(2, 3))))
add("linalg.svd", *((a,) for a in (square, x, x.T)), full_matrices=False), add("linalg.svd", (x,), (cube,), compute_uv=False)

# ---------------------------------------------------------------------------- fft
even = real(4, 6)
add("fft.fft fft.ifft", (even,), (cplx(4, 6),), (even, 8), (even, 4, 0))
add("fft.fft2 fft.ifft2 fft.fftn fft.ifftn", (even,), (cplx(4, 6),), (even, (2, 8), (0, 1)))
add("fft.rfft fft.rfft2 fft.rfftn", (even,)), add("fft.irfft fft.irfft2 fft.irfftn", (cplx(4, 4),))
add("fft.rfft", (even, 4), (even, 8, 0)), add("fft.irfft", (cplx(4, 5), 8))
add("fft.fftshift fft.ifftshift", (x,), (cplx(3, 2), 0))

# ---------------------------------------------------------------------------- constant in the derivative
constant("floor ceil rint round around fix trunc sign all any argmax argmin argsort argwhere nonzero flatnonzero count_nonzero", (3 * x,))
constant("logical_not isfinite isinf isnan isneginf isposinf iscomplex iscomplexobj isreal zeros_like ones_like ndim shape size result_type", (3 * x,))
constant("floor_divide logical_and logical_or logical_xor greater greater_equal less less_equal equal not_equal", (3 * x, y), (x, x.copy()))
constant("isclose allclose array_equal array_equiv", (x, y), (x, x.copy()))
constant("argpartition", (x, 1)), constant("searchsorted", (np.sort(y), vector)), constant("full_like", (x, 2.0))
# What an empty array holds is not defined.
constant("empty_like", (lambda xp, x: xp.shape(xp.empty_like(x)), x))

# ---------------------------------------------------------------------------- methods and operators of an array
METHODS: dict[str, list[Call]] = {}


def method(names: str, *args: Any, **kwargs: Any) -> None:
    for name in names.split():
        METHODS.setdefault(name, []).append(Call(lambda xp, a, *rest, name=name: getattr(a, name)(*rest, **kwargs), args))


method("all any argmax argmin argsort nonzero round cumsum max mean min prod ravel flatten squeeze std sum var", x)
method("argmax cumsum max mean min prod std sum var", x, 1)
method("argpartition", x, 1), method("searchsorted", np.sort(y), vector), method("clip", x, -0.5, 0.5), method("trace", square)
method("diagonal", real(2, 3, 3), 0, -1, -2), method("repeat", x, 2, 0), method("reshape", x, 3, 2), method("reshape", x, (3, -1)), method("swapaxes", x, 0, 1)
method("transpose", cube, (1, 2, 0)), method("astype", x, np.float64), method("__getitem__", x, (slice(None), 1))
method("__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __lt__ __le__ __gt__ __ge__ __eq__ __ne__", x, y)
method("__pow__ __rpow__ __mod__ __rmod__", positive(2, 3), positive(3)), method("__matmul__", x, y), method("__rmatmul__", x, x.T.copy()), method("__neg__ __abs__ __len__", x)
METHODS["T"] = [Call(lambda xp, a: a.T, (x,))]
METHODS |= {name: [Call(lambda xp, a, name=name: getattr(a, name), (x,))] for name in ("shape", "ndim", "size")}
METHODS["dtype"] = [Call(lambda xp, a: a.dtype == np.float64, (x,))]
METHODS["__array_namespace__"] = [Call(lambda xp, a: (xp if type(a) is np.ndarray else a.__array_namespace__()).exp(a), (x,))]

METHODS_WITHOUT_USE: dict[str, tuple[Any, ...]] = {
    "ptp": (NotImplementedError,),
    "cumprod": (NotImplementedError,),
    "take": (NotImplementedError, [0]),
    "compress": (NotImplementedError, [False, True]),
}
"""What autograd cannot differentiate although its arrays have it: the error, and arguments."""


# ---------------------------------------------------------------------------- where plain NumPy on Tensors refuses
class Refused(NamedTuple):
    """What autograd.numpy can and NumPy on Tensors refuses with `error`, and a way round: functions of xp, a, b."""

    there: Callable[..., Any]
    error: type[BaseException] | None
    here: list[Callable[..., Any]]


def of_list(name: str) -> Refused:
    function = attrgetter(name)
    return Refused(lambda xp, a, b: function(xp)([a, b]), OutOfGraphError, [lambda xp, a, b: function(xp)(xp.stack([a, b]))])


REFUSED: dict[str, Refused] = {
    "array([a, b])": Refused(lambda xp, a, b: xp.array([a, b]), OutOfGraphError, [
        lambda xp, a, b: xp.stack([a, b]), lambda xp, a, b: xp.array([a, b], like=a)]),
    "array(a)": Refused(lambda xp, a, b: xp.array(a), OutOfGraphError, [lambda xp, a, b: xp.copy(a)]),
    "full(shape, a)": Refused(lambda xp, a, b: xp.full((2, 3), a), OutOfGraphError, [
        lambda xp, a, b: xp.full((2, 3), a, like=a), lambda xp, a, b: xp.broadcast_to(a, (2, 3))]),
    "r_[a, b]": Refused(lambda xp, a, b: xp.r_[a * np.ones(2), b * np.ones(3)], OutOfGraphError, [
        lambda xp, a, b: xp.concatenate([a * np.ones(2), b * np.ones(3)])]),
    "c_[a, b]": Refused(lambda xp, a, b: xp.c_[a * np.ones(2), b * np.ones(2)], OutOfGraphError, [
        lambda xp, a, b: xp.column_stack([a * np.ones(2), b * np.ones(2)])]),
    **{f"{name}([a, b])": of_list(name) for name in ("mean", "std", "var", "linalg.norm", "sum")},
    "row_stack([a, b])": Refused(lambda xp, a, b: xp.row_stack([a, b]), DeprecationWarning, [lambda xp, a, b: xp.vstack([a, b])]),
    # No error: the answer is False, where autograd's is True.
    "isscalar(a)": Refused(lambda xp, a, b: a * xp.isscalar(a), None, [lambda xp, a, b: a * (xp.ndim(a) == 0)]),
}

# ---------------------------------------------------------------------------- where autograd refuses, or is wrong
BEYOND: dict[str, tuple[str, Call]] = {}
"""A reason -> what autograd does there (an error, "wrong" or "nan"), and a call that is right here."""


def beyond(reason: str, name: str, what: str, *call: Any, **kwargs: Any) -> None:
    BEYOND[f"{name}: {reason}"] = what, call_of(name, *call, **kwargs)


beyond("no broadcasting of the branches", "where", "ValueError", lambda xp, x, y: xp.where(np.array([True, False, True]), x, y), x, y)
beyond("no broadcasting", "cross", "ValueError", x, y)
beyond("real beside complex", "concatenate", "UFuncTypeError", lambda xp, y, w: xp.concatenate((y, w)), y, w)
beyond("a vector beside a matrix", "outer", "AttributeError", lambda xp, y: xp.outer(y, [1.0, 2.0]), y)
beyond("square matrices only", "diagonal", "ValueError", cube, 0, -1, -2)
beyond("the main diagonal of the last axes only", "diagonal", "NotImplementedError", x, 1)
beyond("one axis only", "sort", "NotImplementedError", x)
beyond("one axis only", "partition", "NotImplementedError", x, 1)
beyond("no negative axes", "rollaxis", "NotImplementedError", cube, -1)
beyond("no spacing", "gradient", "NotImplementedError", vector, 0.5)
beyond("no repeats that vary", "repeat", "TypeError", y, [1, 0, 2])
beyond("no further axes", "broadcast_to", "AssertionError", y, (2, 3))
beyond("constant only", "pad", "AssertionError", x, 2, "reflect")
beyond("several arguments", "atleast_1d", "NotImplementedError", lambda xp, x, y: xp.atleast_1d(x, y), x, y)
beyond("order 1", "linalg.norm", "NotImplementedError", y, 1)
beyond("spectral norm", "linalg.norm", "NotImplementedError", x, 2)
beyond("odd lengths", "fft.rfft", "NotImplementedError", x)
beyond("bounds with a derivative", "clip", "KeyError", x, -positive(3), positive(3))
beyond("keywords where=", "sum", "wrong", x, where=np.array([True, False, True]))
beyond("a value with a derivative", "full_like", "wrong", lambda xp, x, a: xp.full_like(x, a), x, real())
beyond("a zero among the factors", "prod", "nan", np.array([0.0, 2.0, 3.0]))
beyond("0", "sinc", "nan", np.array([0.0, 0.5]))
beyond("the other side of the branch cut", "arccosh", "wrong", np.array([-0.5 + 0.3j, -1.2 - 0.4j]))
beyond("replaced parts of a complex number", "nan_to_num", "wrong", lambda xp, z: xp.nan_to_num(z + np.array([0, complex(np.nan, 0)])), z[0, :2])
