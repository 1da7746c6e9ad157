"""Tensors as Python source."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.source import ZEROS, of_complex, of_float, of_shape, shortest
from pytest_gradcheck.frameworks.torch import modules


def source_of(value: Any, inner: Callable[[Any], str]) -> str | None:
    """Return the source of a tensor, or of a module that a strategy made; see `Framework.source_of`."""
    return of_tensor(value) if isinstance(value, torch.Tensor) else modules.source_of(value, inner)


def of_tensor(tensor: torch.Tensor) -> str | None:
    """Return source that restores a dense tensor or parameter to the last bit; None for any other."""
    parameter = type(tensor) is torch.nn.Parameter
    if type(tensor) is not torch.Tensor and not parameter:
        return None
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return None
    source = _source(tensor.detach().cpu().resolve_conj().resolve_neg().contiguous())
    if tensor.device.type != "cpu":
        source += f".to({str(tensor.device)!r})"
    source = _in_layout(source, tensor)
    if parameter:
        return f"torch.nn.Parameter({source}{'' if tensor.requires_grad else ', requires_grad=False'})"
    if not tensor.requires_grad:
        return source
    # The common case reads best with the keyword; its own parenthesis is the only one.
    if source.startswith("torch.tensor(") and source.count("(") == 1:
        return f"{source[:-1]}, requires_grad=True)"
    return f"{source}.requires_grad_()"


def _in_layout(source: str, tensor: torch.Tensor) -> str:
    """Return source for a tensor in its own layout, made of the one for its entries."""
    if tensor.is_contiguous() or tensor.numel() < 2:
        return source
    first = tensor[:1].detach().contiguous()
    if first.expand(tensor.shape).stride() == tensor.stride():
        return f"{of_tensor(first)}.expand({of_shape(tuple(tensor.shape))})"
    axes = tuple(range(tensor.ndim))[::-1]
    if tensor.permute(axes).is_contiguous():
        turned = ".mT" if tensor.ndim == 2 else f".permute{axes}"
        return f"{source}{turned}.contiguous(){turned}"
    if tensor.repeat_interleave(2, -1)[..., ::2].stride() == tensor.stride():
        return f"{source}.repeat_interleave(2, -1)[..., ::2]"
    return source


def _source(tensor: torch.Tensor) -> str:
    raw, flat, shape = _raw(tensor), tensor.reshape(-1), tuple(tensor.shape)
    dtype = f", dtype={tensor.dtype}"
    # The default floating dtype is the program's choice; only the other two can be left out.
    inferred = "" if tensor.dtype in (torch.int64, torch.bool) else dtype
    reshape = "" if len(shape) == 1 else f".reshape({of_shape(shape)})"

    def full(text: str, shape: tuple[int, ...]) -> str:
        return (
            f"torch.zeros({of_shape(shape)}{dtype})"
            if text in ZEROS
            else f"torch.full({shape}, {text}{dtype})"
        )

    def patched(text: str, places: list[int], texts: str) -> str:
        put = f"torch.tensor({places}), torch.tensor([{texts}]{inferred})"
        return f"{full(text, (raw.size,))}.scatter(0, {put}){reshape}"

    def gives(source: str) -> bool:
        value = eval(source, {"np": np, "torch": torch})
        same = value.dtype == tensor.dtype and value.shape == tensor.shape
        return same and bool(np.array_equal(_raw(value), raw))

    source = shortest(
        raw,
        shape,
        texts=lambda where: _texts(flat[where if isinstance(where, slice) else torch.as_tensor(where)]),
        listed=lambda text: (f"torch.tensor({text}{inferred})",),
        filled=lambda text: full(text, shape),
        patched=patched,
        packed=lambda data, reshape: f"torch.frombuffer(bytearray({data}){dtype}){reshape}",
        gives=gives,
    )
    assert source is not None
    return source


def _texts(flat: torch.Tensor) -> list[str]:
    if flat.dtype.is_complex:
        return [of_complex(v) for v in flat.tolist()]
    if not flat.dtype.is_floating_point:
        return [repr(v) for v in flat.tolist()]
    if flat.dtype in (torch.float16, torch.float32):
        # NumPy finds the fewest digits that distinguish a number from its neighbours in its own dtype.
        return [of_float(float(str(v)) if np.isfinite(v) else float(v)) for v in flat.numpy()]
    if flat.dtype is torch.float64:
        return [of_float(v) for v in flat.tolist()]
    return [_fewest_digits(v, flat.dtype) for v in flat.double().tolist()]


def _raw(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    entry = np.dtype((np.void, tensor.element_size()))
    if tensor.numel() == 0:
        return np.zeros(0, entry)
    real = torch.view_as_real(tensor) if tensor.dtype.is_complex else tensor
    # A copy, because one entry alone may have any stride, and only a stride of 1 can be seen as bytes.
    flat = real.reshape(-1).clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().view(entry)


def _fewest_digits(value: float, dtype: torch.dtype) -> str:
    """Return the fewest digits that give a number back in its own dtype."""
    if math.isfinite(value):
        for digits in range(1, 9):
            text = repr(float(f"{value:.{digits}g}"))
            if torch.tensor(float(text), dtype=dtype).item() == value:
                return text
    return of_float(value)
