"""Nested containers taken apart into named leaves and put together again."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Rebuild = Callable[[Iterator[Any]], Any]


@dataclasses.dataclass(frozen=True)
class Substitution:
    """A module of the inputs, whose tensors are replaced by others while the function runs."""

    module: Any
    tensors: dict[str, Any]


class Tree:
    """One nested object as leaves in a fixed order.

    ``names[i]`` is the Python expression that leads from ``root`` to ``leaves[i]``, as a person would
    write it: ``x``, ``x[0]``, ``params['w']``, ``state.velocity``, ``layer.weight``.
    Containers are tuples, named tuples, lists, dicts, dataclass instances and ``torch.nn.Module``s
    (whose parameters and buffers are their leaves); everything else is a leaf.
    """

    def __init__(self, value: Any, root: str):
        self.names: list[str] = []
        self.leaves: list[Any] = []
        self.in_module: list[bool] = []
        self._rebuild = self._take(value, root)

    def rebuild(self, leaves: Sequence[Any]) -> tuple[Any, list[Substitution]]:
        """Put other leaves in the same places.

        Modules are not copied: they come back as themselves, beside the substitutions that the caller
        has to make while it uses them.
        """
        substitutions: list[Substitution] = []
        self._substitutions = substitutions
        return self._rebuild(iter(leaves)), substitutions

    def map(self, leaves: Sequence[Any]) -> Any:
        """Put plain values in the places of the leaves; a module becomes a dict by parameter name."""
        value, substitutions = self.rebuild(leaves)
        by_module = {id(s.module): s.tensors for s in substitutions}
        return _replace_modules(value, by_module)

    def _take(self, value: Any, name: str) -> Rebuild:
        if is_tensor(value):
            return self._take_leaf(value, name)
        if isinstance(value, tuple):
            parts = [self._take(v, f"{name}[{i}]") for i, v in enumerate(value)]
            if hasattr(value, "_fields"):
                kind: Any = type(value)
                return lambda leaves: kind(*(part(leaves) for part in parts))
            return lambda leaves: tuple([part(leaves) for part in parts])
        if type(value) is list:
            parts = [self._take(v, f"{name}[{i}]") for i, v in enumerate(value)]
            return lambda leaves: [part(leaves) for part in parts]
        if isinstance(value, dict):
            items = [(k, self._take(v, f"{name}[{k!r}]")) for k, v in value.items()]
            return lambda leaves: {k: part(leaves) for k, part in items}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [
                (f.name, self._take(getattr(value, f.name), f"{name}.{f.name}"))
                for f in dataclasses.fields(value)
                if f.init
            ]
            return lambda leaves: dataclasses.replace(value, **{k: part(leaves) for k, part in fields})
        if is_module(value):
            return self._take_module(value, name)
        return self._take_leaf(value, name)

    def _take_leaf(self, value: Any, name: str) -> Rebuild:
        self.names.append(name)
        self.leaves.append(value)
        self.in_module.append(False)
        return next

    def _take_module(self, module: Any, name: str) -> Rebuild:
        prefix = f"{name}." if name else ""
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        for key, tensor in tensors.items():
            self.names.append(prefix + key)
            self.leaves.append(tensor)
            self.in_module.append(True)

        def rebuild(leaves: Iterator[Any]) -> Any:
            self._substitutions.append(Substitution(module, {key: next(leaves) for key in tensors}))
            return module

        return rebuild


def is_module(value: Any) -> bool:
    """Whether the value is a ``torch.nn.Module``; never imports torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_tensor(value: Any) -> bool:
    """Whether the value is a ``torch.Tensor``; never imports torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _replace_modules(value: Any, by_module: dict[int, dict[str, Any]]) -> Any:
    if id(value) in by_module:
        return by_module[id(value)]
    if isinstance(value, tuple):
        parts = [_replace_modules(v, by_module) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if type(value) is list:
        return [_replace_modules(v, by_module) for v in value]
    if isinstance(value, dict):
        return {k: _replace_modules(v, by_module) for k, v in value.items()}
    return value
