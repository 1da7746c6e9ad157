"""One number in, one number out: arithmetic, comparisons, functions of a single entry, activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.torch.lowering.aten import special
from pytest_gradcheck.frameworks.torch.lowering.aten.tools import (
    Rules,
    cast,
    data,
    floating,
    is_complex,
    is_float,
    like,
    root,
)
from reference_engine.primitives import Primitive


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)); the derivative too is exact to full relative precision in both tails."""
    return 1 / (1 + np.exp(-x)) if is_complex(x) else _sigmoid(floating(x))


def _logistic(x: Any) -> Any:
    # Not of logaddexp, which takes three times as long (142 µs against 46 for 4096 entries). Where exp(-x)
    # overflows, the result is below the smallest number and comes out as 0.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


_sigmoid: Primitive = Primitive("sigmoid", _logistic, (lambda g, y, x: g * (y * _sigmoid(-x)),))


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without cancellation."""
    return -np.logaddexp(0.0, -x)


def softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    """log(1 + exp(beta x)) / beta, and x itself beyond the threshold, as torch has it."""
    return np.where(x * beta > threshold, x, np.logaddexp(0.0, x * beta) / beta)


def gelu(x: Any, *, approximate: str = "none") -> Any:
    """x Φ(x), or its approximation by tanh."""
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def elu(x: Any, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    """scale · x for x > 0, scale · alpha · (exp(x · input_scale) - 1) below."""
    # minimum() keeps the branch not taken from overflowing, whose gradient would be 0 · inf.
    return np.where(x > 0, x * scale, np.expm1(np.minimum(x, 0) * input_scale) * (alpha * scale))


def divide(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    """x / y, rounded towards zero or down where asked."""
    if rounding_mode == "floor":
        return np.floor_divide(x, y)
    quotient = np.true_divide(x, y)
    if rounding_mode is None:
        return quotient
    return np.trunc(quotient) if is_float(x) or is_float(y) else np.trunc(quotient).astype(np.int64)


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:  # ATen's argument names
    """x between min and max; the derivative at a bound is that of x, as in torch."""
    if min is not None:
        x = np.where(x < min, min, x)
    return x if max is None else np.where(x > max, max, x)


def times_where(x: Any, y: Any, function: Any) -> Any:
    """x · function(y), and 0 where x is 0 and function(y) is not finite, with the derivatives of that."""
    with np.errstate(all="ignore"):
        zero = (data(x) == 0) & ~np.isnan(data(y)) & ~np.isfinite(function(data(y)))
    return np.where(zero, 0.0, x * function(np.where(zero, 1.0, y)))


def sgn(x: Any) -> Any:
    """x / |x|, and 0 for 0."""
    if not is_complex(x):
        return np.sign(x)
    zero = x == 0
    return np.where(zero, 0, x / np.abs(np.where(zero, 1, x)))


def power(x: Any, y: Any) -> Any:
    """x ** y."""
    if isinstance(y, (int, float)) and not is_complex(x):
        if y == 0:
            return np.ones_like(x)
        if y == 0.5:
            return root(floating(x))
    return np.power(x, y)


def inside(x: Any, low: float, high: float) -> Any:
    """x between two bounds; the derivative at a bound is 0, as in torch's hard activations."""
    return np.where(x <= low, like(x, low), np.where(x >= high, like(x, high), x))


def logit(x: Any, eps: Any = None) -> Any:
    """log(x / (1 - x)), accurate near 0."""
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return np.log(x) - np.log1p(-x)


def frexp(x: Any) -> Any:
    """Mantissa and exponent."""
    exponent = np.frexp(data(x))[1]
    return np.ldexp(1.0, -exponent) * x, exponent


#: Operations that NumPy has under the same name.
NAMESAKES = (
    "floor_divide remainder fmod maximum minimum fmax fmin copysign heaviside hypot gcd lcm exp exp2 expm1 "
    "log log2 log10 log1p sin cos tan sinh cosh tanh sinc deg2rad rad2deg logaddexp logaddexp2 sign floor "
    "ceil trunc angle isnan isinf isfinite isposinf isneginf signbit logical_and logical_or logical_xor "
    "logical_not bitwise_and bitwise_or bitwise_xor"
)

RULES: Rules = {
    **{name: getattr(np, name) for name in NAMESAKES.split()},
    "add": lambda x, y, *, alpha=1: x + y if alpha == 1 else x + y * alpha,
    "sub": lambda x, y, *, alpha=1: x - y if alpha == 1 else x - y * alpha,
    "rsub": lambda x, y, alpha=1: y - x * alpha,
    "mul": np.multiply,
    "div": divide,
    "pow": power,
    "neg": np.negative,
    "reciprocal": lambda x: 1 / x,
    "abs": np.abs,
    "lerp": lambda x, end, weight: x + weight * (end - x),
    "addcmul": lambda x, a, b, *, value=1: x + value * a * b,
    "addcdiv": lambda x, a, b, *, value=1: x + value * a / b,
    "clamp": clamp,
    "clamp_min": lambda x, low: clamp(x, low),
    "clamp_max": lambda x, high: clamp(x, None, high),
    "nextafter": lambda x, y: x + (np.nextafter(data(x), data(y)) - data(x)),
    "sqrt": root,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "xlogy": lambda x, y: times_where(x, y, np.log),
    "special_xlog1py": lambda x, y: times_where(x, y, np.log1p),
    "sgn": sgn,
    "round": lambda x, *, decimals=0: np.round(x, decimals),
    "frexp": frexp,
    "frac": lambda x: x - np.trunc(x),
    "nan_to_num": lambda x, nan=None, posinf=None, neginf=None: np.nan_to_num(
        x, nan=nan or 0.0, posinf=posinf, neginf=neginf
    ),
    "logit": logit,
    "polar": lambda r, angle: r * np.cos(angle) + 1j * (r * np.sin(angle)),
    "complex": lambda re, im: re + 1j * im,
    "_conj": np.conjugate,
    "_conj_physical": np.conjugate,
    "_neg_view": np.negative,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "bitwise_not": np.invert,
    "bitwise_left_shift": np.left_shift,
    "bitwise_right_shift": np.right_shift,
    "__lshift__": np.left_shift,
    "__rshift__": np.right_shift,
    "relu": lambda x: np.where(x <= 0, like(x, 0), x),
    "sigmoid": sigmoid,
    "log_sigmoid_forward": lambda x: (log_sigmoid(x), np.zeros(0)),
    "softplus": softplus,
    "silu": lambda x: x * sigmoid(x),
    "gelu": gelu,
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "elu": elu,
    "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, x * slope),
    "_prelu_kernel": lambda x, weight: np.where(x > 0, x, weight * x),
    "threshold": lambda x, threshold, value: np.where(x <= threshold, like(x, value), x),
    "hardtanh": lambda x, low=-1.0, high=1.0: inside(x, low, high),
    "hardsigmoid": lambda x: inside(x + 3, 0.0, 6.0) / 6,
    "hardswish": lambda x: x * clamp(x + 3, 0.0, 6.0) / 6,
    "hardshrink": lambda x, lambd=0.5: np.where(np.abs(x) <= lambd, like(x, 0), x),
    "softshrink": lambda x, lambd=0.5: np.where(
        x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0.0)
    ),
    **dict.fromkeys(["clone", "alias", "detach", "lift", "lift_fresh", "lift_fresh_copy"], lambda x: x),
    "_to_copy": lambda x, *, dtype=None: x if dtype is None else cast(x, dtype),
    "copy": lambda x, source: cast(np.broadcast_to(source, x.shape), x.dtype),
    "fill": lambda x, value: np.broadcast_to(
        cast(np.asarray(value) if np.isscalar(value) else value, x.dtype), x.shape
    ),
    "_prims::convert_element_type": cast,
    "prims::convert_element_type": cast,
    "view_as_real": lambda x: np.stack([np.real(x), np.imag(x)], axis=-1),
    "view_as_complex": lambda x: x[..., 0] + 1j * x[..., 1],
}
