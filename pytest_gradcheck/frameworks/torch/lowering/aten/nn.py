"""Layers and losses: convolutions, pools, normalisations, attention, embeddings."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import numpy as np
import torch

import reference_engine as engine
from pytest_gradcheck.frameworks.torch.lowering.aten.elementwise import log_sigmoid
from pytest_gradcheck.frameworks.torch.lowering.aten.index import put_at
from pytest_gradcheck.frameworks.torch.lowering.aten.reduce import log_softmax, softmax
from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules, data, pair
from pytest_gradcheck.frameworks.torch.lowering.tape import Array
from reference_engine import windows

# ---------------------------------------------------------------------- windows


def _windows(x: Any, kernel: Any, stride: Any, dilation: Any, counts: Any) -> Any:
    """The first ``counts`` windows of the last dimensions, (..., *size) to (..., *counts, *kernel)."""
    cut = (..., *(slice(0, n) for n in counts), *(slice(None),) * len(kernel))
    return windows(x, kernel, stride, dilation)[cut]


def _padded(x: Any, padding: Any, value: float = 0.0, extra: Any = None) -> Any:
    n = len(padding)
    extra = extra or (0,) * n
    if not any(padding) and not any(extra):
        return x
    widths = [(0, 0)] * (x.ndim - n) + [(p, p + e) for p, e in zip(padding, extra, strict=True)]
    return np.pad(x, widths, mode="constant", constant_values=value)


# ---------------------------------------------------------------------- convolutions


def convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, *rest: Any
) -> Any:
    """Convolution in any number of dimensions, or its transpose."""
    n = weight.ndim - 2
    output_padding, groups, *_ = rest
    single = x.ndim == n + 1
    x = np.expand_dims(x, 0) if single else x
    places: dict[str, Any] = {"stride": pair(stride, n), "padding": pair(padding, n), "groups": groups}
    places["dilation"] = pair(dilation, n)
    if transposed:
        out = engine.convolution_transpose(x, weight, output_padding=pair(output_padding, n), **places)
    else:
        out = engine.convolution(x, weight, **places)
    if bias is not None:
        out = out + np.reshape(bias, (-1, *(1,) * n))
    return np.squeeze(out, axis=0) if single else out


# ---------------------------------------------------------------------- pools


def _pool_extra(space: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """How far the last windows of ``ceil_mode`` reach beyond the padding, and the number of windows."""
    extra, counts = [], []
    for s, k, t, p, d in zip(space, kernel, stride, padding, dilation, strict=True):
        reach = d * (k - 1) + 1
        n = (s + 2 * p - reach) // t + 1
        if ceil_mode:
            n = -(-(s + 2 * p - reach) // t) + 1
            if (n - 1) * t >= s + p:  # a window must begin inside the input or the left padding
                n -= 1
        counts.append(n)
        extra.append(max((n - 1) * t + reach - (s + 2 * p), 0))
    return tuple(extra), tuple(counts)


def max_pool(
    n: int,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """``max_pool{n}d_with_indices``."""
    kernel, padding, dilation = pair(kernel, n), pair(padding, n), pair(dilation, n)
    stride = pair(stride, n) if stride else kernel
    space = x.shape[-n:]
    extra, counts = _pool_extra(space, kernel, stride, padding, dilation, ceil_mode)

    def lines(values: Any, outside: float) -> Array:
        view = data(_windows(_padded(values, padding, outside, extra), kernel, stride, dilation, counts))
        return view.reshape(*view.shape[:-n], -1)

    view = lines(data(x), -np.inf)
    places = lines(np.arange(math.prod(space)).reshape(space), 0)
    best = np.argmax(view, axis=-1)
    index = np.take_along_axis(np.broadcast_to(places, view.shape), best[..., None], axis=-1)[..., 0]
    return _pick_flat(x, index, n), index


def _pick_flat(x: Any, index: Array, n: int) -> Any:
    """Entries of the last n dimensions by one number each."""
    lead = x.shape[:-n]
    lines = np.reshape(x, (*lead, math.prod(x.shape[-n:])))
    places = index.reshape(*lead, math.prod(index.shape[-n:]))
    return np.reshape(np.take_along_axis(lines, places, axis=-1), index.shape)


def avg_pool(
    n: int,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """``avg_pool{n}d``."""
    kernel, padding = pair(kernel, n), pair(padding, n)
    stride = pair(stride, n) if stride else kernel
    ones = (1,) * n
    extra, counts = _pool_extra(x.shape[-n:], kernel, stride, padding, ones, ceil_mode)

    def sums(padded: Any) -> Any:
        return np.sum(_windows(padded, kernel, stride, ones, counts), axis=tuple(range(-n, 0)))

    total = sums(_padded(x, padding, 0.0, extra))
    if divisor_override is not None:
        return total / divisor_override
    inside = _padded(np.ones(x.shape[-n:]), padding, 1.0 if count_include_pad else 0.0)
    return total / data(sums(_padded(inside, (0,) * n, 0.0, extra))).astype(x.dtype)


def _bins(length: int, bins: int) -> list[tuple[int, int]]:
    """Where adaptive pools begin and end."""
    return [(i * length // bins, -(-(i + 1) * length // bins)) for i in range(bins)]


def adaptive_avg_pool(n: int, x: Any, size: Any) -> Any:
    """``_adaptive_avg_pool{n}d``: one averaging matrix per dimension."""
    for axis, bins in zip(range(-n, 0), pair(size, n), strict=True):
        means = np.zeros((x.shape[axis], bins), x.dtype)
        for i, (a, b) in enumerate(_bins(x.shape[axis], bins)):
            means[a:b, i] = 1 / (b - a)
        x = np.swapaxes(np.swapaxes(x, axis, -1) @ means, axis, -1)
    return x


def adaptive_max_pool(n: int, x: Any, size: Any) -> Any:
    """``adaptive_max_pool{n}d``: values and places."""
    space, size = x.shape[-n:], pair(size, n)
    array: Any = data(x)
    index: Any = np.zeros((*x.shape[:-n], *size), np.int64)
    numbers = np.arange(math.prod(space)).reshape(space)
    edges = [_bins(length, bins) for length, bins in zip(space, size, strict=True)]
    for at in np.ndindex(*size):
        box = tuple(slice(*edges[d][i]) for d, i in enumerate(at))
        values = array[(..., *box)].reshape(*x.shape[:-n], -1)
        index[(..., *at)] = numbers[box].reshape(-1)[np.argmax(values, axis=-1)]
    return _pick_flat(x, index, n), index


def max_unpool(n: int, x: Any, index: Any, size: Any, *unused: Any) -> Any:
    """``max_unpool{n}d``: each value put back at its place."""
    empty = np.zeros((*x.shape[:-n], *size[-n:]), x.dtype)
    images, cells = math.prod(x.shape[:-n]), math.prod(size[-n:])
    places = data(index).reshape(images, -1) + cells * np.arange(images)[:, None]
    return put_at(empty, places, np.reshape(x, places.shape))


def recorded_pool(n: int, x: Any, *args: Any, recorded: Any) -> Any:
    """Fractional max pools, whose random regions gave the recorded indices."""
    return _pick_flat(x, data(recorded[1]), n), recorded[1]


def smooth_upsample(
    name: str, x: Any, size: Any, align_corners: bool, down: Any = None, across: Any = None
) -> Any:
    """``_upsample_*2d_aa``: resizing with anti-aliasing, one matrix per dimension.

    The weights have no derivative: torch's kernel applied to the identity gives them.
    """

    def matrix(before: int, after: int, scale: Any) -> Array:
        # Lines: torch 2.13 gets an image that stays one wide wrong, all rows as the first.
        lines = torch.eye(before, dtype=torch.float64).reshape(before, 1, 1, before)
        made = getattr(torch.ops.aten, name)(lines, [1, after], align_corners, None, scale)
        return np.asarray(made.reshape(before, after).numpy()).astype(x.dtype)

    return matrix(x.shape[-2], size[0], down).T @ x @ matrix(x.shape[-1], size[1], across)


# ---------------------------------------------------------------------- normalisations


def _centred(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    mean = np.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    return centred, mean, 1 / np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + eps)


def _scaled(x: Any, weight: Any, bias: Any, shape: Any) -> Any:
    x = x if weight is None else x * np.reshape(weight, shape)
    return x if bias is None else x + np.reshape(bias, shape)


def layer_norm(x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """``native_layer_norm``: the result, mean and 1/std."""
    centred, mean, rstd = _centred(x, tuple(range(-len(shape), 0)), eps)
    return _scaled(centred * rstd, weight, bias, shape), mean, rstd


def group_norm(
    x: Any, weight: Any, bias: Any, batch: int, channels: int, area: int, groups: int, eps: float
) -> Any:
    """``native_group_norm``: the result, mean and 1/std."""
    centred, mean, rstd = _centred(np.reshape(x, (batch, groups, channels // groups * area)), (2,), eps)
    out = _scaled(np.reshape(centred * rstd, x.shape), weight, bias, (channels, *(1,) * (x.ndim - 2)))
    return out, np.squeeze(mean, axis=2), np.squeeze(rstd, axis=2)


def batch_norm(
    x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, *rest: Any
) -> Any:
    """``native_batch_norm``: the result, mean and 1/std of the batch, and the running statistics after it."""
    momentum, eps = rest
    each = (-1, *(1,) * (x.ndim - 2))
    if training:
        centred, mean, rstd = _centred(x, (0, *range(2, x.ndim)), eps)
        mean, rstd = np.reshape(mean, (-1,)), np.reshape(rstd, (-1,))
        factor = rstd
        n = x.size // x.shape[1]
        if running_mean is not None:
            var = (1 / (rstd * rstd) - eps) * (n / max(n - 1, 1))
            running_mean = running_mean * (1 - momentum) + mean * momentum
            running_var = running_var * (1 - momentum) + var * momentum
    else:
        mean = rstd = np.zeros(0)
        centred, factor = x - np.reshape(running_mean, each), 1 / np.sqrt(running_var + eps)
    # One factor per channel, so the whole array is multiplied once.
    out = _scaled(centred, factor if weight is None else factor * weight, bias, each)
    return out, mean, rstd, running_mean, running_var


def batch_norm_with_update(*args: Any) -> Any:
    """The same in training, with a reserve that only torch's backward needs."""
    out, mean, rstd, *running = batch_norm(*args[:5], True, *args[5:])
    return out, mean, rstd, np.zeros(0, np.uint8), *running


# ---------------------------------------------------------------------- losses


def _reduced(loss: Any, reduction: int) -> Any:
    """ATen's reductions: 0 none, 1 mean, 2 sum."""
    return loss if reduction == 0 else np.mean(loss) if reduction == 1 else np.sum(loss)


def smooth_l1(x: Any, target: Any, reduction: int = 1, beta: float = 1.0) -> Any:
    """Quadratic below beta, linear above; Huber's loss is beta times as large."""
    d = np.abs(x - target)
    return _reduced(d if beta == 0 else np.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction)


def bce(x: Any, target: Any, weight: Any = None, reduction: int = 1) -> Any:
    """Binary cross entropy; logarithms end at -100, as in torch."""

    def log(p: Any) -> Any:
        dead = data(p) <= math.exp(-100)
        return np.where(dead, -100.0, np.log(np.where(dead, 1.0, p)))

    loss = -(target * log(x) + (1 - target) * log(1 - x))
    return _reduced(loss if weight is None else loss * weight, reduction)


def bce_with_logits(
    x: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 1
) -> Any:
    """Binary cross entropy of sigmoid(x)."""
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * x - positive * log_sigmoid(x)
    return _reduced(loss if weight is None else loss * weight, reduction)


def nll(x: Any, target: Any, weight: Any, reduction: int, ignore_index: int) -> Any:
    """``nll_loss_forward`` in any number of dimensions: the loss and the total weight."""
    at = data(target)
    single = x.ndim == 1
    x, at = (np.expand_dims(x, 0), at.reshape(1)) if single else (x, at)
    counted = at != ignore_index
    index = np.where(counted, at, 0)
    chosen = np.squeeze(np.take_along_axis(x, np.expand_dims(index, 1), axis=1), axis=1)
    weights = counted.astype(x.dtype) if weight is None else np.take(weight, index) * counted
    loss = -chosen * weights
    if reduction == 0:
        return (np.squeeze(loss, axis=0) if single else loss), np.zeros(())
    total = np.sum(weights)
    return (np.sum(loss) / total if reduction == 1 else np.sum(loss)), total


def linear_cross_entropy(
    x: Any, matrix: Any, target: Any, bias: Any, weight: Any, reduction: Any, ignore_index: int, *unused: Any
) -> Any:
    """The cross entropy of a linear layer, which torch computes in chunks: only the order of sums differs."""
    logits = x @ np.swapaxes(matrix, -1, -2)
    scores = log_softmax(logits if bias is None else logits + bias, 1)
    kinds = {"none": 0, "mean": 1, "sum": 2}
    return nll(scores, target, weight, kinds[reduction], ignore_index)[0]


def multi_margin(
    x: Any, target: Any, p: Any = 1, margin: Any = 1, weight: Any = None, reduction: int = 1
) -> Any:
    """Hinge loss between the right class and every other."""
    at = data(target).reshape(-1)
    rows = np.reshape(x, (len(at), -1)) if x.ndim < 2 else x
    right = np.take_along_axis(rows, at[:, None], axis=1)
    z = margin - right + rows
    z = np.where(z > 0, z, 0.0) ** p
    z = z if weight is None else z * np.take(weight, at)[:, None]
    others = np.arange(rows.shape[1]) != at[:, None]
    loss = np.sum(z * others, axis=1) / rows.shape[1]
    return _reduced(np.reshape(loss, ()) if x.ndim < 2 and reduction == 0 else loss, reduction)


def multilabel_margin(x: Any, target: Any, reduction: int) -> Any:
    """``multilabel_margin_loss_forward``: labels up to the first -1."""
    rows, labels = np.atleast_2d(x), np.atleast_2d(data(target))
    counted = np.logical_and.accumulate(labels >= 0, axis=1)
    labels = np.where(counted, labels, 0)
    is_target = np.zeros(labels.shape)
    is_target[np.nonzero(counted)[0], labels[counted]] = 1
    z = 1 - np.expand_dims(np.take_along_axis(rows, labels, axis=1), 2) + np.expand_dims(rows, 1)
    open_ = (z > 0) & counted[:, :, None] & (is_target[:, None] == 0)
    loss = np.sum(np.where(open_, z, 0.0), axis=(1, 2)) / labels.shape[1]
    shape = data(target).shape
    return _reduced(np.reshape(loss, shape[:-1]), reduction), is_target.reshape(shape)


def ctc(
    log_probs: Any, targets: Any, steps: Any, sizes: Any, blank: int = 0, zero_infinity: bool = False
) -> Any:
    """``_ctc_loss``: the negative log likelihood of every sequence, by the forward recursion."""
    if log_probs.ndim == 2:
        log_probs = np.expand_dims(log_probs, 1)
    lengths, sizes = data(steps).reshape(-1), data(sizes).reshape(-1)
    labels = data(targets)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    losses = []
    for b, (steps, size) in enumerate(zip(lengths, sizes, strict=True)):
        line = labels[b][:size] if labels.ndim == 2 else labels[starts[b] : starts[b] + size]
        path = np.full(2 * int(size) + 1, blank)
        path[1::2] = line
        skip = np.zeros(len(path), bool)
        skip[2:] = (path[2:] != blank) & (path[2:] != path[:-2])
        first = np.arange(len(path)) < 2
        low = -1e300  # log 0, but with a finite gradient
        alpha = np.where(first, log_probs[0, b][path], low)
        for t in range(1, int(steps)):
            one = np.concatenate([np.full(1, low), alpha[:-1]])
            two = np.concatenate([np.full(2, low), alpha[:-2]])[: len(path)]
            best = np.logaddexp(alpha, one)
            best = np.where(skip, np.logaddexp(best, np.where(skip, two, low)), best)
            alpha = log_probs[t, b][path] + best
        ends = np.logaddexp(alpha[-1], alpha[-2]) if len(path) > 1 else alpha[-1]
        impossible = bool(data(ends) < -1e200)
        losses.append(np.asarray(0.0 if zero_infinity else np.inf) if impossible else -ends)
    return np.stack(losses), None


# ---------------------------------------------------------------------- attention, embeddings, bilinear forms


def attention(
    q: Any,
    k: Any,
    v: Any,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    attn_mask: Any = None,
    scale: Any = None,
) -> Any:
    """``_scaled_dot_product_flash_attention_for_cpu``; the other results are for torch's backward."""
    if dropout:
        raise TypeError("fused attention with dropout hides its noise")
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = (q * scale) @ np.swapaxes(k, -1, -2)
    if causal:
        scores = np.where(np.tri(q.shape[-2], k.shape[-2], dtype=bool), scores, -np.inf)
    if attn_mask is not None:
        scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype.kind == "b" else scores + attn_mask
    return softmax(scores, -1) @ v, None


def embedding_bag(
    weight: Any,
    indices: Any,
    offsets: Any,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> Any:
    """``_embedding_bag``: sum, mean or maximum over bags of rows."""
    at, starts = data(indices), data(offsets)
    ends = np.append(starts, len(at)) if not include_last_offset else starts
    bags = []
    for a, b in itertools.pairwise(ends):
        here = np.arange(a, b)
        here = here[at[here] != padding_idx]
        rows = weight[at[here]]
        if per_sample_weights is not None:
            rows = rows * np.expand_dims(per_sample_weights[here], 1)
        bags.append((np.sum, np.mean, np.max)[mode](rows, axis=0) if len(here) else np.zeros(weight.shape[1]))
    return np.stack(bags), None, None, None


def trilinear(a: Any, b: Any, c: Any, *where: Any) -> Any:
    """``_trilinear``: a product of three, broadcast and summed."""
    *expand, sumdim = where[:4]
    a, b, c = (np.expand_dims(x, tuple(axes)) for x, axes in zip((a, b, c), expand, strict=True))
    return np.sum(a * b * c, axis=tuple(sumdim))


# ---------------------------------------------------------------------- noise that an operation drew itself


def dropout(x: Any, p: float, train: Any, *, recorded: Any) -> Any:
    """``native_dropout`` with the mask of the recording."""
    if train is False:
        return x, recorded[1]
    return x * data(recorded[1]) * (0.0 if p == 1 else 1 / (1 - p)), recorded[1]


def rrelu(
    x: Any, noise: Any, low: float = 1 / 8, high: float = 1 / 3, train: bool = False, *, recorded: Any
) -> Any:
    """``rrelu_with_noise`` with the slopes of the recording: the result and the slopes."""
    slope = data(recorded[1]) if train else (low + high) / 2
    return np.where(x <= 0, x * slope, x), recorded[1]


def grid_sampler_3d(x: Any, grid: Any, interpolation: int, padding: int, align_corners: bool) -> Any:
    """``grid_sampler_3d``: trilinear (0) or nearest (1), padding zero (0), border (1), reflection (2)."""
    sizes = x.shape[:1:-1]  # the grid says x, y, z, the last dimension first
    coordinates = [_source_index(grid[..., i], n, padding, align_corners) for i, n in enumerate(sizes)]
    batch = np.arange(x.shape[0]).reshape(-1, 1, 1, 1)
    total: Any = 0.0
    for corner in itertools.product(*((0, 1) if interpolation == 0 else (0,) for _ in sizes)):
        weight: Any = 1.0
        places: list[Any] = []
        inside = np.ones(grid.shape[:-1], dtype=bool)
        for at, shift, n in zip(coordinates, corner, sizes, strict=True):
            place = np.floor(data(at)) + shift if interpolation == 0 else np.rint(data(at))
            if interpolation == 0:
                weight = weight * (1 - at + place if shift == 0 else 1 - place + at)
            inside &= (place >= 0) & (place < n)
            places.append(np.clip(place, 0, n - 1).astype(np.int64))
        values = np.moveaxis(x, 1, -1)[(batch, *places[::-1])]
        total = total + values * np.expand_dims(weight * inside, -1)
    return np.moveaxis(total, -1, 1)


def _source_index(at: Any, n: int, padding: int, align_corners: bool) -> Any:
    at = (at + 1) / 2 * (n - 1) if align_corners else ((at + 1) * n - 1) / 2
    if padding == 2:
        low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span == 0:
            return at * 0.0
        away = np.abs(at - low)
        flips = np.floor(data(away) / span)
        rest = away - flips * span
        at = np.where(flips % 2 == 0, rest + low, span - rest + low)
    # At the border the derivative is 0, as in torch.
    return at if padding == 0 else np.where(data(at) <= 0, 0.0, np.where(data(at) >= n - 1, n - 1.0, at))


_SEGMENT: dict[str, tuple[Any, Any, float]] = {
    "sum": (np.sum, np.add, 0.0),
    "mean": (np.mean, None, np.nan),
    "prod": (np.prod, np.multiply, 1.0),
    "max": (np.max, np.maximum, -np.inf),
    "min": (np.min, np.minimum, np.inf),
}


def segment_reduce(
    x: Any, reduce: str, *, lengths: Any = None, offsets: Any = None, initial: Any = None, **unused: Any
) -> Any:
    """``segment_reduce``: sum, mean, product, maximum or minimum over stretches of one axis."""
    function, join, empty = _SEGMENT[reduce]
    if lengths is not None:
        ends = np.cumsum(data(lengths), axis=-1)
        offsets = np.concatenate([np.zeros_like(ends[..., :1]), ends], axis=-1)

    def one(lines: Any) -> Any:
        if not len(lines):
            return np.full(lines.shape[1:], empty if initial is None else initial)
        value = function(lines, axis=0)
        if initial is None:
            return value
        return value + initial / len(lines) if join is None else join(value, initial)

    def along(bounds: Array, lines: Any) -> Any:
        if bounds.ndim > 1:
            return np.stack([along(each, lines[i]) for i, each in enumerate(bounds)])
        return np.stack([one(lines[a:b]) for a, b in itertools.pairwise(bounds)])

    return along(data(offsets), x)


RULES: Rules = {
    "grid_sampler_3d": grid_sampler_3d,
    "segment_reduce": segment_reduce,
    "convolution": convolution,
    "_convolution": convolution,
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
    "_scaled_dot_product_flash_attention_for_cpu": attention,
    "_embedding_bag": embedding_bag,
    "_embedding_bag_forward_only": embedding_bag,
    "_trilinear": trilinear,
    "_native_batch_norm_legit.no_stats": lambda x, w, b, *rest: batch_norm(x, w, b, None, None, *rest),
    "_upsample_bilinear2d_aa": partial(smooth_upsample, "_upsample_bilinear2d_aa"),
    "_upsample_bicubic2d_aa": partial(smooth_upsample, "_upsample_bicubic2d_aa"),
    **{f"max_pool{n}d_with_indices": partial(max_pool, n) for n in (2, 3)},
    **{f"avg_pool{n}d": partial(avg_pool, n) for n in (2, 3)},
    **{f"_adaptive_avg_pool{n}d": partial(adaptive_avg_pool, n) for n in (2, 3)},
    **{f"adaptive_max_pool{n}d": partial(adaptive_max_pool, n) for n in (2, 3)},
    **{f"max_unpool{n}d": partial(max_unpool, n) for n in (2, 3)},
    # With a reduction torch computes the gradients along with the loss, as further results for its backward.
    "torch_nn::_linear_cross_entropy_batch_chunked": lambda *args: (
        linear_cross_entropy(*args),
        *(None,) * 3,
    ),
    "torch_nn::_linear_cross_entropy_batch_chunked_no_reduction": lambda x, w, target, b, weight, *args: (
        linear_cross_entropy(x, w, target, b, weight, "none", *args)
    ),
    "mse_loss": lambda x, target, reduction=1: _reduced((x - target) * (x - target), reduction),
    "smooth_l1_loss": smooth_l1,
    "huber_loss": lambda x, target, reduction=1, delta=1.0: delta * smooth_l1(x, target, reduction, delta),
    "binary_cross_entropy": bce,
    "binary_cross_entropy_with_logits": bce_with_logits,
    "nll_loss_forward": nll,
    "nll_loss2d_forward": nll,
    "soft_margin_loss": lambda x, target, reduction=1: _reduced(-log_sigmoid(target * x), reduction),
    "multi_margin_loss": multi_margin,
    "multilabel_margin_loss_forward": multilabel_margin,
    "_ctc_loss": ctc,
}

# Rules that are given what the operation drew; see `tape.Entry`.
RECORDED: Rules = {
    "native_dropout": dropout,
    **{f"fractional_max_pool{n}d": partial(recorded_pool, n) for n in (2, 3)},
}

# Rules of operations that update running statistics without saying so; see `tape.Entry`.
BATCH_NORM: Rules = {
    "native_batch_norm": batch_norm,
    "_native_batch_norm_legit": batch_norm,
    "_batch_norm_with_update": batch_norm_with_update,
}
