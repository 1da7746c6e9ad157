"""Tensors inside containers: take them out, put others in.

torch's own pytree knows neither unregistered dataclasses nor subclasses of dict and list; a tensor hidden
in one of those would silently become a constant, and its gradient zero.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch


def _fields(tree: Any) -> list[dataclasses.Field[Any]]:
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [f for f in dataclasses.fields(tree) if hasattr(tree, f.name)]
    return []


def tensors(tree: Any) -> list[torch.Tensor]:
    """Every tensor in nested tuples, lists, mappings and dataclasses, in order, duplicates included."""
    found: list[torch.Tensor] = []
    _collect(tree, found)
    return found


def _collect(tree: Any, found: list[torch.Tensor]) -> None:
    if isinstance(tree, torch.Tensor):
        found.append(tree)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            _collect(item, found)
    elif isinstance(tree, Mapping):
        for item in tree.values():
            _collect(item, found)
    else:
        for field in _fields(tree):
            _collect(getattr(tree, field.name), found)


def replace(tree: Any, new: Callable[[torch.Tensor], Any]) -> Any:
    """A copy of the containers with every tensor ``t`` replaced by ``new(t)``, called in order."""
    if isinstance(tree, torch.Tensor):
        return new(tree)
    if isinstance(tree, (tuple, list)):
        items = [replace(item, new) for item in tree]
        if hasattr(tree, "_fields"):
            return type(tree)(*items)
        try:
            return type(tree)(items)
        except TypeError:  # torch.return_types.* and others with a constructor of their own
            return tuple(items)
    if isinstance(tree, Mapping):
        pairs = {key: replace(item, new) for key, item in tree.items()}
        return pairs if type(tree) is dict else _rebuilt(tree, pairs)
    fields = _fields(tree)
    if fields:
        twin = copy.copy(tree)
        for field in fields:
            object.__setattr__(twin, field.name, replace(getattr(tree, field.name), new))
        return twin
    return tree


def _rebuilt(tree: Mapping[Any, Any], pairs: dict[Any, Any]) -> Any:
    twin = copy.copy(tree)
    try:
        for key, item in pairs.items():
            twin[key] = item  # type: ignore[index]  # Mapping has no __setitem__; those that do keep their type
    except TypeError:
        return pairs
    return twin
