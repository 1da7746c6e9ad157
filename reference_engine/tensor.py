"""Tensors, the nodes behind them, and the primitives that connect the nodes.

A `Tensor` is a handle that a person holds; a `Node` is what the graph is made of. They are two
objects so that the graph never depends on who still holds a handle, and so that a handle can be
pointed at a newer node without the older node's users noticing.

Arrays that enter the graph are copied when they could still be written to from outside. That costs
one pass over the memory for each constant, about as much as the cheapest operation with it, and makes a
gradient that a later mutation has silently falsified impossible.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, final

import numpy as np

from reference_engine import numpy_front
from reference_engine.contexts import Context, no_grad, now
from reference_engine.errors import OutOfGraphError
from reference_engine.views import Lens, View, track

__all__ = ["Binary", "Node", "Primitive", "Rule", "Tensor", "Unary", "as_tensor"]

Rule = Callable[..., Any]
"""`rule(cotangent, result, *args, **params)` -> the cotangent of one argument."""

_ndarray = np.ndarray
_float64 = np.float64
_asarray = np.asarray
_next_order = itertools.count().__next__

# Types that nobody can change from outside, so that the graph may keep them as they are.
_IMMUTABLE = frozenset({int, float, complex, bool, type(None), str, *np.sctypeDict.values()})


class Node:
    """One value of the graph and the operation that made it.

    `data` is the value: an array, or for shape `()` a NumPy scalar, with which arithmetic takes a tenth of
    the time (66 ns in place of 480); where something looks into its memory it is an array all the same.
    `order` grows with creation, so that every argument of a node has a smaller one: sorting by it is
    a topological order. `params` of a leaf that a transform made says whether that is still running.
    `scope` is the name of the part of the computation that it was made in.
    """

    __slots__ = ("args", "data", "grad", "label", "order", "params", "primitive", "requires_grad", "scope")

    def __init__(
        self,
        data: Any,
        requires_grad: bool,
        primitive: Primitive | None = None,
        args: tuple[Any, ...] | None = (),
        params: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        self.data = data
        self.requires_grad = requires_grad
        self.primitive = primitive
        self.args = args
        self.params = params
        self.order = _next_order()
        self.grad: Any = None
        self.label: str | None = None
        self.scope: str | None = now().scope if context is None else context.scope


class Primitive:
    """An operation with a rule: calling it computes, and records the call where a gradient is wanted.

    Positional arguments are the values (Tensors, arrays, numbers); keyword arguments are fixed
    parameters such as an axis. `forward(*arrays, **params)` computes on plain NumPy arrays. `rules`
    has one `Rule` or None (no derivative) per positional argument; a primitive of any number of arguments
    gives one function `variadic(argnum, cotangent, result, *args, **params)` in its place. A rule may return
    its cotangent before the sum over broadcast axes: the engine fits shape and dtype to the argument.

    With `outputs=True`, `forward` returns a tuple; the rules then get a tuple of cotangents with None
    for each output that nothing depends on.

    `add_into(total, cotangent, **params)` may stand beside the rule of a primitive of one argument: it adds
    what that rule gives to the array `total` in place, touching only the entries that are not zero. A
    primitive of one argument whose result may share memory with it needs a `lens` (see `views`).
    """

    __slots__ = ("add_into", "forward", "lens", "name", "outputs", "rules", "variadic")

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        rules: Sequence[Rule | None] = (),
        *,
        variadic: Callable[..., Any] | None = None,
        outputs: bool = False,
        add_into: Callable[..., None] | None = None,
        lens: Lens | None = None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.rules = tuple(rules)
        self.variadic = variadic
        self.outputs = outputs
        self.add_into = add_into
        self.lens = lens

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The operation on `args`: a Tensor (or a tuple of them) if one of them is one, else an array."""
        values = []
        kept: list[Any] = []
        traced = record = False
        for arg in args:
            if type(arg) is Tensor:
                node = arg._node
                traced = True
                if node.requires_grad:
                    record = True
                values.append(node.data)
                kept.append(node)
            else:
                values.append(arg)
                kept.append(arg)
        if not traced:
            return self.forward(*args, **params)
        context = now() if record else None
        if context is not None:
            if context.recording:
                for i, arg in enumerate(kept):
                    kind = type(arg)
                    if kind is not Node and kind not in _IMMUTABLE:
                        values[i] = kept[i] = private(arg)
            else:
                context = None
        if self.lens is not None and type(args[0]) is Tensor:
            return self._part(args[0], values, context, kept, params)
        result = self.forward(*values, **params)
        if self.outputs:
            return self._several(result, context, kept, params)
        return self._tensor(result, context, tuple(kept), params)

    def _tensor(
        self, result: Any, context: Context | None, args: tuple[Any, ...], params: dict[str, Any] | None
    ) -> Tensor:
        """The Tensor of what `forward` gave; recorded unless `context` is None."""
        kind = type(result)
        if kind is not _float64:
            if kind is not _ndarray:
                result = _asarray(result)[()]
            elif not result.ndim:
                result = result[()]
        tensor = _new(Tensor)
        tensor._view = None
        if context is None:
            tensor._node = Node(result, False)
            return tensor
        if context.disturb is not None:
            result = context.disturb(self.name, result)[()]
        if kind is _float64 or result.dtype.kind in "fc":
            tensor._node = Node(result, True, self, args, params, context)
        else:
            tensor._node = Node(result, False)
        return tensor

    def _part(
        self,
        whole: Tensor,
        values: list[Any],
        context: Context | None,
        kept: list[Any],
        params: dict[str, Any],
    ) -> Tensor:
        """The Tensor of a part that may share memory with `whole`."""
        if type(values[0]) is not _ndarray:
            values[0] = whole._node.data = _asarray(values[0])
        result = self.forward(*values, **params)
        part = self._tensor(result, context, tuple(kept), params)
        if type(result) is _ndarray and result.base is not None:
            if not result.ndim:
                part._node.data = result
            track(self, whole, part, params)
        return part

    def _several(
        self, results: tuple[Any, ...], context: Context | None, kept: list[Any], params: dict[str, Any]
    ) -> tuple[Tensor, ...]:
        results = tuple(_asarray(result)[()] for result in results)
        if context is not None and context.disturb is not None:
            results = tuple(context.disturb(self.name, result)[()] for result in results)
        if context is None:
            return tuple(tensor_of(Node(result, False)) for result in results)
        bundle = Node(results, True, self, tuple(kept), params)
        return tuple(
            tensor_of(Node(result, True, PICK, (bundle,), {"index": i}))
            if result.dtype.kind in "fc"
            else tensor_of(Node(result, False))
            for i, result in enumerate(results)
        )


class Unary(Primitive):
    """A primitive of one argument and no parameters, such as most ufuncs: the same by a shorter way."""

    __slots__ = ()

    def __call__(self, x: Any, /) -> Any:
        """The operation on `x`."""
        if type(x) is not Tensor:
            return self.forward(x)
        node = x._node
        if node.requires_grad and (context := now()).recording:
            return self._tensor(self.forward(node.data), context, (node,), None)
        return self._tensor(self.forward(node.data), None, (), None)


class Binary(Primitive):
    """A primitive of two arguments and no parameters, such as the arithmetic ones."""

    __slots__ = ()

    def __call__(self, x: Any, y: Any, /) -> Any:
        """The operation on `x` and `y`."""
        if type(x) is Tensor:
            a = x._node
            p = a.data
            record = a.requires_grad
            if type(y) is Tensor:
                b = y._node
                q = b.data
                if b.requires_grad:
                    record = True
            else:
                b = q = y if type(y) in _IMMUTABLE else _constant(y, record)
        elif type(y) is Tensor:
            b = y._node
            q = b.data
            record = b.requires_grad
            a = p = x if type(x) in _IMMUTABLE else _constant(x, record)
        else:
            return self.forward(x, y)
        if not (record and (context := now()).recording):
            return self._tensor(self.forward(p, q), None, (), None)
        result = self.forward(p, q)
        if type(result) is not _float64 or context.disturb is not None:
            return self._tensor(result, context, (a, b), None)
        # `Node(...)` written out: Python's call of a class takes as long as all that the call does, and this
        # is what a graph of numbers is made of.
        node = _new(Node)
        node.data = result
        node.requires_grad = True
        node.primitive = self
        node.args = (a, b)
        node.params = node.grad = node.label = None
        node.order = _next_order()
        node.scope = context.scope
        tensor = _new(Tensor)
        tensor._view = None
        tensor._node = node
        return tensor


PICK = Primitive("pick", lambda bundle, *, index: bundle[index])
"""Joins each output of a primitive of several outputs to it; the backward pass knows it by identity."""


def private(array: Any) -> Any:
    """An array with the value of `array` that nobody outside the engine can write to."""
    if not isinstance(array, _ndarray):
        array = as_array(array)
    elif type(array) is not _ndarray:
        raise TypeError(
            f"a {type(array).__name__} cannot take part in a traced computation: its own rules for "
            "arithmetic would be lost; pass a plain numpy.ndarray"
        )
    if not array.flags.writeable and array.base is None:
        return array
    # In the same layout, which decides what reshape and ravel give a view of.
    array = array.copy(order="K")
    array.flags.writeable = False
    return array


def _constant(value: Any, record: bool) -> Any:
    """What an operator is given in place of `value`; its own copy if the operation will be recorded."""
    if record and now().recording:
        return private(value)
    # An operator would repeat a list as often as an integer says.
    return as_array(value) if type(value) in (list, tuple) else value


def as_array(value: Any) -> Any:
    """`value` as a numeric ndarray, or a TypeError that says what came instead."""
    array = _asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"expected numbers (bool, integer, real or complex), got {type(value).__name__} "
            f"of dtype {array.dtype}"
        )
    return array


def _refuse(action: str) -> OutOfGraphError:
    return OutOfGraphError(
        f"{action} takes the value out of the graph, and its derivative would be lost. For a function of the "
        "math module use NumPy's: math.sin -> use numpy.sin. For one of scipy.linalg or scipy.special use "
        "the one in reference_engine.scipy. For the value alone use tensor.detach()."
    )


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
class Tensor:
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

    __slots__ = ("__weakref__", "_node", "_view")
    _node: Node
    _view: View | None

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
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this Tensor."""
        return self._node.requires_grad

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
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._node.data.shape  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return self._node.data.dtype  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

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
        return tensor_of(Node(self._node.data, False))

    def item(self) -> Any:
        """The one entry as a Python number; refused while a transform traces this Tensor."""
        if self._node.requires_grad and now().depth:
            raise _refuse("item()")
        return self._node.data.item()

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers; refused while a transform traces this Tensor."""
        if self._node.requires_grad and now().depth:
            raise _refuse("tolist()")
        return self._node.data.tolist()

    def _leave(self, action: str) -> Any:
        if self._node.requires_grad:
            raise _refuse(action)
        return self._node.data

    def __float__(self) -> float:
        return float(self._leave("float()"))

    def __int__(self) -> int:
        return int(self._leave("int()"))

    def __complex__(self) -> complex:
        return complex(self._leave("complex()"))

    def __index__(self) -> int:
        return self._leave("use as an index").__index__()  # type: ignore[no-any-return]  # Node.data is Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        data = self._leave("conversion to a NumPy array")
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
        from reference_engine import graph  # graph is built on this module

        if now().depth:
            raise OutOfGraphError(
                "backward() inside a function that a transform (grad, vjp, ...) traces "
                "takes the value out of the graph: .grad is a constant there; use grad inside it"
            )
        graph.backward(self, cotangent, retain_graph)

    def zero_grad(self) -> None:
        """Clear `grad` on this Tensor and on everything that it was computed from."""
        from reference_engine import graph  # graph is built on this module

        for node in graph.ancestors([self._node]):
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
        return operators["getitem"](self, index=_own_index(index))  # type: ignore[no-any-return]  # see operators

    def __setitem__(self, index: Any, value: Any) -> None:
        from reference_engine import writes  # writes is built on this module

        writes.put(self, _own_index(index), value)

    def __delitem__(self, index: Any) -> None:
        raise TypeError("entries of a Tensor cannot be deleted; use numpy.delete for a new one")

    __hash__ = object.__hash__

    def __copy__(self) -> Tensor:
        return operators["copy"](self, order="C")  # type: ignore[no-any-return]  # see operators

    def __reduce__(self) -> Any:
        if self._node.primitive is not None:
            raise TypeError("only a leaf Tensor can be pickled; use detach() for the value alone")
        return Tensor, (self._node.data, self.requires_grad, self.label)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node.primitive is not None:
            raise TypeError("only a leaf Tensor can be deep-copied; use detach() for the value alone")
        return Tensor(self, self.requires_grad, self.label)

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
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __radd__(self, other: Any) -> Any:
        return (
            operators["add"](other, self)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __sub__(self, other: Any) -> Any:
        return (
            operators["subtract"](self, other)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rsub__(self, other: Any) -> Any:
        return (
            operators["subtract"](other, self)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __mul__(self, other: Any) -> Any:
        return (
            operators["multiply"](self, other)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rmul__(self, other: Any) -> Any:
        return (
            operators["multiply"](other, self)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __truediv__(self, other: Any) -> Any:
        return (
            operators["divide"](self, other)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rtruediv__(self, other: Any) -> Any:
        return (
            operators["divide"](other, self)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
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
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __rpow__(self, other: Any) -> Any:
        return (
            operators["power"](other, self)
            if type(other) is Tensor or type(other) in _QUICK or _operand(other)
            else NotImplemented
        )

    def __matmul__(self, other: Any) -> Any:
        return operators["matmul"](self, other) if _operand(other) else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        return operators["matmul"](other, self) if _operand(other) else NotImplemented

    def __neg__(self) -> Tensor:
        return operators["negative"](self)  # type: ignore[no-any-return]  # see operators

    def __pos__(self) -> Tensor:
        return operators["positive"](self)  # type: ignore[no-any-return]  # see operators

    def __abs__(self) -> Tensor:
        return operators["absolute"](self)  # type: ignore[no-any-return]  # see operators

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

    def copy(self, order: str = "C") -> Tensor:
        """As `numpy.ndarray.copy`: the same value and the same gradient, in memory of its own."""
        return operators["copy"](self, order=order)  # type: ignore[no-any-return]  # see operators

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
    def flat(self) -> Iterator[Tensor]:
        """The entries one by one, in C order."""
        return iter(self.reshape(-1))


operators: dict[str, Callable[..., Any]] = {}
"""The primitives behind the operators, by name. Filled in by `rules`, which are built on this module."""

_OPERANDS = (int, float, complex, np.ndarray, np.generic, Tensor, list, tuple)


_QUICK = frozenset({Tensor, float, int, np.ndarray, np.float64})


def _operand(value: Any) -> bool:
    """Whether an operator knows what to do with `value`; if not, the other side is asked."""
    return type(value) in _QUICK or isinstance(value, _OPERANDS)


def _in_place(tensor: Tensor, name: str, other: Any) -> Any:
    """`tensor += other` and its kin: a new value for a number, a write for an array, as NumPy has it."""
    if not _operand(other):
        return NotImplemented
    result = operators[name](tensor, other)
    if tensor._node.data.ndim == 0:
        return result
    from reference_engine import writes  # writes is built on this module

    writes.replace(tensor, result)
    return tensor


def _own_index(index: Any) -> Any:
    """`index` as a Tensor keeps it: arrays copied, because the backward pass reads them again."""
    kind = type(index)
    if kind is tuple:
        return tuple(_own_index(part) for part in index)
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


def _method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"As `numpy.{function.__name__}` with this Tensor as its first argument."
    return method


# ndarray's methods that take the same arguments as the function of that name.
for _name, _function in {
    **{
        name: getattr(np, name)
        for name in [
            "all",
            "any",
            "argmax",
            "argmin",
            "argpartition",
            "argsort",
            "choose",
            "clip",
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
        ]
    },
    "conj": np.conjugate,
    "conjugate": np.conjugate,
}.items():
    setattr(Tensor, _name, _method(_name, _function))

_new = object.__new__


def tensor_of(node: Node) -> Tensor:
    """A handle on `node`."""
    tensor = _new(Tensor)
    tensor._node = node
    tensor._view = None
    return tensor


def as_tensor(value: Any) -> Any:
    """`value` itself if it is a Tensor, else a constant Tensor with its value.

    Typed Any, because NumPy's stubs do not know what its functions return for a Tensor.
    """
    return value if type(value) is Tensor else Tensor(value)
