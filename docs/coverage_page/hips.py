"""What HIPS autograd can differentiate, read from its own registers, and where NumPy on Tensors differs.

The page and the test of breadth both stand on this module.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import autograd.numpy as anp
import autograd.scipy
import numpy as np
from autograd.core import VJPNode, primitive_jvps, primitive_vjps
from autograd.numpy import numpy_wrapper
from autograd.tracer import notrace_primitives

HELPERS = {
    "__getitem__": "indexing",
    "array_from_args": "numpy.array",
    "_array_from_scalar_or_array": "numpy.array",
    "concatenate_args": "numpy.concatenate",
    "make_diagonal": "numpy.diagonal",
    "dot_adjoint_0": "numpy.dot",
    "dot_adjoint_1": "numpy.dot",
    "tensordot_adjoint_0": "numpy.tensordot",
    "tensordot_adjoint_1": "numpy.tensordot",
    "fft.truncate_pad": "numpy.fft",
    "untake": "indexing",
}
"""autograd's own primitives, and what it needs them for."""


class Instead(NamedTuple):
    """Why plain NumPy on Tensors cannot do what autograd.numpy can, and what can."""

    reason: str
    instead: str


LISTS = "NumPy dispatches on the argument itself, not on the entries of a list"

INSTEAD: dict[str, Instead] = {
    "array([a, b])": Instead(
        "`numpy.array` dispatches on `like=` only",
        "`stack([a, b])` or `array([a, b], like=a)`",
    ),
    "array(a)": Instead("the same", "`copy(a)`"),
    "full(shape, a)": Instead("the same", "`full(shape, a, like=a)` or `broadcast_to(a, shape)`"),
    "r_[a, b]": Instead("it converts its arguments to arrays", "`concatenate([a, b])`"),
    "c_[a, b]": Instead("it converts its arguments to arrays", "`column_stack([a, b])`"),
    "mean([a, b])": Instead(LISTS, "`mean(stack([a, b]))`"),
    "std([a, b])": Instead(LISTS, "`std(stack([a, b]))`"),
    "var([a, b])": Instead(LISTS, "`var(stack([a, b]))`"),
    "linalg.norm([a, b])": Instead(LISTS, "`linalg.norm(stack([a, b]))`"),
    "sum([a, b])": Instead(LISTS, "`sum(stack([a, b]))`; the same for every function of one array"),
    "row_stack([a, b])": Instead("NumPy has deprecated it", "`vstack([a, b])`"),
    "isscalar(a)": Instead("to NumPy a Tensor is an array, so the answer is False", "`ndim(a) == 0`"),
}
"""Calls that autograd.numpy can differentiate and plain NumPy on Tensors cannot."""


def name_of(function: Callable[..., Any]) -> str:
    """The name under which autograd.numpy has a function: sum, linalg.det."""
    module = getattr(function, "__module__", None) or ""
    inside = next((name for name in ("linalg", "fft") if module.endswith(f"numpy.{name}")), None)
    return f"{inside}.{function.__name__}" if inside else function.__name__


def _of_numpy(function: Callable[..., Any]) -> bool:
    if isinstance(function, np.ufunc):
        return getattr(np, function.__name__, None) is function
    return (getattr(function, "__module__", None) or "").startswith(("numpy", "autograd.numpy"))


def _raw(primitives: Iterable[Any]) -> dict[str, Callable[..., Any]]:
    raw = {getattr(primitive, "fun", primitive) for primitive in primitives}
    return {name_of(function): function for function in sorted(filter(_of_numpy, raw), key=name_of)}


def differentiable() -> dict[str, Callable[..., Any]]:
    """The functions of autograd.numpy with a rule, by name: NumPy's own, and those of `HELPERS`."""
    return _raw({*primitive_vjps, *primitive_jvps})


def constant() -> dict[str, Callable[..., Any]]:
    """The functions of autograd.numpy that it takes as constant in the derivative."""
    return _raw({*notrace_primitives[VJPNode], *numpy_wrapper.notrace_functions})


def wrappers() -> list[str]:
    """The functions of NumPy in whose place autograd.numpy has one in Python, built on its primitives."""
    own = (anp.__name__, numpy_wrapper.__name__)
    return sorted(
        name
        for name, value in vars(anp).items()
        if hasattr(np, name)
        and not inspect.isclass(value)
        and (type(value).__module__ in own or getattr(value, "__module__", None) in own)
    )


def of_scipy() -> dict[str, Callable[..., Any]]:
    """The functions of autograd.scipy with a rule, by their names below scipy, each once."""
    found: dict[Callable[..., Any], str] = {}
    prefix = f"{autograd.scipy.__name__}."
    for module in sorted(each.name for each in pkgutil.walk_packages(autograd.scipy.__path__, prefix)):
        for name, value in sorted(vars(importlib.import_module(module)).items()):
            if inspect.isfunction(value) and value in primitive_vjps and not _of_numpy(value.fun):
                found.setdefault(value.fun, f"{module.removeprefix(prefix)}.{name}")
    return {name: function for function, name in found.items()}
