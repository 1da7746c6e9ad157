"""Which exact methods say nothing of a function at a point: wrong there through no fault of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pytest_gradcheck.core.evidence.compare import vote
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS

STANDS_ALONE = "its gradient stands alone against the others, which agree"

NOT_FINITE = "its own gradient is not finite at this point, where differences are"


def why_reference_is_none(table: Table, *, stands_in: bool, escaped: Sequence[str]) -> str | None:
    """Return why the reference engine says nothing of this function at this point, or None.

    A rule may give nan or inf at a special point of a composition (the engine follows torch: the untaken
    branch of a ``where`` is differentiated too). A value that the function took out of torch's graph, as
    ``escaped`` says, is a constant on the engine as well. And where another exact method and differences
    agree with each other, an engine that stands alone is wrong itself, which is no fault of the function.
    ``stands_in`` says whether there is nobody else to differentiate the function: it is not torch's.
    """
    if "reference" not in table.exact or not (stands_in or len(table.exact) > 1):
        return None
    if _is_not_finite(table, "reference"):
        return NOT_FINITE
    measured = [c for c in table.evidence if not table.entrywise(c)]
    # Without differences nobody can say whether what it did not see is what it differs by.
    against = [c for c in measured or table.evidence if "reference" in (c.a, c.b)]
    if len(table.exact) > 1 and escaped and any(c.agree is False for c in against):
        return escaped[0]
    backed = any(c.agree for c in measured if c.b != "reference")
    if _is_alone(table, "reference") and (backed or table.contradicted("reference")):
        return STANDS_ALONE
    return None


def why_torch_is_none(table: Table, *, stands_in: bool, own_backwards: Callable[[], bool]) -> str | None:
    """Return why torch says nothing of NumPy or Python code at this point, or None.

    There, as ``stands_in`` says, its rules only stand in for the function's, and are nan or wrong at special
    points of their own: the second derivative of ``torch.std`` where all numbers are the same, the gradient
    of ``torch.linalg.det`` where the matrix is singular. What went through ``own_backwards`` is on trial.
    """
    if not stands_in or "torch" not in table.exact:
        return None
    if _is_not_finite(table, "torch"):
        return NOT_FINITE
    agreed = any(c.agree for c in table.evidence if "torch" not in (c.a, c.b))
    return STANDS_ALONE if _is_alone(table, "torch") and agreed and not own_backwards() else None


def why_the_complex_step_is_none(table: Table) -> str | None:
    """Return why the complex step says nothing of this function, or None.

    Code that is not analytic in a way that its test did not see is no fault of the function.
    """
    if "complex_step" not in table.exact or len(table.exact) < 2 or not _is_alone(table, "complex_step"):
        return None
    return "it stands alone against the other methods: the function is not analytic"


def bends(table: Table, jacobian: Jacobian, sensitivity: float, seed: int) -> bool:
    """Whether differences alone show that no gradient can be right in the rows on which methods disagree.

    A derivative is linear: its slope along a line is the sum of those by single inputs (on the side that the
    line goes to). At a tie it is not: the middle of three equal numbers moves with none of them alone. A rule
    that is wrong where the function is smooth is not excused by that.
    """
    d = table.differences
    if d is None or table.projected:
        return False
    apart = np.zeros(len(table.cotangents), dtype=bool)
    for c in table.evidence:
        apart |= c.disagree.any(axis=1)
    at = table.coordinates
    tangent = np.zeros(jacobian.function.point.size)
    tangent[at] = jacobian.direction(np.random.default_rng(seed))[at]
    along = jacobian.along(tangent[None], table.cotangents, thorough=True).right
    onward = tangent[at] > 0
    slopes = np.where(onward, d.right.value, d.left.value) * tangent[at]
    bars = np.where(onward, d.right.uncertainty, d.left.uncertainty) * np.abs(tangent[at])
    gap = np.abs(along.value[:, 0] - slopes.sum(axis=1))
    allowed = 3 * (along.uncertainty[:, 0] + bars.sum(axis=1))
    allowed += sensitivity * np.fmax(np.abs(slopes).max(axis=1, initial=0.0), np.abs(along.value[:, 0]))
    return bool((gap > allowed)[apart].all())


def _is_alone(table: Table, name: str) -> bool:
    return vote(table.agreement, [*DIFFERENCE_METHODS, *table.exact]) == name


def _is_not_finite(table: Table, name: str) -> bool:
    """Return whether a method gives nan or inf where the others do not."""
    return bool((table.bad_entries(name) & ~np.isfinite(table.exact[name].value)).any())
