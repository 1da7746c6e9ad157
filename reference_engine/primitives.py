"""The parts of a graph: nodes, handles on them, views of shared memory, and primitives.

These types refer to each other, so they share a file. A `Primitive` computes on arrays and makes a `Node` of
its result. A `Handle` is the user's object: always a `Tensor`, which is defined in a higher layer and
registers itself. Node and handle are separate objects, so the graph does not depend on which handles still
exist, and a write can point a handle at a newer node without changing what was computed from the older one.

Arrays that enter the graph are copied when they could still be written to from outside. That costs one pass
over the memory for each constant, about as much as the cheapest operation on it, and guarantees that no later
mutation silently changes a gradient.

Values never change: a write creates a new value of the whole memory, and every handle on it is pointed at its
part of that. `Memory` holds the current value and its handles; `View` is how a handle sees it: through a
chain of primitives, each with a `lens` that computes the new whole from a new value of the part.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference_engine.contexts import Context, now

__all__ = [
    "IMMUTABLE",
    "PICK",
    "Binary",
    "Handle",
    "Lens",
    "Memory",
    "Node",
    "Primitive",
    "Rule",
    "Unary",
    "View",
    "as_array",
    "free",
    "plain",
    "private",
    "read_only",
    "tensor_of",
    "value_of",
]

Rule = Callable[..., Any]
"""`rule(cotangent, result, *args, **params)` -> the cotangent of one argument."""

Lens = Callable[..., Any]
"""`lens(whole, part, **params)` -> the whole for which `primitive(whole, **params)` is `part`."""

IMMUTABLE = frozenset({int, float, complex, bool, type(None), str, *np.sctypeDict.values()})
"""Immutable types. The graph keeps their values without a copy."""

_ndarray = np.ndarray
_float64 = np.float64
_asarray = np.asarray
_new = object.__new__
_next_order = itertools.count().__next__

# ---------------------------------------------------------------------------- nodes and arrays


class Node:
    """One value of the graph and the operation that made it.

    `data` is the value: an array, or for shape `()` a NumPy scalar, with which arithmetic takes a tenth of
    the time (66 ns in place of 480); when its memory is accessed, it becomes an array. `order` grows with
    creation, so every argument of a node has a smaller one: sorting by it is a topological order. `params` of
    a leaf that a transform made says whether the transform is still running. `scope` is the name of the part
    of the computation in which it was made.
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


def private(array: Any) -> Any:
    """An array with the value of `array` that cannot be written to from outside the engine."""
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


def as_array(value: Any) -> Any:
    """`value` as a numeric ndarray, or a TypeError that describes it."""
    array = _asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"expected numbers (bool, integer, real or complex), got {type(value).__name__} "
            f"of dtype {array.dtype}"
        )
    return array


# ---------------------------------------------------------------------------- handles


class Handle:
    """A reference to a node, and to its view of shared memory, if any.

    `Tensor` is the one class derived from it. Primitives make objects of that class without importing it.
    """

    __slots__ = ("__weakref__", "_node", "_view")
    _node: Node
    _view: View | None

    def __init_subclass__(cls) -> None:
        global _Tensor
        if _Tensor is Handle:
            _Tensor = cls

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._node.data.shape  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return self._node.data.dtype  # type: ignore[no-any-return]  # Node.data is Any: a bundle holds a tuple

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this Tensor."""
        return self._node.requires_grad


_Tensor: type[Handle] = Handle
"""The class of every new handle. Comparing it by identity is faster than `isinstance`."""


def tensor_of(node: Node) -> Handle:
    """A Tensor that points at `node`."""
    tensor = _new(_Tensor)
    tensor._node = node
    tensor._view = None
    return tensor


def free(value: Any) -> Handle:
    """A constant that cancels in the result, such as the shift of a softmax.

    It may change with the inputs without making their derivatives wrong.
    """
    return tensor_of(Node(private(np.asarray(value))[()], False, params={"free": True}))


def plain(arg: Any) -> Any:
    """An argument of a node as the program passed it: a `free` constant as the array that it holds."""
    is_free = type(arg) is Node and arg.primitive is None and (arg.params or {}).get("free")
    return arg.data if is_free else arg


def value_of(value: Any) -> Any:
    """The plain array behind `value`, for decisions and masks that are constant in the derivative."""
    return value._node.data if type(value) is _Tensor else value


# ---------------------------------------------------------------------------- views


class Memory:
    """One piece of memory: its current value, and the Tensors that share it."""

    __slots__ = ("_limit", "_seen", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self._seen: list[weakref.ref[Handle]] = []
        self._limit = 8

    def add(self, tensor: Handle) -> None:
        """Remember, as long as `tensor` exists, that it shares this memory."""
        if len(self._seen) >= self._limit:
            self._seen = [seen for seen in self._seen if seen() is not None]
            self._limit = 2 * len(self._seen) + 8
        self._seen.append(weakref.ref(tensor))

    def tensors(self) -> list[Handle]:
        """Those that still exist."""
        return [tensor for seen in self._seen if (tensor := seen()) is not None]


class View:
    """How a Tensor sees a memory: as a whole, or through `primitive` applied to what `parent` shows."""

    __slots__ = ("memory", "params", "parent", "primitive")

    def __init__(
        self,
        memory: Memory,
        parent: View | None = None,
        primitive: Primitive | None = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        self.memory = memory
        self.parent = parent
        self.primitive = primitive
        self.params = params

    def chain(self) -> list[View]:
        """The views from the whole to this one, without the whole itself."""
        links: list[View] = []
        view = self
        while view.parent is not None:
            links.append(view)
            view = view.parent
        return links[::-1]


def track(primitive: Primitive, whole: Handle, part: Handle, params: dict[str, Any]) -> None:
    """Note that `part`, which is `primitive(whole, **params)`, shares memory with `whole`, if it does."""
    array, source = part._node.data, whole._node.data
    base = array.base
    if base is None or not (
        base is source
        or (source.base is not None and base is source.base)
        or np.may_share_memory(array, source)
    ):
        return
    view = whole._view
    if view is None:
        memory = Memory(whole._node)
        memory.add(whole)
        view = whole._view = View(memory)
    part._view = View(view.memory, view, primitive, params)
    view.memory.add(part)


def read_only(whole: Any, part: Any, **params: Any) -> Any:
    """The lens of a view that is read-only in NumPy."""
    raise ValueError(
        "assignment destination is read-only: numpy.broadcast_to, diagonals, windows and numpy.einsum "
        "give views that cannot be written to; make a copy first"
    )


# ---------------------------------------------------------------------------- primitives


class Primitive:
    """An operation with a rule: a call computes the result, and is recorded if a gradient is required.

    Positional arguments are the values (Tensors, arrays, numbers); keyword arguments are fixed parameters
    such as an axis. `forward(*arrays, **params)` computes on plain NumPy arrays. `rules` has one `Rule` or
    None (no derivative) per positional argument; a primitive of any number of arguments has one function
    `variadic(argnum, cotangent, result, *args, **params)` in its place. A rule may return its cotangent
    before the sum over broadcast axes: the engine fits shape and dtype to the argument.

    With `outputs=True`, `forward` returns a tuple; the rules then get a tuple of cotangents with None
    for each output that nothing depends on.

    `add_into(total, cotangent, **params)` may complement the rule of a primitive of one argument: it adds the
    rule's result to the array `total` in place, touching only the entries that are not zero. A primitive of
    one argument whose result may share memory with it needs a `lens` (see `View`).
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
        """Apply the operation; the result is a Tensor (or several) if any of `args` is one, else an array."""
        values = []
        kept: list[Any] = []
        traced = record = False
        for arg in args:
            if type(arg) is _Tensor:
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
                    if kind is not Node and kind not in IMMUTABLE:
                        values[i] = kept[i] = private(arg)
            else:
                context = None
        if self.lens is not None and type(args[0]) is _Tensor:
            return self._part(args[0], values, context, kept, params)
        result = self.forward(*values, **params)
        if self.outputs:
            return self._several(result, context, kept, params)
        return self._tensor(result, context, tuple(kept), params)

    def _tensor(
        self, result: Any, context: Context | None, args: tuple[Any, ...], params: dict[str, Any] | None
    ) -> Handle:
        """The Tensor of what `forward` gave; recorded unless `context` is None."""
        kind = type(result)
        if kind is not _float64:
            if kind is not _ndarray:
                result = _asarray(result)[()]
            elif not result.ndim:
                result = result[()]
        tensor = _new(_Tensor)
        tensor._view = None
        if context is None:
            tensor._node = Node(result, False)
            return tensor
        if kind is _float64 or result.dtype.kind in "fc":
            tensor._node = Node(result, True, self, args, params, context)
            if context.seen is not None:
                context.seen(tensor._node)
        else:
            tensor._node = Node(result, False)
        return tensor

    def _part(
        self,
        whole: Handle,
        values: list[Any],
        context: Context | None,
        kept: list[Any],
        params: dict[str, Any],
    ) -> Handle:
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
    ) -> tuple[Handle, ...]:
        results = tuple(_asarray(result)[()] for result in results)
        if context is None:
            return tuple(tensor_of(Node(result, False)) for result in results)
        bundle = Node(results, True, self, tuple(kept), params)
        if context.seen is not None:
            context.seen(bundle)
            results = bundle.data
        return tuple(
            tensor_of(Node(result, True, PICK, (bundle,), {"index": i}))
            if result.dtype.kind in "fc"
            else tensor_of(Node(result, False))
            for i, result in enumerate(results)
        )


class Unary(Primitive):
    """A primitive of one argument and no parameters, such as most ufuncs, as a shortcut."""

    __slots__ = ()

    def __call__(self, x: Any, /) -> Any:
        """The operation on `x`."""
        if type(x) is not _Tensor:
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
        if type(x) is _Tensor:
            a = x._node
            p = a.data
            record = a.requires_grad
            if type(y) is _Tensor:
                b = y._node
                q = b.data
                if b.requires_grad:
                    record = True
            else:
                b = q = y if type(y) in IMMUTABLE else _constant(y, record)
        elif type(y) is _Tensor:
            b = y._node
            q = b.data
            record = b.requires_grad
            a = p = x if type(x) in IMMUTABLE else _constant(x, record)
        else:
            return self.forward(x, y)
        if not (record and (context := now()).recording):
            return self._tensor(self.forward(p, q), None, (), None)
        result = self.forward(p, q)
        if type(result) is not _float64 or context.seen is not None:
            return self._tensor(result, context, (a, b), None)
        # `Node(...)` inlined: calling a class takes as long as the rest of the call, and graphs of numbers
        # consist of these.
        node = _new(Node)
        node.data = result
        node.requires_grad = True
        node.primitive = self
        node.args = (a, b)
        node.params = node.grad = node.label = None
        node.order = _next_order()
        node.scope = context.scope
        tensor = _new(_Tensor)
        tensor._view = None
        tensor._node = node
        return tensor


PICK = Primitive("pick", lambda bundle, *, index: bundle[index])
"""Joins each output of a primitive of several outputs to it; the backward pass knows it by identity."""


def _constant(value: Any, record: bool) -> Any:
    """The operand for `value`; a private copy if the operation will be recorded."""
    if record and now().recording:
        return private(value)
    # An operator would repeat a list as often as an integer says.
    return as_array(value) if type(value) in (list, tuple) else value
