"""Why a gradient is wrong: what its values show, and what other points, precisions and the graph add."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.diagnosis import causes, codes, matrices
from pytest_gradcheck.core.diagnosis.values import diagnose, is_multiple, is_odd_multiple, led_by, place
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.results import Diagnosis
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.methods import user
from pytest_gradcheck.methods.reference import ReferencePullback
from pytest_gradcheck.methods.roles import BY_HAND, ENGINE, ORACLE, gradient_of

if TYPE_CHECKING:
    from pytest_gradcheck.core.orders import Order
    from pytest_gradcheck.core.verdict import Finding


def explain(order: Order, finding: Finding, broken: Finding | None) -> Finding:
    """Return a finding that the methods' values alone decided with what is wrong with them.

    ``broken`` is the finding on properties of the backward that do not hold, if there is one.
    """
    remarks, own = order.methods.remarks, order.roles.own
    if finding.culprit is None:
        table = finding.evidence.table
        apart = table.agreement.get((ENGINE, order.roles.autodiff(table.exact))) is False
        diagnosis = _remarked(finding.diagnosis, remarks) if apart else finding.diagnosis
        return replace(finding, diagnosis=diagnosis)
    diagnosis = _diagnosed(order, finding, finding.culprit)
    if finding.culprit == ENGINE:
        diagnosis = Diagnosis("reference-engine", f"{diagnosis.text}; the others agree")
    more = None if broken is None or order.options.brief else broken.diagnosis
    if finding.culprit == own and more is not None and more.code in codes.EXPLAINS:
        diagnosis = Diagnosis(more.code, f"{more.text}; {diagnosis.text}")
    return replace(finding, diagnosis=diagnosis)


def _diagnosed(order: Order, finding: Finding, culprit: str) -> Diagnosis:
    """Say what kind of wrong the culprit's numbers are, and why, where more can be told than they say."""
    evidence, table = finding.evidence, finding.evidence.table
    form = order.form if culprit == BY_HAND and not order.options.brief else None
    if form is not None and (text := user.never_written(form, order.problem)):
        return Diagnosis("uninitialised-memory", text)
    bad, right = table.bad_entries(culprit), _right_values(table, evidence.jacobian, culprit)
    wrong, inputs = table.exact[culprit].value, order.function.inputs
    notes, outputs = evidence.heard[culprit].notes, _outputs_of(table, order.function)
    alive = (evidence.first.exact[culprit].value != 0).any(axis=0)
    imaginary = _imaginary_rows(table, order.function)
    may_be_intended = order.number == 1 and order.measured is order.problem and not order.options.brief
    # Where a gradient is stopped, the place says more.
    if may_be_intended and order.roles.is_on_trial(culprit) and not order.methods.remarks:
        steps = causes.steps(table, evidence.jacobian, right, bad, order.problem.seed)
        if steps is not None:
            found = diagnose(
                wrong, np.zeros_like(right), bad, culprit, inputs, notes, outputs, alive, imaginary
            )
            return Diagnosis(found.code, f"{found.text}; {steps}")
    bars = _bars(table, culprit)
    diagnosis = diagnose(wrong, right, bad, culprit, inputs, notes, outputs, alive, imaginary, bars)
    matrix = _of_matrix(order, table, right, bad, culprit, diagnosis)
    if matrix is not None:
        return matrix
    if diagnosis.code in codes.VAGUE and diagnosis.code != "permuted":
        large, share = led_by(wrong, right, bad, inputs)
        led = diagnose(wrong, right, bad & large, culprit, inputs, notes, outputs, alive, imaginary, bars)
        others = (bad & ~large).any(axis=0)
        if others.any() and (led.code not in codes.VAGUE or led.code == "one-entry"):
            where = place(np.flatnonzero((bad & large).any(axis=0)), inputs)
            count = f"{others.sum()} {'entries are' if others.sum() > 1 else 'entry is'}"
            off = f"{count} off by at most {share[bad & ~large].max():.1g} of the largest"
            text = led.text if where in led.text else f"{led.text}{where}"
            diagnosis = Diagnosis(led.code, f"{text}; apart from that, {off}")
    if table.differences is not None and table.tangents is None and diagnosis.code != "non-finite-gradient":
        smooth = bad.copy()
        smooth[:, table.coordinates] &= ~table.differences.kink
        if table.kinks and not smooth.any():
            text = f"{gradient_of(culprit)} is not a subgradient: outside the one-sided derivatives at a kink"
            diagnosis = Diagnosis("kink-outside", text)
    if not order.roles.is_on_trial(culprit) or diagnosis.code == "non-finite-gradient":
        return diagnosis
    if culprit == order.roles.own and order.methods.remarks:
        return _remarked(diagnosis, order.methods.remarks)
    if order.options.brief or diagnosis.code in codes.NOTED:
        return diagnosis
    cause = _cause(order, finding, culprit, diagnosis, bad, right)
    return cause or _with_remarks(order, finding, culprit, diagnosis, bad, right)


def _with_remarks(
    order: Order, finding: Finding, culprit: str, found: Diagnosis, bad: Any, right: Matrix
) -> Diagnosis:
    """Add hints at a cause: where the gradient is right, or that it is nearly right."""
    table = finding.evidence.table
    if found.code not in codes.VAGUE:
        return found
    wrong = table.exact[culprit].value
    if leaf := causes.right_where_symmetric(order, culprit, bad):
        return Diagnosis(found.code, f"{found.text}; it is right where {leaf} is symmetric")
    error = np.abs(wrong - right)[bad]
    share = float((error / np.maximum(np.abs(right), np.abs(wrong))[bad]).max())
    if order.function.eps <= EPS64 and share < thresholds.NEARLY_RIGHT:
        exact = float(f"{2 * error.max():.0e}")
        text = f"its largest error is {share:.1g} of the entry: if the function is computed by iteration"
        return Diagnosis(found.code, f"{found.text}; {text}, say how exact its values are (atol={exact:g})")
    return found


def _of_matrix(
    order: Order, table: Table, right: Matrix, bad: Any, culprit: str, found: Diagnosis
) -> Diagnosis | None:
    """Say what the whole matrix of a derivative by hand shows, where all of its entries are known."""
    function, wrong = order.function, table.exact[culprit].value
    whole = np.array_equal(table.cotangents, np.eye(function.outputs.size))
    if order.form is None or not whole or len(table.coordinates) != function.inputs.size or table.kinks:
        return None
    who = gradient_of(culprit)
    if order.form.order == 2:
        by_columns = order.form.how == "hvp"
        matrix = matrices.of_hessian(wrong, right, bad, who, function, by_columns=by_columns)
        if matrix is not None:
            return matrix
    if found.code not in codes.VAGUE:
        return None
    return matrices.of_jacobian(wrong, right, bad, who, function.inputs)


def _remarked(diagnosis: Diagnosis, remarks: Sequence[tuple[str, str]]) -> Diagnosis:
    """Say what the lowering saw in the function's own code, which explains why autograd differs."""
    if not remarks:
        return diagnosis
    code, text = remarks[0]
    if code == "stop-gradient":
        text += ' (stop_gradients="intended" declares that it is meant to)'
    return Diagnosis(code, f"{text}; {diagnosis.text}")


def _right_values(table: Table, jacobian: Jacobian, culprit: str) -> Matrix:
    """Return the rows that the others agree on: another exact method's, else the differences'.

    A method that agrees with nothing but the culprit is as wrong: the engine runs the same iteration.
    """
    agreeing = {
        name for pair, agree in table.agreement.items() if agree and culprit not in pair for name in pair
    }
    for name, estimate in table.exact.items():
        if name != culprit and name in agreeing:
            return np.asarray(estimate.value)
    right = np.array(table.exact[culprit].value)
    if table.differences is not None and table.tangents is None:
        right[:, table.coordinates] = table.differences.central.value
    return right


def _bars(table: Table, culprit: str) -> Matrix:
    """Return the error bars of what a method differs from others by, as far as they are of differences."""
    bars = np.zeros(table.exact[culprit].value.shape)
    for c in table.measured:
        if c.b == culprit and c.counts and table.tangents is None:
            found = c.left.uncertainty + c.right.uncertainty
            bars[:, table.coordinates] = np.fmax(bars[:, table.coordinates], found)
    return bars


def _imaginary_rows(table: Table, function: Function) -> Any:
    """Mark the rows of a table that belong to imaginary parts alone; None where all outputs are real."""
    part = np.zeros(function.outputs.size, dtype=bool)
    for leaf in function.outputs.leaves:
        if leaf.is_complex:
            part[leaf.start + 1 : leaf.stop : 2] = True
    if not part.any():
        return None
    u = table.cotangents != 0
    return u[:, part].any(axis=1) & ~u[:, ~part].any(axis=1)


def _outputs_of(table: Table, function: Function) -> list[str | None]:
    """Name the output that each row of a table belongs to; None for a row that mixes several."""
    leaves = function.outputs.leaves
    hits = [{leaf.name for leaf in leaves if u[leaf.start : leaf.stop].any()} for u in table.cotangents]
    return [hit.pop() if len(hit) == 1 else None for hit in hits]


def _cause(
    order: Order, finding: Finding, culprit: str, found: Diagnosis, bad: Any, right: Matrix
) -> Diagnosis | None:
    """Look for a cause in the inputs, in other precisions, at other points and in the graph."""
    evidence, table = finding.evidence, finding.evidence.table
    wrong, rows, eps = table.exact[culprit].value, table.cotangents, evidence.heard[culprit].eps
    # What is a multiple of the right gradient to five digits lost none.
    multiple = found.code in ("sign", "conjugate")
    multiple |= found.code == "constant-factor" and is_multiple(wrong, right, bad)
    lost = None if multiple else causes.lost_precision(wrong, right, bad, culprit, eps)
    narrow = culprit != BY_HAND and eps > EPS64
    if lost is None and not multiple and narrow:
        # A backward that raises in float64 is not right there.
        with contextlib.suppress(Exception):
            fine = order.in_double()
            if fine is not None and causes.is_right_in_double(fine, rows, right, bad):
                lost = Diagnosis("precision-loss", f"{found.text}; in float64 it is right")
    if lost is not None:
        return lost
    # Differences that agree with what is wrong here would do so elsewhere.
    if order.of_inputs and not any(c.agree for c in table.measured if culprit in (c.a, c.b)):
        some_rows = rows[bad.any(axis=1)][: thresholds.LOOKED_AT_AGAIN]
        some_columns = [int(i) for i in np.flatnonzero(bad.any(axis=0))[: thresholds.LOOKED_AT_AGAIN]]
        words = causes.special_values(order, culprit, (some_rows, some_columns))
        if words is not None:
            return Diagnosis("special-values", f"{found.text}; it is right where no input is {words}")
    engine = evidence.heard.get(ENGINE) or evidence.heard.get(ORACLE)
    # A sum that takes one of its terms is zero by all others.
    whole = np.vstack([wrong, evidence.first.exact[culprit].value])
    some = found.code == "zero-gradient" and whole[:, bad.any(axis=0)].any()
    odd = found.code == "constant-factor" and is_odd_multiple(wrong, right, bad)
    if (found.code in codes.VAGUE or some or odd) and isinstance(engine, ReferencePullback):
        # A mistake that single outputs fit may not fit the others: a first look goes over all of them.
        rows = np.vstack([rows, evidence.first.cotangents])
        wrong = whole
        return causes.mistake(engine, rows, wrong, int(np.argmax(bad.any(axis=1))), culprit)
    return None
