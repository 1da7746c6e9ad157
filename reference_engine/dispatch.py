"""NumPy's protocols: which of our functions runs when a NumPy function is called with a Tensor.

The modules in `rules` and `extend` fill the tables; this module only looks functions up, and refuses by name
what no table contains.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from reference_engine import writes
from reference_engine.errors import MissingRuleError, OutOfGraphError
from reference_engine.primitives import Handle, value_of

__all__ = [
    "FUNCTIONS",
    "METHODS",
    "UFUNCS",
    "call_function",
    "call_ufunc",
    "implements",
    "namespace",
    "present",
]

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {}
"""NumPy's ufuncs; each value takes the ufunc's inputs."""

UFUNCS_BY_NAME: dict[str, Callable[[np.ufunc], Callable[..., Any]]] = {}
"""Ufuncs of packages that must not be imported here (scipy.special): name -> maker of the UFUNCS entry."""

METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {}
"""`ufunc.reduce`, `ufunc.accumulate` and the like where another function computes the same."""

GENERAL_METHODS: dict[str, Callable[..., Any]] = {}
"""The methods of all other ufuncs, by name; each takes the ufunc first."""

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""NumPy's functions; each value has the function's own signature."""

_F = TypeVar("_F", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any]) -> Callable[[_F], _F]:
    """Decorator: the function below implements `functions` of NumPy for Tensors."""

    def register(implementation: _F) -> _F:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return register


def present(name: str) -> tuple[Any, ...]:
    """NumPy's function of that name in a tuple, which is empty if this NumPy lacks it.

    2.0, the oldest supported, has no ``unstack`` and ``cumulative_sum`` (2.1) and no ``matvec`` (2.2); 2.5
    has deprecated ``fix``.
    """
    return (getattr(np, name),) if hasattr(np, name) else ()


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
    if kwargs and (out := kwargs.get("out")) is not None:
        return _into(out, lambda: call_ufunc(ufunc, method, inputs, _without_out(kwargs)), ufunc, kwargs)
    handler = UFUNCS.get(ufunc)
    if handler is None and ufunc.__name__ in UFUNCS_BY_NAME:
        handler = UFUNCS[ufunc] = UFUNCS_BY_NAME[ufunc.__name__](ufunc)
    if handler is None:
        raise _missing(f"the ufunc {ufunc.__name__}")
    if method == "__call__":
        if kwargs:
            return _call_with(handler, ufunc, inputs, dict(kwargs))
        return handler(*inputs)
    found = METHODS.get((ufunc, method))
    if found is not None:
        return found(*inputs, **kwargs)
    if method in GENERAL_METHODS:
        return GENERAL_METHODS[method](ufunc, *inputs, **kwargs)
    if method == "outer" and ufunc.nin == 2 and ufunc.signature is None:
        a, b = inputs
        a = a if hasattr(a, "shape") else np.asarray(a)
        return ufunc(np.reshape(a, a.shape + (1,) * np.ndim(b)), b, **kwargs)
    if method == "at":
        raise OutOfGraphError(
            f"numpy.{ufunc.__name__}.at of a Tensor takes the value out of the graph; only numpy.add.at and "
            "numpy.subtract.at write into a Tensor"
        )
    raise _missing(f"numpy.{ufunc.__name__}.{method}")


def _without_out(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords as if there were no out=: `where` then needs the old values, which are under "old"."""
    rest = {key: value for key, value in kwargs.items() if key != "out"}
    if rest.get("where", True) is not True:
        rest["old"] = kwargs["out"]
    return rest


def _into(out: Any, compute: Callable[[], Any], function: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """Write what `compute` gives into `out`, a Tensor or a tuple of them and of None."""
    targets = out if type(out) is tuple else (out,)
    for target in targets:
        if target is not None and not isinstance(target, Handle):
            raise OutOfGraphError(
                f"{_name(function)} with out= a plain array (or an in-place operator on one) takes the value "
                "out of the graph; use the returned value, total = total + x in place of total += x, or "
                "write into a Tensor such as numpy.zeros_like(x)"
            )
    result = compute()
    results = result if type(result) is tuple else (result,)
    written = []
    for target, part in zip(targets, results, strict=True):
        if target is None:
            written.append(part)
        else:
            writes.replace(target, part)
            written.append(target)
    return tuple(written) if type(result) is tuple else written[0]


def _call_with(
    handler: Callable[..., Any], ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """A ufunc with keywords: `dtype` casts the inputs, `where` leaves the other entries as they were."""
    where, old = kwargs.pop("where", True), kwargs.pop("old", None)
    dtype = kwargs.pop("dtype", None)
    for ignored in ("casting", "order", "subok", "out"):
        kwargs.pop(ignored, None)
    if kwargs:
        raise MissingRuleError(f"numpy.{ufunc.__name__} of a Tensor does not take {', '.join(kwargs)}")
    if dtype is not None:
        inputs = tuple(np.astype(x if hasattr(x, "dtype") else np.asarray(x), dtype) for x in inputs)
    if where is True:
        return handler(*inputs)
    if old is None or ufunc.nout != 1:
        raise MissingRuleError(
            f"numpy.{ufunc.__name__} with where= leaves entries without a value, which has no derivative; "
            "give it out= a Tensor such as numpy.zeros_like(x), or use numpy.where(mask, result, other)"
        )
    (base,) = old if type(old) is tuple else (old,)
    mask = np.broadcast_to(np.asarray(value_of(where), bool), base.shape)
    # Only the chosen entries are computed, so the others cannot turn a gradient into nan.
    chosen = handler(*(np.broadcast_to(x, base.shape)[mask] for x in inputs))
    whole = np.copy(base)
    whole[mask] = chosen
    return whole


def call_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`Tensor.__array_function__`."""
    handler = FUNCTIONS.get(function)
    if handler is None:
        raise _missing(_name(function))
    out = None
    if "out" in kwargs:
        kwargs = dict(kwargs)
        out = kwargs.pop("out")
    if len(args) > 2:
        position = _position_of_out(handler)
        if position is not None and len(args) > position:
            out = args[position]
            args = (*args[:position], None, *args[position + 1 :])
    if out is not None:
        return _into(out, lambda: handler(*args, **kwargs), function, kwargs)
    return handler(*args, **kwargs)


@functools.cache
def _position_of_out(handler: Callable[..., Any]) -> int | None:
    """Where `out` stands among the handler's positional parameters."""
    for position, parameter in enumerate(inspect.signature(handler).parameters.values()):
        if parameter.name == "out" and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            return position
    return None


class _Namespace:
    """The array API for Tensors: NumPy's functions, and ours where NumPy's do not dispatch."""

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
"""Replacements of NumPy's functions in the namespace of a Tensor, by name."""


def namespace(api_version: str | None) -> Any:
    """`Tensor.__array_namespace__`."""
    if api_version is not None and api_version not in ("2021.12", "2022.12", "2023.12", "2024.12"):
        raise ValueError(f"api_version must be a version of the array API up to 2024.12, got {api_version!r}")
    return _namespace
