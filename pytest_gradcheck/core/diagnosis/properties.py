"""Properties of a torch function and its backward beyond the values of its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_gradcheck.core.results import Diagnosis, Property
from pytest_gradcheck.frameworks.torch.pullback import TorchPullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.base import NOT_LINEAR, Pullback, scales

if TYPE_CHECKING:
    from pytest_gradcheck.frameworks.torch.function_properties import Finding

#: Codes of what makes values wrong as well: named instead of what the values themselves show.
EXPLAINS = ("mutated-input", "mutated-cotangent", "accumulates")

#: What is said of a property of the user's own Functions that holds.
HOLDS = {
    "inputs-unchanged": "what autograd does not know to be changed in place stays as it is",
    "cotangents-unchanged": "the backward leaves its cotangents as they are",
    "non-contiguous-inputs": "the same values and gradients for non-contiguous inputs",
    "expanded-inputs": "the same values and gradients for expanded inputs",
    "conjugated-inputs": "the same values and gradients for inputs marked as conjugated",
    "non-contiguous-cotangents": "the same gradients for non-contiguous cotangents",
    "expanded-cotangents": "the same gradients for expanded cotangents",
    "conjugated-cotangents": "the same gradients for cotangents marked as conjugated",
    "undefined-cotangents": "an output without a cotangent counts as one with zeros",
    "linear-backward": "minus two times a cotangent gives minus two times the gradient",
    "frozen-inputs": "the same gradient by each input where the others require none",
    "accumulates": "two backward passes add up to twice the gradient in .grad",
    "zero-size-inputs": "the backward takes inputs without rows",
    "batched-cotangents": "a batch of cotangents gives what one after the other gives",
    "vmap": "torch.func.vmap gives what one call after the other gives",
    "forward-mode": "the jvp is that of the backward",
}


def of_function(problem: Problem) -> tuple[Property, ...]:
    """Say whether the function repeats itself, which every comparison rests on."""
    name, code = "deterministic", "nondeterministic"
    if problem.is_erratic:
        return (Property(name, False, "two calls at the same point gave different values", code),)
    if problem.jitter.any():
        text = "two calls at the same point differ by rounding"
        return (Property(name, None, text, code),)
    return (Property(name, True, "two calls at the same point gave the same values", code),)


def of_run(problem: Problem, pullback: TorchPullback) -> tuple[Property, ...]:
    """Say what every torch function must keep; one more backward pass."""
    from pytest_gradcheck.frameworks.torch import function_properties

    return _properties(function_properties.of_run(problem, pullback))


def of_ways(
    problem: Problem, pullback: TorchPullback, in_double: Callable[[], TorchPullback | None]
) -> tuple[Property, ...]:
    """Say what the user's own `autograd.Function`s make of every way to call them; empty without any.

    ``in_double`` gives the pullback in float64, or None where the function does not run in it.
    """
    from pytest_gradcheck.frameworks.torch import function_properties

    return _properties(function_properties.of_ways(problem, pullback, in_double))


def of_vjp(pullback: Pullback) -> Property:
    """Say whether a backward written by hand is linear in its cotangent; one more call of it."""
    name, holds = "linear-backward", scales(pullback)
    return Property(name, holds, HOLDS[name] if holds else NOT_LINEAR, name)


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
        if one.holds is False and one.name != "deterministic":
            return Diagnosis(one.code, one.detail)
    return None


def _properties(findings: Iterable[Finding]) -> tuple[Property, ...]:
    return tuple(Property(f.name, f.holds, f.text or HOLDS[f.name], f.code) for f in findings)
