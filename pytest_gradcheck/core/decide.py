"""The steps of a check: look, look closely on doubt, decide, explain, and write the result."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_gradcheck.core import thresholds, verdict
from pytest_gradcheck.core.diagnosis import codes
from pytest_gradcheck.core.diagnosis.explain import explain
from pytest_gradcheck.core.evidence.allowances import (
    accept_next_to_nothing,
    accept_within_rounding_of_values,
    sufficient_sensitivity,
)
from pytest_gradcheck.core.evidence.confirm import SecondLook
from pytest_gradcheck.core.evidence.few_calls import FewCalls
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.low_precision import Eager
from pytest_gradcheck.core.evidence.proof import (
    counting,
    is_followed,
    is_stable,
    neighbour,
    own_bars,
    with_proof,
    wrong_entries,
)
from pytest_gradcheck.core.evidence.rounding import measure
from pytest_gradcheck.core.evidence.second_differences import along_three_lines
from pytest_gradcheck.core.evidence.survey import Survey, first_look, recompare
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.core.orders import FirstOrder, Order, merged
from pytest_gradcheck.core.report.write_up import write_up
from pytest_gradcheck.core.results import CheckResult, Status, Verdict
from pytest_gradcheck.core.verdict import Evidence, Finding, answer
from pytest_gradcheck.frameworks.pullback import Anew, Pullback
from pytest_gradcheck.methods.exact import ExactPullback
from pytest_gradcheck.methods.roles import BY_HAND, DIFFERENCES, ENGINE, EXACT, ORACLE

#: Rules that report doubt because differences contradict every exact method.
DOUBTED_BY_VALUES = ("no_common_ground", "differences_split")

#: Why a proof is not shown next to function values that contradict it.
NOT_FOLLOWED = "function values move otherwise than the recording, or its choices change next to the point"

#: What is said of a Hessian for which a gradient was measured, with four calls per input.
MEASURED = "differences of a gradient that was measured by many calls: give gradient= too, which takes few"


def run(order: Order) -> tuple[CheckResult, Finding]:
    """Check one order whose methods are prepared: its values, and then the properties of its backwards."""
    methods = order.methods
    evidence = Evidence(order, methods.pullbacks, methods.states, order.properties, order.roles.own)
    finding = answer(verdict.BEFORE_LOOKING, evidence)
    if finding is not None and not order.options.brief:
        if finding.diagnosis.code in codes.BESIDE_VALUES:
            finding = _with_values(order, finding)
        elif finding.rule == "value_mismatch" and isinstance(order, FirstOrder):
            return write_up(order, other := _with_own_values(order, finding)), other
    finding = finding or _on_the_numbers(order, evidence)
    if finding.verdict is not Verdict.PASS or EXACT in order.methods.pullbacks:
        finding = _next_to_proof(order, finding)
    for probe in order.probes:
        found, whose = probe(finding)
        if found:
            known = finding.evidence
            evidence = replace(known, properties=merged(known.properties, found), probed=whose)
            broken = None if finding.verdict is Verdict.FAIL else answer(verdict.ON_PROPERTIES, evidence)
            told = None if broken is None else verdict.with_values(broken, finding)
            finding = told or replace(finding, evidence=evidence)
    if finding.unexplained:
        finding = explain(order, finding, verdict.broken_property(finding.evidence))
    return write_up(order, finding), finding


def _with_values(order: Order, broken: Finding) -> Finding:
    """Look at the values of a backward that can run only once: each pass gets a new graph."""
    evidence, name = broken.evidence, broken.culprit or ""
    own = evidence.heard.get(name)
    if own is None or order.number != 1:
        return broken
    heard = {**evidence.heard, name: Anew(own, order.function.point)}
    # A function that keeps numbers between calls may raise.
    with contextlib.suppress(Exception):
        return verdict.with_values(broken, _on_the_numbers(order, replace(evidence, heard=heard)))
    return broken


def _with_own_values(order: FirstOrder, mismatch: Finding) -> Finding:
    """Say whether the gradient fits the values of the function itself, which are not the oracle's."""
    plain = order.without_oracle()
    methods = plain.methods
    evidence = Evidence(plain, methods.pullbacks, methods.states, plain.properties, plain.roles.own)
    own = answer(verdict.BEFORE_LOOKING, evidence) or _on_the_numbers(plain, evidence)
    return verdict.with_own_values(mismatch, own)


def _on_the_numbers(order: Order, evidence: Evidence) -> Finding:
    """Look, decide, and look a second time before calling a gradient wrong."""
    finding = answer(verdict.ON_THE_NUMBERS, _look(evidence))
    assert finding is not None, "the last rule answers"
    if finding.rule == "unresolved":
        finding = _as_the_dtype_bears(order, finding)
    if finding.unexplained or (finding.rule == "unresolved" and _is_at_an_edge(finding)):
        return _confirmed(order, finding)
    if finding.rule in ("subgradient", "engine_overruled"):
        return _beyond_entries(order, finding)
    # If the exact methods run the same code, they are wrong together.
    return _confirmed(order, finding, finding) if finding.rule in DOUBTED_BY_VALUES else finding


def _next_to_proof(order: Order, finding: Finding) -> Finding:
    """Ask for the proven derivative of what failed or is in doubt, and settle it by that.

    A pass is settled by it too if `methods=` names it.

    A failure has been measured twice, with windows that know the noise. Next to such values a gradient passes
    only if the values are those of the recording all the same: the proof may be of a function that is not
    the intended one, such as the steps of a quantised one. And one by hand must be the proven one but for
    the promised error: it is written to keep the digits, and own rounding that values resolve is a fault.
    """
    failed = finding.verdict is Verdict.FAIL
    if finding.rule in verdict.NOT_ASKED or order.proof is None:
        return finding
    if failed and order.options.brief:
        return finding
    asked, evidence = order.proof, finding.evidence
    state = asked.states[EXACT]
    if EXACT not in asked.pullbacks:
        # Name the missing package only where it would help.
        silent = failed and EXACT not in evidence.states
        known = replace(evidence, states={**evidence.states, EXACT: state})
        return finding if silent else replace(finding, evidence=known)
    exact = asked.pullbacks[EXACT]
    known = replace(
        evidence, heard={**evidence.heard, EXACT: exact}, states={**evidence.states, EXACT: (Status.OK, None)}
    )
    # What was written by hand and has failed needs no excuse.
    asked_about = () if failed and _is_by_hand(known) else verdict.asked_about(known)
    bars = {name: _own_bars(order, known, name) for name in asked_about}
    table, jacobian = with_proof(evidence.table, evidence.jacobian, exact, order.tolerance, bars)
    known = replace(known, table=table, jacobian=jacobian)
    found = answer(verdict.ON_PROOF, known)
    if found is None:
        return replace(finding, evidence=known)
    if failed:
        return _settled_failure(order, finding, found, exact)
    if finding.rule == "agree" and found.verdict is Verdict.PASS:
        return finding
    if found.verdict is Verdict.FAIL:
        found = replace(found, evidence=replace(known, table=counting(table, verdict.proved_culprits(known))))
        if not _stands(order, found, exact):
            return replace(finding, evidence=known)
    return found


def _settled_failure(order: Order, finding: Finding, found: Finding, exact: Pullback) -> Finding:
    """Return what a proof makes of a failure: a pass, another culprit, or the same with digits."""
    known = found.evidence
    same = replace(finding, evidence=known)
    if found.verdict is Verdict.PASS:
        assert isinstance(exact, ExactPullback)
        if not is_followed(known.table, known.jacobian, exact):
            # Its digits would be those of another function.
            states = {**finding.evidence.states, EXACT: (Status.UNAVAILABLE, NOT_FOLLOWED)}
            return replace(finding, evidence=replace(finding.evidence, states=states))
        return found if not found.not_checked or not _is_by_hand(known) else same
    culprits = verdict.proved_culprits(known)
    if finding.culprit in culprits:
        return same
    found = replace(found, evidence=replace(known, table=counting(known.table, culprits)))
    return found if _stands(order, found, exact) else same


def _stands(order: Order, found: Finding, exact: Pullback) -> bool:
    """Whether a gradient is provably wrong a few roundings away too, and function values do not support it.

    A loop that stops immediately next to its solution has a slope of zero there, unlike the values around it.
    """
    evidence, sensitivity = found.evidence, order.tolerance.sensitivity
    f, again = order.function, None
    for name in verdict.proved_culprits(evidence):
        wrong = wrong_entries(evidence.table, name, evidence.jacobian, sensitivity)
        eps, rounded = evidence.heard[name].eps, f.rounded
        at = functools.partial(neighbour, f, eps, rounded, order.problem.seed)
        if not is_stable(evidence.table, name, exact, wrong, at):
            return False
        if evidence.differences:
            again = again or _second_look(order, evidence)
            standing = again.standing(name)
            if standing.right or standing.limit or standing.rough:
                return False
    return True


def _own_bars(order: Order, evidence: Evidence, name: str) -> Any:
    """Return the rounding of a method on trial by itself, of the engine as it was measured."""
    table, jacobian = evidence.table, evidence.jacobian
    if name == ENGINE:
        return jacobian.rows(name, table.cotangents).uncertainty
    _, backward = order.runs_to_measure(thresholds.RUNS)
    _, forward = order.runs_on_disagreement
    point = functools.partial(order.moved, name)
    seed, rounded = order.problem.seed, order.function.rounded
    kinked = table.kinked(order.function.inputs.size)
    bars = own_bars(table, jacobian, name, point, rounded, seed, (backward, forward), kinked)
    if not _is_by_hand(evidence):
        # Plain code leaves its derivative to the framework, so digits lost in its terms are not an error.
        bars = np.fmax(bars, jacobian.rows(name, table.cotangents).uncertainty)
    return bars


def _as_the_dtype_bears(order: Order, finding: Finding) -> Finding:
    """Decide again if the dtype on trial hides the promised error, with a promise that the dtype allows.

    Without an oracle the recording of the function, if any, runs in coarse arithmetic. It lacks the rounding
    of the backward on trial, so errors between this measure and the one that calls a gradient wrong remain in
    doubt.
    """
    evidence, before = finding.evidence, order.tolerance
    tolerance = before
    if not order.is_coarse or order.options.sensitivity is not None:
        return finding
    jacobian, borne = evidence.jacobian, None
    if order.eager is None and ENGINE in evidence.heard:
        borne = order.own_measure()
    if borne is not None:
        jacobian = replace(jacobian, measured=dict(jacobian.measured), noises={})
        tolerance = _measured_by(borne, order, evidence.on_trial, jacobian)
    table = recompare(evidence.table, jacobian, tolerance)
    promise = _promise(order, table, jacobian, tolerance)
    if promise is None:
        return finding
    order.tolerance, table = promise, recompare(table, jacobian, promise)
    found = answer(verdict.ON_THE_NUMBERS, replace(evidence, table=table, jacobian=jacobian))
    if found is not None and found.verdict is Verdict.PASS:
        return found
    order.tolerance = before
    return finding


def _measured_by(borne: Eager, order: Order, on_trial: Iterable[str], jacobian: Jacobian) -> Tolerance:
    """Give methods on trial the error bars of a coarse dtype; return what is allowed beyond them."""
    for name in on_trial:
        jacobian.measured[name], jacobian.noises[name] = borne.measured, 0.0
    given = order.options.rtol is not None
    return order.tolerance if given else replace(order.tolerance, rtol=thresholds.RTOL_COARSE)


def _promise(order: Order, table: Table, jacobian: Jacobian, tolerance: Tolerance) -> Tolerance | None:
    """Return the tolerance with a promise that the dtype on trial allows, or None."""
    if order.options.sensitivity is not None or table.disagrees or table.settled:
        return None
    enough = sufficient_sensitivity(table, jacobian, thresholds.LEAST_PROMISE)
    return replace(tolerance, sensitivity=enough) if enough and enough > tolerance.sensitivity else None


def _is_at_an_edge(doubt: Finding) -> bool:
    """Whether one-sided differences are the only reason for doubt."""
    table = doubt.evidence.table
    if table.differences is None:
        return False
    return any(name == "doubt_at_the_edge" for c in table.evidence for name, _ in c.excused)


def _confirmed(order: Order, finding: Finding, otherwise: Finding | None = None) -> Finding:
    """Look a second time at what disagrees; see `SecondLook`.

    ``otherwise`` is the finding if the second look finds no gradient wrong.
    """
    evidence = finding.evidence
    if any(evidence.states[name][1] for name in DIFFERENCES if name in evidence.states):
        # The function cannot be evaluated anywhere else.
        return finding
    if evidence.standings and otherwise is None:
        again = _second_look(order, evidence)
        kept = {
            name: replace(standing, wrong=standing.wrong and not again.on_stairs(name))
            for name, standing in evidence.standings.items()
        }
        found = answer(verdict.ON_SECOND_LOOK, replace(evidence, standings=kept))
        assert found is not None, "the last rule answers"
        return found
    if unmeasured := answer((verdict.unmeasured,), evidence):
        return unmeasured
    measured = _with_rounding_of_plain_code(order, evidence) if otherwise is None else None
    if measured is not None:
        found = answer(verdict.ON_THE_NUMBERS, measured)
        assert found is not None, "the last rule answers"
        return found
    eased = accept_next_to_nothing(evidence.table, evidence.jacobian) if otherwise is None else evidence.table
    # With an oracle, plain code in the dtype measures the effect of rounding.
    if order.number == 1 and eased.disagrees and order.eager is None:
        noise = order.measured.noise_in_own_dtypes(thresholds.ROUNDED_POINTS)
        fine = order.in_double() if noise.any() else None
        own = {name: fine if name == order.roles.own else None for name in evidence.on_trial}
        eased = accept_within_rounding_of_values(eased, evidence.jacobian, noise, own)
    if evidence.table.disagrees and not eased.disagrees:
        eased_finding = answer(verdict.ON_THE_NUMBERS, replace(evidence, table=eased))
        assert eased_finding is not None, "the last rule answers"
        return eased_finding
    again = _second_look(order, evidence)
    names = [name for name in evidence.heard if evidence.table.bad_entries(name).any()] or [*evidence.heard]
    standings = {}
    for name in sorted(names, key=evidence.on_trial.__contains__, reverse=True):
        if order.eager is not None and name in evidence.on_trial:
            standings[name] = again.standing_next_to(name, ORACLE)
        else:
            standings[name] = again.standing(name)
        if otherwise is not None and verdict.backed(name, evidence):
            standings[name] = replace(standings[name], wrong=False)
        if standings[name].wrong and name in evidence.on_trial:
            break
    if otherwise is not None:
        return answer(verdict.ON_DOUBT, replace(evidence, standings=standings)) or otherwise
    found = answer(verdict.ON_SECOND_LOOK, replace(evidence, standings=standings))
    assert found is not None, "the last rule answers"
    return found


def _with_rounding_of_plain_code(order: Order, evidence: Evidence) -> Evidence | None:
    """Return the evidence with measured rounding if that explains all disagreement, else None.

    Automatic differentiation of expm1(x) / x subtracts two numbers of 1/x. If one of several methods is right
    there, it is by luck. A gradient by hand is written to keep the digits.
    """
    jacobian = evidence.jacobian
    if _is_by_hand(evidence) or jacobian.measured or order.eager is not None:
        return None
    jacobian = replace(jacobian, measured={}, settled=frozenset())
    kinked = evidence.first.kinked(order.function.inputs.size)
    measure(jacobian, *order.runs_to_measure(thresholds.RUNS), kinked)
    table = recompare(evidence.table, jacobian, order.tolerance)
    return None if table.disagrees else replace(evidence, jacobian=jacobian, table=table)


def _is_by_hand(evidence: Evidence) -> bool:
    return BY_HAND in evidence.heard or any(each.hand_written() for each in evidence.heard.values())


def _beyond_entries(order: Order, finding: Finding) -> Finding:
    """Look along other lines too, including those of ties, at gradients that are right entry by entry."""
    evidence = finding.evidence
    again, standings = _second_look(order, evidence), {}
    for name in evidence.on_trial:
        if finding.rule == "subgradient":
            standings[name] = again.at_kinks(name)
        else:
            standings[name] = again.beyond_entries(name, ENGINE)
    return answer((verdict.confirmed,), replace(evidence, standings=standings)) or finding


def _second_look(order: Order, evidence: Evidence) -> SecondLook:
    # Nothing in it is hidden from the engine: no kernel is called.
    harmless = ENGINE in evidence.heard and not order.methods.escaped
    given = evidence.jacobian, evidence.table, order.tolerance, order.moved, order.problem.seed
    return SecondLook(*given, harmless=harmless)


def _look(evidence: Evidence) -> Evidence:
    """Compare cheaply, and closely on doubt, without the methods that are not witnesses here."""
    order = evidence.order
    jacobian = Jacobian(order.function, evidence.heard, evidence.differences, order.options.step)
    if order.eager is not None:
        order.tolerance = _measured_by(order.eager, order, evidence.on_trial, jacobian)
    if order.few_calls is not None and evidence.differences:
        options, tolerance = order.options, order.tolerance
        if order.is_coarse and options.rtol is None:
            tolerance = replace(tolerance, rtol=thresholds.RTOL_COARSE)
        bears = order.is_coarse and order.eager is None and options.sensitivity is None
        few = FewCalls(jacobian, tolerance, order.few_calls, order.moved, options.brief, bears)
        looked = few.look()
        if looked is not None:
            if looked.promised is not None:
                order.tolerance = replace(order.tolerance, sensitivity=looked.promised)
            if looked.in_float64 is not None:
                order.methods.notes[looked.in_float64] = "as it runs in float64"
            return replace(
                evidence,
                jacobian=few.jacobian,
                first=looked.first,
                table=looked.table,
                standings=looked.standings,
            )
    if order.values_alone is not None and evidence.differences:
        rng = np.random.default_rng([order.problem.seed, 2])
        table = along_three_lines(jacobian, order.values_alone, order.tolerance, rng)
        if table is not None:
            return replace(evidence, jacobian=jacobian, first=table, table=table)
        order.methods.notes[evidence.differences[0]] = MEASURED
    survey = first_look(jacobian, order.tolerance, order.along)
    if order.eager is not None and (promise := _promise(order, survey.first, jacobian, order.tolerance)):
        order.tolerance, survey = promise, survey.promising(promise)
    evidence = replace(evidence, jacobian=jacobian, first=survey.first, table=survey.first)
    if survey.first.settled:
        return evidence
    # One wrong entry does not show whether the function has a derivative.
    if order.options.brief and not order.roles.is_engine_alone(evidence.heard):
        survey = survey.at_one_entry()
    entries, final = survey.in_plain_float64() if survey.suspect is None else (None, None)
    if entries is not None and final is None and entries.refined:
        for needless in (beside := verdict.beside_the_point(evidence, entries)):
            evidence, entries = evidence.without(needless), entries.without(needless.name)
        if beside and not entries.disagrees:
            return replace(evidence, table=entries)
    evidence = replace(evidence, table=final or _with_measured_rounding(order, survey, entries))
    for name in order.roles.replaceable:
        left_out = verdict.no_witness(name, evidence)
        if left_out is not None:
            evidence, survey = evidence.without(left_out), survey.without(name)
            if evidence.heard:
                evidence = replace(evidence, table=survey.close_look(entries))
    return evidence


def _with_measured_rounding(order: Order, survey: Survey, entries: Table | None) -> Table:
    """Look closely, with measured error bars of the exact methods, and again if they still disagree.

    ``entries`` is the table of all entries, if there is one.
    """
    if order.eager is not None:
        return survey.close_look(entries)
    jacobian, kinked = survey.jacobian, survey.first.kinked(order.function.inputs.size)
    runs = thresholds.RUNS
    if entries is not None and entries.refined:
        jacobian.settled = entries.settled_rows
        # Without disagreement there is nothing to excuse: one run of each kind shows whether digits are lost.
        runs = thresholds.RUNS if entries.disagrees else 1
    measure(jacobian, *order.runs_to_measure(runs), kinked)
    table = survey.close_look(entries)
    if not table.disagrees:
        return table
    finer, kept = order.runs_on_disagreement
    if finer is None and not kept:
        return table
    measure(jacobian, *order.runs_to_measure(thresholds.RUNS), kinked, finer, kept)
    again = recompare(table, jacobian, order.tolerance)
    return again if again.disagrees else survey.close_look(entries)
