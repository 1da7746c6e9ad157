"""The Hessian of a scalar function, written by hand: the Jacobian of its gradient."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_gradcheck.core.decide import run
from pytest_gradcheck.core.evidence.jacobian import Function, natural_sizes, one_by_one
from pytest_gradcheck.core.evidence.rounding import Runs
from pytest_gradcheck.core.evidence.survey import projections
from pytest_gradcheck.core.orders import AllRuns, FirstOrder, Methods, SecondOrder, linearity
from pytest_gradcheck.core.results import NotChecked
from pytest_gradcheck.core.tangents import along_lines
from pytest_gradcheck.core.together import Checked
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import curvature
from pytest_gradcheck.methods.curvature import ONE, OfGradient
from pytest_gradcheck.methods.forms import Form
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.methods.roles import BY_HAND, ENGINE, ORACLE, Roles


class HessianOrder(SecondOrder):
    """The derivative of the gradient ``x → ∇f(x)``, with one form of it on trial.

    Differences use a gradient that the first order found right: the engine's, the oracle's, the framework's,
    or one by hand. Without any, second differences of values along lines come first, and then differences of
    a measured gradient. ``trusted`` are the pullbacks that the first order found right.
    """

    #: Its inputs are those of the gradient alone, and a proof is of the gradient and the cotangent.
    proof = None

    def __init__(self, first: FirstOrder, form: Form, trusted: Mapping[str, Pullback]):
        super().__init__(first, None)
        self.form, self._form = form, form
        curvature.must_be_scalar(form, self.problem)
        self.cotangent = ONE
        self.roles = Roles(None, ())
        self.methods = Methods(self.roles, notes=first.methods.notes)
        self.tolerance = self.options.tolerance(self.problem.trial_eps, self.problem.trial_tiny)
        n = self.problem.inputs.size
        self.along = projections(self.options, n, n, self.problem.seed)
        self._trusted = trusted

    def prepare(self) -> HessianOrder:
        """Prepare the methods that have a second derivative, and the form on trial; return the order."""
        for name, state in self.first.methods.states.items():
            if name in DIFFERENCE_METHODS:
                self.methods.states[name] = state
            elif name in (ENGINE, ORACLE) and name in self._trusted:
                self.methods.prepare(name, functools.partial(self._second, self._trusted[name]))
        self.function = self._gradient_function()
        self.methods.prepare(BY_HAND, functools.partial(self._by_hand, None))
        self.properties = (self._repeats(),)
        self.probes = (functools.partial(linearity, self),)
        return self

    def _second(self, pullback: Pullback) -> Pullback:
        found = OfGradient(self.problem, pullback.second_order(ONE))
        if not np.isfinite(found.primal).all():
            raise Unavailable("its gradient is not finite at this point")
        return found

    def _by_hand(self, at: Vector | None) -> Pullback:
        pullback = curvature.prepare(self._form, self.problem, self.function.value, at=at)
        if at is None:
            pullback.begin(np.ones(self.problem.inputs.size) if self.along is None else self._first_cotangent)
        return pullback

    @property
    def _first_cotangent(self) -> Vector:
        assert self.along is not None, "there are projections"
        return np.asarray(self.along.cotangents[0])

    def _gradient_function(self) -> Function:
        """Return the gradient in the form for differences; see the class."""
        f, heard = self.first.function, self.methods.pullbacks
        shape = curvature.layouts(self.problem)
        own = self.first.in_double() or self._trusted.get(self.first.roles.autodiff(self._trusted))
        lead = heard.get(ORACLE) or heard.get(ENGINE)
        at_point: Callable[[Vector], Vector]
        if lead is not None:
            eps, at_point = lead.eps, lead.primal_at
        elif own is not None:
            eps, at_point = own.eps, functools.partial(_moved, own)
        elif BY_HAND in self._trusted:
            eps = max(self._trusted[BY_HAND].eps, f.eps)
            at_point = self._gradient_by_hand
        else:
            whole = self.options.step or self.options.mode == "full" or self.options.thorough
            self.values_alone = None if whole else f
            return measured(f, replace(f, inputs=shape.inputs, outputs=shape.outputs))

        def evaluate(vector: Vector) -> Vector:
            try:
                return at_point(vector)
            except Exception:
                # The gradient may be undefined there, and may raise anything.
                return np.full(vector.size, np.nan)

        return replace(
            f,
            inputs=shape.inputs,
            outputs=shape.outputs,
            value=evaluate(f.point),
            evaluate=one_by_one(evaluate),
            rounded=lambda points: points,
            evaluation_noise=np.zeros(f.point.size),
            eps=eps,
        )

    def _gradient_by_hand(self, vector: Vector) -> Vector:
        return self.first.moved(BY_HAND, vector).vjp(ONE)

    def _repeats(self) -> Any:
        found = [one for one in self.first.properties if one.name == "deterministic"]
        return found[0]

    # -- what can be run again -------------------------------------------------------------------------

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Return a method at another point."""
        if culprit == BY_HAND:
            return self._by_hand(vector)
        return self._second(self.first.moved(culprit, vector))

    def in_double(self) -> Pullback | None:
        """Return None: what is on trial is written by hand."""
        return None

    def own_measure(self) -> None:
        """Return None: the dtype on trial is not measured at the second order."""
        return

    def _of_the_gradient(self, runs: AllRuns) -> AllRuns:
        # Methods that cannot be measured keep their estimates.
        with contextlib.suppress(Exception):
            found = runs[0] and runs[0].second_order(ONE)
            if found is not None:
                coarse = [OfGradient(self.problem, run) for run in found.coarse]
                return Runs(OfGradient(self.problem, found.fine), coarse), {}
        return None, {}


def _moved(pullback: Pullback, vector: Vector) -> Vector:
    return pullback.moved(vector).vjp(ONE)


def measured(f: Function, gradient: Function) -> Function:
    """Return the gradient of a scalar function from its values, by quotients of four points per input.

    They are exact for polynomials of the third degree. The steps are the fifth root of the roundoff, where
    the rounding of the values and the truncation error, of the fourth power of the step, balance. The steps
    depend only on the point, so the quotients are as smooth as the function. At a bound of the domain all
    four points are inside.
    """
    n, sizes = f.point.size, natural_sizes(f.inputs, f.point)
    wanted = f.eps ** (1 / 5) * sizes
    up, down = f.upper - f.point, f.point - f.lower
    # Twice the steps: differences of the quotients move the point as well.
    central = np.fmin(up, down) >= 4 * wanted
    step = np.where(central, wanted, np.fmin(wanted, np.fmax(up, down) / 8))
    inward = np.where(up >= down, 1.0, -1.0)
    nodes = np.where(central, np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.arange(4.0)[:, None] * inward)
    moves = np.concatenate([np.diag(row * step) for row in nodes])

    def evaluate(points: Any) -> tuple[Any, int]:
        rows, calls = [], 0
        for point in points:
            around = f.rounded(point + moves)
            values, spent = f.evaluate(around)
            calls += spent
            at = np.array([np.diagonal(around[k * n : (k + 1) * n]) for k in range(4)])
            powers = ((at - point) / step)[None] ** np.arange(4.0)[:, None, None]
            weights = np.linalg.solve(np.moveaxis(powers, 2, 0), np.tile(np.eye(4)[1][:, None], (n, 1, 1)))
            rows.append((weights[:, :, 0].T * values[:, 0].reshape(4, n)).sum(axis=0) / step)
        return np.stack(rows), calls

    # The weights add up to 1.5 between the points, and to 40/6 at a bound.
    noise = np.where(central, 1.5, 7.0) * (f.eps * np.abs(f.value[0]) + f.evaluation_noise[0]) / step
    value, _ = evaluate(f.point[None])
    lower = np.where(central, f.lower + 2 * step, np.where(inward > 0, f.lower, f.point - down / 2))
    upper = np.where(central, f.upper - 2 * step, np.where(inward > 0, f.point + up / 2, f.upper))
    return replace(
        gradient, value=value[0], evaluate=evaluate, lower=lower, upper=upper, evaluation_noise=noise
    )


def second_derivative(form: Form, checked: Sequence[Checked], inputs: Any) -> list[Checked]:
    """Check a second derivative written by hand, or a jvp of many inputs, after the first order.

    ``checked`` is the result of the first order: differences use a gradient that it found right. A Hessian
    with only one block per input is checked input by input.
    """
    firsts = [each for each in checked if isinstance(each.finding.evidence.order, FirstOrder)]
    base = next((each for each in firsts if each.is_right), firsts[0])
    evidence = base.finding.evidence
    order = evidence.order
    assert isinstance(order, FirstOrder), "the first order comes first"
    if not _leaves_a_gradient(base):
        return []
    trusted = {
        name: pullback for name, pullback in evidence.heard.items() if name != BY_HAND or base.is_right
    }
    if form.order == 1:
        return [along_lines(form, order, trusted)]
    problem, blocks = order.problem, False
    # The check finds out what raises.
    with contextlib.suppress(Exception):
        blocks = curvature.gives_blocks_alone(form, problem)
    if not blocks:
        return [_checked(HessianOrder(order, form, trusted))]
    out = []
    for leaf in problem.inputs.leaves:
        alone = Problem(problem.fn, inputs, name=problem.name, wrt=(leaf.name,), seed=problem.seed)
        part = slice(leaf.start, leaf.stop)
        alone.lower, alone.upper = problem.lower[part], problem.upper[part]
        by_hand = order.form if BY_HAND in trusted else None
        first = FirstOrder(alone, order.options, by_hand).prepare()
        found = _checked(HessianOrder(first, form, first.methods.pullbacks))
        # Each of them excluded the other inputs, which the whole check does not.
        left = tuple(each for each in found.result.not_checked if each.reason != "excluded by wrt")
        out.append(found._replace(result=replace(found.result, not_checked=left)))
    mixed = NotChecked("the mixed second derivatives", f"{form.name}= gives one block for each input")
    last = out[-1]
    out[-1] = last._replace(result=replace(last.result, not_checked=(*last.result.not_checked, mixed)))
    return out


def _leaves_a_gradient(base: Checked) -> bool:
    """Whether the first order found a gradient right, or found nothing against it."""
    if base.is_wrong:
        # Of another gradient by hand.
        return base.result.culprit == BY_HAND and base.finding.diagnosis.code != "not-linear"
    return base.is_right or base.finding.diagnosis.code == "nothing-checked"


def _checked(order: HessianOrder) -> Checked:
    return Checked(*run(order.prepare()), order.form)
