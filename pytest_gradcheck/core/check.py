"""The public functions: one check, and the assertion that it passes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from pytest_gradcheck import usage
from pytest_gradcheck.core.decide import run
from pytest_gradcheck.core.diagnosis import whose_code
from pytest_gradcheck.core.evidence.jacobian import remembered
from pytest_gradcheck.core.options import OPTION_NAMES, Options, validate_options
from pytest_gradcheck.core.orders import FirstOrder, SecondOrder
from pytest_gradcheck.core.report.convergence import convergence
from pytest_gradcheck.core.results import CheckResult, GradientMismatch, NotChecked, Verdict
from pytest_gradcheck.core.second_derivatives import second_derivative
from pytest_gradcheck.core.tangents import has_many_inputs
from pytest_gradcheck.core.together import Checked, together
from pytest_gradcheck.core.verdict import Finding
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.function.call import Call
from pytest_gradcheck.function.constant import is_constant
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.function.random_states import kept_random_states
from pytest_gradcheck.methods import operators
from pytest_gradcheck.methods.forms import Form, given
from pytest_gradcheck.methods.registered_gradients import Rule, watched
from pytest_gradcheck.methods.roles import BY_HAND

P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["OPTION_NAMES", "assert_gradients", "check_gradients", "validate_options"]


def _known_options(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function refuse unknown options like any other wrong use, with the closest known one."""

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        unknown = [name for name in kwargs if name not in (*OPTION_NAMES, "fn", "inputs")]
        validate_options(**dict.fromkeys(unknown))
        return function(*args, **kwargs)

    return checked


@_known_options
def check_gradients(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    methods: Iterable[str] | None = None,
    gradient: Callable[..., Any] | bool | None = None,
    vjp: Callable[..., Any] | None = None,
    jacobian: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    hessian: Callable[..., Any] | None = None,
    hvp: Callable[..., Any] | None = None,
    oracle: Callable[..., Any] | None = None,
    surrogate: Callable[..., Any] | None = None,
    order: int = 1,
    wrt: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    sensitivity: float | None = None,
    mode: str = "auto",
    domain: Any = None,
    step: float | None = None,
    stop_gradients: str = "wrong",
    properties: str | Iterable[str] = "default",
    seed: int | None = None,
    name: str | None = None,
) -> CheckResult:
    """Check the gradients of a function at a point: compare derivatives by several methods.

    Parameters
    ----------
    fn
        Any callable of the inputs: plain Python operators, NumPy, array API or torch code. Its floating-point
        results, in any nesting, are differentiated; others are listed in ``not_checked``. Or a linear
        operator with ``matvec`` and ``rmatvec``, such as scipy's ``LinearOperator``, at one vector:
        ``rmatvec``, the conjugate adjoint, is on trial as the method ``"user"``.
    inputs
        One array (passed as the one argument), a tuple (passed by position) or a dict (passed by name), of
        Python floats, NumPy arrays, torch tensors or JAX arrays in any nesting. Anything else, such as
        integers, booleans and strings, is passed on unchanged. Arrays that cannot be differentiated (sparse
        tensors, NumPy arrays next to tensors) are refused unless ``wrt`` excludes them; numbers next to
        tensors are constants, listed in ``not_checked``.
    methods
        Which of ``"central"``, ``"forward"``, ``"complex_step"``, ``"reference"``, ``"torch"``, ``"jax"``,
        ``"user"``, ``"oracle"``, ``"exact"``; default: all that can run here except the complex step, which
        needs analytic NumPy code, and the proven derivative, which runs on doubt or failure.
    gradient, vjp
        A gradient written by hand, ``gradient(*inputs)`` returning one array per input, or ``vjp(*inputs,
        cotangent)``; it becomes method ``"user"``. With ``gradient=True`` the function returns ``(value,
        gradient)`` itself.
    jacobian, jvp
        The same in other forms. ``jacobian(*inputs)`` returns per input an array of shape ``output.shape +
        input.shape``, or for vectors a scipy sparse array or a ``LinearOperator``, whose products are
        compared; for several outputs a tuple of these. ``jvp(*inputs, *tangents)`` returns the tangent of the
        output.
    hessian, hvp
        Second derivatives of a function of one real number. ``hessian(*inputs)`` returns an array of shape
        ``input.shape + input.shape``; for several inputs one such block each, or a tuple of tuples with all
        blocks. ``hvp(*inputs, *tangents)`` returns the product of the Hessian and the tangents, one array per
        input. They are compared with the second derivative of the engine and with differences of the
        gradient. Several forms may be given; each is checked, and the diagnosis names the one that is wrong.
    oracle
        A function of the same inputs that computes the same values: slower code that you trust, written with
        NumPy, torch or JAX, whichever ``fn`` uses, or a module with the parameters of the module ``fn``. It
        is called in float64. Its values are compared, its derivative is method ``"oracle"``, and differences
        use it instead of ``fn``, which is then called only two or three times. Methods that run the code of
        ``fn`` again, and trials of properties that need further calls, run only if they are named.
    surrogate
        A function of the same inputs whose derivative the gradient is intended to be, for straight-through
        estimators and spiking neurons. Differences, the reference engine and an oracle use it instead of
        ``fn``, and values of ``fn`` are not compared. It is called with the same arrays; its outputs must
        have the same shapes, but may have other dtypes.
    order
        2 checks the gradient of the gradient too.
    wrt
        Names or positions of the inputs to differentiate with respect to; default: all floating-point inputs.
    rtol, atol
        Differences allowed beyond the error bars; default: 1e-6 (in dtypes coarser than float64 2e-4, or
        8 units of roundoff if that is more), and 0.
    sensitivity
        The smallest relative error that the check promises to catch, by default 1e-3. A check that cannot
        promise it is inconclusive. In half precision, and in any coarse dtype with an oracle, the default is
        what the dtype allows, if that is more; the result's ``sensitivity`` is the number that holds.
    mode
        ``"full"`` compares the whole Jacobian, ``"directional"`` random projections and, on doubt, the
        entries that cause it; ``"auto"`` chooses by size.
    domain
        Bounds ``(lower, upper)`` that no evaluation may leave, or a dict of them by input name.
    step
        A fixed absolute step for the two difference methods, which then give the textbook quotients.
    stop_gradients
        ``"intended"`` declares that the function deliberately stops gradients where it calls ``detach`` or
        ``stop_gradient`` or runs under ``no_grad``: such values are constants for every method, and are
        listed in ``not_checked``. By default they are not, and a stopped gradient is wrong.
    properties
        Properties to try besides the values: ``"default"``, ``"none"``, or names. Names with a leading
        ``"-"`` remove properties from the default: ``("-vmap",)``. Other names select only these properties,
        or with ``"default"`` add them to it. A trial that could do harm runs only if it is named.
    seed
        Seed of the random projections and of the function's random numbers; default: derived from the point.
    name
        Name of the function in messages.

    Returns
    -------
    CheckResult
        Verdict, culprit, every method's answer and the reasons.

    Raises
    ------
    InvalidArgument
        For wrong use; the error names the argument, its value and what to write instead.
    """
    # The names and the defaults are those of `Options`, in a signature that an editor can show.
    asked = dict(locals())
    del asked["fn"], asked["inputs"]
    return _check(fn, inputs, Options(**asked))[0]


def check_in_test(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    brief: bool = False,
    thorough: bool = False,
    drawn: bool = False,
    rules: Sequence[Rule] = (),
    **options: Any,
) -> CheckResult:
    """Check like `check_gradients`, for a test: the result can draw its figures.

    A search for a failing point runs hundreds of checks. A ``brief`` check costs less: it gives the verdict
    and the culprit of `check_gradients`, but stops at the first wrong entry. It looks for no cause, and
    ``inputs`` and ``reproduce`` are empty. A ``thorough`` check compares every entry from the start, for at
    most 128 inputs and outputs. If inputs are ``drawn``, a number next to tensors is refused; otherwise it is
    a constant. The ``functions`` of the result include those of the ``rules`` that ran.
    """
    asked = Options(brief=brief, thorough=thorough, drawn=drawn, **options)
    if brief:
        return _check(fn, inputs, asked)[0]
    with watched(rules) as watch:
        result, findings = _check(fn, inputs, asked)
    heard = [
        {name for each in findings if each.evidence.order.number == k for name in each.evidence.heard}
        for k in (1, 2)
    ]
    functions = (*result.functions, *watch.found(*heard))
    return dataclasses.replace(
        result, functions=functions, figures=functools.partial(_draw, findings[-1], result)
    )


def _draw(finding: Finding, result: CheckResult) -> dict[str, Any]:
    from pytest_gradcheck.core.report.figures import figures

    with kept_random_states(), np.errstate(all="ignore"):
        return figures(finding.evidence, result.culprit, result.evaluations)


def _check(fn: Callable[..., Any], inputs: Any, options: Options) -> tuple[CheckResult, list[Finding]]:
    """Return the result of a check, and the findings on all derivatives, with the deciding one last."""
    forms: tuple[Form, ...] = ()
    if options.is_by_hand or hasattr(fn, operators.ADJOINT):
        fn, inputs, options, forms = _taken_apart(fn, inputs, options)
    if usage.waiting:
        usage.announce()
    for name in options.chosen:
        # Before timing and before random states are saved: the first import of a framework takes a second.
        if name in registry.stand_ins() and name not in sys.modules and not _has_gradients(fn, inputs):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
    # Overflow and division by zero are findings of the check, not warnings to its user.
    with kept_random_states(), np.errstate(all="ignore"), contextlib.ExitStack() as stack:
        problem = Problem(
            fn,
            inputs,
            name=options.name,
            wrt=options.wrt,
            domain=options.domain,
            seed=options.seed,
            drawn=options.drawn,
        )
        # Not only after calls: a backward may keep state too, and trials of its properties do.
        stack.callback(problem.restore_state)
        if options.holds_stops and not problem.framework.stops_gradients:
            raise InvalidArgument(
                "stop_gradients",
                f"'intended' for a function of {problem.framework.name} {problem.framework.plural}",
                "it is supported for torch and JAX functions only",
            )
        firsts = [form for form in forms if form.order == 1 and not has_many_inputs(form, problem)]
        seconds = [form for form in forms if form not in firsts]
        first = FirstOrder(problem, options, firsts[0] if firsts else None)
        stack.callback(first.measured.restore_state)
        if len(firsts) > 1:
            # Every form is compared at the same points.
            first.function.evaluate = remembered(first.function.evaluate)
        first.prepare()
        checked = [Checked(*run(first), first.form)]
        for form in firsts[1:]:
            if not (options.brief and checked[-1].is_wrong):
                checked.append(Checked(*run(first.with_form(form)), form))
        result = checked[0].result
        still: tuple[str, ...] = ()
        if (
            result.verdict is Verdict.PASS
            and not options.brief
            # Every method found zero at the worst entry, and so everywhere.
            and (result.worst is None or not any(result.worst.values.values()))
            and is_constant(first.measured)
        ):
            still = ("constant",)
        skipped: tuple[NotChecked, ...] = ()
        twice: Collection[str] = ()
        if options.order == 2 and not all(each.is_right for each in checked):
            skipped = (NotChecked("second order", "the first order did not pass"),)
        elif options.order == 2:
            evidence = checked[0].finding.evidence
            second = SecondOrder(first.as_found(evidence), evidence.jacobian).prepare()
            checked.append(Checked(*run(second), None))
            twice = checked[-1].finding.evidence.heard
        for form in seconds:
            if options.brief and any(each.is_wrong for each in checked):
                break
            more = second_derivative(form, checked, inputs)
            checked += more
            if not more:
                skipped += (NotChecked(form.name, "the first order did not pass"),)
        # A check of one gradient needs no summary.
        alone = len(checked) == 1 and checked[0].form is None
        result, finding, on_trial = checked[0] if alone else together(checked)
        # The gradients written by hand that the framework's run went through.
        own = first.roles.own or ""
        if own in first.methods.pullbacks and not options.brief:
            found = first.methods.pullbacks[own].hand_written(double=own in twice)
            result = dataclasses.replace(result, functions=found)
        result = dataclasses.replace(
            result, labels=(*result.labels, *still), not_checked=(*result.not_checked, *skipped)
        )
        if result.verdict is Verdict.FAIL and not options.brief:
            rates = convergence(finding.evidence, result.culprit) if result.culprit else {}
            result = dataclasses.replace(result, code=_code(result, finding, on_trial), rates=rates)
        others = [each.finding for each in checked if each.finding is not finding]
        return result, [*others, finding]


def _code(result: CheckResult, finding: Finding, form: Form | None) -> str:
    """Return where the culprit's gradient is written, or where it raised."""
    order, culprit = finding.evidence.order, result.culprit
    if place := order.methods.raised_at.get(culprit or ""):
        return place
    if culprit == BY_HAND and form is not None:
        return whose_code.of_function(form.source)
    if not culprit or culprit != order.roles.own:
        return ""
    broken = result.broken_property
    if broken is not None and broken.place:
        return broken.place
    right: Mapping[str, bool | None] = {}
    if len(result.functions) > 1 and order.few_calls is None:
        # This only shortens the list of places; on an error all of them remain.
        with contextlib.suppress(Exception):
            right = order.problem.framework.right_functions(order.methods.pullbacks[culprit])
    return whose_code.of_backwards(result.functions, right)


def _taken_apart(
    fn: Callable[..., Any], inputs: Any, options: Options
) -> tuple[Callable[..., Any], Any, Options, tuple[Form, ...]]:
    """Return the function whose values count, its inputs, and the forms of its derivative by hand.

    For an operator the adjoint is checked, whichever methods are requested.
    """
    adjoint: tuple[Form, ...] = ()
    if operators.is_operator(fn):
        fn, inputs, form = operators.taken_apart(fn, inputs)
        adjoint = (form,)
        if BY_HAND not in options.chosen:
            options = dataclasses.replace(options, methods=(*options.chosen, BY_HAND))
    fn, forms = given(fn, options.forms, alone=not adjoint)
    return fn, inputs, options, (*adjoint, *forms) if BY_HAND in options.chosen else ()


def _has_gradients(fn: Callable[..., Any], inputs: Any) -> bool:
    """Whether the function's own framework differentiates it: no other stands in then."""
    return Call(fn, inputs).framework.differentiates


def assert_gradients(fn: Callable[..., Any], inputs: Any, **options: Any) -> None:
    """Check like `check_gradients`, with the same arguments, and raise unless the check passes.

    Raises
    ------
    GradientMismatch
        An ``AssertionError`` with the result as ``.result``, if a gradient is wrong, and also if the check is
        inconclusive: a gradient that could not be checked is not known to be right.
    """
    __tracebackhide__ = True
    result = check_gradients(fn, inputs, **options)
    if result.verdict is not Verdict.PASS:
        raise GradientMismatch(result)
