"""Primitives, which compute on arrays and connect the nodes of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference_engine.contexts import Context, now
from reference_engine.nodes import IMMUTABLE, Node, as_array, next_order, private
from reference_engine.tensor import Tensor, tensor_of
from reference_engine.views import Lens, track

__all__ = ["PICK", "Binary", "Primitive", "Rule", "Unary"]

Rule = Callable[..., Any]
"""`rule(cotangent, result, *args, **params)` -> the cotangent of one argument."""

_ndarray = np.ndarray
_float64 = np.float64
_asarray = np.asarray
_new = object.__new__


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
                    if kind is not Node and kind not in IMMUTABLE:
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
                b = q = y if type(y) in IMMUTABLE else _constant(y, record)
        elif type(y) is Tensor:
            b = y._node
            q = b.data
            record = b.requires_grad
            a = p = x if type(x) in IMMUTABLE else _constant(x, record)
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
        node.order = next_order()
        node.scope = context.scope
        tensor = _new(Tensor)
        tensor._view = None
        tensor._node = node
        return tensor


PICK = Primitive("pick", lambda bundle, *, index: bundle[index])
"""Joins each output of a primitive of several outputs to it; the backward pass knows it by identity."""


def _constant(value: Any, record: bool) -> Any:
    """What an operator is given in place of `value`; its own copy if the operation will be recorded."""
    if record and now().recording:
        return private(value)
    # An operator would repeat a list as often as an integer says.
    return as_array(value) if type(value) in (list, tuple) else value
