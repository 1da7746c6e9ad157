"""Fingerprints of points: points that differ in any way that a check could notice have different ones."""

from __future__ import annotations

import hashlib
from typing import Any

from pytest_gradcheck.frameworks.containers import Tree
from pytest_gradcheck.frameworks.registry import parts_of

#: Types whose representation is exact.
_PLAIN = (bool, int, str, bytes, type(None))


def fingerprint(inputs: dict[str, Any]) -> bytes | None:
    """Return the fingerprint of inputs by name, or None if a leaf has no distinct description."""
    parts: list[bytes] = []
    for key, value in inputs.items():
        tree = Tree(value, key)
        # A module's structure is in its description, and its contents are in its leaves.
        module = parts_of(value)
        parts.append(f"{type(value)} {module[0].describe(value) if module is not None else ''}".encode())
        for name, leaf, owner in zip(tree.names, tree.leaves, tree.owners, strict=True):
            if owner is not None:
                taken = owner.fingerprint(leaf)
            else:
                taken = f"{type(leaf)} {leaf!r}".encode() if isinstance(leaf, _PLAIN) else None
            if taken is None:
                return None
            parts += [name.encode(), taken]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
