"""One number in, one number out: arithmetic, comparisons, functions of a single entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.frameworks.jax.lowering.replay import working_dtype
from pytest_gradcheck.frameworks.jax.lowering.tools import Rule, Rules, data, is_complex
from reference_engine.primitives import Primitive

#: Primitives and NumPy's functions for them.
NAMESAKES: dict[str, Any] = {
    "neg": np.negative,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "is_finite": np.isfinite,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "add_any": np.add,
    "max": np.maximum,
    "min": np.minimum,
    "rem": np.fmod,
    "atan2": np.arctan2,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq_to": np.equal,
    "lt_to": np.less,
    "le_to": np.less_equal,
    "real": np.real,
    "imag": np.imag,
    "conj": np.conjugate,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
}


def _of(function: Callable[..., Any]) -> Rule:
    return lambda p, *x: function(*x)


def _logistic(x: Any) -> Any:
    # Where exp(-x) overflows the result is below the smallest number, and comes out as 0.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


#: Exact to full relative precision in both tails, and so is the derivative.
logistic: Primitive = Primitive("logistic", _logistic, (lambda g, y, x: g * (y * logistic(-x)),))


def _sign(x: Any) -> Any:
    """x / |x|, and 0 for 0."""
    if not is_complex(x):
        return np.sign(x)
    zero = data(x) == 0
    return np.where(zero, 0, x / np.abs(np.where(zero, 1, x)))


def _divide(p: Any, x: Any, y: Any) -> Any:
    if np.dtype(x.dtype).kind in "iu":
        # Towards zero, as in C; a division by zero is left to NumPy.
        whole = np.floor_divide(np.abs(x), np.abs(y))
        return whole * np.sign(x) * np.sign(y)
    return x / y


def _integer_power(p: Any, x: Any) -> Any:
    if p.y < 0:
        return 1 / _integer_power_of(x, -p.y)
    return _integer_power_of(x, p.y)


def _integer_power_of(x: Any, n: int) -> Any:
    return np.ones_like(data(x)) if n == 0 else x if n == 1 else x**n


def _power(p: Any, x: Any, y: Any) -> Any:
    if np.dtype(y.dtype).kind in "iu":
        y = np.asarray(data(y)).astype(working_dtype(jnp.float64, p.replay.precision))
    return np.power(x, y)


def _clamp(p: Any, low: Any, x: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _select(p: Any, which: Any, *cases: Any) -> Any:
    which = np.asarray(data(which))
    if which.dtype == bool:
        return np.where(which, cases[1], cases[0]) if len(cases) == 2 else cases[0]
    result = cases[0]
    for k, case in enumerate(cases[1:], 1):
        result = np.where(which == k, case, result)
    return result


def _round(p: Any, x: Any) -> Any:
    if int(p.rounding_method) == 1:
        return np.round(x)
    return np.sign(x) * np.floor(np.abs(data(x)) + 0.5)


def _convert(p: Any, x: Any) -> Any:
    dtype = working_dtype(p.new_dtype, p.replay.precision)
    if is_complex(x) and not np.issubdtype(dtype, np.complexfloating):
        x = np.real(x)
    if np.dtype(dtype).kind in "iub":
        value = np.asarray(data(x))
        return value != 0 if np.dtype(dtype).kind == "b" else value.astype(dtype)
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


def _bitcast(p: Any, x: Any) -> Any:
    """The same number where the dtype is the same. What looks into its bits has no rule."""
    same = x.shape == p.out.shape and x.dtype == working_dtype(p.new_dtype, p.replay.precision)
    return x if same else NotImplemented


def _next(p: Any, x: Any, y: Any) -> Any:
    return x + (np.nextafter(data(x), data(y)) - data(x))


RULES: Rules = {
    **{name: _of(function) for name, function in NAMESAKES.items()},
    "sign": lambda p, x: _sign(x),
    "rsqrt": lambda p, x: 1 / np.sqrt(x),
    "square": lambda p, x: x * x,
    "logistic": lambda p, x: 1 / (1 + np.exp(-x)) if is_complex(x) else logistic(x),
    "div": _divide,
    "integer_pow": _integer_power,
    "pow": _power,
    "clamp": _clamp,
    "select_n": _select,
    "round": _round,
    "nextafter": _next,
    "complex": lambda p, re, im: re + 1j * im,
    "convert_element_type": _convert,
    # Rounding has the derivative of what is rounded.
    "reduce_precision": lambda p, x: x,
    "bitcast_convert_type": _bitcast,
    "zeros_like": lambda p, x: np.zeros(p.out.shape),
    **dict.fromkeys(
        ("stop_gradient", "copy", "copy_p", "name", "sharding_constraint", "layout_constraint", "pvary"),
        lambda p, x: x,
    ),
    **dict.fromkeys(("device_put", "optimization_barrier", "pin", "unpin", "tie"), lambda p, *x: list(x)),
}
