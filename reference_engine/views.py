"""Which Tensors look into the same memory, so that a write into one of them is seen by all, as in NumPy.

Values never change: a write makes a new value of the whole memory, and every handle that looks into it is
pointed at its part of that. `Memory` knows the value now and who looks; `View` how a handle looks: through a
chain of primitives, each of which has a `lens` that says what a new value of the part makes of the whole.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from reference_engine.nodes import Node
    from reference_engine.primitives import Primitive
    from reference_engine.tensor import Tensor

__all__ = ["Lens", "Memory", "View", "read_only", "track"]

Lens = Callable[..., Any]
"""`lens(whole, part, **params)` -> the whole once `part` is what `primitive(whole, **params)` gives."""


class Memory:
    """One piece of memory: its value now, and the Tensors that look into it."""

    __slots__ = ("_limit", "_seen", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self._seen: list[weakref.ref[Tensor]] = []
        self._limit = 8

    def add(self, tensor: Tensor) -> None:
        """Remember that `tensor` looks into this memory, for as long as somebody holds it."""
        if len(self._seen) >= self._limit:
            self._seen = [seen for seen in self._seen if seen() is not None]
            self._limit = 2 * len(self._seen) + 8
        self._seen.append(weakref.ref(tensor))

    def tensors(self) -> list[Tensor]:
        """Those that somebody still holds."""
        return [tensor for seen in self._seen if (tensor := seen()) is not None]


class View:
    """How a Tensor looks into a memory: as a whole, or through `primitive` at what `parent` shows."""

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


def track(primitive: Primitive, whole: Tensor, part: Tensor, params: dict[str, Any]) -> None:
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
    """The lens of a view that NumPy does not let anybody write to."""
    raise ValueError(
        "assignment destination is read-only: numpy.broadcast_to, diagonals, windows and numpy.einsum "
        "give views that cannot be written to; make a copy first"
    )
