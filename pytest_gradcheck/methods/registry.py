"""The methods that give a pullback, by name: the one place that prepares them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import autodiff, complex_step, reference, user
from pytest_gradcheck.methods.registered_gradients import WATCH, asked


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
    with nullcontext() if watch is None else asked(name):
        if name == "user":
            pullback = user.prepare(problem, gradient, vjp)
        elif name == "complex_step":
            pullback = complex_step.prepare(problem)
        elif name == "reference":
            pullback = reference.prepare(problem, hold_stops=hold_stops)
        else:
            pullback = autodiff.prepare(problem, name)
    return pullback if watch is None else watch.followed(name, pullback)
