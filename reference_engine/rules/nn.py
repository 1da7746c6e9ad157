"""What layers of neural networks are built from: windows, convolution, softmax.

`windows` and `fold` are each other's transpose; convolution in any number of dimensions is a matrix product
between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from reference_engine.definitions import define
from reference_engine.dispatch import implements
from reference_engine.primitives import Primitive, free, read_only, value_of
from reference_engine.rules.reduce import _with_axes
from reference_engine.tensor import as_tensor

__all__ = ["convolution", "convolution_transpose", "fold", "log_softmax", "logsumexp", "softmax", "windows"]

Size = int | Sequence[int]


def _sizes(name: str, value: Size, count: int, least: int) -> tuple[int, ...]:
    sizes = (value,) * count if isinstance(value, int) else tuple(int(n) for n in value)
    if len(sizes) != count or any(n < least for n in sizes):
        raise ValueError(
            f"{name} must be an integer or {count} integers, at least {least} each, got {value!r}"
        )
    return sizes


def _places(
    window: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], counts: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Each offset in the window, and where the windows have it in the array."""
    for offset in np.ndindex(*window):
        yield (
            offset,
            (
                ...,
                *(
                    slice(o * d, o * d + (n - 1) * s + 1, s)
                    for o, s, d, n in zip(offset, stride, dilation, counts, strict=True)
                ),
            ),
        )


def _counts(
    shape: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    return tuple(
        (n - d * (w - 1) - 1) // s + 1
        for n, w, s, d in zip(shape[len(shape) - len(window) :], window, stride, dilation, strict=True)
    )


def _windows(x: Any, *, window: Any, stride: Any, dilation: Any) -> Any:
    k = len(window)
    counts = _counts(x.shape, window, stride, dilation)
    steps = x.strides[x.ndim - k :]
    return as_strided(
        x,
        x.shape[: x.ndim - k] + counts + window,
        x.strides[: x.ndim - k]
        + tuple(step * s for step, s in zip(steps, stride, strict=True))
        + tuple(step * d for step, d in zip(steps, dilation, strict=True)),
        writeable=False,
    )


def _fold(c: Any, *, shape: Any, window: Any, stride: Any, dilation: Any) -> Any:
    out = np.zeros(shape, c.dtype)
    counts = c.shape[c.ndim - 2 * len(window) : c.ndim - len(window)]
    if 0 not in c.shape:
        for offset, places in _places(window, stride, dilation, counts):
            out[places] += c[(..., *offset)]
    return out


windows_: Primitive = define(
    "windows",
    _windows,
    [lambda c, result, x, **params: fold_(c, shape=x.shape, **params)],
    lens=read_only,
)
fold_: Primitive = define("fold", _fold, [lambda c, result, x, *, shape, **params: windows_(c, **params)])


def windows(x: Any, window: Sequence[int], stride: Size = 1, dilation: Size = 1) -> Any:
    """All windows over the last axes of `x`: shape `(..., *counts, *window)`.

    `window` gives one length per axis; `stride` is the step between windows, `dilation` the step within
    one. Axes are not padded: there are (n - dilation (window - 1) - 1) // stride + 1 windows along an axis
    of length n.
    """
    x = as_tensor(x)
    window = tuple(int(n) for n in window)
    k = len(window)
    if k > x.ndim:
        raise ValueError(f"window has {k} axes, more than the {x.ndim} of x")
    window = _sizes("window", window, k, 1)
    stride, dilation = _sizes("stride", stride, k, 1), _sizes("dilation", dilation, k, 1)
    if any(n < 1 for n in _counts(x.shape, window, stride, dilation)):
        raise ValueError(f"window {window} with dilation {dilation} does not fit into x of shape {x.shape}")
    return windows_(x, window=window, stride=stride, dilation=dilation)


def fold(
    blocks: Any, shape: Sequence[int], window: Sequence[int], stride: Size = 1, dilation: Size = 1
) -> Any:
    """The transpose of `windows`: an array of `shape` in which overlapping `blocks` are added up."""
    blocks = as_tensor(blocks)
    shape, window = tuple(shape), tuple(window)
    k = len(window)
    stride, dilation = _sizes("stride", stride, k, 1), _sizes("dilation", dilation, k, 1)
    expected = shape[: len(shape) - k] + _counts(shape, window, stride, dilation) + window
    if blocks.shape != expected:
        raise ValueError(f"blocks must have shape {expected}, got {blocks.shape}")
    return fold_(blocks, shape=shape, window=window, stride=stride, dilation=dilation)


@implements(sliding_window_view)
def _sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    x = as_tensor(x)
    lengths = (window_shape,) if isinstance(window_shape, int) else tuple(window_shape)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [i % x.ndim for i in axes]
    if len(set(axes)) != len(axes):
        raise ValueError(f"axis must not name an axis twice, got {axis!r}")
    moved = windows(np.moveaxis(x, axes, range(-len(axes), 0)), lengths)
    k = len(axes)
    return np.moveaxis(moved, range(x.ndim - k, x.ndim), axes)


# ---------------------------------------------------------------------------- convolution


def _check_convolution(x: Any, weight: Any, groups: int, inputs: int) -> int:
    k = weight.ndim - 2
    if k < 1 or x.ndim != weight.ndim:
        raise ValueError(
            "x must have shape (batch, channels, *spatial) and weight as many axes, at least 3, "
            f"got {x.shape} and {weight.shape}"
        )
    if groups < 1 or x.shape[1] != inputs or weight.shape[0] % groups:
        raise ValueError(
            f"channels do not match: x has {x.shape[1]}, "
            f"weight {weight.shape} with groups={groups} takes {inputs}"
        )
    return int(k)


def convolution(
    x: Any, weight: Any, *, stride: Size = 1, padding: Size = 0, dilation: Size = 1, groups: int = 1
) -> Any:
    """The cross-correlation that deep learning calls convolution, in any number of dimensions.

    `x` is `(batch, channels, *spatial)`, `weight` `(out, channels / groups, *window)`; the result is
    `(batch, out, *counts)`. `padding` is the number of zeros on both sides of each spatial axis.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    k = _check_convolution(x, weight, groups, weight.shape[1] * groups)
    padding = _sizes("padding", padding, k, 0)
    if any(padding):
        x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    window = weight.shape[2:]
    blocks = windows(x, window, stride, dilation)
    batch, out, counts = x.shape[0], weight.shape[0], blocks.shape[2 : 2 + k]
    blocks = blocks.reshape((batch, groups, weight.shape[1], *counts, *window))
    # (groups, channels, window, batch, counts): one matrix product per group.
    order = [1, 2, *range(3 + k, 3 + 2 * k), 0, *range(3, 3 + k)]
    columns = blocks.transpose(order).reshape((groups, weight.shape[1] * math.prod(window), -1))
    rows = weight.reshape((groups, out // groups, -1))
    result = (rows @ columns).reshape((out, batch, *counts))
    return np.swapaxes(result, 0, 1)


def convolution_transpose(
    x: Any,
    weight: Any,
    *,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Any:
    """The transpose of `convolution` in its first argument ("deconvolution").

    `x` is `(batch, channels, *spatial)`, `weight` `(channels, out / groups, *window)`; the result is
    `(batch, out, *sizes)` with sizes (n - 1) stride - 2 padding + dilation (window - 1) + output_padding + 1.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    k = _check_convolution(x, weight, groups, weight.shape[0])
    stride, dilation = _sizes("stride", stride, k, 1), _sizes("dilation", dilation, k, 1)
    padding = _sizes("padding", padding, k, 0)
    output_padding = _sizes("output_padding", output_padding, k, 0)
    batch, channels, *spatial = x.shape
    per_group, *window = weight.shape[1:]
    rows = weight.reshape((groups, channels // groups, -1))
    columns = np.swapaxes(x, 0, 1).reshape((groups, channels // groups, -1))
    blocks = (np.swapaxes(rows, 1, 2) @ columns).reshape((groups, per_group, *window, batch, *spatial))
    order = [2 + k, 0, 1, *range(3 + k, 3 + 2 * k), *range(2, 2 + k)]
    blocks = blocks.transpose(order).reshape((batch, groups * per_group, *spatial, *window))
    # fold wants the exact extent that the windows cover; what output_padding adds beyond it is zero.
    covered = [
        (n - 1) * s + d * (w - 1) + 1 for n, s, d, w in zip(spatial, stride, dilation, window, strict=True)
    ]
    whole = fold_(
        blocks,
        shape=(batch, groups * per_group, *covered),
        window=tuple(window),
        stride=stride,
        dilation=dilation,
    )
    if any(output_padding):
        whole = np.pad(whole, [(0, 0), (0, 0), *((0, o) for o in output_padding)])
    cut = tuple(slice(p, n + o - p) for p, n, o in zip(padding, covered, output_padding, strict=True))
    return whole[(slice(None), slice(None), *cut)] if any(padding) else whole


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """`numpy.convolve`."""
    a, v = as_tensor(a), as_tensor(v)
    return correlate(a, np.conjugate(v[::-1]), mode) if a.size >= v.size else convolve(v, a, mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """`numpy.correlate`."""
    a, v = as_tensor(a), as_tensor(v)
    if a.size < v.size:
        return np.conjugate(correlate(v, a, mode)[::-1])
    n = v.size
    if mode not in ("valid", "same", "full"):
        raise ValueError(f"mode must be 'valid', 'same' or 'full', got {mode!r}")
    left, right = {"valid": (0, 0), "same": (n // 2, (n - 1) // 2), "full": (n - 1, n - 1)}[mode]
    return windows(np.pad(a, (left, right)), (n,)) @ np.conjugate(v)


# ---------------------------------------------------------------------------- softmax


def _logsumexp(x: Any, *, axis: Any, keepdims: bool) -> Any:
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        result = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return result if keepdims else result.reshape(np.max(x, axis=axis).shape)


def _logsumexp_rule(c: Any, result: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """The softmax; where all entries are -inf it is nan, as in torch."""
    return _with_axes(c, x, axis) * np.exp(x - _with_axes(result, x, axis))


logsumexp_: Primitive = define("logsumexp", _logsumexp, [_logsumexp_rule])


def logsumexp(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over `axis`, without overflow."""
    return logsumexp_(as_tensor(x), axis=axis, keepdims=keepdims)


def log_softmax(x: Any, axis: int | tuple[int, ...] | None = -1) -> Any:
    """x - logsumexp(x): the logarithm of `softmax`."""
    x = as_tensor(x)
    return x - logsumexp_(x, axis=axis, keepdims=True)


def softmax(x: Any, axis: int | tuple[int, ...] | None = -1) -> Any:
    """exp(x) / sum(exp(x)) over `axis`, without overflow."""
    x = as_tensor(x)
    # A constant shift leaves the softmax and its derivative as they are.
    weights = np.exp(x - free(np.max(value_of(x), axis=axis, keepdims=True)))
    return weights / np.sum(weights, axis=axis, keepdims=True)
