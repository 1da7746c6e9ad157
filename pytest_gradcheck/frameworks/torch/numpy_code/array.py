"""Functions written with Python operators, NumPy or the array API, run under torch autograd.

A `TorchArray` stands in for an array. Python's operators, NumPy's functions and the methods of arrays
arrive here by NumPy's own protocols and are carried out by torch:

- what only rearranges entries (indexing, ``reshape``, ``flip``, ``repeat``, …) is done by NumPy on the
  entries' positions, and torch gathers. Which result is a view, and of what, is thus what NumPy says;
- ufuncs on floating operands are torch's functions, by a table;
- everything else is ``torch._numpy``, torch's own NumPy on tensors, with functions here where that has
  none, or one that errs; NumPy computes the value beside it, and a result that differs is refused.

Assignments replace the tensor behind an array and all of its views by a new one. Nothing that autograd
has saved is ever changed.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch._numpy

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.torch.numpy_code.refusals import out_of_graph
from pytest_gradcheck.frameworks.torch.numpy_code.ufuncs import UFUNCS

Positions = np.ndarray[Any, np.dtype[np.intp]]

#: Untyped, as is torch.linalg in part.
tnp: Any = torch._numpy
linalg: Any = torch.linalg
broadcast_tensors: Any = torch.broadcast_tensors


def wrap(tensor: torch.Tensor, *, scalar: bool = True) -> TorchArray:
    """Return a tensor as an array that NumPy's functions take.

    Its gradient flows into ``tensor``, which assignments to the array leave alone. An array of no
    dimensions behaves as a Python or NumPy scalar (``y = x; y += 1`` leaves ``x`` alone) unless
    ``scalar`` is False.
    """
    return TorchArray(_Storage(tensor), scalar=scalar and tensor.ndim == 0)


def unwrap(value: Any) -> torch.Tensor:
    """Return an output of such a function as a tensor; what is no `TorchArray` is a constant."""
    if isinstance(value, TorchArray):
        return value.tensor
    return value if isinstance(value, torch.Tensor) else _constant(np.asarray(value))


class _Storage:
    """The entries of an array, which its views share."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


class TorchArray:
    """An array for NumPy's functions whose entries are a torch tensor's.

    A view is the storage of its base beside the positions in it that the view consists of; ``positions``
    is None for all of them, in order.
    """

    __slots__ = ("_current", "_positions", "_scalar", "_storage")

    #: Arrays differ from themselves under ==, entry by entry.
    __hash__ = None  # type: ignore[assignment]  # as numpy.ndarray says that it is not hashable

    def __init__(
        self, storage: _Storage, positions: Positions | None = None, *, scalar: bool = False
    ) -> None:
        self._storage = storage
        self._positions = positions
        self._scalar = scalar
        self._current: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def tensor(self) -> torch.Tensor:
        """The entries as they are now, shape as the array's."""
        base = self._storage.tensor
        if self._positions is None:
            return base
        if self._current is None or self._current[0] is not base:
            self._current = (base, _gathered(base, self._positions))
        return self._current[1]

    # -- what it is --------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of entries along each axis."""
        return tuple(self._storage.tensor.shape) if self._positions is None else self._positions.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, as NumPy's."""
        return _numpy_dtype(self._storage.tensor.dtype)

    @property
    def itemsize(self) -> int:
        """Bytes per entry."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all entries."""
        return self.size * self.itemsize

    @property
    def device(self) -> str:
        """The array API's device: there is one."""
        return "cpu"

    @property
    def T(self) -> Any:  # noqa: N802  NumPy's name
        """The array with its axes reversed."""
        return self.transpose()

    @property
    def mT(self) -> Any:  # noqa: N802  NumPy's name
        """The array with its last two axes exchanged."""
        return _rearranged("matrix_transpose", (self,), {})

    @property
    def real(self) -> Any:
        """The real parts."""
        return _function("real", (self,), {})

    @property
    def imag(self) -> Any:
        """The imaginary parts."""
        return _function("imag", (self,), {})

    @property
    def flat(self) -> Iterator[Any]:
        """The entries one by one, in C order."""
        return iter(_rearranged("ravel", (self,), {}))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"TorchArray({self.tensor.detach().numpy()!r})"

    def __format__(self, spec: str) -> str:
        # Printing does not feed a result.
        return format(self.tensor.detach().numpy()[()], spec)

    def __bool__(self) -> bool:
        return bool(self.tensor.detach().numpy())

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return functools.partial(_method, name, self)
        if not name.startswith("__") and (hasattr(np.ndarray, name) or hasattr(float, name)):
            raise Unavailable(f"torch: no counterpart of numpy.ndarray.{name}")
        raise AttributeError(f"'TorchArray' object has no attribute {name!r}")

    # -- out of the graph --------------------------------------------------------------------------

    def __float__(self) -> float:
        return float(self._value("float"))

    def __int__(self) -> int:
        return int(self._value("int"))

    def __complex__(self) -> complex:
        return complex(self._value("complex"))

    def __index__(self) -> int:
        return operator.index(self._value("operator.index"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._value("numpy.asarray"), dtype=dtype)

    def item(self, *args: Any) -> Any:
        """Return an entry as a Python number, if it does not depend on an input."""
        return self._value("item").item(*args)

    def tolist(self) -> Any:
        """Return the entries as Python numbers, if they do not depend on an input."""
        return self._value("tolist").tolist()

    def __round__(self, ndigits: int | None = None) -> Any:
        return _function("round", (self, ndigits or 0), {})

    def _value(self, how: str) -> np.ndarray[Any, Any]:
        tensor = self.tensor
        if tensor.requires_grad:
            raise Unavailable(out_of_graph(how, sys._getframe(2)))
        return tensor.numpy().copy()

    # -- NumPy's protocols -------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _ufunc(ufunc.__name__, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = func.__module__.removeprefix("numpy").removeprefix(".")
        return _function(f"{module}.{func.__name__}" if module else func.__name__, args, kwargs)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return _NAMESPACE

    def to_device(self, device: str, stream: Any = None) -> TorchArray:
        """Return the array itself: there is one device."""
        return self

    # -- entries -----------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        positions = self.positions
        return self._taken(positions, positions[_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._scalar:
            raise TypeError(f"'numpy.{self.dtype.name}' object does not support item assignment")
        self._write(np.asarray(self.positions[_index(index)]), value)

    @property
    def positions(self) -> Positions:
        """Where in the storage the array's entries are, shape as the array's."""
        if self._positions is not None:
            return self._positions
        return np.arange(self.size, dtype=np.intp).reshape(self.shape)

    def _taken(self, own: Positions, positions: Any) -> TorchArray:
        """Return the entries at positions that NumPy made of this array's own: a view where it made one."""
        if not isinstance(positions, np.ndarray):
            entry = _gathered(self._storage.tensor, np.asarray(positions))
            return TorchArray(_Storage(entry), scalar=True)
        if np.may_share_memory(own, positions) and not self._scalar:
            return TorchArray(self._storage, positions)
        return TorchArray(_Storage(_gathered(self._storage.tensor, positions)))

    def _write(self, positions: Positions, value: Any) -> None:
        if not self.positions.flags.writeable:
            raise ValueError("assignment destination is read-only")
        base = self._storage.tensor
        source = _lowered_array(value)
        if source.requires_grad and not (base.is_floating_point() or base.is_complex()):
            raise Unavailable(f"assigning to an array of {self.dtype} takes the value out of the graph")
        if source.is_complex() and not base.is_complex():
            raise Unavailable(f"assigning complex numbers to an array of {self.dtype}")
        while source.ndim > positions.ndim and source.shape[0] == 1:
            source = source[0]
        entries = source.to(base.dtype).broadcast_to(positions.shape).reshape(-1)
        flat = positions.reshape(-1)
        # Of several values for one entry the last one stays, as in NumPy; torch makes no such promise.
        kept, last = np.unique(flat[::-1], return_index=True)
        if kept.size < flat.size:
            entries, flat = entries[torch.from_numpy(flat.size - 1 - last)], kept
        target = base.reshape(-1).index_put((torch.from_numpy(np.array(flat)),), entries)
        self._storage.tensor = target.reshape(base.shape)

    # -- operators ---------------------------------------------------------------------------------

    def _in_place(self, name: str, other: Any) -> TorchArray:
        result = _ufunc(name, "__call__", (self, other), {})
        if not self._scalar and result is not NotImplemented:
            if result.shape != self.shape:
                raise ValueError(f"non-broadcastable output operand with shape {self.shape}")
            if not np.can_cast(result.dtype, self.dtype, casting="same_kind"):
                raise TypeError(f"cannot cast ufunc {name!r} output from {result.dtype} to {self.dtype}")
            self._write(self.positions, result)
            return self
        taken: TorchArray = result
        return taken

    def __add__(self, other: Any) -> Any:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _binary("add", other, self)

    def __iadd__(self, other: Any) -> Any:
        return self._in_place("add", other)

    def __sub__(self, other: Any) -> Any:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary("subtract", other, self)

    def __isub__(self, other: Any) -> Any:
        return self._in_place("subtract", other)

    def __mul__(self, other: Any) -> Any:
        return _binary("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _binary("multiply", other, self)

    def __imul__(self, other: Any) -> Any:
        return self._in_place("multiply", other)

    def __truediv__(self, other: Any) -> Any:
        return _binary("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary("divide", other, self)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place("divide", other)

    def __floordiv__(self, other: Any) -> Any:
        return _binary("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _binary("floor_divide", other, self)

    def __mod__(self, other: Any) -> Any:
        return _binary("remainder", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _binary("remainder", other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any) -> Any:
        return _binary("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _binary("power", other, self)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place("power", other)

    def __matmul__(self, other: Any) -> Any:
        return _binary("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _binary("matmul", other, self)

    def __imatmul__(self, other: Any) -> Any:
        return self._in_place("matmul", other)

    def __and__(self, other: Any) -> Any:
        return _binary("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Any:
        return _binary("bitwise_and", other, self)

    def __or__(self, other: Any) -> Any:
        return _binary("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Any:
        return _binary("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Any:
        return _binary("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return _binary("bitwise_xor", other, self)

    def __neg__(self) -> Any:
        return _ufunc("negative", "__call__", (self,), {})

    def __pos__(self) -> Any:
        return _ufunc("positive", "__call__", (self,), {})

    def __abs__(self) -> Any:
        return _ufunc("absolute", "__call__", (self,), {})

    def __invert__(self) -> Any:
        return _ufunc("invert", "__call__", (self,), {})

    def __eq__(self, other: object) -> Any:
        return _binary("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return _binary("not_equal", self, other)

    def __lt__(self, other: Any) -> Any:
        return _binary("less", self, other)

    def __le__(self, other: Any) -> Any:
        return _binary("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return _binary("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return _binary("greater_equal", self, other)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).tensor.any())

    # -- methods that are not functions of the same name ---------------------------------------------

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes permuted, reversed by default."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return _rearranged("transpose", (self, order or None), {})

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """Return the same entries in another shape."""
        return _rearranged("reshape", (self, shape[0] if len(shape) == 1 else shape), kwargs)

    def flatten(self, order: str = "C") -> Any:
        """Return a copy in one dimension."""
        positions: Any = self.positions
        return self._taken(positions, positions.flatten(order))

    def copy(self, order: str = "C") -> TorchArray:
        """Return a copy, which assignments to this array do not change."""
        return TorchArray(_Storage(self.tensor), scalar=self._scalar)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> TorchArray:
        return self.copy()

    def astype(self, dtype: Any, *args: Any, copy: bool = True, **kwargs: Any) -> TorchArray:
        """Return the array in another dtype."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self.copy() if copy else self
        return TorchArray(_Storage(self.tensor.to(_torch_dtype(wanted))), scalar=self._scalar)

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place."""
        self._write(self.positions, _function("sort", (self,), {"axis": axis}))

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value


# -- between NumPy and torch ---------------------------------------------------------------------------


def _numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    return np.dtype(str(dtype).removeprefix("torch."))


def _torch_dtype(dtype: Any) -> torch.dtype:
    name = np.dtype(dtype).name
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise Unavailable(f"torch: no counterpart of the dtype {name}")
    return found


def _constant(array: np.ndarray[Any, Any]) -> torch.Tensor:
    dtype = _torch_dtype(array.dtype)
    # A copy: torch takes neither read-only arrays nor negative strides.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C")).to(dtype)


def _gathered(base: torch.Tensor, positions: Positions) -> torch.Tensor:
    return base.reshape(-1)[torch.from_numpy(np.array(positions))]


def _index(index: Any) -> Any:
    """Return an index with arrays of this module as NumPy's."""
    if isinstance(index, tuple):
        return tuple(_index(part) for part in index)
    if isinstance(index, slice):
        return slice(*(_index(part) for part in (index.start, index.stop, index.step)))
    if isinstance(index, TorchArray):
        if index.dtype.kind not in "biu":
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
        return index.tensor.numpy()[()]
    if isinstance(index, list) and any(isinstance(part, TorchArray | list) for part in index):
        return [_index(part) for part in index]
    return index


def _lowered(value: Any) -> Any:
    """Return an argument as torch and ``torch._numpy`` take it."""
    if isinstance(value, TorchArray):
        return value.tensor
    if isinstance(value, np.ndarray):
        return _constant(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple) and any(_has_arrays(v) for v in value):
        # Otherwise torch._numpy would read numbers out of the tensors.
        return [_lowered_array(v) for v in value]
    if isinstance(value, np.dtype) or (isinstance(value, type) and value in _PYTHON_DTYPES):
        return tnp.dtype(np.dtype(value).name)
    if isinstance(value, type) and issubclass(value, np.generic):
        return tnp.dtype(np.dtype(value).name)
    return value


_PYTHON_DTYPES = (bool, int, float, complex)


def _has_arrays(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_has_arrays(v) for v in value)
    return isinstance(value, TorchArray | np.ndarray | torch.Tensor)


def _lowered_array(value: Any) -> torch.Tensor:
    """Return an argument that stands for one array as a tensor, nested lists of arrays too."""
    if isinstance(value, list | tuple) and any(_has_arrays(v) for v in value):
        parts = [_lowered_array(v) for v in value]
        dtype = functools.reduce(torch.promote_types, [part.dtype for part in parts])
        return torch.stack([part.to(dtype) for part in parts])
    lowered = _lowered(value)
    return lowered if isinstance(lowered, torch.Tensor) else _constant(np.asarray(lowered))


def _raised(value: Any) -> Any:
    """Return a result of torch or ``torch._numpy`` as the caller expects it."""
    if isinstance(value, tnp.ndarray):
        value = value.tensor
    if isinstance(value, torch.Tensor):
        # What torch marks as conjugated or negated (a part of an inverse transform) NumPy cannot read.
        return TorchArray(_Storage(value.resolve_conj().resolve_neg()), scalar=value.ndim == 0)
    if isinstance(value, list | tuple):
        parts = [_raised(v) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, TorchArray):
        yield value.tensor
    elif isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


# -- ufuncs --------------------------------------------------------------------------------------------


def _binary(name: str, left: Any, right: Any) -> Any:
    return _ufunc(name, "__call__", (left, right), {})


_OPERANDS = (TorchArray, int, float, complex, np.generic, np.ndarray, list, tuple, torch.Tensor)


def _ufunc(name: str, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    if not all(isinstance(x, _OPERANDS) for x in inputs):
        return NotImplemented
    kwargs = {k: v for k, v in kwargs.items() if v is not None and k not in ("casting", "order", "subok")}
    out = kwargs.pop("out", None)
    if out is not None:
        return _into(out, name, _ufunc(name, method, inputs, kwargs))
    where = kwargs.pop("where", True)
    if where is not True:
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
        left, right = (_lowered_array(x) for x in inputs)
        return _called(name, (left.reshape(left.shape + (1,) * right.ndim), right))
    raise Unavailable(f"torch: no counterpart of numpy.{name}{'' if method == '__call__' else '.' + method}")


_REDUCTIONS = {
    ("add", "reduce"): "sum",
    ("multiply", "reduce"): "prod",
    ("maximum", "reduce"): "max",
    ("minimum", "reduce"): "min",
    ("logical_and", "reduce"): "all",
    ("logical_or", "reduce"): "any",
    ("add", "accumulate"): "cumsum",
    ("multiply", "accumulate"): "cumprod",
}


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
    lowered = [_lowered_array(x) if isinstance(x, list | tuple) else _lowered(x) for x in inputs]
    tensors = [x for x in lowered if isinstance(x, torch.Tensor)]
    function = UFUNCS.get(name)
    # torch gives integers other dtypes than NumPy; torch._numpy knows those of NumPy.
    typed = name == "ldexp" or all(t.dtype in (torch.float64, torch.complex128) for t in tensors)
    if function is None or not typed:
        function = getattr(tnp, name, None) or function
    if function is None:
        raise Unavailable(f"torch: no counterpart of numpy.{name}")
    if function in _WITHOUT_NUMBERS:
        lowered = [_number(x) for x in lowered]
    return _guarded(name, function, lowered, {}, tensors)


def _number(value: Any) -> Any:
    dtype = torch.complex128 if isinstance(value, complex) else torch.float64
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=dtype)


def _sinc(x: Any) -> torch.Tensor:
    # The second derivative of torch.sinc at zero is nan (torch 2.13). The series of sin(y)/y, DLMF 4.19.1,
    # has an error below 1e-19 there.
    y = math.pi * _lowered_array(x)
    small = y.detach().abs() < 0.5
    square = torch.where(small, y * y, 0.0)
    series = sum((-1) ** k * square**k / math.factorial(2 * k + 1) for k in range(1, 9)) + 1.0
    safe = torch.where(small, 1.0, y)
    return torch.where(small, series, torch.sin(safe) / safe)


_WITHOUT_NUMBERS = frozenset(UFUNCS.values())


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
    with np.errstate(all="ignore"):
        expected = operator.attrgetter(name)(np)(
            *(_as_numpy(v) for v in args), **{key: _as_numpy(v) for key, v in kwargs.items()}
        )
    if not any(_is_inexact(part) for part in _parts(expected)):
        return expected
    tensors = [t for value in (*args, *kwargs.values()) for t in _tensors(value)]
    if not any(t.requires_grad for t in tensors):
        return _with_arrays(expected)
    function: Any = _GAPS.get(name)
    if function is None:
        function = tnp
        for part in name.split("."):
            function = getattr(function, part, None)
    if function is None:
        raise Unavailable(f"torch: no counterpart of numpy.{name}")
    options = {key: _lowered(value) for key, value in kwargs.items()}
    result = _guarded(name, function, [_lowered(value) for value in args], options, tensors)
    # Far above the rounding of two computations (solving may amplify it), below that of float32.
    rtol = math.inf if name in _NOT_UNIQUE else 1e-6 if name.startswith("linalg.") else 1e-10
    if not _agree(result, expected, rtol):
        raise Unavailable(f"torch's counterpart of numpy.{name} gives another result than NumPy")
    kind = _named_result(name)
    return kind(*result) if kind is not None and isinstance(result, tuple) else result


#: Factors that are determined but for signs or phases.
_NOT_UNIQUE = frozenset({"linalg.eig", "linalg.eigh", "linalg.qr", "linalg.svd"})


def _as_numpy(value: Any) -> Any:
    if isinstance(value, TorchArray):
        array = value.tensor.detach().numpy()
        return array[()] if value._scalar else array
    if isinstance(value, list):
        return [_as_numpy(v) for v in value]
    return tuple(_as_numpy(v) for v in value) if type(value) is tuple else value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [part for v in value for part in _parts(v)]
    return [value]


def _is_inexact(value: Any) -> bool:
    if isinstance(value, TorchArray | np.ndarray | np.generic):
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
    return TorchArray(_Storage(_constant(np.asarray(value))), scalar=not isinstance(value, np.ndarray))


def _agree(result: Any, expected: Any, rtol: float) -> bool:
    ours, theirs = _parts(result), _parts(expected)
    if len(ours) != len(theirs):
        return False
    for one, other in zip(ours, theirs, strict=True):
        if np.shape(_as_numpy(one)) != np.shape(other):
            return False
        if rtol < math.inf and np.size(other):
            finite = np.abs(other)[np.isfinite(other)]
            size = float(np.max(finite)) if finite.size else 0.0
            if not np.allclose(_as_numpy(one), other, rtol=rtol, atol=rtol * size, equal_nan=True):
                return False
    return True


def _guarded(
    name: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    tensors: Sequence[torch.Tensor],
) -> Any:
    """Call a function and see to it that what depends on an input still does."""
    try:
        result = _raised(function(*args, **kwargs))
    except Unavailable:
        raise
    except Exception as error:
        # NumPy accepts the call: it is this function that does not.
        reason = str(error).strip().splitlines()
        raise Unavailable(f"torch: numpy.{name}: {reason[0] if reason else type(error).__name__}") from error
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        for part in _parts(result):
            if _is_inexact(part) and not (isinstance(part, TorchArray) and part.tensor.requires_grad):
                raise Unavailable(f"torch's counterpart of numpy.{name} takes the value out of the graph")
    return result


@functools.cache
def _named_result(name: str) -> Any:
    """Return the named tuple that a function of ``numpy.linalg`` returns, None for others."""
    if name not in ("linalg.eig", "linalg.eigh", "linalg.qr", "linalg.slogdet", "linalg.svd"):
        return None
    return type(getattr(np.linalg, name.removeprefix("linalg."))(np.eye(1)))


def _rearranged(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Let NumPy rearrange the positions of the one array that a function moves the entries of."""
    function: Any = np
    for part in name.split("."):
        function = getattr(function, part)
    place = 1 if name in ("compress", "extract") else 0
    if len(args) <= place or not isinstance(args[place], TorchArray):
        # The array came by keyword, in a list, or as something that only NumPy can say what is made of it.
        first, rest = _by_keyword(name, args, kwargs)
        return _rearranged(name, first, rest)
    array = args[place]
    if name in _SEVERAL and len(args) > 1:
        return tuple(_rearranged(name, (value,), kwargs) for value in _as_arrays(args))
    own = array.positions
    others = [own if i == place else _index(value) for i, value in enumerate(args)]
    result = function(*others, **{key: _index(value) for key, value in kwargs.items()})
    if isinstance(result, list | tuple):
        return type(result)(array._taken(own, part) for part in result)
    return array._taken(own, result)


def _by_keyword(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    rest = dict(kwargs)
    place = 1 if name in ("compress", "extract") else 0
    for key in ("a", "arr", "m", "x", "ary", "array"):
        if len(args) == place and isinstance(rest.get(key), TorchArray):
            return [*args, rest.pop(key)], rest
    if len(args) > place:
        changed = list(args)
        changed[place] = _raised(_lowered_array(args[place]))
        return changed, rest
    raise Unavailable(f"torch: no counterpart of numpy.{name} without its array")


def _as_arrays(values: Sequence[Any]) -> list[TorchArray]:
    return [value if isinstance(value, TorchArray) else _raised(_lowered_array(value)) for value in values]


_SEVERAL = frozenset({"atleast_1d", "atleast_2d", "atleast_3d"})

_REARRANGING = frozenset(
    {
        "array_split",
        "atleast_1d",
        "atleast_2d",
        "atleast_3d",
        "broadcast_to",
        "compress",
        "copy",
        "delete",
        "diagonal",
        "dsplit",
        "expand_dims",
        "extract",
        "flip",
        "fliplr",
        "flipud",
        "hsplit",
        "linalg.diagonal",
        "linalg.matrix_transpose",
        "matrix_transpose",
        "moveaxis",
        "permute_dims",
        "ravel",
        "repeat",
        "reshape",
        "resize",
        "roll",
        "rollaxis",
        "rot90",
        "split",
        "squeeze",
        "swapaxes",
        "take",
        "take_along_axis",
        "tile",
        "transpose",
        "unstack",
        "vsplit",
    }
)

_IN_PLACE = frozenset({"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"})

_METHODS = frozenset(
    {
        "all",
        "any",
        "argmax",
        "argmin",
        "argsort",
        "choose",
        "clip",
        "compress",
        "conj",
        "conjugate",
        "cumprod",
        "cumsum",
        "diagonal",
        "dot",
        "max",
        "mean",
        "min",
        "nonzero",
        "prod",
        "ravel",
        "repeat",
        "round",
        "searchsorted",
        "squeeze",
        "std",
        "sum",
        "swapaxes",
        "take",
        "trace",
        "var",
    }
)


def _method(name: str, array: TorchArray, *args: Any, **kwargs: Any) -> Any:
    if name in ("conj", "conjugate"):
        return _ufunc("conjugate", "__call__", (array,), {})
    if name == "compress":
        return _rearranged(name, (args[0], array, *args[1:]), kwargs)
    return _function(name, (array, *args), kwargs)


# -- functions that torch._numpy has not, or not with a gradient -------------------------------------


def _full_like(a: TorchArray, fill_value: Any, dtype: Any = None, **kwargs: Any) -> TorchArray:
    shape = kwargs.get("shape")
    result = TorchArray(
        _Storage(
            torch.zeros(
                a.shape if shape is None else shape, dtype=_torch_dtype(a.dtype if dtype is None else dtype)
            )
        )
    )
    result[...] = fill_value
    return result


def _like(value: int) -> Callable[..., TorchArray]:
    return lambda a, dtype=None, **kwargs: _full_like(a, value, dtype, **kwargs)


def _nan_as(value: float, name: str) -> Callable[..., Any]:
    def function(a: Any, *args: Any, **kwargs: Any) -> Any:
        x = _lowered_array(a)
        return getattr(tnp, name)(torch.where(torch.isnan(x), value, x), *args, **kwargs)

    return function


def _nanmean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    there = ~torch.isnan(a)
    return tnp.sum(torch.where(there, a, 0.0), axis, keepdims=keepdims) / tnp.sum(
        there, axis, keepdims=keepdims
    )


def _nanvar(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    there = ~torch.isnan(a)
    centred = torch.where(there, a - _nanmean(a, axis, keepdims=True).tensor, 0.0)
    count = tnp.sum(there, axis, keepdims=keepdims)
    return tnp.sum(centred * centred, axis, keepdims=keepdims) / (count - ddof)


def _nanstd(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return tnp.sqrt(_nanvar(a, axis, ddof=ddof, keepdims=keepdims))


def _doubles(value: Any) -> torch.Tensor:
    # torch divides integers in float32.
    return _lowered_array(value).to(torch.float64)


def _quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    x, at = _doubles(a), _doubles(q)
    if axis is None:
        found = torch.quantile(x.reshape(-1), at, interpolation=method)
        return found.reshape(at.shape + (1,) * x.ndim) if keepdims else found
    return torch.quantile(x, at, axis, keepdims, interpolation=method)


def _cumulative(function: Callable[..., torch.Tensor], first: float) -> Callable[..., torch.Tensor]:
    def cumulative(
        x: torch.Tensor, /, *, axis: int | None = None, include_initial: bool = False
    ) -> torch.Tensor:
        axis = 0 if axis is None else axis
        if include_initial:
            edge = torch.full_like(x.narrow(axis, 0, 1), first)
            x = torch.cat([edge, x], axis)
        return function(x, axis)

    return cumulative


def _trapezoid(y: torch.Tensor, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    if x is None:
        return torch.trapezoid(y, dim=axis) * dx
    grid = _lowered_array(x)
    if grid.ndim == 1:
        grid = grid.reshape([-1 if i == axis % y.ndim else 1 for i in range(y.ndim)])
    return torch.trapezoid(*broadcast_tensors(y, grid), dim=axis)


def _interp(x: Any, xp: Any, fp: Any) -> torch.Tensor:
    at, grid, values = (_doubles(v) for v in (x, xp, fp))
    right = torch.searchsorted(grid.detach(), at.detach().contiguous(), right=True).clamp(1, len(grid) - 1)
    left = right - 1
    weight = ((at - grid[left]) / (grid[right] - grid[left])).clamp(0.0, 1.0)
    return values[left] + weight * (values[right] - values[left])


def _polyval(p: Any, x: Any) -> Any:
    coefficients, at = _lowered_array(p), _lowered_array(x)
    result = torch.zeros_like(at)
    for c in coefficients:
        result = result * at + c
    return result


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    result = _lowered_array(default)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = tnp.where(condition, choice, result).tensor
    return result


def _norm(x: torch.Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    # A matrix without ord is a vector here, as in NumPy, whatever its dimensions.
    if ord is None and axis is None:
        flat = linalg.vector_norm(x.reshape(-1))
        return flat.reshape((1,) * x.ndim) if keepdims else flat
    dims = tuple(axis) if isinstance(axis, list | tuple) else axis
    if (axis is None and x.ndim == 2) or (isinstance(dims, tuple) and len(dims) == 2):
        return linalg.matrix_norm(
            x, "fro" if ord is None else ord, (-2, -1) if dims is None else dims, keepdims
        )
    return linalg.vector_norm(x, 2 if ord is None else ord, dims, keepdims)


def _vector_norm(x: torch.Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return linalg.vector_norm(x, ord, axis, keepdims)


def _matrix_norm(x: torch.Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return linalg.matrix_norm(x, ord, (-2, -1), keepdims)


def _cross(a: torch.Tensor, b: torch.Tensor, /, *, axis: int = -1) -> Any:
    return linalg.cross(*broadcast_tensors(a, b), dim=axis)


def _cross_of_axes(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    left, right = _lowered_array(a), _lowered_array(b)
    axes = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    return _cross(left.movedim(axes[0], -1), right.movedim(axes[1], -1)).movedim(-1, axes[2])


def _dot(a: Any, b: Any) -> Any:
    """`numpy.dot`, which never broadcasts stacks of matrices, as torch's own NumPy does."""
    a, b = _lowered_array(a), _lowered_array(b)
    if a.ndim < 2 or b.ndim < 2:
        return tnp.dot(a, b)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return torch.tensordot(a.to(dtype), b.to(dtype), dims=([a.ndim - 1], [b.ndim - 2]))


def _linalg_trace(x: torch.Tensor, /, *, offset: int = 0) -> torch.Tensor:
    return torch.diagonal(x, offset, -2, -1).sum(-1)


def _block(arrays: Any) -> Any:
    """Join nested lists of arrays: the innermost along the last axis, the next along the one before."""

    def joined(value: Any, depth: int) -> Any:
        if not isinstance(value, list):
            array = value if isinstance(value, TorchArray) else _raised(_lowered_array(value))
            return _rearranged("atleast_2d", (array,), {}) if total > 1 else array
        return _function("concatenate", ([joined(v, depth - 1) for v in value],), {"axis": -depth})

    def depth_of(value: Any) -> int:
        return 1 + max(map(depth_of, value)) if isinstance(value, list) else 0

    total = depth_of(arrays)
    if total > 2:
        raise Unavailable("torch: no counterpart of numpy.block of more than two dimensions")
    return joined(arrays, total)


def _astype(x: TorchArray, dtype: Any, /, *, copy: bool = True, device: Any = None) -> TorchArray:
    return x.astype(dtype, copy=copy)


def _result_type(*args: Any) -> Any:
    return np.result_type(*(a.dtype if isinstance(a, TorchArray) else a for a in args))


def _shape_of(a: Any) -> tuple[int, ...]:
    return tuple(_lowered_array(a).shape)


def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*(_shape_of(a) for a in args))
    return tuple(_rearranged("broadcast_to", (a, shape), {}) for a in _as_arrays(args))


#: Functions of TorchArrays and whatever else the caller gave.
_PLAIN: dict[str, Callable[..., Any]] = {
    "astype": _astype,
    "block": _block,
    "broadcast_arrays": _broadcast_arrays,
    "empty_like": _like(0),
    "full_like": _full_like,
    "ones_like": _like(1),
    "result_type": _result_type,
    "zeros_like": _like(0),
}

#: Functions of tensors.
_GAPS: dict[str, Callable[..., Any]] = {
    "amax": tnp.max,
    "amin": tnp.min,
    "cross": _cross_of_axes,
    "concat": tnp.concatenate,
    "dot": _dot,
    "cumulative_prod": _cumulative(torch.cumprod, 1.0),
    "cumulative_sum": _cumulative(torch.cumsum, 0.0),
    "interp": _interp,
    "linalg.cross": _cross,
    "linalg.matmul": tnp.matmul,
    "linalg.matrix_norm": _matrix_norm,
    "linalg.norm": _norm,
    "linalg.outer": tnp.outer,
    "linalg.svdvals": linalg.svdvals,
    "linalg.tensordot": tnp.tensordot,
    "linalg.trace": _linalg_trace,
    "linalg.vecdot": linalg.vecdot,
    "linalg.vector_norm": _vector_norm,
    "median": lambda a, axis=None, **kwargs: _quantile(a, 0.5, axis, **kwargs),
    "nancumprod": _nan_as(1.0, "cumprod"),
    "nancumsum": _nan_as(0.0, "cumsum"),
    "nanmax": _nan_as(-math.inf, "max"),
    "nanmean": _nanmean,
    "nanmin": _nan_as(math.inf, "min"),
    "nanprod": _nan_as(1.0, "prod"),
    "nanstd": _nanstd,
    "nansum": _nan_as(0.0, "sum"),
    "nanvar": _nanvar,
    "percentile": lambda a, q, axis=None, **kwargs: _quantile(a, _doubles(q) / 100, axis, **kwargs),
    "polyval": _polyval,
    "quantile": _quantile,
    "select": _select,
    "sinc": _sinc,
    "trapezoid": _trapezoid,
}


# -- the array API -------------------------------------------------------------------------------------


class _Namespace:
    """NumPy's own namespace, less what reads numbers out of arrays."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def asarray(self, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
        if not _has_arrays(obj):
            return np.asarray(obj, dtype=dtype, copy=copy)
        array = obj if isinstance(obj, TorchArray) else _raised(_lowered_array(obj))
        return array.astype(array.dtype if dtype is None else dtype, copy=bool(copy))

    def __repr__(self) -> str:
        return "<the array API on torch tensors>"


_NAMESPACE = _Namespace()
