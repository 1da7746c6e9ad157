"""Wrong gradients of the kinds that public trackers show: each fails, with its culprit and its diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn import functional

from docs.diagnoses_page.faults import BIAS, COMPLEX, SQUARE, Fault, X, Y, function, wrong
from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.kernels


def of(*values: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def along(x: torch.Tensor, dim: int, index: Any) -> torch.Tensor:
    return x.index_select(dim, torch.tensor(index))


def put(g: torch.Tensor, index: list[int], size: int, *, add: bool) -> torch.Tensor:
    """The backward of ``x[index]``, which has to add up what comes back to the same place."""
    return torch.zeros(size, dtype=g.dtype).index_put((torch.tensor(index),), g, accumulate=add)


# -- at zeros, boundaries and the ends of a range ------------------------------------------------------

ZEROS = of(0.0, 0.3, -0.7)


def cosine(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1))


SPECIAL = [
    Fault(
        "abs divides by itself",
        "non-finite-gradient",
        wrong(torch.abs, lambda g, x: g * x / x.abs()),
        ZEROS,
    ),
    Fault(
        "the norm divides by itself",
        "non-finite-gradient",
        wrong(torch.linalg.vector_norm, lambda g, x: g * x / torch.linalg.vector_norm(x)),
        of(0.0, 0.0),
    ),
    Fault(
        "hypot divides by itself",
        "non-finite-gradient",
        wrong(torch.hypot, lambda g, x, y: (g * x / torch.hypot(x, y), g * y / torch.hypot(x, y))),
        (of(0.0, 1.0), of(0.0, 2.0)),
    ),
    Fault(
        "a product divides by its factors",
        "non-finite-gradient",
        wrong(torch.prod, lambda g, x: g * x.prod() / x),
        ZEROS,
    ),
    Fault(
        "a cumulative product divides by its factors",
        "non-finite-gradient",
        wrong(lambda x: x.cumprod(0), lambda g, x: (g * x.cumprod(0)).flip(0).cumsum(0).flip(0) / x),
        of(0.5, 0.0, -0.7),
    ),
    Fault(
        "a power with a negative base goes through the logarithm",
        "non-finite-gradient",
        wrong(lambda x: x**3, lambda g, x: 3 * g * (2 * x.log()).exp()),
    ),
    Fault(
        "a power with base zero and its exponent",
        "non-finite-gradient",
        wrong(
            torch.pow,
            lambda g, x, y: (g * y * x ** (y - 1), g * x**y * x.log()),
        ),
        (of(0.0, 2.0), of(2.0, 3.0)),
    ),
    Fault(
        "logsumexp overflows in the backward",
        "non-finite-gradient",
        wrong(lambda x: x.logsumexp(0), lambda g, x: g * x.exp() / x.exp().sum()),
        of(800.0, 801.0, 799.5),
    ),
    Fault(
        "the sigmoid overflows in the backward",
        "non-finite-gradient",
        wrong(torch.sigmoid, lambda g, x: g * (-x).exp() / (1 + (-x).exp()) ** 2),
        of(-800.0, 0.5),
    ),
    Fault(
        "nan through where: sin x / x",
        "non-finite-gradient",
        lambda x: torch.where(x == 0, 1.0, x.sin() / x),
        ZEROS,
    ),
    Fault(
        "nan through where: x log x",
        "non-finite-gradient",
        lambda x: torch.where(x > 0, x * x.log(), 0.0),
    ),
    Fault(
        "clamp lets the gradient pass above its upper bound",
        "one-entry",
        wrong(lambda x: x.clamp(-1, 1), lambda g, x: g * (x > -1)),
    ),
    Fault(
        "clamp stops the gradient inside of its bounds",
        "wrong-values",
        wrong(lambda x: x.clamp(-1, 1), lambda g, x: g * ((x < -1) | (x > 1))),
    ),
    Fault(
        "a leaky rectifier with another slope",
        "special-values",
        wrong(lambda x: functional.leaky_relu(x, 0.1), lambda g, x: g * torch.where(x > 0, 1.0, 0.01)),
    ),
    Fault(
        "the maximum gives the whole gradient twice at a tie",
        "kink-outside",
        wrong(lambda x: x.amax(), lambda g, x: 2 * g * (x == x.amax())),
        of(1.0, 1.0, 0.5),
    ),
    Fault(
        "the larger of two gives the gradient to the smaller",
        "wrong-values",
        wrong(torch.maximum, lambda g, x, y: (g * (x < y), g * (x >= y))),
        (X, Y),
    ),
]

# -- repeated indices, permutations, windows -----------------------------------------------------------

FIVE = of(0.3, -1.2, 0.8, 1.5, -0.4)


def windows(x: torch.Tensor) -> torch.Tensor:
    return x.unfold(0, 3, 1) ** 2


def of_windows(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    grad = torch.zeros_like(x)
    for k, part in enumerate(2 * g * x.unfold(0, 3, 1)):
        grad[k : k + 3] = part
    return grad


def of_max_pool(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    at = functional.max_pool1d(x[None], 3, 1, return_indices=True)[1][0]
    return torch.zeros_like(x).scatter(0, at, g)


INDICES = [
    Fault(
        "an interpolation that writes to either neighbour in place of adding",
        "missing-sum",
        wrong(
            lambda y: 0.75 * along(y, 0, [1, 1, 2]) + 0.25 * along(y, 0, [2, 2, 3]),
            lambda g, y: put(0.75 * g, [1, 1, 2], 5, add=False) + put(0.25 * g, [2, 2, 3], 5, add=False),
        ),
        FIVE,
    ),
    Fault(
        "an embedding with repeated rows does not add up",
        "missing-sum",
        wrong(
            lambda x: functional.embedding(torch.tensor([1, 1, 0]), x).sin(),
            lambda g, x: torch.zeros_like(x).index_put((torch.tensor([1, 1, 0]),), g * x[[1, 1, 0]].cos()),
        ),
    ),
    Fault(
        "negative indices are clipped",
        "permuted",
        wrong(lambda x: x[[0, -1]], lambda g, x: put(g, [0, 0], 5, add=True)),
        FIVE,
    ),
    Fault(
        "what was overwritten keeps its gradient",
        "one-input",
        wrong(
            lambda x, y: x.index_put((torch.tensor([1, 3]),), y),
            lambda g, x, y: (g, g[[1, 3]]),
        ),
        (FIVE, of(0.1, 0.2)),
    ),
    Fault(
        "a sort does not invert its permutation",
        "permuted",
        wrong(lambda x: x.sort().values * FIVE, lambda g, x: (g * FIVE)[x.argsort()]),
        FIVE,
    ),
    Fault(
        "a roll back in the same direction",
        "permuted",
        wrong(lambda x: x.roll(1, 0) * FIVE, lambda g, x: (g * FIVE).roll(1, 0)),
        FIVE,
    ),
    Fault(
        "a flip along the other axis",
        "permuted",
        wrong(lambda x: x.flip(0) * Y, lambda g, x: (g * Y).flip(1)),
    ),
    Fault(
        "a cumulative sum forwards in both directions",
        "wrong-values",
        wrong(lambda x: x.cumsum(0) * FIVE, lambda g, x: (g * FIVE).cumsum(0)),
        FIVE,
    ),
    Fault(
        "a cumulative sum back along the other axis",
        "wrong-values",
        wrong(lambda x: x.cumsum(0), lambda g, x: g.flip(1).cumsum(1).flip(1)),
        SQUARE,
    ),
    Fault("overlapping windows do not add up", "missing-sum", wrong(windows, of_windows), FIVE),
    Fault(
        "overlapping windows of a maximum do not add up",
        "missing-sum",
        wrong(lambda x: functional.max_pool1d(x[None], 3, 1)[0], of_max_pool),
        FIVE,
    ),
    Fault(
        "a convolution's kernel comes back flipped",
        "permuted",
        wrong(
            lambda x, w: functional.conv1d(x[None, None], w[None, None])[0, 0],
            lambda g, x, w: (
                torch.nn.grad.conv1d_input((1, 1, 5), w[None, None], g[None, None])[0, 0],
                torch.nn.grad.conv1d_weight(x[None, None], (1, 1, 2), g[None, None])[0, 0].flip(0),
            ),
        ),
        (FIVE, of(0.7, -0.2)),
    ),
    Fault(
        "the k-th value, off by one",
        "permuted",
        wrong(
            lambda x: x.kthvalue(2).values,
            lambda g, x: g * functional.one_hot(x.argsort()[2], 5),
        ),
        FIVE,
    ),
    Fault(
        "the trace gives a gradient to the whole matrix",
        "wrong-values",
        wrong(torch.trace, lambda g, a: g * torch.ones_like(a)),
        SQUARE,
    ),
    Fault(
        "a triangle gives a gradient to the whole matrix",
        "wrong-values",
        wrong(torch.triu, lambda g, a: g),
        SQUARE,
    ),
]

# -- sums over broadcast axes, means, reductions -------------------------------------------------------

REDUCTIONS = [
    Fault(
        "a bias summed over the other axis",
        "permuted",
        wrong(lambda x, b: (x + b).sin(), lambda g, x, b: (g * (x + b).cos(), (g * (x + b).cos()).sum(1))),
        (SQUARE, BIAS),
    ),
    Fault(
        "a size of one that is not summed over",
        "missing-sum",
        wrong(lambda x, y: x * y, lambda g, x, y: ((g * y)[:, :1], g * x)),
        (X[:, :1], Y),
    ),
    Fault(
        "a scalar that takes the mean in place of the sum",
        "constant-factor",
        wrong(lambda x, s: x * s, lambda g, x, s: (g * s, (g * x).mean())),
        (X, of(0.7)[0]),
    ),
    Fault(
        "a mean that is not divided",
        "constant-factor",
        wrong(lambda x: x.mean(1, keepdim=True), lambda g, x: g.expand_as(x)),
    ),
    Fault(
        "a variance divided by n in place of n - 1",
        "constant-factor",
        wrong(lambda x: x.var(1), lambda g, x: 2 * g[:, None] * (x - x.mean(1, keepdim=True)) / 3),
    ),
    Fault(
        "pooling that is not divided",
        "constant-factor",
        wrong(
            lambda x: functional.avg_pool1d(x, 3),
            lambda g, x: g.repeat_interleave(3, 1),
        ),
    ),
    Fault(
        "dropout that is not scaled",
        "constant-factor",
        wrong(lambda x: 2 * x * (Y > 0), lambda g, x: g * (Y > 0)),
    ),
    Fault(
        "a repeated vector takes the gradient of its first copy",
        "zero-gradient",
        wrong(lambda b: b.repeat(2, 1) * X, lambda g, b: (g * X)[0]),
        BIAS,
    ),
    Fault(
        "a loss averaged over the ignored targets too",
        "constant-factor",
        wrong(
            lambda x: functional.cross_entropy(x, torch.tensor([0, -100, 2])),
            lambda g, x: (
                g
                * torch.tensor([[1.0], [0.0], [1.0]])
                * (x.softmax(1) - functional.one_hot(torch.tensor([0, 0, 2]), 3))
                / 3
            ),
        ),
        SQUARE,
    ),
]

# -- terms, signs, factors -----------------------------------------------------------------------------


def normal(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)


def of_cosine(g: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> Any:
    c, a, b = cosine(x, y)[:, None], x.norm(dim=1)[:, None], y.norm(dim=1)[:, None]
    return g[:, None] * (y / (a * b) + c * x / a**2), g[:, None] * (x / (a * b) - c * y / b**2)


def of_solve(g: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> Any:
    back = torch.linalg.solve_triangular(a.T, g, upper=False)
    return -back @ torch.linalg.solve_triangular(a, b, upper=True).T, back


MATRIX = SQUARE @ SQUARE.T + 2 * torch.eye(3, dtype=torch.float64) + 0.1 * SQUARE

TERMS = [
    Fault(
        "softmax without its sum",
        "missing-term",
        wrong(lambda x: x.softmax(1), lambda g, x: g * x.softmax(1)),
    ),
    Fault(
        "log-softmax without the sum of the cotangent",
        "wrong-values",
        wrong(lambda x: x.log_softmax(1), lambda g, x: g - x.softmax(1)),
    ),
    Fault(
        "a layer norm with constant statistics",
        "wrong-values",
        wrong(normal, lambda g, x: g / x.std(1, keepdim=True, correction=0)),
    ),
    Fault(
        "the cosine similarity with the wrong sign of one term", "one-input", wrong(cosine, of_cosine), (X, Y)
    ),
    Fault(
        "the inverse without its sign",
        "sign",
        wrong(torch.linalg.inv, lambda g, a: torch.linalg.inv(a).T @ g @ torch.linalg.inv(a).T),
        MATRIX,
    ),
    Fault(
        "the determinant without the transpose",
        "transposed",
        wrong(torch.linalg.det, lambda g, a: g * torch.linalg.det(a) * torch.linalg.inv(a)),
        MATRIX,
    ),
    Fault(
        "a product of matrices without the transpose",
        "transposed",
        wrong(lambda a, b: a @ b, lambda g, a, b: (g @ b, a.T @ g)),
        (SQUARE, MATRIX),
    ),
    Fault(
        "a triangular solve with the gradient of a full one",
        "one-input",
        wrong(lambda a, b: torch.linalg.solve_triangular(a, b, upper=True), of_solve),
        (MATRIX, SQUARE),
    ),
    Fault(
        "rsqrt without its half",
        "constant-factor",
        wrong(torch.rsqrt, lambda g, x: -g * x**-1.5),
        X.abs(),
    ),
    Fault(
        "the angle of the point with its coordinates exchanged",
        "wrong-values",
        wrong(
            torch.atan2,
            lambda g, y, x: (g * y / (x * x + y * y), -g * x / (x * x + y * y)),
        ),
        (X, Y),
    ),
    Fault(
        "the derivative of another approximation",
        "wrong-values",
        wrong(
            functional.gelu,
            lambda g, x: torch.func.vjp(lambda x: functional.gelu(x, approximate="tanh"), x)[1](g)[0],
        ),
    ),
    Fault(
        "the weight of an interpolation without a gradient",
        "none-gradient",
        wrong(torch.lerp, lambda g, x, y, w: (g * (1 - w), g * w, None)),
        (X, Y, X + Y),
    ),
    Fault(
        "an exponent without the logarithm",
        "one-input",
        wrong(torch.pow, lambda g, x, y: (g * y * x ** (y - 1), g * x**y)),
        (X.abs(), Y),
    ),
    Fault(
        "a Huber loss with the slope of the square everywhere",
        "wrong-values",
        wrong(
            lambda x: functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=0.5),
            lambda g, x: g * x,
        ),
    ),
    Fault(
        "a complex square without the conjugate",
        "conjugate",
        wrong(lambda z: z * z, lambda g, z: 2 * g * z),
        COMPLEX,
    ),
    Fault(
        "the modulus without its half turn back",
        "conjugate",
        wrong(torch.abs, lambda g, z: g * z.conj() / z.abs()),
        COMPLEX,
    ),
]

# -- precision, memory, second order -------------------------------------------------------------------


def by_attribute(ctx: Any, x: torch.Tensor) -> torch.Tensor:
    ctx.x = x
    return x * x


def changed_afterwards(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    z = function(by_attribute, lambda ctx, g: 2 * g * ctx.x)(y)
    y.mul_(2)
    return z


def output_kept(ctx: Any, x: torch.Tensor) -> torch.Tensor:
    ctx.y = x.detach().sigmoid()
    return x.sigmoid()


OTHERS = [
    Fault(
        "a logarithm of the sigmoid that loses its tail in float32",
        "precision-loss",
        wrong(functional.logsigmoid, lambda g, x: g * (1 - x.sigmoid())),
        of(14.0, 15.5, 12.25, dtype=torch.float32),
    ),
    Fault(
        "a sine as the root of one less a square, in float32",
        "precision-loss",
        wrong(lambda x: 2 * (x / 2).sin() ** 2, lambda g, x: g * (1 - x.cos() ** 2).sqrt()),
        of(1.3e-3, 2.1e-3, 3.7e-3, dtype=torch.float32),
    ),
    Fault(
        "a variance as the mean of squares less the square of the mean, in float32",
        "precision-loss",
        wrong(
            lambda x: x.var(0, correction=0).log(),
            lambda g, x: g * 2 * (x - x.mean(0)) / 3 / ((x * x).mean(0) - x.mean(0) ** 2),
        ),
        of(1000.513, 1001.271, 999.037, dtype=torch.float32),
    ),
    Fault("what was kept as an attribute is changed afterwards", "constant-factor", changed_afterwards, X),
    Fault(
        "an output kept without its graph, at the second order",
        "none-gradient",
        function(output_kept, lambda ctx, g: g * ctx.y * (1 - ctx.y)),
        X,
        2,
    ),
    Fault(
        "NumPy in the backward, at the second order",
        "none-gradient",
        wrong(torch.sin, lambda g, x: g * torch.from_numpy(np.cos(x.detach().numpy()))),
        X,
        2,
    ),
    Fault(
        "a first derivative that is right and its own derivative that is not",
        "sign",
        wrong(torch.sin, wrong(lambda g, x: g * x.cos(), lambda h, g, x: (h * x.cos(), h * g * x.sin()))),
        X,
        2,
    ),
]

ALL = {fault.what: fault for fault in (*SPECIAL, *INDICES, *REDUCTIONS, *TERMS, *OTHERS)}


@pytest.mark.parametrize("what", ALL)
def test_a_wrong_backward_fails(what: str) -> None:
    fault = ALL[what]
    result = check_gradients(fault.function, fault.inputs, order=fault.order)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", fault.code), str(
        result
    )
    assert result.order == fault.order


# -- NumPy code with a gradient written by hand --------------------------------------------------------

N = np.array([0.3, -1.2, 0.8])
DESIGN = np.array([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4], [0.9, -0.7, 0.6], [-0.2, 1.1, 0.5]])
TARGETS = np.array([1.0, 0.0, 1.0, 0.0])


class ByHand(NamedTuple):
    """A gradient written by hand; ``code`` is that of the diagnosis."""

    what: str
    code: str
    function: Callable[..., Any]
    gradient: Callable[..., Any]
    inputs: Any = N


def rosenbrock(x: Any) -> Any:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def of_rosenbrock(x: Any) -> Any:
    grad = np.zeros_like(x)
    grad[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    grad[1:] = 200 * (x[1:] - x[:-1] ** 2)
    return grad


def logistic(w: Any) -> Any:
    z = DESIGN @ w
    return (np.logaddexp(0, z) - TARGETS * z).mean()


def residual(w: Any) -> Any:
    return 1 / (1 + np.exp(-DESIGN @ w)) - TARGETS


def likelihood(mean: Any, log_scale: Any) -> Any:
    return (log_scale + (N - mean) ** 2 * np.exp(-2 * log_scale) / 2).sum()


def distances(x: Any) -> Any:
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1) + np.eye(len(x))).sum()


def decay(rate: Any) -> Any:
    y = 1.0
    for _ in range(20):
        y = y - 0.1 * rate * y
    return y


HAND = [
    ByHand("Rosenbrock's function with a part overwritten", "one-entry", rosenbrock, of_rosenbrock),
    ByHand(
        "a mean loss with the gradient of the sum",
        "constant-factor",
        logistic,
        lambda w: DESIGN.T @ residual(w),
    ),
    ByHand(
        "a penalty on all weights and a gradient for all but the last",
        "one-entry",
        lambda w: logistic(w) + (w**2).sum(),
        lambda w: DESIGN.T @ residual(w) / 4 + 2 * w * np.array([1, 1, 0]),
    ),
    ByHand(
        "the scale of a normal distribution with the sign of its logarithm",
        "sign",
        likelihood,
        lambda m, s: (-(N - m) * np.exp(-2 * s), -1 + (N - m) ** 2 * np.exp(-2 * s)),
        (np.array([0.1, 0.2, 0.3]), np.array([0.5, -0.3, 0.2])),
    ),
    ByHand(
        "the same with its data and mean exchanged",
        "sign",
        likelihood,
        lambda m, s: ((N - m) * np.exp(-2 * s), 1 - (N - m) ** 2 * np.exp(-2 * s)),
        (np.array([0.1, 0.2, 0.3]), np.array([0.5, -0.3, 0.2])),
    ),
    ByHand(
        "distances counted once in place of twice",
        "constant-factor",
        distances,
        lambda x: (
            (x[:, None] - x[None]) / np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1) + np.eye(4))[..., None]
        ).sum(1),
        DESIGN,
    ),
    ByHand(
        "a distance from itself, nought by nought",
        "non-finite-gradient",
        lambda x: (x**2).sum() / 2,
        lambda x: x * (x - x[0]) / (x - x[0]),
    ),
    ByHand(
        "an exponential in place of its twenty steps",
        "wrong-values",
        decay,
        lambda r: -2.0 * np.exp(-2.0 * r),
        0.7,
    ),
    ByHand(
        "a matrix of a quadratic form taken for symmetric",
        "wrong-values",
        lambda x: x @ DESIGN[:3] @ x,
        lambda x: 2 * DESIGN[:3] @ x,
    ),
    ByHand(
        "a factor transposed",
        "transposed",
        lambda a: ((a @ DESIGN[:3]) ** 2).sum() / 2,
        lambda a: (a @ DESIGN[:3] @ DESIGN[:3].T).T,
        DESIGN[1:],
    ),
    ByHand(
        "a hinge with the gradient of the points on the right side",
        "wrong-values",
        lambda w: np.maximum(0, 1 - (2 * TARGETS - 1) * (DESIGN @ w)).sum(),
        lambda w: -DESIGN.T @ ((2 * TARGETS - 1) * ((2 * TARGETS - 1) * (DESIGN @ w) > 1)),
    ),
]


@pytest.mark.parametrize("case", HAND, ids=lambda case: case.what)
def test_a_wrong_gradient_by_hand_fails(case: ByHand) -> None:
    result = check_gradients(case.function, case.inputs, gradient=case.gradient)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", case.code), str(result)
