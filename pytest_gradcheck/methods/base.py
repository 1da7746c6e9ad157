"""What a method gives: numbers with error bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values and their uncertainties: float64 arrays of one shape.

    An uncertainty of ``inf`` means that the method has no answer for that entry. ``scatter`` is how far
    rounding was seen to move each entry, where that was measured: an uncertainty stands for the worst entry
    of its input, which says too much of a sum over a million.
    """

    value: Any
    uncertainty: Any
    scatter: Any = None

    def along(self, tangents: Any) -> Estimate:
        """Sum rows of shape ``(rows, n)`` along tangents of shape ``(k, n)``, to shape ``(rows, k)``."""
        each = self.uncertainty if self.scatter is None else self.scatter
        with np.errstate(invalid="ignore", over="ignore"):
            # Roundings of different entries are independent: they add up as a random walk.
            walk = 4 * np.sqrt(each**2 @ (tangents**2).T)
            bar = np.fmin(walk, self.uncertainty @ np.abs(tangents).T)
            return Estimate(self.value @ tangents.T, bar)
