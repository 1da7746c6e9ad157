"""Private names of torch, each with a fallback.

Another release of torch may rename any of it. No other file of this folder uses such a name.
`tests/frameworks/torch/test_private.py` holds each against the installed release.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch

from pytest_gradcheck.errors import Unavailable

if TYPE_CHECKING:
    from torch.utils._python_dispatch import TorchDispatchMode
else:
    try:
        from torch.utils._python_dispatch import TorchDispatchMode
    except ImportError:

        class TorchDispatchMode:
            """Fallback if torch has no such class."""

            def __init__(self) -> None:
                raise Unavailable(f"torch {torch.__version__} does not show the operations that run")


def uncompiled() -> AbstractContextManager[None]:
    """Run functions that torch compiles as they were written.

    Where a mode or `mapped` is active, the compiler gives a function up for good. From then on the code as it
    was written would be on trial instead of the compiled one.
    """
    # If the compiler is not imported, nothing is compiled, and importing it takes more than a second.
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
    return stance


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch left a hook untyped
    """Sees the ATen operations that run inside of its ``with`` block, and does not concern torch's compiler.

    Otherwise torch wraps the dispatch in a guard against compiling it: a quarter of the recording of a small
    MLP (0.86 ms against 1.12 ms), and an import of the compiler, which takes more than a second. Functions
    compiled by the user run as they were written, see `uncompiled`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch left it untyped
        self._stances: list[AbstractContextManager[None]] = []

    def __enter__(self) -> Any:
        self._stances.append(uncompiled())
        self._stances[-1].__enter__()
        return super().__enter__()  # type: ignore[no-untyped-call]  # torch left it untyped

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]  # as above
        self._stances.pop().__exit__(*raised)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]  # as above

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


#: The schema of an ATen operation, and the name of its overload. Without them the recording fails, and the
#: reference engine is unavailable.
schema_of: Callable[[Any], Any] = attrgetter("_schema")
overload_of: Callable[[Any], str] = attrgetter("_overloadname")
#: A key that is equal for two storages of the same memory; likewise.
memory_of: Callable[[Any], int] = attrgetter("_cdata")


def name_of_operation(operation: Any) -> str | None:
    """Return ``"mylib::blur"`` or ``"mylib::blur.default"``; None for what is not an operation of torch."""
    # What torch.library.custom_op returns holds the overload.
    operation = getattr(operation, "_opoverload", operation)
    if hasattr(operation, "_schema") and hasattr(operation, "_overloadname"):
        return f"{operation._schema.name}.{operation._overloadname}"
    name = getattr(operation, "_qualified_op_name", None)
    return name if isinstance(name, str) else None


def dtypes_of(node: Any) -> list[Any]:
    """Return the dtypes of the tensors that a node of a graph is the backward of."""
    return [each.dtype for each in getattr(node, "_input_metadata", ())]


def function_of(node: Any) -> type[Any] | None:
    """Return the `autograd.Function` that a node of a graph belongs to, None for an operation of torch."""
    return getattr(node, "_forward_cls", None)


def is_compiled(kind: type[Any] | None) -> bool:
    """Whether torch's compiler made a Function of the code that it compiled."""
    return kind is not None and kind.__module__.startswith("torch._functorch.")


def is_registered(kind: type[Any]) -> bool:
    """Whether torch.library made a Function of a backward that is registered for a custom operation."""
    return kind.__module__ == "torch._library.autograd"


def registered(kind: type[Any]) -> tuple[Callable[..., Any] | None, str | None]:
    """Return such a Function's backward, as its author wrote it, and the name of its operation."""
    function = kind.backward
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    held = {name: cell.cell_contents for name, cell in cells}
    return getattr(held.get("info"), "_backward_fn", None), getattr(held.get("op"), "_name", None)


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return torch's definitions of operations in terms of simpler ones; empty if it has none.

    Importing them takes about half a second.
    """
    try:
        from torch._decomp import core_aten_decompositions, decomposition_table
    except ImportError:
        return {}
    return {**decomposition_table, **core_aten_decompositions()}


def numpy_on_tensors() -> Any:
    """Return torch's own NumPy, which works on tensors; raises `Unavailable` where it has none."""
    try:
        from torch import _numpy
    except ImportError:
        raise Unavailable(f"torch {torch.__version__} has no NumPy of its own") from None
    return _numpy


def is_zero_tensor(x: torch.Tensor) -> bool:
    """Whether a tensor of zeros has no memory: below autograd, to read one is to crash."""
    found: Callable[[], bool] = getattr(x, "_is_zerotensor", bool)
    return found()


@contextmanager
def _without(holder: Any, is_on: str, switch: str) -> Iterator[None]:
    """Turn a switch off, if there is one and it is on."""
    enable: Callable[[bool], object] = getattr(holder, switch, bool)
    before = getattr(holder, is_on, bool)()
    if before:
        enable(False)
    try:
        yield
    finally:
        if before:
            enable(True)


def rules_only() -> AbstractContextManager[None]:
    """Let `vmap` refuse an operation that has no rule for it.

    torch would run such an operation in a loop, which saves nothing, and report it to the user on standard
    error, where no filter of warnings reaches.
    """
    functorch = getattr(torch._C, "_functorch", None)
    return _without(functorch, "_is_vmap_fallback_enabled", "_set_vmap_fallback_enabled")


def without_mkldnn() -> AbstractContextManager[None]:
    """Keep torch from oneDNN's kernels, which are opaque.

    The public `torch.backends.mkldnn.flags` also sets TF32, with a warning where there is no Intel GPU.
    """
    return _without(torch._C, "_get_mkldnn_enabled", "_set_mkldnn_enabled")


# -- many points in one call ------------------------------------------------------------------------

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
    """Call on tensors with an extra axis of ``count`` entries that the call does not see.

    `torch.func.vmap` does the same internally. It itself also handles containers, which takes ten times as
    long as a small function, and leaves cycles to the garbage collector.
    """
    if not HAS_LEVELS:
        vmapped = torch.func.vmap(lambda *values: tuple(map(torch.as_tensor, call(list(values)))))
        with uncompiled():
            return list(vmapped(*leaves))
    lazy_load_decompositions()
    level = _functorch._vmap_increment_nesting(count, "error")
    try:
        with uncompiled():
            outs = call([_functorch._add_batch_dim(leaf, 0, level) for leaf in leaves])
        return [_functorch._remove_batch_dim(torch.as_tensor(out), level, count, 0) for out in outs]
    finally:
        _functorch._vmap_decrement_nesting()


_PARTS = ("is_batchedtensor", "is_legacy_batchedtensor", "get_unwrapped", "maybe_get_bdim")

#: Whether a batched tensor that outlives its call can be made an ordinary one.
HAS_PARTS = all(hasattr(_functorch, name) for name in _PARTS) and hasattr(torch._C, "_swap_tensor_impl")


@contextmanager
def none_batched_afterwards() -> Iterator[None]:
    """Turn every batched tensor that outlives the ``with`` block into the first of its entries.

    A function may keep such a tensor anywhere: in a module, a list, a closure. Any use of it later raises, so
    the tensor itself becomes the one that a call at the first point alone would have kept. New objects are in
    the collector's youngest generation, where finding them takes 20 µs; all objects of a process take 20 ms.
    """
    if not HAS_PARTS:
        raise Unavailable(f"torch {torch.__version__} does not report which tensors are batched")
    collects, before = gc.isenabled(), _collections()
    gc.disable()
    try:
        yield
    finally:
        try:
            moved = _collections() != before
            for kept in gc.get_objects() if moved else gc.get_objects(generation=0):
                # By its type: to ask an object for its class may run code of the user's.
                if issubclass(type(kept), torch.Tensor):
                    _make_plain(kept)
        finally:
            if collects:
                gc.enable()


def _collections() -> list[int]:
    return [generation["collections"] for generation in gc.get_stats()]


def _make_plain(kept: torch.Tensor) -> None:
    plain = kept
    while _functorch.is_batchedtensor(plain):
        plain = _functorch.get_unwrapped(plain).select(_functorch.maybe_get_bdim(plain), 0)
    while _functorch.is_legacy_batchedtensor(plain):
        # The size is that of an axis to add where there is none; the level of a batch alone is 1.
        plain = torch._remove_batch_dim(plain, 1, 1, 0)[0]
    if plain is not kept:
        # Tensors that torch's C++ code holds cannot be replaced.
        with suppress(RuntimeError):
            torch._C._swap_tensor_impl(kept, plain.detach().clone())


@contextmanager
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
