"""Source of the call that reruns a check, with every relevant option, and the imports that it needs."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.report.source import to_source
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.names import FIRST_FORMS, SECOND_FORMS, WRITTEN_AS

#: The options that are functions.
FUNCTIONS = (*FIRST_FORMS, *SECOND_FORMS, "oracle", "surrogate")

#: Written explicitly into the line, or without effect on the verdict.
_ASIDE = frozenset({*FUNCTIONS, "seed", "name", "order", "brief", "thorough", "drawn", "written_as"})


#: Longer sources are those of arrays.
LONG = 100_000


class Written(NamedTuple):
    """Source of a callable: an expression, and its names that come from modules, as ``{name: module}``."""

    expression: str
    names: Mapping[str, str]


class Line(NamedTuple):
    """A call as source, and the statements that import what it names.

    ``imports`` is empty if it names nothing but NumPy, frameworks and `check_gradients`, and None if it names
    functions that cannot be imported: then the line works where these are defined.
    """

    call: str
    imports: str | None


def reproduce(problem: Problem, options: Options, order: int, sources: Mapping[str, str]) -> Line:
    """Return the call that reruns a check of a problem; ``sources`` are its inputs."""
    if problem.how == "dict":
        inputs = "{" + ", ".join(f"{k!r}: {v}" for k, v in sources.items()) + "}"
    elif problem.how == "tuple":
        inputs = "(" + "".join(f"{v}, " for v in sources.values()).rstrip() + ")"
    else:
        inputs = next(iter(sources.values()))
    names = dict(_classes(problem.arguments.values()))
    local: list[str] = []
    own = (
        written(getattr(problem.fn, WRITTEN_AS, problem.fn))
        if options.written_as is None
        else options.written_as()
    )
    arguments = [_named(own, problem.fn, "fn", names, local), inputs]
    if order == 2 and options.order == 2:
        arguments.append("order=2")
    for key in FUNCTIONS:
        function = getattr(options, key)
        if function is True:
            arguments.append(f"{key}=True")
        elif function is not None:
            arguments.append(f"{key}={_named(written(function), function, key, names, local)}")
    for option in fields(options):
        value = getattr(options, option.name)
        if option.init and option.name not in _ASIDE and value is not option.default:
            different = option.default is dataclasses.MISSING or type(value) is not type(option.default)
            if different or value != option.default:
                arguments.append(f"{option.name}={to_source(value)}")
    call = f"check_gradients({', '.join(arguments)}, seed={problem.seed})"
    if local:
        return Line(f"{call}  # where {' and '.join(dict.fromkeys(local))} can be named", None)
    if any(not _is_source(text) for text in sources.values()):
        return Line(call, None)
    used = {name: module for name, module in names.items() if re.search(rf"\b{name}\b", call)}
    aliases = [
        f"import {module} as {alias}"
        for alias, module in registry.aliases().items()
        if re.search(rf"\b{alias}\.", call)
    ]
    return Line(call, "; ".join([*aliases, *filter(None, [_statements(used)])]))


def written(function: Callable[..., Any]) -> Written | None:
    """Return source of a callable that is in a module, or made of such callables; None for any other."""
    if isinstance(function, functools.partial):
        inner = written(function.func)
        if inner is None:
            return None
        given = [
            *map(to_source, function.args),
            *(f"{k}={to_source(v)}" for k, v in function.keywords.items()),
        ]
        expression = f"functools.partial({', '.join([inner.expression, *given])})"
        return Written(expression, {"functools": "", **inner.names})
    owner = getattr(function, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        # A method of a class or of an object.
        inner = written(owner)
        return None if inner is None else Written(f"{inner.expression}.{function.__name__}", inner.names)
    for name in registry.names():
        # Builtins and ufuncs have no module.
        short = getattr(function, "__name__", "")
        if short and getattr(sys.modules.get(name), short, None) is function:
            return Written(f"{'np' if name == 'numpy' else name}.{short}", {})
    path = getattr(function, "__qualname__", None) or ""
    for module in dict.fromkeys([getattr(function, "__module__", None), type(function).__module__]):
        holder = sys.modules.get(module or "")
        if holder is None or module is None:
            continue
        if (found := _found(holder, path, function)) is not None:
            root = found.partition(".")[0]
            return Written(found, {} if module == "builtins" else {root: module})
    return None


def _is_source(text: str) -> bool:
    """Whether the source of an input is valid Python: objects of unknown types have a ``repr`` instead."""
    if len(text) > LONG:
        # The source of an array, which takes long to parse.
        return True
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _found(holder: Any, path: str, function: Any) -> str | None:
    """Return the path to an object within a module, None if it is not there."""
    value = holder
    for part in path.split("."):
        value = getattr(value, part, None)
    if path and value is function:
        return path
    named = vars(holder).items()
    return next((name for name, value in named if value is function and name.isidentifier()), None)


def _named(
    source: Written | None, function: Any, option: str, names: dict[str, str], local: list[str]
) -> str:
    """Return the expression for a function; one that cannot be imported goes by its own name."""
    if source is not None:
        names.update(source.names)
        return source.expression
    while isinstance(function, functools.partial):
        function = function.func
    name = str(getattr(function, "__name__", ""))
    local.append(name if name.isidentifier() else option)
    return local[-1]


def _classes(values: Any) -> Iterator[tuple[str, str]]:
    """Yield the names of users' classes among values, each with its module."""
    for value in values:
        kind = type(value)
        if kind.__module__ not in sys.stdlib_module_names and kind.__module__ != "builtins":
            yield kind.__qualname__.partition(".")[0], kind.__module__
        if isinstance(value, Mapping):
            yield from _classes(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _classes(value)
        elif dataclasses.is_dataclass(value):
            yield from _classes(getattr(value, each.name) for each in fields(value))


def _statements(names: Mapping[str, str]) -> str:
    """Return the imports of names from modules; names of an interactive session need none."""
    by_module: dict[str, list[str]] = {}
    for name, module in names.items():
        if module != "__main__" and not hasattr(builtins, name):
            by_module.setdefault(module, []).append(name)
    return "; ".join(
        f"from {module} import {', '.join(sorted(found))}" if module else f"import {', '.join(sorted(found))}"
        for module, found in by_module.items()
    )
