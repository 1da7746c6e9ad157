"""A marked function, made into a test that Hypothesis drives.

The body of the test is the function under test. It is wrapped when pytest collects it, before pytest
looks at its arguments: what fixtures and parametrize supply stays in the wrapper's signature, what they
do not is drawn. Everything that Hypothesis imports comes in here, on the first marked test.
"""

from __future__ import annotations

import functools
import inspect
import typing
import unittest
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_gradcheck.core.errors import InvalidArgument
from pytest_gradcheck.core.results import GradientMismatch, Verdict
from pytest_gradcheck.fixtures import Session
from pytest_gradcheck.options import suggestion

MARKER = "gradcheck"
_TAG = "_gradcheck_tag"
_QUICK_EXAMPLES = 20
_THOROUGH_FACTOR = 5

Function = Callable[..., Any]


@dataclass(frozen=True)
class _Tag:
    """What a wrapper says of itself: whose test it is, and which function it wraps."""

    owner: pytest.Collector
    session: Session
    original: Function


def marks_on(collector: pytest.Collector, obj: object) -> list[pytest.Mark]:
    """Return the gradcheck marks that hold for a function or class, the closest first."""
    own = getattr(obj, "pytestmark", [])
    marks = [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in _listed(own)]
    return [m for m in marks if isinstance(m, pytest.Mark) and m.name == MARKER] + list(
        collector.iter_markers(MARKER)
    )


def is_wrapped(item: pytest.Item) -> bool:
    """Whether the item's function is checked when it runs."""
    return isinstance(item, pytest.Function) and _tag_of(item.obj) is not None


def expected_failure(item: pytest.Item) -> str | None:
    """Return why failures in a marked test that passed are expected, or None.

    The check raises straight into Hypothesis, which lets a failure pass for ``@example(...).xfail()``.
    """
    examples = getattr(getattr(item, "obj", None), "hypothesis_explicit_examples", ())
    if any(getattr(example, "raises", None) is not None for example in examples):
        return "an @example(...).xfail() of the test"
    return None


def make_items(collector: pytest.Module | pytest.Class, name: str, obj: object, session: Session) -> Any:
    """Collect a marked function in the shape that pytest is to see; None leaves the object to pytest."""
    if inspect.isclass(obj):
        _refuse_unittest(collector, name, obj)
        return None
    plain: Any = obj.__func__ if isinstance(obj, (staticmethod, classmethod)) else obj
    tag = _tag_of(plain)
    if tag is not None and tag.owner is collector:
        return None
    if tag is not None:
        # The wrapper belongs to a base class or to the module that this one was imported from.
        plain = tag.original
    marks = marks_on(collector, plain)
    if not marks or not collector.istestfunction(obj, name) or not inspect.isfunction(plain):
        return None
    try:
        bound = isinstance(collector, pytest.Class) and not isinstance(obj, staticmethod)
        wrapper, unknown = _wrap(collector, name, plain, merge_marks(marks), session, bound)
    except InvalidArgument as error:
        raise collector.CollectError(f"{collector.nodeid}::{name}: {error}") from None
    setattr(wrapper, _TAG, _Tag(collector, session, plain))
    rewrapped = type(obj)(wrapper) if isinstance(obj, (staticmethod, classmethod)) else wrapper
    # pytest looks a test up by name again, on the instance or module, when it is about to run it.
    setattr(collector.obj, name, rewrapped)
    items = collector.ihook.pytest_pycollect_makeitem(collector=collector, name=name, obj=rewrapped)
    _refuse_unsupplied(collector, name, items, unknown)
    return items


def merge_marks(marks: list[pytest.Mark]) -> dict[str, Any]:
    """Return what the marks say together: for each keyword the closest one, inputs under ``inputs``."""
    merged: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    from pytest_gradcheck.core.check import OPTION_NAMES

    for mark in marks:
        if mark.args:
            raise InvalidArgument(
                MARKER, f"the positional argument {mark.args[0]!r}", "give strategies and options by keyword"
            )
        for key, value in mark.kwargs.items():
            if key == "inputs":
                if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
                    raise InvalidArgument("inputs", repr(value), "give a dict of strategies by parameter")
                for name, strategy in value.items():
                    inputs.setdefault(name, strategy)
            elif key in OPTION_NAMES:
                merged.setdefault(key, value)
            else:
                inputs.setdefault(key, value)
    return {**merged, "inputs": inputs}


def _wrap(
    collector: pytest.Module | pytest.Class,
    name: str,
    test: Function,
    said: dict[str, Any],
    session: Session,
    bound: bool,
) -> tuple[Function, list[str]]:
    """Return the wrapped test, and its parameters of which nobody knows yet who supplies them."""
    _refuse_coroutines(name, test)
    inputs = said.pop("inputs")
    if getattr(test, "is_hypothesis_test", False):
        parameters = list(inspect.signature(_given_inner(test)).parameters)
        _check_keywords(inputs, said, parameters)
        if inputs:
            raise InvalidArgument(
                next(iter(inputs)),
                "a strategy beside the test's own @given",
                "put it there, or remove @given",
            )
        _wrap_given(test, session)
        unknown: list[str] = []
    else:
        signature = inspect.signature(test)
        parameters = list(signature.parameters)[bound:]
        _check_keywords(inputs, said, parameters)
        strategies, unknown = _strategies(collector, test, signature, parameters, inputs)
        test = _wrap_plain(test, signature, strategies, session)
    _adjust_settings(test, session.settings.profile)
    return test, unknown


def _wrap_plain(
    test: Function, signature: inspect.Signature, strategies: dict[str, Any], session: Session
) -> Function:
    import hypothesis

    from pytest_gradcheck.strategies import domain_of

    @functools.wraps(test)
    def runner(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        _check_example(session, test, signature.bind(*args, **kwargs), set(strategies), domains)

    domains = {name: bounds for name, s in strategies.items() if (bounds := domain_of(s)) is not None}
    # Hypothesis takes no defaults and pytest supplies none: such parameters keep their default.
    kept = [
        p.replace(default=p.empty)
        for p in signature.parameters.values()
        if p.name in strategies or (p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
    ]
    runner.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # inspect reads it
    return hypothesis.given(**strategies)(runner)


def _wrap_given(test: Function, session: Session) -> None:
    """Put the check into a test that carries its own @given, where Hypothesis provides for it."""
    from pytest_gradcheck.strategies import domain_of

    inner = _given_inner(test)
    signature, supplied = inspect.signature(inner), set(inspect.signature(test).parameters)
    given: dict[str, Any] = getattr(test.hypothesis, "_given_kwargs", {})  # type: ignore[attr-defined]  # by @given
    domains = {
        name: bounds
        for name, s in given.items()
        if name not in supplied and (bounds := domain_of(s)) is not None
    }

    @functools.wraps(inner)
    def runner(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        if session.item is None or session.item.get_closest_marker(MARKER) is None:
            # The same function may be an unmarked test elsewhere: inherited, imported or called.
            inner(*args, **kwargs)
            return
        bound = signature.bind(*args, **kwargs)
        _check_example(session, inner, bound, set(bound.arguments) - supplied, domains)

    setattr(runner, _TAG, inner)
    test.hypothesis.inner_test = runner  # type: ignore[attr-defined]  # the hook that @given leaves for plugins


def _given_inner(test: Function) -> Function:
    inner: Function = test.hypothesis.inner_test  # type: ignore[attr-defined]  # set by @given
    return getattr(inner, _TAG, inner)


def _check_example(
    session: Session,
    test: Function,
    arguments: inspect.BoundArguments,
    drawn: set[str],
    domains: dict[str, Any],
) -> None:
    """Check the test's body at one point: the drawn arguments are its inputs, the others constants."""
    __tracebackhide__ = True
    assert session.item is not None, "a marked test runs while its item does"
    options = merge_marks(list(session.item.iter_markers(MARKER)))
    del options["inputs"]
    if isinstance(options.get("domain", {}), Mapping):
        options["domain"] = {**domains, **options.get("domain", {})} or None
    options.setdefault("name", test.__qualname__)
    # In the order in which the test names them: a gradient by hand takes them by position.
    inputs = {name: value for name, value in arguments.arguments.items() if name in drawn}
    _refuse_interactive(inputs)
    signals: list[BaseException] = []

    def body(**point: Any) -> Any:
        __tracebackhide__ = True
        call = inspect.BoundArguments(arguments.signature, OrderedDict({**arguments.arguments, **point}))
        try:
            return test(*call.args, **call.kwargs)
        except BaseException as error:
            if _is_signal(error):
                signals.append(error)
            raise

    # Not functools.wraps: the body takes the drawn inputs alone, the test's signature has the constants too.
    body.__name__, body.__qualname__ = test.__name__, test.__qualname__
    result = session.check(body, inputs, options)
    if signals:
        # assume() or skip() at any evaluation speaks for the example, even if a method took it for an error.
        raise signals[0]
    if result.verdict == Verdict.FAIL:
        raise GradientMismatch(result)


def _is_signal(error: BaseException) -> bool:
    from hypothesis.errors import UnsatisfiedAssumption

    return isinstance(error, (UnsatisfiedAssumption, unittest.SkipTest)) or not isinstance(error, Exception)


def _adjust_settings(test: Any, profile: str) -> None:
    """Lift the deadline, allow function-scoped fixtures, and apply the profile, where the test says nothing.

    Many evaluations make one example, so a time limit meant for one call says nothing here; fixtures are
    constants of the function under test. What the test's own @settings say stays as it is; a value that
    equals Hypothesis's default cannot be told from one that was not given.
    """
    from hypothesis import HealthCheck, settings

    name = "_hypothesis_internal_use_settings"
    own: settings = getattr(test, name)
    default = settings.default
    assert default is not None, "Hypothesis always has a default profile"
    changes: dict[str, Any] = {
        "suppress_health_check": {*own.suppress_health_check, HealthCheck.function_scoped_fixture}
    }
    if own.deadline == default.deadline:
        changes["deadline"] = None
    if own.max_examples == default.max_examples:
        if profile == "quick":
            changes["max_examples"] = min(own.max_examples, _QUICK_EXAMPLES)
        elif profile == "thorough":
            changes["max_examples"] = own.max_examples * _THOROUGH_FACTOR
    # The decorator refuses to be applied to a test that has settings; Hypothesis's plugin sets this too.
    setattr(test, name, settings(own, **changes))


def _check_keywords(inputs: dict[str, Any], options: dict[str, Any], parameters: list[str]) -> None:
    """Check a marker's keywords against the test's parameters."""
    from hypothesis.strategies import SearchStrategy

    from pytest_gradcheck.core.check import OPTION_NAMES, validate_options

    for name, value in options.items():
        if isinstance(value, SearchStrategy):
            raise InvalidArgument(name, "a strategy for an option", f"write inputs={{{name!r}: ...}}")
    validate_options(**options)
    for name, value in inputs.items():
        if name not in parameters:
            if isinstance(value, SearchStrategy):
                got, known = "a strategy for a parameter that does not exist", parameters
            else:
                got, known = repr(value), [*parameters, *OPTION_NAMES, "inputs"]
            raise InvalidArgument(name, got, suggestion(name, known, "the marker takes here"))
        if not isinstance(value, SearchStrategy):
            raise InvalidArgument(
                name, repr(value), f"give a strategy, such as hypothesis.strategies.just({value!r})"
            )


def _strategies(
    collector: pytest.Module | pytest.Class,
    test: Function,
    signature: inspect.Signature,
    parameters: list[str],
    inputs: dict[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Return a strategy for each parameter that is an input, and the parameters not accounted for."""
    from pytest_gradcheck.strategies import from_annotation

    parametrized = _parametrized(collector, test)
    hints: dict[str, Any] | None = None
    strategies: dict[str, Any] = {}
    unknown: list[str] = []
    for name in parameters:
        parameter = signature.parameters[name]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InvalidArgument(name, "a positional-only parameter", "remove the '/' from the signature")
        if name in inputs:
            if name in parametrized:
                raise InvalidArgument(name, "both a strategy and parametrize", "keep one of them")
            strategies[name] = inputs[name]
        elif (
            name in parametrized
            or parameter.default is not parameter.empty
            or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            or _is_fixture(collector, name)
        ):
            continue
        elif parameter.annotation is parameter.empty:
            unknown.append(name)
        else:
            hints = _type_hints(test) if hints is None else hints
            strategies[name] = from_annotation(hints[name], name)
    if not strategies and not unknown:
        raise InvalidArgument(
            MARKER,
            "a test without inputs",
            "give it a parameter with a strategy or an annotation, or use the fixture instead of the marker",
        )
    return strategies, unknown


def _type_hints(test: Function) -> dict[str, Any]:
    try:
        return typing.get_type_hints(test, include_extras=True)
    except Exception as error:
        raise InvalidArgument(
            "annotations",
            f"{type(error).__name__}: {error}",
            "import the names at run time too, or give strategies to the marker",
        ) from None


def _parametrized(collector: pytest.Collector, test: Function) -> set[str]:
    names: set[str] = set()
    own = [mark for mark in _listed(getattr(test, "pytestmark", [])) if mark.name == "parametrize"]
    for mark in [*own, *collector.iter_markers("parametrize")]:
        argnames = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if isinstance(argnames, str):
            argnames = argnames.split(",")
        names.update(name.strip() for name in argnames)
    return names


def _is_fixture(collector: pytest.Collector, name: str) -> bool:
    # pytest has no public way to ask; other plugins that need to know ask its fixture manager too.
    return name == "request" or bool(collector.session._fixturemanager.getfixturedefs(name, collector))


def _tag_of(obj: object) -> _Tag | None:
    tag = getattr(obj, "__dict__", {}).get(_TAG) if not inspect.ismethod(obj) else _tag_of(obj.__func__)
    return tag if isinstance(tag, _Tag) else None


def _listed(marks: Any) -> list[Any]:
    return list(marks) if isinstance(marks, (list, tuple)) else [marks]


def _refuse_coroutines(name: str, test: Function) -> None:
    inner = inspect.unwrap(_given_inner(test) if getattr(test, "is_hypothesis_test", False) else test)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise InvalidArgument(name, "an async function", "the function under test must be a plain one")
    if inspect.isgeneratorfunction(inner):
        raise InvalidArgument(name, "a generator function", "return the value instead of yielding it")


def _refuse_interactive(drawn: dict[str, Any]) -> None:
    from hypothesis.strategies import DataObject

    for name, value in drawn.items():
        if isinstance(value, DataObject):
            raise InvalidArgument(
                name,
                "st.data()",
                "the body runs many times for one example and would draw anew each time; use @given(x=...)",
            )


def _refuse_unittest(collector: pytest.Collector, name: str, cls: type) -> None:
    if not issubclass(cls, unittest.TestCase):
        return
    for method in unittest.defaultTestLoader.getTestCaseNames(cls):
        if marks_on(collector, cls) or marks_on(collector, getattr(cls, method)):
            raise collector.CollectError(
                f"{collector.nodeid}::{name}::{method}: gradcheck: got a method of unittest.TestCase, which "
                "takes no inputs; move it to a function or a plain class, or call assert_gradients in it"
            )


def _refuse_unsupplied(collector: pytest.Collector, name: str, items: Any, unknown: list[str]) -> None:
    """Raise for parameters that not even a pytest_generate_tests hook has supplied."""
    for item in items or []:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        for parameter in unknown:
            if parameter not in params:
                raise collector.CollectError(
                    f"{collector.nodeid}::{name}: {parameter}: got no strategy, annotation, fixture or "
                    f"parametrize; write gradcheck({parameter}=arrays(...)), or annotate it"
                )
