"""Properties of a function and its backward besides the values of its gradient."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_gradcheck.core.diagnosis import codes
from pytest_gradcheck.core.evidence.jacobian import Function
from pytest_gradcheck.core.results import Diagnosis, Property
from pytest_gradcheck.frameworks.pullback import LINEAR, NOT_LINEAR, Pullback, scales


def of_function(function: Function) -> tuple[Property, ...]:
    """Say whether the function repeats itself, which every comparison rests on."""
    name, code = "deterministic", "nondeterministic"
    if function.is_erratic:
        return (Property(name, False, codes.fixed(code).text, code),)
    if function.evaluation_noise.any():
        text = "two calls at the same point differ by rounding"
        return (Property(name, None, text, code),)
    return (Property(name, True, "two calls at the same point gave the same values", code),)


def of_vjp(pullback: Pullback) -> Property:
    """Say whether a backward written by hand is linear in its cotangent; one more call of it."""
    name, holds = "linear-backward", scales(pullback)
    return Property(name, holds, LINEAR if holds else NOT_LINEAR, name)


def merged(*parts: Iterable[Property]) -> tuple[Property, ...]:
    """Put properties together, one of each name: a violation, or else the first."""
    out: dict[str, Property] = {}
    for part in parts:
        for one in part:
            if one.name not in out or (one.holds is False and out[one.name].holds is not False):
                out[one.name] = one
    return tuple(out.values())


def violation(properties: Iterable[Property]) -> Diagnosis | None:
    """Return what the first property that does not hold says of the gradient.

    A function that does not repeat itself says nothing of it: no gradient is wrong, and none can be checked.
    """
    for one in properties:
        if one.holds is False and one.code not in codes.SILENT:
            return Diagnosis(one.code, one.detail)
    return None
