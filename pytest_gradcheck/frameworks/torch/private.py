"""All of torch's private functions that evaluating many points at a time takes.

Without them points are evaluated by `torch.func.vmap`, which is slower, and Functions that have no
``setup_context`` are called point by point. A test with the installed torch says whether all are there.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

_functorch: Any = getattr(torch._C, "_functorch", None)
try:
    from torch._functorch.utils import enable_single_level_autograd_function as _single_level
    from torch._functorch.vmap import lazy_load_decompositions  # type: ignore[attr-defined]  # torch declares no more than torch.func.vmap
except ImportError:
    _functorch = None

_LEVELS = ("_vmap_increment_nesting", "_vmap_decrement_nesting", "_add_batch_dim", "_remove_batch_dim")

#: Whether a call can be mapped by torch's own parts of `vmap`.
HAS_LEVELS = all(hasattr(_functorch, name) for name in _LEVELS)

#: Whether Functions without ``setup_context`` can be mapped.
HAS_GUARD = HAS_LEVELS and hasattr(torch._C, "_are_functorch_transforms_active")


def mapped(call: Callable[[list[Any]], Sequence[Any]], leaves: Sequence[Any], count: int) -> list[Any]:
    """Call on tensors with one axis more, of ``count`` entries, that the call does not see.

    As `torch.func.vmap` does inside. That takes arguments and results apart for containers, which takes ten
    times as long as a small function runs, and leaves cycles to the garbage collector.
    """
    if not HAS_LEVELS:
        vmapped = torch.func.vmap(lambda *values: tuple(map(torch.as_tensor, call(list(values)))))
        return list(vmapped(*leaves))
    lazy_load_decompositions()
    level = _functorch._vmap_increment_nesting(count, "error")
    try:
        outs = call([_functorch._add_batch_dim(leaf, 0, level) for leaf in leaves])
        return [_functorch._remove_batch_dim(torch.as_tensor(out), level, count, 0) for out in outs]
    finally:
        _functorch._vmap_decrement_nesting()


@contextlib.contextmanager
def plain_functions() -> Iterator[None]:
    """Let every `autograd.Function` run its forward under `mapped`, as under ``no_grad`` it does without.

    torch refuses one without ``setup_context``, because its backward could not be called; none is here.
    """
    if not HAS_GUARD:
        yield
        return
    right, here = torch._C._are_functorch_transforms_active, threading.get_ident()

    def transforms_active() -> bool:
        return threading.get_ident() != here and bool(right())

    torch._C._are_functorch_transforms_active = transforms_active
    try:
        with _single_level():
            yield
    finally:
        torch._C._are_functorch_transforms_active = right
