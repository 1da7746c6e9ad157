"""The bundled reverse-mode engine: the forward computation differentiated by rules of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import reference_engine
from pytest_gradcheck.core.errors import Unavailable
from pytest_gradcheck.core.layout import Vector
from pytest_gradcheck.core.problem import EPS32, EPS64, Dialect, Problem
from pytest_gradcheck.methods.base import Program, Pullback, gradient_layouts


def prepare(problem: Problem) -> ReferencePullback:
    """Run the function once on the reference engine, in float64, and return its pullback.

    Torch functions are lowered first: their own backward is never consulted.
    """
    if problem.dialect is Dialect.TORCH:
        program = _lowered(problem)
    else:

        def run(*leaves: Any) -> Sequence[Any]:
            return problem.call(leaves, double=True)

        program = Program(run, problem.inputs, problem.outputs)
    return ReferencePullback.at(program, problem.inputs.split(problem.point), EPS64)


#: The lowering takes the root of zero at 1e-200, where it has a slope of 5e99, so that limits come out
#: right; a gradient that stays as steep is infinite. A finite one beyond it costs a witness, no more.
SINGULAR = 1e95


def _lowered(problem: Problem) -> Program:
    from pytest_gradcheck import lowering
    from pytest_gradcheck.methods.torch import as_tensor

    try:
        lowered = lowering.lower(
            lambda *leaves: [as_tensor(out) for out in problem.call(leaves, double=problem.double)],
            problem.values_at(problem.point),
        )
    except lowering.LoweringError as error:
        raise Unavailable(str(error)) from error
    return Program(lowered, problem.inputs, problem.outputs, singular=SINGULAR)


class ReferencePullback(Pullback):
    """A pullback of the engine's graph at one point."""

    arrays: list[Any]
    pull: Callable[..., Any]

    @classmethod
    def at(cls, program: Program, arrays: Sequence[Any], eps: float) -> ReferencePullback:
        """Evaluate the program on float64 (or, for measuring rounding, float32) arrays, one per leaf."""
        try:
            with np.errstate(all="ignore"):
                value, pull = reference_engine.vjp(lambda *xs: list(program.run(*xs)), *arrays)
        except reference_engine.OutOfGraphError as error:
            raise Unavailable(str(error)) from error
        self = cls(program, program.outputs.join([np.asarray(_data(v)) for v in value]), eps)
        self.arrays, self.pull = list(arrays), pull
        return self

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back through the engine's graph; see `Pullback.vjp`."""
        with np.errstate(all="ignore"):
            grads = self.pull(self.program.outputs.split(cotangent))
        flat = self.program.inputs.join([np.asarray(_data(g)) for g in grads])
        return np.where(np.abs(flat) > self.program.singular, np.copysign(np.inf, flat), flat)

    def primal_at(self, vector: Vector) -> Vector:
        """Replay the program at another point; see `Pullback.primal_at`."""
        with np.errstate(all="ignore"):
            value = self.program.run(*[reference_engine.Tensor(a) for a in self.program.inputs.split(vector)])
        return self.program.outputs.join([np.asarray(_data(v)) for v in value])

    def second_order(self, cotangent: Vector) -> Pullback:
        """Differentiate the engine's own backward pass; see `Pullback.second_order`."""
        arrays = [*self.arrays, *self.program.outputs.split(cotangent)]
        return ReferencePullback.at(self._gradient_program(), arrays, self.eps)

    def _gradient_program(self) -> Program:
        inputs, outputs = gradient_layouts(self.program)
        count = len(self.arrays)

        def run(*values: Any) -> Sequence[Any]:
            _, pull = reference_engine.vjp(lambda *xs: list(self.program.run(*xs)), *values[:count])
            return list(pull(list(values[count:])))

        return Program(run, inputs, outputs, self.program.singular)

    def in_single_precision(self, arrays: Sequence[Any]) -> ReferencePullback:
        """Return the same program on these arrays in float32, to measure rounding."""
        narrow = [np.asarray(a).astype(np.complex64 if np.iscomplexobj(a) else np.float32) for a in arrays]
        run = self.program.run
        if hasattr(run, "in_precision"):
            run = run.in_precision("float32")
        program = dataclasses.replace(self.program, run=run)
        return ReferencePullback.at(program, narrow, EPS32)


def _data(value: Any) -> Any:
    return value.data if isinstance(value, reference_engine.Tensor) else value
