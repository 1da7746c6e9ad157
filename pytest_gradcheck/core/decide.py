"""The one road: prepare the methods, look, look closely on doubt, and say what was found."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_gradcheck.core import verdict, witnesses
from pytest_gradcheck.core.diagnosis.causes import of_error
from pytest_gradcheck.core.diagnosis.properties import violation
from pytest_gradcheck.core.evidence.compare import vote
from pytest_gradcheck.core.evidence.jacobian import Cost, Function, Jacobian
from pytest_gradcheck.core.evidence.looks import compared_anew
from pytest_gradcheck.core.evidence.rounding import RUNS, Runs, measure
from pytest_gradcheck.core.evidence.survey import Inspection, Projections, projections
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.report import summary
from pytest_gradcheck.core.report.source import to_source
from pytest_gradcheck.core.results import CheckResult, Diagnosis, MethodResult, Property, Status, Verdict
from pytest_gradcheck.core.verdict import Finding, States
from pytest_gradcheck.errors import InvalidArgument, NotImplementedByFramework, Unavailable
from pytest_gradcheck.frameworks.flat import Matrix, Vector
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS, METHOD_NAMES

#: Diagnoses that torch itself gave the reason for.
NOTED = ("detached", "once-differentiable", "none-gradient")


class Decision:
    """A check of one function at one point, whatever its order."""

    order: int
    function: Function

    def __init__(self, problem: Problem, options: Options):
        self.problem = problem
        self.options = options
        self.pullbacks: dict[str, Pullback] = {}
        self.states: States = {}
        self.preparation: dict[str, float] = {}
        self.jacobian: Jacobian | None = None
        self._along: tuple[Projections | None] | None = None
        #: What the lowering saw in the function's own code: where it stops gradients.
        self.remarks: list[tuple[str, str]] = []
        #: What the engine did not see of the function, which a backward of its own may well know.
        self.hidden: list[str] = []
        #: What holds beside the values.
        self.properties: tuple[Property, ...] = ()
        #: What the verdict was found from.
        self.table: Table | None = None
        #: What torch has no derivative of, in its words.
        self.missing: str | None = None
        #: What was looked at first, before any doubt.
        self.first_look: Table | None = None
        #: Whether the reference engine was left out for being wrong itself.
        self.overruled = False

    def runs_to_measure(self, count: int) -> tuple[Runs | None, dict[str, Runs]]:
        """Return runs to measure rounding by: of the function, and of what single methods make of it.

        ``count`` is how many of each kind.
        """
        raise NotImplementedError

    def runs_on_disagreement(self) -> tuple[Runs | None, dict[str, Runs]]:
        """Return runs that may excuse a disagreement: of the function but little disturbed, and of methods.

        Of the latter the forward pass alone rounds, which a backward pass has to live with.
        """
        raise NotImplementedError

    def has_own_backwards(self) -> bool:
        """Whether torch's run of the function went through a backward that somebody wrote for it."""
        raise NotImplementedError

    def prepare(self, name: str, make: Callable[[], Pullback]) -> None:
        """Make one exact method ready, or write down why it cannot run."""
        start = time.perf_counter()
        try:
            pullback = make()
            # One pull at once: a backward that raises is seen here and not in the middle of a table.
            program = pullback.program
            along = self._projections(program.inputs.size, program.outputs.size)
            gradient = pullback.begin(np.ones(program.outputs.size) if along is None else along.cotangents[0])
            self.must_reproduce(name, pullback, gradient)
            self.pullbacks[name] = pullback
            self.states[name] = (Status.OK, None)
            self.look_around(name, pullback)
            if name == "reference":
                self.hidden = [text for code, text in pullback.notes if code == "hidden"]
                self.remarks = [note for note in pullback.notes if note[0] != "hidden"]
        except Unavailable as reason:
            self.states[name] = (Status.UNAVAILABLE, str(reason))
            if isinstance(reason, NotImplementedByFramework):
                self.missing = str(reason)
        except InvalidArgument:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines()
            text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
            framework = self.problem.framework
            on_trial = name == "user" or (framework.differentiates and name == framework.name)
            self.states[name] = (Status.ERROR if on_trial else Status.UNAVAILABLE, text)
        finally:
            self.preparation[name] = time.perf_counter() - start

    def must_reproduce(self, name: str, pullback: Pullback, gradient: Vector) -> None:
        """Raise `Unavailable` when a method's own run gives another value than the function."""

    def look_around(self, name: str, pullback: Pullback) -> None:
        """See what else holds of a method that has just given its gradient for a first cotangent."""

    def _projections(self, n: int, m: int) -> Projections | None:
        """Return those of the first look: a first pull is one of them, where there are any."""
        if self._along is None:
            self._along = (projections(self.options, n, m, self.problem.seed),)
        return self._along[0]

    def decide(self) -> CheckResult:
        """Compare cheaply, look closely on doubt, and say what was found."""
        for name, (status, reason) in self.states.items():
            if status is Status.ERROR:
                return self.result(
                    Finding(Verdict.FAIL, of_error(name, str(reason), self.problem.framework), name)
                )
        # In the order of the names: that of a set changes from run to run, and with it the message.
        differences = tuple(
            n for n in METHOD_NAMES if n in DIFFERENCE_METHODS and self.states.get(n) == (Status.OK, None)
        )
        on_trial = self.problem.framework.differentiates and "user" not in self.pullbacks
        early = verdict.nothing_to_compare(
            self.function, self.pullbacks, differences, self.states, self.missing, on_trial=on_trial
        )
        if early is not None:
            return self.result(early)
        broken = violation(self.properties)
        if broken is not None:
            # Whatever a table of such a backward would show depends on how often it was called before.
            return self.result(Finding(Verdict.FAIL, broken, self.problem.framework.name))
        jacobian = Jacobian(self.function, self.pullbacks, differences, self.options.step)
        self.jacobian = jacobian
        looked = Inspection(
            jacobian,
            self.options,
            self._projections(self.function.inputs.size, self.function.outputs.size),
        )
        self.first_look = first = looked.first
        if first.settled:
            return self._passed(first, jacobian)
        entries: Table | None = None
        clear, runs = None, RUNS
        # One wrong entry does not show whether the function has a derivative.
        if self._engine_alone or not looked.suspects():
            entries = looked.entries()
            clear = looked.clear_case(entries)
            if clear is None and all(pullback.eps <= EPS64 for pullback in self.pullbacks.values()):
                entries = looked.by_long_ladder(entries)
                if entries is not None and entries.unanimous:
                    clear = entries
                elif entries is not None and entries.refined:
                    jacobian.settled = entries.settled_rows
                    # Nobody is to be excused: one run of each kind shows whether digits are lost at all.
                    runs = RUNS if entries.disagrees else 1
        if clear is None:
            measure(jacobian, *self.runs_to_measure(runs), first.kinked(self.function.inputs.size))
        table = clear or looked.close_look(entries)
        if table.disagrees and clear is None:
            table = self._forgiven(table, jacobian, looked, entries)
        for name in ("reference", "torch", "complex_step"):
            reason = self._why_no_witness(name, table)
            if reason is not None:
                del self.pullbacks[name]
                self.states[name] = (Status.UNAVAILABLE, reason)
                self.overruled |= name == "reference" and reason == witnesses.STANDS_ALONE
                if not self.pullbacks:
                    return self.result(verdict.nowhere_finite(), table)
                table = looked.close_look(entries)
        if table.disagrees and (table.unmeasurable or self._engine_alone_where_it_bends(table, jacobian)):
            return self.result(verdict.no_common_ground(), table)
        if table.disagrees and table.differences_split:
            return self.result(verdict.differences_split(), table)
        if table.disagrees:
            return self._failed(table, jacobian, first)
        if table.everybody_backed and not table.jumps:
            return self._passed(table, jacobian)
        return self.result(verdict.undecided(table, jacobian, self.options.tolerance.sensitivity), table)

    @property
    def _engine_alone(self) -> bool:
        """Whether the reference engine is the only exact method, of code that is not torch's."""
        return not self.problem.framework.differentiates and self.pullbacks.keys() == {"reference"}

    def _engine_alone_where_it_bends(self, table: Table, jacobian: Jacobian) -> bool:
        sensitivity, seed = self.options.tolerance.sensitivity, self.problem.seed
        return self._engine_alone and witnesses.bends(table, jacobian, sensitivity, seed)

    def _why_no_witness(self, name: str, table: Table) -> str | None:
        stands_in = not self.problem.framework.differentiates
        if name == "reference":
            escaped = [text for code, text in self.remarks if code == "out-of-graph"] + self.hidden
            return witnesses.why_reference_is_none(table, stands_in=stands_in, escaped=escaped)
        if name == "torch":
            own = self.has_own_backwards
            return witnesses.why_torch_is_none(table, stands_in=stands_in, own_backwards=own)
        return witnesses.why_the_complex_step_is_none(table)

    def _forgiven(self, table: Table, jacobian: Jacobian, looked: Inspection, entries: Table | None) -> Table:
        """Look again, where methods disagree, with more of what rounding may do to them."""
        finer, kept = self.runs_on_disagreement()
        if finer is None and not kept:
            return table
        kinked = looked.first.kinked(self.function.inputs.size)
        measure(jacobian, *self.runs_to_measure(RUNS), kinked, finer, kept)
        again = compared_anew(table, jacobian, self.options.tolerance)
        return again if again.disagrees else looked.close_look(entries)

    # -- outcomes ------------------------------------------------------------------------------------

    def _passed(self, table: Table, jacobian: Jacobian) -> CheckResult:
        sensitivity = self.options.tolerance.sensitivity
        return self.result(verdict.passed(table, jacobian, sensitivity, overruled=self.overruled), table)

    def _failed(self, table: Table, jacobian: Jacobian, first: Table) -> CheckResult:
        culprit = vote(table.agreement, [*jacobian.differences, *table.exact])
        if culprit is None:
            return self.result(verdict.no_culprit(table, self.remarks), table)
        bad = table.bad_entries(culprit)
        right = verdict.right_values(table, jacobian, culprit)
        notes = self.pullbacks[culprit].notes
        diagnosis = verdict.kind_of_wrong(culprit, table, self.function, first, bad, right, notes)
        if culprit in ("torch", "user") and diagnosis.code != "non-finite-gradient":
            remarked = culprit == "torch" and self.remarks
            if not self.options.brief and not remarked and diagnosis.code not in ("kink-outside", *NOTED):
                diagnosis = self.cause(culprit, diagnosis, table, bad, right) or diagnosis
            diagnosis = verdict.remarked(diagnosis, self.remarks) if remarked else diagnosis
        if culprit == "reference":
            diagnosis = Diagnosis("reference-engine", f"{diagnosis.text}; the others agree")
        return self.result(Finding(Verdict.FAIL, diagnosis, culprit), table)

    def cause(
        self, culprit: str, found: Diagnosis, table: Table, bad: Any, right: Matrix
    ) -> Diagnosis | None:
        """Say why a gradient is wrong, where more can be told than its values say."""
        raise NotImplementedError

    def result(self, found: Finding, table: Table | None = None) -> CheckResult:
        """Write down what was found, in the table that it was found from."""
        problem, labels = self.problem, found.labels
        self.table = table
        if table is not None and table.differences is not None and table.differences.one_sided.any():
            labels += ("one-sided",)
        in_short: Any = ((), None)
        if table is not None and self.jacobian is not None:
            in_short = summary.in_short(table, self.jacobian)
        sources: dict[str, str] = {}
        if found.verdict is not Verdict.PASS and not self.options.brief:
            sources = {key: to_source(value) for key, value in problem.arguments.items()}
        return CheckResult(
            name=problem.name,
            verdict=found.verdict,
            culprit=found.culprit,
            methods=self._method_results(table),
            pairs=in_short[0],
            worst=in_short[1],
            diagnosis=found.diagnosis,
            not_checked=(*problem.not_checked, *found.not_checked),
            order=self.order,
            mode="directional" if table is not None and table.projected else "full",
            sensitivity=self.options.tolerance.sensitivity,
            seed=problem.seed,
            inputs=sources,
            reproduce=_reproduce(problem, sources, self.order, self.options.hold_stops) if sources else "",
            labels=labels,
            properties=self.properties,
        )

    def _method_results(self, table: Table | None) -> dict[str, MethodResult]:
        costs = self.jacobian.costs if self.jacobian is not None else {}
        out: dict[str, MethodResult] = {}
        for name, (status, reason) in self.states.items():
            cost = costs.get(name, Cost())
            evaluations, calls = cost.evaluations, cost.calls
            if name in self.pullbacks:
                evaluations, calls = self.pullbacks[name].evaluations, self.pullbacks[name].calls
            seconds = self.preparation.get(name, 0.0) + cost.seconds
            value = bar = None
            if table is not None and status is Status.OK:
                value, bar = summary.shown(name, table, self.function, self._structure)
            out[name] = MethodResult(status, reason, value, bar, evaluations, seconds, calls)
        return out

    def _structure(self, parts: list[Any]) -> Any:
        """Put one value per leaf into the structure of the user's inputs; extra ones are left out."""
        return self.problem.structure(parts[: len(self.problem.inputs.leaves)])


def _reproduce(problem: Problem, sources: dict[str, str], order: int, hold_stops: bool) -> str:
    if problem.how == "dict":
        inputs = "{" + ", ".join(f"{k!r}: {v}" for k, v in sources.items()) + "}"
    elif problem.how == "tuple":
        inputs = "(" + "".join(f"{v}, " for v in sources.values()).rstrip() + ")"
    else:
        inputs = next(iter(sources.values()))
    extra = ", order=2" if order == 2 else ""
    extra += ', stop_gradients="intended"' if hold_stops else ""
    return f"check_gradients({problem.name}, {inputs}{extra}, seed={problem.seed})"
