"""What a Tensor has because an array has it: NumPy's protocols, operators and methods.

All of it is said in terms of NumPy's functions and of the primitives behind the operators. Nothing here looks
into a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_engine import dispatch, operators, writes
from reference_engine.absent import in_place_of
from reference_engine.primitives import Primitive

__all__ = ["ArrayInterface"]

_Method = Callable[[Any, Any], Any]

_negative = operators.negative.__call__
_positive = operators.positive.__call__
_absolute = operators.absolute.__call__

_QUICK = frozenset({float, int, np.ndarray, np.float64})


def _operand(value: Any) -> bool:
    """Whether an operator takes `value` as its other operand; if not, Python asks `value` instead."""
    return type(value) in _QUICK or isinstance(value, _OPERANDS)


def _array(operand: Any) -> Any:
    """A list as an operand, which may have Tensors in it, as an array; anything else as it is."""
    return dispatch.FUNCTIONS[np.asarray](operand) if isinstance(operand, list | tuple) else operand


def _operator(primitive: Primitive) -> tuple[_Method, _Method]:
    """`self + other` and `other + self` in terms of `primitive`.

    They call it directly: a call through NumPy's dispatch, as in `numpy.lib.mixins.NDArrayOperatorsMixin`,
    costs as much again as the whole operation. Python calls the bound method by a shorter way than an object
    with a `__call__`, and compares types more quickly than it asks `isinstance`.
    """
    call = primitive.__call__

    def apply(self: Any, other: Any) -> Any:
        if type(other) is type(self) or type(other) in _QUICK:
            return call(self, other)
        return call(self, _array(other)) if _operand(other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        if type(other) in _QUICK:
            return call(other, self)
        return call(_array(other), self) if _operand(other) else NotImplemented

    return apply, reflected


def _in_place(primitive: Primitive) -> _Method:
    """`self += other`: a new value for a number, a write for an array, as in NumPy."""

    call = primitive.__call__

    def apply(self: Any, other: Any) -> Any:
        if not (type(other) is type(self) or _operand(other)):
            return NotImplemented
        result = call(self, other)
        if self.ndim == 0:
            return result
        writes.replace(self, result)
        return self

    return apply


def _through_numpy(ufunc: np.ufunc) -> tuple[_Method, _Method]:
    """`self < other` and `other < self` in terms of `ufunc`, through NumPy's dispatch."""

    def apply(self: Any, other: Any) -> Any:
        return ufunc(self, other) if _operand(other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return ufunc(other, self) if _operand(other) else NotImplemented

    return apply, reflected


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that calls `function` of NumPy with the Tensor as its first argument."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__qualname__ = f"Tensor.{function.__name__}"
    method.__doc__ = f"As `numpy.{function.__name__}` with this Tensor as its first argument."
    return method


class ArrayInterface:
    """What `Tensor`, the one class that is derived from this, shares with `numpy.ndarray`."""

    __slots__ = ()

    if TYPE_CHECKING:  # what a Tensor has beside

        @property
        def dtype(self) -> np.dtype[Any]:
            """The NumPy dtype."""

        def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    # ------------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and (handler := dispatch.UFUNCS.get(ufunc)) is not None:
            return handler(*inputs)
        return dispatch.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return dispatch.call_function(function, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return dispatch.namespace(api_version)

    def __getattr__(self, name: str) -> Any:
        """Raise AttributeError, with what to write instead of a method that arrays do not have."""
        if name.startswith("__"):  # NumPy asks for several whenever it is given a Tensor
            raise AttributeError(name)
        instead = in_place_of(name)
        remedy = f": for x.{name} write {instead}" if instead else ""
        raise AttributeError(f"a Tensor has no attribute {name}, as an array has none{remedy}")

    # ------------------------------------------------------------------ operators

    __add__, __radd__ = _operator(operators.add)
    __sub__, __rsub__ = _operator(operators.subtract)
    __mul__, __rmul__ = _operator(operators.multiply)
    __truediv__, __rtruediv__ = _operator(operators.divide)
    __pow__, __rpow__ = _operator(operators.power)
    __matmul__, __rmatmul__ = _operator(operators.matmul)
    __iadd__ = _in_place(operators.add)
    __isub__ = _in_place(operators.subtract)
    __imul__ = _in_place(operators.multiply)
    __itruediv__ = _in_place(operators.divide)
    __ipow__ = _in_place(operators.power)
    __imatmul__ = _in_place(operators.matmul)

    __floordiv__, __rfloordiv__ = _through_numpy(np.floor_divide)
    __mod__, __rmod__ = _through_numpy(np.remainder)
    __and__, __rand__ = _through_numpy(np.bitwise_and)
    __or__, __ror__ = _through_numpy(np.bitwise_or)
    __xor__, __rxor__ = _through_numpy(np.bitwise_xor)
    __eq__ = _through_numpy(np.equal)[0]
    __ne__ = _through_numpy(np.not_equal)[0]
    __lt__ = _through_numpy(np.less)[0]
    __le__ = _through_numpy(np.less_equal)[0]
    __gt__ = _through_numpy(np.greater)[0]
    __ge__ = _through_numpy(np.greater_equal)[0]

    def __divmod__(self, other: Any) -> Any:
        return (self // other, self % other) if _operand(other) else NotImplemented

    def __rdivmod__(self, other: Any) -> Any:
        return (other // self, other % self) if _operand(other) else NotImplemented

    def __neg__(self) -> Any:
        return _negative(self)

    def __pos__(self) -> Any:
        return _positive(self)

    def __abs__(self) -> Any:
        return _absolute(self)

    def __invert__(self) -> Any:
        return np.invert(self)

    def __round__(self, ndigits: int | None = None) -> Any:
        return np.round(self, ndigits or 0)

    # ------------------------------------------------------------------ NumPy's methods

    # Those that take the same arguments as NumPy's function of that name.
    all = _method(np.all)
    any = _method(np.any)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    argpartition = _method(np.argpartition)
    argsort = _method(np.argsort)
    choose = _method(np.choose)
    clip = _method(np.clip)
    conj = _method(np.conj)
    conjugate = _method(np.conjugate)
    cumprod = _method(np.cumprod)
    cumsum = _method(np.cumsum)
    diagonal = _method(np.diagonal)
    dot = _method(np.dot)
    max = _method(np.max)
    mean = _method(np.mean)
    min = _method(np.min)
    nonzero = _method(np.nonzero)
    prod = _method(np.prod)
    ravel = _method(np.ravel)
    repeat = _method(np.repeat)
    round = _method(np.round)
    searchsorted = _method(np.searchsorted)
    squeeze = _method(np.squeeze)
    std = _method(np.std)
    sum = _method(np.sum)
    swapaxes = _method(np.swapaxes)
    take = _method(np.take)
    trace = _method(np.trace)
    var = _method(np.var)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """As `numpy.reshape`; the shape as one tuple or as several integers."""
        if len(shape) == 1:
            (shape,) = shape
        return np.reshape(self, shape, order=order)  # type: ignore[call-overload]  # NumPy dispatches on Tensor

    def transpose(self, *axes: Any) -> Any:
        """As `numpy.transpose`; the axes as one tuple or as several integers."""
        order = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], Sequence)) else axes
        return np.transpose(self, order or None)

    def astype(self, dtype: Any, *, copy: bool = True) -> Any:
        """As `numpy.astype`: the cotangent is cast back."""
        dtype = np.dtype(dtype)
        return self if not copy and dtype == self.dtype else operators.astype(self, dtype=dtype)

    def flatten(self, order: str = "C") -> Any:
        """As `numpy.ndarray.flatten`: always a copy."""
        return operators.copied(np.ravel(self, order=order), order="C")  # type: ignore[call-overload]  # NumPy dispatches on Tensor

    def copy(self, order: str = "C") -> Any:
        """As `numpy.ndarray.copy`: the same value and the same gradient, in memory of its own."""
        return operators.copied(self, order=order)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """As `numpy.compress`."""
        return np.compress(condition, self, axis)

    def fill(self, value: Any) -> None:
        """Write `value` into every entry."""
        self[...] = value

    def sort(
        self, axis: int = -1, kind: Any = None, order: None = None, *, stable: bool | None = None
    ) -> None:
        """Sort in place, as `numpy.ndarray.sort`."""
        self[...] = np.sort(self, axis=axis)

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect", order: None = None) -> None:
        """Partition in place, as `numpy.ndarray.partition`."""
        self[...] = np.partition(self, kth, axis=axis)

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """As `numpy.put`."""
        np.put(self, indices, values, mode=mode)  # type: ignore[arg-type]  # NumPy dispatches on Tensor

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        np.real(self)[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        np.imag(self)[...] = value

    @property
    def flat(self) -> Iterator[Any]:
        """The entries one by one, in C order."""
        return iter(self.reshape(-1))


_OPERANDS = (ArrayInterface, int, float, complex, np.ndarray, np.generic, list, tuple)
