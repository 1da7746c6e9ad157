"""The two things that are decided: the gradient, and the gradient of the gradient."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from typing import Any

import numpy as np

from pytest_gradcheck.core.decide import Decision
from pytest_gradcheck.core.diagnosis import causes, properties
from pytest_gradcheck.core.diagnosis.values import VAGUE, is_odd_multiple
from pytest_gradcheck.core.evidence.jacobian import Function, one_by_one
from pytest_gradcheck.core.evidence.rounding import RUNS, Runs
from pytest_gradcheck.core.evidence.survey import random_cotangents
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.results import (
    CheckResult,
    Diagnosis,
    NotChecked,
    Status,
    Verdict,
)
from pytest_gradcheck.core.verdict import Finding
from pytest_gradcheck.errors import InvalidArgument, Unavailable
from pytest_gradcheck.frameworks.flat import Matrix, Vector
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import reference, registry, user
from pytest_gradcheck.methods.names import AUTODIFF_METHODS, DIFFERENCE_METHODS, METHOD_NAMES

#: How many wrong rows and columns are looked at again at another point.
SOME = 4

#: Diagnoses of functions that two calls cannot be compared of.
SILENT = ("nondeterministic", "non-finite-value")


class Explained(Decision):
    """A decision that looks for why a gradient is wrong."""

    def has_own_backwards(self) -> bool:
        """Whether there is one in the graph; see `Decision.has_own_backwards`."""
        return any(pullback.hand_written() for pullback in self.pullbacks.values())

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Return the method on trial at another point."""
        raise NotImplementedError

    def in_double(self) -> Pullback | None:
        """Return torch's gradient in float64, or None where it cannot run in it."""
        raise NotImplementedError

    def cause(
        self, culprit: str, found: Diagnosis, table: Table, bad: Any, right: Matrix
    ) -> Diagnosis | None:
        """Look for one in the inputs, in other precisions, at other points, in the graph; see `Decision`."""
        wrong, rows, eps = table.exact[culprit].value, table.cotangents, self.pullbacks[culprit].eps
        framework = self.problem.framework
        on_trial = framework.differentiates and culprit == framework.name
        if culprit != "user" and not on_trial:
            return None
        # What is a multiple of the right gradient to five digits lost none.
        multiple = found.code in ("sign", "constant-factor", "conjugate")
        lost = None if multiple else causes.lost_precision(wrong, right, bad, culprit, eps)
        narrow = on_trial and eps > EPS64
        if lost is None and not multiple and narrow and self._right_in_double(rows, right, bad):
            lost = Diagnosis("precision-loss", f"{found.text}; in float64 it is right")
        if lost is not None:
            return lost
        # Differences that agree with what is wrong here would do so elsewhere.
        blind = any(c.agree for c in table.evidence if not table.entrywise(c) and culprit in (c.a, c.b))
        words = (
            None
            if blind
            else causes.special_values(
                self.function,
                culprit,
                lambda vector: self.moved(culprit, vector),
                self.problem.inputs,
                self.options.tolerance,
                random_cotangents,
                self.problem.seed,
                (rows[bad.any(axis=1)][:SOME], [int(i) for i in np.flatnonzero(bad.any(axis=0))[:SOME]]),
            )
        )
        if words is not None:
            text = f"{found.text}; it is right where no input is {words}"
            return Diagnosis("special-values", text)
        engine = self.pullbacks.get("reference")
        # A sum that takes one of its terms is zero by all others.
        some = found.code == "zero-gradient" and wrong[:, bad.any(axis=0)].any()
        odd = found.code == "constant-factor" and is_odd_multiple(wrong, right, bad)
        if (found.code in VAGUE or some or odd) and isinstance(engine, reference.ReferencePullback):
            assert self.first_look is not None
            # A mistake that single outputs fit may not fit the others: a first look goes over all of them.
            rows = np.vstack([rows, self.first_look.cotangents])
            wrong = np.vstack([wrong, self.first_look.exact[culprit].value])
            return causes.mistake(engine, rows, wrong, int(np.argmax(bad.any(axis=1))), culprit)
        return None

    def _right_in_double(self, rows: Matrix, right: Matrix, bad: Any) -> bool:
        try:
            fine = self.in_double()
            return fine is not None and causes.is_right_in_double(fine, rows, right, bad)
        except Exception:
            # A backward that raises in float64 is not right there.
            return False


class FirstOrder(Explained):
    """The derivative of the function at the point."""

    order = 1

    def __init__(self, problem: Problem, options: Options):
        super().__init__(problem, options)
        self.function = Function.of(problem)
        self.properties = properties.of_function(problem)
        #: The function as autograd sees it, where it stops gradients and means to.
        self.held: Pullback | None = None
        #: Why the recording is not the function as autograd sees it, where it is not.
        self.blind: str | None = None
        #: By how many there are: runs to measure rounding by.
        self._runs: dict[int, tuple[Runs | None, dict[str, Runs]]] = {}

    def run(self) -> CheckResult:
        """Prepare every method and decide."""
        why = self._hold() if self.options.hold_stops else None
        for name in METHOD_NAMES:
            if name not in self.options.methods:
                continue
            if name in DIFFERENCE_METHODS:
                self.states[name] = (Status.OK if why is None else Status.UNAVAILABLE, why)
            elif name == "user" and not (self.options.gradient or self.options.vjp):
                if self.options.demanded:
                    raise InvalidArgument(
                        "methods", "'user' without a gradient", "give gradient= or vjp= as well"
                    )
            else:
                self.prepare(name, lambda name=name: self._make(name))  # type: ignore[misc]  # binds the loop's name
        return self._in_every_way(self._of_any_cotangent(self.decide()))

    def _make(self, name: str) -> Pullback:
        if name == "reference" and self.blind:
            raise Unavailable(self.blind)
        if name == "reference" and self.held:
            return self.held
        options = self.options
        return registry.prepare(
            name,
            self.problem,
            gradient=options.gradient,
            vjp=options.vjp,
            hold_stops=options.hold_stops,
        )

    def look_around(self, name: str, pullback: Pullback) -> None:
        """See what holds of torch's run beside its gradient; see `Decision.look_around`."""
        if self._is_on_trial(name):
            # A dtype or device on which a trial itself cannot work says nothing of the backward.
            with contextlib.suppress(Exception):
                found = self.problem.framework.properties_of_run(self.problem, pullback)
                self.properties = properties.merged(self.properties, found)

    def _is_on_trial(self, name: str) -> bool:
        framework = self.problem.framework
        return framework.differentiates and name == framework.name

    def _of_any_cotangent(self, result: CheckResult) -> CheckResult:
        """See whether a vjp by hand is linear: for the cotangents of single outputs it may be right."""
        by_hand = self.pullbacks.get("user")
        silent = result.verdict is Verdict.FAIL or result.diagnosis.code in SILENT
        if silent or not isinstance(by_hand, user.UserVjp):
            return result
        found = properties.of_vjp(by_hand)
        self.properties = properties.merged(self.properties, (found,))
        broken = properties.violation((found,))
        if broken is not None:
            return self.result(Finding(Verdict.FAIL, broken, "user"), self.table)
        return dataclasses.replace(result, properties=self.properties)

    def _in_every_way(self, result: CheckResult) -> CheckResult:
        """Run the user's own Functions in every way; if the gradient is wrong already, to explain it."""
        framework = self.problem.framework
        pullback = self.pullbacks.get(framework.name) if framework.differentiates else None
        failed = result.verdict is Verdict.FAIL
        if result.diagnosis.code in SILENT or pullback is None:
            return result
        if failed and (
            self.options.brief or result.culprit != framework.name or properties.violation(self.properties)
        ):
            return result
        start = time.perf_counter()
        with contextlib.suppress(Exception):
            found = framework.properties_of_functions(self.problem, pullback)
            self.properties = properties.merged(self.properties, found)
        self.preparation[framework.name] += time.perf_counter() - start
        broken = properties.violation(self.properties)
        if broken is None or (failed and broken.code not in properties.EXPLAINS):
            return dataclasses.replace(result, properties=self.properties)
        if failed:
            explained = Diagnosis(broken.code, f"{broken.text}; {result.diagnosis.text}")
            return dataclasses.replace(result, properties=self.properties, diagnosis=explained)
        return self.result(Finding(Verdict.FAIL, broken, framework.name), self.table)

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Call the method on trial at another point; see `Explained`."""
        pullback = self.pullbacks[culprit]
        if culprit == "user":
            return user.prepare(self.problem, self.options.gradient, self.options.vjp, at=vector)
        return pullback.moved(vector)

    def in_double(self) -> Pullback | None:
        """Return the framework's gradient in float64; see `Explained`."""
        own = self.pullbacks.get(self.autodiff)
        return own and own.in_double()

    def _hold(self) -> str | None:
        """Let differences see the function as autograd does; return why they cannot, or None.

        What the function detaches would move with the point if it were called there. The recording keeps it.
        """
        problem = self.problem
        try:
            held = registry.prepare("reference", problem, hold_stops=True)
            self.must_reproduce("reference", held, held.vjp(np.ones(problem.outputs.size)))
        except Unavailable as reason:
            return f"what stops gradients cannot be held still: {reason}"
        hidden = [text for code, text in held.notes if code == "hidden"]
        if hidden:
            # It would stand still as well, and has a backward that says otherwise.
            self.blind = f"what stops gradients cannot be held still alone: {hidden[0]}"
            return self.blind
        self.held = held
        problem.not_checked += [NotChecked(text, "as declared") for _, text in held.notes]
        self.function = dataclasses.replace(
            self.function,
            value=held.primal,
            evaluate=one_by_one(held.primal_at),
            rounded=lambda points: points,
            jitter=np.zeros(problem.outputs.size),
            eps=held.eps,
        )
        return None

    def must_reproduce(self, name: str, pullback: Pullback, gradient: Vector) -> None:
        """Compare the method's primal with the function's own value; see `Decision.must_reproduce`."""
        problem = self.problem
        expected = problem.value if pullback.eps <= EPS64 else problem.primal
        if not np.isfinite(expected).all():
            return
        # What cancels to almost nothing is known to no better than the roundoff of its parts.
        parts = np.abs(gradient * problem.point)
        size = max(np.abs(expected).max(initial=0.0), np.where(np.isfinite(parts), parts, 0.0).sum())
        eps = max(pullback.eps, problem.eps)
        gap = np.abs(pullback.primal - expected)
        # The lowering takes the root of zero at 1e-200.
        if not (gap <= 1e5 * eps * size + 1e-95).all():
            k = int(np.argmax(np.where(np.isnan(gap), np.inf, gap)))
            where, index = problem.outputs.locate(k)
            whose = "the recording does not reproduce the function"
            if self._is_on_trial(name):
                whose = "the function gives another value where gradients are enabled"
            raise Unavailable(
                f"{whose}: {where}{list(index) or ''} is "
                f"{pullback.primal[k]:.9g} instead of {expected[k]:.9g}{pullback.parting()}"
            )

    def runs_to_measure(self, count: int) -> tuple[Runs | None, dict[str, Runs]]:
        """Return the runs of the engine (of torch where there is none), and of torch's own backward."""
        if count not in self._runs:
            self._runs[count] = self._common_runs(count), self._disturbed(count, backward=True)
        return self._runs[count]

    def _common_runs(self, count: int) -> Runs | None:
        try:
            wide = self.pullbacks.get("reference")
            fine = wide or self.in_double()
            coarse = fine.coarse_runs(count) if fine is not None else ()
            return Runs(fine, coarse) if fine is not None and coarse else None
        except Exception:
            # A function that runs in one precision alone keeps the estimate.
            return None

    def _disturbed(self, count: int, *, backward: bool) -> dict[str, Runs]:
        try:
            fine = self.in_double()
            if fine is None:
                return {}
            return {self.autodiff: Runs(fine, fine.own_runs(count, backward=backward))}
        except Exception:
            # An operation that does not bear to be disturbed, such as a sparse one.
            return {}

    def runs_on_disagreement(self) -> tuple[Runs | None, dict[str, Runs]]:
        """Return those of the engine and of torch; see `Decision.runs_on_disagreement`."""
        return self._runs_on_disagreement

    @functools.cached_property
    def _runs_on_disagreement(self) -> tuple[Runs | None, dict[str, Runs]]:
        wide, finer = self.pullbacks.get("reference"), None
        if wide is not None:
            with contextlib.suppress(Exception):
                # As in `_common_runs`.
                finer = Runs(wide, wide.finer_runs(RUNS))
        return finer, self._disturbed(RUNS, backward=False)

    @property
    def autodiff(self) -> str:
        """The name of the method that is a framework's own gradient: of the function's, or a stand-in's."""
        return next((name for name in self.options.methods if name in AUTODIFF_METHODS), "")


class SecondOrder(Explained):
    """The derivative of ``(x, u) → u · J(x)`` at the point and a random cotangent u."""

    order = 2

    def __init__(self, first: FirstOrder):
        super().__init__(first.problem, first.options)
        self.first = first
        self.properties = first.properties
        rng = np.random.default_rng(first.problem.seed)
        self.cotangent = random_cotangents(rng, first.problem.outputs.size)[0]
        if first.jacobian is not None:
            self.cotangent = self.cotangent * first.jacobian.output_weights

    def run(self) -> CheckResult:
        """Prepare every method that the first order could use, and decide."""
        for name, (status, reason) in self.first.states.items():
            self.states[name] = (status, reason)
            if name in self.first.pullbacks:
                pullback = self.first.pullbacks[name]
                self.prepare(name, lambda p=pullback: p.second_order(self.cotangent))  # type: ignore[misc]  # as above
        self.function = self._gradient_function()
        return self.decide()

    def _gradient_function(self) -> Function:
        """Return the gradient as differences see it: a first derivative that was just found right."""
        f = self.first.function
        lead = self.pullbacks.get("reference") or self._held() or self._torch_in_double()
        lead = lead or self.pullbacks.get(self.first.autodiff)
        if lead is None:
            # Nobody has a second derivative; the first order stands for the layout of the result.
            return f

        def evaluate(vector: Any) -> Any:
            try:
                return lead.primal_at(vector)
            except Exception:
                return np.full(lead.program.outputs.size, np.nan)

        free = np.full(f.outputs.size, np.inf)
        return Function(
            lead.program.inputs,
            lead.program.outputs,
            np.concatenate([f.point, self.cotangent]),
            lead.primal,
            one_by_one(evaluate),
            lambda points: points,
            np.concatenate([f.lower, -free]),
            np.concatenate([f.upper, free]),
            np.zeros(lead.program.outputs.size),
            lead.eps,
        )

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Move the point and the cotangent; see `Explained`."""
        size = self.problem.inputs.size
        return self.first.moved(culprit, vector[:size]).second_order(vector[size:])

    def in_double(self) -> Pullback | None:
        """Return the gradient of torch's gradient in float64; see `Explained`."""
        return self._torch_in_double()

    def _held(self) -> Pullback | None:
        return None if self.first.held is None else self.first.held.second_order(self.cotangent)

    def _torch_in_double(self) -> Pullback | None:
        if self.first.autodiff not in self.pullbacks:
            return None
        try:
            fine = self.first.in_double()
            return fine and fine.second_order(self.cotangent)
        except Exception:
            # The gradient in the function's own precision is there as well, only coarser.
            return None

    def runs_to_measure(self, count: int) -> tuple[Runs | None, dict[str, Runs]]:
        """Return the gradients of the first order's runs."""
        return self._of_the_gradient(*self.first.runs_to_measure(count))

    def runs_on_disagreement(self) -> tuple[Runs | None, dict[str, Runs]]:
        """Return the gradients of the first order's runs."""
        return self._of_the_gradient(*self.first.runs_on_disagreement())

    def _of_the_gradient(
        self, common: Runs | None, own: dict[str, Runs]
    ) -> tuple[Runs | None, dict[str, Runs]]:
        try:
            common = common and common.second_order(self.cotangent)
        except Exception:
            # What cannot be measured keeps its estimate.
            common = None
        try:
            return common, {name: runs.second_order(self.cotangent) for name, runs in own.items()}
        except Exception:
            # As above.
            return common, {}
