"""The bundled reverse-mode engine, which differentiates the forward computation by its own rules."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

import reference_engine
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.leaves import EPS32, EPS64
from pytest_gradcheck.frameworks.pullback import Program, Pullback, gradient_layouts, nudged, patience
from pytest_gradcheck.function.problem import Problem
from reference_engine.backward import ancestors
from reference_engine.contexts import at_most
from reference_engine.primitives import Node
from reference_engine.transforms import vjp_of_arrays


def prepare(problem: Problem, *, hold_stops: bool = False) -> ReferencePullback:
    """Run the function once on the reference engine, in float64, and return its pullback.

    Its framework lowers it first: hand-written backwards are never consulted. With ``hold_stops`` detached
    values are constants, as for the framework.
    """
    lowering = problem.framework.lower(problem, hold_stops=hold_stops)
    pullback = ReferencePullback.at(lowering.program, problem.inputs.split(problem.point), EPS64)
    pullback.notes += lowering.notes
    pullback.parting = lowering.parting
    return pullback


#: How much operations are disturbed where a float32 rounding is too much: a few float64 roundings.
LITTLE = 2.0**-48


class ReferencePullback(Pullback):
    """A pullback of the engine's graph at one point, made in ``surroundings``."""

    arrays: list[Any]
    pull: Callable[..., Any]
    surroundings: Callable[[], AbstractContextManager[None]]

    @classmethod
    def at(
        cls,
        program: Program,
        arrays: Sequence[Any],
        eps: float,
        surroundings: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> ReferencePullback:
        """Evaluate the program on float64 (or, for measuring rounding, float32) arrays, one per leaf."""
        try:
            with np.errstate(all="ignore"), surroundings():
                value, pull = vjp_of_arrays(program.run, arrays)
        except Exception as error:
            # NumPy hides the engine's error behind its own when a tensor is stored in an array.
            for reason in (error, error.__cause__):
                if isinstance(reason, reference_engine.OutOfGraphError | reference_engine.MissingRuleError):
                    raise Unavailable(str(reason)) from error
            raise
        self = cls(program, program.outputs.join(value), eps)
        self.arrays, self.pull, self.surroundings = list(arrays), pull, surroundings
        return self

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back through the engine's graph; see `Pullback.vjp`."""
        with np.errstate(all="ignore"):
            grads = self.pull(self.program.outputs.split(cotangent))
        flat = self.program.inputs.join(grads)
        steep = np.abs(flat) > self.program.singular
        return np.where(steep, np.copysign(np.inf, flat), flat) if steep.any() else flat

    def primal_at(self, vector: Vector) -> Vector:
        """Replay the program at another point; see `Pullback.primal_at`."""
        with np.errstate(all="ignore"):
            value = self.program.run(*[reference_engine.Tensor(a) for a in self.program.inputs.split(vector)])
        return self.program.outputs.join(
            [v.data if isinstance(v, reference_engine.Tensor) else v for v in value]
        )

    def second_order(self, cotangent: Vector) -> Pullback:
        """Differentiate the engine's own backward pass; see `Pullback.second_order`."""
        arrays = [*self.arrays, *self.program.outputs.split(cotangent)]
        inputs, outputs = gradient_layouts(self.program)
        count = len(self.arrays)

        def run(*values: Any) -> Sequence[Any]:
            _, pull = reference_engine.vjp(lambda *xs: list(self.program.run(*xs)), *values[:count])
            return list(pull(list(values[count:])))

        program = Program(run, inputs, outputs, self.program.singular)
        return ReferencePullback.at(program, arrays, self.eps, self.surroundings)

    def coarse_runs(self, count: int) -> Sequence[Pullback]:
        """Run the program in coarser arithmetic, twice per run; see `Pullback.coarse_runs`.

        Each run is at a point moved by no more than roundoff: once in float32, whose backward pass rounds
        too, and once in float64 with every operation of the forward pass off by a random rounding of
        float32, which no lucky cancellation hides.
        """
        narrow, most = self.program, None
        if hasattr(narrow.run, "in_precision"):
            # A recording takes as many operations in every arithmetic.
            narrow = dataclasses.replace(narrow, run=narrow.run.in_precision("float32"))
        else:
            most = patience(len(self._graph()[1]))
        coarse: list[Pullback] = []
        for seed in range(count):
            moved = nudged(self.arrays, seed)
            single = [np.asarray(a, np.complex64 if np.iscomplexobj(a) else np.float32) for a in moved]
            plain = functools.partial(_coarse, EPS32, None, most)
            coarse.append(ReferencePullback.at(narrow, single, EPS32, plain))
            coarse.append(self._disturbed(EPS32, seed, most))
        return coarse

    def finer_runs(self, count: int) -> Sequence[Pullback]:
        """Run the program in float64, every operation off by up to `LITTLE`; see `Pullback.finer_runs`."""
        return [self._disturbed(LITTLE, seed, None) for seed in range(count)]

    def _disturbed(self, scale: float, seed: int, most: int | None) -> Pullback:
        # The second order runs the program again, and its backward pass, under the same disturbance.
        disturbed = functools.partial(_coarse, scale, seed, most)
        return ReferencePullback.at(self.program, self.arrays, scale, disturbed)

    def picture(self, most: int) -> str | None:
        """Return the graph of a program with one output as SVG, with values and gradients.

        None if it has more than ``most`` values that depend on the inputs.
        """
        (out,), nodes = self._graph()
        if not isinstance(out, reference_engine.Tensor) or len(nodes) > most:
            return None
        out.label = out.label or self.program.outputs.leaves[0].name
        with np.errstate(all="ignore"):
            out.backward()
        return reference_engine.draw(out).svg

    def work(self, per_value: int) -> float:
        """Return how many numbers one evaluation computes, with ``per_value`` more for every value."""
        return sum(per_value + np.size(node.data) for node in self._graph()[1])

    def _graph(self) -> tuple[list[Any], list[Node]]:
        """Run the program once more; return its outputs, and every value that depends on the inputs."""
        leaves = [
            reference_engine.Tensor(array, requires_grad=True, label=leaf.name)
            for array, leaf in zip(self.arrays, self.program.inputs.leaves, strict=True)
        ]
        with np.errstate(all="ignore"):
            outputs = list(self.program.run(*leaves))
        return outputs, ancestors([out._node for out in outputs if isinstance(out, reference_engine.Tensor)])


@contextmanager
def _coarse(scale: float, seed: int | None, most: int | None) -> Iterator[None]:
    """Disturb recorded operations by up to ``scale``, if there is a seed, and limit their number."""
    disturbed = nullcontext() if seed is None else reference_engine.perturbed(scale, seed)
    with disturbed, nullcontext() if most is None else at_most(most):
        yield
