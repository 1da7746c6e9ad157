"""pytest-gradcheck: a pytest plugin that finds wrong gradients.

Public names are imported on first use: pytest loads this package in every project of an environment, and
projects that do not use it must not pay for importing NumPy, Hypothesis or the frameworks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_gradcheck.core.check import assert_gradients, check_gradients
    from pytest_gradcheck.core.results import CheckResult, GradientMismatch, MethodResult, Verdict
    from pytest_gradcheck.errors import InvalidArgument
    from pytest_gradcheck.strategies import (
        arrays,
        broadcastable,
        distinct,
        indices,
        modules,
        orthogonal,
        positive_definite,
        probabilities,
        scalars,
        shapes,
        size,
        sorted_,
        tensors,
    )

__version__ = "0.1.0"

__all__ = [
    "CheckResult",
    "GradientMismatch",
    "InvalidArgument",
    "MethodResult",
    "Verdict",
    "arrays",
    "assert_gradients",
    "broadcastable",
    "check_gradients",
    "distinct",
    "indices",
    "modules",
    "orthogonal",
    "positive_definite",
    "probabilities",
    "scalars",
    "shapes",
    "size",
    "sorted_",
    "tensors",
]

#: The module of each public name that is not a strategy.
_HOMES = {
    **dict.fromkeys(("CheckResult", "GradientMismatch", "MethodResult", "Verdict"), "core.results"),
    **dict.fromkeys(("assert_gradients", "check_gradients"), "core.check"),
    "InvalidArgument": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'strategies')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
