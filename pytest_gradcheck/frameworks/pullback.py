"""The base of every exact method: a differentiable program at a point that pulls cotangents back."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import HandWritten
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector, leafwise
from pytest_gradcheck.frameworks.leaves import EPS32, EPS64

#: A backward with a smaller deviation is linear up to rounding; using sizes or signs deviates more.
SCARCELY = 1e-3

#: The diagnosis of a backward that is not linear.
NOT_LINEAR = "the backward is not linear: scaling the cotangent by -2 does not scale the gradient by -2"


def patience(operations: int) -> int:
    """Return after how many operations in coarse arithmetic a loop counts as endless.

    Newton's method to twelve digits, of a function that took so many in float64, does not end in float32.
    """
    return 10 * operations + 100


def nudged(arrays: Sequence[Any], k: int) -> list[Any]:
    """Return arrays moved by a few units of roundoff of float32, differently for each k; not at all for 0."""
    if k == 0:
        return list(arrays)
    rng = np.random.default_rng(k)
    return [a * (1 + 2 * EPS32 * rng.uniform(-1, 1, np.shape(a))) for a in arrays]


@dataclass(frozen=True, eq=False)
class Program:
    """A differentiable program: leaves in, leaves out, in the array type of one method.

    ``run`` takes one value per leaf of ``inputs`` and returns one per leaf of ``outputs``. Gradients beyond
    ``singular`` stand for infinity. ``surroundings(leaves)`` is a context that must also be active while
    gradients are pulled back: a backward may call the module whose parameters are among the leaves.
    """

    run: Callable[..., Sequence[Any]]
    inputs: Layout
    outputs: Layout
    singular: float = math.inf
    surroundings: Callable[[Sequence[Any]], AbstractContextManager[Any]] = nullcontext


@dataclass(eq=False)
class Pullback(abc.ABC):
    """An exact method at a point: the primal, and cotangents pulled back through the function.

    ``eps`` is the unit roundoff of the arithmetic that it works in; ``notes`` are observations (``code:
    sentence``) about the run, such as an output that requires no gradient.
    """

    program: Program
    primal: Vector
    eps: float
    notes: list[tuple[str, str]] = field(default_factory=list)
    evaluations: int = 1
    #: Calls that these evaluations took: fewer where many cotangents were pulled back in one.
    calls: int = 1
    #: The first cotangent and its result, which need not be computed again.
    first: tuple[Vector, Vector] | None = None
    #: Returns where the method's own run diverges from the function, as the end of a sentence, or nothing.
    parting: Callable[[], str] = field(default=str, init=False)

    def begin(self, cotangent: Vector) -> Vector:
        """Pull back a first cotangent, and keep the result; see `vjp`."""
        gradient = self.vjp(cotangent)
        self.first = cotangent, gradient
        return gradient

    @abc.abstractmethod
    def vjp(self, cotangent: Vector) -> Vector:
        """Return ``cotangent · J``: shape ``(outputs.size,)`` in, ``(inputs.size,)`` out."""

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Pull many cotangents back: shape ``(rows, outputs.size)`` in, ``(rows, inputs.size)`` out."""
        return np.stack([self.vjp(u) for u in cotangents])

    @abc.abstractmethod
    def second_order(self, cotangent: Vector) -> Pullback:
        """Return the pullback of ``(x, u) → u · J(x)`` at this point and this cotangent.

        Raises `Unavailable` for a method that gives no second derivative.
        """

    @abc.abstractmethod
    def primal_at(self, vector: Vector) -> Vector:
        """Return the program's value at another point, by this method's own arithmetic."""

    def rounding(self, gradients: Any) -> Any:
        """Return what rounding may have done to each entry of gradients, shape ``(…, inputs.size)``.

        Without measurement: each leaf's entries are sums of terms no larger than its largest entry,
        in the forward and in the backward pass, a few dozen roundings each.
        """
        return leafwise(self.program.inputs, gradients, 32 * self.eps)

    # -- optional features ----------------------------------------------------------------

    def moved(self, vector: Vector) -> Pullback:
        """Return the pullback at another point; raises `Unavailable` if the method is fixed to its point."""
        raise Unavailable("this method gives the gradient at its own point only")

    def in_double(self) -> Pullback | None:
        """Return the same pullback in float64, None where the function does not run in it."""
        return self if self.eps <= EPS64 else None

    def coarse_runs(self, count: int) -> Sequence[Pullback]:
        """Return the function as this method runs it in coarse arithmetic, ``count`` times in each kind.

        The distance of their gradients from this one's shows how much the function amplifies rounding. Empty
        if unsupported.
        """
        return ()

    def finer_runs(self, count: int) -> Sequence[Pullback]:
        """Return ``count`` runs of the function, disturbed by little more than float64 rounding."""
        return ()

    def own_runs(self, count: int, *, backward: bool) -> Sequence[Pullback]:
        """Return ``count`` runs of this method's own computation in which its operations round coarsely.

        Without ``backward`` only the forward pass rounds, which a backward pass cannot avoid.
        """
        return ()

    def hand_written(self, *, double: bool = False) -> tuple[HandWritten, ...]:
        """Return the gradients written by hand that this pullback runs through, and how far each was run.

        With ``double`` the gradient of the gradient ran too.
        """
        return ()

    def work(self, per_value: int) -> float:
        """Return how many numbers an evaluation computes, plus ``per_value`` each value; inf if unknown."""
        return math.inf

    def picture(self, most: int) -> str | None:
        """Return the graph as SVG, None if it has more than ``most`` values or this method has none."""
        return None


class Anew(Pullback):
    """A pullback that rebuilds its graph for every cotangent, for a backward that can run only once."""

    def __init__(self, inner: Pullback, point: Vector) -> None:
        super().__init__(inner.program, inner.primal, inner.eps, inner.notes)
        self._inner, self._point = inner, point

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back through a new graph; see `Pullback.vjp`."""
        self.evaluations += 1
        self.calls += 1
        return self._inner.moved(self._point).vjp(cotangent)

    def second_order(self, cotangent: Vector) -> Pullback:
        """Return that of the pullback at the point; see `Pullback.second_order`."""
        return self._inner.moved(self._point).second_order(cotangent)

    def primal_at(self, vector: Vector) -> Vector:
        """Run the program at another point; see `Pullback.primal_at`."""
        return self._inner.primal_at(vector)

    def moved(self, vector: Vector) -> Pullback:
        """Return the same at another point; see `Pullback.moved`."""
        return Anew(self._inner.moved(vector), vector)

    def hand_written(self, *, double: bool = False) -> tuple[HandWritten, ...]:
        """Return those of the pullback; see `Pullback.hand_written`."""
        return self._inner.hand_written(double=double)


def gradient_layouts(program: Program) -> tuple[Layout, Layout]:
    """Return the layouts of the gradient program's inputs (point and cotangents) and outputs."""
    xs, ys = program.inputs.leaves, program.outputs.leaves
    inputs = Layout(
        [leaf.name for leaf in xs] + [f"cotangent of {leaf.name}" for leaf in ys],
        [leaf.shape for leaf in (*xs, *ys)],
        [leaf.dtype for leaf in (*xs, *ys)],
    )
    outputs = Layout(
        [f"grad {leaf.name}" for leaf in xs], [leaf.shape for leaf in xs], [leaf.dtype for leaf in xs]
    )
    return inputs, outputs


def scales(pullback: Pullback) -> bool:
    """Whether scaling the cotangent by -2 scales the gradient by -2.

    A backward that uses the absolute value or the sign of a cotangent, or adds to it, is not a gradient.
    Entries of a Jacobian use cotangents of one and zeros, for which it may be right.
    """
    if pullback.first is None:
        pullback.begin(np.ones(pullback.program.outputs.size))
    assert pullback.first is not None
    cotangent, once = pullback.first
    other = pullback.vjp(-2.0 * cotangent)
    # Twice a number may be too large for its dtype.
    both = np.isfinite(once) & np.isfinite(other)
    apart = np.abs(other + 2.0 * once)[both]
    return not (apart > SCARCELY * np.abs(once[both]).max(initial=0.0)).any()
