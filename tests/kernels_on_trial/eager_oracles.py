"""The kernels on trial once more, in eager torch: what each of them should compute."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return torch.nn.functional.silu(gate) * up


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100)


def rope(x: Tensor) -> Tensor:
    """Rotate pairs (x[..., k], x[..., k + half]) of x, of shape (length, heads, dim), by the position."""
    half = x.shape[-1] // 2
    frequencies = 100.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(len(x), dtype=torch.float64)[:, None, None] * frequencies
    cos, sin = torch.cos(angles).to(x.dtype), torch.sin(angles).to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def scan(a: Tensor, x: Tensor) -> Tensor:
    """Return h of shape (length, channels) with h[t] = a[t] h[t - 1] + x[t]."""
    state, states = torch.zeros_like(x[0]), []
    for t in range(len(x)):
        state = a[t] * state + x[t]
        states.append(state)
    return torch.stack(states)


def segment_sum(x: Tensor, weight: Tensor, segments: Tensor, count: int) -> Tensor:
    """Add weight[i] x[i] into row segments[i] of ``count`` rows."""
    return x.new_zeros(count, x.shape[1]).index_add(0, segments, weight[:, None] * x)


def embedding(table: Tensor, tokens: Tensor) -> Tensor:
    return table[tokens]


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of one head, over rows of shape (length, dim)."""
    scores = q @ k.T / q.shape[-1] ** 0.5
    later = torch.ones(len(q), len(k), dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(later, float("-inf")), -1) @ v
