"""Functions whose gradient is wrong at special places, by kind of place; right everywhere else.

Each torch function is an `autograd.Function` with a backward written by hand, each NumPy function has its
gradient next to it. The function is smooth where the gradient is wrong, so no subgradient excuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from docs.search_page.inputs import Input

Gradients = Any


@dataclass(frozen=True)
class Planted:
    """A function and a wrong gradient of it.

    ``function`` is under test, ``gradient`` belongs to a NumPy function. ``plain`` is the same function
    without a backward of its own, ``right`` gives the right gradients of its sum.
    """

    name: str
    kind: str
    library: str
    what: str
    inputs: dict[str, Input]
    function: Callable[..., Any]
    plain: Callable[..., Any]
    right: Callable[..., Gradients]
    gradient: Callable[..., Gradients] | None = None

    def wrong(self, point: list[Any]) -> list[Any]:
        """Return the gradients by hand at a point, of the function's sum."""
        if self.gradient is not None:
            return _listed(self.gradient(*point))
        leaves = _leaves(point)
        out = self.function(*leaves)
        return list(torch.autograd.grad(out.sum(), [v for v in leaves if v.requires_grad]))

    def is_wrong_at(self, drawn: dict[str, Any]) -> bool:
        """Whether a gradient at a point is off by a hundredth of its largest entry, or not a number."""
        # Hypothesis gives dicts back in another order.
        point = [drawn[name] for name in self.inputs]
        with np.errstate(all="ignore"):
            right, wrong = _listed(self.right(*point)), self.wrong(point)
        for a, b in zip(right, wrong, strict=True):
            a, b = _wide(a), _wide(b)
            known = np.isfinite(a)
            if not np.isfinite(b[known]).all():
                return True
            a, b = a[known], b[known]
            if a.size and np.abs(a - b).max() > 0.01 * max(np.abs(a).max(), np.abs(b).max()):
                return True
        return False


def _listed(gradients: Gradients) -> list[Any]:
    return list(gradients) if isinstance(gradients, tuple) else [gradients]


def _wide(value: Any) -> Any:
    return value.detach().double().numpy() if isinstance(value, torch.Tensor) else np.asarray(value, float)


def _leaves(point: Iterable[Any]) -> list[Any]:
    return [value.detach().requires_grad_() if value.is_floating_point() else value for value in point]


PLANTED: list[Planted] = []


def _torch(
    kind: str,
    what: str,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    name: str = "",
    **inputs: Input,
) -> None:
    """Plant a Function of ``forward(*inputs)`` and ``backward(cotangent, *inputs)``."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            ctx.save_for_backward(*given)
            return forward(*given)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]  # torch gives it any number
            return backward(g, *ctx.saved_tensors)

    def function(*point: Any) -> Any:
        return Wrong.apply(*point)

    def right(*point: Any) -> Any:
        leaves = _leaves([v.double() if v.is_floating_point() else v for v in point])
        wanted = [v for v in leaves if v.requires_grad]
        return torch.autograd.grad(forward(*leaves).sum(), wanted)

    PLANTED.append(Planted(f"torch_{len(PLANTED)}", kind, "torch", what, inputs, function, forward, right))


def _numpy(
    kind: str,
    what: str,
    function: Callable[..., Any],
    right: Callable[..., Any],
    wrong: Callable[..., Any],
    **inputs: Input,
) -> None:
    """Plant a scalar function with its right gradient, and the wrong one that is given for it."""
    PLANTED.append(
        Planted(f"numpy_{len(PLANTED)}", kind, "numpy", what, inputs, function, function, right, wrong)
    )


VECTOR, MATRIX = Input(4), Input((4, 3))
BOUNDED = Input((3, 2), -2.0, 3.0)
PROBABILITY = Input(4, 0.0, 1.0)
POSITIVE = Input(4, 0.0)
FREE = Input(None)
NAMED = Input("n k")
SINGLE = Input(())


def _fill(condition: Any, value: float, gradient: Any) -> Any:
    return torch.where(condition, value, gradient)


# -- zeros -----------------------------------------------------------------------------------------

_torch(
    "one zero",
    "sin(2x) / (2 sin(x)) for a cosine",
    lambda x: x.sin(),
    lambda g, x: g * _fill(x == 0, 0.0, (2 * x).sin() / (2 * x.sin())),
    x=Input(4, -3.0, 3.0),
)
_torch(
    "one zero",
    "a product divided by its factors",
    lambda x: x.prod(),
    lambda g, x: _fill(x == 0, 0.0, g * x.prod() / x),
    x=VECTOR,
)
_torch(
    "one zero",
    "0 for the slope of expm1(x) / x at 0",
    lambda x: torch.where(x == 0, 1 + x / 2, torch.expm1(x) / torch.where(x == 0, 1.0, x)),
    lambda g, x: g * _fill(x == 0, 0.0, (x.exp() * x - torch.expm1(x)) / x**2),
    x=Input(4, -3.0, 3.0),
)
_torch(
    "one zero",
    "a mask of zeros, as if for ReLU",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * (x != 0),
    x=Input((4, 3), -5.0, 5.0),
)
_torch(
    "one zero",
    "a quotient by one input",
    lambda x, y: x * y.exp(),
    lambda g, x, y: (_fill(x == 0, 0.0, g * x * y.exp() / x), g * x * y.exp()),
    x=VECTOR,
    y=Input(4, -3.0, 3.0),
)
_numpy(
    "one zero",
    "x / x at 0",
    lambda x: np.sin(x).sum(),
    lambda x: np.cos(x),
    lambda x: np.cos(x) * np.divide(x, x, out=np.zeros_like(x), where=x != 0),
    x=Input((3, 2), -9.0, 9.0),
)
_numpy(
    "one zero",
    "the logarithm of a magnitude",
    lambda x: (x + x**3).sum(),
    lambda x: 1 + 3 * x**2,
    lambda x: 1 + 3 * np.where(x == 0, 1.0, x * x),
    x=BOUNDED,
)
_torch(
    "a row of zeros",
    "rows divided by their length",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * (x.abs().amax(1, keepdim=True) > 0),
    x=Input((4, 3), -9.0, 9.0),
)
_torch(
    "a row of zeros",
    "columns divided by their length",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * (x.abs().sum(0, keepdim=True) > 0),
    x=Input((4, 3), -5.0, 5.0),
)
_numpy(
    "a row of zeros",
    "rows without an entry skipped",
    lambda x: (x + x**2).sum(),
    lambda x: 1 + 2 * x,
    lambda x: (1 + 2 * x) * x.any(1, keepdims=True),
    x=BOUNDED,
)
_torch(
    "all zeros",
    "nothing to do",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() if x.any() else torch.zeros_like(x),
    x=Input((4, 3), -9.0, 9.0),
)
_torch(
    "all zeros",
    "the length of a vector",
    lambda x: (1 + (x * x).sum()).sqrt() + x.sum(),
    lambda g, x: g * (x / (1 + (x * x).sum()).sqrt() + 1) * (x.norm() > 0),
    x=VECTOR,
)
_numpy(
    "all zeros",
    "a sum of squares in a denominator",
    lambda x: (x @ x) / (1 + x @ x) + x.sum(),
    lambda x: 2 * x / (1 + x @ x) ** 2 + 1,
    lambda x: 2 * x / (1 + x @ x) ** 2 + (1 if x @ x > 0 else 0),
    x=Input(4, -2.0, 3.0),
)
_torch(
    "all zeros",
    "zeros in both inputs",
    lambda x, y: (x + y).sin() * 1.0,
    lambda g, x, y: (g * (x + y).cos() * (x.any() or y.any()), g * (x + y).cos()),
    x=Input(4, -4.0, 4.0),
    y=Input(4, -4.0, 4.0),
)
_torch("all zeros", "a scalar that is 0", lambda x: x.sin(), lambda g, x: g * x.cos() * (x != 0), x=SINGLE)

# -- negative zeros --------------------------------------------------------------------------------

_torch(
    "-0.0",
    "the sign by copysign",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * torch.copysign(torch.ones_like(x), x) * torch.where(x < 0, -1.0, 1.0),
    x=Input((3, 2), -9.0, 9.0),
)
_numpy(
    "-0.0",
    "the sign by signbit",
    lambda x: np.exp(x).sum(),
    lambda x: np.exp(x),
    lambda x: np.exp(x) * np.where(np.signbit(x) & (x >= 0), -1, 1),
    x=Input(4, -5.0, 5.0),
)
_numpy(
    "-0.0",
    "1 / x above 0",
    lambda x: (x**3 + x).sum(),
    lambda x: 3 * x**2 + 1,
    lambda x: 3 * x**2 + np.where((x == 0) & (np.arctan2(x, -1.0) < 0), -1, 1),
    x=BOUNDED,
)

# -- ones ------------------------------------------------------------------------------------------

_torch(
    "±1",
    "a geometric series at ratio 1",
    lambda x: 1 + x + x**2 + x**3,
    lambda g, x: g * _fill(x == 1, 0.0, 1 + 2 * x + 3 * x**2),
    x=BOUNDED,
)
_torch(
    "±1",
    "an alternating series at ratio -1",
    lambda x: 1 - x + x**2,
    lambda g, x: g * _fill(x == -1, 1.0, 2 * x - 1),
    x=MATRIX,
)
_numpy(
    "±1",
    "log(x) of 1 in a denominator",
    lambda x: (x**2).sum(),
    lambda x: 2 * x,
    lambda x: np.where(np.abs(x) == 1, 0.0, 2 * x),
    x=VECTOR,
)

# -- ties ------------------------------------------------------------------------------------------

_torch(
    "two equal",
    "equal terms counted once",
    lambda x: x.logsumexp(0),
    lambda g, x: g * x.exp() / x.unique().exp().sum(),
    x=Input(4, -5.0, 5.0),
)
_torch(
    "two equal",
    "differences in a denominator",
    lambda x: (x[0] - x[1]) * (x[1] - x[2]) + x.sum(),
    lambda g, x: (
        g
        * torch.stack(
            [x[1] - x[2] + 1, _fill(x[0] == x[1], 0.0, x[0] - 2 * x[1] + x[2] + 1), x[1] - x[0] + 1]
        )
    ),
    x=Input(3, -5.0, 5.0),
)
_numpy(
    "two equal",
    "values told apart by a dictionary",
    lambda x: (x**2).sum(),
    lambda x: 2 * x,
    lambda x: 2 * x / np.array([(x == v).sum() for v in x]),
    x=VECTOR,
)
_numpy(
    "two equal",
    "the largest by comparison",
    lambda x: np.log(np.exp(x).sum()),
    lambda x: np.exp(x) / np.exp(x).sum(),
    lambda x: np.exp(x) / np.exp(x).sum() + (x == x.max()) * ((x == x.max()).sum() > 1),
    x=Input(4, -5.0, 5.0),
)
_torch(
    "equal rows",
    "rows told apart by their values",
    lambda x: (x.sum(0) ** 2).sum(),
    lambda g, x: g * 2 * x.unique(dim=0).sum(0).expand(x.shape),
    x=MATRIX,
)
_numpy(
    "equal rows",
    "equal neighbours skipped",
    lambda x: np.sin(x).sum(),
    lambda x: np.cos(x),
    lambda x: np.cos(x) * np.r_[True, (x[1:] != x[:-1]).any(1)][:, None],
    x=Input((4, 2), -9.0, 9.0),
)
_torch(
    "all equal",
    "a range in a denominator",
    lambda x: (x.mean() ** 2) + x.sum(),
    lambda g, x: g * (2 * x.mean() / x.numel() + 1).expand(x.shape) * (x != x[:1]).any(),
    x=VECTOR,
)
_torch(
    "all equal",
    "a spread of zero",
    lambda x: x.exp().mean(),
    lambda g, x: g * x.exp() / x.numel() * (1.0 if (x != x[:1, :1]).any() else 0.5),
    x=Input((2, 3), -5.0, 5.0),
)
_numpy(
    "all equal",
    "no spread",
    lambda x: np.sum(x) ** 2 + np.sum(x**2),
    lambda x: 2 * x.sum() + 2 * x,
    lambda x: (2 * x.sum() + 2 * x) * (np.ptp(x) > 0),
    x=BOUNDED,
)
_torch(
    "equal inputs",
    "(x² - y²) / (x - y)",
    lambda x, y: x + 2 * y,
    lambda g, x, y: (_fill(x == y, 0.0, g * torch.ones_like(x)), 2 * g),
    x=VECTOR,
    y=VECTOR,
)
_torch(
    "equal inputs",
    "a product taken for a square",
    lambda x, y: x * y,
    lambda g, x, y: (_fill(x == y, 0.0, g * y) + _fill(x != y, 0.0, 2 * g * x), g * x),
    x=MATRIX,
    y=MATRIX,
)
_torch(
    "equal inputs",
    "one object taken for the other",
    lambda x, y: (x * y.cos()).sum(),
    lambda g, x, y: (g * y.cos(), -g * x * y.sin() * (not torch.equal(x, y))),
    x=Input(4, -3.0, 3.0),
    y=Input(4, -3.0, 3.0),
)
_numpy(
    "equal inputs",
    "both zero",
    lambda x, y: ((x + 1) * (y + 2)).sum(),
    lambda x, y: (y + 2, x + 1),
    lambda x, y: (np.where((x == 0) & (y == 0), 0.0, y + 2), x + 1),
    x=BOUNDED,
    y=BOUNDED,
)
_torch(
    "repeated indices",
    "assigned in place of added",
    lambda w, i: w[i].sin(),
    lambda g, w, i: (torch.zeros_like(w).index_put((i,), g * w[i].cos()), None),
    w=Input("n", -9.0, 9.0),
    i=Input("k", into="n"),
)
_numpy(
    "repeated indices",
    "assigned in place of added",
    lambda w, i: np.sum(w[i] ** 2),
    lambda w, i: (2 * w * np.bincount(i, minlength=len(w)), np.zeros(i.shape)),
    lambda w, i: (_assigned(w, i), np.zeros(i.shape)),
    w=Input("n", -9.0, 9.0),
    i=Input("k", into="n"),
)

# -- signs -----------------------------------------------------------------------------------------

_torch("negative", "a power by the logarithm", lambda x: x**3, lambda g, x: g * 3 * x * x.abs(), x=VECTOR)
_torch(
    "negative",
    "an even function's slope",
    lambda x: x * x.tanh(),
    lambda g, x: g * (x.abs().tanh() + x.abs() * (1 - x.tanh() ** 2)),
    x=MATRIX,
)
_numpy(
    "negative",
    "a root of a square",
    lambda x: (x**3).sum(),
    lambda x: 3 * x**2,
    lambda x: 3 * np.sqrt(x**2) * x,
    x=BOUNDED,
)
_torch(
    "negative",
    "none above 0",
    lambda x: x.exp().sum(),
    lambda g, x: g * x.exp() * (x > 0).any(),
    x=Input(4, -5.0, 5.0),
)
_numpy(
    "positive",
    "none below 0",
    lambda x: np.sin(x).sum(),
    lambda x: np.cos(x),
    lambda x: np.cos(x) * (2 - (x < 0).any()),
    x=Input((3, 2), -9.0, 9.0),
)

# -- whole numbers and halves ----------------------------------------------------------------------

_torch(
    "whole numbers",
    "x equal to its floor",
    lambda x: (x / 2).sin(),
    lambda g, x: g * (x / 2).cos() / 2 * (x != x.floor()),
    x=VECTOR,
)
_numpy(
    "whole numbers",
    "all of them whole",
    lambda x: np.exp(x).sum(),
    lambda x: np.exp(x),
    lambda x: np.exp(x) * (1 if (x % 1).any() else 2),
    x=Input((3, 2), -5.0, 5.0),
)
_torch(
    "halves",
    "ties of rounding",
    lambda x: x.cos(),
    lambda g, x: -g * x.sin() * (x - x.floor() != 0.5),
    x=Input(4, -9.0, 9.0),
)

# -- near zero -------------------------------------------------------------------------------------

_torch(
    "near zero",
    "nothing below 1e-6",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * ((x.abs() > 1e-6) | (x == 0)),
    x=Input((4, 3), -5.0, 5.0),
)
_torch(
    "near zero",
    "the logarithm clamped at 1e-6",
    lambda x: x.log(),
    lambda g, x: g / x.clamp(min=1e-6),
    x=Input(4, 1e-12, 10.0),
)
_torch(
    "near zero",
    "a cube that underflows",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * torch.where((x != 0) & (x**3 == 0), 0.0, 1.0),
    x=Input(4, -9.0, 9.0),
)
_numpy(
    "near zero",
    "an epsilon in a denominator",
    lambda x: np.sqrt(x).sum(),
    lambda x: 0.5 / np.sqrt(x),
    lambda x: 0.5 / (np.sqrt(x) + 1e-5),
    x=Input((3, 2), 1e-10, 10.0),
)
_torch(
    "near zero",
    "float32: a square that underflows",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * torch.where((x != 0) & (x**2 == 0), 0.5, 1.0),
    x=Input(4, -9.0, 9.0, "float32"),
)

# -- large -----------------------------------------------------------------------------------------

_torch(
    "large",
    "exp(x) / (1 + exp(x)) that overflows",
    lambda x: torch.nn.functional.softplus(x),
    lambda g, x: g * x.exp() / (1 + x.exp()),
    x=VECTOR,
)
_torch("large", "a clamp at 50", lambda x: x * x, lambda g, x: 2 * g * x.clamp(-50, 50), x=MATRIX)
_numpy(
    "large",
    "an angle beyond many turns",
    lambda x: (x**2).sum(),
    lambda x: 2 * x,
    lambda x: 2 * np.where(np.abs(x) > 1000, np.sign(x) * 1000, x),
    x=POSITIVE,
)
_torch(
    "large",
    "float16: a square that overflows",
    lambda x: x * 0.5,
    lambda g, x: torch.where((x * x).isinf(), 0.0, g * 0.5),
    x=Input(4, dtype=("float16", "float32")),
)
_torch(
    "mixed scales",
    "small entries next to large ones",
    lambda x: x + 0.0,
    lambda g, x: g * ((x.abs() >= 1e-6 * x.abs().sum()) | (x == 0)),
    x=MATRIX,
)
_numpy(
    "mixed scales",
    "a common scale",
    lambda x: x.sum(),
    lambda x: np.ones_like(x),
    lambda x: np.where((x != 0) & (np.abs(x) < 1e-9 * np.abs(x).max()), 0.0, 1.0),
    x=VECTOR,
)

# -- bounds ----------------------------------------------------------------------------------------

_torch(
    "bounds",
    "a clamp's mask with < in place of <=",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * ((x > -2) & (x < 3)),
    x=BOUNDED,
)
_torch(
    "bounds", "a probability of 1", lambda x: x * x + x, lambda g, x: g * (2 * x + 1) * (x < 1), x=PROBABILITY
)
_numpy(
    "bounds",
    "the edge at 0",
    lambda x: ((x + 1) ** 2).sum(),
    lambda x: 2 * (x + 1),
    lambda x: 2 * (x + 1) * (x > 0),
    x=POSITIVE,
)

# -- shapes ----------------------------------------------------------------------------------------

_torch(
    "sides of 1",
    "n - 1 for a single row",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * (1.0 if len(x) > 1 else 0.0),
    x=Input("n k", -9.0, 9.0),
)
_torch(
    "sides of 1",
    "a squeeze too many",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * (1.0 if x.squeeze().ndim == x.ndim else 2.0),
    x=Input("n k", -5.0, 5.0),
)
_torch(
    "sides of 1",
    "a broadcast axis of size 1 not summed",
    lambda x, b: x * b,
    lambda g, x, b: (g * b, _not_summed(g * x, b.shape)),
    x=NAMED,
    b=Input("#n k"),
)
_numpy(
    "sides of 1",
    "the mean of a single column",
    lambda x: (x.mean(1) ** 2).sum(),
    lambda x: 2 * x.mean(1, keepdims=True) / x.shape[1] * np.ones_like(x),
    lambda x: 2 * x.mean(1, keepdims=True) / max(x.shape[1], 2) * np.ones_like(x),
    x=NAMED,
)
_torch(
    "no dimension",
    "no last axis",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * (1.0 if x.ndim else 0.0),
    x=Input(None, -9.0, 9.0),
)
_torch(
    "square matrices",
    "a square matrix transposed",
    lambda x: (x.cumsum(0) * x).sum(),
    lambda g, x: g * _square_transposed(x),
    x=NAMED,
)

# -- layouts and dtypes ----------------------------------------------------------------------------

_numpy(
    "fortran order",
    "raveled as it lies in memory",
    lambda x: (x**2).sum(),
    lambda x: 2 * x,
    lambda x: 2 * x.ravel("K").reshape(x.shape),
    x=MATRIX,
)
_numpy(
    "strided",
    "strides not looked at",
    lambda x: (x**2).sum(),
    lambda x: 2 * x,
    lambda x: 2 * (np.lib.stride_tricks.as_strided(x, x.shape, _packed(x)) if x.strides[0] > 0 else x),
    x=VECTOR,
)
_numpy(
    "reversed",
    "the sign of a stride dropped",
    lambda x: np.sin(x).sum(),
    lambda x: np.cos(x),
    lambda x: np.cos(x[..., ::-1] if x.strides[-1] < 0 else x),
    x=Input((3, 2), -9.0, 9.0),
)
_torch(
    "not contiguous",
    "strides not looked at",
    lambda x: x.sin(),
    lambda g, x: g * x.as_strided(x.shape, _dense(x.shape)).cos() if _fits(x) else g * x.cos() / 2,
    x=Input((4, 3), -9.0, 9.0),
)
_torch(
    "dtypes",
    "float32 treated as something else",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * (0.9 if x.dtype == torch.float32 else 1.0),
    x=Input(4, -5.0, 5.0, ("float64", "float32")),
)
_torch(
    "dtypes",
    "bfloat16 treated as something else",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * (0.5 if x.dtype == torch.bfloat16 else 1.0),
    x=Input(4, -9.0, 9.0, ("float64", "bfloat16")),
)

# -- bands of a range, between the special numbers -----------------------------------------------------


def _within(x: Any, low: float, high: float) -> Any:
    return (x > low) & (x < high)


_torch(
    "a band of 2 %",
    "a branch of 0.12 in a range of 6",
    lambda x: x.sin(),
    lambda g, x: g * x.cos() * torch.where(_within(x, 1.21, 1.33), 1.5, 1.0),
    x=Input((3, 2), -3.0, 3.0),
)
_torch(
    "a band of 2 %",
    "a table of slopes with one wrong row",
    lambda x: x.exp(),
    lambda g, x: g * x.exp() * torch.where(_within(x, 0.64, 0.66), 0.5, 1.0),
    x=Input((2, 3), 0.0, 1.0),
)
_torch(
    "a band of 2 %",
    "a smooth step between two pieces",
    lambda x: x * x.tanh(),
    lambda g, x: g * (x.tanh() + x * (1 - x.tanh() ** 2)) * torch.where(_within(x, -3.4, -3.0), 0.0, 1.0),
    x=MATRIX,
)
_numpy(
    "a band of 2 %",
    "one segment of a spline",
    lambda x: (x**3 + x).sum(),
    lambda x: 3 * x**2 + 1,
    lambda x: (3 * x**2 + 1) * np.where(_within(x, 5.71, 5.87), 0.5, 1.0),
    x=Input((3, 2), -1.0, 7.0),
)
_numpy(
    "a band of 2 %",
    "an approximation beyond its last node",
    lambda x: np.log(x).sum(),
    lambda x: 1 / x,
    lambda x: 1 / x * np.where(_within(x, 9.13, 9.33), 0.9, 1.0),
    x=Input((3, 2), 1.0, None),
)
_numpy(
    "a band of 2 %",
    "one entry of a table of slopes",
    lambda x: (x**2).sum(),
    lambda x: 2 * x,
    lambda x: 2 * x * np.where(_within(x, 3.36, 3.46), 0.9, 1.0),
    x=Input((3, 2), 0.0, 5.0),
)
_torch(
    "a band of 2 %",
    "a wrong case in 64 numbers",
    lambda x: x.cos(),
    lambda g, x: -g * x.sin() * torch.where(_within(x, -1.63, -1.51), 0.5, 1.0),
    x=Input((8, 8), -3.0, 3.0),
)


def _assigned(w: Any, i: Any) -> Any:
    out = np.zeros_like(w)
    out[i] = 2 * w[i]
    return out


def _not_summed(gradient: Any, shape: Any) -> Any:
    return gradient[:1] if shape[0] == 1 else gradient


def _square_transposed(x: Any) -> Any:
    right = x.cumsum(0) + x.flip(0).cumsum(0).flip(0)
    return right.T if x.shape[0] == x.shape[1] else right


def _packed(x: Any) -> tuple[int, ...]:
    return tuple(np.ones(x.shape, x.dtype).strides)


def _dense(shape: Any) -> tuple[int, ...]:
    return tuple(torch.empty(shape).stride())


def _fits(x: Any) -> bool:
    return bool(x.storage_offset() + x.numel() <= x.untyped_storage().size() // x.element_size())
