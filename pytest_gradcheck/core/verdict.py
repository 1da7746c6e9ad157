"""The rules of the verdict: evidence about a derivative in, a verdict with a reason out.

The rules of a tuple are tried in order, and the first that answers wins. A new rule is a function here, a
place in a tuple and a test in tests/core/test_verdict_rules.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.diagnosis import codes
from pytest_gradcheck.core.diagnosis.causes import of_error
from pytest_gradcheck.core.evidence.allowances import BELOW_ROUNDING, sufficient_sensitivity
from pytest_gradcheck.core.evidence.confirm import Standing
from pytest_gradcheck.core.evidence.jacobian import Cost, Jacobian
from pytest_gradcheck.core.evidence.proof import is_right, largest_error, pair, wrong_entries
from pytest_gradcheck.core.evidence.survey import bends, unseen
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.results import Diagnosis, NotChecked, Property, Status, Verdict
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.methods.roles import COMPLEX_STEP, DIFFERENCES, ENGINE, EXACT, ORACLE, gradient_of

if TYPE_CHECKING:
    from pytest_gradcheck.core.orders import Order

#: The status of each method with a reason, by name.
States = dict[str, tuple[Status, str | None]]


class LeftOut(NamedTuple):
    """An exact method that does not count at a point, and why.

    ``overruled`` says that the method itself is wrong, and not the function.
    """

    name: str
    reason: str
    overruled: bool = False


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence about one derivative at one point.

    ``heard`` are the exact methods that count, ``states`` the status of every method. ``jacobian``, ``first``
    (the table of the first look) and ``table`` (of the closest one) are None before a look. ``overruled``
    says that the engine was left out because it is wrong itself. ``probed`` is the method whose backward has
    the last ``properties``.
    """

    order: Order
    heard: Mapping[str, Pullback]
    states: States
    properties: tuple[Property, ...] = ()
    probed: str | None = None
    jacobian: Jacobian = None  # type: ignore[assignment]  # no rule on the numbers is asked before a look
    first: Table = None  # type: ignore[assignment]  # as above
    table: Table = None  # type: ignore[assignment]  # as above
    overruled: bool = False
    #: The result of a second look at the exact methods that disagree with another one.
    standings: Mapping[str, Standing] = field(default_factory=dict)

    @functools.cached_property
    def differences(self) -> tuple[str, ...]:
        """The difference methods that can run, in the order of the names."""
        return tuple(name for name in DIFFERENCES if self.states.get(name) == (Status.OK, None))

    @functools.cached_property
    def on_trial(self) -> tuple[str, ...]:
        """The methods whose gradients are on trial: including a stand-in that runs a backward by hand."""
        roles = self.order.roles
        return tuple(
            n for n, p in self.heard.items() if roles.is_on_trial(n) or (n != ENGINE and p.hand_written())
        )

    def witness(self, name: str) -> str:
        """Name the witness that a method belongs to; a method on trial is a separate one."""
        return name if name in self.on_trial else self.order.roles.witness(name)

    def without(self, left_out: LeftOut) -> Evidence:
        """Return the evidence without a method that does not count as a witness."""
        heard = {name: pullback for name, pullback in self.heard.items() if name != left_out.name}
        states = {**self.states, left_out.name: (Status.UNAVAILABLE, left_out.reason)}
        return replace(self, heard=heard, states=states, overruled=self.overruled or left_out.overruled)


@dataclass(frozen=True, eq=False)
class Finding:
    """A verdict and its reasons; see `CheckResult` for the parts.

    ``rule`` is the name of the rule that answered, and ``spent`` the evaluations until then. ``unexplained``
    says that values alone decided, and a diagnosis is still needed.
    """

    verdict: Verdict
    diagnosis: Diagnosis
    culprit: str | None = None
    labels: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    unexplained: bool = False
    #: For a broken property: whether the values of the gradient are right.
    values_right: bool = False
    rule: str = ""
    evidence: Evidence = field(default=None, repr=False)  # type: ignore[assignment]  # set by `answer`
    spent: Mapping[str, tuple[int, int]] = field(default_factory=dict)


Rule = Callable[[Evidence], Finding | None]


def answer(rules: Sequence[Rule], evidence: Evidence) -> Finding | None:
    """Return the finding of the first rule that answers, None where none does."""
    for rule in rules:
        finding = rule(evidence)
        if finding is not None:
            costs = evidence.jacobian.costs if evidence.jacobian is not None else {}
            spenders: dict[str, Cost | Pullback] = {**costs, **evidence.heard}
            spent = {name: (each.evaluations, each.calls) for name, each in spenders.items()}
            return replace(finding, rule=rule.__name__, evidence=evidence, spent=spent)
    return None


def _inconclusive(code: str, text: str = "") -> Finding:
    return Finding(Verdict.INCONCLUSIVE, Diagnosis(code, text) if text else codes.fixed(code))


# -- before anything is looked at --------------------------------------------------------------------


def value_mismatch(evidence: Evidence) -> Finding | None:
    """The function computes something other than its oracle, so its gradient is not the requested one."""
    text = evidence.order.value_mismatch
    return None if text is None else Finding(Verdict.FAIL, Diagnosis("value-mismatch", text))


def raised(evidence: Evidence) -> Finding | None:
    """A method on trial raises: it fails, with the exception as the reason."""
    for name, (status, reason) in evidence.states.items():
        if status is Status.ERROR:
            if code := evidence.order.methods.broken.get(name):
                return Finding(Verdict.FAIL, Diagnosis(code, str(reason)), name)
            diagnosis = of_error(name, str(reason), evidence.order.problem.framework)
            return Finding(Verdict.FAIL, diagnosis, name)
    return None


def not_implemented(evidence: Evidence) -> Finding | None:
    """The framework reports that it has no derivative, and its own is on trial.

    The others may agree, but a pass would claim that the framework's derivative was checked.
    """
    roles, missing = evidence.order.roles, evidence.order.methods.missing
    if missing and roles.asks_about_own(evidence.heard):
        return _inconclusive("not-implemented", f"{roles.own}: {missing}")
    return None


def no_entries(evidence: Evidence) -> Finding | None:
    """The outputs are empty."""
    if evidence.order.function.outputs.size == 0:
        return _inconclusive("nothing-checked", "the outputs are empty: there is no entry to check")
    return None


def not_finite(evidence: Evidence) -> Finding | None:
    """The function's value is nan or inf."""
    f = evidence.order.function
    finite = np.isfinite(f.value)
    if finite.all():
        return None
    name, index = f.outputs.locate(int(np.argmin(finite)))
    text = f"the function is not finite at this point ({name}{list(index) or ''})"
    return _inconclusive("non-finite-value", text)


def erratic(evidence: Evidence) -> Finding | None:
    """The function does not repeat itself."""
    return _inconclusive("nondeterministic") if evidence.order.function.is_erratic else None


def own_cannot_run(evidence: Evidence) -> Finding | None:
    """The framework's own gradient is on trial and cannot run, so comparing the others checks nothing."""
    roles = evidence.order.roles
    state, why = evidence.states.get(roles.own or "", (Status.OK, None))
    if state is Status.UNAVAILABLE and evidence.heard and roles.asks_about_own(evidence.heard):
        text = f"{roles.own}, whose gradient is on trial, cannot run here: {why}"
        return _inconclusive("nothing-checked", text)
    return None


def nothing_to_compare(evidence: Evidence) -> Finding | None:
    """There are no two methods of which at least one is exact."""
    exact = evidence.heard
    if exact and len(exact) + len(evidence.differences) >= 2:
        return None
    if (other := evidence.order.problem.returns_of) is not None:
        arrays = f"{other.name} {other.plural}"
        text = f"the function returns {arrays} and is given none: pass {arrays}, or give gradient="
        return _inconclusive("nothing-checked", text)
    why: dict[str, list[str]] = {}
    for name, (_, reason) in evidence.states.items():
        if reason:
            why.setdefault(reason, []).append(name)
    if len(why) == 1 and not exact:
        text = f"only finite differences could run: {next(iter(why))}, or give gradient="
        return _inconclusive("nothing-checked", text)
    text = "only finite differences could run; give gradient= or an oracle"
    if exact:
        text = f"only one method ({next(iter(exact))}) gave a gradient; at least two are needed"
    reasons = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in why.items())
    return _inconclusive("nothing-checked", f"{text} ({reasons})" if reasons else text)


def broken_property(evidence: Evidence) -> Finding | None:
    """A backward violates a property of every right backward, whatever its values.

    Decided before a look, because the numbers of such a backward may depend on how often it was called.
    """
    for one in evidence.properties:
        # If a function is not repeatable, no gradient can be checked or called wrong.
        if one.holds is False and one.code not in codes.SILENT:
            return Finding(Verdict.FAIL, Diagnosis(one.code, one.detail), evidence.probed)
    return None


def with_values(broken: Finding, values: Finding) -> Finding:
    """Return the finding on a broken property, with a note on the values."""
    text = f"the values of the gradient could not be checked: {values.diagnosis.text}"
    if values.verdict is Verdict.FAIL:
        text = values.diagnosis.text
    elif values.verdict is Verdict.PASS:
        evidence = values.evidence
        names = [*evidence.jacobian.differences, *evidence.table.exact]
        others = [name for name in names if name != broken.culprit]
        listed = ", ".join(others[:-1]) + " and " * (len(others) > 1) + others[-1]
        text = f"the values of the gradient agree with {listed}"
    diagnosis = Diagnosis(broken.diagnosis.code, f"{broken.diagnosis.text}; {text}")
    return replace(broken, diagnosis=diagnosis, values_right=values.verdict is Verdict.PASS)


def with_own_values(mismatch: Finding, own: Finding) -> Finding:
    """Return the finding on a value unlike the oracle's, with a note on the function's own gradient."""
    text = {
        Verdict.PASS: "the gradient fits the function's own values",
        Verdict.FAIL: f"the gradient does not fit the function's own values: {own.diagnosis.text}",
        Verdict.INCONCLUSIVE: "whether the gradient fits the function's own values could not be checked: "
        f"{own.diagnosis.text}",
    }[own.verdict]
    return replace(
        mismatch, diagnosis=Diagnosis(mismatch.diagnosis.code, f"{mismatch.diagnosis.text}; {text}")
    )


# -- on the numbers ----------------------------------------------------------------------------------


def agree(evidence: Evidence) -> Finding | None:
    """Every exact method agrees with another one wherever they were compared, and there is no kink."""
    table = evidence.table
    if evidence.overruled or not table.backed or (table.kinks and table.tangents is None):
        return None
    names = [*evidence.jacobian.differences, *table.exact]
    diagnosis = Diagnosis("agree", f"{', '.join(names[:-1])} and {names[-1]} agree")
    sensitivity = evidence.order.tolerance.sensitivity
    hidden = 0 if table.tangents is None else int(unseen(table, evidence.jacobian, sensitivity).sum())
    text = "too small to resolve in random projections; use mode='full' to check every entry"
    small: tuple[NotChecked, ...] = (NotChecked(f"{hidden} small entries", text),) if hidden else ()
    if any(BELOW_ROUNDING in dict(c.excused) for c in table.evidence):
        small += (NotChecked("small entries", "smaller than the rounding of the function's own terms"),)
    return Finding(Verdict.PASS, diagnosis, not_checked=small + _below_the_promise(evidence))


def _below_the_promise(evidence: Evidence) -> tuple[NotChecked, ...]:
    """Report what is not checked if the promise was raised to what a coarse dtype allows."""
    kept, asked = evidence.order.tolerance.sensitivity, evidence.order.options.sensitivity
    if asked is not None or not evidence.order.is_coarse or kept <= thresholds.SENSITIVITY:
        return ()
    what = f"errors below {kept:g} of the largest entry of an input's gradient"
    return (NotChecked(what, "too small to detect in the dtype on trial; see sensitivity"),)


def engine_overruled(evidence: Evidence) -> Finding | None:
    """The methods agree except for the engine, which is wrong itself."""
    if not (evidence.overruled and evidence.table.backed):
        return None
    text = "the reference engine stands alone against the other methods, which agree"
    return Finding(Verdict.PASS, Diagnosis("reference-engine", text), ENGINE, ("reference-engine",))


def subgradient(evidence: Evidence) -> Finding | None:
    """The methods agree, and every gradient is a subgradient at a kink."""
    table = evidence.table
    if table.differences is None or not table.kinks or not table.backed:
        return None
    count = int(table.differences.kink.sum())
    entries = f"{count} {'entry' if count == 1 else 'entries'} at a kink"
    wide = (NotChecked(entries, "any slope between the one-sided ones is correct there"),)
    return Finding(Verdict.PASS, codes.fixed("subgradient"), labels=("kink",), not_checked=wide)


def nowhere_finite(evidence: Evidence) -> Finding | None:
    """No exact method is left: the function is smooth, but its code cannot be differentiated as written.

    No gradient was on trial: NumPy code whose untaken branch overflows is correct.
    """
    if evidence.heard:
        return None
    text = "every exact method returns nan or inf here, although finite differences are finite"
    return _inconclusive("non-finite-gradient", text)


def no_common_ground(evidence: Evidence) -> Finding | None:
    """The engine's derivative of the function and the measured one differ.

    This happens at ties, where partial derivatives exist and the derivative does not (the middle of three
    equal numbers moves with none of them alone), and where the function returns mostly rounding. A recording
    that moves unlike the function excuses nothing if differences add up as for a smooth function: an
    iteration takes another number of steps there.
    """
    table, order = evidence.table, evidence.order
    if not table.disagrees:
        return None
    alone = order.roles.is_engine_alone(evidence.heard)
    excused = table.unmeasurable and order.is_recorded
    if not excused and (alone or table.unmeasurable):
        excused = bends(table, evidence.jacobian, order.tolerance.sensitivity, order.problem.seed)
    if excused:
        text = "no exact method agrees with differences of the function, not even the reference engine"
        return _inconclusive("methods-split", text)
    return None


def differences_split(evidence: Evidence) -> Finding | None:
    """Differences contradict each other, and no other methods do."""
    if evidence.table.disagrees and evidence.table.differences_split:
        text = "central and forward differences contradict each other, and the exact methods agree"
        return _inconclusive("methods-split", text)
    return None


def outvoted(evidence: Evidence) -> Finding | None:
    """One method differs from others that agree: it is wrong."""
    table = evidence.table
    names = [*evidence.jacobian.differences, *table.exact]
    culprit = vote(table.agreement, names, evidence.witness) if table.disagrees else None
    # The proven derivative can be wrong only if the recording is not the function.
    if culprit is None or culprit == EXACT:
        return None
    diagnosis = Diagnosis("wrong-values", f"{gradient_of(culprit)} differs from the other methods")
    return Finding(Verdict.FAIL, diagnosis, culprit, unexplained=True)


def split(evidence: Evidence) -> Finding | None:
    """The methods disagree, and there is no majority."""
    if not evidence.table.disagrees:
        return None
    known = [c for c in evidence.table.evidence if c.agree is not None]
    pairs = "; ".join(f"{c.a} and {c.b} {'agree' if c.agree else 'differ'}" for c in known)
    diagnosis = Diagnosis("methods-split", f"the methods disagree and there is no majority: {pairs}")
    return Finding(Verdict.FAIL, diagnosis, unexplained=True)


def lone_method(evidence: Evidence) -> Finding | None:
    """Only one method is left, with nothing to compare it with."""
    if evidence.table.evidence:
        return None
    text = f"only one method ({next(iter(evidence.table.exact))}) gave a gradient; at least two are needed"
    return _inconclusive("nothing-checked", text)


def jump(evidence: Evidence) -> Finding | None:
    """The function has no derivative where it jumps."""
    return _inconclusive("jump") if evidence.table.jumps else None


def singularity(evidence: Evidence) -> Finding | None:
    """A gradient is nan or inf, and differences cannot refute it."""
    finite = all(np.isfinite(e.value).all() for e in evidence.table.exact.values())
    return None if finite else _inconclusive("singularity")


def unresolved(evidence: Evidence) -> Finding:
    """The error bars are too wide: an error of the promised size could be within them."""
    text = (
        f"error bars too wide: a relative error of {evidence.order.tolerance.sensitivity:g} (sensitivity) "
        "could go undetected"
    )
    enough = sufficient_sensitivity(evidence.table, evidence.jacobian)
    if enough and enough > evidence.order.tolerance.sensitivity:
        text += f"; one of {enough:g} could not (sensitivity={enough:g})"
    return _inconclusive("unresolved", text)


#: Rules that need no numbers.
BEFORE_LOOKING: tuple[Rule, ...] = (
    value_mismatch,
    raised,
    not_implemented,
    no_entries,
    not_finite,
    erratic,
    own_cannot_run,
    nothing_to_compare,
    broken_property,
)

#: Rules on the table of the closest look. The last one always answers.
ON_THE_NUMBERS: tuple[Rule, ...] = (
    agree,
    engine_overruled,
    subgradient,
    nowhere_finite,
    no_common_ground,
    differences_split,
    outvoted,
    split,
    lone_method,
    jump,
    singularity,
    unresolved,
)

# -- on a second look at a failure -------------------------------------------------------------------


def unmeasured(evidence: Evidence) -> Finding | None:
    """Function values are not a measure of the gradient, and cannot settle a disagreement.

    Tried here for functions that create a generator themselves: their calls do not show that they draw.
    """
    order = evidence.order
    # Values with fixed samples are a measure.
    reason = None if order.options.holds_stops else order.measured.not_measured
    text = f"the methods disagree, and function values cannot settle it: {reason}"
    return None if reason is None else _inconclusive("unconfirmed", text)


def confirmed(evidence: Evidence) -> Finding | None:
    """Function values contradict a gradient twice: it is wrong."""
    wrong = [name for name, standing in evidence.standings.items() if standing.wrong]
    on_trial = evidence.on_trial
    accused = [name for name in wrong if name in on_trial]
    if not accused and (on_trial or set(wrong) != {ENGINE}):
        # For NumPy code without its own gradient the engine is what is checked, and a method that merely runs
        # the code again is not a witness against it.
        return None
    names = accused or wrong
    if len(names) > 1:
        text = f"function values contradict {' and '.join(map(gradient_of, names))}"
        return Finding(Verdict.FAIL, Diagnosis("methods-split", text), unexplained=True)
    text = evidence.standings[names[0]].text
    diagnosis = Diagnosis("wrong-values", f"{gradient_of(names[0])} differs from the other methods")
    if not evidence.table.bad_entries(names[0]).any():
        # Its entries do not show a difference.
        return Finding(Verdict.FAIL, Diagnosis("kink-outside", text) if text else diagnosis, names[0])
    return Finding(Verdict.FAIL, diagnosis, names[0], unexplained=True)


def borne_out(evidence: Evidence) -> Finding | None:
    """Function values support all gradients on trial; methods that differ only run the same code again."""
    on_trial = evidence.on_trial
    if not on_trial or not {*DIFFERENCE_METHODS, ORACLE}.isdisjoint(_apart_from(evidence, on_trial)):
        return None
    if ORACLE in evidence.heard and evidence.table.bad_entries(ORACLE).any():
        # The oracle does not run the same code again.
        return None
    # Before the rounding of exact methods was measured, and after.
    said = [(*pair, agree) for t in (evidence.first, evidence.table) for pair, agree in t.agreement.items()]
    for name in on_trial:
        # Agreement within bars that could hide anything is not support.
        agrees = any(agree and name in pair and {*pair} & {*DIFFERENCE_METHODS} for *pair, agree in said)
        if not evidence.standings.get(name, Standing(right=agrees)).right:
            return None
    text = "the reference engine differs from the other methods, which agree here and nearby"
    return Finding(Verdict.PASS, Diagnosis("reference-engine", text), ENGINE, ("reference-engine",))


def limit(evidence: Evidence) -> Finding | None:
    """The function is not smooth at the point, and every gradient on trial is a limit of slopes nearby."""
    on_trial = evidence.on_trial
    standings = [evidence.standings[name] for name in on_trial if name in evidence.standings]
    if not standings or not all(standing.limit for standing in standings):
        return None
    text = "at a kink or an edge of the domain; the gradient is a limit of slopes nearby"
    return Finding(Verdict.PASS, Diagnosis("subgradient", text), labels=("kink",))


def rough(evidence: Evidence) -> Finding | None:
    """The function is not smooth at the point, and no gradient is wrong around it."""
    if not any(standing.rough for standing in evidence.standings.values()):
        return None
    return _inconclusive("kink")


def not_confirmed(evidence: Evidence) -> Finding:
    """A second look does not confirm the disagreement of the first."""
    names = [name for name, standing in evidence.standings.items() if not standing.wrong]
    if not names:
        text = "no exact method agrees with differences of the function, and no gradient is on trial"
        return _inconclusive("methods-split", text)
    text = (
        f"the methods disagree, and function values do not confirm twice that {' or '.join(names)} is wrong"
    )
    return _inconclusive("unconfirmed", text)


def _apart_from(evidence: Evidence, names: Iterable[str]) -> set[str]:
    """Return the methods from which any of ``names`` differs."""
    pairs = [(c.a, c.b) for c in evidence.table.evidence if c.agree is False]
    return {other for a, b in pairs for one, other in ((a, b), (b, a)) if one in names}


#: Rules on a second look at a failure on the numbers. The last one always answers.
ON_SECOND_LOOK: tuple[Rule, ...] = (confirmed, borne_out, limit, rough, not_confirmed)

#: The same after a doubt, which stays if none answers.
ON_DOUBT: tuple[Rule, ...] = (confirmed, limit)

# -- on the proven derivative ------------------------------------------------------------------------


def proved_wrong(evidence: Evidence) -> Finding | None:
    """A gradient on trial is not the derivative, which is proven: the culprit is certain."""
    wrong = proved_culprits(evidence)
    if not wrong:
        return None
    verb = "is" if len(wrong) == 1 else "are"
    text = f"{' and '.join(map(gradient_of, wrong))} {verb} not the derivative, which is proved"
    text += _contradicted(evidence, wrong)
    if len(wrong) > 1:
        return Finding(Verdict.FAIL, Diagnosis("methods-split", text), unexplained=True)
    return Finding(Verdict.FAIL, Diagnosis("wrong-values", text), wrong[0], unexplained=True)


def proved_culprits(evidence: Evidence) -> list[str]:
    """Return the methods whose gradients are wrong by proof."""
    given = evidence.jacobian, evidence.order.tolerance.sensitivity
    return [name for name in asked_about(evidence) if wrong_entries(evidence.table, name, *given).any()]


def proved_right(evidence: Evidence) -> Finding | None:
    """Every gradient on trial is the derivative, which is proven, whatever the others say."""
    order, table, names = evidence.order, evidence.table, asked_about(evidence)
    given = order.function.inputs, order.tolerance.sensitivity
    if not names or not all(is_right(table, name, evidence.jacobian, given[1]) for name in names):
        return None
    verb = "agrees" if len(names) == 1 else "agree"
    text = f"{' and '.join(names)} {verb} with the derivative, which is proved"
    text += _contradicted(evidence, names)
    off = max((largest_error(table, name, given[0]), name) for name in names)
    rest: tuple[NotChecked, ...] = ()
    if off[0] > given[1]:
        if order.options.sensitivity is not None:
            # A requested promise is kept.
            return None
        what = f"errors below {off[0]:.2g} of the largest entry of an input's gradient"
        rest = (NotChecked(what, f"{off[1]} is off by that much, which is its own rounding"),)
    if ENGINE in _apart(evidence, names):
        return Finding(Verdict.PASS, Diagnosis("proved", text), ENGINE, ("reference-engine",), rest)
    return Finding(Verdict.PASS, Diagnosis("proved", text), not_checked=rest)


def _apart(evidence: Evidence, names: Collection[str]) -> list[str]:
    """Return the other methods that a proof contradicts."""
    others = [n for n in (*evidence.differences, *evidence.table.exact) if n not in (*names, EXACT)]
    return [n for n in others if (c := pair(evidence.table, n)) is not None and c.disagree.any()]


def _contradicted(evidence: Evidence, names: Collection[str]) -> str:
    """Name the other methods that a proof contradicts, as the end of a sentence."""
    apart = _apart(evidence, names)
    return f"; {' and '.join(apart)} {'differs' if len(apart) == 1 else 'differ'} from it" if apart else ""


def asked_about(evidence: Evidence) -> tuple[str, ...]:
    """Return the methods that a proof judges: those on trial, or an engine that is checked alone."""
    heard = [name for name in evidence.heard if name != EXACT]
    return evidence.on_trial or (tuple(heard) if evidence.order.roles.is_engine_alone(heard) else ())


#: Rules on a failure or a doubt next to the proven derivative, which outranks every measured one.
ON_PROOF: tuple[Rule, ...] = (proved_wrong, proved_right)

#: Rules whose findings a derivative of the function cannot settle: another one is checked, or none.
NOT_ASKED = frozenset(rule.__name__ for rule in (*BEFORE_LOOKING, unmeasured))

#: Rules on properties that were tried after the numbers.
ON_PROPERTIES: tuple[Rule, ...] = (broken_property,)


# -- who is not a witness -------------------------------------------------------------------------------


STANDS_ALONE = "its gradient stands alone against the others, which agree"


def no_witness(name: str, evidence: Evidence) -> LeftOut | None:
    """Return why an exact method does not count as a witness at this point, or None if it does.

    A rule of the engine may give nan or inf at a special point of a composition (the untaken branch of a
    ``where`` is differentiated too). A value that the function took out of the framework's graph is a
    constant on the engine as well. And where another exact method and differences agree with each other, an
    engine that stands alone is wrong itself. Without another method only differences could show that, unless
    the function has no gradient of its own. A framework's rules only stand in for those of NumPy or Python
    code, and are nan or wrong at their own special points: the second derivative of a standard deviation
    where all numbers are the same, the gradient of a determinant where the matrix is singular. Anything that
    uses a hand-written backward is on trial.
    """
    table = evidence.table
    if name not in table.exact:
        return None
    everyone = [*DIFFERENCE_METHODS, *table.exact]
    if name == COMPLEX_STEP:
        alone = vote(table.agreement, everyone) == name
        # Code that is not analytic, undetected by the test for it, is not at fault.
        text = "it stands alone against the other methods: the function is not analytic"
        return LeftOut(name, text) if alone and len(table.exact) > 1 else None
    alone = vote(table.agreement, everyone, evidence.witness) == name
    several = len(table.exact) > 1
    if name == ENGINE and evidence.order.roles.own is not None and not several:
        return None
    # The method gives nan or inf where the others do not.
    if (table.bad_entries(name) & ~np.isfinite(table.exact[name].value)).any():
        return LeftOut(name, "its own gradient is not finite at this point, where differences are")
    reason = STANDS_ALONE
    if name != ENGINE:
        agreed = any(c.agree for c in table.evidence if name not in (c.a, c.b))
        blamed = alone and agreed and not any(p.hand_written() for p in evidence.heard.values())
        return LeftOut(name, reason) if blamed else None
    # Without differences nothing can show whether the difference comes from what it did not see.
    against = [c for c in table.measured or table.evidence if ENGINE in (c.a, c.b)]
    escaped = evidence.order.methods.escaped
    if several and escaped and any(c.agree is False for c in against):
        return LeftOut(ENGINE, escaped[0])
    backed = any(c.agree for c in table.measured if c.b != ENGINE) or table.contradicted(ENGINE)
    return LeftOut(ENGINE, reason, overruled=True) if alone and backed else None


def backed(name: str, evidence: Evidence) -> bool:
    """Whether another witness gives exactly the same numbers where function values contradict a method.

    At -9 gelu is x · (1 + erf(x/√2)) / 2 with nothing left of the sum: no value shows the derivative of 1e-17
    that both give. Zero does not count: code that cannot be recorded is a constant for both.
    """
    table, witness = evidence.table, evidence.witness
    bad = table.bad_entries(name)
    moves = (np.abs(table.exact[name].value) > table.exact[name].uncertainty)[bad].all()
    others = (o for o in table.exact if witness(o) != witness(name))
    alike = any(table.agreement.get(pair) for o in others for pair in ((name, o), (o, name)))
    return bool(moves and alike and not evidence.order.methods.escaped)


def beside_the_point(evidence: Evidence, table: Table) -> list[LeftOut]:
    """Return the methods that do not count where function values support everything on trial.

    A method that merely runs the code again, and differs or is undecided, does not refute a gradient that
    agrees with the function's values in every entry: it may lose digits that a backward by hand was written
    to keep.
    """
    on_trial = evidence.on_trial
    measured = {c.b: c for c in table.measured if c.a == "central"}
    if table.kinks or not on_trial or not all(name in measured and measured[name].agree for name in on_trial):
        return []
    out = []
    for name in evidence.order.roles.replaceable:
        if name not in table.exact or name in on_trial:
            continue
        against = [c for c in table.evidence if name in (c.a, c.b) and c.entrywise]
        apart = np.any([c.disagree[:, table.coordinates] for c in against], axis=0)
        # A method that values contradict in one entry does not count as a witness in the others.
        if measured[name].disagree.any() if apart.any() else measured[name].agree is None:
            overruled = bool(apart.any())
            reason = (
                STANDS_ALONE if overruled else "its own rounding hides more than the promised sensitivity"
            )
            out.append(LeftOut(name, reason, overruled))
    return out


# -- the vote ----------------------------------------------------------------------------------------


def vote(
    agreement: Mapping[tuple[str, str], bool | None],
    methods: Iterable[str],
    witness: Callable[[str], str] = str,
) -> str | None:
    """Name the method that stands alone against others that agree among themselves, or None.

    All differences are one witness: they use the same function values. If they are certain, they outvote the
    others, since they measure the function itself. Exact methods with the same ``witness`` have one vote as
    long as they agree, that of the first of them.
    """
    names = list(methods)
    said = {**{(b, a): agree for (a, b), agree in agreement.items()}, **agreement}
    exact: list[str] = []
    for name in (n for n in names if n not in DIFFERENCE_METHODS):
        if not any(witness(n) == witness(name) and said.get((n, name)) for n in exact):
            exact.append(name)
    names = [n for n in names if n in exact or n in DIFFERENCE_METHODS]
    measured = [n for n in DIFFERENCES if n in names]

    def split(n: str, others: Iterable[str]) -> set[bool | None]:
        """Return the outcomes of the comparisons of a method with others."""
        return {said.get((n, o)) for o in others if o != n}

    suspects = [n for n in exact if False in (by := split(n, measured)) and True not in by]
    if suspects:
        return suspects[0] if len(suspects) == 1 else None
    agreeing = [n for n in exact if True in split(n, names)]
    alone = [n for n in exact if n not in agreeing and False in split(n, exact)]
    if len(alone) == 1 and agreeing:
        return alone[0]
    if len(exact) < 3:
        return None
    # In an entry that is small next to the largest one differences may agree with every method.
    outvoted = [
        n
        for n in exact
        if split(n, exact) == {False} and all(split(o, set(exact) - {n}) == {True} for o in exact if o != n)
    ]
    return outvoted[0] if len(outvoted) == 1 else None
