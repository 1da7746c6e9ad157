"""Samplers whose values, for fixed random numbers, are not the function that JAX differentiates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.jax import traces
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay, equations, place_of
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES

#: Random primitives whose result moves with its operands, for the same random numbers too. What JAX
#: differentiates is not that: the gradient of a rejection sampler is implicit (Figurnov et al., Implicit
#: reparameterization gradients, NeurIPS 2018). `beta`, `chisquare`, `dirichlet` and `t` use it.
SAMPLERS = frozenset(["random_gamma"])


def why_not_measured(function: FunctionAtPoint, nearby: Vector) -> str | None:
    """Return the sampler whose parameters move with the inputs; see `Framework.why_not_measured`."""
    try:
        closed = traces.of(function, double=function.double)
    except Unavailable:
        return None
    if not any(each.primitive.name in SAMPLERS for each in equations(closed.jaxpr)):
        return None
    here, there = (_parameters(function, closed, point) for point in (function.point, nearby))
    if len(here) != len(there):
        moved = [name for name, _ in here or there]
    else:
        moved = [name for (name, a), (_, b) in zip(here, there, strict=True) if not np.array_equal(a, b)]
    if not moved:
        return None
    return (
        f"{moved[0]} draws from a distribution that depends on the inputs; with fixed random numbers it is a "
        "different function of them than the one that JAX differentiates"
    )


class _Watch(Replay):
    """A replay that records the arguments of the samplers inside."""

    def __init__(self, closed: Any) -> None:
        super().__init__(closed.jaxpr, closed.consts, RULES)
        self.seen: list[tuple[str, Any]] = []

    def step(self, equation: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Return the results of one equation; see `Replay.step`."""
        name = equation.primitive.name
        if name in SAMPLERS:
            _, parameters = operands
            self.seen.append((name + place_of(equation), np.array(parameters)))
        return super().step(equation, operands)


def _parameters(function: FunctionAtPoint, closed: Any, point: Vector) -> list[tuple[str, Any]]:
    watch = _Watch(closed)
    watch(*function.inputs.split(point))
    return watch.seen
