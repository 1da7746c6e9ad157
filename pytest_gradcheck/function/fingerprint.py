"""A point as a few bytes: two points that differ in anything that a check could see have different ones."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pytest_gradcheck.function.containers import Tree, is_module, is_tensor

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def fingerprint(inputs: dict[str, Any]) -> bytes | None:
    """Return the fingerprint of inputs by name, or None where a leaf cannot be told apart from others."""
    parts: list[bytes] = []
    for key, value in inputs.items():
        tree = Tree(value, key)
        # How a module is put together is in its representation, and what it holds in its leaves.
        parts.append(f"{type(value)} {f'{value!r} {value.training}' if is_module(value) else ''}".encode())
        for name, leaf in zip(tree.names, tree.leaves, strict=True):
            taken = _leaf(leaf)
            if taken is None:
                return None
            parts += [name.encode(), taken]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _leaf(leaf: Any) -> bytes | None:
    if isinstance(leaf, np.ndarray | np.generic):
        array = np.asarray(leaf)
        if array.dtype.hasobject:
            return None
        return f"{type(leaf)} {array.dtype} {array.shape} {array.strides} ".encode() + array.tobytes()
    if is_tensor(leaf):
        return _tensor(leaf)
    # Python's own representation of a float is exact; -0.0 and 0.0 differ in it.
    return f"{type(leaf)} {leaf!r}".encode() if isinstance(leaf, _PLAIN) else None


def _tensor(tensor: Any) -> bytes | None:
    import torch

    if tensor.layout is not torch.strided:
        return None
    about = (tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride(), tensor.requires_grad)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    flags = (tensor.is_conj(), tensor.is_neg())
    data: bytes = plain.view(torch.uint8).numpy().tobytes()
    return f"{about} {flags} ".encode() + data
