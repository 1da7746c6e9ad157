"""The methods that give a pullback, by name: the one place that prepares them."""

from __future__ import annotations

import importlib
from contextlib import nullcontext

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import complex_step, exact, reference, user
from pytest_gradcheck.methods.forms import Form
from pytest_gradcheck.methods.registered_gradients import WATCH, asked


def prepare(
    name: str,
    problem: Problem,
    *,
    form: Form | None = None,
    hold_stops: bool = False,
) -> Pullback:
    """Return a method's pullback of a function at its point.

    Args:
        name: one of `names.METHOD_NAMES` that is not a difference method.
        problem: the function and its point.
        form: the derivative written by hand, for ``"user"``.
        hold_stops: for ``"reference"`` and ``"exact"``, whether what the function detaches is a constant.

    Raises:
        Unavailable: the method cannot differentiate this function.
    """
    watch = WATCH.get()
    with nullcontext() if watch is None else asked(name):
        if name == "user":
            if form is None:
                raise Unavailable("no hand-written derivative was given")
            pullback: Pullback = user.prepare(form, problem)
        elif name == "complex_step":
            pullback = complex_step.prepare(problem)
        elif name == "reference":
            pullback = reference.prepare(problem, hold_stops=hold_stops)
        elif name == "exact":
            pullback = exact.prepare(reference.prepare(problem, hold_stops=hold_stops))
        else:
            pullback = _autodiff(problem, name)
    return pullback if watch is None else watch.followed(name, pullback)


def _autodiff(problem: Problem, name: str) -> Pullback:
    """Return the gradient of a framework: on trial for its own functions, a stand-in for NumPy code."""
    if problem.framework.name == name:
        return problem.framework.pullback(problem)
    if problem.framework.differentiates:
        raise Unavailable(f"{name} does not run functions of {problem.framework.name}")
    if name not in registry.stand_ins():
        raise Unavailable(f"{name} does not run NumPy code")
    try:
        importlib.import_module(name)
        framework = registry.named(name)
    except ModuleNotFoundError:
        raise Unavailable(f"{name} is not installed (pip install 'pytest-gradcheck[{name}]')") from None
    return framework.stand_in(problem)
