"""Take nested containers apart into named leaves, and rebuild them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.frameworks.registry import children_of, owner, parts_of

#: Returns what replaces a module, given the arrays that it should hold, by name.
Hold = Callable[[Framework, Any, dict[str, Any]], Any]
Rebuild = Callable[[Iterator[Any], Hold], Any]


def itself(framework: Framework, module: Any, parts: dict[str, Any]) -> Any:
    """Leave a module as it is; a `Hold`."""
    return module


def as_dict(framework: Framework, module: Any, parts: dict[str, Any]) -> Any:
    """Put a dict of its arrays in the place of a module; a `Hold`."""
    return parts


class Tree:
    """One nested object as leaves in a fixed order.

    ``names[i]`` is the Python expression that leads from ``root`` to ``leaves[i]``, as in user code: ``x``,
    ``x[0]``, ``params['w']``, ``state.velocity``, ``layer.weight``. ``owners[i]`` is the leaf's framework,
    None for a leaf that is not an array. Containers are tuples, named tuples, lists, dicts, what a framework
    has registered as one, dataclass instances and modules of a framework (whose parameters and buffers are
    their leaves); everything else is a leaf.
    """

    def __init__(self, value: Any, root: str):
        self.names: list[str] = []
        self.leaves: list[Any] = []
        self.owners: list[Framework | None] = []
        self.in_module: list[bool] = []
        #: Puts other leaves, as many as there are of an iterator, in the same places. A `Hold` says what
        #: stands in the place of a module, which is not copied.
        self.rebuild: Rebuild = self._take(value, root)

    def _take(self, value: Any, name: str) -> Rebuild:
        framework = owner(value)
        parts = None if framework is not None else self._take_container(value, name)
        if parts is not None:
            return parts
        self.names.append(name)
        self.leaves.append(value)
        self.owners.append(framework)
        self.in_module.append(False)
        return _next

    def _take_container(self, value: Any, name: str) -> Rebuild | None:
        """Take the parts of a container or of a module; None for any other value."""
        if isinstance(value, tuple) or type(value) is list:
            parts = [self._take(v, f"{name}[{i}]") for i, v in enumerate(value)]
            if hasattr(value, "_fields"):
                return lambda leaves, hold: type(value)(*(part(leaves, hold) for part in parts))
            kind = tuple if isinstance(value, tuple) else list
            return lambda leaves, hold: kind([part(leaves, hold) for part in parts])
        if isinstance(value, dict):
            items = [(k, self._take(v, f"{name}[{k!r}]")) for k, v in value.items()]
            return lambda leaves, hold: {k: part(leaves, hold) for k, part in items}
        known = children_of(value)
        if known is not None:
            children, again = known
            inner = [self._take(child, f"{name}{step}") for step, child in children]
            return lambda leaves, hold: again([part(leaves, hold) for part in inner])
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [
                (f.name, self._take(getattr(value, f.name), f"{name}.{f.name}"))
                for f in dataclasses.fields(value)
                if f.init
            ]
            return lambda leaves, hold: dataclasses.replace(
                value, **{k: part(leaves, hold) for k, part in fields}
            )
        found = parts_of(value)
        if found is None:
            return None
        framework, arrays = found
        self.names += [f"{name}.{key}" if name else key for key in arrays]
        self.leaves += arrays.values()
        self.owners += [framework] * len(arrays)
        self.in_module += [True] * len(arrays)
        return lambda leaves, hold: hold(framework, value, {key: next(leaves) for key in arrays})


def _next(leaves: Iterator[Any], hold: Hold) -> Any:
    return next(leaves)
