"""`Tensor`: the handle on a node that a user holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, SupportsIndex, final

import numpy as np

from reference_engine import writes
from reference_engine.array_interface import ArrayInterface
from reference_engine.backward import ancestors, backward
from reference_engine.contexts import no_grad, now
from reference_engine.errors import OutOfGraphError
from reference_engine.leaving import out_of_graph
from reference_engine.operators import copied, getitem
from reference_engine.primitives import Handle, Node, as_array, tensor_of

__all__ = ["Tensor", "as_tensor", "joined", "own_index"]

_ndarray = np.ndarray
_float64 = np.float64
_asarray = np.asarray


#: Frames of these packages lie between what the user wrote and a Tensor that is asked for its value.
_BETWEEN = ("numpy", "scipy", "reference_engine")


def _refuse(how: str) -> OutOfGraphError:
    return OutOfGraphError(out_of_graph(how, sys._getframe(1), _BETWEEN))


def _plain(value: Any) -> Any:
    """What NumPy can index with: Tensors of indices and masks become arrays."""
    if type(value) is Tensor:
        return value._node.data
    if type(value) is tuple:
        return tuple(_plain(item) for item in value)
    if type(value) is list:
        return [_plain(item) for item in value]
    return value


@final
class Tensor(ArrayInterface, Handle):
    """An array of real or complex numbers that remembers how it was computed.

    `data` is a number, a nested sequence of numbers, an array (copied, so that later changes to it
    do no harm) or another Tensor (its value, detached). `requires_grad=True` asks for the gradient with
    respect to this Tensor; it needs a real or complex dtype, a Python int becomes a float for it. `label` is
    the name shown by `draw`.

    After `backward`, `grad` holds the gradient on every Tensor that the result was computed from, leaves
    and intermediates: an array of the Tensor's shape and dtype (a NumPy scalar for shape `()`), None
    before. For a complex Tensor z = x + iy the gradient of a real loss L is dL/dx + i dL/dy, torch's
    convention.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = False, label: str | None = None) -> None:
        if type(data) is Tensor:
            array = data._node.data
        elif isinstance(data, _ndarray) and type(data) is not _ndarray:
            raise TypeError(f"data must be a plain numpy.ndarray or numbers, got {type(data).__name__}")
        elif type(data) is float:
            array = _float64(data)
        else:
            array = as_array(data)
            if not array.ndim:
                array = array[()]
            elif isinstance(data, _ndarray):
                array = array.copy(order="K")
        if requires_grad and array.dtype.kind not in "fc":
            if type(data) is not int:
                raise TypeError(
                    f"requires_grad=True needs a real or complex dtype, got {array.dtype}; "
                    "pass data.astype(float) if the numbers are meant to be real"
                )
            array = array.astype(float)
        self._node = Node(array, bool(requires_grad))
        self._view = None
        self.label = label

    # ------------------------------------------------------------------ what it is

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """The value as a read-only array, outside the graph.

        A leaf can be given another value of the same shape, outside the graph too: `w.data = w.data - step`
        is the same as `with no_grad(): w -= step`. What was computed from the old value stays as it is.
        """
        view = _asarray(self._node.data).view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, value: Any) -> None:
        if self._node.primitive is not None:
            raise TypeError(
                "data of a Tensor that was computed cannot be set; compute another, or set a leaf"
            )
        if np.shape(value) != self.shape:
            raise ValueError(f"data must have the Tensor's shape {self.shape}, got {np.shape(value)}")
        with no_grad():
            self[...] = value

    @property
    def grad(self) -> Any:
        """The gradient from every `backward` so far, summed; None where there was none."""
        return self._node.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            raise TypeError("grad can only be set to None, which clears it; backward() computes it")
        self._node.grad = None

    @property
    def label(self) -> str | None:
        """The name of this Tensor in pictures and messages."""
        return self._node.label

    @label.setter
    def label(self, value: str | None) -> None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"label must be a string or None, got {type(value).__name__}")
        self._node.label = value

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._node.data.ndim  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._node.data.size  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def itemsize(self) -> int:
        """The bytes of one entry."""
        return self._node.data.itemsize  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def nbytes(self) -> int:
        """The bytes of all entries."""
        return self._node.data.nbytes  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def device(self) -> str:
        """Always "cpu", as the array API wants it said."""
        return "cpu"

    @property
    def T(self) -> Tensor:  # noqa: N802  # NumPy's name
        """All axes reversed."""
        return self.transpose()  # type: ignore[no-any-return]  # what NumPy dispatches to is Any

    @property
    def mT(self) -> Tensor:  # noqa: N802  # NumPy's name
        """The last two axes swapped."""
        order = [*range(self.ndim - 2), self.ndim - 1, self.ndim - 2]
        return self.transpose(order)  # type: ignore[no-any-return]  # what NumPy dispatches to is Any

    # ------------------------------------------------------------------ leaving the graph

    def detach(self) -> Tensor:
        """The same value as a constant."""
        return tensor_of(Node(self._node.data, False))  # type: ignore[return-value]  # every handle is a Tensor

    def item(self) -> Any:
        """The one entry as a Python number; refused while a transform traces this Tensor."""
        if self._node.requires_grad and now().depth:
            raise _refuse("item")
        return self._node.data.item()

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers; refused while a transform traces this Tensor."""
        if self._node.requires_grad and now().depth:
            raise _refuse("tolist")
        return self._node.data.tolist()

    def _leave(self, action: str) -> Any:
        if self._node.requires_grad:
            raise _refuse(action)
        return self._node.data

    def __float__(self) -> float:
        return float(self._leave("float"))

    def __int__(self) -> int:
        return int(self._leave("int"))

    def __complex__(self) -> complex:
        return complex(self._leave("complex"))

    def __index__(self) -> int:
        return self._leave("operator.index").__index__()  # type: ignore[no-any-return]  # Node.data is Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        data = self._leave("numpy.asarray")
        # A copy even where none was asked for: the caller could write to it.
        return np.array(data, dtype=dtype, copy=True)

    def __bool__(self) -> bool:
        return bool(self._node.data)

    def backward(self, cotangent: Any = None, *, retain_graph: bool = True) -> None:
        """Fill in `grad` on every Tensor that this one was computed from.

        `cotangent` is the gradient that arrives at this Tensor, of its shape; it may be left out for one
        entry of a real dtype, where it is 1. Gradients add up over several calls; `zero_grad` clears them.

        The graph stays, so that it can be drawn or passed through again. `retain_graph=False` frees
        it as the pass goes and fills in `grad` on the leaves and on labelled Tensors only.

        Errors: ValueError for a cotangent of another shape or a missing one, TypeError where nothing
        requires a gradient, `OutOfGraphError` inside a transform, `GraphReleasedError` on a freed graph.
        """
        if now().depth:
            raise OutOfGraphError(
                "backward() inside a function that a transform (grad, vjp, ...) traces "
                "takes the value out of the graph: .grad is a constant there; use grad inside it"
            )
        backward(self, cotangent, retain_graph)

    def zero_grad(self) -> None:
        """Clear `grad` on this Tensor and on everything that it was computed from."""
        for node in ancestors([self._node]):
            node.grad = None

    # ------------------------------------------------------------------ how it looks

    def __repr__(self) -> str:
        node = self._node
        parts = [np.array2string(node.data, separator=", ", prefix="Tensor(")]
        if node.data.dtype != np.float64:
            parts.append(f"dtype={node.data.dtype}")
        if node.requires_grad:
            parts.append("requires_grad=True")
        if node.label is not None:
            parts.append(f"label={node.label!r}")
        return f"Tensor({', '.join(parts)})"

    def __str__(self) -> str:
        return str(self._node.data)

    def __format__(self, spec: str) -> str:
        return format(self._node.data[()], spec) if spec else str(self)

    # ------------------------------------------------------------------ containers

    def __len__(self) -> int:
        return len(self._node.data)

    def __iter__(self) -> Iterator[Tensor]:
        if self._node.data.ndim == 0:
            raise TypeError("iteration over a Tensor of shape ()")
        return (self[i] for i in range(len(self._node.data)))

    def __contains__(self, value: Any) -> bool:
        return bool((self._node.data == _plain(value)).any())

    def __getitem__(self, index: Any) -> Tensor:
        return getitem(self, index=own_index(index))  # type: ignore[no-any-return]  # a primitive returns Any

    def __setitem__(self, index: Any, value: Any) -> None:
        writes.put(self, own_index(index), value)

    def __delitem__(self, index: Any) -> None:
        raise TypeError("entries of a Tensor cannot be deleted; use numpy.delete for a new one")

    __hash__ = object.__hash__

    def __copy__(self) -> Tensor:
        return copied(self, order="C")  # type: ignore[no-any-return]  # a primitive returns Any

    def __reduce__(self) -> Any:
        if self._node.primitive is not None:
            raise TypeError("only a leaf Tensor can be pickled; use detach() for the value alone")
        return Tensor, (self._node.data, self.requires_grad, self.label)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node.primitive is not None:
            raise TypeError("only a leaf Tensor can be deep-copied; use detach() for the value alone")
        return Tensor(self, self.requires_grad, self.label)


def own_index(index: Any) -> Any:
    """`index` as a Tensor keeps it: arrays copied, because the backward pass reads them again."""
    kind = type(index)
    if kind is tuple:
        return tuple(own_index(part) for part in index)
    # Before SupportsIndex, a protocol, which Python 3.11 takes 15 µs to ask for.
    if kind is slice or kind is int or index is None or index is Ellipsis:
        return index
    if kind is Tensor:
        index = index._node.data
    if isinstance(index, _ndarray):
        return index.copy()
    if kind is list:
        return np.array(_plain(index)) if index else np.array([], dtype=np.intp)
    if isinstance(index, SupportsIndex | bool):
        return index
    raise TypeError(
        "a Tensor is indexed with integers, slices, ..., None, and arrays of integers or booleans, "
        f"got {kind.__name__}"
    )


def as_tensor(value: Any) -> Any:
    """`value` itself if it is a Tensor, else a constant Tensor with its value.

    Typed Any, because NumPy's stubs do not know what its functions return for a Tensor.
    """
    if type(value) is Tensor:
        return value
    return joined(value) if type(value) in (list, tuple) else Tensor(value)


def joined(value: Any) -> Any:
    """Nested lists of numbers, arrays and Tensors as one Tensor, their derivatives kept."""
    if not _has_tensors(value):
        return value if type(value) is Tensor else Tensor(value)
    parts = [joined(part) for part in value]
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        raise ValueError(f"entries of a list must have one shape, got {sorted(shapes)}")
    return np.stack(parts)


def _has_tensors(value: Any) -> bool:
    return type(value) in (list, tuple) and any(type(part) is Tensor or _has_tensors(part) for part in value)
