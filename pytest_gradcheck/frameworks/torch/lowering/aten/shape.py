"""Views and rearrangements: no entry changes its value."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules, before, data


def view(x: Any, shape: Any, strides: Any = None) -> Any:
    """The same entries in another shape."""
    if isinstance(shape, np.dtype):
        if shape == x.dtype:
            return x
        raise TypeError(f"{x.dtype} looked at as {shape}: the bits of a number have no derivative")
    return np.reshape(x, tuple(shape))


def expand(x: Any, size: Any, *, implicit: bool = False) -> Any:
    """Broadcast; -1 keeps a dimension."""
    ahead = len(size) - x.ndim
    return np.broadcast_to(x, tuple(x.shape[i - ahead] if n == -1 else n for i, n in enumerate(size)))


def cut(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """A slice along ``dim``; bounds beyond the end mean the end."""
    return before(x, dim, slice(start, None if end is not None and end >= x.shape[dim] else end, step))


def split(x: Any, sizes: Any, dim: int = 0) -> Any:
    """Pieces along ``dim``, all of one size or of the sizes given."""
    if isinstance(sizes, int):
        n = x.shape[dim]
        sizes = [min(sizes, n - at) for at in range(0, n, sizes)] if n else [0]
    ends = np.cumsum([0, *sizes])
    return tuple(before(x, dim, slice(int(a), int(b))) for a, b in itertools.pairwise(ends))


def squeeze(x: Any, dim: Any = None) -> Any:
    """Without dimensions of length 1; dimensions of another length stay."""
    if x.ndim == 0:
        return x
    dims = range(x.ndim) if dim is None else (dim if isinstance(dim, (list, tuple)) else (dim,))
    gone = tuple(sorted({d % x.ndim for d in dims if x.shape[d] == 1}))
    return np.squeeze(x, axis=gone) if gone else x


def windows(x: Any, dim: int, size: int, step: int) -> Any:
    """``Tensor.unfold``: windows along ``dim`` as a new last dimension."""
    if x.ndim == 0:
        return np.reshape(x, (1,))[:size]
    dim %= x.ndim
    starts = np.arange(0, x.shape[dim] - size + 1, step)
    taken = np.take(x, starts[:, None] + np.arange(size), axis=dim)
    return np.moveaxis(taken, dim + 1, -1)


def pad(x: Any, widths: Any, value: float = 0) -> Any:
    """Constant padding, last dimension first; negative widths cut."""
    around = [(0, 0)] * (x.ndim - len(widths) // 2) + list(zip(widths[-2::-2], widths[::-2], strict=True))
    keep = tuple(
        slice(max(-a, 0), length - max(-b, 0)) for (a, b), length in zip(around, x.shape, strict=True)
    )
    outside = [(max(a, 0), max(b, 0)) for a, b in around]
    return np.pad(x[keep], outside, mode="constant", constant_values=value or 0)


def joined(tensors: Any, dim: int = 0) -> Any:
    """Concatenation; torch lets empty vectors of any rank take part."""
    kept = [t for t in tensors if not (t.ndim == 1 and t.shape[0] == 0)] or list(tensors[:1])
    return np.concatenate(kept, axis=dim)


RULES: Rules = {
    **dict.fromkeys(["view", "_unsafe_view", "reshape", "_reshape_alias", "_reshape_copy"], view),
    "expand": expand,
    "permute": lambda x, dims: np.transpose(x, tuple(dims)),
    "transpose": lambda x, a, b: np.swapaxes(x, a, b) if x.ndim else x,
    "t": np.transpose,
    "select": before,
    "slice": cut,
    **dict.fromkeys(["split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"], split),
    "unbind": lambda x, dim=0: tuple(before(x, dim, i) for i in range(x.shape[dim])),
    "squeeze": squeeze,
    "unsqueeze": np.expand_dims,
    "diagonal": np.diagonal,
    "unfold": windows,
    "cat": joined,
    "stack": lambda tensors, dim=0: np.stack(tensors, axis=dim),
    "repeat": lambda x, times: np.tile(x, tuple(times)),
    "repeat_interleave.Tensor": lambda x, **unused: np.repeat(np.arange(len(data(x))), data(x)),
    "flip": lambda x, dims: np.flip(x, tuple(dims)) if x.ndim else x,
    "tril": np.tril,
    "triu": np.triu,
    "trace": np.trace,
    "constant_pad_nd": pad,
}
