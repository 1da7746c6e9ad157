"""What a Tensor has because an array has it: NumPy's protocols, operators and methods.

All of it is said in terms of NumPy's functions and of the primitives behind the operators. Nothing here looks
into a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_engine import numpy_front

__all__ = ["ArrayInterface", "operators"]

operators: dict[str, Callable[..., Any]] = {}
"""The primitives behind the operators, by name. Filled in by `rules`, which are built on Tensors."""

_Tensor: type
"""The class that has the interface. Asking for it by identity saves 30 ns of the 770 that x * y takes."""

_QUICK = frozenset({float, int, np.ndarray, np.float64})

SAME_ARGUMENTS = (
    "all",
    "any",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "choose",
    "clip",
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
)
"""Methods of `numpy.ndarray` that take the same arguments as NumPy's function of that name."""


class ArrayInterface:
    """What `Tensor`, the one class that is derived from this, shares with `numpy.ndarray`."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        global _Tensor
        _Tensor = cls

    if TYPE_CHECKING:  # what a Tensor has beside

        @property
        def dtype(self) -> np.dtype[Any]:
            """The NumPy dtype."""

        def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    # ------------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and (handler := numpy_front.UFUNCS.get(ufunc)) is not None:
            return handler(*inputs)
        return numpy_front.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return numpy_front.call_function(function, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return numpy_front.namespace(api_version)

    # ------------------------------------------------------------------ operators
    # Written out, because a call through NumPy's dispatch costs as much again as the whole operation.

    def __add__(self, other: Any) -> Any:
        return (
            operators["add"](self, other)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __radd__(self, other: Any) -> Any:
        return (
            operators["add"](other, self)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __sub__(self, other: Any) -> Any:
        return (
            operators["subtract"](self, other)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rsub__(self, other: Any) -> Any:
        return (
            operators["subtract"](other, self)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __mul__(self, other: Any) -> Any:
        return (
            operators["multiply"](self, other)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rmul__(self, other: Any) -> Any:
        return (
            operators["multiply"](other, self)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __truediv__(self, other: Any) -> Any:
        return (
            operators["divide"](self, other)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rtruediv__(self, other: Any) -> Any:
        return (
            operators["divide"](other, self)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self, other) if _operand(other) else NotImplemented

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(other, self) if _operand(other) else NotImplemented

    def __mod__(self, other: Any) -> Any:
        return np.remainder(self, other) if _operand(other) else NotImplemented

    def __rmod__(self, other: Any) -> Any:
        return np.remainder(other, self) if _operand(other) else NotImplemented

    def __divmod__(self, other: Any) -> Any:
        return (self // other, self % other) if _operand(other) else NotImplemented

    def __rdivmod__(self, other: Any) -> Any:
        return (other // self, other % self) if _operand(other) else NotImplemented

    def __pow__(self, other: Any) -> Any:
        return (
            operators["power"](self, other)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rpow__(self, other: Any) -> Any:
        return (
            operators["power"](other, self)
            if type(other) is _Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __matmul__(self, other: Any) -> Any:
        return operators["matmul"](self, other) if _operand(other) else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        return operators["matmul"](other, self) if _operand(other) else NotImplemented

    def __neg__(self) -> Any:
        return operators["negative"](self)

    def __pos__(self) -> Any:
        return operators["positive"](self)

    def __abs__(self) -> Any:
        return operators["absolute"](self)

    def __iadd__(self, other: Any) -> Any:
        return _in_place(self, "add", other)

    def __isub__(self, other: Any) -> Any:
        return _in_place(self, "subtract", other)

    def __imul__(self, other: Any) -> Any:
        return _in_place(self, "multiply", other)

    def __itruediv__(self, other: Any) -> Any:
        return _in_place(self, "divide", other)

    def __ipow__(self, other: Any) -> Any:
        return _in_place(self, "power", other)

    def __imatmul__(self, other: Any) -> Any:
        return _in_place(self, "matmul", other)

    def __eq__(self, other: object) -> Any:
        return np.equal(self, other) if _operand(other) else NotImplemented  # type: ignore[call-overload]  # Tensor

    def __ne__(self, other: object) -> Any:
        return np.not_equal(self, other) if _operand(other) else NotImplemented  # type: ignore[call-overload]  # Tensor

    def __lt__(self, other: Any) -> Any:
        return np.less(self, other) if _operand(other) else NotImplemented

    def __le__(self, other: Any) -> Any:
        return np.less_equal(self, other) if _operand(other) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return np.greater(self, other) if _operand(other) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return np.greater_equal(self, other) if _operand(other) else NotImplemented

    def __invert__(self) -> Any:
        return np.invert(self)

    def __and__(self, other: Any) -> Any:
        return np.bitwise_and(self, other) if _operand(other) else NotImplemented

    def __rand__(self, other: Any) -> Any:
        return np.bitwise_and(other, self) if _operand(other) else NotImplemented

    def __or__(self, other: Any) -> Any:
        return np.bitwise_or(self, other) if _operand(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return np.bitwise_or(other, self) if _operand(other) else NotImplemented

    def __xor__(self, other: Any) -> Any:
        return np.bitwise_xor(self, other) if _operand(other) else NotImplemented

    def __rxor__(self, other: Any) -> Any:
        return np.bitwise_xor(other, self) if _operand(other) else NotImplemented

    def __round__(self, ndigits: int | None = None) -> Any:
        return np.round(self, ndigits or 0)

    # ------------------------------------------------------------------ NumPy's methods

    if TYPE_CHECKING:  # set below, all in the same way
        all: Callable[..., Any]
        any: Callable[..., Any]
        argmax: Callable[..., Any]
        argmin: Callable[..., Any]
        argpartition: Callable[..., Any]
        argsort: Callable[..., Any]
        choose: Callable[..., Any]
        clip: Callable[..., Any]
        conj: Callable[..., Any]
        conjugate: Callable[..., Any]
        cumprod: Callable[..., Any]
        cumsum: Callable[..., Any]
        diagonal: Callable[..., Any]
        dot: Callable[..., Any]
        max: Callable[..., Any]
        mean: Callable[..., Any]
        min: Callable[..., Any]
        nonzero: Callable[..., Any]
        prod: Callable[..., Any]
        ravel: Callable[..., Any]
        repeat: Callable[..., Any]
        round: Callable[..., Any]
        searchsorted: Callable[..., Any]
        squeeze: Callable[..., Any]
        std: Callable[..., Any]
        sum: Callable[..., Any]
        swapaxes: Callable[..., Any]
        take: Callable[..., Any]
        trace: Callable[..., Any]
        var: Callable[..., Any]

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
        return self if not copy and dtype == self.dtype else operators["astype"](self, dtype=dtype)

    def flatten(self, order: str = "C") -> Any:
        """As `numpy.ndarray.flatten`: always a copy."""
        return operators["copy"](np.ravel(self, order=order), order="C")  # type: ignore[call-overload]  # NumPy dispatches on Tensor

    def copy(self, order: str = "C") -> Any:
        """As `numpy.ndarray.copy`: the same value and the same gradient, in memory of its own."""
        return operators["copy"](self, order=order)

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


def _operand(value: Any) -> bool:
    """Whether an operator knows what to do with `value`; if not, the other side is asked."""
    return type(value) in _QUICK or isinstance(value, _OPERANDS)


def _in_place(tensor: Any, name: str, other: Any) -> Any:
    """`tensor += other` and its kin: a new value for a number, a write for an array, as NumPy has it."""
    if not _operand(other):
        return NotImplemented
    result = operators[name](tensor, other)
    if tensor.ndim == 0:
        return result
    from reference_engine import writes  # writes is built on this module

    writes.replace(tensor, result)
    return tensor


def _method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: ArrayInterface, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"As `numpy.{function.__name__}` with this Tensor as its first argument."
    return method


for _name in SAME_ARGUMENTS:
    setattr(ArrayInterface, _name, _method(_name, getattr(np, _name)))
