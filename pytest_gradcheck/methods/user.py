"""A hand-written derivative, in any form, as a method."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.flat import Leaf, Matrix, Vector
from pytest_gradcheck.frameworks.fresh_memory import FILLED_WITH, allocates, unwritten
from pytest_gradcheck.frameworks.fresh_memory import never_written as sentence
from pytest_gradcheck.frameworks.leaves import to_numpy
from pytest_gradcheck.frameworks.pullback import NOT_LINEAR, SCARCELY, scales
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.base import GradientAlone, HasLayouts
from pytest_gradcheck.methods.forms import Form
from pytest_gradcheck.methods.matrices import Blocks
from pytest_gradcheck.methods.operators import must_be_linear

#: A sum of columns is off by at most so many roundings of its terms. Chosen: as error bars are.
ROUNDINGS = 32

#: So many numbers of a Jacobian are kept, once the jvp has given all of its columns.
MOST_KEPT = 2**24


def prepare(form: Form, problem: Problem, *, at: Vector | None = None, twice: bool = True) -> ByHand:
    """Return a hand-written derivative of a problem as a pullback, at the problem's point or another one.

    One that allocates memory is called ``twice``; see `with_known_memory`.
    """
    twice = twice and allocates(form.function)
    if form.name == "rmatvec" and at is None:
        must_be_linear(form, problem)
    if form.how == "vjp":
        return UserVjp(form, problem, at, twice=twice)
    if form.how == "jvp":
        return UserJvp(form, problem, at, twice=twice)
    call = functools.partial(problem.call_on_inputs, form.name, form.function, at)
    answer = with_known_memory(problem, call, twice=twice)
    rows = _gradient(problem, answer) if form.how == "gradient" else _jacobian(problem, answer)
    return ByHand(problem, problem.primal, problem.trial_eps, rows)


def never_written(form: Form, problem: Problem) -> str | None:
    """Return the diagnosis of unwritten memory in a hand-written derivative's result, or None.

    It is called three times, each with other contents of fresh memory.
    """
    if form.order == 2:
        return None

    def answer() -> Vector:
        pullback = prepare(form, problem, twice=False)
        if isinstance(pullback, UserJvp):
            return pullback.jvp(np.ones(problem.inputs.size))
        return pullback.vjp(np.ones(problem.outputs.size))

    found = unwritten(answer, problem.framework.filling)
    if found is None:
        return None
    name = getattr(form.function, "__name__", "the gradient")
    return sentence(name, "np.empty", found.where(problem.outputs if form.how == "jvp" else problem.inputs))


class ByHand(GradientAlone):
    """A derivative that the user wrote by hand."""

    whose, once = "a gradient written by hand", "has no second derivative"
    #: Whether it takes a vector besides the inputs, in which it must be linear.
    takes_vectors = False

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Take the cotangents times the Jacobian; see `Pullback.vjps`."""
        if self._rows is None:
            return super().vjps(cotangents)
        return np.asarray(cotangents @ self._rows)

    def breaks_linearity(self) -> str | None:
        """Return a sentence on how it violates linearity in its other arguments, or None."""
        return None


class UserVjp(ByHand):
    """A gradient that takes a cotangent."""

    takes_vectors = True

    def __init__(self, form: Form, problem: Problem, at: Vector | None, *, twice: bool) -> None:
        super().__init__(problem, problem.primal, problem.trial_eps)
        self._form, self._problem, self._at = form, problem, at
        self._twice, self._ran = twice, False

    def breaks_linearity(self) -> str | None:
        """Compare two cotangents; see `ByHand.breaks_linearity`."""
        return None if scales(self) else NOT_LINEAR

    def vjp(self, cotangent: Vector) -> Vector:
        """Call the user's function; see `Pullback.vjp`."""
        problem = self._problem
        given = problem.output_cotangent(cotangent)
        self.evaluations += 1
        self.calls += 1

        def call() -> Any:
            return problem.call_on_inputs(self._form.name, self._form.function, self._at, cotangent=given)

        answer = with_known_memory(problem, call, twice=self._twice, again=self._ran)
        self._ran = True
        # Of a complex operator on real numbers the real part of the adjoint is that of the gradient.
        parts = per_leaf(problem, answer, self._form.name, take_real=self._form.name == "rmatvec")
        return problem.inputs.join(shaped(problem, parts, self._form.name))


class UserJvp(ByHand):
    """A derivative that maps a tangent to that of the output, and so gives the columns of the Jacobian.

    A row takes one call per number in the inputs, and so do many rows together.
    """

    takes_vectors = True

    def __init__(self, form: Form, problem: Problem, at: Vector | None, *, twice: bool) -> None:
        super().__init__(problem, problem.primal, problem.trial_eps, evaluations=0)
        self.calls = 0
        self._form, self._problem, self._at, self._twice = form, problem, at, twice

    def vjp(self, cotangent: Vector) -> Vector:
        """Contract all columns with a cotangent; see `Pullback.vjp`."""
        (row,) = self.vjps(cotangent[None])
        return np.asarray(row)

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Contract all columns with many cotangents; see `Pullback.vjps`."""
        n, m = self.program.inputs.size, self.program.outputs.size
        if self._rows is None:
            columns = (self.jvp(np.eye(1, n, i)[0]) for i in range(n))
            if n * m > MOST_KEPT:
                return np.stack([cotangents @ column for column in columns], axis=1)
            self._rows = np.stack(list(columns), axis=1)
        return np.asarray(cotangents @ self._rows)

    def along(self, lines: Matrix, shape: HasLayouts) -> ByHand:
        """Return the derivative along some lines, shape ``(k, inputs.size)``: k calls.

        ``shape`` has the k numbers as its inputs.
        """
        rows = np.stack([self.jvp(line) for line in lines], axis=1)
        found = TakenAlong(shape, self.primal, self.eps, rows, self.evaluations)
        found.calls, found.whole = self.calls, self
        return found

    def jvp(self, tangent: Vector) -> Vector:
        """Return the Jacobian times a tangent: shape ``(inputs.size,)`` in, ``(outputs.size,)`` out."""
        problem, name = self._problem, self._form.name
        self.evaluations += 1
        self.calls += 1

        def call() -> Any:
            return problem.call_along(name, self._form.function, tangent, self._at)

        answer = with_known_memory(problem, call, twice=self._twice, again=self.calls > 1)
        parts = problem.match_outputs(answer)
        outputs = problem.outputs.leaves
        if parts is None:
            wanted = ", ".join(leaf.name for leaf in outputs)
            raise InvalidArgument(name, f"{_in_words(answer)} from it", f"return the tangent of {wanted}")
        arrays = [np.asarray(to_numpy(part)) for part in parts]
        for leaf, array in zip(outputs, arrays, strict=True):
            if array.shape != leaf.shape:
                raise _wrong_shape(name, leaf, array.shape, leaf.shape)
            if np.iscomplexobj(array) and not leaf.is_complex:
                raise InvalidArgument(
                    name, f"{array.dtype} for {leaf.name}, which is real", "return the real part"
                )
        return problem.outputs.join(arrays)

    def breaks_linearity(self) -> str | None:
        """Compare a tangent with the sum of the columns; see `ByHand.breaks_linearity`."""
        rng, size = np.random.default_rng(self._problem.seed), self.program.inputs.size
        tangent = rng.uniform(0.5, 1.5, size) * rng.choice([-1.0, 1.0], size)
        once = self.jvp(tangent)
        summed, terms = once, np.abs(once)
        if self._rows is not None:
            summed, terms = self._rows @ tangent, np.abs(self._rows) @ np.abs(tangent)
        apart = np.fmax(np.abs(once - summed), np.abs(self.jvp(-2.0 * tangent) + 2.0 * summed))
        allowed = max(SCARCELY, ROUNDINGS * self.eps) * terms[np.isfinite(terms)].max(initial=0.0)
        if (apart[np.isfinite(apart)] > allowed).any():
            return "the jvp is not linear: scaling the tangent by -2 does not scale the product by -2"
        return None


class TakenAlong(ByHand):
    """A jvp along some lines, ``whole`` being the jvp."""

    takes_vectors = True
    whole: UserJvp

    def breaks_linearity(self) -> str | None:
        """Compare two tangents; see `ByHand.breaks_linearity`."""
        return self.whole.breaks_linearity()


def with_known_memory(problem: Problem, call: Callable[[], Any], *, twice: bool, again: bool = False) -> Any:
    """Call a hand-written gradient twice, the second time with nan in fresh memory, to find unwritten
    entries.

    Otherwise such an entry would be right if the memory happens to hold the right number. ``again`` says that
    the gradient has run before, so everything is compiled and the plain call is not needed.
    """
    if twice and again:
        with contextlib.suppress(Exception), problem.framework.filling(FILLED_WITH[0]):
            return call()
    answer = call()
    if twice and not again:
        # Code that needs NumPy's own functions, such as a compiler, may refuse others.
        with contextlib.suppress(Exception), problem.framework.filling(FILLED_WITH[0]):
            answer = call()
    return answer


def _gradient(problem: Problem, answer: Any) -> Matrix:
    """Return a gradient as a real Jacobian of shape ``(outputs.size, inputs.size)``."""
    parts = per_leaf(problem, answer, "gradient")
    rows = np.zeros((problem.outputs.size, problem.inputs.size))
    outs = problem.outputs.leaves
    scalar = problem.outputs.size == 1
    for leaf, part in zip(problem.inputs.leaves, parts, strict=True):
        if leaf.is_complex or any(out.is_complex for out in outs):
            if not (scalar and part.shape == leaf.shape):
                raise InvalidArgument(
                    "gradient", "complex numbers and more than one output", "give vjp= instead"
                )
            rows[0, leaf.start : leaf.stop] = np.ascontiguousarray(part, complex).reshape(-1).view(float)
            continue
        if len(outs) > 1:
            raise InvalidArgument("gradient", f"a function with {len(outs)} outputs", "give vjp= instead")
        wanted = outs[0].shape + leaf.shape
        if part.shape != wanted and not (scalar and part.shape == leaf.shape):
            raise _wrong_shape("gradient", leaf, part.shape, wanted)
        rows[:, leaf.start : leaf.stop] = part.reshape(problem.outputs.size, leaf.size)
    return rows


def _jacobian(problem: Problem, answer: Any) -> Blocks:
    """Return a Jacobian: one array per input, or for several outputs one such structure each."""
    name, outputs = "jacobian", problem.outputs.leaves
    rows = problem.split_by_output(answer)
    if rows is None:
        wanted = ", ".join(leaf.name for leaf in outputs)
        raise InvalidArgument(
            name, f"{_in_words(answer)} from it", f"return one Jacobian per output: {wanted}"
        )
    parts = [matched(problem, row, name) for row in rows]
    return Blocks(name, parts, problem.outputs, problem.inputs)


def matched(problem: Problem, answer: Any, argument: str) -> list[Any]:
    """Return the part of an answer for each differentiable leaf; None where it has none.

    Raises `InvalidArgument` where the answer does not have the structure of the inputs.
    """
    found = problem.match_inputs(answer)
    if found is None:
        wanted = ", ".join(problem.arguments)
        raise InvalidArgument(
            argument, f"{_in_words(answer)} from it", f"return one array per input: {wanted}"
        )
    return found


def _in_words(answer: Any) -> str:
    return f"{len(answer)} values" if isinstance(answer, Sequence | Mapping) else type(answer).__name__


def per_leaf(problem: Problem, answer: Any, argument: str, *, take_real: bool = False) -> list[Any]:
    """Bring what the user's function returned into one array per differentiable leaf."""
    found = matched(problem, answer, argument)
    parts = []
    for leaf, part in zip(problem.inputs.leaves, found, strict=True):
        if part is None:
            raise InvalidArgument(
                argument,
                f"None for {leaf.name}",
                f"return zeros of shape {leaf.shape}, or leave it out by wrt=",
            )
        array = np.asarray(to_numpy(part))
        if np.iscomplexobj(array) and not leaf.is_complex:
            if take_real:
                array = array.real
            else:
                to_complex = argument == "gradient" and any(out.is_complex for out in problem.outputs.leaves)
                remedy = "the output is complex: give vjp= instead" if to_complex else "return the real part"
                raise InvalidArgument(argument, f"{array.dtype} for {leaf.name}, which is real", remedy)
        parts.append(array)
    return parts


def shaped(problem: Problem, parts: Sequence[Any], argument: str) -> Sequence[Any]:
    """Return the arrays of an answer, one per differentiable leaf, if they have its shape."""
    for leaf, part in zip(problem.inputs.leaves, parts, strict=True):
        if part.shape != leaf.shape:
            raise _wrong_shape(argument, leaf, part.shape, leaf.shape)
    return parts


def _wrong_shape(argument: str, leaf: Leaf, got: tuple[int, ...], wanted: tuple[int, ...]) -> InvalidArgument:
    return InvalidArgument(argument, f"shape {got} for {leaf.name}", f"the right shape is {wanted}")
