"""The tests of `test_engine_by_marker` can fail: a rule that is wrong in any of several ways is seen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from engine_calls import Case
from engine_domains import ROWS
from hypothesis import HealthCheck, Phase, given, settings
from test_engine_by_marker import objection, own_precision

import reference_engine as engine
from pytest_gradcheck import check_gradients
from pytest_gradcheck.plugin import reproducible_draws
from reference_engine.backward import ancestors
from reference_engine.containers import flatten
from reference_engine.definitions import values_of
from reference_engine.primitives import Primitive

# ---------------------------------------------------------------------------- faults

Fault = Callable[[Callable[..., Any]], Callable[..., Any]]


def frozen(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Right, but constant in the arguments: the result has no derivative with respect to them."""
    return lambda c, result, *args, **params: rule(c, values_of(result), *map(values_of, args), **params)


FAULTS: dict[str, Fault] = {
    "percent": lambda rule: lambda c, *args, **params: 1.01 * rule(c, *args, **params),
    "permille": lambda rule: lambda c, *args, **params: 1.002 * rule(c, *args, **params),
    "zero": lambda rule: lambda c, *args, **params: 0.0 * rule(c, *args, **params),
    "sign": lambda rule: lambda c, *args, **params: -rule(c, *args, **params),
    "conjugate": lambda rule: lambda c, *args, **params: np.conjugate(rule(c, *args, **params)),
    "frozen": frozen,
}


def matters(primitive: Primitive, argnum: int, fault: str, cases: Iterable[Case]) -> bool:
    """Whether a fault changes a derivative of first or second order that the cases ask for."""
    for case in cases:
        right = derivatives(case)
        with pytest.MonkeyPatch.context() as patch:
            spoil(primitive, argnum, FAULTS[fault], patch)
            wrong = derivatives(case)
        if any(
            not np.allclose(a, b, rtol=1e-3, atol=1e-6, equal_nan=True)
            for a, b in zip(right, wrong, strict=True)
        ):
            return True
    return False


def derivatives(case: Case) -> list[Any]:
    """A pullback, and the pullback of its product with itself."""

    def first(*args: Any) -> list[Any]:
        value, pull = engine.vjp(case.call, *args)
        leaves, rebuild = flatten(value)
        random = np.random.default_rng(0)
        units = [np.asarray(random.uniform(0.5, 1.5, np.shape(x)), np.result_type(x)) for x in leaves]
        return flatten(pull(rebuild(units)))[0]

    def squared(*args: Any) -> Any:
        return sum(np.sum(np.real(g * np.conjugate(g))) for g in first(*args))

    value, pull = engine.vjp(lambda *args: squared(*args) + 0.0 * np.sum(np.real(args[0])), *case.args)
    return [*first(*case.args), *pull(np.ones_like(value))]


def spoil(primitive: Primitive, argnum: int, fault: Fault, patch: pytest.MonkeyPatch) -> None:
    """Put a fault into one rule, and so into both of its forms."""
    if primitive.variadic is not None:
        whole = primitive.variadic

        def variadic(which: int, *args: Any, **params: Any) -> Any:
            rule = functools.partial(whole, which)
            return (fault(rule) if which == argnum else rule)(*args, **params)

        patch.setattr(primitive, "variadic", variadic)
        return
    rule = primitive.rules[argnum]
    assert rule is not None
    patch.setattr(
        primitive, "rules", (*primitive.rules[:argnum], fault(rule), *primitive.rules[argnum + 1 :])
    )
    patch.setattr(primitive, "add_into", None)


# ---------------------------------------------------------------------------- rows and their primitives

EXAMPLES = 16


@functools.cache
def examples(name: str) -> list[Case]:
    found: list[Case] = []

    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ROWS[name])
    def collect(case: Case) -> None:
        found.append(case)

    # The same ones wherever this runs, whatever was imported before.
    with reproducible_draws.by_seed_alone():
        collect()
    return found


def primitives_of(name: str) -> Iterator[tuple[Primitive, int]]:
    """The rules that a row's calls go through."""
    for case in examples(name):
        leaves, _ = flatten(case.call(*(engine.Tensor(x, requires_grad=True) for x in case.args)))
        for node in ancestors([leaf._node for leaf in leaves if isinstance(leaf, engine.Tensor)]):
            if node.primitive is not None:
                for argnum, arg in enumerate(node.args or ()):
                    if getattr(arg, "requires_grad", False):
                        yield node.primitive, argnum


@functools.cache
def rows_by_rule() -> dict[tuple[str, int], tuple[Primitive, list[str]]]:
    found: dict[tuple[str, int], tuple[Primitive, list[str]]] = {}
    for name in ROWS:
        for primitive, argnum in set(primitives_of(name)):
            if primitive.rules or primitive.variadic:
                found.setdefault((primitive.name, argnum), (primitive, []))[1].append(name)
    return found


def is_seen(name: str) -> bool:
    """Whether the check of a row says that a rule is wrong."""
    for case in examples(name):
        try:
            result = check_gradients(
                lambda case: case.call(*case.args), {"case": case}, vjp=own_precision, order=2
            )
        except Exception:
            return True
        if result.verdict == "fail" or objection(result) is not None:
            return True
    return False


# Each kind of rule: elementwise, reductions, linear ones, those that choose entries, several outputs, tables.
SHORT = [
    ("sin", "sin", 0), ("multiply", "multiply", 1), ("power", "power", 0), ("hypot", "hypot", 1),
    ("matmul", "matmul", 0), ("prod", "prod", 0), ("linalg.eigh", "eigh", 0), ("linalg.svd", "svd", 0),
    ("fft.fft", "fft", 0), ("special.erfcx", "scipy.special.erfcx", 0),
]  # fmt: skip


@pytest.mark.parametrize(("row", "name", "argnum"), SHORT[::2])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_rule_is_seen(row: str, name: str, argnum: int, fault: str) -> None:
    found = {primitive.name: primitive for primitive, _ in primitives_of(row)}
    # A real rule has nothing to conjugate, a linear one nothing to freeze.
    assert hold(found[name], argnum, fault, [row]) or fault in ("conjugate", "frozen")


PARTS = 4
EASIER = [fault for fault in FAULTS if fault != "permille"]


# Examples at poles, where an infinite derivative is right.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.sweep
@pytest.mark.parametrize("part", range(PARTS))  # two minutes in all, which workers can share
def test_every_wrong_rule_is_seen(part: int) -> None:
    """Each rule is off by the smallest fault, and by one of the others, in turn."""
    missed, tried = [], 0
    for number, (name, argnum) in enumerate(sorted(rows_by_rule())):
        if number % PARTS != part:
            continue
        primitive, rows = rows_by_rule()[name, argnum]
        for fault in ("permille", EASIER[number // PARTS % len(EASIER)]):
            try:
                tried += hold(primitive, argnum, fault, rows)
            except AssertionError as error:
                missed.append(f"{name} by argument {argnum}: {error}")
    assert tried > 400 / PARTS
    assert not missed, "\n".join(missed)


def hold(primitive: Primitive, argnum: int, fault: str, rows: list[str]) -> bool:
    """Whether a fault in a rule matters to one of the rows; fail if it is then seen in none of them."""
    affected = []
    for row in rows:
        if matters(primitive, argnum, fault, examples(row)):
            affected.append(row)
            with pytest.MonkeyPatch.context() as patch:
                spoil(primitive, argnum, FAULTS[fault], patch)
                if is_seen(row):
                    return True
    assert not affected, f"{fault} is seen in none of {', '.join(affected)}"
    return False
