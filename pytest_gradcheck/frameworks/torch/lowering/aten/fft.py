"""Discrete Fourier transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.torch.lowering.aten.tools import Rules


def _scale(norm: int, x: Any, dims: Any) -> float:
    """ATen's norms: 0 none, 1 by the root of n, 2 by n, the number of entries along the dimensions."""
    n = math.prod(x.shape[d] for d in dims)
    return (1.0, 1 / math.sqrt(n), 1 / n)[norm]


def c2c(x: Any, dims: Any, norm: int, forward: bool) -> Any:
    """Complex to complex, in either direction."""
    if not dims:
        return x
    if forward:
        return np.fft.fftn(x, axes=tuple(dims)) * _scale(norm, x, dims)
    return np.fft.ifftn(x, axes=tuple(dims), norm="forward") * _scale(norm, x, dims)


def r2c(x: Any, dims: Any, norm: int, onesided: bool) -> Any:
    """Real to complex, half of the spectrum or all of it."""
    transform = np.fft.rfftn if onesided else np.fft.fftn
    return transform(x, axes=tuple(dims)) * _scale(norm, x, dims)


def c2r(x: Any, dims: Any, norm: int, last: int) -> Any:
    """Half a spectrum to real numbers, ``last`` of them along the last dimension."""
    lengths = [x.shape[d] for d in dims[:-1]] + [last]
    out = np.fft.irfftn(x, s=tuple(lengths), axes=tuple(dims), norm="forward")
    return out * _scale(norm, out, dims)


RULES: Rules = {"_fft_c2c": c2c, "_fft_r2c": r2c, "_fft_c2r": c2r}
