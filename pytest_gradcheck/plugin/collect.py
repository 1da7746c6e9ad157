"""Turn a marked function into a test that Hypothesis drives.

The body of the test is the function under test. It is wrapped before pytest looks at its arguments: what
fixtures and parametrize supply stays in the wrapper's signature, the rest is drawn.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import unittest
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_gradcheck.core.results import CheckResult
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.methods.names import FIRST_FORMS, SECOND_FORMS, WRITTEN_AS
from pytest_gradcheck.plugin import parameters
from pytest_gradcheck.plugin.marks import FIXTURES, MARKER, TAG, marks_of, marks_of_node, marks_on, plain
from pytest_gradcheck.plugin.search import Search
from pytest_gradcheck.plugin.session import SESSION_KEY, Session
from pytest_gradcheck.plugin.settings import SEARCH_OPTIONS, Settings

#: Options that are functions of the inputs and of any other parameters of the test that they name.
OF_THE_INPUTS = (*FIRST_FORMS, *SECOND_FORMS, "oracle", "surrogate")


@dataclass(frozen=True)
class _Tag:
    """Attached to a wrapper: which collector has the test, and which function it wraps."""

    owner: pytest.Collector
    original: Callable[..., Any]
    marks: list[pytest.Mark]


def is_wrapped(item: pytest.Item) -> bool:
    """Whether the item's function is checked when it runs."""
    return isinstance(item, pytest.Function) and _tag_of(item.obj) is not None


def misplaced_mark(item: pytest.Item) -> str | None:
    """Return what is wrong with a mark that was added after the test was wrapped, or None."""
    if item.get_closest_marker(MARKER) is None or not isinstance(item, pytest.Function):
        return None
    if not is_wrapped(item):
        assert item.parent is not None, "a function has a module"
        left_alone = (item.parent.nodeid, item.originalname) in item.config.stash[SESSION_KEY].left_alone
        if left_alone and not any(mark.name == MARKER for mark in item.own_markers):
            return None
        return (
            "got a mark that came after collection, from a parameter set, or on something other than a "
            "plain function; put it on a function, class or module"
        )
    late = merge_marks(_late_marks(item))
    for name in late["inputs"]:
        return f"got {name!r} from a parameter set, which can change options only; move it to the function"
    if "profile" in late:
        return "got 'profile' from a parameter set, which comes too late for it; move it to the function"
    return None


def is_searched(item: pytest.Item) -> bool:
    """Whether Hypothesis draws the points that are checked in the item, by the marker or by the fixtures."""
    if not isinstance(item, pytest.Function) or not getattr(item.obj, "is_hypothesis_test", False):
        return False
    return is_wrapped(item) or not FIXTURES.isdisjoint(item.fixturenames)


def draws_itself(item: pytest.Item) -> bool:
    """Whether the test computes the points that its fixtures check from what Hypothesis draws for it.

    Such a test cannot run at given points, since what it draws is not what is checked.
    """
    return is_searched(item) and not is_wrapped(item)


def fixtures_taken(item: pytest.Item) -> list[str]:
    """Return which of the fixtures are parameters of the test itself.

    A fixture of the project may request them for tests that need them sometimes.
    """
    if not isinstance(item, pytest.Function) or FIXTURES.isdisjoint(item.fixturenames):
        return []
    return sorted(FIXTURES.intersection(inspect.signature(item.obj).parameters))


def prepare_given(item: pytest.Item, session: Session) -> None:
    """Allow a test with @given the time that the fixtures' checks need."""
    ours = dataclasses.replace(session.settings, profile="default")
    if draws_itself(item):
        from pytest_gradcheck.plugin import hypothesis_settings

        assert isinstance(item, pytest.Function)
        hypothesis_settings.adjust(item.function, ours, item.config, session)


def expected_failure(item: pytest.Item) -> str | None:
    """Return why failures in a marked test that passed are expected, or None: ``@example(...).xfail()``."""
    examples = getattr(getattr(item, "obj", None), "hypothesis_explicit_examples", ())
    expected = any(getattr(example, "raises", None) is not None for example in examples)
    return "an @example(...).xfail() of the test" if expected else None


def make_items(collector: pytest.Module | pytest.Class, name: str, obj: object, session: Session) -> Any:
    """Collect a marked function in the form that pytest should see; None leaves the object to pytest."""
    function = plain(obj)
    tag = _tag_of(function)
    if tag is not None and tag.owner is collector:
        return None
    if tag is not None:
        # The wrapper belongs to a base class, or to the module that the test was imported from.
        function = tag.original
    marks = marks_on(collector, function)
    if not marks or not collector.istestfunction(obj, name) or not inspect.isfunction(function):
        return None
    nodes = [] if marks_of(function) else [node for node in collector.listchain() if marks_of_node(node)]
    try:
        if nodes and _takes_no_inputs(collector, function, marks, obj):
            # The mark of a class or module applies to its tests that draw inputs.
            session.left_alone.add((collector.nodeid, name))
            return None
        bound = isinstance(collector, pytest.Class) and not isinstance(obj, staticmethod)
        wrapper, unknown = _wrap(collector, name, function, merge_marks(marks), session, bound)
    except InvalidArgument as error:
        origin = (
            f" (the mark is that of {type(nodes[-1]).__name__.lower()} {nodes[-1].name})" if nodes else ""
        )
        raise collector.CollectError(f"{collector.nodeid}::{name}: {error}{origin}") from None
    setattr(wrapper, TAG, _Tag(collector, function, marks))
    rewrapped = type(obj)(wrapper) if isinstance(obj, (staticmethod, classmethod)) else wrapper
    # pytest looks up a test by name again, on the instance or module, before it runs it.
    setattr(collector.obj, name, rewrapped)
    items = collector.ihook.pytest_pycollect_makeitem(collector=collector, name=name, obj=rewrapped)
    parameters.refuse_unsupplied(collector, name, items, unknown)
    return items


def _takes_no_inputs(
    collector: pytest.Module | pytest.Class, test: Callable[..., Any], marks: list[pytest.Mark], obj: object
) -> bool:
    """Whether nothing of a test could be drawn: it has no parameters, or pytest supplies all of them."""
    if getattr(test, "is_hypothesis_test", False):
        return False
    signature = inspect.signature(test)
    bound = isinstance(collector, pytest.Class) and not isinstance(obj, staticmethod)
    inputs = merge_marks(marks)["inputs"]
    return all(
        name not in inputs and parameters.is_supplied(collector, test, parameter)
        for name, parameter in list(signature.parameters.items())[bound:]
    )


def merge_marks(marks: list[pytest.Mark]) -> dict[str, Any]:
    """Return the keywords of all marks: for each the value of the closest one, inputs under ``inputs``."""
    from pytest_gradcheck.core.check import OPTION_NAMES

    merged: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for mark in marks:
        if mark.args:
            got = f"the positional argument {mark.args[0]!r}"
            raise InvalidArgument(MARKER, got, "give strategies and options by keyword")
        for key, value in mark.kwargs.items():
            if key == "inputs":
                if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
                    raise InvalidArgument("inputs", repr(value), "give a dict of strategies by parameter")
                inputs |= {name: strategy for name, strategy in value.items() if name not in inputs}
            elif key in OPTION_NAMES or key in SEARCH_OPTIONS:
                merged.setdefault(key, value)
            else:
                inputs.setdefault(key, value)
    return {**merged, "inputs": inputs}


def _wrap(
    collector: pytest.Module | pytest.Class,
    name: str,
    test: Callable[..., Any],
    marked: dict[str, Any],
    session: Session,
    bound: bool,
) -> tuple[Callable[..., Any], list[str]]:
    """Return the wrapped test, and its parameters without a known source."""
    from pytest_gradcheck.plugin import hypothesis_settings

    given = getattr(test, "is_hypothesis_test", False)
    inner = _given_inner(test) if given else test
    parameters.refuse_coroutines(name, inner)
    inputs, options = marked["inputs"], {k: v for k, v in marked.items() if k != "inputs"}
    signature = inspect.signature(inner)
    names = list(signature.parameters)[bound and not given :]
    parameters.check_keywords(inputs, options, names)
    unknown: list[str] = []
    if not given:
        strategies, unknown = parameters.strategies_for(collector, test, signature, names, inputs)
        for key in ("oracle", "surrogate"):
            parameters.check_instead(key, options.get(key), list(strategies), names)
        test = _wrap_plain(test, signature, strategies, session)
    elif inputs:
        got = "a strategy in addition to the test's own @given"
        raise InvalidArgument(next(iter(inputs)), got, "put it there, or remove @given")
    else:
        _wrap_given(test, session)
    hypothesis_settings.adjust(test, session.settings.for_search(options), collector.config, session)
    return test, unknown


def _wrap_plain(
    test: Callable[..., Any], signature: inspect.Signature, strategies: dict[str, Any], session: Session
) -> Callable[..., Any]:
    import hypothesis

    @functools.wraps(test)
    def runner(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        _check_example(session, test, signature.bind(*args, **kwargs), set(strategies), strategies)

    # Neither Hypothesis nor pytest handles defaults: such parameters keep their default.
    kept = [
        p.replace(default=p.empty)
        for p in signature.parameters.values()
        if p.name in strategies or (p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
    ]
    runner.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # inspect reads it
    wrapped = hypothesis.given(**strategies)(runner)
    # Hypothesis reports the location of what it wraps, which is here; pytest should name the user's test.
    own = inspect.unwrap(test).__code__
    wrapped.__code__ = wrapped.__code__.replace(
        co_filename=own.co_filename, co_firstlineno=own.co_firstlineno
    )
    return wrapped


def _wrap_given(test: Callable[..., Any], session: Session) -> None:
    """Insert the check into a test with its own @given, in the place that Hypothesis provides."""
    inner = _given_inner(test)
    signature, supplied = inspect.signature(inner), set(inspect.signature(test).parameters)
    given: dict[str, Any] = getattr(test.hypothesis, "_given_kwargs", {})  # type: ignore[attr-defined]  # by @given
    strategies = {name: strategy for name, strategy in given.items() if name not in supplied}

    @functools.wraps(inner)
    def runner(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        if session.item is None or session.item.get_closest_marker(MARKER) is None:
            # The same function may be an unmarked test elsewhere: inherited, imported or called.
            inner(*args, **kwargs)
            return
        bound = signature.bind(*args, **kwargs)
        _check_example(session, inner, bound, set(bound.arguments) - supplied, strategies)

    setattr(runner, TAG, inner)
    test.hypothesis.inner_test = runner  # type: ignore[attr-defined]  # the hook that @given leaves for plugins


def _given_inner(test: Callable[..., Any]) -> Callable[..., Any]:
    inner: Callable[..., Any] = test.hypothesis.inner_test  # type: ignore[attr-defined]  # set by @given
    return getattr(inner, TAG, inner)


def _check_example(
    session: Session,
    test: Callable[..., Any],
    arguments: inspect.BoundArguments,
    drawn: set[str],
    strategies: Mapping[str, Any],
) -> None:
    """Check the test's body at one point: the drawn arguments are its inputs, the others constants."""
    __tracebackhide__ = True
    # In the order of the test's parameters: a gradient by hand takes them by position.
    inputs = {name: value for name, value in arguments.arguments.items() if name in drawn}
    parameters.refuse_interactive(inputs)
    options, settings = _options(session, test, strategies)
    constants = {name: value for name, value in arguments.arguments.items() if name not in drawn}
    by_hand = {key: options[key] for key in OF_THE_INPUTS if options.get(key) is not None}
    options = options | {key: _with_constants(value, constants) for key, value in by_hand.items()}
    signals: list[BaseException] = []
    named = _takes_by_name(test, arguments.arguments)

    def body(**point: Any) -> Any:
        __tracebackhide__ = True
        values = {**arguments.arguments, **point}
        try:
            if named:
                return test(**values)
            call = inspect.BoundArguments(arguments.signature, OrderedDict(values))
            return test(*call.args, **call.kwargs)
        except BaseException as error:
            if _is_signal(error):
                signals.append(error)
            raise

    # Not functools.wraps: the body takes only the drawn inputs, and the test's signature has the constants
    # too.
    body.__name__, body.__qualname__ = test.__name__, test.__qualname__
    setattr(body, WRITTEN_AS, test)

    source = functools.partial(_written, session, test, constants)

    def ask(*, brief: bool) -> CheckResult:
        __tracebackhide__ = True
        from pytest_gradcheck.core.check import check_in_test

        thorough = settings.profile == "thorough"
        result = check_in_test(
            body,
            inputs,
            brief=brief,
            thorough=thorough,
            drawn=True,
            rules=session.rules,
            written_as=source,
            **options,
        )
        if signals:
            # assume() or skip() in any evaluation applies to the whole example, even if a method saw an
            # error.
            raise signals[0]
        return result

    assert session.search is not None, "it was made with the options"
    session.search.look(ask, inputs, session.record)


def _written(session: Session, test: Callable[..., Any], constants: dict[str, Any]) -> Any:
    """Return a test as source that can be called outside of pytest, or None.

    The module holds the unwrapped test. It may need only its inputs and its parametrization: fixtures exist
    only in pytest.
    """
    from pytest_gradcheck.core.report.reproduce import Written
    from pytest_gradcheck.core.report.source import to_source

    item = session.item
    root, _, rest = test.__qualname__.partition(".")
    if not isinstance(item, pytest.Function) or "<" in test.__qualname__:
        return None
    holder = item.module.__name__
    callspec = getattr(item, "callspec", None)
    fixed = {name: value for name, value in constants.items() if name != "self"}
    if not set(fixed) <= set(callspec.params if callspec is not None else ()):
        return None
    tag = _tag_of(item.obj)
    given = tag is not None and getattr(tag.original, "is_hypothesis_test", False)
    expression, names = f"{root}().{rest}" if rest else root, {root: holder}
    bound = [f"{name}={to_source(value)}" for name, value in fixed.items()]
    if given:
        expression = f"{root}.{rest}.hypothesis.inner_test" if rest else f"{root}.hypothesis.inner_test"
        bound = [f"{root}()"] * bool(rest) + bound
    if bound:
        expression, names = (
            f"functools.partial({', '.join([expression, *bound])})",
            {**names, "functools": ""},
        )
    return Written(expression, names)


def _takes_by_name(test: Callable[..., Any], names: Iterable[str]) -> bool:
    """Whether the test's own code has parameters of these names.

    The signature does not help: a decorator with ``*args`` shows that of the decorated test.
    """
    code = getattr(test, "__code__", None)
    return code is not None and set(names).issubset(
        code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    )


def _options(
    session: Session, test: Callable[..., Any], strategies: Mapping[str, Any]
) -> tuple[dict[str, Any], Settings]:
    """Return the options of the test's checks and the settings of its search: the same for all examples."""
    from pytest_gradcheck.strategies import domain_of

    item = session.item
    assert item is not None, "a marked test runs while its item does"
    if session.search is not None and test in session.search.options:
        known: tuple[dict[str, Any], Settings] = session.search.options[test]
        return known
    options = merge_marks([*_late_marks(item), *marks_on(item)])
    del options["inputs"]
    if isinstance(options.get("domain", {}), Mapping):
        domains = {name: bounds for name, s in strategies.items() if (bounds := domain_of(s)) is not None}
        options["domain"] = {**domains, **options.get("domain", {})} or None
    options.setdefault("name", test.__qualname__)
    in_force = session.settings_in_force()
    settings = in_force.for_search(options)
    if session.search is None:
        session.search = Search(settings.max_seconds, session.show)
    session.search.options[test] = new = in_force.options_for_check(options), settings
    return new


def _with_constants(gradient: Callable[..., Any], constants: dict[str, Any]) -> Callable[..., Any]:
    """Bind the constants of the test that a gradient by hand names."""
    if not (inspect.isfunction(gradient) or inspect.ismethod(gradient)):
        # A parameter `dtype` of a test has nothing to do with a ufunc's `dtype`.
        return gradient
    named = inspect.signature(gradient).parameters
    known = {name: value for name, value in constants.items() if name in named}
    return functools.partial(gradient, **known) if known else gradient


def _is_signal(error: BaseException) -> bool:
    from hypothesis.errors import UnsatisfiedAssumption

    return isinstance(error, (UnsatisfiedAssumption, unittest.SkipTest)) or not isinstance(error, Exception)


def _late_marks(item: pytest.Item) -> list[pytest.Mark]:
    """Return the marks that the test's parameter set adds after wrapping."""
    tag = _tag_of(getattr(item, "obj", None))
    known = tag.marks if tag is not None else []
    return [mark for mark in marks_on(item) if not any(mark is other for other in known)]


def _tag_of(obj: object) -> _Tag | None:
    tag = getattr(obj, "__dict__", {}).get(TAG) if not inspect.ismethod(obj) else _tag_of(obj.__func__)
    return tag if isinstance(tag, _Tag) else None
