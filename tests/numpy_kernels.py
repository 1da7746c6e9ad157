"""Kernels that compute in NumPy, right and with faults, for tests of what nothing sees into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tests.opaque_kernels import Count


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(g: Any, x: Any, *, row: int = 0, summed: bool = True) -> Any:
    y = softmax(x)
    d = (g * y).sum(-1, keepdims=True)
    return y * (g - np.roll(d, row, 0) * summed)


def layer_norm(x: Any, w: Any, b: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w + b


def layer_norm_backward(g: Any, x: Any, w: Any, b: Any, *, last: bool = True, mean: bool = True) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    r = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    h, gw = centred * r, g * w
    dx = r * (gw - gw.mean(-1, keepdims=True) * mean - h * (gw * h).mean(-1, keepdims=True))
    return dx, (g * h)[: None if last else -1].sum(0), g.sum(0)


def scan(x: Any) -> Any:
    return x + 0.3 * np.cumsum(x, -1)


def scan_backward(g: Any, x: Any, *, last: bool = True) -> Any:
    d = g + 0.3 * np.cumsum(g[:, ::-1], -1)[:, ::-1]
    d[:, -1] *= last
    return d


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


def relu_backward(g: Any, x: Any, *, factor: float = 1.0) -> Any:
    return factor * g * (x > 0)


def in_numpy(
    forward: Any, backward: Any, only: torch.dtype | None = None, **fault: Any
) -> tuple[Callable[..., Any], Count]:
    """A Function that computes in NumPy, in half precision in float32, and its count.

    It takes one dtype alone where ``only`` names it.
    """
    count = Count()

    def numbers(x: torch.Tensor) -> Any:
        return (x.detach().float() if x.dtype.itemsize < 4 else x.detach()).numpy()

    class Kernel(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            count.forward += 1
            if only is not None and any(x.dtype != only for x in xs):
                raise TypeError(f"the kernel takes {only}")
            ctx.save_for_backward(*xs)
            return torch.from_numpy(np.array(forward(*map(numbers, xs)))).to(xs[0].dtype)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            count.backward += 1
            found = backward(numbers(g), *map(numbers, ctx.saved_tensors), **fault)
            parts = found if isinstance(found, tuple) else (found,)
            return tuple(torch.from_numpy(np.array(part)).to(g.dtype) for part in parts)

    return Kernel.apply, count


#: Forward, backward, the shapes of the inputs, and keyword arguments that are faults of the backward.
KERNELS = {
    "softmax": (softmax, softmax_backward, [(8, 12)], [{"row": 1}, {"summed": False}]),
    "layer norm": (
        layer_norm,
        layer_norm_backward,
        [(6, 12), (12,), (12,)],
        [{"last": False}, {"mean": False}],
    ),
    "scan": (scan, scan_backward, [(4, 20)], [{"last": False}]),
}
