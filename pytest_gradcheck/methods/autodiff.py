"""A framework's own gradient as a method, which is called like the framework."""

from __future__ import annotations

import importlib

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem


def prepare(problem: Problem, name: str) -> Pullback:
    """Run the function once under the framework of that name and return its pullback.

    For functions of its own the framework's gradient is on trial; NumPy code it runs as a stand-in. Raises
    `Unavailable` where it cannot.
    """
    if problem.framework.name == name:
        return problem.framework.pullback(problem)
    if problem.framework.differentiates:
        raise Unavailable(f"{name} does not run functions of {problem.framework.name}")
    try:
        importlib.import_module(name)
        framework = registry.named(name)
    except ModuleNotFoundError:
        raise Unavailable(f"{name} is not installed (pip install 'pytest-gradcheck[{name}]')") from None
    return framework.stand_in(problem)
