"""What a check decides: the gradient (first order), or the gradient of the gradient (second order).

An order holds data and what can be rerun: its methods, the function for differences, runs in other
arithmetics and at other points. Both orders have the same attributes; the second one uses the first.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.diagnosis import codes, whose_code
from pytest_gradcheck.core.evidence.jacobian import (
    Function,
    Jacobian,
    natural_sizes,
    one_by_one,
    random_cotangents,
)
from pytest_gradcheck.core.evidence.low_precision import Eager
from pytest_gradcheck.core.evidence.rounding import Runs
from pytest_gradcheck.core.evidence.survey import Projections, projections
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.oracle import Oracle, eager, settle, value_mismatch
from pytest_gradcheck.core.results import NotChecked, Property, Status, Verdict
from pytest_gradcheck.core.verdict import Evidence, Finding, States, broken_property
from pytest_gradcheck.errors import InvalidArgument, NotImplementedByFramework, Opaque, Unavailable
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.leaves import EPS32, EPS64
from pytest_gradcheck.frameworks.properties import HOLDS, Selection
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.oracle import in_its_place
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import exact, registry, user
from pytest_gradcheck.methods.forms import Broken, Form
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS, METHOD_NAMES
from pytest_gradcheck.methods.roles import BY_HAND, ENGINE, EXACT, ORACLE, Roles, roles_of

#: Runs that measure rounding: of the function, and of single methods.
AllRuns = tuple[Runs | None, dict[str, Runs]]


@dataclass(eq=False)
class Methods:
    """The exact methods that gave a first gradient, and the status of every method.

    ``seconds`` is how long each took so far; ``missing`` is the framework's message about a missing
    derivative; ``opaque`` says which code of the function cannot be recorded.
    """

    roles: Roles
    pullbacks: dict[str, Pullback] = field(default_factory=dict)
    states: States = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    missing: str | None = None
    opaque: str | None = None
    #: Where a method raised, as a place in the code.
    raised_at: dict[str, str] = field(default_factory=dict)
    #: The diagnosis code of a derivative by hand that is wrong without a comparison.
    broken: dict[str, str] = field(default_factory=dict)
    #: The notes of a result on methods that can run.
    notes: dict[str, str] = field(default_factory=dict)

    def prepare(self, name: str, make: Callable[[], Pullback]) -> None:
        """Prepare one exact method, or record why it cannot run."""
        start = time.perf_counter()
        try:
            self.pullbacks[name] = make()
            self.states[name] = (Status.OK, None)
        except Unavailable as reason:
            self.states[name] = (Status.UNAVAILABLE, str(reason))
            if isinstance(reason, NotImplementedByFramework):
                self.missing = str(reason)
            if isinstance(reason, Opaque):
                self.opaque = str(reason)
        except InvalidArgument:
            raise
        except Broken as error:
            self.states[name] = (Status.ERROR, str(error))
            self.broken[name] = error.code
        except Exception as error:
            lines = str(error).strip().splitlines()
            text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
            on_trial = self.roles.is_on_trial(name)
            self.states[name] = (Status.ERROR if on_trial else Status.UNAVAILABLE, text)
            self.raised_at[name] = whose_code.of_error(error)
        finally:
            self.seconds[name] = time.perf_counter() - start

    @property
    def remarks(self) -> list[tuple[str, str]]:
        """What the lowering saw in the function's own code, as pairs of a code and a sentence."""
        notes = self.pullbacks[ENGINE].notes if ENGINE in self.pullbacks else []
        return [note for note in notes if note[0] != "hidden"]

    @property
    def escaped(self) -> list[str]:
        """Values that the engine treats as constants although a backward may not."""
        notes = self.pullbacks[ENGINE].notes if ENGINE in self.pullbacks else []
        return [text for known in ("out-of-graph", "hidden") for code, text in notes if code == known]


def merged(*parts: Iterable[Property]) -> tuple[Property, ...]:
    """Merge properties by name: a violation if there is one, else the first."""
    out: dict[str, Property] = {}
    for one in itertools.chain(*parts):
        if one.name not in out or (one.holds is False and out[one.name].holds is not False):
            out[one.name] = one
    return tuple(out.values())


class FirstOrder:
    """The derivative of the function at the point.

    ``measured`` is the problem whose values are compared: that of the surrogate, if there is one.
    ``function`` is the form of it, or of an oracle, for differences, ``along`` the projections of a first
    look (None for all entries), ``properties`` the properties besides the values.
    """

    number = 1
    #: See `SecondOrder`.
    of_inputs = True

    def __init__(self, problem: Problem, options: Options, form: Form | None = None):
        self.problem = problem
        self.options = options
        #: The derivative written by hand that is on trial, if there is one.
        self.form = form
        self.roles = roles_of(problem.framework, options.chosen)
        self.tolerance = options.tolerance(problem.trial_eps, problem.trial_tiny)
        self.methods = Methods(self.roles)
        surrogate = options.surrogate
        self.measured = problem if surrogate is None else in_its_place(problem, "surrogate", surrogate)
        #: The oracle; None without one, or if it contradicts itself.
        self.oracle = None if options.oracle is None else self._settled()
        #: The oracle in the dtype on trial; None in float64.
        self.eager: Eager | None = None
        #: A sentence on where its value differs from the function's.
        self.value_mismatch: str | None = None
        #: The function for differences, with the names of the function's own outputs.
        self.function = (
            self.oracle.function
            if self.oracle
            else dataclasses.replace(Function.of(self.measured), outputs=problem.outputs)
        )
        self.properties: tuple[Property, ...] = () if self.oracle else (self._repeats(),)
        n, m, few = problem.inputs.size, problem.outputs.size, thresholds.SMALL
        few = thresholds.SMALL_WITH_ORACLE if self.oracle else thresholds.SMALL
        self.along = projections(options, n, m, problem.seed, few)
        #: The function as autograd sees it, if it stops gradients on purpose.
        self.held: Pullback | None = None
        #: Why the engine's recording is not the function as autograd sees it, or None.
        self.unavailable_reason: str | None = None
        #: By their number: runs that measure rounding.
        self._runs: dict[int, AllRuns] = {}
        #: What is tried once the values are decided.
        self.probes: tuple[Probe, ...] = ()

    def prepare(self) -> FirstOrder:
        """Prepare every requested method, and return the order."""
        why = self._hold() if self.options.holds_stops else self.measured.sampled
        if self.oracle:
            # Its values are measured, not those of the function.
            why = None
        for name in METHOD_NAMES:
            if name not in self.options.chosen or self._is_needless(name):
                continue
            if name in DIFFERENCE_METHODS:
                self.methods.states[name] = (Status.OK if why is None else Status.UNAVAILABLE, why)
            elif name == BY_HAND and self.form is None:
                if self.options.methods is not None and not self.options.is_by_hand:
                    raise InvalidArgument(
                        "methods", f"{BY_HAND!r} without a gradient", "give gradient= or vjp= as well"
                    )
            elif name == ORACLE and self.options.oracle is None:
                if self.options.methods is not None:
                    raise InvalidArgument("methods", f"{ORACLE!r} without an oracle", "give oracle= as well")
            elif name not in self.methods.states:
                self.methods.prepare(name, functools.partial(self._begin, name))
        if self.oracle is None and not self.measured.double:
            # What goes through a coarser dtype, as under autocast, has its grain.
            self.function.eps = max(self.function.eps, self._trial_eps)
        self._look_for_opaque_code()
        if EXACT in self.methods.pullbacks and (text := self._not_recorded(self.methods.pullbacks[EXACT])):
            del self.methods.pullbacks[EXACT]
            self.methods.states[EXACT] = (Status.UNAVAILABLE, text)
        if self.oracle:
            self._measure_dtype(self.oracle)
            self.properties = merged((self._repeats_where_it_ran(),), self.properties)
        self.probes = self._to_try()
        return self

    def with_form(self, form: Form) -> FirstOrder:
        """Return a prepared copy with another derivative by hand on trial."""
        other, methods = copy.copy(self), self.methods
        kept = {name: pullback for name, pullback in methods.pullbacks.items() if name != BY_HAND}
        other.form, other.tolerance = (
            form,
            self.options.tolerance(self.problem.trial_eps, self.problem.trial_tiny),
        )
        other.methods = dataclasses.replace(
            methods,
            pullbacks=kept,
            states=dict(methods.states),
            seconds=dict(methods.seconds),
            raised_at={name: place for name, place in methods.raised_at.items() if name != BY_HAND},
            broken={name: code for name, code in methods.broken.items() if name != BY_HAND},
        )
        other.methods.prepare(BY_HAND, functools.partial(other._begin, BY_HAND))
        other.probes = other._to_try()
        return other

    def _to_try(self) -> tuple[Probe, ...]:
        probes: tuple[Probe, ...] = ()
        if BY_HAND in self.methods.pullbacks:
            probes += (functools.partial(linearity, self),)
        if self.roles.own in self.methods.pullbacks:
            probes += (self._in_every_way,)
        return probes

    def _look_for_opaque_code(self) -> None:
        """Remove the engine if its recording is not the function, and name the Functions that hide code.

        What a kernel computes from an address, or NumPy from a view, is a constant of the recording, right
        only at the point itself. So if a gradient by hand is on trial, the recording is replayed at a second
        point.
        """
        methods, problem = self.methods, self.measured
        own, engine = methods.pullbacks.get(self.roles.own or ""), methods.pullbacks.get(ENGINE)
        if self.oracle is not None:
            # It replaces the function, and the engine does not run.
            return
        functions = own.hand_written() if own is not None else ()
        measured = not (self.options.holds_stops or problem.sampled)
        # A value that leaves the graph outside of any Function is a separate fault.
        left = engine is not None and any(code == "out-of-graph" for code, _ in engine.notes)
        if engine is not None and functions and measured and not left and not self._follows(engine, 1.0):
            hidden = "".join(f"; {text}" for code, text in engine.notes if code == "hidden")
            methods.opaque = f"the recording is valid at this point only: it does not see all code{hidden}"
            del methods.pullbacks[ENGINE]
        if methods.opaque is not None:
            names = ", ".join(dict.fromkeys(one.name.rpartition(".")[2] for one in functions))
            text = f"{names}: {methods.opaque}" if names else methods.opaque
            methods.states[ENGINE] = (Status.UNAVAILABLE, text)
            problem.call_one_by_one()

    def _follows(self, recording: Pullback, side: float) -> bool:
        """Whether a recording is the function at a second point too, on one side of the first one."""
        problem, rng = self.measured, np.random.default_rng(self.measured.seed)
        # What goes through a coarser dtype, as under autocast, has its grain.
        eps = problem.eps if problem.double else max(problem.eps, self._trial_eps)
        step = side * max(thresholds.ELSEWHERE, np.cbrt(eps)) * rng.uniform(-1, 1, problem.point.size)
        step *= natural_sizes(problem.inputs, problem.point)
        point = problem.rounded(np.clip(problem.point + step, problem.lower, problem.upper)[None])[0]
        return follows(problem, recording, point, eps)

    def _not_recorded(self, recording: Pullback) -> str | None:
        """Return why a recording is not the function, so it proves nothing; None if it is.

        Only the branch taken is recorded, so both sides of the point are tried.
        """
        escaped = [
            text for known in ("out-of-graph", "hidden") for code, text in recording.notes if code == known
        ]
        if escaped:
            return escaped[0]
        if self.methods.opaque is not None:
            return self.methods.opaque
        if all(self._follows(recording, side) for side in (1.0, -1.0)):
            return None
        return (
            "the recording is valid at this point only: it does not see all code, or a branch changes there"
        )

    @functools.cached_property
    def is_recorded(self) -> bool:
        """Whether the engine's recording moves as the function does on both sides of the point."""
        recording = self.methods.pullbacks.get(ENGINE)
        return recording is None or self._not_recorded(recording) is None

    @functools.cached_property
    def proof(self) -> Methods | None:
        """The proven derivative as a method, or why there is none; None if it does not apply.

        It does not if other methods were named, or if something other than the function is the measure.
        """
        options, found = self.options, Methods(self.roles)
        recording = self.methods.pullbacks.get(ENGINE)
        given = options.methods or options.surrogate or options.holds_stops or self.oracle
        if EXACT in self.methods.pullbacks:
            return dataclasses.replace(self.methods, pullbacks={EXACT: self.methods.pullbacks[EXACT]})
        if given or recording is None:
            return None

        def make() -> Pullback:
            assert recording is not None
            enclosed = exact.prepare(recording)
            if text := self._not_recorded(recording):
                raise Unavailable(text)
            return enclosed

        found.prepare(EXACT, make)
        return found

    def as_found(self, evidence: Evidence) -> FirstOrder:
        """Return a copy with the methods that counted in the end, and their properties."""
        other, pullbacks = copy.copy(self), dict(evidence.heard)
        other.methods = dataclasses.replace(self.methods, pullbacks=pullbacks, states=evidence.states)
        other.properties = evidence.properties
        return other

    def _measure_dtype(self, oracle: Oracle) -> None:
        """Run the oracle in the dtype on trial, and compare the function's value with its own."""
        self.eager = eager(self.problem, oracle, self.options, self._trial_eps)
        rtol = self.tolerance.rtol
        if self.eager is not None and self.options.rtol is None:
            # The effect of rounding is measured.
            rtol = thresholds.RTOL_COARSE
        text = value_mismatch(self.measured, oracle, self.eager, rtol, self.tolerance.atol)
        whose = "function" if self.measured is self.problem else "surrogate"
        self.value_mismatch = text and f"the {whose} does not compute what the oracle does: {text}"

    @property
    def is_coarse(self) -> bool:
        """Whether the dtype on trial may hide what a check promises by default."""
        return self.eager is not None or self._trial_eps > EPS32

    @property
    def _trial_eps(self) -> float:
        """The unit roundoff of the dtype on trial, or of what the framework's own run goes through."""
        own = self.methods.pullbacks.get(self.roles.own or "")
        return max(self.problem.trial_eps, own.eps if own is not None else 0.0)

    def own_measure(self) -> Eager | None:
        """Return the function's recording in the dtype on trial, if the engine runs it."""
        common, _ = self.runs_to_measure(thresholds.RUNS)
        if common is None or common.fine is not self.methods.pullbacks.get(ENGINE):
            return None
        return Eager(common.fine, None, lambda: common.coarse, self._trial_eps)

    def without_oracle(self) -> FirstOrder:
        """Return a prepared copy without the oracle, for a brief check."""
        methods = self.options.methods and [name for name in self.options.chosen if name != ORACLE]
        options = dataclasses.replace(self.options, oracle=None, methods=methods or None, brief=True)
        return FirstOrder(self.problem, options, self.form).prepare()

    def _run_by(self, name: str) -> Problem:
        """Return what a method differentiates: the function if it is on trial, else the measured one."""
        return self.problem if self.roles.is_on_trial(name) else self.measured

    def _settled(self) -> Oracle | None:
        """Prepare the oracle, if it is used."""
        options, methods, found = self.options, self.methods, []
        if ORACLE not in options.chosen:
            return None

        def make() -> Pullback:
            found.append(settle(self.problem, options))
            return found[0].pullback

        methods.prepare(ORACLE, make)
        if found:
            methods.notes[ORACLE] = found[0].note
        return found[0] if found else None

    def _is_needless(self, name: str) -> bool:
        """Whether a method that was not named has nothing to add, such as an unrelated framework, or a method
        that would call the function again for what its oracle shows already.
        """
        if self.options.methods is not None:
            return False
        if self.oracle is None:
            return self.roles.is_idle(name)
        on_trial = self.roles.own is not None or self.form is not None
        return self.roles.is_idle(name) or (on_trial and name in (ENGINE, *self.roles.stand_ins))

    def _repeats(self) -> Property:
        """Try whether two calls at the point give the same value."""
        holds: bool | None = True
        text = "two calls at the same point gave the same values"
        if self.function.is_erratic:
            text, holds = codes.fixed("nondeterministic").text, False
        elif self.function.evaluation_noise.any():
            text, holds = "two calls at the same point differ by rounding", None
        return Property("deterministic", holds, text, "nondeterministic")

    def _repeats_where_it_ran(self) -> Property:
        """Try whether the framework's own run reproduces the first call."""
        own = self.methods.pullbacks.get(self.roles.own or "")
        holds, text = None, "the function was called once"
        if own is not None:
            same = np.array_equal(own.primal, self.problem.primal, equal_nan=True)
            holds = True if same else None
            text = f"two calls at the same point {'gave the same values' if same else 'differ by rounding'}"
        return Property("deterministic", holds, text, "nondeterministic")

    def _begin(self, name: str) -> Pullback:
        """Run the function by a method, and pull back a first cotangent.

        A backward that raises does so here, and not in the middle of a table.
        """
        options = self.options
        if name in (ENGINE, EXACT) and self.unavailable_reason:
            raise Unavailable(self.unavailable_reason)
        pullback = self.held if name == ENGINE else None
        if pullback is None:
            pullback = registry.prepare(
                name,
                self._run_by(name),
                form=self.form,
                hold_stops=options.holds_stops,
            )
        ones = np.ones(self.problem.outputs.size) if self.along is None else self.along.cotangents[0]
        self._must_reproduce(name, pullback, pullback.begin(ones))
        if name == self.roles.own:
            # A dtype or device on which a trial itself cannot work is not the backward's fault.
            with contextlib.suppress(Exception):
                found = self.problem.framework.properties_of_run(self.problem, pullback, self.options.tried)
                self.properties = merged(self.properties, found)
        return pullback

    def _must_reproduce(self, name: str, pullback: Pullback, gradient: Vector) -> None:
        """Raise `Unavailable` when a method's own run gives a different value from the function."""
        problem = self._run_by(name)
        # With an oracle the function is not called again for what its first call has shown.
        first = pullback.eps > EPS64 or (self.oracle is not None and name == self.roles.own)
        expected = problem.primal if first else problem.value
        if not np.isfinite(expected).all():
            return
        # A value that almost cancels is known only up to the roundoff of its parts.
        parts = np.abs(gradient * problem.point)
        size = max(np.abs(expected).max(initial=0.0), np.where(np.isfinite(parts), parts, 0.0).sum())
        eps = thresholds.REPRODUCED_ROUNDINGS * max(pullback.eps, problem.trial_eps if first else problem.eps)
        gap = np.abs(pullback.primal - expected)
        if not (gap <= eps * size + thresholds.REPRODUCED_ROOT).all():
            k = int(np.argmax(np.where(np.isnan(gap), np.inf, gap)))
            where, index = problem.outputs.locate(k)
            whose: str = "the recording does not reproduce the function"
            kind: type[Unavailable] = Opaque
            if name == self.roles.own:
                whose, kind = "the function gives a different value when gradients are enabled", Unavailable
            raise kind(
                f"{whose}: {where}{list(index) or ''} is "
                f"{pullback.primal[k]:.9g} instead of {expected[k]:.9g}{pullback.parting()}"
            )

    def _hold(self) -> str | None:
        """Make differences see the function as autograd does; return why that fails, or None.

        Detached values would move with the point if the function were called there. The recording keeps them
        constant.
        """
        problem = self.problem
        try:
            held = registry.prepare(ENGINE, problem, hold_stops=True)
            self._must_reproduce(ENGINE, held, held.vjp(np.ones(problem.outputs.size)))
        except Unavailable as reason:
            return f"cannot treat detached values as constants: {reason}"
        hidden = [text for code, text in held.notes if code == "hidden"]
        if hidden:
            # It would be constant as well, but has a backward.
            self.unavailable_reason = f"cannot treat only the detached values as constants: {hidden[0]}"
            return self.unavailable_reason
        self.held = held
        problem.not_checked += [NotChecked(text, "as declared") for _, text in held.notes]
        self.function = dataclasses.replace(
            self.function,
            value=held.primal,
            evaluate=one_by_one(held.primal_at),
            rounded=lambda points: points,
            evaluation_noise=np.zeros(problem.outputs.size),
            eps=held.eps,
            is_erratic=False,
        )
        return None

    # -- properties that are tried after the values ----------------------------------------------------

    def _in_every_way(self, finding: Finding) -> tuple[tuple[Property, ...], str]:
        """Run the user's Functions in every way, also to explain a gradient that is wrong already."""
        own = self.roles.own or ""
        wrong = finding.verdict is Verdict.FAIL and (
            self.options.brief or finding.culprit != own or broken_property(finding.evidence) is not None
        )
        if wrong or finding.diagnosis.code in codes.SILENT:
            return (), own
        start = time.perf_counter()
        found: tuple[Property, ...] = ()
        with contextlib.suppress(Exception):
            pullback, few = self.methods.pullbacks[own], self.few_calls is not None
            found = tuple(
                self.problem.framework.properties_of_functions(
                    self.problem,
                    pullback,
                    tried(self, finding),
                    few_calls=few or self.methods.opaque is not None,
                )
            )
        self.methods.seconds[own] += time.perf_counter() - start
        return found, own

    # -- what can be run again -------------------------------------------------------------------------

    #: Only a second derivative is known by second differences.
    values_alone: Function | None = None

    @property
    def few_calls(self) -> Projections | None:
        """The projections of a first look where calls are the cost; None where they are not.

        Calls are the cost if one gradient by hand is the only exact method: the function cannot be recorded,
        and no call of it takes many points.
        """
        heard, options = self.methods.pullbacks, self.options
        if self.oracle is None and ENGINE not in options.chosen and self.problem.framework.evaluates_many:
            return None
        by_hand = BY_HAND in heard or any(pullback.hand_written() for pullback in heard.values())
        if (
            len(heard.keys() - {ORACLE}) != 1
            or not by_hand
            or options.step
            or options.holds_stops
            or options.mode == "full"
            or options.thorough
            or self.problem.inputs.size > thresholds.FEW_CALLS_SIZE
        ):
            return None
        # These draws are independent of those of a closer look.
        rng, ones = np.random.default_rng([self.problem.seed, 1]), np.ones((1, self.problem.outputs.size))
        if self.along is not None:
            return Projections(self.along.cotangents, rng)
        # The first was pulled back already.
        return Projections(np.concatenate([ones, random_cotangents(rng, ones.size)[:1]])[: ones.size], rng)

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Return a method at another point."""
        if culprit == BY_HAND:
            assert self.form is not None, "its gradient was compared"
            return user.prepare(self.form, self.problem, at=vector)
        return self.methods.pullbacks[culprit].moved(vector)

    def in_double(self) -> Pullback | None:
        """Return the framework's gradient in float64, None where it cannot run in it."""
        pullbacks = self.methods.pullbacks
        own = pullbacks.get(self.roles.autodiff(pullbacks))
        return own and own.in_double()

    def runs_to_measure(self, count: int) -> AllRuns:
        """Return the runs of the engine (else of the framework), and of the framework's own backward,
        ``count`` of each kind.
        """
        if count not in self._runs:
            self._runs[count] = self._common_runs(count), self._own_runs(count, backward=True)
        return self._runs[count]

    @functools.cached_property
    def runs_on_disagreement(self) -> AllRuns:
        """Runs that may excuse a disagreement: of the slightly disturbed engine, and of the framework.

        In the latter only the forward pass rounds, which a backward pass cannot avoid.
        """
        wide, finer = self.methods.pullbacks.get(ENGINE), None
        # As in `_common_runs`.
        with contextlib.suppress(Exception):
            finer = None if wide is None else Runs(wide, wide.finer_runs(thresholds.RUNS))
        return finer, self._own_runs(thresholds.RUNS, backward=False)

    def _common_runs(self, count: int) -> Runs | None:
        # A function that runs in one precision only keeps the estimate.
        with contextlib.suppress(Exception):
            pullbacks = self.methods.pullbacks
            fine = pullbacks.get(ENGINE) or pullbacks.get(ORACLE) or self.in_double()
            if fine is not None and (coarse := fine.coarse_runs(count)):
                return Runs(fine, coarse)
        return None

    def _own_runs(self, count: int, *, backward: bool) -> dict[str, Runs]:
        # Some operations cannot be disturbed, such as sparse ones.
        with contextlib.suppress(Exception):
            fine, name = self.in_double(), self.roles.autodiff(self.methods.pullbacks)
            if fine is not None:
                return {name: Runs(fine, fine.own_runs(count, backward=backward))}
        return {}


def follows(problem: Problem, recording: Pullback, point: Vector, eps: float) -> bool:
    """Whether a recording changes like the function from the problem's point to another one.

    ``eps`` is the unit roundoff of the function. Each output is tested separately. Outputs that the recording
    does not change at the other point, or cannot evaluate there, do not count.
    """
    try:
        replayed = recording.primal_at(point) - recording.primal
    except Exception:
        return True
    moved = problem.evaluate(point) - problem.value
    # A grain that the recording lacks, such as that of bfloat16 inside, shows at the point itself.
    grain = 2 * np.abs(recording.primal - problem.value)
    roundings = thresholds.ELSEWHERE_IF_COARSE if eps > EPS32 else thresholds.ELSEWHERE_ROUNDINGS
    noise = roundings * eps * np.abs(problem.value) + 2 * problem.evaluation_noise + grain
    for leaf in problem.outputs.leaves:
        part = slice(leaf.start, leaf.stop)
        apart = float(np.linalg.norm(replayed[part] - moved[part]))
        if apart > thresholds.ELSEWHERE_SHARE * float(np.linalg.norm(moved[part])) + float(
            np.linalg.norm(noise[part])
        ):
            return False
    return True


class SecondOrder:
    """The derivative of ``(x, u) → u · J(x)`` at the point and a random cotangent u."""

    number = 2
    #: Whether the function's first arguments are the user's inputs.
    of_inputs = True
    #: The derivative by hand that is on trial, if any.
    form: Form | None = None
    #: The first order's recording is differentiated, whatever the function does elsewhere.
    is_recorded = True
    #: A gradient of the gradient is treated like any other function.
    few_calls: Projections | None = None
    #: The function whose values alone speak of its second derivative, where that is so.
    values_alone: Function | None = None

    def __init__(self, first: FirstOrder, jacobian: Jacobian | None):
        self.first = first
        self.problem, self.measured, self.options = first.problem, first.measured, first.options
        self.roles, self.tolerance = first.roles, first.tolerance
        self.properties = first.properties
        self.methods = Methods(self.roles, notes=first.methods.notes)
        self.value_mismatch: str | None = None
        self.eager: Eager | None = None
        self.is_coarse = first.is_coarse
        n, m = self.problem.inputs.size, self.problem.outputs.size
        self.along = projections(self.options, n + m, n, self.problem.seed)
        self.cotangent = random_cotangents(np.random.default_rng(self.problem.seed), m)[0]
        if jacobian is not None:
            self.cotangent = self.cotangent * jacobian.output_weights
        self.function = first.function
        self.probes: tuple[Probe, ...] = ()

    @functools.cached_property
    def proof(self) -> Methods | None:
        """The proven second derivative, where the first order asks for proofs; see `FirstOrder.proof`."""
        asked, found = self.first.proof, Methods(self.roles)
        if asked is None or EXACT not in asked.pullbacks:
            return asked
        found.prepare(EXACT, lambda: asked.pullbacks[EXACT].second_order(self.cotangent))
        return found

    def prepare(self) -> SecondOrder:
        """Prepare every method that the first order used, and return the order."""
        for name, state in self.first.methods.states.items():
            self.methods.states[name] = state
            if name in self.first.methods.pullbacks:
                self.methods.prepare(name, functools.partial(self._begin, name))
        if self.first.eager is not None:
            self.eager = self.first.eager.second_order(self.cotangent)
        self.function = self._gradient_function()
        return self

    def _begin(self, name: str) -> Pullback:
        pullback = self.first.methods.pullbacks[name].second_order(self.cotangent)
        size = pullback.program.outputs.size
        pullback.begin(np.ones(size) if self.along is None else self.along.cotangents[0])
        return pullback

    def _gradient_function(self) -> Function:
        """Return the gradient in the form for differences: a first derivative that was just found right."""
        f, pullbacks = self.first.function, self.methods.pullbacks
        lead = pullbacks.get(ORACLE) or pullbacks.get(ENGINE)
        if lead is None and self.first.held is not None:
            lead = self.first.held.second_order(self.cotangent)
        lead = lead or self.in_double() or pullbacks.get(self.roles.autodiff(pullbacks))
        if lead is None:
            # No method has a second derivative; the first order stands for the layout of the result.
            return f

        def evaluate(vector: Any) -> Any:
            try:
                return lead.primal_at(vector)
            except Exception:
                return np.full(lead.program.outputs.size, np.nan)

        inputs, outputs, free = lead.program.inputs, lead.program.outputs, np.full(f.outputs.size, np.inf)
        point = np.concatenate([f.point, self.cotangent])
        bounds = np.concatenate([f.lower, -free]), np.concatenate([f.upper, free])
        how = one_by_one(evaluate), lambda points: points
        return Function(inputs, outputs, point, lead.primal, *how, *bounds, np.zeros(outputs.size), lead.eps)

    def own_measure(self) -> Eager | None:
        """The same for the gradient; see `FirstOrder.own_measure`."""
        with contextlib.suppress(Exception):
            first = self.first.own_measure()
            return first and first.second_order(self.cotangent)
        return None

    # -- what can be run again -------------------------------------------------------------------------

    def moved(self, culprit: str, vector: Vector) -> Pullback:
        """Return a method at another point and another cotangent."""
        size = self.problem.inputs.size
        return self.first.moved(culprit, vector[:size]).second_order(vector[size:])

    def in_double(self) -> Pullback | None:
        """Return the gradient of the framework's gradient in float64, None where it cannot run in it."""
        pullbacks = self.methods.pullbacks
        # The gradient in the function's own precision is there as well, only coarser.
        with contextlib.suppress(Exception):
            if self.roles.autodiff(pullbacks) in pullbacks:
                fine = self.first.in_double()
                return fine and fine.second_order(self.cotangent)
        return None

    def runs_to_measure(self, count: int) -> AllRuns:
        """Return the gradients of the first order's runs."""
        return self._of_the_gradient(self.first.runs_to_measure(count))

    @property
    def runs_on_disagreement(self) -> AllRuns:
        """The gradients of the first order's runs."""
        return self._of_the_gradient(self.first.runs_on_disagreement)

    def _of_the_gradient(self, runs: AllRuns) -> AllRuns:
        common, own = None, {}
        # Methods that cannot be measured keep their estimates.
        with contextlib.suppress(Exception):
            common = runs[0] and runs[0].second_order(self.cotangent)
        with contextlib.suppress(Exception):
            own = {name: each.second_order(self.cotangent) for name, each in runs[1].items()}
        return common, own


Order = FirstOrder | SecondOrder


def tried(order: Order, finding: Finding) -> Selection:
    """Return the properties to try: with an oracle that settled the values only those that are named."""
    selection = order.options.tried
    if order.methods.states.get(ORACLE) != (Status.OK, None) or finding.verdict is Verdict.FAIL:
        return selection
    return Selection(selection.by_name, selection.by_name)


def linearity(order: Order, finding: Finding) -> tuple[tuple[Property, ...], str]:
    """Try whether a derivative by hand is linear; for cotangents of single outputs it may be right anyway."""
    name, pullback = "linear-backward", order.methods.pullbacks.get(BY_HAND)
    silent = finding.verdict is Verdict.FAIL or finding.diagnosis.code in codes.SILENT
    if silent or name not in tried(order, finding) or not isinstance(pullback, user.ByHand):
        return (), BY_HAND
    if not pullback.takes_vectors:
        return (), BY_HAND
    broken = pullback.breaks_linearity()
    return (Property(name, broken is None, broken or HOLDS[name], name),), BY_HAND


#: A trial of a backward after a finding: returns properties (empty if it does not apply) and the method.
Probe = Callable[[Finding], tuple[tuple[Property, ...], str]]
