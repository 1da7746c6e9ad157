"""The derivative of an oracle: automatic, from its code, or by differences, from its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import registry
from pytest_gradcheck.methods.base import Estimate, GradientAlone
from pytest_gradcheck.methods.roles import ENGINE


def automatic(oracle: Problem) -> list[str]:
    """Return the methods that may differentiate an oracle, in the order in which they are tried."""
    return [ENGINE, oracle.framework.name] if oracle.framework.differentiates else [ENGINE]


def prepare(oracle: Problem, method: str) -> Pullback:
    """Return an automatic derivative of the oracle; raises `Unavailable`, or what its code raises."""
    return registry.prepare(method, oracle)


class FromValues(GradientAlone):
    """The oracle's gradient from differences of its values, with their error bars."""

    whose, once = "the oracle's gradient from differences", "has no second derivative"

    def __init__(self, oracle: Problem, slopes: Estimate) -> None:
        """Take the Jacobian, ``slopes`` of shape ``(outputs.size, inputs.size)``."""
        super().__init__(oracle, oracle.value, max(EPS64, oracle.eps), slopes.value)
        self._bars: Matrix = slopes.uncertainty

    def rounding(self, gradients: Any) -> Any:
        """Return the sum of the bars that a cotangent of ones takes together; see `Pullback.rounding`."""
        return np.broadcast_to(self._bars.sum(axis=0), np.shape(gradients))
