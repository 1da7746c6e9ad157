"""What is said of a table of numbers: the verdict, the culprit, and the reason in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.core.diagnosis.values import diagnose
from pytest_gradcheck.core.evidence.allowances import block_sizes
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian
from pytest_gradcheck.core.evidence.locate import unseen
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.results import Diagnosis, NotChecked, Status, Verdict
from pytest_gradcheck.frameworks.flat import Matrix

#: What a method says of a point, and why, by its name.
States = dict[str, tuple[Status, str | None]]

#: What the lowering saw in the function's own code: a code, and a sentence.
Remarks = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Finding:
    """A verdict and what it rests on; see `CheckResult` for the parts."""

    verdict: Verdict
    diagnosis: Diagnosis
    culprit: str | None = None
    labels: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def nothing_to_compare(
    function: Function,
    exact: Collection[str],
    differences: Collection[str],
    states: States,
    missing: str | None,
    *,
    on_trial: bool,
) -> Finding | None:
    """Return why there is nothing to look at, or None where there is.

    ``exact`` and ``differences`` are the methods that can run; ``missing`` is what torch has no derivative
    of, in its words; ``on_trial`` says whether it is torch's gradient that is asked about.
    """
    if on_trial and missing:
        # What the others agree on is not what was on trial, and a pass would say that it was.
        return Finding(Verdict.INCONCLUSIVE, Diagnosis("not-implemented", f"torch: {missing}"))
    if function.outputs.size == 0:
        text = "the outputs are empty: there is no entry to check"
        return Finding(Verdict.INCONCLUSIVE, Diagnosis("nothing-checked", text))
    if not np.isfinite(function.value).all():
        name, index = function.outputs.locate(int(np.argmax(~np.isfinite(function.value))))
        text = f"the function is not finite at this point ({name}{list(index) or ''})"
        return Finding(Verdict.INCONCLUSIVE, Diagnosis("non-finite-value", text))
    if (function.jitter > math.sqrt(function.eps) * np.abs(function.value).max(initial=0.0)).any():
        text = "two calls at the same point gave different values"
        return Finding(Verdict.INCONCLUSIVE, Diagnosis("nondeterministic", text))
    state, why = states.get("torch", (Status.OK, None))
    if on_trial and state is Status.UNAVAILABLE and exact:
        text = f"torch, whose gradient is on trial, cannot run here: {why}"
        return Finding(Verdict.INCONCLUSIVE, Diagnosis("nothing-checked", text))
    if exact and len(exact) + len(differences) >= 2:
        return None
    text = "differences alone check nothing; no exact method could run"
    if exact:
        text = f"{next(iter(exact))} alone checks nothing"
    reasons = "; ".join(f"{n}: {reason}" for n, (_, reason) in states.items() if reason)
    text = f"{text} ({reasons})" if reasons else text
    return Finding(Verdict.INCONCLUSIVE, Diagnosis("nothing-checked", text))


def passed(table: Table, jacobian: Jacobian, sensitivity: float, *, overruled: bool) -> Finding:
    """Say what agrees; ``overruled`` tells that the reference engine was left out for being wrong itself."""
    if overruled:
        text = "the reference engine stands alone against the other methods, which agree"
        diagnosis = Diagnosis("reference-engine", text)
        return Finding(Verdict.PASS, diagnosis, "reference", ("reference-engine",))
    if table.kinks and not table.projected:
        diagnosis = Diagnosis("subgradient", "at a kink; every gradient lies between the one-sided slopes")
        assert table.differences is not None
        count = int(table.differences.kink.sum())
        entries = f"{count} {'entry' if count == 1 else 'entries'} at a kink"
        wide = (NotChecked(entries, "every slope between the one-sided ones is right there"),)
        return Finding(Verdict.PASS, diagnosis, labels=("kink",), not_checked=wide)
    names = [*jacobian.differences, *table.exact]
    diagnosis = Diagnosis("agree", f"{', '.join(names[:-1])} and {names[-1]} agree")
    return Finding(Verdict.PASS, diagnosis, not_checked=_too_small_to_see(table, jacobian, sensitivity))


def _too_small_to_see(table: Table, jacobian: Jacobian, sensitivity: float) -> tuple[NotChecked, ...]:
    hidden = unseen(table, jacobian, sensitivity)
    if not hidden:
        return ()
    text = "share in the projections is smaller than their error bars; mode='full' looks at each"
    return (NotChecked(f"{hidden} small entries", text),)


def no_culprit(table: Table, remarks: Remarks) -> Finding:
    """Say that methods disagree, and that no majority names one of them."""
    said = "; ".join(
        f"{c.a} and {c.b} {'agree' if c.agree else 'differ'}" for c in table.evidence if c.agree is not None
    )
    diagnosis = Diagnosis("methods-split", f"the methods disagree and no majority names one: {said}")
    apart = table.agreement.get(("reference", "torch")) is False
    return Finding(Verdict.FAIL, remarked(diagnosis, remarks) if apart else diagnosis)


def kind_of_wrong(
    culprit: str, table: Table, function: Function, first: Table, bad: Any, right: Matrix, notes: Remarks
) -> Diagnosis:
    """Say what kind of wrong the culprit's numbers are.

    They are so in the entries ``bad``, where ``right`` would be right. ``first`` is the table of the first
    look, ``notes`` what the culprit says of its own run.
    """
    diagnosis = diagnose(
        table.exact[culprit].value,
        right,
        bad,
        culprit,
        function.inputs,
        notes,
        _outputs_of(table, function),
        (first.exact[culprit].value != 0).any(axis=0),
    )
    if table.kinks and not table.projected and diagnosis.code != "non-finite-gradient":
        assert table.differences is not None
        smooth = bad.copy()
        smooth[:, table.coordinates] &= ~table.differences.kink
        if not smooth.any():
            text = f"the gradient of {culprit} lies outside of the one-sided slopes at a kink"
            diagnosis = Diagnosis("kink-outside", text)
    return diagnosis


def remarked(diagnosis: Diagnosis, remarks: Remarks) -> Diagnosis:
    """Say what the lowering saw in the function's own code, which explains why torch differs."""
    if not remarks:
        return diagnosis
    code, text = remarks[0]
    if code == "stop-gradient":
        text += ' (stop_gradients="intended" declares that it is meant to)'
    return Diagnosis(code, f"{text}; {diagnosis.text}")


def no_common_ground() -> Finding:
    """Say that what the engine derives from the function, and what is measured of it, are apart.

    So it is at ties, where partial derivatives exist and the derivative does not (the middle of three
    equal numbers moves with none of them alone), and where the function returns little but rounding.
    """
    text = "no exact method agrees with differences of the function, not even the reference engine"
    return Finding(Verdict.INCONCLUSIVE, Diagnosis("methods-split", text))


def differences_split() -> Finding:
    """Say that differences contradict themselves, and nobody else does."""
    text = "central and forward differences contradict each other, and the exact methods agree"
    return Finding(Verdict.INCONCLUSIVE, Diagnosis("methods-split", text))


def nowhere_finite() -> Finding:
    """Say that the function is smooth here, and that its code cannot be differentiated as it is written.

    No gradient was on trial: NumPy code whose untaken branch overflows is right as it stands.
    """
    text = "no exact method has a finite gradient of the code as it is written, where differences have"
    return Finding(Verdict.INCONCLUSIVE, Diagnosis("non-finite-gradient", text))


def undecided(table: Table, jacobian: Jacobian, sensitivity: float) -> Finding:
    """Say why nobody can tell, where nothing disagrees and not everything agrees."""
    d = table.differences
    if not table.evidence:
        diagnosis = Diagnosis("nothing-checked", f"{next(iter(table.exact))} alone checks nothing")
    elif d is not None and d.jump.any():
        diagnosis = Diagnosis("jump", "the function jumps at this point; it has no derivative there")
    elif any(not np.isfinite(e.value).all() for e in table.exact.values()):
        text = "the gradient is not finite at this point, and nobody can measure it"
        diagnosis = Diagnosis("singularity", text)
    else:
        text = (
            "the error bars are so wide that an error of the promised sensitivity "
            f"({sensitivity:g}) would hide in them"
        )
        enough = _seen_everywhere(table, jacobian)
        text += f"; one of {enough:g} would not (sensitivity={enough:g})" if enough else ""
        diagnosis = Diagnosis("unresolved", text)
    return Finding(Verdict.INCONCLUSIVE, diagnosis)


def _seen_everywhere(table: Table, jacobian: Jacobian) -> float | None:
    """Return the smallest relative error, to one digit, that could not have hidden in any entry, or None.

    One half and more is no error to promise anything of.
    """
    if table.projected:
        return None
    block = block_sizes(table, jacobian)[0].max(axis=0)
    needed = dict.fromkeys(table.exact, np.inf)
    for c in table.evidence:
        size = block if table.entrywise(c) else block[:, table.coordinates]
        size = np.fmax(size, np.fmax(np.abs(c.left.value), np.abs(c.right.value)))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.nan_to_num(c.tolerance / size, nan=np.inf)
        hidden = np.where(c.resolved, 0.0, share).max(initial=0.0)
        for name in needed.keys() & {c.a, c.b}:
            needed[name] = min(needed[name], float(hidden))
    most = max(needed.values())
    if not 0 < most < 0.5:
        return None
    digit = 10.0 ** math.floor(math.log10(most))
    return float(f"{math.ceil(most / digit) * digit:.1g}")


def right_values(table: Table, jacobian: Jacobian, culprit: str) -> Matrix:
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


def _outputs_of(table: Table, function: Function) -> list[str | None]:
    """Name the output that each row of a table belongs to; None for a row that mixes several."""
    names: list[str | None] = []
    for u in table.cotangents:
        hit = {function.outputs.leaf_of(int(i)).name for i in np.flatnonzero(u)}
        names.append(hit.pop() if len(hit) == 1 else None)
    return names
