"""How clearly a fault shows at a point."""

from __future__ import annotations

import numpy as np

from pytest_gradcheck.frameworks.flat import Layout, Vector

#: More entries do not make a fault clearer.
ENOUGH = 16


def plainness(point: Vector, inputs: Layout) -> float:
    """Return how generic a point is: up to 16, higher is better, and negative for special points.

    At a special point different mistakes give the same numbers: at zeros and ones a product is a sum, and a
    symmetric matrix is its own transpose. An entry is special if it is a whole number or a half, is below
    1e-3 or above 1e3 in size, or equals another entry of the same input.
    """
    size = np.abs(point)
    special = (2.0 * point == np.rint(2.0 * point)) | ~((size >= 1e-3) & (size <= 1e3))
    for leaf in inputs.leaves:
        part = slice(leaf.start, leaf.stop)
        _, inverse, counts = np.unique(point[part], return_inverse=True, return_counts=True)
        special[part] |= counts[inverse] > 1
    # A special entry hides more than a generic one shows.
    return float((1.0 - 3.0 * special.mean()) * min(point.size, ENOUGH)) if point.size else 0.0
