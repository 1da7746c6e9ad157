"""Wrong backwards by kind: what is done wrong, the function, its inputs, and the code of its diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

X = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=torch.float64)
Y = torch.tensor([[0.7, 0.2, -0.9], [-1.1, 0.6, 1.3]], dtype=torch.float64)
COMPLEX = torch.complex(X, Y)
BIAS = torch.tensor([0.2, -0.3, 0.5], dtype=torch.float64)
SQUARE = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4], [0.9, -0.7, 0.6]], dtype=torch.float64)


class Fault(NamedTuple):
    """One wrong backward; ``code`` is that of the diagnosis, ``order`` the one at which it shows.

    ``by_hand`` has the wrong ``gradient=`` or ``vjp=`` of a function whose own is right, or the ``oracle=``
    of one whose values are wrong. ``is_by_hand`` marks a linear operator, whose adjoint is by hand.
    """

    what: str
    code: str
    function: Any
    inputs: Any = X
    order: int = 1
    by_hand: Mapping[str, Any] = {}
    is_by_hand: bool = False

    @property
    def culprit(self) -> str | None:
        """Who is to be named: no method where the function itself is wrong."""
        if "oracle" in self.by_hand:
            return None
        return "user" if self.by_hand or self.is_by_hand else "torch"


def function(forward: Callable[..., Any], backward: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    """Make an `autograd.Function` of two functions, and return its ``apply``."""
    members: dict[str, Any] = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    members |= {name: staticmethod(value) if callable(value) else value for name, value in more.items()}
    made: Callable[..., Any] = type("Wrong", (Function,), members).apply  # type: ignore[attr-defined]  # of Function
    return made


def wrong(forward: Callable[..., Any], backward: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    """Make a Function of ``forward(*inputs)`` and ``backward(cotangent, *inputs)``."""

    def keep(ctx: Any, *inputs: torch.Tensor) -> Any:
        ctx.save_for_backward(*inputs)
        return forward(*inputs)

    return function(keep, lambda ctx, *g: backward(*g, *ctx.saved_tensors), **more)


def square(x: torch.Tensor) -> torch.Tensor:
    return x * x


def saved(ctx: Any, x: torch.Tensor) -> torch.Tensor:
    ctx.save_for_backward(x)
    return x * x


def right(ctx: Any, g: torch.Tensor) -> Any:
    return 2 * g * ctx.saved_tensors[0]


def of_sinc(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return g * torch.where(x == 0, 1.0, (x * torch.pi).cos() / x - x.sinc() / x)


def derivative_of_sinc(x: Any) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.cos(np.pi * x) / x - np.sinc(x) / x


def unfinished(x: Any) -> Any:
    gradient = np.empty_like(x)
    gradient[0] = np.cos(x[0])
    return gradient


def changed(gradient: torch.Tensor, index: Any, factor: float) -> torch.Tensor:
    gradient = gradient.clone()
    gradient[index] *= factor
    return gradient


def stopped(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        scale = x.sum()
    return scale * x


def overwritten(x: torch.Tensor) -> torch.Tensor:
    y = x.exp()
    z = y.sin()
    y.mul_(2)
    return y + z


def scaled(ctx: Any, x: torch.Tensor) -> torch.Tensor:
    ctx.save_for_backward(x.clone())
    y = x * x
    x.mul_(3)
    return y


changing = function(scaled, right)


VALUES = [
    Fault("the sign", "sign", wrong(square, lambda g, x: -2 * g * x)),
    Fault("the complex conjugate", "conjugate", wrong(square, lambda g, x: 2 * g * x), COMPLEX),
    Fault("a factor of 1.001", "constant-factor", wrong(square, lambda g, x: 2.002 * g * x)),
    Fault(
        "a mean instead of a sum",
        "constant-factor",
        wrong(lambda x: x.sum(0), lambda g, x: g.expand(2, 3) / 2),
    ),
    Fault("zeros", "zero-gradient", wrong(square, lambda g, x: g * 0)),
    Fault("None", "none-gradient", wrong(square, lambda g, x: None)),
    Fault(
        "None for one of two inputs", "none-gradient", wrong(torch.mul, lambda g, x, y: (g * y, None)), (X, Y)
    ),
    Fault("nan", "non-finite-gradient", wrong(square, lambda g, x: g * x / (x - x))),
    Fault(
        "nan from the untaken branch of a where",
        "non-finite-gradient",
        lambda x: torch.where(x > 0, x.sqrt(), x),
    ),
    Fault(
        "a matrix transposed",
        "transposed",
        wrong(lambda a, b: a @ b, lambda g, a, b: (g @ b.T, g.T @ a)),
        (SQUARE, SQUARE + 0.5),
    ),
    Fault("entries in reverse order", "permuted", wrong(square, lambda g, x: (2 * g * x).flip(1))),
    Fault("one entry", "one-entry", wrong(square, lambda g, x: changed(2 * g * x, (1, 0), 1.234))),
    Fault(
        "one row",
        "one-row",
        wrong(square, lambda g, x: 2 * g * x + torch.tensor([[0.0], [1.0]]).double() * g * x.cos()),
    ),
    Fault(
        "one of two inputs",
        "one-input",
        wrong(lambda x, y: x.sin() * y.exp(), lambda g, x, y: (g * x.cos() * y.exp(), g * x.cos() * y)),
        (X, Y),
    ),
    Fault(
        "one of two outputs",
        "one-output",
        wrong(lambda x: (x.sin(), x.exp()), lambda g, h, x: g * x.cos() + h * (x.exp() + x)),
    ),
    Fault("every entry", "wrong-values", wrong(torch.sin, lambda g, x: g * x)),
    Fault(
        "a term of the product rule", "missing-term", wrong(lambda x: x * x.sin(), lambda g, x: g * x.sin())
    ),
    Fault(
        "a term of a quotient",
        "missing-term",
        wrong(lambda x, y: x / (2 + x * y), lambda g, x, y: (g / (2 + x * y), -g * x * x / (2 + x * y) ** 2)),
        (X, Y),
    ),
    Fault(
        "the first row instead of the sum over a broadcast axis",
        "missing-sum",
        wrong(lambda x, b: x * b, lambda g, x, b: (g * b, (g * x)[0])),
        (X, BIAS),
    ),
    Fault(
        "the last row instead of that sum",
        "missing-sum",
        wrong(lambda x, b: x * b, lambda g, x, b: (g * b, (g * x)[-1])),
        (X, BIAS),
    ),
    Fault(
        "the last occurrence instead of the sum over repeated indices",
        "missing-sum",
        wrong(
            lambda b: b[[0, 2, 2]], lambda g, b: torch.zeros_like(b).index_put((torch.tensor([0, 2, 2]),), g)
        ),
        BIAS,
    ),
    Fault(
        "a slope from outside a kink",
        "kink-outside",
        wrong(torch.abs, lambda g, x: g * (x.sign() + 2 * (x == 0))),
        X * 0,
    ),
]

CAUSES = [
    Fault(
        "half precision in an intermediate step",
        "precision-loss",
        wrong(torch.sin, lambda g, x: (g * x.cos()).half()),
    ),
    Fault(
        "bfloat16 in an intermediate step",
        "precision-loss",
        wrong(torch.sin, lambda g, x: (g * x.cos()).bfloat16()),
    ),
    Fault(
        "integers in an intermediate step",
        "precision-loss",
        wrong(lambda x: (3 * x).sin(), lambda g, x: (3 * g * (3 * x).cos()).long()),
    ),
    Fault(
        "a difference of large numbers in float32",
        "precision-loss",
        wrong(torch.sin, lambda g, x: g * ((x.cos() + 1e6) - 1e6)),
        X.float(),
    ),
    Fault(
        "wrong at zeros",
        "special-values",
        wrong(torch.sinc, of_sinc),
        torch.tensor([0.0, 0.3, -0.7], dtype=torch.float64),
    ),
    Fault(
        "a product divided by its factors, one of them zero",
        "special-values",
        wrong(lambda x: x.prod(), lambda g, x: torch.where(x == 0, 0 * x, g * x.prod() / x)),
        torch.tensor([0.0, 0.3, -0.7], dtype=torch.float64),
    ),
    Fault(
        "wrong for negative numbers",
        "special-values",
        wrong(lambda x: x**3, lambda g, x: 3 * g * x * x.abs()),
    ),
    Fault(
        "wrong for equal numbers",
        "special-values",
        wrong(square, lambda g, x: 2 * g * x * (1 + (x[:, None] == x).sum(1) - 1.0)),
        torch.tensor([0.5, 0.5, -0.7], dtype=torch.float64),
    ),
    Fault("detach", "stop-gradient", lambda x: x * x.detach()),
    Fault("no_grad", "stop-gradient", stopped),
    Fault("a value through NumPy", "out-of-graph", lambda x: x * torch.from_numpy(x.detach().numpy() + 1)),
    Fault("an output detached", "stop-gradient", lambda x: (x.sin(), x.cos().detach())),
    Fault("a saved tensor changed in place", "stale-saved-tensor", overwritten),
    Fault("an input changed behind autograd's back", "mutated-input", lambda x: changing(x) + x),
]

SECOND = [
    Fault(
        "a term of the product rule",
        "missing-term",
        wrong(lambda x: x * x.exp(), lambda g, x: g * (x * x.exp() + x.exp().detach())),
        X,
        2,
    ),
    Fault(
        "wrong for negative numbers",
        "special-values",
        wrong(lambda x: x**3, lambda g, x: 3 * g * torch.where(x < 0, x * x.detach(), x * x)),
        X,
        2,
    ),
    Fault(
        "half precision in an intermediate step",
        "precision-loss",
        wrong(torch.sin, lambda g, x: g * wrong(torch.cos, lambda h, y: -(h * y.sin()).half())(x)),
        X,
        2,
    ),
    Fault(
        "the backward of the backward",
        "constant-factor",
        wrong(lambda x: x**3, lambda g, x: 3 * g * x * x.detach()),
        X,
        2,
    ),
    Fault(
        "once_differentiable",
        "once-differentiable",
        function(saved, once_differentiable(right)),
        X,
        2,
    ),
]

ROWS, OFFSET = X.numpy(), BIAS.numpy()

BY_HAND = [
    Fault("the sign", "sign", lambda x: np.cos(x).sum(), ROWS, by_hand={"gradient": np.sin}),
    Fault(
        "one entry",
        "one-entry",
        lambda x: np.sin(x).sum(),
        ROWS,
        by_hand={"gradient": lambda x: np.cos(x) + 0.1 * (x == x.max())},
    ),
    Fault(
        "an entry that is never written",
        "uninitialised-memory",
        lambda x: np.sin(x).sum(),
        ROWS,
        by_hand={"gradient": unfinished},
    ),
    Fault(
        "a term of the product rule",
        "missing-term",
        lambda x: (x * np.sin(x)).sum(),
        ROWS,
        by_hand={"gradient": np.sin},
    ),
    Fault(
        "the first row instead of the sum over a broadcast axis",
        "missing-sum",
        lambda x, b: x * b,
        (ROWS, OFFSET),
        by_hand={"vjp": lambda x, b, cotangent: (cotangent * b, (cotangent * x)[0])},
    ),
    Fault(
        "the sum of the cotangent assumed to be one",
        "linear-backward",
        lambda x: x - np.log(np.exp(x).sum()),
        np.array([0.3, -1.2, 0.8]),
        by_hand={"vjp": lambda x, cotangent: cotangent - np.exp(x) / np.exp(x).sum()},
    ),
    Fault(
        "half precision in an intermediate step",
        "precision-loss",
        lambda x: np.sin(x).sum(),
        ROWS,
        by_hand={"gradient": lambda x: np.cos(x).astype(np.float16)},
    ),
    Fault(
        "wrong at zeros",
        "special-values",
        lambda x: np.sinc(x).sum(),
        np.array([0.0, 0.3, -0.7]),
        by_hand={"gradient": lambda x: np.where(x == 0, 1.0, derivative_of_sinc(x))},
    ),
    Fault(
        "wrong for negative numbers",
        "special-values",
        lambda x: x**3,
        ROWS,
        by_hand={"vjp": lambda x, cotangent: 3 * cotangent * x * np.abs(x)},
    ),
]

RAISES = [
    Fault("one gradient too many", "gradient-count", wrong(square, lambda g, x: (g, g))),
    Fault("one gradient too few", "gradient-count", wrong(torch.mul, lambda g, x, y: g * y), (X, Y)),
    Fault("another shape", "shape-mismatch", wrong(square, lambda g, x: (2 * g * x)[:1, :2])),
    Fault(
        "incompatible shapes inside the backward", "shape-mismatch", wrong(square, lambda g, x: g * x[:, :2])
    ),
    Fault("a complex gradient of a real input", "dtype-mismatch", wrong(square, lambda g, x: g * x * 1j)),
    Fault(
        "incompatible dtypes inside the backward",
        "dtype-mismatch",
        wrong(square, lambda g, x: g * x @ torch.eye(3, dtype=torch.float32)),
    ),
    Fault("another device", "device-mismatch", wrong(square, lambda g, x: g.to("meta"))),
    Fault("an exception", "backward-raised", wrong(square, lambda g, x: g.no_such_method())),
]


# -- right values, and wrong all the same ------------------------------------------------------------


def two(ctx: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x)
    return x * x, x.sin()


def memory_of(x: torch.Tensor) -> torch.Tensor:
    """The numbers as a kernel reads them that knows of no strides."""
    return x.as_strided((x.numel(),), (1,), x.storage_offset()).reshape(x.shape)


def square_in_memory(ctx: Any, x: torch.Tensor) -> torch.Tensor:
    ctx.save_for_backward(x)
    return memory_of(x) * memory_of(x)


def in_memory(ctx: Any, g: torch.Tensor) -> Any:
    return 2 * (memory_of(g) if g.stride()[-1] else g) * ctx.saved_tensors[0]


def of_strided(ctx: Any, g: torch.Tensor) -> Any:
    return 2 * (g if g.stride()[-1] else torch.zeros_like(g)) * ctx.saved_tensors[0]


def kept(ctx: Any, x: torch.Tensor) -> torch.Tensor:
    ctx.x = x.clone()
    return x * x


def thrown_away(ctx: Any, g: torch.Tensor) -> Any:
    x = ctx.__dict__.pop("x", None)
    return 2 * g * (torch.zeros_like(g) if x is None else x)


def first_row(ctx: Any, g: torch.Tensor) -> Any:
    out = torch.empty_like(g)
    out[0] = 2 * g[0] * ctx.saved_tensors[0][0]
    return out


def doubled(ctx: Any, g: torch.Tensor) -> Any:
    ctx.x.mul_(2)
    return g * ctx.x


def noisy(ctx: Any, g: torch.Tensor) -> Any:
    return 2 * g * ctx.saved_tensors[0] * (1 + torch.rand(()).double())


def overwriting(ctx: Any, g: torch.Tensor) -> Any:
    out = 2 * g * ctx.saved_tensors[0]
    g.zero_()
    return out


def accumulating(ctx: Any, g: torch.Tensor) -> Any:
    (x,) = ctx.saved_tensors
    grad = 2 * g * x
    x.grad = grad if x.grad is None else x.grad + grad
    return grad


def flat(ctx: Any, g: torch.Tensor) -> Any:
    return (2 * g.view(-1) * ctx.saved_tensors[0].reshape(-1)).reshape(g.shape)


def of_both(ctx: Any, g: torch.Tensor, h: torch.Tensor) -> Any:
    return 2 * g * ctx.saved_tensors[0] + h * ctx.saved_tensors[0].cos()


def looking(ctx: Any, g: torch.Tensor) -> Any:
    return 2 * g * ctx.saved_tensors[0] if bool(g.isfinite().all()) else g


def product(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> Any:
    ctx.save_for_backward(x, y)
    return x * y


def needed(ctx: Any, g: torch.Tensor) -> Any:
    x, y = ctx.saved_tensors
    first, _ = ctx.needs_input_grad
    return (g * y, g * x) if first else (None, None)


def own_context(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)
    ctx.save_for_forward(*inputs)


def physical(x: torch.Tensor) -> torch.Tensor:
    """The numbers as a kernel reads them that knows of no lazy conjugation."""
    return torch.complex(*torch.view_as_real(x.conj() if x.is_conj() else x).unbind(-1))


ORACLES = [
    Fault(
        "a factor of 1.001 in both passes",
        "value-mismatch",
        wrong(lambda x: 1.001 * x * x, lambda g, x: 2.002 * g * x),
        by_hand={"oracle": square},
    ),
    Fault(
        "the bias is missing, also in the backward",
        "value-mismatch",
        lambda x: x.square(),
        by_hand={"oracle": lambda x: x.square() + 0.1},
    ),
]
PROPERTIES = [
    Fault("some rows are never written", "uninitialised-memory", function(saved, first_row)),
    Fault("the saved tensors are freed", "stale-saved-tensor", function(kept, thrown_away)),
    Fault("the saved tensors are changed", "stale-saved-tensor", function(kept, doubled)),
    Fault("random numbers", "nondeterministic-backward", function(saved, noisy)),
    Fault("the cotangent is overwritten", "mutated-cotangent", function(saved, overwriting)),
    Fault(
        "the backward uses the magnitude of the cotangent",
        "linear-backward",
        function(saved, lambda ctx, g: 2 * g.abs() * ctx.saved_tensors[0]),
    ),
    Fault("the input is changed and not declared", "mutated-input", changing),
    Fault("the gradient goes into .grad as well", "accumulates", function(saved, accumulating)),
    Fault("the forward ignores strides", "non-contiguous-inputs", function(square_in_memory, right)),
    Fault(
        "the forward treats expanded rows as zeros",
        "expanded-inputs",
        function(lambda ctx, x: saved(ctx, x if all(x.stride()) else x * 0), right),
    ),
    Fault("the backward ignores strides", "non-contiguous-cotangents", function(saved, in_memory)),
    Fault("the backward views the cotangent as flat", "non-contiguous-cotangents", function(saved, flat)),
    Fault(
        "the backward treats expanded cotangents as zeros", "expanded-cotangents", function(saved, of_strided)
    ),
    Fault("the backward needs a cotangent of every output", "undefined-cotangents", function(two, of_both)),
    Fault(
        "the backward reads needs_input_grad of another input",
        "frozen-inputs",
        function(product, needed),
        (X, Y),
    ),
    Fault(
        "the backward divides by the number of rows",
        "zero-size-inputs",
        function(saved, lambda ctx, g: 2 * g * ctx.saved_tensors[0] * (len(g) // len(g))),
    ),
    Fault(
        "the forward ignores lazy conjugation",
        "conjugated-inputs",
        wrong(lambda x: physical(x) * physical(x), lambda g, x: 2 * g * x.conj()),
        COMPLEX,
    ),
    Fault(
        "the backward ignores lazy conjugation",
        "conjugated-cotangents",
        wrong(square, lambda g, x: 2 * physical(g) * x.conj()),
        COMPLEX,
    ),
    Fault(
        "the backward branches on a batch of cotangents",
        "batched-cotangents",
        function(square, looking, setup_context=own_context, generate_vmap_rule=True),
    ),
    Fault(
        "the rule for vmap is wrong",
        "vmap",
        function(square, right, setup_context=own_context, vmap=lambda info, dims, x: (2 * x * x, dims[0])),
    ),
    Fault(
        "the jvp is wrong",
        "forward-mode",
        function(square, right, setup_context=own_context, jvp=lambda ctx, v: v * ctx.saved_tensors[0]),
    ),
    Fault(
        "the jvp raises",
        "forward-mode",
        function(square, right, setup_context=own_context, jvp=lambda ctx, v: v * ctx.missing),
    ),
]
