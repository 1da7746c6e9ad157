"""numpy.fft. Two primitives are enough: each transform is linear, and the adjoint of one is the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference_engine.definitions import define
from reference_engine.dispatch import FUNCTIONS, implements
from reference_engine.primitives import Primitive
from reference_engine.rules.shape import _as_move
from reference_engine.tensor import as_tensor

_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}

fft_: Primitive = define(
    "fft",
    lambda x, *, axis, norm: np.fft.fft(x, axis=axis, norm=norm),
    [lambda c, result, x, *, axis, norm: ifft_(c, axis=axis, norm=_OPPOSITE[norm])],
)
ifft_: Primitive = define(
    "ifft",
    lambda x, *, axis, norm: np.fft.ifft(x, axis=axis, norm=norm),
    [lambda c, result, x, *, axis, norm: fft_(c, axis=axis, norm=_OPPOSITE[norm])],
)


def _sized(x: Any, n: int | None, axis: int) -> Any:
    """x cut or padded with zeros to length n."""
    length = x.shape[axis]
    if n is None or n == length:
        return x
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    axis %= x.ndim
    if n < length:
        return x[(slice(None),) * axis + (slice(0, n),)]
    return np.pad(x, [(0, n - length if i == axis else 0) for i in range(x.ndim)])


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.fft`."""
    return fft_(_sized(as_tensor(a), n, axis), axis=axis, norm=norm)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.ifft`."""
    return ifft_(_sized(as_tensor(a), n, axis), axis=axis, norm=norm)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.rfft`: the first half of the full transform."""
    whole = fft(a, n, axis, norm)
    return _sized(whole, whole.shape[axis] // 2 + 1, axis)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.irfft`: the real part of the inverse of the spectrum, completed by its symmetry."""
    a = as_tensor(a)
    n = 2 * (a.shape[axis] - 1) if n is None else n
    half = _sized(a, n // 2 + 1, axis)
    before = (slice(None),) * (axis % a.ndim)
    mirrored = half[(*before, np.arange((n - 1) // 2, 0, -1))]
    whole = np.concatenate([half, np.conjugate(mirrored)], axis=axis)
    return np.real(ifft_(whole, axis=axis, norm=norm))


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.hfft`."""
    return irfft(np.conjugate(a), n, axis, _OPPOSITE[norm])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.ihfft`."""
    return np.conjugate(rfft(a, n, axis, _OPPOSITE[norm]))


def _several(
    one: Callable[..., Any], last: Callable[..., Any] | None, default: Sequence[int] | None, last_first: bool
) -> Callable[..., Any]:
    """A transform over several axes, `last` taking the place of `one` on the last of them."""

    def call(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: None = None) -> Any:
        a = as_tensor(a)
        if axes is None:
            axes = range(a.ndim) if s is None else range(a.ndim - len(s), a.ndim)
        axes = list(axes)
        sizes = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
        if len(sizes) != len(axes):
            raise ValueError(f"s and axes must have the same length, got {len(sizes)} and {len(axes)}")
        steps = [(one, n, axis) for n, axis in zip(sizes, axes, strict=True)]
        if last is not None and steps:
            tail = (last, *steps.pop()[1:])
            steps = [tail, *reversed(steps)] if last_first else [*steps, tail]
        for transform, n, axis in steps:
            a = transform(a, n, axis, norm)
        return a

    return call


_TRANSFORMS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.fft.fftn: _several(fft, None, None, False),
    np.fft.ifftn: _several(ifft, None, None, False),
    np.fft.rfftn: _several(fft, rfft, None, True),
    np.fft.irfftn: _several(ifft, irfft, None, False),
    np.fft.fft2: _several(fft, None, (-2, -1), False),
    np.fft.ifft2: _several(ifft, None, (-2, -1), False),
    np.fft.rfft2: _several(fft, rfft, (-2, -1), True),
    np.fft.irfft2: _several(ifft, irfft, (-2, -1), False),
    np.fft.fftshift: _as_move(np.fft.fftshift),
    np.fft.ifftshift: _as_move(np.fft.ifftshift),
}
FUNCTIONS.update(_TRANSFORMS)
