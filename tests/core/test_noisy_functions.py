"""Functions whose values have fewer digits than their dtype: the noise is in the bars.

Cancellation, float32 and less inside, quantised values, and solvers that stop early. A right gradient passes
where the values can tell, and is inconclusive below their grain; a wrong one fails at a generic point.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy import integrate, optimize
from twins import fails, not_accused, passes, times

pytestmark = pytest.mark.kernels


class Noisy(NamedTuple):
    """A function with its gradient; points where it passes, where it may not, and a generic one."""

    function: Callable[[Any], Any]
    gradient: Callable[[Any], Any]
    passing: tuple[Any, ...]
    lost: tuple[Any, ...]
    generic: Any
    rtol: float | None = None
    #: Coarse noise hides one tenth.
    wrong: tuple[float, ...] = (1.1, -1.0)

    def options(self) -> dict[str, Any]:
        return {} if self.rtol is None else {"rtol": self.rtol}


# -- cancellation: opaque functions whose values lose all digits near zero -----------------------------


def each(function: Callable[[float], float]) -> Callable[[Any], float]:
    return lambda x: sum(function(float(v)) for v in np.atleast_1d(x))


def haversine(x: Any) -> float:
    """The distance on a sphere from (0, 0), by the law of cosines, which loses digits; squared."""
    return math.acos(math.cos(float(x[0])) * math.cos(float(x[1]))) ** 2


def haversine_gradient(x: Any) -> Any:
    a, b = map(float, x)
    d = 2 * math.asin(math.sqrt(math.sin(a / 2) ** 2 + math.cos(a) * math.sin(b / 2) ** 2))
    over = 2 * d / math.sin(d)
    return over * np.array([math.sin(a) * math.cos(b), math.cos(a) * math.sin(b)])


def variance(x: Any) -> float:
    """The variance as the mean of squares less the square of the mean."""
    v = [float(e) for e in x]
    return sum(e * e for e in v) / len(v) - (sum(v) / len(v)) ** 2


CANCELLING = {
    "1 - cos": Noisy(
        each(lambda v: 1 - math.cos(v)),
        np.sin,
        (np.array([1e-16, 0.0, 0.0]), np.array([1e-9, 1.0, 0.0])),
        (),
        np.array([0.3, 1.0]),
    ),
    "pseudo-Huber": Noisy(
        each(lambda v: math.sqrt(1 + v * v) - 1),
        lambda x: x / np.sqrt(1 + x * x),
        (np.array([1e-8, 0.5, 0.0]),),
        (np.array([1e-12, 0.0, 0.0]),),
        np.array([0.3, -1.0]),
    ),
    "kinetic energy": Noisy(
        lambda v: 1 / math.sqrt(1 - float(v) ** 2) - 1,
        lambda v: v * (1 - v * v) ** -1.5,
        (1e-16, 0.0, 0.3),
        (1e-8,),
        0.4,
    ),
    "cosh - 1": Noisy(
        each(lambda v: math.cosh(v) - 1),
        np.sinh,
        (np.array([1e-9, 1.0]),),
        (np.array([1e-11, 0.0]), np.array([1e-8, 1e-16])),
        np.array([0.3, -1.0]),
    ),
    "exp(x) - 1 - x": Noisy(
        each(lambda v: math.exp(v) - 1 - v),
        np.expm1,
        (np.array([-1e-9, 2.0]),),
        (np.array([1e-14, 0.0, 0.0]),),
        np.array([0.3, -1.0]),
    ),
    "log cosh": Noisy(
        each(lambda v: math.log(math.cosh(v))),
        np.tanh,
        (np.array([1e-9, 0.5]),),
        (np.array([1e-12, 0.0]), np.array([1e-9, 1e-200])),
        np.array([0.3, -1.0]),
    ),
    "law of cosines": Noisy(
        haversine,
        haversine_gradient,
        (np.array([0.3, 1e-9]),),
        (np.array([1e-6, 1e-7]),),
        np.array([0.3, 0.4]),
    ),
    "variance by squares": Noisy(
        variance,
        lambda x: 2 * (x - x.mean()) / len(x),
        (np.array([1.0, 1.0 + 1e-9, 2.0]), np.array([0.0, 1e-12, 0.0])),
        (np.array([1e4, 1e4 + 1e-6, 1e4]),),
        np.array([0.3, 1.0, -2.0]),
    ),
}


# -- fewer digits inside -------------------------------------------------------------------------------


def softplus32(x: Any) -> float:
    return float(np.sum(np.logaddexp(np.float32(0), np.asarray(x).astype(np.float32)) ** 2))


def softplus_gradient(x: Any) -> Any:
    return 2 * np.logaddexp(0, x) / (1 + np.exp(-x))


def log_sum_exp32(x: Any) -> float:
    x = np.asarray(x).astype(np.float32)
    return float(np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))))


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / e.sum()


W = np.array([[0.7, -0.4], [0.2, 0.9]])


def layer16(x: Any) -> float:
    return float(np.sum(np.tanh(W.astype(np.float16) @ np.asarray(x).astype(np.float16))))


def layer_gradient(x: Any) -> Any:
    return W.T @ (1 - np.tanh(W @ x) ** 2)


def fixed_point(x: Any) -> float:
    """A quadratic form in arithmetic with 12 binary places."""
    a, b = (round(float(v) * 4096) for v in x)
    return ((a * a + a * b) // 4096) / 4096


INSIDE = {
    "float32: softplus": Noisy(
        softplus32,
        softplus_gradient,
        (np.array([0.3, -1.2, 2.0]),),
        (np.array([0.0, 1e-8, 0.0]), np.array([0.0, 1e-4, 0.0]), np.array([1e-3, 1.0, 0.5])),
        np.array([0.3, -1.2, 2.0]),
    ),
    "float32: log-sum-exp": Noisy(
        log_sum_exp32,
        softmax,
        (np.array([0.3, -1.2, 2.0]),),
        (np.array([1e-9, 0.0, 1.0]), np.zeros(2)),
        np.array([0.3, -1.2, 1.0]),
    ),
    "float32: mean of sines": Noisy(
        lambda x: float(np.mean(np.sin(np.asarray(x, np.float32)))),
        lambda x: np.cos(x) / len(x),
        (np.array([0.3, -1.2]),),
        (np.array([1e-10, 1.0]), np.array([1e3, 0.0])),
        np.array([0.3, 1.0]),
    ),
    "float16: a layer": Noisy(
        layer16,
        layer_gradient,
        (),
        (np.array([0.3, -0.8]), np.array([1e-6, 1.0]), np.zeros(2)),
        np.array([0.3, -0.8]),
        0.02,
        (2.0, -1.0),
    ),
    "fixed point": Noisy(
        fixed_point,
        lambda x: np.array([2 * x[0] + x[1], x[0]]),
        (),
        (np.array([1.3, 0.4]), np.array([1e-7, 1.0]), np.zeros(2)),
        np.array([1.3, 0.4]),
        0.01,
    ),
    "eight decimals": Noisy(
        lambda x: round(float(np.sum(np.sin(x))), 8),
        np.cos,
        (),
        (np.array([0.0, 1e-9, 0.7]), np.array([0.3, 1.0])),
        np.array([0.3, 1.0]),
    ),
    "a table with 2001 rows": Noisy(
        lambda x: math.sin(round(float(x) * 250) / 250), np.cos, (), (0.3, 1e-4, 0.0), 1.1, None, (2.0, -1.0)
    ),
}


# -- solvers and integrators that stop early -----------------------------------------------------------


def newton_root(y: Any) -> float:
    """The root of t + t³ = y by Newton's iteration, which stops at 1e-8."""
    t, y = 0.0, float(y)
    while abs(step := (t + t**3 - y) / (1 + 3 * t * t)) > 1e-8:
        t -= step
    return t


def fixed_point_iteration(a: Any) -> float:
    """The solution of t = a cos(t), to 1e-7."""
    t, a = 0.5, float(a)
    while abs((new := a * math.cos(t)) - t) > 1e-7:
        t = new
    return new


def kepler(e: Any) -> float:
    """The eccentric anomaly for the mean anomaly of one, by Brent's method to 1e-9."""
    return float(optimize.brentq(lambda t: t - float(e) * math.sin(t) - 1, 0.0, 3.0, xtol=1e-9))


def kepler_gradient(e: Any) -> float:
    t = optimize.brentq(lambda t: t - float(e) * math.sin(t) - 1, 0.0, 3.0, xtol=1e-15)
    return math.sin(t) / (1 - float(e) * math.cos(t))


def decay(k: Any) -> float:
    """exp(-k) as an initial value problem, with adaptive steps at a tolerance of 1e-8."""
    return float(
        integrate.solve_ivp(lambda t, y: -float(k) * y, (0, 1), [1.0], rtol=1e-8, atol=1e-10).y[0, -1]
    )


def pendulum_steps(x: Any) -> float:
    """Forty steps of Euler's method, in float32."""
    q, p, h = np.float32(float(x)), np.float32(0), np.float32(0.05)
    for _ in range(40):
        q, p = q + h * p, p - h * np.sin(q)
    return float(q)


def pendulum_gradient(x: Any) -> float:
    q, p, dq, dp, h = float(x), 0.0, 1.0, 0.0, 0.05
    for _ in range(40):
        q, p, dq, dp = q + h * p, p - h * math.sin(q), dq + h * dp, dp - h * math.cos(q) * dq
    return dq


def normal_cdf(x: Any) -> float:
    """The distribution function of the normal distribution by quadrature to 1e-7."""
    found = integrate.quad(lambda t: math.exp(-t * t / 2), -8, float(x), epsabs=1e-7, epsrel=1e-7)[0]
    return found / math.sqrt(2 * math.pi)


SAMPLES = np.random.default_rng(1).normal(size=200)


def option_price(s: Any) -> float:
    """The mean payoff of an option over 200 common random numbers: a polygon with 200 corners."""
    return float(np.mean(np.maximum(float(s) * np.exp(0.2 * SAMPLES) - 1, 0)))


def option_gradient(s: Any) -> float:
    growth = np.exp(0.2 * SAMPLES)
    return float(np.mean(growth * (s * growth > 1)))


SOLVERS = {
    "Newton's iteration": Noisy(
        newton_root, lambda y: 1 / (1 + 3 * newton_root(y) ** 2), (1.3, -0.7), (0.0, 1e-9, 1e-200), 1.3
    ),
    "fixed-point iteration": Noisy(
        fixed_point_iteration,
        lambda a: math.cos(t := fixed_point_iteration(a)) / (1 + a * math.sin(t)),
        (),
        (0.7, 0.9, 1e-6, 0.0),
        0.7,
        1e-5,
    ),
    "Brent's method": Noisy(kepler, kepler_gradient, (), (0.3, 0.0, 1e-9), 0.5),
    "adaptive steps": Noisy(decay, lambda k: -math.exp(-k), (1.0,), (0.0, 1e-8, 3.0), 1.3, 1e-5),
    "steps in float32": Noisy(pendulum_steps, pendulum_gradient, (), (0.7, 0.0, 1e-8), 0.9),
    "quadrature": Noisy(
        normal_cdf,
        lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
        (0.3, -1.2),
        (0.0, 1e-9),
        0.7,
        1e-5,
    ),
    "common random numbers": Noisy(
        option_price, option_gradient, (1.03,), (1.0, float(np.exp(-0.2 * SAMPLES[0]))), 0.97
    ),
}

ALL = {**CANCELLING, **INSIDE, **SOLVERS}


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name].passing])
def test_a_right_gradient_passes_where_values_can_tell(name: str) -> None:
    case = ALL[name]
    for point in case.passing:
        passes(case.function, point, gradient=case.gradient, **case.options())


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name].lost])
def test_a_right_gradient_is_not_accused_below_the_grain(name: str) -> None:
    case = ALL[name]
    for point in case.lost:
        not_accused(case.function, point, gradient=case.gradient, **case.options())


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name].wrong])
def test_a_wrong_gradient_fails_at_a_generic_point(name: str) -> None:
    case = ALL[name]
    for factor in case.wrong:
        fails(case.function, case.generic, gradient=times(factor, case.gradient), **case.options())


# -- the same in functions of torch --------------------------------------------------------------------


@torch.library.custom_op("noisy_functions::pseudo_huber", mutates_args=())
def pseudo_huber(x: torch.Tensor) -> torch.Tensor:
    return torch.sqrt(1 + x * x) - 1


pseudo_huber.register_autograd(
    lambda ctx, g: g * ctx.saved_tensors[0] / torch.sqrt(1 + ctx.saved_tensors[0] ** 2),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


def test_an_operator_that_cancels() -> None:
    for tiny in (1e-16, 1e-12, 1e-9, 1e-8):
        for last in (1.0, 0.0):
            check = passes if tiny == 1e-16 else not_accused
            check(pseudo_huber, torch.tensor([tiny, 0.0, last], dtype=torch.float64))


class Custom(torch.autograd.Function):
    """A forward pass and the factor of its backward pass, both of them given."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, value: Any, factor: Any) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return value(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return g * ctx.factor(ctx.saved_tensors[0]), None, None


def custom(value: Any, factor: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: Custom.apply(x, value, factor)


def implicit_root(x: torch.Tensor) -> torch.Tensor:
    y = torch.zeros_like(x)
    while (step := (y + y**3 - x) / (1 + 3 * y**2)).abs().max() > 1e-8:
        y = y - step
    return y


FUNCTIONS = {
    "float32 inside: tanh": (
        lambda x: torch.tanh(x.float()).to(x.dtype),
        lambda x: (1 - torch.tanh(x.float()) ** 2).to(x.dtype),
        [0.0, 0.001, 0.0],
        [0.3, -0.7],
        1e-5,
    ),
    "float32 inside: exp": (
        lambda x: torch.exp(x.float()).to(x.dtype),
        lambda x: torch.exp(x.float()).to(x.dtype),
        [0.0, 1e-8, 1.0],
        [0.3, -0.7],
        1e-5,
    ),
    "bfloat16 inside: cube": (
        lambda x: (x.bfloat16() ** 3).to(x.dtype),
        lambda x: (3 * x.bfloat16() ** 2).to(x.dtype),
        [0.0, 1e-3, 1.0],
        [0.3, -0.7],
        0.03,
    ),
    "a dead zone": (
        lambda x: torch.where(x.abs() < 1e-13, 0.0, 2 * x),
        lambda x: 2.0 + 0 * x,
        [1.0, 2e-16],
        [0.3, -0.7],
        None,
    ),
    "Newton's iteration": (
        implicit_root,
        lambda x: 1 / (1 + 3 * implicit_root(x) ** 2),
        [0.0, 1e-9, 0.0],
        [0.3, -0.7],
        None,
    ),
    "a series in place of 0 / 0": (
        lambda x: (torch.exp(x) - 1) / x,
        lambda x: torch.where(
            x.abs() < 1e-2, 0.5 + x / 3 + x**2 / 8 + x**3 / 30, (x * torch.exp(x) - torch.expm1(x)) / x**2
        ),
        [1e-6, 0.01],
        [0.3, -0.7],
        None,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_torch_with_noise_inside(name: str) -> None:
    value, factor, special, generic, rtol = FUNCTIONS[name]
    options = {} if rtol is None else {"rtol": rtol}
    # Two digits are too few for a fifth.
    coarse = name == "bfloat16 inside: cube"
    right, wrong = custom(value, factor), custom(value, lambda x: (-1 if coarse else 1.2) * factor(x))
    not_accused(right, torch.tensor(special, dtype=torch.float64), **options)
    check = not_accused if coarse else passes
    check(right, torch.tensor(generic, dtype=torch.float64), **options)
    fails(wrong, torch.tensor(generic, dtype=torch.float64), "torch", **options)


class Add16(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x.to(torch.bfloat16) + y.to(torch.bfloat16)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return g, g


class MatMul16(torch.autograd.Function):
    factor = 1.0

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, w)
        return (x.to(torch.bfloat16) @ w.to(torch.bfloat16)).to(x.dtype)

    @classmethod
    def backward(cls, ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, w, g = (t.to(torch.bfloat16) for t in (*ctx.saved_tensors, g))
        return (g @ w.T).float(), cls.factor * (x.T @ g).float()


class WrongMatMul16(MatMul16):
    factor = -1.0


float32 = functools.partial(torch.tensor, dtype=torch.float32)


def test_bfloat16_inside_of_float32() -> None:
    for x, y in (([0.001], [1.0]), ([0.0], [1.0]), ([0.0, 0.001], [1.0, 0.0])):
        not_accused(Add16.apply, (float32(x), float32(y)), rtol=0.02)
    generator = torch.Generator().manual_seed(0)
    generic = torch.rand(2, 3, generator=generator), torch.rand(3, 2, generator=generator)
    whole = torch.ones(2, 3), torch.tensor([[1.0, 2.0], [0.0, 0.0], [-1.0, 0.5]])
    tiny = torch.full((2, 3), 1e-3), torch.ones(3, 2)
    for inputs in (generic, whole, tiny):
        not_accused(MatMul16.apply, inputs, rtol=0.05)
    for inputs in (generic, whole):
        fails(WrongMatMul16.apply, inputs, "torch", rtol=0.05)


def test_jax_without_x64() -> None:
    jax = pytest.importorskip("jax")

    def function(x: Any) -> Any:
        return jax.numpy.sum(jax.numpy.logaddexp(0.0, x) ** 2)

    def gradient(x: Any) -> Any:
        return np.asarray(jax.grad(function)(x))

    for point in (np.array([0.0, 1e-8, 0.0]), np.array([0.3, -1.0, 2.0])):
        not_accused(lambda x: float(function(x)), point, gradient=gradient)
    fails(lambda x: float(function(x)), np.array([0.3, -1.0, 2.0]), gradient=times(1.1, gradient))


def conjugate_gradients(a: torch.Tensor, b: torch.Tensor, tol: float = 1e-13) -> torch.Tensor:
    x, r = torch.zeros_like(b), b.clone()
    p = r.clone()
    while r.norm() > tol * b.norm():
        ap = a @ p
        alpha = (r @ r) / (p @ ap)
        x, new = x + alpha * p, r - alpha * ap
        p, r = new + (new @ new) / (r @ r) * p, new
    return x


class Solve(torch.autograd.Function):
    sign = -1.0

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        x = conjugate_gradients(a, b)
        ctx.save_for_backward(a, x)
        return x

    @classmethod
    def backward(cls, ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, x = ctx.saved_tensors
        y = torch.linalg.solve(a.T, g)
        return cls.sign * torch.outer(y, x), y


class WrongSolve(Solve):
    sign = 1.0


def test_conjugate_gradients_with_an_implicit_backward() -> None:
    a = torch.eye(3, dtype=torch.float64)
    a[0, 2] = a[2, 0] = -2e-16
    float64 = functools.partial(torch.tensor, dtype=torch.float64)
    right = lambda a, b: Solve.apply((a + a.mT) / 2, b)  # noqa: E731  next to its wrong twin
    wrong = lambda a, b: WrongSolve.apply((a + a.mT) / 2, b)  # noqa: E731  as above
    not_accused(right, (a, float64([1.0, 0.0, 0.0])))
    # r @ r underflows, and the loop never starts.
    not_accused(right, (torch.eye(3, dtype=torch.float64), float64([1e-200, 0.0, 0.0])))
    generic = float64([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]]), float64([1.0, 0.4, -0.7])
    passes(right, generic)
    fails(wrong, generic, "torch")
