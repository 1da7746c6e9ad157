"""The sections on NumPy's functions, methods, classes and arguments."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.lib.recfunctions  # NumPy lists it only once it is imported

from docs.coverage_page import reasons
from docs.coverage_page.markdown import by_reason, code, folded, match, table
from reference_engine import Tensor, rules
from reference_engine.definitions import PRIMITIVES
from reference_engine.dispatch import FUNCTIONS, GENERAL_METHODS, METHODS, UFUNCS
from reference_engine.rules.constants import CONSTANT, PLAIN
from reference_engine.rules.creation import CONSTANT_LIKE, MADE
from reference_engine.rules.elementwise import PARTIALS, ZERO_UFUNCS

__all__ = ["classified", "kind_of", "numpy_functions", "sections", "split"]

WALKED = {
    "": np,
    "linalg": np.linalg,
    "fft": np.fft,
    "emath": np.emath,
    "lib.stride_tricks": np.lib.stride_tricks,
    "lib.array_utils": np.lib.array_utils,
}
"""NumPy's namespaces that are listed function by function."""

ROUNDED = (np.round, np.around, np.fix, np.sign, np.linalg.matrix_rank)
"""Further functions that are constant between their jumps; the sign of a complex number is not."""

KINDS = {
    "differentiable": "differentiable",
    "zero": "derivative zero",
    "plain": "plain value",
    "creation": "creation, no array",
    "missing": "no rule",
}


# ---------------------------------------------------------------------------- what stands in a namespace


def _public(module: Any) -> Iterator[tuple[str, Any]]:
    for name in sorted(dir(module)):
        if not name.startswith("_"):
            yield name, getattr(module, name)


def numpy_functions() -> dict[str, Any]:
    """Every public function and ufunc of NumPy, by its name below numpy."""
    return {
        f"{namespace}.{name}" if namespace else name: value
        for namespace, module in WALKED.items()
        for name, value in _public(module)
        if callable(value) and not isinstance(value, type)
    }


def kind_of(function: Any) -> str | None:
    """The class of a function that stands in the engine's tables, None for one that does not."""
    if function not in (UFUNCS if isinstance(function, np.ufunc) else FUNCTIONS):
        return None
    if function in PLAIN:
        return "plain"
    made = inspect.getmodule(FUNCTIONS.get(function)) is rules.creation
    if made or function in CONSTANT_LIKE or function in MADE:
        return "creation"
    return "zero" if function in (*CONSTANT, *ZERO_UFUNCS, *ROUNDED) else "differentiable"


def classified() -> dict[str, str]:
    """The class of every function of NumPy.

    Errors: ValueError for a function that has neither a rule nor a reason, or both, and for a reason that
    belongs to no function.
    """
    found = {name: kind_of(function) for name, function in numpy_functions().items()}
    rest = {name for name, kind in found.items() if kind is None}
    match("function of NumPy", rest, {**reasons.NO_ARRAY, **reasons.NO_RULE})
    return {
        name: kind or ("creation" if name in reasons.NO_ARRAY else "missing") for name, kind in found.items()
    }


def _classes() -> list[str]:
    """NumPy's classes but the scalar types, and its objects that are called by indexing."""
    return [
        name
        for name, value in _public(np)
        if (isinstance(value, type) and not issubclass(value, np.generic))
        or (type(value).__module__.startswith("numpy.") and hasattr(type(value), "__getitem__"))
    ]


def _namespaces() -> list[str]:
    inside = {"": np, "lib.": np.lib}
    found = [
        prefix + name
        for prefix, module in inside.items()
        for name, value in _public(module)
        if isinstance(value, ModuleType) and value.__name__.startswith("numpy.")
    ]
    # numpy.lib.scimath is numpy.emath.
    return [name for name in found if name not in WALKED and name != "lib.scimath"]


def full(namespace: str) -> str:
    """The name of a namespace with numpy in front."""
    return f"numpy.{namespace}" if namespace else "numpy"


def _namespace(name: str) -> str:
    return name.rpartition(".")[0]


def _by_namespace(names: Iterable[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_namespace(name), []).append(name.rpartition(".")[2])
    return [line for namespace in groups for line in (f"`{full(namespace)}`: {code(groups[namespace])}", "")]


# ---------------------------------------------------------------------------- the sections


def sections() -> list[str]:
    """The lines of these sections."""
    return [*_functions(), *_methods(), *_classes_and_namespaces(), *_arguments()]


def _functions() -> list[str]:
    kinds, functions = classified(), numpy_functions()
    of = {kind: [name for name in kinds if kinds[name] == kind] for kind in KINDS}
    counts = [
        [
            f"`{full(namespace)}`",
            *(str(sum(_namespace(name) == namespace for name in of[kind])) for kind in KINDS),
        ]
        for namespace in WALKED
    ]
    made = [name for name in of["creation"] if kind_of(functions[name])]
    without = set(of["creation"]) - set(made)
    return [
        "## NumPy's functions",
        "",
        *table(["namespace", *KINDS.values()], [*counts, ["all", *(str(len(of[kind])) for kind in KINDS)]]),
        "### Differentiable",
        "",
        "These have derivatives of any order.",
        "",
        *folded(f"{len(of['differentiable'])} functions", _by_namespace(of["differentiable"])),
        "### Derivative zero",
        "",
        "Step functions, indices, counts and booleans: the result is a Tensor without a gradient. The `sign`",
        "of a complex number depends on its angle and has a gradient.",
        "",
        *folded(f"{len(of['zero'])} functions", _by_namespace(of["zero"])),
        "### Plain values",
        "",
        "Shapes, dtypes, booleans and text: the result is NumPy's own for the array.",
        "",
        *folded(f"{len(of['plain'])} functions", _by_namespace(of["plain"])),
        "### Creation, and no array argument",
        "",
        "These create an array with the shape of a Tensor, or a Tensor with `like=`. `array` and similar",
        "functions, `full`, `full_like` and `arange` are differentiable with respect to the values they get.",
        "",
        *folded(
            f"{len(of['creation'])} functions",
            [
                *_by_namespace(made),
                *table(["without an array argument", "functions"], by_reason(without, reasons.NO_ARRAY)),
            ],
        ),
        "### No rule",
        "",
        *table(["reason", "functions"], by_reason(of["missing"], reasons.NO_RULE)),
    ]


def _methods() -> list[str]:
    own: dict[str, list[str]] = {}
    for ufunc, method in METHODS:
        own.setdefault(method, []).append(ufunc.__name__)
    rows = [
        ["call", "every ufunc with a rule; `where=` needs `out=` a Tensor, which keeps its other entries"]
    ]
    for method in GENERAL_METHODS:
        by_function = f"{code(own[method])} with rules of their own, any other" if method in own else "any"
        limit = ", without `where=`" if method == "reduce" else ""
        rows.append(
            [f"`{method}`", f"{by_function} ufunc of two arguments with a rule, entry by entry{limit}"]
        )
    rows += [
        ["`outer`", "every ufunc of two arguments with a rule"],
        ["`at`", f"{code(own['at'])}, writing into a Tensor"],
    ]
    names = [name for name, _ in _public(np.ndarray)]
    missing = [name for name in names if not hasattr(Tensor, name)]
    match("attribute of numpy.ndarray", missing, reasons.ATTRIBUTES)
    return [
        "## Methods",
        "",
        "Methods of ufuncs:",
        "",
        *table(["method", "of"], rows),
        "Methods and attributes of arrays:",
        "",
        *folded("Methods that a Tensor has", [code(name for name in names if name not in missing), ""]),
        *table(["reason", "not available on a Tensor"], by_reason(missing, reasons.ATTRIBUTES)),
    ]


def _classes_and_namespaces() -> list[str]:
    classes, namespaces = _classes(), _namespaces()
    match("class of NumPy", classes, reasons.CLASSES)
    match("namespace of NumPy", namespaces, reasons.NAMESPACES)
    return [
        "## NumPy's classes and further namespaces",
        "",
        "Calling a scalar type, as in `numpy.float64(x)`, would remove the value from the graph. It raises",
        "an error if `x` requires a gradient.",
        "",
        *table(["reason, or what to use", "classes and objects"], by_reason(classes, reasons.CLASSES)),
        *table(["reason, or what to use", "namespaces"], by_reason(namespaces, reasons.NAMESPACES)),
    ]


def split(row: Sequence[Any], named_by: Sequence[Any], skip: int) -> tuple[list[str], list[str], list[str]]:
    """The names of a row's arguments: all, those with a derivative and those without.

    They are the parameters of a function in `named_by`, after the first `skip`, which are the engine's.
    """
    function = next(function for function in named_by if function is not None)
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(names) != len(row):
        raise ValueError(f"{function} names {len(names)} arguments, its row has {len(row)}")
    pairs = list(zip(names, row, strict=True))
    return (
        names,
        [name for name, rule in pairs if rule is not None],
        [name for name, rule in pairs if rule is None],
    )


def _arguments() -> list[str]:
    whole = []
    for name, primitive in PRIMITIVES.items():
        if None in primitive.rules and hasattr(np, name):
            partials = PARTIALS.get(getattr(np, name))
            named_by, skip = (partials, 1) if partials else (primitive.rules, 2)
            whole.append(f"{code(split(primitive.rules, named_by, skip)[2])} of `{name}`")
    return [
        "## Arguments without a derivative",
        "",
        f"Integer and boolean arguments have no derivative: {', '.join(whole)}.",
        "",
        "These arguments raise an error:",
        "",
        *table(
            ["function", "argument", "remark"],
            ([f"`{name}`", *row] for name, row in reasons.ARGUMENTS.items()),
        ),
    ]
