"""MLX as a framework, as its users would write it: against the protocol alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from pytest_gradcheck.frameworks.base import Framework, FunctionAtPoint
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.pullback import Program, Pullback, gradient_layouts

# float64 is on the CPU alone.
mx.set_default_device(mx.cpu)

Array = np.ndarray[Any, Any]


class MlxFramework(Framework):
    """MLX arrays of real numbers, and their gradients by ``mx.vjp``."""

    name = "mlx"
    differentiates = True
    drawn_dtypes = ("float16", "bfloat16", "float32", "float64")

    def owns(self, value: Any) -> bool:
        return isinstance(value, mx.array)

    def dtype_of(self, leaf: mx.array) -> str:
        return str(leaf.dtype).rpartition(".")[2]

    def to_numpy(self, leaf: mx.array) -> Array:
        return np.array(leaf.astype(mx.float64)) if _is_floating(leaf) else np.array(leaf)

    def like(self, array: Array, original: mx.array, *, double: bool) -> mx.array:
        return _given(array, mx.float64 if double else original.dtype)

    def copy(self, leaf: mx.array, *, double: bool) -> mx.array:
        return mx.array(leaf, dtype=mx.float64 if double and _is_floating(leaf) else leaf.dtype)

    def from_drawn(self, array: Array, dtype: str, layout: str, **options: Any) -> mx.array:
        return _given(array, getattr(mx, dtype))

    def is_array_type(self, annotation: Any) -> bool:
        return annotation is mx.array

    def random_state(self) -> int:
        high, low = np.array(mx.random.state[0]).tolist()
        return int(high << 32 | low)

    def set_random_state(self, state: int) -> None:
        mx.random.seed(state)

    seed, next_draw = set_random_state, random_state

    def pullback(self, function: FunctionAtPoint) -> Pullback:
        """Run the function on the user's own arrays."""

        def run(*leaves: Any) -> Sequence[Any]:
            return function.call(leaves, double=False)

        program = Program(run, function.inputs, function.outputs)
        double = Program(
            lambda *leaves: function.call(leaves, double=True), function.inputs, function.outputs
        )

        def in_double() -> Pullback | None:
            return MlxPullback.at(double, function.values_at(function.point)) if function.double else None

        return MlxPullback.at(program, function.native_values(), function.trial_eps, in_double)


class MlxPullback(Pullback):
    """A pullback of MLX, which runs the program again for each cotangent."""

    leaves: list[mx.array]
    dtypes: list[Any]
    doubled: Callable[[], Pullback | None]

    @classmethod
    def at(
        cls,
        program: Program,
        leaves: Sequence[mx.array],
        eps: float = EPS64,
        in_double: Callable[[], Pullback | None] = lambda: None,
    ) -> MlxPullback:
        outs = [mx.array(out) for out in program.run(*leaves)]
        made = cls(program, program.outputs.join([_wide(out) for out in outs]), eps)
        made.leaves, made.dtypes, made.doubled = list(leaves), [out.dtype for out in outs], in_double
        return made

    def vjp(self, cotangent: Vector) -> Vector:
        self.evaluations += 1
        return self.program.inputs.join([_wide(g) for g in self.pull(self.leaves, self.seeds(cotangent))])

    def seeds(self, cotangent: Vector) -> list[mx.array]:
        parts = self.program.outputs.split(cotangent)
        return [_given(part, dtype) for part, dtype in zip(parts, self.dtypes, strict=True)]

    def pull(self, leaves: Sequence[mx.array], seeds: Sequence[mx.array]) -> list[mx.array]:
        _, gradients = mx.vjp(lambda *x: list(self.program.run(*x)), list(leaves), list(seeds))
        return list(gradients)

    def second_order(self, cotangent: Vector) -> Pullback:
        count = len(self.leaves)
        inputs, outputs = gradient_layouts(self.program)
        program = Program(lambda *x: self.pull(x[:count], x[count:]), inputs, outputs)
        return MlxPullback.at(program, self.leaves + self.seeds(cotangent), self.eps)

    def primal_at(self, vector: Vector) -> Vector:
        return self.moved(vector).primal

    def moved(self, vector: Vector) -> MlxPullback:
        parts = zip(self.program.inputs.split(vector), self.leaves, strict=True)
        return MlxPullback.at(self.program, [_given(part, leaf.dtype) for part, leaf in parts], self.eps)

    def in_double(self) -> Pullback | None:
        return self if self.eps <= EPS64 else self.doubled()


def _given(array: Array, dtype: Any) -> mx.array:
    return mx.array(np.array(array), dtype=dtype)


def _wide(leaf: mx.array) -> Array:
    return np.array(leaf.astype(mx.float64))


def _is_floating(leaf: mx.array) -> bool:
    return bool(mx.issubdtype(leaf.dtype, mx.floating))
