"""The backward pass: one walk over the nodes in topological order, without recursion.

On plain arrays the rules run on NumPy alone and record nothing. If the gradient itself is differentiated, the
same rules run on Tensors, so the pass becomes part of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from reference_engine import operators
from reference_engine.contexts import no_grad, recording
from reference_engine.errors import GraphReleasedError, MissingRuleError
from reference_engine.primitives import PICK, Binary, Handle, Node, Primitive, Unary, tensor_of

__all__ = ["Tape", "ancestors", "backward", "fit"]

_by_order = attrgetter("order")
_ndarray = np.ndarray
_float64 = np.float64


def ancestors(roots: Iterable[Node], stop: frozenset[Node] = frozenset()) -> list[Node]:
    """Every node that requires a gradient and that `roots` depend on, themselves included.

    In topological order, arguments first. The walk does not go beyond the nodes in `stop`.
    """
    found = list(dict.fromkeys(root for root in roots if root.requires_grad))
    seen = set(found)
    for node in found:
        if stop and node in stop:
            continue
        if node.args is None:
            raise GraphReleasedError(
                "this graph was freed by an earlier backward(retain_graph=False); compute the value again, "
                "or keep the graph with retain_graph=True"
            )
        for arg in node.args:
            if type(arg) is Node and arg.requires_grad and arg not in seen:
                seen.add(arg)
                found.append(arg)
    found.sort(key=_by_order)
    return found


def is_live(leaf: Node) -> bool:
    """Whether the derivative with respect to `leaf` may still be requested.

    A user's leaf is always live. A leaf that a transform made is live while its function runs; afterwards it
    is a constant in any remaining graph.
    """
    return leaf.params is None or bool(leaf.params["live"])


def fit(cotangent: Any, like: np.ndarray[Any, Any]) -> Any:
    """`cotangent` in the shape and dtype of the value it belongs to.

    Broadcasting repeats a value, so its transpose sums; a cast to another dtype is undone by a cast, and
    the cotangent of a real value that was used as a complex one is its real part.
    """
    shape = like.shape
    if cotangent.shape != shape:
        extra = cotangent.ndim - len(shape)
        if extra > 0:
            cotangent = np.sum(cotangent, axis=tuple(range(extra)))
        axes = tuple(i for i, n in enumerate(cotangent.shape) if n != 1 and shape[i - cotangent.ndim] == 1)
        if axes:
            cotangent = np.sum(cotangent, axis=axes, keepdims=True)
        if cotangent.shape != shape:
            cotangent = np.broadcast_to(cotangent, shape)
    if cotangent.dtype != like.dtype:
        if cotangent.dtype.kind == "c" and like.dtype.kind != "c":
            cotangent = np.real(cotangent)
        if cotangent.dtype != like.dtype:
            cotangent = operators.astype(cotangent, dtype=like.dtype)
    return cotangent


def _rule(primitive: Primitive, argnum: int) -> Callable[..., Any] | None:
    if primitive.variadic is not None:
        variadic = primitive.variadic
        return lambda cotangent, result, *args, **params: variadic(argnum, cotangent, result, *args, **params)
    rules = primitive.rules
    return rules[argnum] if argnum < len(rules) else None


def _add_pick(pending: dict[Node, Any], node: Node, cotangent: Any) -> None:
    assert node.args is not None
    assert node.params is not None
    bundle = node.args[0]
    slots = pending.get(bundle)
    if slots is None:
        slots = pending[bundle] = [None] * len(bundle.data)
    index = node.params["index"]
    slots[index] = cotangent if slots[index] is None else slots[index] + cotangent


def _picks(bundle: Node) -> tuple[Handle, ...]:
    return tuple(
        tensor_of(Node(data, data.dtype.kind in "fc", PICK, (bundle,), {"index": i}))
        for i, data in enumerate(bundle.data)
    )


def _add_into(
    primitive: Primitive, node: Node, cotangent: Any, pending: dict[Node, Any], owned: set[Node]
) -> None:
    """Add the cotangent of one entry or slice to the cotangent of the whole, in place.

    Otherwise a program that reads n entries one by one would make n arrays of n entries each.
    """
    assert node.args is not None
    arg = node.args[0]
    held = pending.get(arg)
    if held is None or arg not in owned:
        held = pending[arg] = np.zeros_like(arg.data) if held is None else np.array(held)
        owned.add(arg)
    assert primitive.add_into is not None
    primitive.add_into(held, cotangent, **(node.params or {}))


def _step(
    node: Node,
    cotangent: Any,
    pending: dict[Node, Any],
    needed: set[Node] | None,
    owned: set[Node] | None,
) -> None:
    """Pass the `cotangent` of `node` on to its arguments.

    `owned` are the nodes whose pending cotangent is an array of this pass alone, which may be added to in
    place; None for a pass that is itself recorded.
    """
    primitive = node.primitive
    if primitive is PICK:
        _add_pick(pending, node, cotangent)
        return
    args = node.args
    assert primitive is not None
    assert args is not None
    if owned is None:
        values = [tensor_of(arg) if type(arg) is Node else arg for arg in args]
        result = _picks(node) if primitive.outputs else tensor_of(node)
    elif primitive.add_into is not None and args[0].data.ndim:
        if needed is None or args[0] in needed:
            _add_into(primitive, node, cotangent, pending, owned)
        return
    else:
        values = [arg.data if type(arg) is Node else arg for arg in args]
        result = node.data
    params = node.params or {}
    rules = primitive.rules
    for i, arg in enumerate(args):
        if type(arg) is not Node or not arg.requires_grad or (needed is not None and arg not in needed):
            continue
        rule = rules[i] if i < len(rules) else _rule(primitive, i)
        if rule is None:
            raise _no_derivative(primitive, i)
        _give(arg, rule(cotangent, result, *values, **params), pending, owned)


def _no_derivative(primitive: Primitive, argnum: int) -> MissingRuleError:
    return MissingRuleError(
        f"{primitive.name} has no derivative with respect to its argument number {argnum}; pass a "
        "constant there "
        "(tensor.detach()), or define a primitive with that rule through reference_engine.extend"
    )


def _step_unary(
    node: Node, cotangent: Any, pending: dict[Node, Any], needed: set[Node] | None, owned: set[Node]
) -> None:
    """`_step` on plain values through a function of one argument: no lists, no keywords."""
    primitive: Any = node.primitive
    args: Any = node.args
    (arg,) = args
    if needed is None or arg in needed:
        (rule,) = primitive.rules
        if rule is None:
            raise _no_derivative(primitive, 0)
        _give(arg, rule(cotangent, node.data, arg.data), pending, owned)


def _step_binary(
    node: Node, cotangent: Any, pending: dict[Node, Any], needed: set[Node] | None, owned: set[Node]
) -> None:
    """`_step` on plain values through a function of two arguments."""
    primitive: Any = node.primitive
    args: Any = node.args
    a, b = args
    x, y = a, b
    to_a = to_b = False
    if type(a) is Node:
        x = a.data
        to_a = a.requires_grad
    if type(b) is Node:
        y = b.data
        to_b = b.requires_grad
    result = node.data
    first, second = primitive.rules
    # The same twice, with the common case of `_give` inlined: a call costs as much as a rule on numbers.
    if to_a and (needed is None or a in needed):
        if first is None:
            raise _no_derivative(primitive, 0)
        share = first(cotangent, result, x, y)
        if type(share) is _float64 is type(x):
            pending[a] = pending[a] + share if a in pending else share
        else:
            _give(a, share, pending, owned)
    if to_b and (needed is None or b in needed):
        if second is None:
            raise _no_derivative(primitive, 1)
        share = second(cotangent, result, x, y)
        if type(share) is _float64 is type(y):
            pending[b] = pending[b] + share if b in pending else share
        else:
            _give(b, share, pending, owned)


# Shortcuts for passes over plain values.
_STEPS: dict[Any, Callable[..., None]] = {Unary: _step_unary, Binary: _step_binary}


def _give(arg: Node, share: Any, pending: dict[Node, Any], owned: set[Node] | None) -> None:
    """Add `share` to what is pending for `arg`."""
    like = arg.data
    if type(share) is not _ndarray or share.shape != like.shape or share.dtype is not like.dtype:
        share = fit(share, like)
    held = pending.get(arg)
    if held is None:
        pending[arg] = share
    elif owned is None or type(like) is not _ndarray or not like.ndim:
        pending[arg] = held + share
    elif arg in owned:
        held += share
    else:
        pending[arg] = held + share
        owned.add(arg)


def backward(tensor: Handle, cotangent: Any, retain_graph: bool) -> None:
    """`Tensor.backward`."""
    root = tensor._node
    data = root.data
    if not root.requires_grad:
        raise TypeError(
            "backward() on a Tensor that depends on no input requiring a gradient: "
            "make the inputs with Tensor(..., requires_grad=True)"
        )
    if cotangent is None:
        if data.size != 1 or data.dtype.kind == "c":
            raise ValueError(
                f"backward() needs cotangent for a Tensor of shape {data.shape} and dtype {data.dtype}; "
                "only one real entry has the natural cotangent 1"
            )
        start = np.ones_like(data)[()]
    else:
        start = check_cotangent(cotangent, data)
    nodes = ancestors([root])
    pending: dict[Node, Any] = {root: start}
    owned: set[Node] = set()
    with no_grad():
        while nodes:
            node = nodes.pop()
            total = pending.pop(node, None)
            if total is None:
                continue
            primitive = node.primitive
            if retain_graph or primitive is None or node.label is not None:
                if type(total) is _float64:
                    held = node.grad
                    node.grad = total if held is None else held + total
                elif type(node.data) is not tuple:
                    keep_gradient(node, total)
            if primitive is not None:
                if type(primitive) is Binary:
                    _step_binary(node, total, pending, None, owned)
                else:
                    step: Callable[..., None] = _STEPS.get(type(primitive), _step)
                    step(node, total, pending, None, owned)
                if not retain_graph:
                    node.args = None


def keep_gradient(node: Node, cotangent: np.ndarray[Any, Any]) -> None:
    """Add `cotangent` to the node's gradient, read-only because several nodes may share the memory."""
    total = cotangent if node.grad is None else node.grad + cotangent
    total = total[()]
    if total.ndim:
        total.flags.writeable = False
    node.grad = total


def check_cotangent(cotangent: Any, data: np.ndarray[Any, Any], name: str = "cotangent") -> Any:
    """`cotangent` as a private array or a Tensor that fits `data`, or an error that says what would fit."""
    shape = np.shape(cotangent)
    if shape != data.shape:
        raise ValueError(f"{name} must have the value's shape {data.shape}, got {shape}")
    if not isinstance(cotangent, Handle):
        cotangent = np.array(cotangent)
    if cotangent.dtype.kind not in "biufc":
        raise TypeError(f"{name} must be real or complex numbers, got dtype {cotangent.dtype}")
    if cotangent.dtype.kind == "c" and data.dtype.kind != "c":
        raise TypeError(f"{name} must be real like the value, got dtype {cotangent.dtype}")
    return operators.astype(cotangent, dtype=data.dtype)


class Tape:
    """The nodes of backward passes from `outputs` to `inputs`, for any number of passes.

    With `differentiable=None` a pass is recorded if it depends on something traced besides `inputs`: an outer
    transform's argument, a Tensor from outside, the cotangents, or the sources of `inputs` themselves;
    `foreign` reports all of these except the cotangents.
    """

    def __init__(self, outputs: Sequence[Node], inputs: Sequence[Node]) -> None:
        self.outputs = outputs
        self.inputs = inputs
        self._sources = frozenset(inputs)
        nodes = ancestors(outputs, self._sources)
        self.foreign = any(node.primitive is not None for node in self._sources) or any(
            node.primitive is None and node not in self._sources and is_live(node) for node in nodes
        )
        needed = self._needed = set(self._sources)
        self._nodes = []
        for node in nodes:
            if node not in needed:
                # Not any() over a generator, which takes three times as long.
                for arg in node.args or ():
                    if type(arg) is Node and arg in needed:
                        needed.add(node)
                        break
                else:
                    continue
            self._nodes.append(node)

    def pull(self, cotangents: Sequence[Any], differentiable: bool | None = None) -> list[Any]:
        """The cotangents of the inputs given those of the outputs; None for one that nothing depends on."""
        if differentiable is None:
            differentiable = self.foreign or any(
                isinstance(c, Handle) and c.requires_grad for c in cotangents
            )
        pending: dict[Node, Any] = {}
        for node, cotangent in zip(self.outputs, cotangents, strict=True):
            if node in self._needed:
                if not differentiable and isinstance(cotangent, Handle):
                    cotangent = cotangent._node.data
                elif differentiable and not isinstance(cotangent, Handle):
                    cotangent = tensor_of(Node(cotangent, False))
                held = pending.get(node)
                pending[node] = cotangent if held is None else held + cotangent
        found: dict[Node, Any] = {}
        owned: set[Node] | None = None if differentiable else set()
        with recording() if differentiable else no_grad():
            for node in reversed(self._nodes):
                total = pending.pop(node, None)
                if total is None:
                    continue
                if node in self._sources:
                    found[node] = total
                elif owned is None:
                    _step(node, total, pending, self._needed, None)
                else:
                    step: Callable[..., None] = _STEPS.get(type(node.primitive), _step)
                    step(node, total, pending, self._needed, owned)
        return [found.get(node) for node in self.inputs]
