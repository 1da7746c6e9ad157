"""Memory that a backward returns and never wrote: `torch.empty` where `torch.zeros` was intended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from pytest_gradcheck.frameworks.flat import Layout, Vector
from pytest_gradcheck.frameworks.fresh_memory import FILLED_WITH, filling_numpy, in_dtype
from pytest_gradcheck.frameworks.torch.functions import is_users, name_of, nodes_of, place_of
from pytest_gradcheck.frameworks.torch.private import Mode, function_of

#: ATen operations whose result is not written.
FRESH = frozenset(
    ["empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"]
)

#: So many entries are named.
NAMED = 3


class Filled(Mode):
    """Inside this context fresh memory holds a number; see `Framework.filling`."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and fill what it allocated."""
        name = func.overloadpacket.__name__
        old = args[0].numel() if name == "resize_" else 0
        out = func(*args, **(kwargs or {}))
        if name in FRESH or name == "resize_":
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


@contextmanager
def filling(number: float) -> Iterator[None]:
    """Let fresh memory of torch and of NumPy hold a number; see `Framework.filling`."""
    with Filled(number), filling_numpy(number):
        yield


class Unwritten(NamedTuple):
    """Which entries of a result were never written, of shape ``(n,)``; None where it only raises by them."""

    entries: Any


def unwritten(run: Callable[[], Vector]) -> Unwritten | None:
    """Return the entries of a result that depend on what fresh memory holds; None if there are none.

    Args:
        run: computes the result, shape ``(n,)``. It is called three times, with the same random numbers, and
            may raise.
    """

    def filled_with(number: float) -> Vector | None:
        devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
        try:
            with torch.random.fork_rng(devices), filling(number):
                return run()
        except Exception:
            return None

    nan, other = FILLED_WITH
    one, same = filled_with(nan), filled_with(nan)
    if (one is None) != (same is None) or (one is not None and not _equal(one, same).all()):
        # It depends on something else, too.
        return None
    again = filled_with(other)
    if again is None or one is None:
        return None if again is None else Unwritten(None)
    entries = ~_equal(one, again)
    return Unwritten(entries) if entries.any() else None


def _equal(a: Any, b: Any) -> Any:
    """Compare entry by entry, but for the rounding of sums that run in parallel."""
    if a.shape != b.shape:
        return np.zeros(1, bool)
    return np.isclose(a, b, rtol=1e-3, atol=0.0, equal_nan=True)


def named(entries: Any, inputs: Layout) -> str:
    """Name the entries of a flat gradient that a mask marks."""
    at = np.flatnonzero(entries)
    places = [inputs.locate(int(k)) for k in at[:NAMED]]
    names = [f"{name}{list(index) or ''}" for name, index in places]
    more = f" and {at.size - len(names)} more" if at.size > len(names) else ""
    return ", ".join(names) + more


@contextmanager
def first_with_nan(outs: Sequence[Any]) -> Iterator[list[type[Any]]]:
    """Write down the users' Functions whose backwards return nan for cotangents without, in their order."""
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
    """Return the sentence on a backward that returns memory that it never wrote, ``where`` as of `named`."""
    whose = "the backward" if kind is None else f"{name_of(kind)}.backward{place_of(kind)}"
    entries = f": {where}" if where else ""
    return f"{whose} returns memory that was never written (torch.empty or the like){entries}"
