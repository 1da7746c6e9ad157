"""The result of a method: numbers with error bars, or a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.flat import Layout, Vector
from pytest_gradcheck.frameworks.pullback import Program, Pullback


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values and their uncertainties: float64 arrays of one shape.

    An uncertainty of ``inf`` means that the method has no answer for that entry. ``scatter`` is the measured
    effect of rounding on each entry, if it was measured. An uncertainty is that of the worst entry of its
    input, which is too pessimistic for a sum over a million.
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


class HasLayouts(Protocol):
    """Anything with differentiable inputs and outputs, such as a problem."""

    @property
    def inputs(self) -> Layout:
        """How the inputs lie in flat vectors."""

    @property
    def outputs(self) -> Layout:
        """How the outputs do."""


class Layouts(NamedTuple):
    """The layouts of a function that is not a problem itself; see `HasLayouts`."""

    inputs: Layout
    outputs: Layout


class GradientAlone(Pullback):
    """A gradient that is not a program: it has neither a value nor a second derivative.

    ``rows`` is the Jacobian, shape ``(outputs.size, inputs.size)``, or what ``cotangents @ rows`` multiplies
    with; ``whose`` names the method, and ``once`` says why it cannot be differentiated.
    """

    whose: str
    once: str

    def __init__(
        self, problem: HasLayouts, primal: Vector, eps: float, rows: Any = None, evaluations: int = 1
    ):
        super().__init__(Program(self._run, problem.inputs, problem.outputs), primal, eps)
        self.evaluations = evaluations
        self._rows = rows

    def vjp(self, cotangent: Vector) -> Vector:
        """Take the cotangent times the Jacobian; see `Pullback.vjp`."""
        return np.asarray(cotangent @ self._rows)

    def second_order(self, cotangent: Vector) -> Pullback:
        """Raise `Unavailable`."""
        raise Unavailable(f"{self.whose} {self.once}")

    def primal_at(self, vector: Vector) -> Vector:
        """Raise `Unavailable`."""
        raise Unavailable(f"{self.whose} has no value of its own")

    def _run(self, *_: Any) -> Sequence[Any]:
        raise Unavailable(f"{self.whose} {self.once}")
