"""Kernels in C, compiled here and called by ctypes with addresses, in autograd.Functions."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import eager_oracles
import torch
from torch import Tensor
from trials import Kernel, counted, together, uniform

SOURCE = Path(__file__).with_name("kernels_on_trial.c")
COMPILER = shutil.which("cc")

WIDTHS = {torch.float64: 64, torch.float32: 32, torch.bfloat16: 16}
#: The enumeration of the C file.
FAULTS = (
    None, "missing-sum", "wrong-row", "last-block", "half", "wrong-stride", "ignore-index", "mean-of-all",
    "shift", "carry", "no-add",
)  # fmt: skip


@functools.cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of the libraries, which goes when the process ends."""
    return tempfile.TemporaryDirectory()


@functools.cache
def library(dtype: torch.dtype) -> ctypes.CDLL:
    """Compile the kernels for a dtype."""
    assert COMPILER
    path = Path(folder().name, f"kernels{WIDTHS[dtype]}.so")
    options = ["-O2", "-shared", "-fPIC", f"-DDTYPE={WIDTHS[dtype]}"]
    subprocess.run([COMPILER, *options, "-o", path, SOURCE, "-lm"], check=True)
    return ctypes.CDLL(str(path))


def call(name: str, dtype: torch.dtype, *args: Any) -> None:
    """Call a kernel with the addresses of tensors and with integers."""
    pointers = [ctypes.c_void_p(a.data_ptr()) if isinstance(a, Tensor) else ctypes.c_long(a) for a in args]
    getattr(library(dtype), name)(*pointers)


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which the kernels sum up."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@counted
class RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, fault):
        x, weight = x.contiguous(), weight.contiguous()
        y, rstd = torch.empty_like(x), torch.empty(len(x), dtype=accumulator(x.dtype))
        call("rms_norm_forward", x.dtype, x, weight, y, rstd, *x.shape)
        ctx.save_for_backward(x, weight, rstd)
        ctx.fault = fault
        return y

    @staticmethod
    def backward(ctx, g):
        x, weight, rstd = ctx.saved_tensors
        dx, dw = torch.zeros_like(x), torch.zeros(len(weight), dtype=rstd.dtype)
        fault = FAULTS.index(ctx.fault)
        call("rms_norm_backward", x.dtype, x, weight, g.contiguous(), rstd, dx, dw, *x.shape, fault)
        return dx, dw.to(weight.dtype), None


def rms_norm(x: Tensor, weight: Tensor, fault: str | None = None) -> Tensor:
    return RmsNorm.apply(x, weight, fault)


@counted
class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels, fault):
        logits = logits.contiguous()
        losses, d = torch.empty(len(logits), dtype=accumulator(logits.dtype)), torch.empty_like(logits)
        call("cross_entropy", logits.dtype, logits, labels, losses, d, *logits.shape, FAULTS.index(fault))
        ctx.save_for_backward(d)
        return losses.sum().to(logits.dtype)

    @staticmethod
    def backward(ctx, g):
        (d,) = ctx.saved_tensors
        return d * g, None, None


def cross_entropy(logits: Tensor, labels: Tensor, fault: str | None = None) -> Tensor:
    return CrossEntropy.apply(logits, labels, fault)


@counted
class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, x, fault):
        a, x = a.contiguous(), x.contiguous()
        length, channels = x.shape
        h = torch.empty(length + 1, channels, dtype=accumulator(x.dtype))
        call("scan_forward", x.dtype, a, x, h, length, channels)
        ctx.save_for_backward(a, h)
        ctx.fault = fault
        return h[1:].to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        a, h = ctx.saved_tensors
        da, dx = torch.empty_like(a), torch.empty_like(a)
        call("scan_backward", a.dtype, a, h, g.contiguous(), da, dx, *a.shape, FAULTS.index(ctx.fault))
        return da, dx, None


def scan(a: Tensor, x: Tensor, fault: str | None = None) -> Tensor:
    return Scan.apply(a, x, fault)


@counted
class SegmentSum(torch.autograd.Function):
    """Adds in another order with every call, as atomics do."""

    @staticmethod
    def forward(ctx, x, weight, segments, count, fault):
        x, weight = x.contiguous(), weight.contiguous()
        y = torch.zeros(count, x.shape[1], dtype=accumulator(x.dtype))
        call("segment_sum_forward", x.dtype, x, weight, segments, y, *x.shape)
        ctx.save_for_backward(x, weight, segments)
        ctx.fault = fault
        return y.to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        x, weight, segments = ctx.saved_tensors
        dx, dw = torch.empty_like(x), torch.empty_like(weight)
        fault = FAULTS.index(ctx.fault)
        call("segment_sum_backward", x.dtype, x, weight, segments, g.contiguous(), dx, dw, *x.shape, fault)
        return dx, dw, None, None, None


def segment_sum(x: Tensor, weight: Tensor, segments: Tensor, count: int, fault: str | None = None) -> Tensor:
    return SegmentSum.apply(x, weight, segments, count, fault)


@counted
class Embedding(torch.autograd.Function):
    """Its backward adds in another order with every call, as atomics do."""

    @staticmethod
    def forward(ctx, table, tokens, fault):
        table = table.contiguous()
        y = torch.empty(len(tokens), table.shape[1], dtype=table.dtype)
        call("embedding_forward", table.dtype, table, tokens, y, *y.shape)
        ctx.save_for_backward(tokens)
        ctx.rows, ctx.fault = len(table), fault
        return y

    @staticmethod
    def backward(ctx, g):
        (tokens,) = ctx.saved_tensors
        d = torch.zeros(ctx.rows, g.shape[1], dtype=accumulator(g.dtype))
        call("embedding_backward", g.dtype, tokens, g.contiguous(), d, *g.shape, FAULTS.index(ctx.fault))
        return d.to(g.dtype), None, None


def embedding(table: Tensor, tokens: Tensor, fault: str | None = None) -> Tensor:
    return Embedding.apply(table, tokens, fault)


KERNELS = {
    "RMS norm": Kernel(
        rms_norm,
        eager_oracles.rms_norm,
        together(uniform(4, 6), uniform(6, low=0.5)),
        ("missing-sum", "wrong-row", "last-block", "wrong-stride", "half"),
    ),
    "cross entropy": Kernel(
        cross_entropy,
        eager_oracles.cross_entropy,
        together(uniform(5, 6)),
        ("ignore-index", "mean-of-all", "wrong-row"),
        {"labels": torch.tensor([2, 0, -100, 5, 2])},
    ),
    "scan": Kernel(
        scan,
        eager_oracles.scan,
        together(uniform(6, 3, low=0.2, high=0.9), uniform(6, 3)),
        ("shift", "carry"),
    ),
    "segment sum": Kernel(
        segment_sum,
        eager_oracles.segment_sum,
        together(uniform(6, 7), uniform(6)),
        ("wrong-row", "half"),
        {"segments": torch.tensor([0, 2, 2, 1, 0, 2]), "count": 4},
    ),
    "embedding": Kernel(
        embedding,
        eager_oracles.embedding,
        together(uniform(4, 5)),
        ("no-add",),
        {"tokens": torch.tensor([1, 3, 1, 0, 1, 3])},
    ),
}
