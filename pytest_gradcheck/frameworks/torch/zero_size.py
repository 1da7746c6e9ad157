"""Inputs without rows: where a function takes them, its backward must take them too.

Nothing else that a check does calls a function with other shapes than the user's. So this trial is made only
where it can neither harm nor mislead. Every operation of the function is one of torch's that is known to work
on tensors without entries. Nothing reads the memory of a tensor past torch, as a kernel does that is given
``data_ptr()``. And the number of rows means nothing to the function: with one row more and with one row less
function and backward work as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from pytest_gradcheck.frameworks.base import FunctionAtPoint, Property
from pytest_gradcheck.frameworks.properties import Selection
from pytest_gradcheck.frameworks.torch.fresh_memory import FRESH
from pytest_gradcheck.frameworks.torch.function_calls import FunctionCall, finding, said
from pytest_gradcheck.frameworks.torch.leaves import is_floating
from pytest_gradcheck.frameworks.torch.lowering.tree import tensors
from pytest_gradcheck.frameworks.torch.private import Mode, schema_of
from pytest_gradcheck.frameworks.torch.pullback import TorchPullback

NAME = "zero-size-inputs"

#: ATen operations that work on tensors without entries, or refuse them, besides those that are pointwise,
#: reduce, return a view or allocate. Others need not: `aten::_pdist_backward` ends the process.
SAFE = frozenset([
    "_log_softmax", "_log_softmax_backward_data", "_softmax", "_softmax_backward_data", "_to_copy",
    "_unsafe_view", "addbmm", "addmm", "addmv", "addr", "arange", "baddbmm", "bmm", "cat", "clone",
    "constant_pad_nd", "copy_", "cummax", "cummin", "cumprod", "cumsum", "diag_embed", "dot", "eye",
    "fill_", "flip", "full", "full_like", "isnan", "lift_fresh", "lift_fresh_copy", "linalg_vector_norm",
    "logcumsumexp", "masked_fill", "masked_fill_", "mm", "mv", "native_dropout",
    "native_dropout_backward", "new_full", "new_ones", "new_zeros", "norm", "ones", "ones_like", "rand",
    "rand_like", "randn", "randn_like", "repeat", "roll", "scalar_tensor", "select_backward",
    "slice_backward", "stack", "std", "std_mean", "tril", "triu", "var", "var_mean", "vdot", "where",
    "zero_", "zeros", "zeros_like",
])  # fmt: skip

_ALLOWED = SAFE | FRESH

#: What hands a tensor's memory to code that torch does not see.
_REACHES = ("data_ptr", "numpy", "__array__", "__dlpack__", "untyped_storage", "storage", "_typed_storage")


def zero_size(
    problem: FunctionAtPoint, pullback: TorchPullback, calls: Iterable[FunctionCall], wanted: Selection
) -> list[Property]:
    """Call the function without rows, if that is safe or was asked for by name, and its backward."""
    leaves = pullback.fresh()
    rows = {len(x) for x in leaves if x.ndim}
    if len(rows) != 1:
        return []
    (count,) = rows
    if NAME not in wanted.by_name and (why := _why_not(problem, pullback, calls, count)):
        return [finding(NAME, None, f"not tried: {why}")]
    empty = _resized(leaves, count, 0)
    try:
        outs = _values(problem, pullback, empty)
    except Exception as error:
        return [finding(NAME, None, f"the function does not take them: {said(error)}")]
    if not outs:
        return []
    try:
        _backward(pullback, empty, outs)
    except Exception as error:
        text = f"the function takes inputs without rows, and its backward raises {said(error)}"
        return [finding(NAME, False, text)]
    return [finding(NAME, True)]


def _why_not(
    problem: FunctionAtPoint, pullback: TorchPullback, calls: Iterable[FunctionCall], count: int
) -> str:
    """Return why the function must not be called without rows, nothing where it can be."""
    try:
        if _points_at_rows(pullback, calls, count):
            return "whole numbers among the arguments may be indices of rows, or their number"
        seen = _Seen()
        leaves = pullback.fresh()
        with seen, _reaching(seen):
            outs = _values(problem, pullback, leaves)
            _backward(pullback, leaves, outs)
        if why := seen.why(leaves, outs):
            return why
    except Exception as error:
        return said(error)
    for other in sorted({count + 1, max(count - 1, 1)} - {count}):
        leaves = _resized(pullback.fresh(), count, other)
        try:
            _backward(pullback, leaves, _values(problem, pullback, leaves))
        except Exception as error:
            return f"the number of rows means something: {other} in place of {count} raise {said(error)}"
    return ""


def _resized(leaves: Sequence[Any], count: int, rows: int) -> list[Any]:
    """Return the leaves with another number of rows: fewer, or the first one once more at the end."""
    parts = [torch.cat([x, x[:1]])[:rows] if x.ndim and len(x) == count else x for x in leaves]
    return [x.detach().clone().requires_grad_() for x in parts]


def _values(problem: FunctionAtPoint, pullback: TorchPullback, leaves: list[Any]) -> list[Any]:
    with torch.enable_grad(), pullback.program.surroundings(leaves):
        outs = problem.call(leaves, double=False)
    return [out for out in outs if isinstance(out, torch.Tensor) and out.requires_grad]


def _backward(pullback: TorchPullback, leaves: list[Any], outs: list[Any]) -> None:
    with pullback.program.surroundings(leaves):
        torch.autograd.grad(outs, leaves, [torch.ones_like(out) for out in outs], allow_unused=True)


class _Seen(Mode):
    """Sees what runs inside of this context: whether all of it works without rows, and whether it is all.

    A kernel from outside of torch leaves traces: an address that it is given, memory that it alone writes to,
    a result that no operation made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""
        self._made: set[int] = set()
        self._unwritten: dict[int, torch.Tensor] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and write down what it made and wrote."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name, schema = func.overloadpacket.__name__, schema_of(func)
        if func.namespace not in ("aten", "prim", "prims"):
            self.note(f"{func.namespace}::{name} is an operation from outside of torch")
        elif not (
            name in _ALLOWED
            or {torch.Tag.pointwise, torch.Tag.reduction} & set(func.tags)
            or any(returned.alias_info is not None for returned in schema.returns)
        ):
            self.note(f"aten::{name} is not known to work without rows")
        made = tensors(out)
        self._made |= {_memory(x) for x in made}
        if name in FRESH:
            self._unwritten |= {_memory(x): x for x in made if x.numel()}
        for k, argument in enumerate(schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                for x in tensors([kwargs.get(argument.name, args[k] if k < len(args) else None)]):
                    self._unwritten.pop(_memory(x), None)
        return out

    def note(self, reason: str) -> None:
        """Keep the first reason."""
        self.reason = self.reason or reason

    def why(self, leaves: Sequence[Any], outs: Sequence[Any]) -> str:
        """Return why the function must not be called without rows."""
        known = self._made | {_memory(x) for x in leaves}
        if not self.reason and (self._unwritten or not {_memory(x) for x in outs} <= known):
            self.note("code that torch does not see writes to memory")
        return self.reason


#: By torch's own method, which `_reaching` replaces for a while.
_storage = torch.Tensor.untyped_storage


def _memory(x: torch.Tensor) -> int:
    return _storage(x).data_ptr() if x.layout == torch.strided else id(x)


@contextmanager
def _reaching(seen: _Seen) -> Iterator[None]:
    """Note what asks a tensor for its memory: no mode sees that in a backward, which runs without them."""
    inherited = [name for name in _REACHES if name not in vars(torch.Tensor)]
    before = {name: getattr(torch.Tensor, name) for name in _REACHES if hasattr(torch.Tensor, name)}

    def noted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            seen.note(f"Tensor.{name}() hands memory to code that torch does not see")
            return method(*args, **kwargs)

        return call

    try:
        for name, method in before.items():
            setattr(torch.Tensor, name, noted(name, method))
        yield
    finally:
        for name, method in before.items():
            if name in inherited:
                delattr(torch.Tensor, name)
            else:
                setattr(torch.Tensor, name, method)


# -- what may speak of rows ------------------------------------------------------------------------


def _each_argument(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _each_argument(part)
    else:
        yield value


class _Pointing(Mode):
    """Inside this context it is seen whether an operation is told of rows by more than its floating tensors.

    Whole numbers may be offsets or indices, and what is given to an operation of the user's a size.
    """

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.seen, self._rows = False, rows

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Look at the arguments and run the operation."""
        users, every = func.namespace not in ("aten", "prim", "prims"), _each_argument((args, kwargs or {}))
        self.seen = self.seen or any(self.points(x, by_number=users) for x in every)
        return func(*args, **(kwargs or {}))

    def points(self, x: Any, *, by_number: bool) -> bool:
        """Whether an argument may say which rows there are."""
        if isinstance(x, torch.Tensor):
            return x.dtype not in (torch.bool, torch.uint8) and not is_floating(x)
        return by_number and isinstance(x, int) and not isinstance(x, bool) and x >= self._rows


def _points_at_rows(pullback: TorchPullback, calls: Iterable[FunctionCall], rows: int) -> bool:
    """Whether the function has arguments beside the floating ones that may speak of rows which are then gone.

    A kernel that is told of them reads where nothing is: torch's own segment_reduce ends the process.
    """
    pointing = _Pointing(rows)
    if any(pointing.points(x, by_number=True) for call in calls for x in _each_argument(call.arguments)):
        return True
    leaves = pullback.fresh()
    with torch.enable_grad(), pullback.program.surroundings(leaves), pointing:
        pullback.program.run(*leaves)
    return pointing.seen
