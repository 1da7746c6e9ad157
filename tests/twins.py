"""Right gradients next to wrong ones of the same function: the first never fail, the second always do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.results import CheckResult

Function = Callable[..., Any]


def passes(function: Function, inputs: Any, **options: Any) -> CheckResult:
    """Check a right gradient where function values can tell that it is right."""
    result = check_gradients(function, inputs, **options)
    assert result.verdict == "pass", str(result)
    return result


def not_accused(function: Function, inputs: Any, **options: Any) -> CheckResult:
    """Check a right gradient where function values can't tell: at a tie, an edge, or below the noise."""
    result = check_gradients(function, inputs, **options)
    assert result.verdict != "fail", str(result)
    return result


def fails(function: Function, inputs: Any, culprit: str = "user", **options: Any) -> CheckResult:
    """Check a wrong gradient at a point where function values can tell that it is wrong."""
    result = check_gradients(function, inputs, **options)
    assert (result.verdict, result.culprit) == ("fail", culprit), str(result)
    return result


def times(factor: float, right: Function) -> Function:
    """Scale a gradient, or what a ``vjp`` returns."""

    def wrong(*args: Any) -> Any:
        out = right(*args)
        return tuple(factor * np.asarray(g) for g in out) if isinstance(out, tuple) else factor * out

    return wrong


def one_entry(right: Function, at: int = 0, factor: float = 1.1) -> Function:
    """Scale one entry of a gradient with respect to a single array."""

    def wrong(*args: Any) -> Any:
        out = np.array(right(*args), dtype=float)
        out.flat[at] *= factor
        return out

    return wrong
