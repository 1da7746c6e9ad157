"""Another function of the same inputs (an oracle or a surrogate), as a separate problem at the same point.

A surrogate is called with the inputs as they are. An oracle may use a different framework: its inputs are
converted, and its outputs are those of that framework.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pytest_gradcheck.errors import InvalidArgument, Unavailable
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.function.signatures import name_of


class Arrays(NamedTuple):
    """The arguments of a function: arrays of a framework, in float64 or in the dtypes of the inputs.

    ``differentiable`` are those that the framework differentiates: code of another one refuses them.
    """

    framework: Framework
    double: bool
    differentiable: bool

    def __str__(self) -> str:
        kind = "numbers and arrays" if self.framework.name == "numpy" else self.framework.plural
        return f"{self.framework.name} {kind} in {'float64' if self.double else 'the dtypes of the inputs'}"


def ways_to_call(problem: Problem, argument: str, function: Callable[..., Any]) -> Iterator[Problem]:
    """Yield the problems that another function of the same inputs is, for each kind of arrays that it takes.

    In float64 with arrays of the problem's framework, with NumPy arrays, with those of other frameworks that
    are installed. Where none of these works: with arrays that need not be differentiated, and in the inputs'
    dtypes, where float64 does not fit what the function holds.

    Raises:
        InvalidArgument: for the ``argument`` that the function was given as, where it does not take the
            inputs or gives other outputs, and where it can be called in no way.
    """
    if any(framework.is_module_class(function) for framework in registry.imported()):
        function = _made(argument, function)
    tried: dict[str, str] = {}
    found: Problem | None = None
    for arrays in _kinds(problem.framework):
        if found is not None and not arrays.differentiable:
            return
        try:
            found = called_with(problem, argument, function, arrays)
        except InvalidArgument as error:
            if error.argument == argument:
                raise
            tried.setdefault(str(arrays), str(error))
        except Exception as error:
            lines = str(error).strip().splitlines()
            reason = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
            tried.setdefault(str(arrays), reason)
        else:
            yield found
    if found is None:
        reasons = "; ".join(f"{arrays} ({reason})" for arrays, reason in tried.items())
        got = f"{name_of(function)}, which cannot be called with {reasons}"
        raise InvalidArgument(argument, got, "give a function of the same inputs that returns arrays")


def _made(argument: str, module: Callable[..., Any]) -> Any:
    try:
        return module()
    except TypeError as error:
        got = f"the class {name_of(module)}, which cannot be instantiated without arguments ({error})"
        remedy = f"give a module of it, such as {name_of(module)}(...)"
        raise InvalidArgument(argument, got, remedy) from None


def _kinds(own: Framework) -> Iterator[Arrays]:
    for name in dict.fromkeys((own.name, *registry.names())):
        if name == own.name or importlib.util.find_spec(name) is not None:
            yield Arrays(registry.named(name), double=True, differentiable=True)
    for double in (True, False):
        yield Arrays(own, double, differentiable=False)


def called_with(problem: Problem, argument: str, function: Callable[..., Any], arrays: Arrays) -> Problem:
    """Return another function of a problem's inputs as a problem of its own; see `ways_to_call`.

    Its inputs are the problem's differentiable leaves one after the other.
    """
    framework = arrays.framework
    importlib.import_module(framework.name)
    given = problem.leaves_in(framework, double=arrays.double)
    positions = problem.positions

    def run(*values: Any) -> Any:
        # The function may change its own copy.
        leaves = [
            framework.copy(leaf, double=arrays.double) if framework.owns(leaf) else leaf for leaf in given
        ]
        for i, value in zip(positions, values, strict=True):
            leaves[i] = value
        return problem.call_instead(argument, function, leaves, framework, double=arrays.double)

    if framework.differentiates and arrays.differentiable:
        with framework.evaluating(recording=True):
            run(*framework.recorded([given[i] for i in positions]))
    found = Problem(run, tuple(given[i] for i in positions), name=name_of(function), seed=problem.seed)
    found.lower, found.upper = problem.lower, problem.upper
    if not all(owner is framework for _, owner in found.differentiable_outputs()):
        raise Unavailable(f"it does not return {framework.plural}")
    _must_return_the_same(problem, argument, function, found)
    return found


def in_its_place(problem: Problem, argument: str, function: Callable[..., Any]) -> Problem:
    """Return another function of the same inputs, given as ``argument``, as a problem at the same point.

    It is called as the function is: with the same arrays, dtypes and constants. Its inputs have the names of
    the problem's.

    Raises:
        InvalidArgument: it does not take the inputs, or returns outputs of other shapes.
    """
    framework, given = problem.framework, problem.leaves_in(problem.framework, double=False)
    if any(each.is_module_class(function) for each in registry.imported()):
        function = _made(argument, function)

    def run(*leaves: Any) -> Any:
        return problem.call_instead(argument, function, leaves, framework, double=False)

    try:
        positions = tuple(problem.positions)
        found = Problem(run, tuple(given), name=name_of(function), wrt=positions, seed=problem.seed)
    except InvalidArgument as error:
        if error.argument == argument:
            raise
        got = f"{name_of(function)}, which cannot take the place of {problem.name} ({error})"
        raise InvalidArgument(argument, got, "give a function of the same inputs and outputs") from error
    found.inputs, found.lower, found.upper = problem.inputs, problem.lower, problem.upper
    _must_return_the_same(problem, argument, function, found)
    return found


def _must_return_the_same(
    problem: Problem, argument: str, function: Callable[..., Any], found: Problem
) -> None:
    shapes = [leaf.shape for leaf in found.outputs.leaves]
    wanted = [leaf.shape for leaf in problem.outputs.leaves]
    if shapes != wanted or found.outputs.size != problem.outputs.size:
        got = f"{name_of(function)}, which returns {_shapes(shapes)} where the function returns"
        raise InvalidArgument(argument, f"{got} {_shapes(wanted)}", "return the same outputs")


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    if len(shapes) == 1:
        return f"one output of shape {shapes[0]}"
    return f"{len(shapes)} outputs of shapes {', '.join(map(str, shapes))}"
