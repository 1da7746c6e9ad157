"""The Taylor test: how fast f(x + h·d) − f(x) − h·g·d shrinks with h, for a wrong and a right gradient g.

For the derivative of a smooth function it shrinks as h², for anything else as h. Adjoint codes are tested in
this way (Farrell, Ham, Funke and Rognes, "Automated derivation of the adjoint of high-level transient finite
element programs", SIAM J. Sci. Comput. 35, 2013). It decides nothing here; it illustrates the finding.
"""

from __future__ import annotations

import contextlib

import numpy as np

from pytest_gradcheck.core.report.write_up import largest_differences
from pytest_gradcheck.core.results import Convergence
from pytest_gradcheck.core.verdict import Evidence
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.methods.roles import MOST_TRUSTED

#: Steps along the direction, whose entries are of the size of the inputs. Each is a quarter of the last.
STEPS = 0.25 ** np.arange(1.0, 10.0)

#: The same for a function whose calls are the cost: just enough to show a rate.
FEW_STEPS = STEPS[:5:2]

#: A remainder of at most so many roundings of the function is rounding.
ROUNDINGS = 16

#: Weight of the other inputs in the direction, relative to the one with the worst entry.
OTHERS = 0.25


def convergence(evidence: Evidence, culprit: str) -> dict[str, Convergence]:
    """Return the remainders of a wrong gradient, and of another method's, at smaller and smaller steps.

    Nine evaluations, three where calls are the cost, along one direction: mostly that of the input with the
    worst entry. Empty where the values there are not finite.
    """
    table, jacobian, f = evidence.table, evidence.jacobian, evidence.order.function
    if table is None or jacobian is None or culprit not in table.exact:
        return {}
    _, farthest = largest_differences(table)
    if farthest is None or farthest.at is None:
        return {}
    row, column = farthest.at
    u, direction = table.cotangents[row], jacobian.direction(np.random.default_rng(f.point.size))
    if farthest.pair.entrywise or table.tangents is None:
        i = column if farthest.pair.entrywise else table.coordinates[column]
        line = OTHERS * direction
        line[i] = direction[i]
    else:
        line = table.tangents[column]
    steps = STEPS if evidence.order.few_calls is None else FEW_STEPS
    points = f.rounded(f.point + steps[:, None] * line)
    with np.errstate(all="ignore"):
        values = f.evaluate(points)[0] @ u
        moved = values - f.value @ u
    noise = float(np.abs(u) @ (f.eps * np.abs(f.value) + f.evaluation_noise))
    out = {}
    for name in (culprit, *(other for other in MOST_TRUSTED if other in evidence.heard and other != culprit)):
        # A method may know only the rows of the table.
        with contextlib.suppress(Exception):
            gradient = jacobian.rows(name, u[None]).value[0]
            remainders = np.abs(moved - (points - f.point) @ gradient)
            if np.isfinite(remainders).all():
                out[name] = Convergence(
                    _order(steps, remainders, noise), tuple(steps.tolist()), tuple(remainders.tolist())
                )
    return out


def _order(steps: Vector, remainders: Vector, noise: float) -> float | None:
    """Return the exponent of h at the smallest steps that show one; None where all is rounding."""
    shown = int(np.argmin(np.append(remainders > ROUNDINGS * noise, False)))
    if shown < 2:
        return None
    slopes = np.diff(np.log(remainders[:shown])) / np.diff(np.log(steps[:shown]))
    return float(np.median(slopes[-2:]))
