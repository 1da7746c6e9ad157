"""The methods that give a pullback, by name: the one place that prepares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import autodiff, complex_step, reference, user
from pytest_gradcheck.methods.registered_gradients import WATCH


def prepare(
    name: str,
    problem: Problem,
    *,
    gradient: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    hold_stops: bool = False,
) -> Pullback:
    """Return a method's pullback of a function at its point.

    Args:
        name: one of `names.METHOD_NAMES` that is not a difference method.
        problem: the function and its point.
        gradient, vjp: the gradient written by hand, for ``"user"``.
        hold_stops: for ``"reference"``, whether what the function detaches is a constant.

    Raises:
        Unavailable: the method cannot differentiate this function.
    """
    watch = WATCH.get()
    if watch is not None:
        return watch.followed(name, lambda: _prepare(name, problem, gradient, vjp, hold_stops))
    return _prepare(name, problem, gradient, vjp, hold_stops)


def _prepare(name: str, problem: Problem, gradient: Any, vjp: Any, hold_stops: bool) -> Pullback:
    if name == "user":
        return user.prepare(problem, gradient, vjp)
    if name == "complex_step":
        return complex_step.prepare(problem)
    if name == "reference":
        return reference.prepare(problem, hold_stops=hold_stops)
    return autodiff.prepare(problem, name)
