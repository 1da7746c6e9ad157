"""Functions with a backward written by hand, for NumPy and for every library that has NumPy's functions.

Each comes with the right backward and with one that has a mistake as people make it. The first argument of
all three is the library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class ByLibrary(NamedTuple):
    """``value(xp, *inputs)``, and ``vjp(xp, cotangent, *inputs)``, which gives one array per input."""

    value: Callable[..., Any]
    right: Callable[..., Sequence[Any]]
    wrong: Callable[..., Sequence[Any]]
    mistake: str
    inputs: tuple[np.ndarray, ...]


_random = np.random.default_rng(0)


def _normal(*shape: int) -> np.ndarray:
    return _random.normal(size=shape)


def _sigmoid(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def _softmax(xp: Any, x: Any) -> Any:
    e = xp.exp(x - xp.max(x))
    return e / xp.sum(e)


SCALE = 0.7978845608028654  # the square root of 2/π


def _gelu(xp: Any, x: Any) -> Any:
    return 0.5 * x * (1 + xp.tanh(SCALE * (x + 0.044715 * x**3)))


def _of_gelu(factor: int) -> Callable[..., Sequence[Any]]:
    def vjp(xp: Any, g: Any, x: Any) -> Sequence[Any]:
        t = xp.tanh(SCALE * (x + 0.044715 * x**3))
        inner = SCALE * (1 + factor * 0.044715 * x**2)
        return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner),)

    return vjp


def _layer_norm(xp: Any, x: Any) -> Any:
    return (x - xp.mean(x)) / xp.std(x)


def _of_layer_norm(xp: Any, g: Any, x: Any) -> Sequence[Any]:
    y = _layer_norm(xp, x)
    return ((g - xp.mean(g) - y * xp.mean(g * y)) / xp.std(x),)


def _cosine(xp: Any, x: Any, y: Any) -> Any:
    return xp.sum(x * y) / xp.sqrt(xp.sum(x * x) * xp.sum(y * y))


def _of_cosine(xp: Any, g: Any, x: Any, y: Any) -> Sequence[Any]:
    norms, c = xp.sqrt(xp.sum(x * x) * xp.sum(y * y)), _cosine(xp, x, y)
    return g * (y / norms - c * x / xp.sum(x * x)), g * (x / norms - c * y / xp.sum(y * y))


def _without_projection(xp: Any, g: Any, x: Any, y: Any) -> Sequence[Any]:
    norms = xp.sqrt(xp.sum(x * x) * xp.sum(y * y))
    return g * y / norms, g * x / norms


def _linear(xp: Any, x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


def _of_linear(xp: Any, g: Any, x: Any, w: Any, b: Any) -> Sequence[Any]:
    return g @ w.T, x.T @ g, xp.sum(g, 0)


def _mean_for_bias(xp: Any, g: Any, x: Any, w: Any, b: Any) -> Sequence[Any]:
    return g @ w.T, x.T @ g, xp.mean(g, 0)


def _logistic(xp: Any, w: Any, x: Any, y: Any) -> Any:
    return xp.mean(xp.logaddexp(0.0 * (x @ w), x @ w) - y * (x @ w))


def _of_logistic(over: int) -> Callable[..., Sequence[Any]]:
    def vjp(xp: Any, g: Any, w: Any, x: Any, y: Any) -> Sequence[Any]:
        residual = (_sigmoid(xp, x @ w) - y) / over
        return g * (residual @ x), g * xp.outer(residual, w), -g * (x @ w) / len(y)

    return vjp


def _rosenbrock(xp: Any, p: Any) -> Any:
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def _of_rosenbrock(factor: int) -> Callable[..., Sequence[Any]]:
    def vjp(xp: Any, g: Any, p: Any) -> Sequence[Any]:
        inner = p[1] - p[0] ** 2
        return (g * xp.stack([2 * (p[0] - 1) - factor * p[0] * inner, 200 * inner]),)

    return vjp


def _solve_back(transposed: bool) -> Callable[..., Sequence[Any]]:
    def vjp(xp: Any, g: Any, a: Any, b: Any) -> Sequence[Any]:
        back = xp.linalg.solve(a.T if transposed else a, g)
        return -xp.outer(back, xp.linalg.solve(a, b)), back

    return vjp


def _inverse_back(xp: Any, g: Any, a: Any) -> Sequence[Any]:
    inverse = xp.linalg.inv(a)
    return (-inverse.T @ g @ inverse.T,)


def _inverse_without_transposing(xp: Any, g: Any, a: Any) -> Sequence[Any]:
    inverse = xp.linalg.inv(a)
    return (-inverse @ g @ inverse,)


def _kernel(xp: Any, x: Any, y: Any) -> Any:
    return xp.exp(-xp.sum((x - y) ** 2) / 2)


FUNCTIONS: dict[str, ByLibrary] = {
    "tanh": ByLibrary(
        lambda xp, x: xp.tanh(x),
        lambda xp, g, x: (g * (1 - xp.tanh(x) ** 2),),
        lambda xp, g, x: (g * (1 - x**2),),
        "takes the input for the output",
        (_normal(5),),
    ),
    "softplus": ByLibrary(
        lambda xp, x: xp.logaddexp(0 * x, x),
        lambda xp, g, x: (g * _sigmoid(xp, x),),
        lambda xp, g, x: (g * _sigmoid(xp, -x),),
        "takes the sigmoid of minus x",
        (_normal(5),),
    ),
    "GELU, tanh form": ByLibrary(_gelu, _of_gelu(3), _of_gelu(1), "forgets the 3 of a cube", (_normal(5),)),
    "SiLU": ByLibrary(
        lambda xp, x: x * _sigmoid(xp, x),
        lambda xp, g, x: (g * _sigmoid(xp, x) * (1 + x * (1 - _sigmoid(xp, x))),),
        lambda xp, g, x: (g * _sigmoid(xp, x),),
        "forgets one factor's derivative",
        (_normal(5),),
    ),
    "leaky ReLU": ByLibrary(
        lambda xp, x: xp.where(x > 0, x, 0.1 * x),
        lambda xp, g, x: (xp.where(x > 0, g, 0.1 * g),),
        lambda xp, g, x: (xp.where(x > 0, g, 0.01 * g),),
        "has another slope",
        (_normal(5),),
    ),
    "Huber's loss": ByLibrary(
        lambda xp, x: xp.where(xp.abs(x) < 1, x**2 / 2, xp.abs(x) - 0.5),
        lambda xp, g, x: (g * xp.clip(x, -1, 1),),
        lambda xp, g, x: (g * x,),
        "does not clip",
        (2 * _normal(5),),
    ),
    "logsumexp": ByLibrary(
        lambda xp, x: xp.log(xp.sum(xp.exp(x - xp.max(x)))) + xp.max(x),
        lambda xp, g, x: (g * _softmax(xp, x),),
        lambda xp, g, x: (g * xp.exp(x - xp.max(x)),),
        "does not normalise",
        (_normal(5),),
    ),
    "softmax": ByLibrary(
        _softmax,
        lambda xp, g, x: (_softmax(xp, x) * (g - xp.sum(g * _softmax(xp, x))),),
        lambda xp, g, x: (_softmax(xp, x) * g,),
        "forgets the sum over the row",
        (_normal(5),),
    ),
    "log-softmax": ByLibrary(
        lambda xp, x: x - xp.max(x) - xp.log(xp.sum(xp.exp(x - xp.max(x)))),
        lambda xp, g, x: (g - _softmax(xp, x) * xp.sum(g),),
        lambda xp, g, x: (g - _softmax(xp, x),),
        "forgets the sum of the cotangent",
        (_normal(5),),
    ),
    "layer norm": ByLibrary(
        _layer_norm,
        _of_layer_norm,
        lambda xp, g, x: ((g - xp.mean(g)) / xp.std(x),),
        "holds the deviation constant",
        (_normal(6),),
    ),
    "norm": ByLibrary(
        lambda xp, x: xp.sqrt(xp.sum(x * x)),
        lambda xp, g, x: (g * x / xp.sqrt(xp.sum(x * x)),),
        lambda xp, g, x: (g * x,),
        "does not divide by the norm",
        (_normal(5),),
    ),
    "variance": ByLibrary(
        lambda xp, x: xp.mean((x - xp.mean(x)) ** 2),
        lambda xp, g, x: (2 * g * (x - xp.mean(x)) / x.size,),
        lambda xp, g, x: (2 * g * (x - xp.mean(x)) / (x.size - 1),),
        "divides by one less",
        (_normal(6),),
    ),
    "cumulative sum": ByLibrary(
        lambda xp, x: xp.cumsum(x),
        lambda xp, g, x: (xp.flip(xp.cumsum(xp.flip(g))),),
        lambda xp, g, x: (xp.cumsum(g),),
        "sums from the wrong end",
        (_normal(5),),
    ),
    "cosine similarity": ByLibrary(
        _cosine, _of_cosine, _without_projection, "holds the norms constant", (_normal(4), _normal(4))
    ),
    "Gaussian kernel": ByLibrary(
        _kernel,
        lambda xp, g, x, y: (g * _kernel(xp, x, y) * (y - x), g * _kernel(xp, x, y) * (x - y)),
        lambda xp, g, x, y: (g * _kernel(xp, x, y) * (y - x), g * _kernel(xp, x, y) * (y - x)),
        "has one sign for both inputs",
        (_normal(3), _normal(3)),
    ),
    "Rosenbrock's function": ByLibrary(
        _rosenbrock, _of_rosenbrock(400), _of_rosenbrock(200), "forgets the 2 of a square", (_normal(2),)
    ),
    "quadratic form": ByLibrary(
        lambda xp, x, a: x @ a @ x,
        lambda xp, g, x, a: (g * ((a + a.T) @ x), g * xp.outer(x, x)),
        lambda xp, g, x, a: (2 * g * (a @ x), g * xp.outer(x, x)),
        "takes the matrix for symmetric",
        (_normal(3), _normal(3, 3)),
    ),
    "matrix product": ByLibrary(
        lambda xp, a, b: a @ b,
        lambda xp, g, a, b: (g @ b.T, a.T @ g),
        lambda xp, g, a, b: (g @ b.T, a @ g),
        "forgets to transpose",
        (_normal(3, 3), _normal(3, 3)),
    ),
    "linear layer": ByLibrary(
        _linear,
        _of_linear,
        _mean_for_bias,
        "takes the mean over the batch for the bias",
        (_normal(4, 3), _normal(3, 2), _normal(2)),
    ),
    "logistic loss": ByLibrary(
        _logistic,
        _of_logistic(4),
        _of_logistic(1),
        "does not divide by the batch",
        (_normal(3), _normal(4, 3), np.abs(_normal(4))),
    ),
    "linear system": ByLibrary(
        lambda xp, a, b: xp.linalg.solve(a, b),
        _solve_back(True),
        _solve_back(False),
        "forgets to transpose",
        (_normal(3, 3) + 3 * np.eye(3), _normal(3)),
    ),
    "inverse": ByLibrary(
        lambda xp, a: xp.linalg.inv(a),
        _inverse_back,
        _inverse_without_transposing,
        "forgets to transpose",
        (_normal(3, 3) + 3 * np.eye(3),),
    ),
}
