"""What a method gives: derivatives in one of two directions, each number with its error bar."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.frameworks.flat import Layout, Vector

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]

#: A backward that is less off than this is linear but for rounding: what takes sizes or signs is off by more.
SCARCELY = 1e-3

#: What is said of one that is not.
NOT_LINEAR = (
    "the backward is not linear: minus two times a cotangent does not give minus two times the gradient"
)

#: Another order of summation moves a value by no more than so many roundings of the largest one beside it.
ROUNDINGS = 16


def patience(operations: int) -> int:
    """Return after how many operations in coarse arithmetic a loop is taken never to end.

    Newton's method to twelve digits, of a function that took so many in float64, does not end in float32.
    """
    return 10 * operations + 100


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


@dataclass(frozen=True, eq=False)
class Program:
    """A differentiable program: leaves in, leaves out, in the array type of one method.

    ``run`` takes one value per leaf of ``inputs`` and returns one per leaf of ``outputs``. Gradients beyond
    ``singular`` stand for infinity. ``surroundings(leaves)`` is what must hold while gradients are pulled
    through it too: a backward may call the module whose parameters are among the leaves.
    """

    run: Callable[..., Sequence[Any]]
    inputs: Layout
    outputs: Layout
    singular: float = math.inf
    surroundings: Callable[[Sequence[Any]], AbstractContextManager[Any]] = nullcontext


@dataclass(eq=False)
class Pullback(abc.ABC):
    """An exact method at a point: the primal, and cotangents pulled back through the function.

    ``eps`` is the unit roundoff of the arithmetic that it works in; ``notes`` are findings in words
    (``code: sentence``) about the way it went, such as an output that requires no gradient.
    """

    program: Program
    primal: Vector
    eps: float
    notes: list[tuple[str, str]] = field(default_factory=list)
    evaluations: int = 1
    #: Calls that these evaluations took: fewer where many cotangents were pulled back in one.
    calls: int = 1
    #: The cotangent that was pulled back first, and what it gave: it need not be pulled back again.
    first: tuple[Vector, Vector] | None = None

    def begin(self, cotangent: Vector) -> Vector:
        """Pull a first cotangent back, and keep what it gave; see `vjp`."""
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

    def parting(self) -> str:
        """Say where the method's own run parts from the function, as the end of a sentence, or nothing."""
        return ""

    def rounding(self, gradients: Any) -> Any:
        """Return what rounding may have done to each entry of gradients, shape ``(…, inputs.size)``.

        Without measurement: each leaf's entries are sums of terms no larger than its largest entry,
        in the forward and in the backward pass, a few dozen roundings each.
        """
        return leafwise(self.program.inputs, gradients, 32 * self.eps)


class Function(NamedTuple):
    """A hand-written gradient as `core.results.HandWritten` has it."""

    name: str
    path: str | None
    line: int | None
    backward_line: int | None
    ran: tuple[str, ...]


def leafwise(layout: Layout, vectors: Any, factor: float) -> Any:
    """Return, for every coordinate, ``factor`` times the largest magnitude within its leaf.

    ``vectors`` has shape ``(…, layout.size)``.
    """
    out = np.empty_like(vectors)
    for leaf in layout.leaves:
        part = np.abs(vectors[..., leaf.start : leaf.stop])
        finite = np.where(np.isfinite(part), part, 0.0)
        out[..., leaf.start : leaf.stop] = factor * finite.max(axis=-1, initial=0.0, keepdims=True)
    return out


def is_rounding(layout: Layout, value: Vector, single: Vector, eps: float) -> bool:
    """Whether two values differ by no more than another order of summation makes of them."""
    if np.array_equal(value, single) or np.array_equal(value, single, equal_nan=True):
        return True
    bound = leafwise(layout, single, ROUNDINGS * eps)
    finite = np.isfinite(value) & np.isfinite(single)
    apart = np.abs(value - single)[finite] > bound[finite]
    return np.array_equal(value[~finite], single[~finite], equal_nan=True) and not apart.any()


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
    """Whether minus two times a cotangent gives minus two times the gradient.

    What takes the size of a cotangent, asks for its sign or adds to it is no gradient. Entries of a Jacobian
    are looked at with cotangents of one and zeros, for which that may be right.
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
