"""Views and rearrangements: no entry changes its value."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules, before, data


def view(x: Any, shape: Any) -> Any:
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


def select(x: Any, dim: int, index: int) -> Any:
    """One index along ``dim``."""
    return before(x, dim, index)


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


def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of each matrix, as the last dimension."""
    return np.diagonal(x, offset, dim1, dim2)


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices with ``x`` on a diagonal."""
    n = x.shape[-1] + abs(offset)
    place = np.full((n, n), x.shape[-1], dtype=np.int64)
    rows = np.arange(x.shape[-1]) + max(-offset, 0)
    place[rows, np.arange(x.shape[-1]) + max(offset, 0)] = np.arange(x.shape[-1])
    padded = np.concatenate([x, np.zeros((*x.shape[:-1], 1), x.dtype)], axis=-1)
    return np.moveaxis(padded[..., place], (-2, -1), (dim1, dim2))


def pad(x: Any, widths: Any, value: float = 0) -> Any:
    """Constant padding, last dimension first; negative widths cut."""
    value = 0 if value is None else value
    n = len(widths) // 2
    ahead = [(0, 0)] * (x.ndim - n)
    around = [(widths[2 * i], widths[2 * i + 1]) for i in reversed(range(n))]
    keep = tuple(
        slice(max(-a, 0), length - max(-b, 0))
        for (a, b), length in zip([*ahead, *around], x.shape, strict=True)
    )
    outside = [(max(a, 0), max(b, 0)) for a, b in [*ahead, *around]]
    return np.pad(x[keep], outside, mode="constant", constant_values=value)


def repeat(x: Any, times: Any) -> Any:
    """Tiles."""
    return np.tile(x, tuple(times))


def roll(x: Any, shifts: Any, dims: Any = ()) -> Any:
    """Entries moved around the ends."""
    shifts = shifts if isinstance(shifts, (list, tuple)) else (shifts,)
    if not dims:
        return np.reshape(np.roll(np.reshape(x, (-1,)), shifts[0]), x.shape)
    return np.roll(x, tuple(shifts), axis=tuple(dims) if isinstance(dims, (list, tuple)) else dims)


def repeat_interleave(x: Any, *args: Any, **kwargs: Any) -> Any:
    """``repeat_interleave.Tensor``: index i as often as ``x[i]`` says."""
    return np.repeat(np.arange(len(data(x))), data(x))


def joined(tensors: Any, dim: int = 0) -> Any:
    """Concatenation; torch lets empty vectors of any rank take part."""
    kept = [t for t in tensors if not (t.ndim == 1 and t.shape[0] == 0)] or list(tensors[:1])
    return np.concatenate(kept, axis=dim)


# ---------------------------------------------------------------------- views

VIEWS: Rules = {
    "view": view,
    "_unsafe_view": view,
    "reshape": view,
    "_reshape_alias": lambda x, shape, strides: np.reshape(x, tuple(shape)),
    "_reshape_copy": view,
    "expand": expand,
    "permute": lambda x, dims: np.transpose(x, tuple(dims)),
    "transpose": lambda x, a, b: np.swapaxes(x, a, b) if x.ndim else x,
    "t": lambda x: np.transpose(x),
    "select": select,
    "slice": cut,
    "split": split,
    "split_with_sizes": split,
    "unsafe_split": split,
    "unsafe_split_with_sizes": split,
    "unbind": lambda x, dim=0: tuple(before(x, dim, i) for i in range(x.shape[dim])),
    "squeeze": squeeze,
    "unsqueeze": lambda x, dim: np.expand_dims(x, dim),
    "diagonal": diagonal,
    "unfold": windows,
}

# ---------------------------------------------------------------------- rearrangements

REARRANGEMENTS: Rules = {
    "cat": joined,
    "stack": lambda tensors, dim=0: np.stack(tensors, axis=dim),
    "repeat": repeat,
    "repeat_interleave.Tensor": repeat_interleave,
    "flip": lambda x, dims: np.flip(x, tuple(dims)) if x.ndim else x,
    "roll": roll,
    "rot90": lambda x, k=1, dims=(0, 1): np.rot90(x, k, tuple(dims)),
    "tril": lambda x, k=0: np.tril(x, k),
    "triu": lambda x, k=0: np.triu(x, k),
    "diag_embed": diag_embed,
    "trace": lambda x: np.trace(x),
    "constant_pad_nd": pad,
}

RULES: Rules = {**VIEWS, **REARRANGEMENTS}
