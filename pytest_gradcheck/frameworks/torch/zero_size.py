"""Zero-size inputs: if a function accepts them, its backward must too.

No other part of a check calls a function with shapes that differ from the user's. So this trial runs only
where it can neither do harm nor mislead. Every operation of the function must be one of torch's that is known
to work on tensors without entries. No code may access the memory of a tensor directly, as a kernel with
``data_ptr()`` does. A failure counts only if the function does not depend on the number of rows: with one row
more and one row less, it and its backward work.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from pytest_gradcheck.frameworks.base import FunctionAtPoint, Property
from pytest_gradcheck.frameworks.properties import Selection
from pytest_gradcheck.frameworks.torch.draws import written_by
from pytest_gradcheck.frameworks.torch.fresh_memory import FRESH
from pytest_gradcheck.frameworks.torch.function_calls import FunctionCall, finding, said
from pytest_gradcheck.frameworks.torch.leaves import is_floating
from pytest_gradcheck.frameworks.torch.lowering.tree import tensors
from pytest_gradcheck.frameworks.torch.private import Mode, schema_of
from pytest_gradcheck.frameworks.torch.pullback import TorchPullback

NAME = "zero-size-inputs"

#: ATen operations that work on tensors without entries, or refuse them, besides those that are pointwise,
#: return a view or allocate: torch's database of operators tests them so. Others may not:
#: `aten::_pdist_backward` ends the process.
SAFE = frozenset([
    "_cdist_backward", "_cdist_forward", "_fft_c2c", "_fft_c2r", "_fft_r2c", "_linalg_eigh",
    "_linalg_solve_ex", "_linalg_svd", "_local_scalar_dense", "_log_softmax",
    "_log_softmax_backward_data", "_softmax", "_softmax_backward_data", "_to_copy", "_unsafe_view",
    "addbmm", "addmm", "addmv", "addr", "all", "amax", "amin", "any", "arange", "argmax", "argmin",
    "baddbmm", "bmm", "cat", "clone", "complex", "constant_pad_nd", "convolution", "convolution_backward",
    "copy_", "cummax", "cummin", "cumprod", "cumsum", "diag_embed", "diagonal_backward", "dot",
    "elu_backward", "eye", "fill_", "flip", "floor_divide", "full", "full_like", "hardtanh_backward",
    "isnan", "lift_fresh", "lift_fresh_copy", "linalg_cholesky_ex", "linalg_cross", "linalg_inv_ex",
    "linalg_lu_factor_ex", "linalg_qr", "linalg_solve_triangular", "linalg_vector_norm", "linspace",
    "log_sigmoid_backward", "log_sigmoid_forward", "logcumsumexp", "logsumexp", "masked_fill",
    "masked_fill_", "max", "mean", "min", "mm", "mv", "nansum", "native_dropout",
    "native_dropout_backward", "native_layer_norm", "native_layer_norm_backward", "new_full", "new_ones",
    "new_zeros", "nonzero", "norm", "ones", "ones_like", "prod", "rand", "rand_like", "randn",
    "randn_like", "repeat", "roll", "rsub", "scalar_tensor", "select_backward", "slice_backward", "sort",
    "stack", "std", "std_mean", "sum", "tril", "triu", "var", "var_mean", "vdot", "where", "zero_",
    "zeros", "zeros_like",
])  # fmt: skip

_ALLOWED = SAFE | FRESH

#: Dtypes besides the floating ones whose numbers are not indices.
_WITHOUT_INDICES = (torch.bool, torch.uint8)

_OF_TORCH = ("aten", "prim", "prims")

#: Methods that give a tensor's memory to code that torch does not see.
_REACHES = ("data_ptr", "numpy", "__array__", "__dlpack__", "untyped_storage", "storage")


def zero_size(
    problem: FunctionAtPoint, pullback: TorchPullback, calls: Iterable[FunctionCall], wanted: Selection
) -> list[Property]:
    """Call the function without rows, and its backward, if that is safe or was requested by name."""
    rows = {len(x) for x in pullback.leaves if x.ndim}
    if len(rows) != 1:
        return []
    (count,) = rows
    named = NAME in wanted.by_name
    if not named and (why := _why_unsafe(problem, pullback, calls, count)):
        return [finding(NAME, None, f"not tried: {why}")]
    empty = _resized(pullback, count, 0)
    # Without rows a function may take another branch.
    watched = nullcontext() if named else _Seen(count, strict=True)
    try:
        with watched:
            outs = _values(problem, pullback, empty)
    except Exception as error:
        return [finding(NAME, None, f"the function does not accept them: {said(error)}")]
    if not outs:
        return []
    try:
        with watched:
            _backward(pullback, empty, outs)
    except Unsafe as error:
        return [finding(NAME, None, f"not tried: {error}")]
    except Exception as error:
        if why := _why_no_other(problem, pullback, count):
            return [finding(NAME, None, f"the function depends on the number of rows: {why}")]
        text = f"the function accepts zero-size inputs, but its backward raises {said(error)}"
        return [finding(NAME, False, text)]
    return [finding(NAME, True)]


def _why_unsafe(
    problem: FunctionAtPoint, pullback: TorchPullback, calls: Iterable[FunctionCall], count: int
) -> str:
    """Return why a call without rows may do harm, else nothing; the function runs with its own inputs."""
    seen = _Seen(count)
    for call in calls:
        seen.look_at(call.arguments, by_number=True)
    if not seen.reason:
        leaves = pullback.fresh()
        try:
            with seen, _reaching(seen):
                outs = _values(problem, pullback, leaves)
                _backward(pullback, leaves, outs)
            seen.ends(leaves, outs)
        except Exception as error:
            return said(error)
    return seen.reason


def _why_no_other(problem: FunctionAtPoint, pullback: TorchPullback, count: int) -> str:
    """Return how the function or its backward fails with one row more or less, empty if both work.

    Three components of a vector are not rows, and a vector without components is not a natural request.
    """
    for other in sorted({count + 1, max(count - 1, 1)} - {count}):
        leaves = _resized(pullback, count, other)
        try:
            _backward(pullback, leaves, _values(problem, pullback, leaves))
        except Exception as error:
            return f"with {other} in place of {count} it raises {said(error)}"
    return ""


def _resized(pullback: TorchPullback, count: int, rows: int) -> list[Any]:
    """Return the leaves with another number of rows: fewer, or the first one once more at the end."""
    parts = [torch.cat([x, x[:1]])[:rows] if x.ndim and len(x) == count else x for x in pullback.fresh()]
    return [x.detach().clone().requires_grad_() for x in parts]


def _values(problem: FunctionAtPoint, pullback: TorchPullback, leaves: list[Any]) -> list[Any]:
    with torch.enable_grad(), pullback.program.surroundings(leaves):
        outs = problem.call(leaves, double=False)
    return [out for out in outs if isinstance(out, torch.Tensor) and out.requires_grad]


def _backward(pullback: TorchPullback, leaves: list[Any], outs: list[Any]) -> None:
    with pullback.program.surroundings(leaves):
        torch.autograd.grad(outs, leaves, [torch.ones_like(out) for out in outs], allow_unused=True)


class Unsafe(Exception):  # noqa: N818  it is a state of a trial, not a mistake of the user
    """An operation that must not run on tensors without entries; the text is the reason."""


class _Seen(Mode):
    """Watches what runs inside of this context: whether all of it works without rows, and whether anything is
    hidden.

    A kernel from outside of torch leaves traces: an address that it is given, memory that it alone writes to,
    a result that no operation made. Integer arguments may refer to rows that no longer exist: they are
    offsets or indices, and torch's own segment_reduce reads where they point. ``strict`` raises `Unsafe`
    before an operation that may harm.
    """

    def __init__(self, rows: int, *, strict: bool = False) -> None:
        super().__init__()
        self.reason = ""
        self._rows, self._strict = rows, strict
        self._made: set[int] = set()
        self._unwritten: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and record what it created and wrote."""
        kwargs = kwargs or {}
        if not _is_safe(func):
            known = func.namespace in _OF_TORCH
            self.note(f"{func} is {'not known to work without rows' if known else 'from outside of torch'}")
        if not self.reason:
            self.look_at((*args, *kwargs.values()), by_number=False)
        if self._strict and self.reason:
            raise Unsafe(self.reason)
        out = func(*args, **kwargs)
        if not self._strict:
            made = [_memory(x) for x in ([out] if isinstance(out, torch.Tensor) else tensors(out))]
            self._made.update(made)
            if func.overloadpacket.__name__ in FRESH and out.numel():
                self._unwritten.update(made)
            elif self._unwritten:
                self._unwritten.difference_update(map(_memory, written_by(func, args, kwargs)))
        return out

    def look_at(self, arguments: Iterable[Any], *, by_number: bool) -> None:
        """Note arguments that may refer to rows."""
        rest = list(arguments)
        for x in rest:
            points = False
            if isinstance(x, torch.Tensor):
                points = x.dtype not in _WITHOUT_INDICES and not is_floating(x)
            elif isinstance(x, tuple | list):
                rest += x
            elif isinstance(x, dict):
                rest += x.values()
            elif by_number:
                points = isinstance(x, int) and not isinstance(x, bool) and x >= self._rows
            if points:
                self.note("whole numbers among the arguments may be indices of rows, or their number")
                return

    def note(self, reason: str) -> None:
        """Keep the first reason."""
        self.reason = self.reason or reason

    def ends(self, leaves: Sequence[Any], outs: Sequence[Any]) -> None:
        """Note traces of code that torch does not see, when all has run."""
        known = self._made | {_memory(x) for x in leaves}
        if self._unwritten or not {_memory(x) for x in outs if x.numel()} <= known:
            self.note("code that torch does not see writes to memory")


@functools.cache
def _is_safe(func: Any) -> bool:
    """Whether an operation is one of torch's that works on tensors without entries, or refuses them."""
    returns = schema_of(func).returns
    return func.namespace in _OF_TORCH and (
        func.overloadpacket.__name__ in _ALLOWED
        or torch.Tag.pointwise in func.tags
        or any(returned.alias_info is not None for returned in returns)
    )


#: By torch's own method, which `_reaching` replaces for a while.
_storage = torch.Tensor.untyped_storage


def _memory(x: torch.Tensor) -> int:
    return _storage(x).data_ptr() if x.layout == torch.strided else id(x)


@contextmanager
def _reaching(seen: _Seen) -> Iterator[None]:
    """Note accesses to a tensor's memory: modes do not see them in a backward, which runs without modes."""
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
