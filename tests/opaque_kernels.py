"""Kernels that nothing sees into, and a count of their calls: for tests and benchmarks.

One is written in C and called by ctypes, as a compiled extension is: addresses go in, and memory is written
that no operation of torch has touched. The others hide the same computation in other ways.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

SOURCE = """
#include <math.h>
#define SILU(T, EXP, NAME) \\
  void NAME##_forward(const T *x, T *y, long n) { \\
    for (long i = 0; i < n; i++) y[i] = x[i] / (1 + EXP(-x[i])); } \\
  void NAME##_backward(const T *x, const T *g, T *d, long n) { \\
    for (long i = 0; i < n; i++) { T s = 1 / (1 + EXP(-x[i])); d[i] = g[i] * s * (1 + x[i] * (1 - s)); } }
SILU(float, expf, f32)
SILU(double, exp, f64)
"""

DTYPES = {torch.float32: "f32", torch.float64: "f64"}

#: A kernel computes ``"forward"`` or ``"backward"`` of tensors, into a tensor of its own.
Kernel = Callable[..., torch.Tensor]


@dataclass
class Count:
    """How often the forward and the backward pass of a function have run."""

    forward: int = 0
    backward: int = 0


@functools.cache
def compiled() -> Any:
    """Compile the kernel in C; None without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="opaque_kernels"))
    (folder / "silu.c").write_text(SOURCE, encoding="utf-8")
    library = folder / "silu.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, folder / "silu.c", "-lm"], check=True)
    return ctypes.CDLL(str(library))


def call_c(way: str, arrays: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
    """Let the kernel in C write into a tensor, by address alone."""
    given = [a.contiguous() for a in arrays]
    pointers = [ctypes.c_void_p(a.data_ptr()) for a in (*given, out)]
    getattr(compiled(), f"{DTYPES[out.dtype]}_{way}")(*pointers, ctypes.c_long(out.numel()))
    return out


def in_numpy(way: str, x: Any, g: Any = None) -> Any:
    """The same on arrays."""
    s = 1 / (1 + np.exp(-x))
    return x * s if way == "forward" else g * s * (1 + x * (1 - s))


def _arrays(tensors: tuple[torch.Tensor, ...]) -> list[Any]:
    return [t.detach().numpy() for t in tensors]


def by_address(way: str, *a: torch.Tensor) -> torch.Tensor:
    return call_c(way, a, torch.empty_like(a[0], memory_format=torch.contiguous_format))


def into_zeros(way: str, *a: torch.Tensor) -> torch.Tensor:
    return call_c(way, a, torch.zeros(a[0].shape, dtype=a[0].dtype))


def into_a_copy(way: str, *a: torch.Tensor) -> torch.Tensor:
    return call_c(way, a, a[-1].detach().clone(memory_format=torch.contiguous_format))


_BUFFERS: dict[Any, torch.Tensor] = {}


def by_a_buffer(way: str, *a: torch.Tensor) -> torch.Tensor:
    """Through memory that was there before any recording began."""
    buffer = _BUFFERS.setdefault((way, a[0].shape, a[0].dtype), torch.empty(a[0].shape, dtype=a[0].dtype))
    return call_c(way, a, buffer).clone()


def numpy_result(way: str, *a: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(in_numpy(way, *_arrays(a)))


def numpy_view(way: str, *a: torch.Tensor) -> torch.Tensor:
    out = torch.zeros(a[0].shape, dtype=a[0].dtype)
    out.numpy()[...] = in_numpy(way, *_arrays(a))
    return out


def numpy_copied(way: str, *a: torch.Tensor) -> torch.Tensor:
    return torch.tensor(in_numpy(way, *_arrays(a)))


def by_dlpack(way: str, *a: torch.Tensor) -> torch.Tensor:
    return torch.from_dlpack(in_numpy(way, *(np.from_dlpack(t.detach()) for t in a)))


def by_lists(way: str, *a: torch.Tensor) -> torch.Tensor:
    return torch.tensor(in_numpy(way, *(np.array(t.tolist()) for t in a)), dtype=a[0].dtype)


def foreign_memory(way: str, *a: torch.Tensor) -> torch.Tensor:
    """As an extension does that allocates by itself: NumPy owns the memory, and C writes it."""
    out = torch.from_numpy(np.empty(a[0].shape, dtype=str(a[0].dtype).removeprefix("torch.")))
    return call_c(way, a, out)


#: The ways to hide a computation. Each takes ``"forward"`` or ``"backward"``, and tensors.
WAYS: dict[str, Kernel] = {
    way.__name__: way
    for way in (
        by_address,
        into_zeros,
        into_a_copy,
        by_a_buffer,
        numpy_result,
        numpy_view,
        numpy_copied,
        by_dlpack,
        by_lists,
        foreign_memory,
    )
}
IN_C = {"by_address", "into_zeros", "into_a_copy", "by_a_buffer", "foreign_memory"}


@dataclass
class Counted:
    """A SiLU around a kernel, with a backward that is ``factor`` times the correct one.

    With ``only`` the kernel takes one dtype, as most do.
    """

    kernel: Kernel
    factor: float = 1.0
    only: torch.dtype | None = None
    count: Count = field(default_factory=Count)

    def __post_init__(self) -> None:
        counted = self

        class SiLU(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                counted.count.forward += 1
                if counted.only not in (None, x.dtype):
                    raise TypeError(f"the kernel takes {counted.only}")
                ctx.save_for_backward(x)
                return counted.kernel("forward", x)

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                counted.count.backward += 1
                return counted.factor * counted.kernel("backward", *ctx.saved_tensors, g)

        self.function = SiLU

    def __call__(self, x: Any) -> Any:
        return self.function.apply(x)
