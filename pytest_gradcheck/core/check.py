"""The public functions: one check, and the assertion that it passes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck import usage
from pytest_gradcheck.core.decide import Decision
from pytest_gradcheck.core.evidence.compare import Tolerance
from pytest_gradcheck.core.options import OPTION_NAMES, Options, validate_options
from pytest_gradcheck.core.orders import FirstOrder, SecondOrder
from pytest_gradcheck.core.results import (
    CheckResult,
    GradientMismatch,
    NotChecked,
    Verdict,
)
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.function.random_states import kept_random_states
from pytest_gradcheck.methods.names import DEFAULT_METHODS
from pytest_gradcheck.methods.registered_gradients import Rule, watched

__all__ = ["OPTION_NAMES", "assert_gradients", "check_gradients", "validate_options"]


def check_gradients(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    methods: Iterable[str] | None = None,
    gradient: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    order: int = 1,
    wrt: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    sensitivity: float | None = None,
    mode: str = "auto",
    domain: Any = None,
    step: float | None = None,
    stop_gradients: str = "wrong",
    seed: int | None = None,
    name: str | None = None,
) -> CheckResult:
    """Ask every method for the derivative of a function at a point, and weigh the answers.

    Parameters
    ----------
    fn
        Any callable of the inputs: plain Python operators, NumPy, array API or torch code. Its floating
        results, in any nesting, are differentiated; the others are listed in ``not_checked``.
    inputs
        One array (passed as the one argument), a tuple (passed by position) or a dict (passed by name), of
        Python floats, NumPy arrays or torch tensors in any nesting. Integers, booleans, strings and
        anything else pass through untouched.
    methods
        Which of ``"central"``, ``"forward"``, ``"complex_step"``, ``"reference"``, ``"torch"``, ``"user"``;
        default: every one that can run here but the complex step, which is for analytic NumPy code.
    gradient, vjp
        A gradient written by hand, ``gradient(*inputs)`` returning one array per input, or
        ``vjp(*inputs, cotangent)``; it becomes method ``"user"``.
    order
        2 checks the gradient of the gradient too.
    wrt
        Names or positions of the inputs to differentiate by; default: all that are floating.
    rtol, atol
        Differences allowed beyond the error bars; default: 1e-6 (in dtypes coarser than float64 2e-4, or
        8 units of roundoff if that is more), and 0.
    sensitivity
        The smallest relative error that the check promises to catch, by default 1e-3. A check that cannot
        promise it is inconclusive.
    mode
        ``"full"`` looks at the whole Jacobian, ``"directional"`` at random projections and, on doubt, at the
        entries that cause it; ``"auto"`` chooses by size.
    domain
        Bounds ``(lower, upper)`` that no evaluation may leave, or a dict of them by input name.
    step
        A fixed absolute step for the two difference methods, which then give the textbook quotients.
    stop_gradients
        ``"intended"`` declares that the function means to stop gradients where it calls ``detach`` or runs
        under ``no_grad``: what it has there is a constant for every method, and listed in ``not_checked``.
        By default the function is differentiated as it is, and a gradient that stops is wrong.
    seed
        Seed of the random projections and of the function's own random numbers; default: from the point.
    name
        What to call the function in messages.

    Returns
    -------
    CheckResult
        Verdict, culprit, every method's answer and the reasons.

    Raises
    ------
    InvalidArgument
        For a wrong use: the error names the argument, what was got and what would be right.
    """
    result, _ = _check(
        fn,
        inputs,
        methods=methods,
        gradient=gradient,
        vjp=vjp,
        order=order,
        wrt=wrt,
        rtol=rtol,
        atol=atol,
        sensitivity=sensitivity,
        mode=mode,
        domain=domain,
        step=step,
        stop_gradients=stop_gradients,
        seed=seed,
        name=name,
    )
    return result


def check_in_test(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    brief: bool = False,
    thorough: bool = False,
    rules: Sequence[Rule] = (),
    **options: Any,
) -> CheckResult:
    """Check as `check_gradients` does, for a test: the result can draw its figures.

    A search for a failing point makes hundreds of checks. A ``brief`` one has the verdict and the culprit of
    `check_gradients`, and of a failure little more, for less: it rests on the first entry that is seen to be
    wrong. The others are not looked at, no cause is looked for, and ``inputs`` and ``reproduce`` are empty. A
    ``thorough`` one looks at every entry from the start where there are at most 128 inputs and outputs.
    Those of the ``rules`` that the check has run are among the ``functions`` of its result.
    """
    if brief:
        return _check(fn, inputs, brief=brief, thorough=thorough, **options)[0]
    with watched(rules) as watch:
        result, decision = _check(fn, inputs, thorough=thorough, **options)
    first, second = decision, None
    if isinstance(decision, SecondOrder):
        first, second = decision.first, decision
    found = watch.found(first.pullbacks, second.pullbacks if second is not None else ())
    functions = (*result.functions, *found)
    return dataclasses.replace(
        result, functions=functions, figures=functools.partial(_draw, decision, result)
    )


def _draw(decision: Decision, result: CheckResult) -> dict[str, Any]:
    from pytest_gradcheck.core.report.figures import figures

    with kept_random_states(), np.errstate(all="ignore"):
        return figures(decision, result.culprit, result.evaluations)


def _check(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    brief: bool = False,
    thorough: bool = False,
    methods: Iterable[str] | None = None,
    gradient: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    order: int = 1,
    wrt: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    sensitivity: float | None = None,
    mode: str = "auto",
    domain: Any = None,
    step: float | None = None,
    stop_gradients: str = "wrong",
    seed: int | None = None,
    name: str | None = None,
) -> tuple[CheckResult, Decision]:
    if usage.waiting:
        usage.announce()
    if isinstance(methods, Iterable) and not isinstance(methods, str):
        methods = tuple(methods)
    given = {
        "methods": methods,
        "gradient": gradient,
        "vjp": vjp,
        "order": order,
        "rtol": rtol,
        "atol": atol,
        "sensitivity": sensitivity,
        "mode": mode,
        "step": step,
        "stop_gradients": stop_gradients,
        "seed": seed,
        "name": name,
    }
    validate_options(**given)
    if methods is None or "torch" in methods:
        # Before anything is timed or its random state kept: the first import of torch takes a second.
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module("torch")
    # Overflow and division by zero are findings of the check, not warnings to its user.
    with kept_random_states(), np.errstate(all="ignore"):
        problem = Problem(fn, inputs, name=name, wrt=wrt, domain=domain, seed=seed)
        coarse = problem.trial_eps > EPS64
        tolerance = Tolerance(
            rtol if rtol is not None else max(2e-4, 8 * problem.trial_eps) if coarse else 1e-6,
            atol or 0.0,
            sensitivity if sensitivity is not None else max(1e-3, 2 * (rtol or 0.0)),
            problem.trial_tiny,
        )
        chosen = DEFAULT_METHODS if methods is None else tuple(methods)
        held = stop_gradients == "intended"
        if held and not problem.framework.stops_gradients:
            raise InvalidArgument(
                "stop_gradients",
                "'intended' for a function that is not torch's",
                "only torch stops gradients",
            )
        options = Options(
            chosen, methods is not None, gradient, vjp, tolerance, mode, step, held, brief, thorough
        )
        first = FirstOrder(problem, options)
        result = first.run()
        if order == 1:
            return _with_functions(result, first, first), first
        if result.verdict is Verdict.PASS:
            second = SecondOrder(first)
            return _with_functions(second.run(), first, second), second
        skipped = NotChecked("second order", "the first order did not pass")
        return dataclasses.replace(result, not_checked=(*result.not_checked, skipped)), first


def _with_functions(result: CheckResult, first: FirstOrder, last: Decision) -> CheckResult:
    """Add the gradients written by hand that torch's run went through."""
    framework = first.problem.framework
    pullback = first.pullbacks.get(framework.name) if framework.differentiates else None
    if first.options.brief or pullback is None:
        return result
    found = pullback.hand_written(double=last is not first and framework.name in last.pullbacks)
    return dataclasses.replace(result, functions=found) if found else result


def assert_gradients(fn: Callable[..., Any], inputs: Any, **options: Any) -> None:
    """Check as `check_gradients` does, with the same arguments, and insist on a pass.

    Raises
    ------
    GradientMismatch
        An ``AssertionError`` with the result as ``.result``, when a gradient is wrong and also when the
        check came to no conclusion: what could not be checked has not been seen to be right.
    """
    __tracebackhide__ = True
    result = check_gradients(fn, inputs, **options)
    if result.verdict is not Verdict.PASS:
        raise GradientMismatch(result)
