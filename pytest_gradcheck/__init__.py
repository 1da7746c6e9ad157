"""pytest-gradcheck: a pytest plugin that finds wrong gradients.

Everything public is imported when it is first used: pytest loads this package in every project in which
it is installed, and numpy, hypothesis and torch must cost nothing there.
"""

from __future__ import annotations

import importlib
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_gradcheck.core.check import assert_gradients, check_gradients
    from pytest_gradcheck.core.results import CheckResult, GradientMismatch, MethodResult, Verdict
    from pytest_gradcheck.errors import InvalidArgument
    from pytest_gradcheck.plugin.fixtures import Session
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

#: Where a public name is, if not among the strategies.
_HOMES = {
    "CheckResult": "core.results",
    "GradientMismatch": "core.results",
    "InvalidArgument": "errors",
    "MethodResult": "core.results",
    "Verdict": "core.results",
    "assert_gradients": "core.check",
    "check_gradients": "core.check",
}

#: The pytest sessions that found nothing to do, and want to know when somebody uses this package after all.
standing_by: weakref.WeakSet[Session] = weakref.WeakSet()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'strategies')}"), name)
    globals()[name] = value
    for session in tuple(standing_by):
        session.take_part()
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
