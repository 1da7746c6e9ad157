"""Numba kernels on NumPy views of tensors, in autograd.Functions; and as NumPy code with a gradient."""

from __future__ import annotations

import eager_oracles
import numba
import numpy as np
import torch
from torch import Tensor
from trials import Kernel, counted, together, uniform

#: Faults are numbers, because comparing strings takes Numba seconds to compile.
RIGHT, MISSING_SUM, WRONG_ROW, MISSING_TERM, SHIFT, CARRY = range(6)
FAULTS = {
    None: RIGHT,
    "missing-sum": MISSING_SUM,
    "wrong-row": WRONG_ROW,
    "missing-term": MISSING_TERM,
    "shift": SHIFT,
    "carry": CARRY,
}


def arrays(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    """Return views of tensors as arrays, all of one layout: Numba compiles a kernel for each."""
    return tuple(t.detach().contiguous().numpy() for t in tensors)


@numba.njit
def layer_norm_forward(x, w, b, y, mean, rstd):
    rows, cols = x.shape
    for i in range(rows):
        mean[i] = x[i].sum() / cols
        rstd[i] = 1 / np.sqrt(((x[i] - mean[i]) ** 2).sum() / cols + 1e-5)
        for j in range(cols):
            y[i, j] = (x[i, j] - mean[i]) * rstd[i] * w[j] + b[j]


@numba.njit
def layer_norm_backward(x, w, g, mean, rstd, dx, dw, db, fault):
    rows, cols = x.shape
    for i in range(rows):
        r = rstd[0] if fault == WRONG_ROW else rstd[i]
        c1 = c2 = 0.0
        for j in range(cols):
            c1 += (x[i, j] - mean[i]) * r * w[j] * g[i, j]
            c2 += w[j] * g[i, j]
        if fault == MISSING_TERM:
            c2 = 0.0
        for j in range(cols):
            hat = (x[i, j] - mean[i]) * r
            dx[i, j] = (w[j] * g[i, j] - (hat * c1 + c2) / cols) * r
            if fault == MISSING_SUM:
                dw[j] = g[i, j] * hat
            else:
                dw[j] += g[i, j] * hat
            db[j] += g[i, j]


@counted
class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, fault):
        inputs = arrays(x, weight, bias)
        y = np.empty_like(inputs[0])
        mean, rstd = np.empty((2, len(y)), y.dtype)
        layer_norm_forward(*inputs, y, mean, rstd)
        ctx.save_for_backward(x, weight)
        ctx.statistics, ctx.fault = (mean, rstd), fault
        return torch.from_numpy(y)

    @staticmethod
    def backward(ctx, g):
        x, weight, g = arrays(*ctx.saved_tensors, g)
        dx, dw, db = np.empty_like(x), np.zeros_like(weight), np.zeros_like(weight)
        layer_norm_backward(x, weight, g, *ctx.statistics, dx, dw, db, FAULTS[ctx.fault])
        return *map(torch.from_numpy, (dx, dw, db)), None


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, fault: str | None = None) -> Tensor:
    return LayerNorm.apply(x, weight, bias, fault)


@numba.njit
def scan_forward(a, x, h):
    for t in range(len(x)):
        for c in range(x.shape[1]):
            h[t, c] = x[t, c] + (a[t, c] * h[t - 1, c] if t else 0)


@numba.njit
def scan_backward(a, h, g, da, dx, fault):
    length = len(a)
    for c in range(a.shape[1]):
        carry = 0.0
        for t in range(length - 1, -1, -1):
            if fault == CARRY and t % 4 == 3:
                carry = 0.0
            d = g[t, c] + carry
            dx[t, c] = d
            da[t, c] = d * (h[t, c] if fault == SHIFT else h[t - 1, c] if t else 0.0)
            carry = a[t, c] * d


@counted
class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, x, fault):
        inputs = arrays(a, x)
        h = np.empty_like(inputs[1])
        scan_forward(*inputs, h)
        ctx.save_for_backward(a)
        ctx.h, ctx.fault = h, fault
        return torch.from_numpy(h)

    @staticmethod
    def backward(ctx, g):
        a, g = arrays(*ctx.saved_tensors, g)
        da, dx = np.empty_like(a), np.empty_like(a)
        scan_backward(a, ctx.h, g, da, dx, FAULTS[ctx.fault])
        return torch.from_numpy(da), torch.from_numpy(dx), None


def scan(a: Tensor, x: Tensor, fault: str | None = None) -> Tensor:
    return Scan.apply(a, x, fault)


KERNELS = {
    "layer norm": Kernel(
        layer_norm,
        eager_oracles.layer_norm,
        together(uniform(5, 6), uniform(6, low=0.5), uniform(6)),
        ("missing-sum", "wrong-row", "missing-term"),
    ),
    "scan": Kernel(
        scan,
        eager_oracles.scan,
        together(uniform(6, 3, low=0.2, high=0.9), uniform(6, 3)),
        ("shift", "carry"),
    ),
}
