"""Second derivatives of a scalar function: hand-written ones, and the others as maps of the same shape.

A Hessian is the Jacobian of the gradient ``x → ∇f(x)``. Every method here is a pullback of that function.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument, Unavailable
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.frameworks.fresh_memory import allocates
from pytest_gradcheck.frameworks.pullback import Program, Pullback, scales
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.base import Layouts
from pytest_gradcheck.methods.forms import Form
from pytest_gradcheck.methods.matrices import Blocks, is_matrix
from pytest_gradcheck.methods.user import ByHand, matched, per_leaf, shaped, with_known_memory

#: The cotangent of the one output.
ONE = np.ones(1)


def layouts(problem: Problem) -> Layouts:
    """Return the inputs and outputs of the gradient of a problem."""
    leaves = problem.inputs.leaves
    outputs = Layout(
        [f"grad {leaf.name}" for leaf in leaves],
        [leaf.shape for leaf in leaves],
        [leaf.dtype for leaf in leaves],
    )
    return Layouts(problem.inputs, outputs)


def must_be_scalar(form: Form, problem: Problem) -> None:
    """Raise `InvalidArgument` unless the function returns one real number, and so has a Hessian."""
    outputs = problem.outputs
    if outputs.size == 1:
        return
    shapes = ", ".join(f"{leaf.name} of shape {leaf.shape} ({leaf.dtype})" for leaf in outputs.leaves)
    raise InvalidArgument(
        form.name,
        f"{problem.name}, which returns {shapes}",
        "a Hessian needs a function that returns one real number: return a scalar, or give jacobian= or jvp=",
    )


def prepare(form: Form, problem: Problem, gradient: Vector, *, at: Vector | None = None) -> ByHand:
    """Return a hand-written second derivative as the pullback of the gradient; see `user.prepare`.

    ``gradient`` is the value of that function, shape ``(inputs.size,)``.
    """
    if form.how == "hvp":
        return UserHvp(form, problem, gradient, at)
    call = functools.partial(problem.call_on_inputs, form.name, form.function, at)
    answer = with_known_memory(problem, call, twice=allocates(form.function))
    shape = layouts(problem)
    if any(leaf.is_complex for leaf in shape.inputs.leaves):
        raise InvalidArgument(form.name, "a function of complex numbers", "give hvp= instead")
    parts = matched(problem, answer, form.name)
    if len(parts) > 1 or not _is_block(parts[0]):
        parts = [matched(problem, part, form.name) for part in parts]
    else:
        parts = [parts]
    blocks = Blocks(form.name, parts, shape.outputs, shape.inputs)
    return ByHand(shape, gradient, problem.trial_eps, blocks)


def gives_blocks_alone(form: Form, problem: Problem) -> bool:
    """Whether a Hessian of several inputs is one block per input, without mixed derivatives."""
    if form.how != "hessian" or len(problem.inputs.leaves) == 1:
        return False
    answer = problem.call_on_inputs(form.name, form.function)
    return any(_is_block(part) for part in matched(problem, answer, form.name))


def _is_block(part: Any) -> bool:
    return is_matrix(part) or not isinstance(part, tuple | list | dict)


class UserHvp(ByHand):
    """A product of the Hessian and a vector: a row of the Hessian, which is symmetric."""

    takes_vectors = True

    def __init__(self, form: Form, problem: Problem, gradient: Vector, at: Vector | None) -> None:
        super().__init__(layouts(problem), gradient, problem.trial_eps, evaluations=0)
        self.calls = 0
        self._form, self._problem, self._at = form, problem, at
        self._twice = allocates(form.function)

    def vjp(self, cotangent: Vector) -> Vector:
        """Multiply the Hessian with a cotangent of the gradient; see `Pullback.vjp`."""
        problem, name = self._problem, self._form.name
        self.evaluations += 1
        self.calls += 1

        def call() -> Any:
            return problem.call_along(name, self._form.function, cotangent, self._at)

        answer = with_known_memory(problem, call, twice=self._twice, again=self.calls > 1)
        return problem.inputs.join(shaped(problem, per_leaf(problem, answer, name), name))

    def breaks_linearity(self) -> str | None:
        """Compare two vectors; see `ByHand.breaks_linearity`."""
        if scales(self):
            return None
        return "the hvp is not linear: scaling the vector by -2 does not scale the product by -2"


class OfGradient(Pullback):
    """An exact method's pullback of the gradient: of ``(x, u) → u · J(x)`` at one, without the part of u."""

    def __init__(self, problem: Problem, inner: Pullback) -> None:
        shape = layouts(problem)
        program = Program(self._run, shape.inputs, shape.outputs, inner.program.singular)
        super().__init__(program, inner.primal, inner.eps, inner.notes)
        self._problem, self._inner = problem, inner

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back; see `Pullback.vjp`."""
        self.evaluations += 1
        self.calls += 1
        return self._inner.vjp(cotangent)[: self.program.inputs.size]

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Pull many cotangents back; see `Pullback.vjps`."""
        before = self._inner.calls
        found = self._inner.vjps(cotangents)[:, : self.program.inputs.size]
        self.evaluations += len(cotangents)
        self.calls += max(1, self._inner.calls - before)
        return found

    def primal_at(self, vector: Vector) -> Vector:
        """Return the gradient at another point; see `Pullback.primal_at`."""
        return self._inner.primal_at(np.concatenate([vector, ONE]))

    def second_order(self, cotangent: Vector) -> Pullback:
        """Raise `Unavailable`."""
        raise Unavailable("no third derivative is checked")

    def _run(self, *_: Any) -> Sequence[Any]:
        raise Unavailable("no third derivative is checked")
