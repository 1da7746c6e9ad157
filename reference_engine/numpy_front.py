"""NumPy's protocols: which function of ours answers when a NumPy function meets a Tensor.

The tables are filled by the modules in `rules` and by `extend`; this module only looks things up,
and refuses, by name, what no table holds.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from reference_engine.errors import MissingRuleError, OutOfGraphError

__all__ = ["FUNCTIONS", "METHODS", "UFUNCS", "call_function", "call_ufunc", "implements", "namespace"]

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {}
"""NumPy's ufuncs; each value takes the ufunc's inputs."""

UFUNCS_BY_NAME: dict[str, Callable[[np.ufunc], Callable[..., Any]]] = {}
"""Ufuncs of packages that must not be imported here (scipy.special): name -> maker of the UFUNCS entry."""

METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {}
"""`ufunc.reduce`, `ufunc.accumulate` and the like where another function computes the same."""

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""NumPy's functions; each value has the function's own signature."""

_F = TypeVar("_F", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any]) -> Callable[[_F], _F]:
    """Decorator: the function below answers for `functions` of NumPy on Tensors."""

    def register(implementation: _F) -> _F:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return register


def _missing(name: str) -> MissingRuleError:
    return MissingRuleError(
        f"reference_engine has no rule for {name}. Add one with reference_engine.extend: "
        f"@extend.primitive(rules=[lambda cotangent, result, x: ...]) above a function that calls {name} on "
        "arrays, and call that function instead; or compute a constant with tensor.detach()"
    )


def _name(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', repr(function))}"


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`Tensor.__array_ufunc__`."""
    if kwargs:
        kwargs = dict(kwargs)
        _refuse_out(kwargs, f"numpy.{ufunc.__name__}")
    handler = UFUNCS.get(ufunc)
    if handler is None and ufunc.__name__ in UFUNCS_BY_NAME:
        handler = UFUNCS[ufunc] = UFUNCS_BY_NAME[ufunc.__name__](ufunc)
    if handler is None:
        raise _missing(f"the ufunc {ufunc.__name__}")
    if method == "__call__":
        if kwargs:
            inputs = _cast_inputs(ufunc, inputs, kwargs)
        return handler(*inputs)
    found = METHODS.get((ufunc, method))
    if found is not None:
        return found(*inputs, **kwargs)
    if method == "outer" and ufunc.nin == 2 and ufunc.signature is None:
        a, b = inputs
        a = a if hasattr(a, "shape") else np.asarray(a)
        return ufunc(np.reshape(a, a.shape + (1,) * np.ndim(b)), b, **kwargs)
    if method == "at":
        raise OutOfGraphError(
            f"numpy.{ufunc.__name__}.at writes into an array, which takes the value out of the graph; "
            "use reference_engine.index_put(base, index, values, accumulate=True)"
        )
    raise _missing(f"numpy.{ufunc.__name__}.{method}")


def _refuse_out(kwargs: dict[str, Any], name: str) -> None:
    out = kwargs.pop("out", None)
    if out is not None and not (type(out) is tuple and all(item is None for item in out)):
        raise OutOfGraphError(
            f"{name} with out= (or an in-place operator on an array) takes the value out of the graph; "
            "use the returned value: total = total + x in place of total += x"
        )


def _cast_inputs(ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    where = kwargs.pop("where", True)
    if where is not True:
        raise MissingRuleError(
            f"numpy.{ufunc.__name__} with where= leaves entries without a value, which has no derivative; "
            "use numpy.where(mask, result, other)"
        )
    dtype = kwargs.pop("dtype", None)
    kwargs.pop("casting", None)
    kwargs.pop("order", None)
    kwargs.pop("subok", None)
    if kwargs:
        raise MissingRuleError(f"numpy.{ufunc.__name__} of a Tensor does not take {', '.join(kwargs)}")
    if dtype is None:
        return inputs
    return tuple(np.astype(x if hasattr(x, "dtype") else np.asarray(x), dtype) for x in inputs)


def call_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`Tensor.__array_function__`."""
    handler = FUNCTIONS.get(function)
    if handler is None:
        raise _missing(_name(function))
    if "out" in kwargs:
        kwargs = dict(kwargs)
        _refuse_out(kwargs, _name(function))
    if len(args) > 2:
        position = _position_of_out(handler)
        if position is not None and len(args) > position:
            _refuse_out({"out": args[position]}, _name(function))
    return handler(*args, **kwargs)


@functools.cache
def _position_of_out(handler: Callable[..., Any]) -> int | None:
    """Where `out` stands among the handler's positional parameters."""
    for position, parameter in enumerate(inspect.signature(handler).parameters.values()):
        if parameter.name == "out" and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            return position
    return None


class _Namespace:
    """The array API on Tensors: NumPy's functions, and ours where NumPy's do not dispatch."""

    def __init__(self) -> None:
        self._own: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        own = self._own.get(name)
        return getattr(np, name) if own is None else own

    def __dir__(self) -> list[str]:
        return sorted({*dir(np), *self._own})

    def __repr__(self) -> str:
        return "<the array API namespace of reference_engine>"


_namespace = _Namespace()
NAMESPACE_OVERRIDES: dict[str, Any] = _namespace._own
"""What the namespace of a Tensor has in place of NumPy's function of that name."""


def namespace(api_version: str | None) -> Any:
    """`Tensor.__array_namespace__`."""
    if api_version is not None and api_version not in ("2021.12", "2022.12", "2023.12", "2024.12"):
        raise ValueError(f"api_version must be a version of the array API up to 2024.12, got {api_version!r}")
    return _namespace
