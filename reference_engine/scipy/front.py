"""Which function answers under a name of scipy: scipy's own for arrays, ours where a Tensor comes in."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from reference_engine.definitions import values_of
from reference_engine.errors import MissingRuleError
from reference_engine.primitives import Primitive, Rule, value_of
from reference_engine.tensor import Tensor, joined

__all__ = ["PRIMITIVES", "Mirror", "define", "load", "table"]

Function = Callable[..., Any]

PRIMITIVES: dict[str, Primitive] = {}
"""The primitives of this package by name, for the tests, which demand a sample for each."""


@functools.cache
def load(name: str) -> ModuleType:
    """The real `scipy.<name>`.

    Errors: ImportError where scipy cannot be imported.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ImportError as error:
        raise ImportError(
            f"reference_engine.scipy.{name} needs scipy, which cannot be imported ({error}); "
            "install it with: pip install scipy"
        ) from error


def define(name: str, forward: Function, rules: Sequence[Rule | None], *, outputs: bool = False) -> Primitive:
    """A `Primitive` whose forward computation is scipy's, so that values and signs are scipy's too."""
    if name in PRIMITIVES:
        raise ValueError(f"there is a primitive named {name!r} already")
    PRIMITIVES[name] = Primitive(name, forward, rules, outputs=outputs)
    return PRIMITIVES[name]


def table(*functions: Function) -> dict[str, Function]:
    """Implementations by the name that they answer for."""
    return {function.__name__: function for function in functions}


def _is_how(parameter: str) -> bool:
    """Whether a parameter says how to compute and not what."""
    return parameter.startswith("overwrite_") or parameter in _HOW


_HOW = frozenset(["balanced", "blocksize", "check_finite", "lapack_driver", "lwork", "workers"])


def _leaves(value: Any) -> Iterable[Any]:
    if type(value) in (list, tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    return [leaf for leaf in _leaves([*args, *kwargs.values()]) if type(leaf) is Tensor]


def _array_like(value: Any) -> Any:
    """A list that holds Tensors as one Tensor; tuples are pairs, as of a first column and a first row."""
    return joined(value) if type(value) is list and _tensors((value,), {}) else value


class Mirror:
    """What stands under the names of one module of scipy.

    `functions` are implementations for Tensors by name; `dispatching` are the names of functions that call
    nothing but ufuncs, and so work on Tensors as they are; `undefined` says for some others why their result
    has no derivative.
    """

    def __init__(
        self,
        module: str,
        functions: Mapping[str, Function],
        *,
        dispatching: Iterable[str] = (),
        undefined: Mapping[str, str] | None = None,
    ) -> None:
        self.module = module
        self.functions = functions
        self.dispatching = frozenset(dispatching)
        self.undefined = undefined or {}

    def names(self) -> list[str]:
        """The public names of scipy's module."""
        return sorted(load(self.module).__all__)

    def find(self, name: str) -> Any:
        """What stands under `name`.

        Errors: AttributeError for a name that scipy does not have.
        """
        # Python asks modules for __path__ and the like, which must not look up anything.
        theirs = None if name.startswith("_") else getattr(load(self.module), name, None)
        if theirs is None:
            raise AttributeError(f"scipy.{self.module} has no function {name!r}")
        if isinstance(theirs, np.ufunc | type) or not callable(theirs) or name in self.dispatching:
            return theirs
        return self._function(name, theirs)

    def _function(self, name: str, theirs: Function) -> Function:
        ours = self.functions.get(name)

        @functools.wraps(theirs, updated=())
        def call(*args: Any, **kwargs: Any) -> Any:
            tensors = _tensors(args, kwargs)
            if not tensors:
                return theirs(*args, **kwargs)
            if ours is not None:
                return self._ours(name, theirs, ours, args, kwargs)
            if any(tensor.requires_grad for tensor in tensors):
                raise self._missing(name)
            return theirs(
                *(values_of(arg) for arg in args), **{key: values_of(value) for key, value in kwargs.items()}
            )

        call.__module__ = f"reference_engine.scipy.{self.module}"
        if ours is not None:
            call.__doc__ = ours.__doc__
        return call

    def _missing(self, name: str) -> MissingRuleError:
        if name in self.undefined:
            return MissingRuleError(f"scipy.{self.module}.{name} has no derivative: {self.undefined[name]}")
        return MissingRuleError(
            f"reference_engine has no rule for scipy.{self.module}.{name}. Add one with "
            "reference_engine.extend: @extend.primitive(rules=[lambda cotangent, result, x: ...]) above a "
            f"function that calls scipy.{self.module}.{name} on arrays, and call that function instead; or "
            "compute a constant with tensor.detach()"
        )

    def _ours(
        self, name: str, theirs: Function, ours: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call `ours` with the arguments that it takes of a call as scipy has it."""
        args = tuple(_array_like(arg) for arg in args)
        kwargs = {key: _array_like(value) for key, value in kwargs.items()}
        signature = inspect.signature(theirs)
        if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
            return ours(*args, **kwargs)
        given = signature.bind(*args, **kwargs).arguments
        if "check_finite" in signature.parameters and given.get("check_finite", True):
            for tensor in _tensors((), given):
                np.asarray_chkfinite(value_of(tensor))
        taken = inspect.signature(ours).parameters
        for key, value in given.items():
            default = signature.parameters[key].default
            if key not in taken and not _is_how(key) and value is not default and value != default:
                raise MissingRuleError(
                    f"scipy.{self.module}.{name} of a Tensor does not take {key}={value!r}; leave it out"
                )
        return ours(**{key: value for key, value in given.items() if key in taken})
