"""Functions written with Python operators, NumPy or the array API, run under torch autograd.

A `TorchArray` stands in for an array. Python's operators, NumPy's functions and the methods of arrays arrive
here by NumPy's own protocols and are carried out by torch:

- what only rearranges entries is done by NumPy on their positions (`array`);
- ufuncs on floating operands are torch's functions, by a table (`ufuncs`);
- everything else is ``torch._numpy``, torch's own NumPy on tensors, or a function of ours (`functions`);
  NumPy computes the value too, and a result that differs is refused.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.torch.numpy_code.array import (
    Entries,
    constant,
    has_arrays,
    plain_index,
    tnp,
    to_array,
    to_tensor,
    to_torch,
    torch_dtype,
)
from pytest_gradcheck.frameworks.torch.numpy_code.functions import FUNCTIONS
from pytest_gradcheck.frameworks.torch.numpy_code.ufuncs import UFUNCS


def wrap(tensor: torch.Tensor, *, scalar: bool = True) -> TorchArray:
    """Return a tensor as an array that NumPy's functions take.

    Its gradient flows into ``tensor``, which assignments to the array leave alone. An array of no
    dimensions behaves as a Python or NumPy scalar (``y = x; y += 1`` leaves ``x`` alone) unless
    ``scalar`` is False.
    """
    return TorchArray([tensor], scalar=scalar and tensor.ndim == 0)


def unwrap(value: Any) -> torch.Tensor:
    """Return an output of such a function as a tensor; what is not a `TorchArray` is a constant."""
    if isinstance(value, TorchArray):
        return value.tensor
    return value if isinstance(value, torch.Tensor) else constant(np.asarray(value))


class TorchArray(Entries):
    """An array for NumPy's functions whose entries are a torch tensor's."""

    __slots__ = ()

    #: Arrays differ from themselves under ==, entry by entry.
    __hash__ = None  # type: ignore[assignment]  # as numpy.ndarray says that it is not hashable

    # -- NumPy's protocols -------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            return _called(ufunc.__name__, inputs)
        return _ufunc(ufunc.__name__, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = func.__module__.removeprefix("numpy").removeprefix(".")
        return _function(f"{module}.{func.__name__}" if module else func.__name__, args, kwargs)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return _NAMESPACE

    @property
    def device(self) -> str:
        """The array API's device: there is one."""
        return "cpu"

    def to_device(self, device: str, stream: Any = None) -> TorchArray:
        """Return the array itself: there is one device."""
        return self

    # -- operators and methods ---------------------------------------------------------------------

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __round__(self, ndigits: int | None = None) -> Any:
        return _function("round", (self, ndigits or 0), {})

    def __contains__(self, value: Any) -> bool:
        found: Any = self == value
        return bool(found.tensor.any())

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return functools.partial(_method, name, self)
        if not name.startswith("__") and (hasattr(np.ndarray, name) or hasattr(float, name)):
            raise Unavailable(f"torch: no counterpart of numpy.ndarray.{name}")
        raise AttributeError(f"'TorchArray' object has no attribute {name!r}")

    #: The array with its axes reversed, with its last two exchanged, the real and the imaginary parts.
    T = property(lambda self: self.transpose())
    mT = property(lambda self: _rearranged("matrix_transpose", (self,), {}))  # noqa: N815  NumPy's name
    real = property(lambda self: _function("real", (self,), {}))
    imag = property(lambda self: _function("imag", (self,), {}))

    @property
    def flat(self) -> Iterator[Any]:
        """The entries one by one, in C order."""
        return iter(_rearranged("ravel", (self,), {}))

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes permuted, reversed by default."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return _rearranged("transpose", (self, order or None), {})

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """Return the same entries in another shape."""
        return _rearranged("reshape", (self, shape[0] if len(shape) == 1 else shape), kwargs)

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place."""
        self[...] = _function("sort", (self,), {"axis": axis})

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value


#: Methods that are functions of the same name.
_METHODS = frozenset([
    "all", "any", "argmax", "argmin", "argsort", "choose", "clip", "compress", "conj", "conjugate", "cumprod",
    "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "round",
    "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
])  # fmt: skip


def _method(name: str, array: TorchArray, *args: Any, **kwargs: Any) -> Any:
    if name in ("conj", "conjugate"):
        return _called("conjugate", (array,))
    if name == "compress":
        return _rearranged(name, (args[0], array, *args[1:]), kwargs)
    return _function(name, (array, *args), kwargs)


# -- operators -----------------------------------------------------------------------------------------
# Not NumPy's NDArrayOperatorsMixin: by it ``x == None`` raises, and an operand of another class is not asked
# for its own operator.

#: Python's binary operators by the ufunc of each. Each has a counterpart for the other side.
_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor",
}  # fmt: skip
_IN_PLACE_OPERATORS = ("add", "sub", "mul", "truediv", "pow", "matmul")
_COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal",
}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _in_place(name: str, array: TorchArray, other: Any) -> Any:
    result = _called(name, (array, other))
    if array.is_scalar or result is NotImplemented:
        return result
    if result.shape != array.shape:
        raise ValueError(f"non-broadcastable output operand with shape {array.shape}")
    if not np.can_cast(result.dtype, array.dtype, casting="same_kind"):
        raise TypeError(f"cannot cast ufunc {name!r} output from {result.dtype} to {array.dtype}")
    array[...] = result
    return array


def _define_operators() -> None:
    for operators in (_BINARY, _COMPARISONS):
        for python, ufunc in operators.items():
            setattr(TorchArray, f"__{python}__", lambda x, y, name=ufunc: _called(name, (x, y)))
    for python, ufunc in _BINARY.items():
        setattr(TorchArray, f"__r{python}__", lambda x, y, name=ufunc: _called(name, (y, x)))
    for python in _IN_PLACE_OPERATORS:
        in_place = functools.partial(_in_place, _BINARY[python])
        setattr(TorchArray, f"__i{python}__", lambda x, y, run=in_place: run(x, y))
    for python, ufunc in _UNARY.items():
        setattr(TorchArray, f"__{python}__", lambda x, name=ufunc: _called(name, (x,)))


_define_operators()


# -- ufuncs --------------------------------------------------------------------------------------------

_OPERANDS = (Entries, int, float, complex, np.generic, np.ndarray, list, tuple, torch.Tensor)

_REDUCTIONS = {
    ("add", "reduce"): "sum", ("multiply", "reduce"): "prod", ("maximum", "reduce"): "max",
    ("minimum", "reduce"): "min", ("logical_and", "reduce"): "all", ("logical_or", "reduce"): "any",
    ("add", "accumulate"): "cumsum", ("multiply", "accumulate"): "cumprod",
}  # fmt: skip


def _ufunc(name: str, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    kwargs = {k: v for k, v in kwargs.items() if v is not None and k not in ("casting", "order", "subok")}
    out = kwargs.pop("out", None)
    if out is not None:
        return _into(out, name, _ufunc(name, method, inputs, kwargs))
    if kwargs.pop("where", True) is not True:
        raise Unavailable(f"torch: no counterpart of numpy.{name} with where=")
    dtype = kwargs.pop("dtype", None)
    if method == "__call__" and not kwargs:
        result = _called(name, inputs)
        return result if dtype is None else result.astype(dtype)
    reduction = _REDUCTIONS.get((name, method))
    if reduction is not None:
        options = {"axis": 0, **kwargs}
        return _function(reduction, inputs, options if dtype is None else {**options, "dtype": dtype})
    if method == "outer":
        left, right = (to_tensor(x) for x in inputs)
        return _called(name, (left.reshape(left.shape + (1,) * right.ndim), right))
    raise Unavailable(f"torch: no counterpart of numpy.{name}{'' if method == '__call__' else '.' + method}")


def _into(out: Any, name: str, result: Any) -> Any:
    """Assign a result to what ``out`` names, as NumPy does."""
    targets = out if isinstance(out, tuple) else (out,)
    if len(targets) != 1 or not isinstance(targets[0], TorchArray):
        raise Unavailable(
            f"numpy.{name} with out= a NumPy array takes the value out of the graph; leave out= away, "
            "or start from numpy.zeros_like(x)"
        )
    targets[0][...] = result
    return targets[0]


def _called(name: str, inputs: Sequence[Any]) -> Any:
    """Call a ufunc; operands that are no numbers are left to their own operators."""
    for x in inputs:
        if not isinstance(x, _OPERANDS):
            return NotImplemented
    lowered = [to_tensor(x) if isinstance(x, list | tuple) else to_torch(x) for x in inputs]
    tensors = [x for x in lowered if isinstance(x, torch.Tensor)]
    function = UFUNCS.get(name)
    # torch gives integers other dtypes than NumPy; torch._numpy knows those of NumPy.
    typed = name == "ldexp" or all(t.dtype in (torch.float64, torch.complex128) for t in tensors)
    if function is None or not typed:
        function = getattr(tnp, name, None) or function
    if function is None:
        raise Unavailable(f"torch: no counterpart of numpy.{name}")
    if function in _WITHOUT_NUMBERS and len(tensors) < len(lowered):
        lowered = [x if isinstance(x, torch.Tensor) else _number(x) for x in lowered]
    return _guarded(name, function, lowered, {}, tensors)


_WITHOUT_NUMBERS = frozenset(UFUNCS.values())


def _number(value: Any) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.complex128 if isinstance(value, complex) else torch.float64)


def _guarded(
    name: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    tensors: Sequence[torch.Tensor],
) -> Any:
    """Call a function and see to it that what depends on an input still does."""
    try:
        result = to_array(function(*args, **kwargs))
    except Unavailable:
        raise
    except Exception as error:
        # NumPy accepts the call: it is this function that does not.
        reason = str(error).strip().splitlines()
        raise Unavailable(f"torch: numpy.{name}: {reason[0] if reason else type(error).__name__}") from error
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        for part in (result,) if isinstance(result, Entries) else _parts(result):
            if not (isinstance(part, Entries) and part.tensor.requires_grad) and _is_inexact(part):
                raise Unavailable(f"torch's counterpart of numpy.{name} takes the value out of the graph")
    return result


# -- functions -----------------------------------------------------------------------------------------


def _function(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Carry out a NumPy function, named as below ``numpy``: ``"sum"``, ``"linalg.solve"``.

    NumPy computes the value too. It is the answer where nothing in it has a derivative; elsewhere it
    says whether torch's function means the same.
    """
    if name in _REARRANGING:
        return _rearranged(name, args, kwargs)
    if name in _PLAIN:
        return _PLAIN[name](*args, **kwargs)
    if name in _IN_PLACE:
        raise Unavailable(f"torch: numpy.{name} changes its argument in place; assign by index instead")
    kwargs = dict(kwargs)
    out = kwargs.pop("out", None)
    if out is not None:
        return _into(out, name, _function(name, args, kwargs))
    find = operator.attrgetter(name)
    with np.errstate(all="ignore"):
        expected = find(np)(*(_as_numpy(v) for v in args), **{key: _as_numpy(v) for key, v in kwargs.items()})
    if not any(_is_inexact(part) for part in _parts(expected)):
        return expected
    tensors = [
        part.tensor if isinstance(part, Entries) else part
        for part in _parts([*args, *kwargs.values()])
        if isinstance(part, Entries | torch.Tensor)
    ]
    if not any(t.requires_grad for t in tensors):
        return _with_arrays(expected)
    try:
        function = FUNCTIONS.get(name) or find(tnp)
    except AttributeError:
        raise Unavailable(f"torch: no counterpart of numpy.{name}") from None
    options = {key: to_torch(value) for key, value in kwargs.items()}
    result = _guarded(name, function, [to_torch(value) for value in args], options, tensors)
    # Far above the rounding of two computations (solving may amplify it), below that of float32.
    rtol = math.inf if name in _NOT_UNIQUE else 1e-6 if name.startswith("linalg.") else 1e-10
    if not _agree(result, expected, rtol):
        raise Unavailable(f"torch's counterpart of numpy.{name} gives another result than NumPy")
    return type(expected)(*result) if hasattr(expected, "_fields") else result


#: Factors that are determined but for signs or phases.
_NOT_UNIQUE = frozenset({"linalg.eig", "linalg.eigh", "linalg.qr", "linalg.svd"})

_IN_PLACE = frozenset({"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"})


def _as_numpy(value: Any) -> Any:
    if isinstance(value, Entries):
        array = value.tensor.detach().numpy()
        return array[()] if value.is_scalar else array
    if isinstance(value, list):
        return [_as_numpy(v) for v in value]
    return tuple(_as_numpy(v) for v in value) if type(value) is tuple else value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [part for v in value for part in _parts(v)]
    return [value]


def _is_inexact(value: Any) -> bool:
    if isinstance(value, Entries | np.ndarray | np.generic):
        return value.dtype.kind in "fc"
    return isinstance(value, float | complex)


def _with_arrays(value: Any) -> Any:
    """Return NumPy's result with arrays of this module, to which inputs may be assigned."""
    if isinstance(value, list | tuple):
        parts = [_with_arrays(v) for v in value]
        if hasattr(value, "_fields"):
            return type(value)(*parts)
        return parts if isinstance(value, list) else tuple(parts)
    if not _is_inexact(value):
        return value
    return TorchArray([constant(np.asarray(value))], scalar=not isinstance(value, np.ndarray))


def _agree(result: Any, expected: Any, rtol: float) -> bool:
    ours, theirs = _parts(result), _parts(expected)
    if len(ours) != len(theirs):
        return False
    for one, other in zip(map(_as_numpy, ours), theirs, strict=True):
        if np.shape(one) != np.shape(other):
            return False
        if rtol < math.inf and np.size(other) and not np.array_equal(one, other):
            finite = np.abs(other)[np.isfinite(other)]
            size = float(np.max(finite)) if finite.size else 0.0
            if not np.allclose(one, other, rtol=rtol, atol=rtol * size, equal_nan=True):
                return False
    return True


# -- functions that rearrange entries ------------------------------------------------------------------

_REARRANGING = frozenset([
    "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_to", "compress", "copy", "delete",
    "diagonal", "dsplit", "expand_dims", "extract", "flip", "fliplr", "flipud", "hsplit", "linalg.diagonal",
    "linalg.matrix_transpose", "matrix_transpose", "moveaxis", "permute_dims", "ravel", "repeat", "reshape",
    "resize", "roll", "rollaxis", "rot90", "split", "squeeze", "swapaxes", "take", "take_along_axis", "tile",
    "transpose", "unstack", "vsplit",
])  # fmt: skip


def _rearranged(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Let NumPy rearrange the positions of the one array that a function moves the entries of."""
    place = 1 if name in ("compress", "extract") else 0
    if len(args) <= place or not isinstance(args[place], TorchArray):
        # The array came by keyword, in a list, or as something that only NumPy can say what is made of it.
        args, kwargs = _by_position(name, place, args, kwargs)
    array = args[place]
    if name.startswith("atleast_") and len(args) > 1:
        return tuple(_rearranged(name, (_as_array(value),), kwargs) for value in args)
    own = array.positions
    others = [own if i == place else plain_index(value) for i, value in enumerate(args)]
    function = operator.attrgetter(name)(np)
    result = function(*others, **{key: plain_index(value) for key, value in kwargs.items()})
    if isinstance(result, list | tuple):
        return type(result)(array.taken(own, part) for part in result)
    return array.taken(own, result)


def _by_position(
    name: str, place: int, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    rest = dict(kwargs)
    for key in ("a", "arr", "m", "x", "ary", "array"):
        if len(args) == place and isinstance(rest.get(key), TorchArray):
            return [*args, rest.pop(key)], rest
    if len(args) <= place:
        raise Unavailable(f"torch: no counterpart of numpy.{name} without its array")
    return [*args[:place], to_array(to_tensor(args[place])), *args[place + 1 :]], rest


def _as_array(value: Any) -> Any:
    return value if isinstance(value, TorchArray) else to_array(to_tensor(value))


# -- functions of arrays and whatever else the caller gave ---------------------------------------------


def _full_like(a: TorchArray, fill_value: Any, dtype: Any = None, **kwargs: Any) -> TorchArray:
    shape = kwargs.get("shape")
    wanted = torch_dtype(a.dtype if dtype is None else dtype)
    result = TorchArray([torch.zeros(a.shape if shape is None else shape, dtype=wanted)])
    result[...] = fill_value
    return result


def _full(shape: Any, fill_value: Any, dtype: Any = None, **ignored: Any) -> Any:
    filled = _rearranged("broadcast_to", (_as_array(fill_value), shape), {}).copy()
    return filled if dtype is None else filled.astype(dtype)


def _like(value: int) -> Callable[..., TorchArray]:
    return lambda a, dtype=None, **kwargs: _full_like(a, value, dtype, **kwargs)


def _block(arrays: Any) -> Any:
    """Join nested lists of arrays: the innermost along the last axis, the next along the one before."""

    def joined(value: Any, depth: int) -> Any:
        if not isinstance(value, list):
            array = _as_array(value)
            return _rearranged("atleast_2d", (array,), {}) if total > 1 else array
        return _function("concatenate", ([joined(v, depth - 1) for v in value],), {"axis": -depth})

    def depth_of(value: Any) -> int:
        return 1 + max(map(depth_of, value)) if isinstance(value, list) else 0

    total = depth_of(arrays)
    if total > 2:
        raise Unavailable("torch: no counterpart of numpy.block of more than two dimensions")
    return joined(arrays, total)


def _result_type(*args: Any) -> Any:
    return np.result_type(*(a.dtype if isinstance(a, TorchArray) else a for a in args))


def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*(to_tensor(a).shape for a in args))
    return tuple(_rearranged("broadcast_to", (_as_array(a), shape), {}) for a in args)


_PLAIN: dict[str, Callable[..., Any]] = {
    "astype": lambda x, dtype, /, *, copy=True, device=None: x.astype(dtype, copy=copy),
    "block": _block,
    "broadcast_arrays": _broadcast_arrays,
    "empty_like": _like(0),
    "full": _full,
    "full_like": _full_like,
    "ones_like": _like(1),
    "result_type": _result_type,
    "zeros_like": _like(0),
}


# -- the array API -------------------------------------------------------------------------------------


class _Namespace:
    """NumPy's own namespace, less what reads numbers out of arrays."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def asarray(self, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
        if not has_arrays(obj):
            return np.asarray(obj, dtype=dtype, copy=copy)
        array = _as_array(obj)
        return array.astype(array.dtype if dtype is None else dtype, copy=bool(copy))

    def __repr__(self) -> str:
        return "<the array API on torch tensors>"


_NAMESPACE = _Namespace()
