"""Windows over arrays: reductions over them, and convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import reference_engine as engine
from pytest_gradcheck.frameworks.jax.lowering.rules.shape import padded
from pytest_gradcheck.frameworks.jax.lowering.tools import Rule, Rules, data


def _windows(p: Any, x: Any, fill: Any) -> Any:
    """Return all windows, shape ``(*counts, *window)``, of an array that is padded with a number."""
    config = [(low, high, inner - 1) for (low, high), inner in zip(p.padding, p.base_dilation, strict=True)]
    x = padded(x, np.asarray(fill, x.dtype), config) if any(map(any, config)) else x
    return engine.windows(x, p.window_dimensions, p.window_strides, p.window_dilation)


def _reduced(function: Callable[..., Any], fill: float) -> Rule:
    def rule(p: Any, x: Any) -> Any:
        blocks = _windows(p, x, fill)
        return function(blocks, axis=tuple(range(x.ndim, 2 * x.ndim)))

    return rule


def _fold(p: Any, *operands: Any) -> Any:
    """Reduce windows with a computation of the user's, one entry after the other."""
    count = len(operands) // 2
    arrays, initial = operands[:count], operands[count:]
    blocks = [_windows(p, x, data(start)) for x, start in zip(arrays, initial, strict=True)]
    n = arrays[0].ndim
    lines = [np.reshape(block, (*block.shape[:n], -1)) for block in blocks]
    state = [np.broadcast_to(s, line.shape[:n]) for s, line in zip(initial, lines, strict=True)]
    for k in range(lines[0].shape[-1]):
        state = p.replay.run(p.jaxpr, p.consts, [*state, *(line[..., k] for line in lines)])
    return state


def _chosen(p: Any, values: Any, best: Any) -> Any:
    """Return the flat place in each window of its best entry; the first of those that tie."""
    return np.expand_dims(best(values.reshape((*values.shape[: values.ndim // 2], -1)), axis=-1), -1)


def _select_and_gather(p: Any, x: Any, by: Any) -> Any:
    """Return the entries of ``x`` where ``by`` is largest or smallest in each window."""
    smallest = p.select_prim.name.startswith("l")
    lines = np.asarray(data(_windows(p, by, np.inf if smallest else -np.inf)))
    at = _chosen(p, lines, np.argmin if smallest else np.argmax)
    blocks = _windows(p, x, 0.0)
    found = np.take_along_axis(np.reshape(blocks, (*blocks.shape[: x.ndim], -1)), at, axis=-1)
    return np.squeeze(found, axis=-1)


def _select_and_scatter_add(p: Any, source: Any, by: Any) -> Any:
    """Add each entry of the source where ``by`` is largest or smallest in its window."""
    smallest = p.select_prim.name.startswith("l")
    fill = np.inf if smallest else -np.inf
    values = np.asarray(data(by))
    numbers = np.arange(values.size).reshape(values.shape)
    one = np.ones(values.ndim, int)
    p.base_dilation, p.window_dilation = one, one
    lines = np.asarray(data(_windows(p, values, fill)))
    at = _chosen(p, lines, np.argmin if smallest else np.argmax)
    blocks = np.asarray(data(_windows(p, numbers, -1)))
    places = np.take_along_axis(blocks.reshape((*blocks.shape[: values.ndim], -1)), at, axis=-1).reshape(-1)
    zeros = np.zeros(values.size)
    return np.reshape(engine.index_add(zeros, places, np.reshape(source, (-1,))), values.shape)


def _convolution(p: Any, x: Any, weight: Any) -> Any:
    d = p.dimension_numbers
    x, weight = np.transpose(x, d.lhs_spec), np.transpose(weight, d.rhs_spec)
    config = [(low, high, inner - 1) for (low, high), inner in zip(p.padding, p.lhs_dilation, strict=True)]
    if any(map(any, config)):
        x = padded(x, np.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *config])
    result = _convolved(p, x, weight)
    return np.transpose(result, np.argsort(d.out_spec))


def _convolved(p: Any, x: Any, weight: Any) -> Any:
    places: dict[str, Any] = {
        "stride": tuple(p.window_strides),
        "dilation": tuple(p.rhs_dilation),
        "groups": p.feature_group_count,
    }
    if not p.window_strides:
        # Without spatial axes it is a product of matrices; an axis of one entry makes it a convolution.
        places |= {"stride": 1, "dilation": 1}
        x, weight = np.expand_dims(x, -1), np.expand_dims(weight, -1)
        return np.squeeze(engine.convolution(x, weight, **places), axis=-1)
    if p.batch_group_count == 1:
        return engine.convolution(x, weight, **places)
    batches, features = x.shape[0] // p.batch_group_count, weight.shape[0] // p.batch_group_count
    parts = [
        engine.convolution(
            x[k * batches : (k + 1) * batches], weight[k * features : (k + 1) * features], **places
        )
        for k in range(p.batch_group_count)
    ]
    return np.concatenate(parts, axis=1)


RULES: Rules = {
    "reduce_window_sum": _reduced(np.sum, 0.0),
    "reduce_window_max": _reduced(np.max, -np.inf),
    "reduce_window_min": _reduced(np.min, np.inf),
    "reduce_window": _fold,
    "select_and_gather_add": _select_and_gather,
    "select_and_scatter_add": _select_and_scatter_add,
    "conv_general_dilated": _convolution,
}
