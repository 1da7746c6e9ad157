"""A hand-written jvp of many inputs, compared along a few lines instead of in every column of the Jacobian.

Along k lines the function depends on k numbers s, by x + s · T, and a jvp gives its Jacobian in k calls. From
a wrong line the wrong input is found by halving, and the columns of that input and of a few others are
compared.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.decide import run
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian
from pytest_gradcheck.core.evidence.survey import bisect, projections
from pytest_gradcheck.core.orders import AllRuns, FirstOrder, Methods, SecondOrder, linearity
from pytest_gradcheck.core.results import NotChecked, Verdict
from pytest_gradcheck.core.together import Checked
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.frameworks.pullback import Program, Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import user
from pytest_gradcheck.methods.base import HasLayouts, Layouts
from pytest_gradcheck.methods.forms import Form
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.methods.roles import BY_HAND, DIFFERENCES, ENGINE, ORACLE, Roles


class Columns(Layout):
    """The numbers along some lines, named after the inputs that they move if each moves one."""

    def __init__(self, inputs: Layout, lines: Matrix) -> None:
        super().__init__(["direction"], [(len(lines),)], ["float64"])
        self._inputs, self._lines = inputs, lines

    def locate(self, coordinate: int) -> tuple[str, tuple[int, ...]]:
        """Return the name and the index of the input that a line moves; see `Layout.locate`."""
        moved = np.flatnonzero(self._lines[coordinate])
        return self._inputs.locate(int(moved[0])) if len(moved) == 1 else super().locate(coordinate)


class AlongLines(Pullback):
    """A pullback of the function, contracted with some lines."""

    def __init__(self, shape: HasLayouts, inner: Pullback, lines: Matrix) -> None:
        super().__init__(
            Program(self._run, shape.inputs, shape.outputs), inner.primal, inner.eps, inner.notes
        )
        self._inner, self._lines = inner, lines

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back; see `Pullback.vjp`."""
        self.evaluations += 1
        self.calls += 1
        return np.asarray(self._lines @ self._inner.vjp(cotangent))

    def second_order(self, cotangent: Vector) -> Pullback:
        """Raise `Unavailable`."""
        raise Unavailable("it is known along some lines alone")

    def primal_at(self, vector: Vector) -> Vector:
        """Raise `Unavailable`."""
        raise Unavailable("it is known along some lines alone")

    def _run(self, *_: Any) -> Sequence[Any]:
        raise Unavailable("it is known along some lines alone")


class LinesOrder(SecondOrder):
    """The derivative of the function along some lines, with a jvp by hand on trial.

    ``lines`` has shape ``(k, inputs.size)``.
    """

    number = 1
    of_inputs = False
    #: A proof is of single inputs.
    proof = None

    def __init__(self, first: FirstOrder, form: Form, trusted: Mapping[str, Pullback], lines: Matrix):
        super().__init__(first, None)
        self.form, self.on_trial, self._trusted, self._lines = form, form, trusted, lines
        self.roles = Roles(None, ())
        self.methods = Methods(self.roles, notes=first.methods.notes)
        self.tolerance = self.options.tolerance(self.problem.trial_eps, self.problem.trial_tiny)
        self.along = projections(self.options, len(lines), self.problem.outputs.size, self.problem.seed)
        self._shape = Layouts(Columns(self.problem.inputs, lines), self.problem.outputs)
        self.function = self._along_lines(first.function)

    def prepare(self) -> LinesOrder:
        """Prepare the available methods and the jvp, and return the order."""
        for name, state in self.first.methods.states.items():
            if name in DIFFERENCE_METHODS:
                self.methods.states[name] = state
            elif name in (ENGINE, ORACLE) and name in self._trusted:
                inner = self._trusted[name]
                made = functools.partial(AlongLines, self._shape, inner, self._lines)
                self.methods.prepare(name, made)
        self.methods.prepare(BY_HAND, functools.partial(self._by_hand, None))
        self.properties = self.first.properties
        self.probes = (functools.partial(linearity, self),)
        return self

    def _by_hand(self, at: Vector | None) -> Pullback:
        pullback = user.prepare(self.on_trial, self.problem, at=at)
        assert isinstance(pullback, user.UserJvp), "it is a jvp that is checked so"
        return pullback.along(self._lines, self._shape)

    def _along_lines(self, f: Function) -> Function:
        lines = self._lines
        inverse = np.linalg.pinv(lines)

        def points(s: Matrix) -> Matrix:
            return np.asarray(f.point + s @ lines)

        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(lines != 0, np.fmin(f.upper - f.point, f.point - f.lower) / np.abs(lines), np.inf)
        # Several numbers move one input at once.
        reach = room.min(axis=1, initial=np.inf) / len(lines)
        return replace(
            f,
            inputs=self._shape.inputs,
            outputs=self._shape.outputs,
            point=np.zeros(len(lines)),
            evaluate=lambda s: f.evaluate(points(s)),
            rounded=lambda s: np.asarray((f.rounded(points(s)) - f.point) @ inverse),
            lower=-reach,
            upper=reach,
        )

    # -- what can be run again -------------------------------------------------------------------------

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Return a method at another point."""
        point = self.first.function.point + vector @ self._lines
        if culprit == BY_HAND:
            return self._by_hand(point)
        return AlongLines(self._shape, self.first.moved(culprit, point), self._lines)

    def in_double(self) -> Pullback | None:
        """Return None: what is on trial is written by hand."""
        return None

    def own_measure(self) -> None:
        """Return None: the dtype on trial is not measured along lines."""
        return

    def _of_the_gradient(self, runs: AllRuns) -> AllRuns:
        return None, {}


def along_lines(form: Form, order: FirstOrder, trusted: Mapping[str, Pullback]) -> Checked:
    """Check a jvp along random lines, and by the columns of a wrong input if it fails or is in doubt."""
    problem = order.problem
    rng = np.random.default_rng(problem.seed)
    plain = Jacobian(order.function, {}, DIFFERENCES)
    lines = np.stack([plain.direction(rng) for _ in range(thresholds.DIRECTIONS)])
    looked = LinesOrder(order, form, trusted, lines).prepare()
    result, finding = run(looked)
    compared = finding.evidence.table is not None
    if result.verdict is Verdict.FAIL and compared and not order.options.brief:
        found = _input(plain, looked, lines, rng)
        others = rng.permutation(problem.inputs.size)[: thresholds.DRAWN_NEXT_TO_IT]
        columns = list(dict.fromkeys([*found, *(int(i) for i in others)]))
        units = np.zeros((len(columns), problem.inputs.size))
        units[np.arange(len(columns)), columns] = 1.0
        closer = run(LinesOrder(order, form, trusted, units).prepare()) if found else None
        if closer is not None and closer[0].verdict is Verdict.FAIL:
            result, finding = closer
    what = NotChecked("single columns of the Jacobian", f"{form.name}= is compared along random lines")
    if result.verdict is Verdict.PASS:
        result = replace(result, not_checked=(*result.not_checked, what), mode="directional")
    return Checked(result, finding, form)


def _input(plain: Jacobian, looked: LinesOrder, lines: Matrix, rng: np.random.Generator) -> list[int]:
    """Return an input with a wrong column, found by halving a line, if there is one."""
    jvp = user.prepare(looked.on_trial, looked.problem)
    assert isinstance(jvp, user.UserJvp), "as above"
    u = rng.uniform(0.5, 1.5, looked.problem.outputs.size)[None]
    rtol = looked.tolerance.rtol

    def is_wrong(mask: Vector) -> bool:
        measured = plain.along(mask * line, u, thorough=False).central
        mine = float(u[0] @ jvp.jvp(mask * line))
        allowed = float(measured.uncertainty[0, 0]) + rtol * abs(mine)
        return abs(mine - float(measured.value[0, 0])) > allowed

    for line in lines:
        found = bisect(line.size, is_wrong, most=1)
        if found:
            return found
    return []


def has_many_inputs(form: Form, problem: Problem) -> bool:
    """Whether a derivative by hand is a jvp of so many inputs that not all of its columns are computed."""
    return form.how == "jvp" and problem.inputs.size > thresholds.ENTRYWISE
