"""NumPy's functions on tensors, where ``torch._numpy`` has none, or one that errs or loses the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from pytest_gradcheck.frameworks.torch.numpy_code.array import tnp, to_tensor

#: Untyped in part.
linalg: Any = torch.linalg
broadcast_tensors: Any = torch.broadcast_tensors


def _sinc(x: Any) -> torch.Tensor:
    # The second derivative of torch.sinc at zero is nan (torch 2.13). The series of sin(y)/y, DLMF 4.19.1,
    # has an error below 1e-19 there.
    y = math.pi * to_tensor(x)
    small = y.detach().abs() < 0.5
    square = torch.where(small, y * y, 0.0)
    series = sum((-1) ** k * square**k / math.factorial(2 * k + 1) for k in range(1, 9)) + 1.0
    safe = torch.where(small, 1.0, y)
    return torch.where(small, series, torch.sin(safe) / safe)


def _hermitian(a: Any, lower: bool = True) -> torch.Tensor:
    """Return the matrix of which NumPy reads one triangle: torch's gradient takes both for read."""
    x = to_tensor(a)
    strict = torch.tril(x, -1) if lower else torch.triu(x, 1)
    diagonal = torch.diag_embed(torch.diagonal(x, 0, -2, -1).real.to(x.dtype))
    return torch.add(strict + strict.mH, diagonal)


def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    return linalg.cholesky(_hermitian(a, not upper), upper=upper)


def _eigh(a: Any, UPLO: str = "L") -> Any:  # NumPy's name
    return tuple(linalg.eigh(_hermitian(a, UPLO == "L")))


def _nan_as(value: float, name: str) -> Callable[..., Any]:
    def function(a: Any, *args: Any, **kwargs: Any) -> Any:
        x = to_tensor(a)
        return getattr(tnp, name)(torch.where(torch.isnan(x), value, x), *args, **kwargs)

    return function


def _nanmean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    there = ~torch.isnan(a)
    return tnp.sum(torch.where(there, a, 0.0), axis, keepdims=keepdims) / tnp.sum(
        there, axis, keepdims=keepdims
    )


def _nanvar(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    there = ~torch.isnan(a)
    centred = torch.where(there, a - _nanmean(a, axis, keepdims=True).tensor, 0.0)
    count = tnp.sum(there, axis, keepdims=keepdims)
    return tnp.sum(centred * centred, axis, keepdims=keepdims) / (count - ddof)


def _doubles(value: Any) -> torch.Tensor:
    # torch divides integers in float32.
    return to_tensor(value).to(torch.float64)


def _quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    x, at = _doubles(a), _doubles(q)
    if axis is None:
        found = torch.quantile(x.reshape(-1), at, interpolation=method)
        return found.reshape(at.shape + (1,) * x.ndim) if keepdims else found
    return torch.quantile(x, at, axis, keepdims, interpolation=method)


def _cumulative(function: Callable[..., torch.Tensor], first: float) -> Callable[..., torch.Tensor]:
    def cumulative(
        x: torch.Tensor, /, *, axis: int | None = None, include_initial: bool = False
    ) -> torch.Tensor:
        axis = 0 if axis is None else axis
        if include_initial:
            edge = torch.full_like(x.narrow(axis, 0, 1), first)
            x = torch.cat([edge, x], axis)
        return function(x, axis)

    return cumulative


def _trapezoid(y: torch.Tensor, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    if x is None:
        return torch.trapezoid(y, dim=axis) * dx
    grid = to_tensor(x)
    if grid.ndim == 1:
        grid = grid.reshape([-1 if i == axis % y.ndim else 1 for i in range(y.ndim)])
    return torch.trapezoid(*broadcast_tensors(y, grid), dim=axis)


def _interp(x: Any, xp: Any, fp: Any) -> torch.Tensor:
    at, grid, values = (_doubles(v) for v in (x, xp, fp))
    right = torch.searchsorted(grid.detach(), at.detach().contiguous(), right=True).clamp(1, len(grid) - 1)
    left = right - 1
    weight = ((at - grid[left]) / (grid[right] - grid[left])).clamp(0.0, 1.0)
    return values[left] + weight * (values[right] - values[left])


def _polyval(p: Any, x: Any) -> Any:
    coefficients, at = to_tensor(p), to_tensor(x)
    result = torch.zeros_like(at)
    for c in coefficients:
        result = result * at + c
    return result


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    result = to_tensor(default)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = tnp.where(condition, choice, result).tensor
    return result


def _norm(x: torch.Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    # A matrix without ord is a vector here, as in NumPy, whatever its dimensions.
    if ord is None and axis is None:
        flat = linalg.vector_norm(x.reshape(-1))
        return flat.reshape((1,) * x.ndim) if keepdims else flat
    dims = tuple(axis) if isinstance(axis, list | tuple) else axis
    if (axis is None and x.ndim == 2) or (isinstance(dims, tuple) and len(dims) == 2):
        return linalg.matrix_norm(
            x, "fro" if ord is None else ord, (-2, -1) if dims is None else dims, keepdims
        )
    return linalg.vector_norm(x, 2 if ord is None else ord, dims, keepdims)


def _cross(a: torch.Tensor, b: torch.Tensor, /, *, axis: int = -1) -> Any:
    return linalg.cross(*broadcast_tensors(a, b), dim=axis)


def _cross_of_axes(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    left, right = to_tensor(a), to_tensor(b)
    axes = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    return _cross(left.movedim(axes[0], -1), right.movedim(axes[1], -1)).movedim(-1, axes[2])


def _dot(a: Any, b: Any) -> Any:
    """`numpy.dot`, which never broadcasts stacks of matrices, as torch's own NumPy does."""
    a, b = to_tensor(a), to_tensor(b)
    if a.ndim < 2 or b.ndim < 2:
        return tnp.dot(a, b)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return torch.tensordot(a.to(dtype), b.to(dtype), dims=([a.ndim - 1], [b.ndim - 2]))


#: Functions of tensors.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "amax": tnp.max,
    "amin": tnp.min,
    "cross": _cross_of_axes,
    "concat": tnp.concatenate,
    "dot": _dot,
    "cumulative_prod": _cumulative(torch.cumprod, 1.0),
    "cumulative_sum": _cumulative(torch.cumsum, 0.0),
    "interp": _interp,
    "linalg.cholesky": _cholesky,
    "linalg.cross": _cross,
    "linalg.eigh": _eigh,
    "linalg.eigvalsh": lambda a, UPLO="L": linalg.eigvalsh(_hermitian(a, UPLO == "L")),
    "linalg.matmul": tnp.matmul,
    "linalg.matrix_norm": lambda x, /, *, keepdims=False, ord="fro": linalg.matrix_norm(
        x, ord, (-2, -1), keepdims
    ),
    "linalg.norm": _norm,
    "linalg.outer": tnp.outer,
    "linalg.svdvals": linalg.svdvals,
    "linalg.tensordot": tnp.tensordot,
    "linalg.trace": lambda x, /, *, offset=0: torch.diagonal(x, offset, -2, -1).sum(-1),
    "linalg.vecdot": linalg.vecdot,
    "linalg.vector_norm": lambda x, /, *, axis=None, keepdims=False, ord=2: linalg.vector_norm(
        x, ord, axis, keepdims
    ),
    "median": lambda a, axis=None, **kwargs: _quantile(a, 0.5, axis, **kwargs),
    "nancumprod": _nan_as(1.0, "cumprod"),
    "nancumsum": _nan_as(0.0, "cumsum"),
    "nanmax": _nan_as(-math.inf, "max"),
    "nanmean": _nanmean,
    "nanmin": _nan_as(math.inf, "min"),
    "nanprod": _nan_as(1.0, "prod"),
    "nanstd": lambda *args, **kwargs: tnp.sqrt(_nanvar(*args, **kwargs)),
    "nansum": _nan_as(0.0, "sum"),
    "nanvar": _nanvar,
    "percentile": lambda a, q, axis=None, **kwargs: _quantile(a, _doubles(q) / 100, axis, **kwargs),
    "polyval": _polyval,
    "quantile": _quantile,
    "select": _select,
    "sinc": _sinc,
    "trapezoid": _trapezoid,
}
