"""Containers that are registered with JAX: Equinox modules, Flax parameters, dataclasses, a user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

#: Types that JAX takes apart itself and that `containers` handles.
_BUILTIN = (tuple, list, dict, type(None))


def children_of(value: Any) -> tuple[list[tuple[str, Any]], Callable[[Sequence[Any]], Any]] | None:
    """Return the children of a registered container; see `Framework.children_of`."""
    if isinstance(value, _BUILTIN):
        return None
    # One level: everything below the value itself is a leaf.
    pairs, found = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda part: part is not value)
    structure: Any = found
    if jax.tree_util.treedef_is_leaf(structure):
        return None
    names = [_step(path[0]) for path, _ in pairs]
    return list(zip(names, (child for _, child in pairs), strict=True)), structure.unflatten


def _step(key: Any) -> str:
    """Return the source that leads from a container to a child: ``.weight``, ``['w']``, ``[0]``."""
    if isinstance(key, jax.tree_util.FlattenedIndexKey):
        return f"[{key.key}]"
    return jax.tree_util.keystr((key,))
