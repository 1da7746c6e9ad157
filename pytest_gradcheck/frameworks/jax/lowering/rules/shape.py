"""Entries moved, repeated and joined."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.jax.lowering.tools import Rules, is_tensor


def _broadcast(p: Any, x: Any, *dynamic: Any) -> Any:
    shape = [1] * len(p.shape)
    for axis, n in zip(p.broadcast_dimensions, x.shape, strict=True):
        shape[axis] = n
    return np.broadcast_to(np.reshape(x, shape), p.shape)


def _reshape(p: Any, x: Any, *dynamic: Any) -> Any:
    return np.reshape(x if p.dimensions is None else np.transpose(x, p.dimensions), p.new_sizes)


def padded(x: Any, value: Any, config: Any) -> Any:
    """Return an array with ``(low, high, interior)`` entries more along each axis; fewer where negative."""
    sizes = [
        max(low + n + max(n - 1, 0) * inner + high, 0)
        for n, (low, high, inner) in zip(x.shape, config, strict=True)
    ]
    # Where each entry goes, and which of them are cut off.
    places = [low + np.arange(n) * (inner + 1) for n, (low, _, inner) in zip(x.shape, config, strict=True)]
    kept = [np.flatnonzero((at >= 0) & (at < size)) for at, size in zip(places, sizes, strict=True)]
    source = np.full(sizes, x.size, np.int64)
    numbers = np.arange(x.size).reshape(x.shape)
    source[np.ix_(*[at[keep] for at, keep in zip(places, kept, strict=True)])] = numbers[np.ix_(*kept)]
    both = np.concatenate([np.reshape(x, (-1,)), np.reshape(value, (1,))])
    return both[source]


def _slice(p: Any, x: Any) -> Any:
    steps = p.strides or (1,) * x.ndim
    return x[tuple(map(slice, p.start_indices, p.limit_indices, steps))] if x.ndim else x


def _split(p: Any, x: Any) -> Any:
    ends = np.cumsum(p.sizes)
    before = (slice(None),) * p.axis
    return [x[(*before, slice(end - n, end))] for end, n in zip(ends, p.sizes, strict=True)]


def _iota(p: Any, *dynamic: Any) -> Any:
    shape = [1] * len(p.shape)
    shape[p.dimension] = p.shape[p.dimension]
    return np.broadcast_to(np.arange(p.shape[p.dimension]).reshape(shape), p.shape)


def _squeeze(p: Any, x: Any) -> Any:
    return np.reshape(x, p.out.shape)


def _reverse(p: Any, x: Any) -> Any:
    return np.flip(x, p.dimensions) if p.dimensions else x


def _concatenate(p: Any, *parts: Any) -> Any:
    return (
        np.concatenate(parts, axis=p.dimension) if any(map(is_tensor, parts)) or len(parts) > 1 else parts[0]
    )


RULES: Rules = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand_dims": _squeeze,
    "transpose": lambda p, x: np.transpose(x, p.permutation) if p.permutation else x,
    "rev": _reverse,
    "concatenate": _concatenate,
    "pad": lambda p, x, value: padded(x, value, p.padding_config),
    "slice": _slice,
    "split": _split,
    "iota": _iota,
    "stack": lambda p, *parts: np.stack(parts, axis=p.axis),
    "unstack": lambda p, x: [np.take(x, k, axis=p.axis) for k in range(x.shape[p.axis])],
    "tile": lambda p, x: np.tile(x, p.reps),
}
