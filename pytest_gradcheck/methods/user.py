"""A gradient that the user wrote by hand, as one more method."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument, Unavailable
from pytest_gradcheck.frameworks.flat import Leaf, Vector
from pytest_gradcheck.frameworks.fresh_memory import FILLED_WITH, allocates, unwritten
from pytest_gradcheck.frameworks.fresh_memory import never_written as sentence
from pytest_gradcheck.frameworks.leaves import to_numpy
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.function.signatures import signature_of
from pytest_gradcheck.methods.base import GradientAlone


def prepare(
    problem: Problem,
    gradient: Callable[..., Any] | None,
    vjp: Callable[..., Any] | None,
    *,
    at: Vector | None = None,
    twice: bool = True,
) -> Pullback:
    """Return the hand-written gradient of a problem as a pullback, at the problem's point or another one.

    ``gradient(*inputs)`` is taken as a vjp when it has a parameter called ``cotangent``. One that allocates
    memory is called ``twice``; see `_with_known_memory`.
    """
    if gradient is not None and vjp is not None:
        raise InvalidArgument("gradient", "a gradient and a vjp", "give one of the two")
    if vjp is None and "cotangent" in getattr(signature_of(gradient), "parameters", ()):
        gradient, vjp = None, gradient
    if vjp is not None:
        return UserVjp(problem, vjp, at, twice=twice and allocates(vjp))
    if gradient is None:
        raise Unavailable("no gradient= or vjp= was given")
    rows = _jacobian(problem, gradient, at, twice=twice and allocates(gradient))
    return _User(problem, problem.primal, problem.trial_eps, rows)


def never_written(
    problem: Problem, gradient: Callable[..., Any] | None, vjp: Callable[..., Any] | None
) -> str | None:
    """Return the sentence on memory that a hand-written gradient returns and never wrote, None without.

    It is called three times with something else in fresh memory.
    """
    ones = np.ones(problem.outputs.size)
    found = unwritten(
        lambda: prepare(problem, gradient, vjp, twice=False).vjp(ones), problem.framework.filling
    )
    if found is None:
        return None
    name = getattr(gradient or vjp, "__name__", "the gradient")
    return sentence(name, "np.empty", found.where(problem.inputs))


class _User(GradientAlone):
    whose, once = "a gradient written by hand", "says nothing of its own derivative"


class UserVjp(_User):
    """A gradient that takes a cotangent."""

    def __init__(
        self, problem: Problem, function: Callable[..., Any], at: Vector | None, *, twice: bool
    ) -> None:
        super().__init__(problem, problem.primal, problem.trial_eps)
        self._problem, self._function, self._at = problem, function, at
        self._twice, self._ran = twice, False

    def vjp(self, cotangent: Vector) -> Vector:
        """Call the user's function; see `Pullback.vjp`."""
        problem = self._problem
        given = problem.output_cotangent(cotangent)
        self.evaluations += 1
        self.calls += 1

        def call() -> Any:
            return problem.call_on_inputs("vjp", self._function, self._at, cotangent=given)

        answer = _with_known_memory(problem, call, twice=self._twice, again=self._ran)
        self._ran = True
        parts = _per_leaf(problem, answer, "vjp")
        for leaf, part in zip(problem.inputs.leaves, parts, strict=True):
            if part.shape != leaf.shape:
                raise _wrong_shape("vjp", leaf, part.shape, leaf.shape)
        return problem.inputs.join(parts)


def _with_known_memory(problem: Problem, call: Callable[[], Any], *, twice: bool, again: bool = False) -> Any:
    """Call a hand-written gradient; a second call gets nan in fresh memory, which shows what is not written.

    Otherwise such an entry would be right if the memory happens to hold the right number. ``again`` says that
    the gradient has run before, and needs no plain call any more: what had to be compiled is.
    """
    if twice and again:
        with contextlib.suppress(Exception), problem.framework.filling(FILLED_WITH[0]):
            return call()
    answer = call()
    if twice and not again:
        # Code that must find NumPy's own functions, such as a compiler, may not take others.
        with contextlib.suppress(Exception), problem.framework.filling(FILLED_WITH[0]):
            answer = call()
    return answer


def _jacobian(problem: Problem, gradient: Callable[..., Any], at: Vector | None, *, twice: bool) -> Any:
    """Call the gradient and return it as a real Jacobian of shape ``(outputs.size, inputs.size)``."""
    call = functools.partial(problem.call_on_inputs, "gradient", gradient, at)
    parts = _per_leaf(problem, _with_known_memory(problem, call, twice=twice), "gradient")
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


def _per_leaf(problem: Problem, answer: Any, argument: str) -> list[Any]:
    """Bring what the user's function returned into one array per differentiable leaf."""
    found = problem.match_inputs(answer)
    if found is None:
        wanted = ", ".join(problem.arguments)
        got = f"{len(answer)} values" if isinstance(answer, Sequence | Mapping) else type(answer).__name__
        raise InvalidArgument(argument, f"{got} from it", f"return one array per input: {wanted}")
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
            to_complex = argument == "gradient" and any(out.is_complex for out in problem.outputs.leaves)
            remedy = "the output is complex: give vjp= instead" if to_complex else "return the real part"
            raise InvalidArgument(argument, f"{array.dtype} for {leaf.name}, which is real", remedy)
        parts.append(array)
    return parts


def _wrong_shape(argument: str, leaf: Leaf, got: tuple[int, ...], wanted: tuple[int, ...]) -> InvalidArgument:
    return InvalidArgument(argument, f"shape {got} for {leaf.name}", f"the right shape is {wanted}")
