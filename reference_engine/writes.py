"""Writing into Tensors: `t[index] = value`, `t += x`, `out=`.

No value ever changes. A write computes the new value of the whole memory, and points the Tensor, and every
other one that shares the memory, at its part of that; earlier results do not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine import operators
from reference_engine.contexts import now
from reference_engine.errors import OutOfGraphError
from reference_engine.primitives import Handle, Node, View, as_array, tensor_of

__all__ = ["cast", "put", "replace"]


def put(tensor: Handle, index: Any, value: Any) -> None:
    """`tensor[index] = value`; `index` as a Tensor keeps it."""
    if _is_own_part(tensor, index, value):
        return
    value = cast(value, tensor.dtype)
    _move(tensor, operators.index_put(tensor, value, index=index, accumulate=False))


def replace(tensor: Handle, result: Any) -> None:
    """Write `result`, an operation's outcome, over the whole of `tensor`, as NumPy writes into `out=`."""
    dtype = tensor.dtype
    if result.shape != tensor.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {tensor.shape} doesn't match the broadcast shape "
            f"{result.shape}"
        )
    if not np.can_cast(result.dtype, dtype, casting="same_kind"):
        raise TypeError(
            f"cannot write a result of dtype {result.dtype} into a Tensor of dtype {dtype}; "
            "use the result itself, or astype"
        )
    if isinstance(result, Handle):
        _move(tensor, operators.astype(result, dtype=dtype))
    else:
        _move(tensor, type(tensor)(result))  # type: ignore[call-arg]  # every handle is a Tensor


def _is_own_part(tensor: Handle, index: Any, value: Any) -> bool:
    """Whether `value` is `tensor[index]`: after `u[1:] += x` Python assigns the view to its own place."""
    if not isinstance(value, Handle) or value._view is None or value._view.parent is None:
        return False
    view = value._view
    return (
        view.parent is tensor._view
        and view.primitive is operators.getitem
        and view.params is not None
        and _same(view.params["index"], index)
    )


def _same(a: Any, b: Any) -> bool:
    if type(a) is tuple and type(b) is tuple:
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and type(a) is not np.ndarray and bool(a == b)


def cast(value: Any, dtype: np.dtype[Any]) -> Any:
    """`value` in the dtype of what it is written into, as an assignment casts it."""
    if not isinstance(value, Handle):
        value = as_array(value)
    if value.dtype.kind == "c" and dtype.kind != "c":
        raise TypeError(
            f"cannot write complex values into a Tensor of dtype {dtype}: the imaginary part would be lost; "
            "take the real part first"
        )
    return value if value.dtype == dtype else operators.astype(value, dtype=dtype)


def _move(tensor: Handle, result: Handle) -> None:
    """Point `tensor` at the value of `result`, and all Tensors that share its memory at their parts of it."""
    view = tensor._view
    whole = tensor._node if view is None else view.memory.node
    is_leaf = whole.requires_grad and whole.primitive is None and whole.params is None
    if is_leaf and now().recording:
        raise OutOfGraphError(
            "a leaf that requires a gradient cannot be written to: its gradient is asked for at the value "
            "that it had. Write into a copy (tensor.copy()), or update it inside `with no_grad():`"
        )
    written = result if view is None else _whole_after(view, result)
    if written._node.data.strides != whole.data.strides:
        # The layout of the memory stays, because it decides when reshape and ravel return a view.
        written = operators.index_put(tensor_of(whole), written, index=Ellipsis, accumulate=False)
    after = _leaf_again(written._node, whole) if is_leaf else written._node
    if view is None:
        _point(tensor, after)
        return
    view.memory.node = after
    for other in view.memory.tensors():
        assert other._view is not None
        _point(other, _look(other._view, after))


def _whole_after(view: View, part: Handle) -> Handle:
    """The value of the whole memory after `part` replaces what `view` shows."""
    chain = view.chain()
    if not chain:
        return part
    levels = [tensor_of(view.memory.node)]
    for link in chain[:-1]:
        assert link.primitive is not None
        levels.append(link.primitive(levels[-1], **(link.params or {})))
    for link, level in zip(reversed(chain), reversed(levels), strict=True):
        assert link.primitive is not None
        assert link.primitive.lens is not None
        part = link.primitive.lens(level, part, **(link.params or {}))
    return part


def _look(view: View, whole: Node) -> Node:
    """What `view` shows of a memory with the value `whole`."""
    tensor = tensor_of(whole)
    for link in view.chain():
        assert link.primitive is not None
        tensor = link.primitive(tensor, **(link.params or {}))
    return tensor._node


def _point(tensor: Handle, node: Node) -> None:
    node.label = tensor._node.label
    tensor._node = node


def _leaf_again(node: Node, before: Node) -> Node:
    """A leaf with the value of `node` in place of the leaf `before`, as after an optimiser's step."""
    leaf = Node(node.data, True)
    leaf.grad = before.grad
    return leaf
