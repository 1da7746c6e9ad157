"""Prepare an oracle: its values, and a derivative that its own values confirm."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, replace

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian, random_cotangents, remembered
from pytest_gradcheck.core.evidence.low_precision import Eager
from pytest_gradcheck.core.evidence.survey import first_look, projections
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.flat import leafwise
from pytest_gradcheck.frameworks.leaves import EPS64, EPS_BY_DTYPE
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.oracle import Arrays, called_with, ways_to_call
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import oracle as methods
from pytest_gradcheck.methods.roles import DIFFERENCES, ENGINE, ORACLE


@dataclass(frozen=True, eq=False)
class Oracle:
    """An oracle at the point.

    ``problem`` is the oracle as a function of its own, ``function`` what differences of it see, under the
    names of the inputs and outputs of the function on trial. ``pullback`` is its derivative, and ``note``
    says where it comes from.
    """

    problem: Problem
    function: Function
    pullback: Pullback
    note: str


def settle(problem: Problem, options: Options) -> Oracle:
    """Return the oracle of a check, with a derivative that differences of the oracle confirm.

    Raises:
        InvalidArgument: the oracle does not take these inputs, or returns other outputs. Unavailable: it
        contradicts itself, so it cannot serve as a measure.
    """
    assert options.oracle is not None, "there is an oracle"
    known: list[tuple[Problem, Function]] = []
    reasons: list[str] = []
    for found in ways_to_call(problem, ORACLE, options.oracle):
        function = _function(problem, found)
        _must_repeat(problem, found)
        known.append((found, function))
        contradicted: list[str] = []
        for method in methods.automatic(found):
            whose = "the reference engine" if method == ENGINE else f"{method}'s autograd"
            try:
                pullback = methods.prepare(found, method)
                pullback.begin(np.ones(found.outputs.size))
                _must_reproduce(found, pullback)
            except Exception as error:
                lines = str(error).strip().splitlines()
                reasons.append(f"{whose}: {lines[0] if lines else type(error).__name__}")
                continue
            if _is_contradicted(function, pullback, options, problem.seed):
                contradicted.append(whose)
                continue
            note = f"called with {_kind(found)}; differentiated by {whose}"
            if contradicted:
                note += (
                    f" (the gradient by {' and '.join(contradicted)} contradicts differences of the oracle)"
                )
            return Oracle(found, function, pullback, f"{note}, and its differences confirm it")
        if contradicted:
            why = f"its automatic derivative, by {' and '.join(contradicted)}, contradicts them"
            return _from_values(found, function, why)
    found, function = known[0]
    return _from_values(found, function, f"it has no automatic derivative ({'; '.join(reasons)})")


def _kind(found: Problem) -> str:
    framework = found.framework
    kind = "NumPy arrays" if framework.name == "numpy" else f"{framework.name} {framework.plural}"
    dtypes = dict.fromkeys(leaf.dtype for leaf in found.inputs.leaves)
    return f"{kind} of {' and '.join(dtypes)}"


def _function(problem: Problem, found: Problem) -> Function:
    """Return the oracle in the form for differences; no point is evaluated twice."""
    f, eps = Function.of(found), found.eps
    if found.framework.differentiates and not found.double:
        # Values that pass through a coarser dtype, as under autocast, have its grain.
        with contextlib.suppress(Exception):
            eps = max(eps, methods.prepare(found, found.framework.name).eps)
    how = remembered(f.evaluate)
    return replace(f, inputs=problem.inputs, outputs=problem.outputs, evaluate=how, eps=eps)


def _must_repeat(problem: Problem, found: Problem) -> None:
    if found.is_erratic:
        raise Unavailable("two calls of the oracle at the same point gave different values")
    astray = ~np.isfinite(found.value) & np.isfinite(problem.primal)
    if astray.any():
        name, index = problem.outputs.locate(int(np.argmax(astray)))
        raise Unavailable(
            f"the oracle is nan or inf at {name}{list(index) or ''}, where the function is finite"
        )


def _must_reproduce(found: Problem, pullback: Pullback) -> None:
    eps = thresholds.REPRODUCED_ROUNDINGS * max(pullback.eps, found.eps)
    size = np.abs(found.value).max(initial=0.0)
    gap = np.abs(pullback.primal - found.value)
    if not (gap <= eps * size + thresholds.REPRODUCED_ROOT).all() and np.isfinite(found.value).all():
        raise Unavailable("its run does not give the oracle's values")


def _is_contradicted(function: Function, pullback: Pullback, options: Options, seed: int) -> bool:
    """Whether differences of the oracle contradict its derivative."""
    jacobian = Jacobian(function, {ORACLE: pullback}, DIFFERENCES)
    # Its own promise is the usual one, since it works in float64 whatever the dtype on trial.
    tolerance = Options().tolerance(max(pullback.eps, function.eps), 0.0)
    along = projections(options, function.inputs.size, function.outputs.size, seed, few=0)
    survey = first_look(jacobian, tolerance, along)
    if not survey.first.disagrees:
        return False
    return survey.close_look(None).disagrees


def _from_values(found: Problem, function: Function, why: str) -> Oracle:
    """Return the oracle with the derivative from differences, if they agree among themselves."""
    jacobian = Jacobian(function, {}, DIFFERENCES)
    slopes = jacobian.columns(range(function.inputs.size), None, thorough=True)
    gap = np.abs(slopes.central.value - slopes.forward.value)
    bars = thresholds.THOROUGH_BARS * (slopes.central.uncertainty + slopes.forward.uncertainty)
    unknown = ~np.isfinite(slopes.central.uncertainty) | slopes.jump
    apart = (gap > bars + thresholds.RTOL * np.abs(slopes.central.value)) & ~slopes.kink
    if (unknown | apart).any():
        column = int(np.argmax((unknown | apart).any(axis=0)))
        name, index = function.inputs.locate(column)
        raise Unavailable(
            f"{why}, and differences of the oracle contradict each other at {name}{list(index) or ''}"
        )
    note = f"called with {_kind(found)}; differentiated by finite differences, because {why}"
    return Oracle(found, function, methods.FromValues(found, slopes.central), note)


def eager(problem: Problem, oracle: Oracle, options: Options, eps: float) -> Eager | None:
    """Return the oracle in the dtypes on trial, of the unit roundoff ``eps``; None for float64."""
    if eps <= EPS64:
        return None
    assert options.oracle is not None, "there is an oracle"
    framework, run, fine = oracle.problem.framework, None, oracle.pullback
    if framework.differentiates:
        with contextlib.suppress(Exception):
            arrays = Arrays(framework, double=False, differentiable=True)
            found = called_with(problem, ORACLE, options.oracle, arrays)
            there = methods.prepare(found, framework.name)
            # Functions of several dtypes, and those under autocast, have rounding that the oracle may lack.
            both = found.inputs.leaves + found.outputs.leaves
            alike = all(EPS_BY_DTYPE.get(leaf.dtype, EPS64) >= eps for leaf in both)
            usable = alike or there.eps >= eps > problem.trial_eps
            run = there if usable and _has_gradient_of(oracle) else None
    return Eager(fine, run, functools.cache(lambda: fine.coarse_runs(thresholds.RUNS)), eps)


def _has_gradient_of(oracle: Oracle) -> bool:
    """Whether the framework's own gradient of the oracle is the one that differences confirm."""
    own = methods.prepare(oracle.problem, oracle.problem.framework.name)
    # A cotangent of ones cancels in normalised outputs.
    cotangent = random_cotangents(np.random.default_rng(oracle.problem.seed), oracle.problem.outputs.size)[0]
    gradient = oracle.pullback.vjp(cotangent)
    gap = np.abs(own.vjp(cotangent) - gradient).max(initial=0.0)
    # The estimate that exact methods use for their rounding.
    share = max(thresholds.RTOL, 32 * own.eps)
    return bool(gap <= share * np.abs(gradient).max(initial=0.0))


# -- values ------------------------------------------------------------------------------------------


def value_mismatch(
    problem: Problem, oracle: Oracle, eager: Eager | None, rtol: float, atol: float
) -> str | None:
    """Return a sentence on where the function's value differs from the oracle's, or None.

    In a coarse dtype it may be as far off as the oracle in that dtype. A value that almost cancels is known
    only up to the rounding of its parts.
    """
    expected, got = oracle.problem.value, problem.primal
    cotangent = np.ones(expected.size)
    known = oracle.pullback.first
    gradient = oracle.pullback.vjp(cotangent) if known is None else known[1]
    parts = np.abs(gradient * problem.point)
    eps = max(problem.trial_eps, oracle.problem.eps)
    with np.errstate(invalid="ignore"):
        size = leafwise(problem.outputs, expected, 1.0)
        rounding = thresholds.VALUE_ROUNDINGS * eps * (size + np.where(np.isfinite(parts), parts, 0.0).sum())
        if eager is not None:
            rounding = eager.of_values()
        allowed = rtol * np.abs(expected) + atol + problem.trial_tiny + rounding
        gap = np.abs(got - expected)
    same = (gap <= allowed) | (got == expected) | (np.isnan(got) & np.isnan(expected))
    if same.all():
        return None
    k = int(np.argmax(np.where(same, -1.0, np.nan_to_num(gap / allowed, nan=np.inf, posinf=np.inf))))
    name, index = problem.outputs.locate(k)
    more = int((~same).sum()) - 1
    others = f", and {more} other {'entry' if more == 1 else 'entries'}" if more else ""
    return (
        f"{name}{list(index) or ''} is {got[k]:.9g}, the oracle gives {expected[k]:.9g} (allowed difference "
        f"{allowed[k]:.2g}){others}"
    )
