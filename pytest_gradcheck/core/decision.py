"""The one road: prepare the methods, look, look closely on doubt, and say what was found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.core import outcome, witnesses
from pytest_gradcheck.core.causes import of_error
from pytest_gradcheck.core.compare import Tolerance, vote
from pytest_gradcheck.core.diagnose import diagnose
from pytest_gradcheck.core.errors import InvalidArgument, NotImplementedByTorch, Unavailable
from pytest_gradcheck.core.jacobian import Cost, Function, Jacobian
from pytest_gradcheck.core.layout import Vector
from pytest_gradcheck.core.literal import to_source
from pytest_gradcheck.core.locate import ENTRYWISE, one_wrong_entry, unseen, wrong_columns, wrong_rows
from pytest_gradcheck.core.looks import clear_case, compared_anew, fill
from pytest_gradcheck.core.method_names import DIFFERENCE_METHODS, METHOD_NAMES
from pytest_gradcheck.core.problem import Dialect, Problem
from pytest_gradcheck.core.properties import violation
from pytest_gradcheck.core.results import (
    CheckResult,
    Diagnosis,
    MethodResult,
    NotChecked,
    Property,
    Status,
    Verdict,
)
from pytest_gradcheck.core.rounding import RUNS, Runs, measure
from pytest_gradcheck.core.table import Table
from pytest_gradcheck.core.values import EPS64
from pytest_gradcheck.methods.base import Matrix, Pullback

#: Up to this many inputs and outputs ``mode="auto"`` looks at every entry from the start; beyond it
#: two random projections come first, at a cost that does not grow with the number of entries.
SMALL = 8

#: Up to this many a gradient that is clearly wrong is looked at entry by entry, by the short ladder.
CLEAR = 256

#: How often a large problem is searched for wrong entries, a few at a time, before nobody can tell.
ROUNDS = 16

#: Random projections of a first look; each error has that many chances not to cancel.
DIRECTIONS = 2


#: Diagnoses that torch itself gave the reason for.
NOTED = ("detached", "once-differentiable", "none-gradient")


@dataclass(frozen=True)
class Options:
    """What the caller asked for.

    ``demanded`` says whether the methods were named, ``hold_stops`` whether stopped gradients are intended,
    ``brief`` whether a failure is to be seen and not to be explained, ``thorough`` whether entries are looked
    at from the start where that can be paid.
    """

    methods: tuple[str, ...]
    demanded: bool
    gradient: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    tolerance: Tolerance
    mode: str
    step: float | None
    hold_stops: bool = False
    brief: bool = False
    thorough: bool = False


class Decision:
    """A check of one function at one point, whatever its order."""

    order: int
    function: Function

    def __init__(self, problem: Problem, options: Options):
        self.problem = problem
        self.options = options
        self.pullbacks: dict[str, Pullback] = {}
        self.states: dict[str, tuple[Status, str | None]] = {}
        self.preparation: dict[str, float] = {}
        self.jacobian: Jacobian | None = None
        #: Output and coordinate of an entry that looks wrong, where one is all that is asked for.
        self.suspect: tuple[int, int] | None = None
        #: What the lowering saw in the function's own code: where it stops gradients.
        self.remarks: list[tuple[str, str]] = []
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
            gradient = pullback.vjp(np.ones(pullback.program.outputs.size))
            self.must_reproduce(pullback, gradient)
            self.pullbacks[name] = pullback
            self.states[name] = (Status.OK, None)
            self.look_around(name, pullback, gradient)
            if name == "reference":
                self.remarks = list(pullback.notes)
        except Unavailable as reason:
            self.states[name] = (Status.UNAVAILABLE, str(reason))
            if isinstance(reason, NotImplementedByTorch):
                self.missing = str(reason)
        except InvalidArgument:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines()
            text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
            on_trial = name == "user" or (name == "torch" and self.problem.dialect is Dialect.TORCH)
            self.states[name] = (Status.ERROR if on_trial else Status.UNAVAILABLE, text)
        finally:
            self.preparation[name] = time.perf_counter() - start

    def must_reproduce(self, pullback: Pullback, gradient: Vector) -> None:
        """Raise `Unavailable` when a method's own run gives another value than the function."""

    def look_around(self, name: str, pullback: Pullback, gradient: Vector) -> None:
        """See what else holds of a method that has just given its gradient for a cotangent of ones."""

    def decide(self) -> CheckResult:
        """Compare cheaply, look closely on doubt, and say what was found."""
        for name, (status, reason) in self.states.items():
            if status is Status.ERROR:
                return self.result(Verdict.FAIL, of_error(name, str(reason)), culprit=name)
        # In the order of the names: that of a set changes from run to run, and with it the message.
        differences = tuple(
            n for n in METHOD_NAMES if n in DIFFERENCE_METHODS and self.states.get(n) == (Status.OK, None)
        )
        early = self._nothing_to_compare(differences)
        if early is not None:
            return early
        broken = violation(self.properties)
        if broken is not None:
            # Whatever a table of such a backward would show depends on how often it was called before.
            return self.result(Verdict.FAIL, broken, culprit="torch")
        jacobian = Jacobian(self.function, self.pullbacks, differences, self.options.step)
        self.jacobian = jacobian
        self.first_look = first = self._first_look(jacobian)
        if first.settled:
            return self._passed(first, jacobian)
        entries: Table | None = None
        if self.options.brief:
            self.suspect = one_wrong_entry(jacobian, self.options.tolerance, first)
        clear, runs = None, RUNS
        if self.suspect is None:
            entries = self._entries(jacobian, first)
            clear = self._clear_case(jacobian, first, entries)
            if clear is None and all(pullback.eps <= EPS64 for pullback in self.pullbacks.values()):
                entries = self._by_long_ladder(jacobian, first, entries)
                if entries is not None and entries.unanimous:
                    clear = entries
                elif entries is not None and entries.refined:
                    jacobian.settled = entries.settled_rows
                    # Nobody is to be excused: one run of each kind shows whether digits are lost at all.
                    runs = RUNS if entries.disagrees else 1
        if clear is None:
            measure(jacobian, *self.runs_to_measure(runs), first.kinked(self.function.inputs.size))
        table = clear or self._close_look(jacobian, first, entries)
        if table.disagrees and clear is None:
            table = self._forgiven(table, jacobian, first, entries)
        for name in ("reference", "torch", "complex_step"):
            reason = self._why_no_witness(name, table)
            if reason is not None:
                del self.pullbacks[name]
                self.states[name] = (Status.UNAVAILABLE, reason)
                self.overruled |= name == "reference" and reason == witnesses.STANDS_ALONE
                if not self.pullbacks:
                    return self._nowhere_finite(table)
                table = self._close_look(jacobian, first, entries)
        if table.disagrees and table.unmeasurable:
            return self._no_common_ground(table)
        if table.disagrees and table.differences_split:
            text = "central and forward differences contradict each other, and the exact methods agree"
            return self.result(Verdict.INCONCLUSIVE, Diagnosis("methods-split", text), table=table)
        if table.disagrees:
            return self._failed(table, jacobian)
        if table.everybody_backed and not table.jumps:
            return self._passed(table, jacobian)
        return self._undecided(table)

    def _why_no_witness(self, name: str, table: Table) -> str | None:
        stands_in = self.problem.dialect is not Dialect.TORCH
        if name == "reference":
            escaped = [text for code, text in self.remarks if code == "out-of-graph"]
            return witnesses.why_reference_is_none(table, stands_in=stands_in, escaped=escaped)
        if name == "torch":
            own = self.has_own_backwards
            return witnesses.why_torch_is_none(table, stands_in=stands_in, own_backwards=own)
        return witnesses.why_the_complex_step_is_none(table)

    # -- stations ------------------------------------------------------------------------------------

    def _nothing_to_compare(self, differences: tuple[str, ...]) -> CheckResult | None:
        f = self.function
        if self.missing and self.problem.dialect is Dialect.TORCH and "user" not in self.pullbacks:
            # What the others agree on is not what was on trial, and a pass would say that it was.
            return self.result(Verdict.INCONCLUSIVE, Diagnosis("not-implemented", f"torch: {self.missing}"))
        if f.outputs.size == 0:
            text = "the outputs are empty: there is no entry to check"
            return self.result(Verdict.INCONCLUSIVE, Diagnosis("nothing-checked", text))
        if not np.isfinite(f.value).all():
            name, index = f.outputs.locate(int(np.argmax(~np.isfinite(f.value))))
            text = f"the function is not finite at this point ({name}{list(index) or ''})"
            return self.result(Verdict.INCONCLUSIVE, Diagnosis("non-finite-value", text))
        if (f.jitter > math.sqrt(f.eps) * np.abs(f.value).max(initial=0.0)).any():
            text = "two calls at the same point gave different values"
            return self.result(Verdict.INCONCLUSIVE, Diagnosis("nondeterministic", text))
        if self.pullbacks and len(self.pullbacks) + len(differences) >= 2:
            return None
        text = "differences alone check nothing; no exact method could run"
        if self.pullbacks:
            text = f"{next(iter(self.pullbacks))} alone checks nothing"
        reasons = "; ".join(f"{n}: {reason}" for n, (_, reason) in self.states.items() if reason)
        text = f"{text} ({reasons})" if reasons else text
        return self.result(Verdict.INCONCLUSIVE, Diagnosis("nothing-checked", text))

    def _first_look(self, jacobian: Jacobian) -> Table:
        """Look at all of a small Jacobian, and at two random projections of a large one."""
        n, m = self.function.inputs.size, self.function.outputs.size
        tolerance, mode = self.options.tolerance, self.options.mode
        few = ENTRYWISE if self.options.thorough else SMALL
        small = n <= few and m <= few
        if mode == "full" or self.options.step or (mode == "auto" and small):
            return fill(jacobian, tolerance, np.eye(m), coordinates=list(range(n)))
        rng = np.random.default_rng(self.problem.seed)
        rows = np.ones((1, 1)) if m == 1 else random_cotangents(rng, m)
        tangents = np.stack([jacobian.direction(rng) for _ in range(DIRECTIONS)])
        return fill(jacobian, tolerance, rows, tangents=tangents)

    def _entries(self, jacobian: Jacobian, first: Table) -> Table | None:
        """Look at all entries by the short ladder, where that may tell or will be needed, else None."""
        n, m = self.function.inputs.size, self.function.outputs.size
        if not first.projected:
            return first
        if max(n, m) <= (CLEAR if first.disagrees else ENTRYWISE):
            return fill(jacobian, self.options.tolerance, np.eye(m), coordinates=list(range(n)))
        return None

    def _by_long_ladder(self, jacobian: Jacobian, first: Table, entries: Table | None) -> Table | None:
        """Look at all entries by the long ladder, where all of them are looked at at all.

        Most doubt is that of the short ladder, whose steps are wide beside a zero or a number that is small
        beside others. Where the long one has none, rounding in float64 need not be measured, which takes four
        times as long. In coarser dtypes what agrees may do so by luck.
        """
        n, m = self.function.inputs.size, self.function.outputs.size
        if entries is None or entries.settled or (first.projected and max(n, m) > ENTRYWISE):
            return entries
        tolerance, every = self.options.tolerance, list(range(n))
        return fill(jacobian, tolerance, np.eye(m), coordinates=every, thorough=True, before=entries)

    def _clear_case(self, jacobian: Jacobian, first: Table, entries: Table | None) -> Table | None:
        """Return a table in which one method is wrong beyond doubt, or None if it is not so."""
        tolerance = self.options.tolerance
        if entries is not None:
            return clear_case(jacobian, tolerance, entries)
        if not any(first.entrywise(c) and c.agree is False for c in first.evidence):
            return None
        # Where two exact methods differ most.
        columns = wrong_columns(jacobian, tolerance, first)
        part = fill(jacobian, tolerance, first.cotangents, coordinates=columns)
        clear = clear_case(jacobian, tolerance, part)
        if clear is None:
            return None
        close = self._at_single_outputs(jacobian, clear, thorough=False)
        # A backward that is not linear may be right for the cotangents of single outputs.
        return clear if close.clearly_wrong()[0] is None else close

    def _close_look(self, jacobian: Jacobian, first: Table, entries: Table | None) -> Table:
        """Look at entries: all of them where that can be paid, else those that cause the doubt.

        ``entries`` is a table of all of them by the short ladder, if there is one.
        """
        n, m = self.function.inputs.size, self.function.outputs.size
        tolerance = self.options.tolerance
        if self.suspect is not None:
            row, column = self.suspect
            close = fill(jacobian, tolerance, np.eye(m)[row : row + 1], coordinates=[column], thorough=True)
            if close.disagrees:
                return close
        if not first.projected or (n <= ENTRYWISE and m <= ENTRYWISE):
            every = list(range(n))
            return fill(jacobian, tolerance, np.eye(m), coordinates=every, thorough=True, before=entries)
        table = fill(jacobian, tolerance, first.cotangents, tangents=first.tangents, thorough=True)
        cleared: set[int] = set()
        for _ in range(ROUNDS):
            found = wrong_columns(jacobian, tolerance, table) if table.disagrees else []
            columns = [i for i in found if i not in cleared]
            if not columns:
                break
            close = fill(jacobian, tolerance, first.cotangents, coordinates=columns, thorough=True)
            if close.disagrees:
                close = self._at_single_outputs(jacobian, close, thorough=True)
            if close.disagrees:
                return close
            cleared.update(columns)
            table.clear(columns)
        # What still disagrees does so in a sum, and in no entry that was found: nobody can tell.
        table.withdraw()
        return table

    def _forgiven(self, table: Table, jacobian: Jacobian, first: Table, entries: Table | None) -> Table:
        """Look again, where methods disagree, with more of what rounding may do to them."""
        finer, kept = self.runs_on_disagreement()
        if finer is None and not kept:
            return table
        kinked = first.kinked(self.function.inputs.size)
        measure(jacobian, *self.runs_to_measure(RUNS), kinked, finer, kept)
        again = compared_anew(table, jacobian, self.options.tolerance)
        return again if again.disagrees else self._close_look(jacobian, first, entries)

    def _at_single_outputs(self, jacobian: Jacobian, table: Table, *, thorough: bool) -> Table:
        """Look at the same columns output by output: at all, or at those found by bisection."""
        m, tolerance = self.function.outputs.size, self.options.tolerance
        rows = list(range(m))
        if m > ENTRYWISE:
            rows = wrong_rows(jacobian, tolerance, table.worst_coordinate())
        if not rows:
            return table
        units = np.zeros((len(rows), m))
        units[np.arange(len(rows)), rows] = 1.0
        return fill(jacobian, tolerance, units, coordinates=table.coordinates, thorough=thorough)

    # -- outcomes ------------------------------------------------------------------------------------

    def _passed(self, table: Table, jacobian: Jacobian) -> CheckResult:
        if self.overruled:
            text = "the reference engine stands alone against the other methods, which agree"
            diagnosis = Diagnosis("reference-engine", text)
            labels = ("reference-engine",)
            return self.result(Verdict.PASS, diagnosis, table=table, culprit="reference", labels=labels)
        if table.kinks and not table.projected:
            diagnosis = Diagnosis(
                "subgradient", "at a kink; every gradient lies between the one-sided slopes"
            )
            assert table.differences is not None
            count = int(table.differences.kink.sum())
            entries = f"{count} {'entry' if count == 1 else 'entries'} at a kink"
            wide = (NotChecked(entries, "every slope between the one-sided ones is right there"),)
            return self.result(Verdict.PASS, diagnosis, table=table, labels=("kink",), not_checked=wide)
        names = [*jacobian.differences, *table.exact]
        diagnosis = Diagnosis("agree", f"{', '.join(names[:-1])} and {names[-1]} agree")
        return self.result(
            Verdict.PASS, diagnosis, table=table, not_checked=self._too_small_to_see(table, jacobian)
        )

    def _too_small_to_see(self, table: Table, jacobian: Jacobian) -> tuple[NotChecked, ...]:
        hidden = unseen(table, jacobian, self.options.tolerance.sensitivity)
        if not hidden:
            return ()
        text = "share in the projections is smaller than their error bars; mode='full' looks at each"
        return (NotChecked(f"{hidden} small entries", text),)

    def _failed(self, table: Table, jacobian: Jacobian) -> CheckResult:
        f, first = self.function, self.first_look
        assert first is not None
        culprit = vote(table.agreement, [*jacobian.differences, *table.exact])
        if culprit is None:
            said = "; ".join(
                f"{c.a} and {c.b} {'agree' if c.agree else 'differ'}"
                for c in table.evidence
                if c.agree is not None
            )
            diagnosis = Diagnosis("methods-split", f"the methods disagree and no majority names one: {said}")
            apart = table.agreement.get(("reference", "torch")) is False
            return self.result(Verdict.FAIL, self._remarked(diagnosis) if apart else diagnosis, table=table)
        bad = table.bad_entries(culprit)
        right = _right_values(table, jacobian, culprit)
        notes = self.pullbacks[culprit].notes
        diagnosis = diagnose(
            table.exact[culprit].value,
            right,
            bad,
            culprit,
            f.inputs,
            notes,
            _outputs_of(table, f),
            (first.exact[culprit].value != 0).any(axis=0),
        )
        if table.kinks and not table.projected and diagnosis.code != "non-finite-gradient":
            assert table.differences is not None
            smooth = bad.copy()
            smooth[:, table.coordinates] &= ~table.differences.kink
            if not smooth.any():
                text = f"the gradient of {culprit} lies outside of the one-sided slopes at a kink"
                diagnosis = Diagnosis("kink-outside", text)
        if culprit in ("torch", "user") and diagnosis.code != "non-finite-gradient":
            remarked = culprit == "torch" and self.remarks
            if not self.options.brief and not remarked and diagnosis.code not in ("kink-outside", *NOTED):
                diagnosis = self.cause(culprit, diagnosis, table, bad, right) or diagnosis
            diagnosis = self._remarked(diagnosis) if remarked else diagnosis
        if culprit == "reference":
            diagnosis = Diagnosis("reference-engine", f"{diagnosis.text}; the others agree")
        return self.result(Verdict.FAIL, diagnosis, table=table, culprit=culprit)

    def cause(
        self, culprit: str, found: Diagnosis, table: Table, bad: Any, right: Matrix
    ) -> Diagnosis | None:
        """Say why a gradient is wrong, where more can be told than its values say."""
        raise NotImplementedError

    def _remarked(self, diagnosis: Diagnosis) -> Diagnosis:
        """Say what the lowering saw in the function's own code, which explains why torch differs."""
        if not self.remarks:
            return diagnosis
        code, text = self.remarks[0]
        if code == "stop-gradient":
            text += ' (stop_gradients="intended" declares that it is meant to)'
        return Diagnosis(code, f"{text}; {diagnosis.text}")

    def _no_common_ground(self, table: Table) -> CheckResult:
        """What the reference engine derives from the function, and what is measured of it, are apart.

        So it is at ties, where partial derivatives exist and the derivative does not (the middle of three
        equal numbers moves with none of them alone), and where the function returns little but rounding.
        """
        text = "no exact method agrees with differences of the function, not even the reference engine"
        return self.result(Verdict.INCONCLUSIVE, Diagnosis("methods-split", text), table=table)

    def _nowhere_finite(self, table: Table) -> CheckResult:
        """The function is smooth here, and its code cannot be differentiated as it is written.

        No gradient was on trial: NumPy code whose untaken branch overflows is right as it stands.
        """
        text = "no exact method has a finite gradient of the code as it is written, where differences have"
        return self.result(Verdict.INCONCLUSIVE, Diagnosis("non-finite-gradient", text), table=table)

    def _undecided(self, table: Table) -> CheckResult:
        d = table.differences
        if d is not None and d.jump.any():
            diagnosis = Diagnosis("jump", "the function jumps at this point; it has no derivative there")
        elif any(not np.isfinite(e.value).all() for e in table.exact.values()):
            text = "the gradient is not finite at this point, and nobody can measure it"
            diagnosis = Diagnosis("singularity", text)
        else:
            text = (
                "the error bars are so wide that an error of the promised sensitivity "
                f"({self.options.tolerance.sensitivity:g}) would hide in them"
            )
            diagnosis = Diagnosis("unresolved", text)
        return self.result(Verdict.INCONCLUSIVE, diagnosis, table=table)

    def result(
        self,
        verdict: Verdict,
        diagnosis: Diagnosis,
        *,
        table: Table | None = None,
        culprit: str | None = None,
        labels: tuple[str, ...] = (),
        not_checked: tuple[NotChecked, ...] = (),
    ) -> CheckResult:
        """Write down what was found."""
        problem = self.problem
        self.table = table
        if table is not None and table.differences is not None and table.differences.one_sided.any():
            labels += ("one-sided",)
        in_short: Any = ((), None)
        if table is not None and self.jacobian is not None:
            in_short = outcome.in_short(table, self.jacobian)
        sources: dict[str, str] = {}
        if verdict is not Verdict.PASS and not self.options.brief:
            sources = {key: to_source(value) for key, value in problem.arguments.items()}
        return CheckResult(
            name=problem.name,
            verdict=verdict,
            culprit=culprit,
            methods=self._method_results(table),
            pairs=in_short[0],
            worst=in_short[1],
            diagnosis=diagnosis,
            not_checked=(*problem.not_checked, *not_checked),
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
                value, bar = outcome.shown(name, table, self.function, self._structure)
            out[name] = MethodResult(status, reason, value, bar, evaluations, seconds, calls)
        return out

    def _structure(self, parts: list[Any]) -> Any:
        """Put one value per leaf into the structure of the user's inputs; extra ones are left out."""
        return self.problem.structure(parts[: len(self.problem.inputs.leaves)])


def random_cotangents(rng: np.random.Generator, m: int) -> Matrix:
    """Draw signed cotangents, away from zero: nothing cancels by design, and no entry is left out."""
    return np.asarray(rng.choice([-1.0, 1.0], (DIRECTIONS, m)) * rng.uniform(0.5, 1.5, (DIRECTIONS, m)))


def _outputs_of(table: Table, function: Function) -> list[str | None]:
    """Name the output that each row of a table belongs to; None for a row that mixes several."""
    names: list[str | None] = []
    for u in table.cotangents:
        hit = {function.outputs.leaf_of(int(i)).name for i in np.flatnonzero(u)}
        names.append(hit.pop() if len(hit) == 1 else None)
    return names


def _right_values(table: Table, jacobian: Jacobian, culprit: str) -> Matrix:
    """Return the rows that the others agree on: another exact method's, else the differences'."""
    agreement = {frozenset(pair): agree for pair, agree in table.agreement.items()}
    for name, estimate in table.exact.items():
        others = [*jacobian.differences, *table.exact]
        if name != culprit and any(agreement.get(frozenset((name, o))) for o in others):
            return np.asarray(estimate.value)
    right = np.array(table.exact[culprit].value)
    if table.differences is not None and not table.projected:
        right[:, table.coordinates] = table.differences.central.value
    return right


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
