"""Flatten nested containers into a list of leaves, and rebuild them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.tensor import Tensor

__all__ = ["flatten", "is_differentiable", "map_leaves"]

Rebuild = Callable[[list[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of `tree` and a function that builds the same nesting from other leaves.

    Containers are tuples (named ones too), lists, dicts and dataclasses; everything else is a leaf.
    """
    if type(tree) is Tensor or type(tree) is np.ndarray:
        return [tree], _only
    if isinstance(tree, tuple | list):
        kind = type(tree)
        named = hasattr(tree, "_fields")
        return _join(list(tree), lambda items: kind(*items) if named else kind(items))
    if isinstance(tree, dict):
        keys, mapping = list(tree), type(tree)
        return _join(list(tree.values()), lambda items: mapping(zip(keys, items, strict=True)))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree) if field.init]
        instance = tree
        return _join(
            [getattr(tree, name) for name in names],
            lambda items: dataclasses.replace(instance, **dict(zip(names, items, strict=True))),
        )
    return [tree], _only


def _only(leaves: list[Any]) -> Any:
    return leaves[0]


def _join(parts: list[Any], build: Callable[[list[Any]], Any]) -> tuple[list[Any], Rebuild]:
    flat = [flatten(part) for part in parts]
    leaves = [leaf for part, _ in flat for leaf in part]

    def rebuild(new: list[Any]) -> Any:
        items, start = [], 0
        for part, inner in flat:
            items.append(inner(new[start : start + len(part)]))
            start += len(part)
        return build(items)

    return leaves, rebuild


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with `function` applied to each leaf."""
    leaves, rebuild = flatten(tree)
    return rebuild([function(leaf) for leaf in leaves])


def is_differentiable(leaf: Any) -> bool:
    """Whether a derivative with respect to `leaf` makes sense: a real or complex number, array or Tensor."""
    if isinstance(leaf, float | complex):
        return True
    return isinstance(leaf, np.ndarray | np.generic | Tensor) and leaf.dtype.kind in "fc"
