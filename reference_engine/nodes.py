"""The nodes that the graph is made of, and the arrays that they keep.

Arrays that enter the graph are copied when they could still be written to from outside. That costs
one pass over the memory for each constant, about as much as the cheapest operation with it, and makes a
gradient that a later mutation has silently falsified impossible.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_engine.contexts import Context, now

if TYPE_CHECKING:
    from reference_engine.primitives import Primitive

__all__ = ["IMMUTABLE", "Node", "as_array", "next_order", "private"]

_ndarray = np.ndarray
_asarray = np.asarray
next_order = itertools.count().__next__

IMMUTABLE = frozenset({int, float, complex, bool, type(None), str, *np.sctypeDict.values()})
"""Types that nobody can change from outside, so that the graph may keep them as they are."""


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
        self.order = next_order()
        self.grad: Any = None
        self.label: str | None = None
        self.scope: str | None = now().scope if context is None else context.scope


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


def as_array(value: Any) -> Any:
    """`value` as a numeric ndarray, or a TypeError that says what came instead."""
    array = _asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"expected numbers (bool, integer, real or complex), got {type(value).__name__} "
            f"of dtype {array.dtype}"
        )
    return array
