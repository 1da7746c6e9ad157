"""Gradients by ``jax.vjp``, on trial in the dtypes that the user gave."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.errors import NotImplementedByFramework, Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint, HandWritten
from pytest_gradcheck.frameworks.flat import Matrix, Vector
from pytest_gradcheck.frameworks.jax import compiled, precision
from pytest_gradcheck.frameworks.jax.compiled import Gradient
from pytest_gradcheck.frameworks.jax.leaves import to_numpy
from pytest_gradcheck.frameworks.leaves import EPS32, EPS64
from pytest_gradcheck.frameworks.pullback import Program, Pullback, gradient_layouts, nudged

#: JAX's errors for a missing derivative.
NO_DERIVATIVE = re.compile(
    r"Differentiation rule .*not implemented"
    r"|Reverse-mode differentiation does not work for"
    r"|can't apply forward-mode differentiation \(jvp\) to a custom_vjp function"
    r"|do not support (JVP|differentiation|linear)"
)

#: JAX's errors for a hand-written rule whose result does not fit; the first match counts.
RAISED = (
    ("primal-mismatch", r"the rule returns a different value than the function"),
    ("dtype-mismatch", r"dtype|float0|(?:float|bfloat|complex|int)\d+\[\S* (?:but|!=|vs)"),
    (
        "gradient-count",
        r"(?:number|length) of|tree structure|container \(pytree\) structure|pairs",
    ),
    ("shape-mismatch", r"shape|size|broadcast"),
)


def code_of_error(text: str) -> str | None:
    """Return the diagnosis code for JAX's error on a rule that does not fit; None for anything else."""
    return next((code for code, pattern in RAISED if re.search(pattern, text)), None)


#: A remark on a gradient that is the conjugate of the right one.
CONVENTION = "a rule of JAX returns u · J for a cotangent u, and conjugates neither"


#: Up to so many cotangents are pulled back one by one.
FEW = 3


class NoReverseMode(NotImplementedByFramework):
    """Raised for a function that JAX differentiates in forward mode alone, such as a ``while_loop``."""


#: The most numbers that are differentiated in forward mode if there is no reverse mode: each takes a call.
MOST_FORWARD = 256


def prepare(function: FunctionAtPoint) -> Pullback:
    """Run the function once under ``jax.vjp``, on the user's own arrays.

    If JAX has no reverse mode, the gradient is assembled from forward mode.
    """
    program, values = _program(function, double=False), function.native_values()
    made: JaxPullback | None = CompiledPullback.of(
        compiled.gradient(function), program, values, function.trial_eps
    )
    try:
        if made is None or not _same(made.primal, function):
            made = JaxPullback.at(program, values, function.trial_eps)
            made.begin(np.ones(function.outputs.size))
    except NoReverseMode:
        if function.inputs.size > MOST_FORWARD:
            raise
        return ForwardPullback.of(function, program, values)
    made.function = function
    if not _same(made.primal, function):
        _blame(function)
    return made


def _same(primal: Vector, function: FunctionAtPoint) -> bool:
    """Whether a value equals that of the function up to rounding."""
    size = np.abs(function.primal[np.isfinite(function.primal)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return not (np.abs(primal - function.primal) > 4 * np.sqrt(function.trial_eps) * size).any()


class PrimalMismatch(Exception):  # noqa: N818  what is wrong is a rule of the user's
    """Raised where a rule written by hand returns a different value from its function."""


def _blame(function: FunctionAtPoint) -> None:
    """Raise `PrimalMismatch` for a rule that returns a different value from its function, if there is one."""
    # Imported here: few checks need it.
    from pytest_gradcheck.frameworks.jax.custom_rules import calls_of
    from pytest_gradcheck.frameworks.jax.rule_properties import returns_another_value

    for call in calls_of(function):
        found = returns_another_value(call)
        if found is not None:
            raise PrimalMismatch(f"{found}: {call}")


def _program(function: FunctionAtPoint, *, double: bool) -> Program:
    def run(*leaves: Any) -> Sequence[Any]:
        return [jnp.asarray(out) for out in function.call(leaves, double=double)]

    return Program(run, function.inputs, function.outputs)


class JaxPullback(Pullback):
    """A JAX pullback at one point.

    All calls of JAX run within ``surroundings()``: in float64, or as the user configured.
    """

    leaves: list[Any]
    #: That of each output, and so of its cotangent.
    dtypes: list[Any]
    pull: Callable[..., Any]
    surroundings: Callable[[], AbstractContextManager[Any]]
    #: The function that it differentiates; None for gradients of gradients.
    function: FunctionAtPoint | None = None

    @classmethod
    def at(
        cls,
        program: Program,
        leaves: Sequence[Any],
        eps: float,
        surroundings: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> JaxPullback:
        """Run the program, and keep what pulls cotangents back through it."""
        with surroundings(), _named_refusals():
            outs, pull = jax.vjp(lambda *values: list(program.run(*values)), *leaves)
        self = cls(program, program.outputs.join([to_numpy(out) for out in outs]), eps)
        self.leaves, self.pull, self.surroundings = list(leaves), pull, surroundings
        self.dtypes = [out.dtype for out in outs]
        if any(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in (*leaves, *outs)):
            self.notes.append(("convention", CONVENTION))
        return self

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back; see `Pullback.vjp`."""
        self.evaluations += 1
        self.calls += 1
        with self.surroundings(), _named_refusals():
            seeds = map(_conjugated, self.seeds(cotangent))
            return self.program.inputs.join([to_numpy(_conjugated(g)) for g in self.pull(list(seeds))])

    def seeds(self, cotangent: Vector) -> list[Any]:
        """Return a flat cotangent as arrays, one per output, of its dtype."""
        parts = zip(self.program.outputs.split(cotangent), self.dtypes, strict=True)
        return [jnp.asarray(part, dtype) for part, dtype in parts]

    def second_order(self, cotangent: Vector) -> Pullback:
        """Differentiate the pulling back itself; see `Pullback.second_order`."""
        inputs, outputs = gradient_layouts(self.program)
        count = len(self.leaves)

        def run(*values: Any) -> Sequence[Any]:
            _, pull = jax.vjp(lambda *leaves: list(self.program.run(*leaves)), *values[:count])
            return list(map(_conjugated, pull(list(map(_conjugated, values[count:])))))

        with self.surroundings():
            leaves = self.leaves + self.seeds(cotangent)
        return JaxPullback.at(Program(run, inputs, outputs), leaves, self.eps, self.surroundings)

    def moved(self, vector: Vector) -> JaxPullback:
        """Return the pullback at another point."""
        return self._elsewhere(self.program, self._at(vector), self.eps, self.surroundings)

    def _elsewhere(
        self,
        program: Program,
        leaves: Sequence[Any],
        eps: float,
        surroundings: Callable[[], AbstractContextManager[Any]],
    ) -> JaxPullback:
        """Return a pullback for a closer look: compiled if it can be, as many cotangents are to come."""
        run = None
        if self.function is not None:
            run = compiled.gradient(self.function, double=surroundings is precision.double, at_once=True)
        made: JaxPullback | None = CompiledPullback.of(run, program, leaves, eps, surroundings)
        if made is None:
            made = JaxPullback.at(program, leaves, eps, surroundings)
        made.function = self.function
        return made

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Pull many cotangents back; see `Pullback.vjps`.

        JAX compiles a function with a loop or a branch at every pull, for half a second; this does it once.
        """
        if self.function is not None and len(cotangents) >= FEW and compiled.has_control_flow(self.function):
            double = self.surroundings is precision.double
            run = compiled.gradient(self.function, double=double, at_once=True)
            made = CompiledPullback.of(run, self.program, self.leaves, self.eps, self.surroundings)
            if made is not None and self._is_same(made):
                self.evaluations += len(cotangents)
                return made.vjps(cotangents)
        return super().vjps(cotangents)

    def _is_same(self, other: JaxPullback) -> bool:
        """Whether another pullback gives this one's first gradient up to rounding."""
        if self.first is None:
            return False
        mine, found = self.first[1], other.vjp(self.first[0])
        size = np.abs(mine[np.isfinite(mine)]).max(initial=0.0)
        with np.errstate(invalid="ignore"):
            return not (np.abs(mine - found) > 4 * np.sqrt(self.eps) * size).any()

    def primal_at(self, vector: Vector) -> Vector:
        """Run the program at another point; see `Pullback.primal_at`."""
        with self.surroundings():
            return self.program.outputs.join([to_numpy(out) for out in self.program.run(*self._at(vector))])

    def _at(self, vector: Vector) -> list[Any]:
        parts = zip(self.program.inputs.split(vector), self.leaves, strict=True)
        with self.surroundings():
            return [jnp.asarray(part, leaf.dtype) for part, leaf in parts]

    def in_double(self) -> JaxPullback | None:
        """Return the gradient in float64; see `Pullback.in_double`."""
        return self._in_double

    @functools.cached_property
    def _in_double(self) -> JaxPullback | None:
        function = self.function
        if self.eps <= EPS64:
            return self
        if function is None or not function.double:
            return None
        program, leaves = _program(function, double=True), function.values_at(function.point)
        return self._elsewhere(program, leaves, EPS64, precision.double)

    def hand_written(self, *, double: bool = False) -> tuple[HandWritten, ...]:
        """Return the functions with a rule that it runs through; see `Pullback.hand_written`."""
        from pytest_gradcheck.frameworks.jax.custom_rules import calls_of

        if self.function is None:
            return ()
        ran = ("forward", "backward", "double-backward") if double else ("forward", "backward")
        return tuple(call.described(*ran) for call in calls_of(self.function))

    def coarse_runs(self, count: int) -> Sequence[Pullback]:
        """Run the function in float32 at neighbouring points; see `Pullback.coarse_runs`."""
        if self.function is None:
            return ()
        arrays = self.program.inputs.split(self.function.point)
        # Without widening the constants: with float64 among them, all would be done in that.
        program = _program(self.function, double=False)
        coarse: list[Pullback] = []
        for k in range(count):
            leaves = [
                jnp.asarray(array, jnp.complex64 if np.iscomplexobj(array) else jnp.float32)
                for array in nudged(arrays, k)
            ]
            coarse.append(self._elsewhere(program, leaves, EPS32, nullcontext))
        return coarse


class CompiledPullback(JaxPullback):
    """A pullback of JAX at one point, compiled as a whole."""

    run: Gradient

    @classmethod
    def of(
        cls,
        run: Gradient | None,
        program: Program,
        leaves: Sequence[Any],
        eps: float,
        surroundings: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> CompiledPullback | None:
        """Pull ones back, to learn the value; None for what cannot be compiled.

        For example a rule with control flow in Python, or a faulty one, which raises its own error when
        called directly.
        """
        if run is None or [leaf.dtype for leaf in leaves] != run.given:
            return None
        self = cls(program, np.zeros(program.outputs.size), eps)
        self.run, self.leaves, self.dtypes, self.surroundings = run, list(leaves), run.dtypes, surroundings
        if any(jnp.issubdtype(dtype, jnp.complexfloating) for dtype in (*run.given, *run.dtypes)):
            self.notes.append(("convention", CONVENTION))
        try:
            self.begin(np.ones(program.outputs.size))
        except Exception:
            return None
        return self

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back; see `Pullback.vjp`."""
        found: Vector = self.vjps(cotangent[None])[0]
        return found

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Pull many cotangents back in one call; see `Pullback.vjps`."""
        self.evaluations += len(cotangents)
        self.calls += 1
        with self.surroundings():
            self.primal, gradients = self.run(self.leaves, cotangents)
        return gradients


class ForwardPullback(Pullback):
    """The gradient of a function that JAX differentiates in forward mode alone: its Jacobian, by columns."""

    leaves: list[Any]
    jacobian: Any
    doubled: Callable[[], Pullback | None]

    @classmethod
    def of(cls, function: FunctionAtPoint, program: Program, values: Sequence[Any]) -> ForwardPullback:
        """Differentiate along each number of the inputs, in the user's own dtypes."""
        self = cls._at(program, values, function.trial_eps)

        def doubled() -> Pullback | None:
            if not function.double:
                return None
            wide = _program(function, double=True)
            with precision.double():
                return cls._at(wide, function.values_at(function.point), EPS64)

        self.doubled = doubled
        return self

    @classmethod
    def _at(cls, program: Program, values: Sequence[Any], eps: float) -> ForwardPullback:
        columns, value = [], None
        for unit in np.eye(program.inputs.size):
            parts = zip(program.inputs.split(unit), values, strict=True)
            tangents = [jnp.asarray(part, leaf.dtype) for part, leaf in parts]
            with _named_refusals():
                value, moved = jax.jvp(lambda *x: list(program.run(*x)), list(values), tangents)
            columns.append(program.outputs.join([to_numpy(out) for out in moved]))
        assert value is not None, "a function has inputs"
        self = cls(program, program.outputs.join([to_numpy(out) for out in value]), eps)
        self.leaves, self.jacobian, self.doubled = list(values), np.stack(columns, axis=1), lambda: None
        self.evaluations = self.calls = len(columns)
        return self

    def vjp(self, cotangent: Vector) -> Vector:
        """Return the product with the Jacobian; see `Pullback.vjp`."""
        found: Vector = cotangent @ self.jacobian
        return found

    def second_order(self, cotangent: Vector) -> Pullback:
        """Raise `Unavailable`: the gradient of it would be of reverse mode."""
        raise Unavailable("a function without a reverse mode has no second derivative here")

    def moved(self, vector: Vector) -> Pullback:
        """Return the pullback at another point; see `Pullback.moved`."""
        parts = zip(self.program.inputs.split(vector), self.leaves, strict=True)
        with precision.working_in(double=self.eps <= EPS64):
            values = [jnp.asarray(part, leaf.dtype) for part, leaf in parts]
            return self._at(self.program, values, self.eps)

    def primal_at(self, vector: Vector) -> Vector:
        """Run the program at another point; see `Pullback.primal_at`."""
        return self.moved(vector).primal

    def in_double(self) -> Pullback | None:
        """Return the gradient in float64; see `Pullback.in_double`."""
        return self if self.eps <= EPS64 else self.doubled()


@contextlib.contextmanager
def _named_refusals() -> Iterator[None]:
    """Raise `NotImplementedByFramework` if JAX reports that it has no derivative."""
    try:
        yield
    except (NotImplementedError, TypeError, ValueError) as error:
        if not NO_DERIVATIVE.search(str(error)):
            raise
        kind = NoReverseMode if "Reverse-mode" in str(error) else NotImplementedByFramework
        raise kind(str(error).strip().splitlines()[0]) from error


def _conjugated(array: Any) -> Any:
    """Return the conjugate of a complex cotangent, others as they are.

    JAX pulls a cotangent u back to u · J without conjugating it, so the gradient of a real function is
    dL/dRe - i·dL/dIm. Here derivatives are dL/dRe + i·dL/dIm (`frameworks.flat.Leaf`).
    """
    return jnp.conj(array) if jnp.issubdtype(array.dtype, jnp.complexfloating) else array
