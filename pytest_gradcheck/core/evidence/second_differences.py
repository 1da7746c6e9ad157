"""A Hessian next to values alone: second differences along three lines, which speak of every entry of it.

Where no gradient is known, a measured one costs four calls per input, and a derivative of it many times that.
Along a line the second derivative of the values is a number, dᵀ H d, for a dozen calls whatever the number of
inputs. Lines along u, v and u + v give all four products of u and v with H, since
uᵀ H v = ((u + v)ᵀ H (u + v) - uᵀ H u - vᵀ H v) / 2: the same two random projections as a first look at any
other Jacobian. What they leave in doubt is looked at by the measured gradient.
"""

from __future__ import annotations

import numpy as np

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.core.evidence.allowances import weigh
from pytest_gradcheck.core.evidence.jacobian import Differences, Function, Jacobian, random_signs
from pytest_gradcheck.core.evidence.survey import unseen
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Tolerance
from pytest_gradcheck.methods.base import Estimate
from pytest_gradcheck.methods.windows import BENDS, Sample, bent


def along_three_lines(
    jacobian: Jacobian, values: Function, tolerance: Tolerance, rng: np.random.Generator
) -> Table | None:
    """Compare a Hessian with second differences of ``values``, the function; None where doubt remains.

    ``jacobian`` is that of the gradient. Its lines have both sides: at the edge of a domain there is doubt.
    At a kink of the function there is no second derivative, and nothing is resolved.
    """
    f, scales = jacobian.function, jacobian.scales
    if not f.point.size or not np.isfinite(f.point).all():
        return None
    room = thresholds.WITHIN * np.fmin(f.upper - f.point, f.point - f.lower)
    of_values = Jacobian(values, {}, jacobian.differences, costs=jacobian.costs)
    both = random_signs(rng, (2, f.point.size)) * rng.uniform(0.5, 1.5, (2, f.point.size)) * scales
    exact = {name: jacobian.rows(name, both) for name in jacobian.pullbacks}
    for shape in BENDS:
        lines = np.concatenate([both, both.sum(axis=0, keepdims=True)])
        if (np.abs(lines) * shape.width > room).any():
            return None
        slope = _products(of_values.sample(lines, shape), values.eps)
        none = np.zeros((2, 2), dtype=bool)
        found = Differences(slope, slope, slope, slope, none, none, np.abs(slope.value), none, none)
        table = weigh(Table(both, both, [], exact, found), jacobian, tolerance, False)
        if np.isinf(slope.uncertainty).all() or (
            table.settled and not unseen(table, jacobian, tolerance.sensitivity).any()
        ):
            return table
        if table.disagrees:
            return None
    return None


def _products(sample: Sample, eps: float) -> Estimate:
    """Return the products of u and v with the Hessian, shape ``(2, 2)``, from lines along u, v and u + v."""
    found, kink = bent(sample, eps)
    if kink.any():
        return Estimate(np.zeros((2, 2)), np.full((2, 2), np.inf))
    (uu, vv, both), bars = found.value[:, 0], found.uncertainty[:, 0]
    uv, bar = (both - uu - vv) / 2, bars.sum() / 2
    return Estimate(np.array([[uu, uv], [uv, vv]]), np.array([[bars[0], bar], [bar, bars[1]]]))
