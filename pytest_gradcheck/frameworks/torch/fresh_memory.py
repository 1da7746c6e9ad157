"""Find memory that a backward returns but never wrote: `torch.empty` instead of `torch.zeros`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.fresh_memory import (
    Unwritten,
    filling_numpy,
    in_dtype,
    never_written,
    unwritten,
)
from pytest_gradcheck.frameworks.torch.functions import is_users, name_of, nodes_of, place_of
from pytest_gradcheck.frameworks.torch.private import Mode, function_of

#: ATen operations whose result is not written.
FRESH = frozenset(
    ["empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"]
)


class Filled(Mode):
    """Inside this context fresh memory holds a number; see `Framework.filling`."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and fill what it allocated."""
        if not _allocates(func):
            return func(*args, **(kwargs or {}))
        old = args[0].numel() if func.overloadpacket.__name__ == "resize_" else 0
        out = func(*args, **(kwargs or {}))
        self._fill(out, old)
        return out

    def _fill(self, out: torch.Tensor, old: int) -> None:
        if out.layout != torch.strided or out.is_quantized or out.is_meta or type(out) is not torch.Tensor:
            return
        dtype = out.dtype
        kind = "b" if dtype == torch.bool else "f" if dtype.is_floating_point or dtype.is_complex else "i"
        number = in_dtype(self._number, kind, torch.iinfo(dtype).max if kind == "i" else 0)
        with torch.no_grad():
            (out.view(-1)[old:] if old else out).fill_(number)


@functools.cache
def _allocates(func: Any) -> bool:
    return func.overloadpacket.__name__ in {*FRESH, "resize_"}


@contextmanager
def filling(number: float) -> Iterator[None]:
    """Let fresh memory of torch and of NumPy hold a number; see `Framework.filling`."""
    with Filled(number), filling_numpy(number):
        yield


def unwritten_by(run: Callable[[], Vector]) -> Unwritten | None:
    """Return the entries of a result that were never written, as `fresh_memory.unwritten` does.

    ``run`` draws the same random numbers each time.
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []

    def seeded() -> Vector:
        with torch.random.fork_rng(devices):
            return run()

    return unwritten(seeded, filling)


@contextmanager
def first_with_nan(outs: Sequence[Any]) -> Iterator[list[type[Any]]]:
    """Record the users' Functions, in order, whose backwards return nan for cotangents without nan."""
    found: list[type[Any]] = []

    def watching(kind: type[Any]) -> Callable[[Any, Any], None]:
        def look(gradients: Any, cotangents: Any) -> None:
            if _has_nan(gradients) and not _has_nan(cotangents):
                found.append(kind)

        return look

    kinds = [(node, function_of(node)) for node in nodes_of(outs)]
    handles = [
        node.register_hook(watching(kind)) for node, kind in kinds if kind is not None and is_users(kind)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _has_nan(tensors: Sequence[Any]) -> bool:
    return any(isinstance(x, torch.Tensor) and bool(x.isnan().any()) for x in tensors)


def said_of(kind: type[Any] | None, where: str) -> str:
    """Return the diagnosis of a backward that returns memory that it never wrote, ``where`` as of `named`."""
    whose = "the backward" if kind is None else f"{name_of(kind)}.backward{place_of(kind)}"
    return never_written(whose, "torch.empty", where)
