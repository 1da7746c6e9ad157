"""Where each argument of a marked test comes from: fixtures, parametrize, strategies or annotations."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest

from pytest_gradcheck.errors import InvalidArgument, suggestion
from pytest_gradcheck.plugin.marks import listed
from pytest_gradcheck.plugin.settings import SEARCH_OPTIONS, validate_search


def check_keywords(inputs: dict[str, Any], options: dict[str, Any], parameters: list[str]) -> None:
    """Check a marker's keywords against the test's parameters."""
    from hypothesis.strategies import SearchStrategy

    from pytest_gradcheck.core.check import OPTION_NAMES, validate_options
    from pytest_gradcheck.core.options import ELSEWHERE

    for name, value in options.items():
        if isinstance(value, SearchStrategy):
            raise InvalidArgument(name, "a strategy for an option", f"write inputs={{{name!r}: ...}}")
    validate_options(**{k: v for k, v in options.items() if k not in SEARCH_OPTIONS})
    validate_search(**options)
    for name, value in inputs.items():
        if name not in parameters:
            if isinstance(value, SearchStrategy):
                got, known = "a strategy for a parameter that does not exist", parameters
            else:
                got, known = repr(value), [*parameters, *OPTION_NAMES, *SEARCH_OPTIONS, "inputs"]
            hint = ELSEWHERE.get(name) or suggestion(name, known, "the marker takes here")
            raise InvalidArgument(name, got, hint)
        if not isinstance(value, SearchStrategy):
            remedy = f"give a strategy, such as hypothesis.strategies.just({value!r})"
            raise InvalidArgument(name, repr(value), remedy)


def check_instead(argument: str, function: Any, inputs: list[str], parameters: list[str]) -> None:
    """Check that an oracle or a surrogate accepts a test's inputs and any other parameters that it names."""
    from pytest_gradcheck.function.signatures import must_take, signature_of

    known = getattr(signature_of(function), "parameters", {}) if function is not None else {}
    if known:
        constants = [name for name in parameters if name not in inputs and name in known]
        must_take(argument, function, (), dict.fromkeys([*inputs, *constants]))


def strategies_for(
    collector: pytest.Module | pytest.Class,
    test: Callable[..., Any],
    signature: inspect.Signature,
    parameters: list[str],
    inputs: dict[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Return a strategy for each parameter that is an input, and the parameters not accounted for."""
    from pytest_gradcheck.strategies import from_annotation

    hints: dict[str, Any] | None = None
    strategies: dict[str, Any] = {}
    unknown: list[str] = []
    for name in parameters:
        parameter = signature.parameters[name]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InvalidArgument(name, "a positional-only parameter", "remove the '/' from the signature")
        if name in inputs:
            if name in _parametrized(collector, test):
                raise InvalidArgument(name, "both a strategy and parametrize", "keep one of them")
            strategies[name] = inputs[name]
        elif is_supplied(collector, test, parameter):
            continue
        elif parameter.annotation is parameter.empty:
            unknown.append(name)
        else:
            hints = _type_hints(test) if hints is None else hints
            strategies[name] = from_annotation(hints[name], name)
    if unknown and not strategies:
        # A hook may supply them, and then they are constants: nothing is left to differentiate.
        raise _unsupplied(unknown[0])
    if not strategies:
        remedy = (
            "give it a parameter with a strategy or an annotation, or use the fixture instead of the marker"
        )
        raise InvalidArgument("gradcheck", "a test without inputs", remedy)
    return strategies, unknown


def is_supplied(
    collector: pytest.Module | pytest.Class, test: Callable[..., Any], parameter: inspect.Parameter
) -> bool:
    """Whether a parameter has a value without a strategy: from parametrize, a fixture, or by default."""
    return (
        parameter.name in _parametrized(collector, test)
        or parameter.default is not parameter.empty
        or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        or parameter.name == "request"
        # pytest has no public interface for this; other plugins ask its fixture manager too.
        or bool(collector.session._fixturemanager.getfixturedefs(parameter.name, collector))
    )


def _type_hints(test: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(test, include_extras=True)
    except Exception as error:
        remedy = "import the names at run time too, or give strategies to the marker"
        raise InvalidArgument("annotations", f"{type(error).__name__}: {error}", remedy) from None


def _parametrized(collector: pytest.Collector, test: Callable[..., Any]) -> set[str]:
    names: set[str] = set()
    own = [mark for mark in listed(getattr(test, "pytestmark", [])) if mark.name == "parametrize"]
    for mark in [*own, *collector.iter_markers("parametrize")]:
        argnames = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if isinstance(argnames, str):
            argnames = argnames.split(",")
        names.update(name.strip() for name in argnames)
    return names


def refuse_coroutines(name: str, test: Callable[..., Any]) -> None:
    """Raise for a function whose result is not what its body returns."""
    inner = inspect.unwrap(test)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise InvalidArgument(name, "an async function", "the function under test must be a plain one")
    if inspect.isgeneratorfunction(inner):
        raise InvalidArgument(name, "a generator function", "return the value instead of yielding it")


def refuse_interactive(drawn: dict[str, Any]) -> None:
    """Raise for parameters through which the body would draw values itself."""
    from hypothesis.strategies import DataObject

    remedy = "the body runs many times for one example and would draw again each time; use @given(x=...)"
    for name, value in drawn.items():
        if isinstance(value, DataObject):
            raise InvalidArgument(name, "st.data()", remedy)


def refuse_unsupplied(collector: pytest.Collector, name: str, items: Any, unknown: list[str]) -> None:
    """Raise for parameters that no pytest_generate_tests hook has supplied either."""
    for item in items or []:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        for parameter in unknown:
            if parameter not in params:
                raise collector.CollectError(f"{collector.nodeid}::{name}: {_unsupplied(parameter)}")


def _unsupplied(parameter: str) -> InvalidArgument:
    remedy = f"write gradcheck({parameter}=arrays(...)), or annotate it"
    return InvalidArgument(parameter, "no strategy, annotation, fixture or parametrize", remedy)
