"""Compile JAX functions as a whole: their values in float64, and their gradients.

Called directly, JAX compiles each operation for every new shape, at 20 to 40 ms each. Compiling the whole
function takes 50 to 150 ms, once for all functions that trace to the same computation. A loop inside
processes many points, or cotangents, so each is computed as in a single call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.frameworks.base import Evaluator, FunctionAtPoint
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.frameworks.jax import precision, traces
from pytest_gradcheck.frameworks.jax.keys import Key
from pytest_gradcheck.frameworks.jax.leaves import to_numpy
from pytest_gradcheck.frameworks.jax.lowering.replay import OPAQUE, equations
from pytest_gradcheck.frameworks.leaves import EPS64, EPS_BY_DTYPE

#: Points per loop: another number would need another compilation.
ROWS = 32

#: Numbers processed at a time; larger points are processed one by one.
CHUNK = 2**17

#: The primitives that JAX compiles with what they run.
CONTROL = frozenset({"cond", "scan", "while", "switch"})

#: Number of examples whose gradient runs uncompiled, operation by operation, first. This shows faults that
#: compilation hides.
BY_OPERATION = 2

#: Compiled functions kept during a test, and functions remembered as met.
KEPT, COUNTED = 16, 512

#: A function that runs a few hundred times need not be fast, and this cuts a quarter of the compilation time.
OPTIONS: dict[str, Any] = {"xla_backend_optimization_level": 0}

_compiled: OrderedDict[Any, Callable[..., Any]] = OrderedDict()
_met: OrderedDict[Any, int] = OrderedDict()


def release() -> None:
    """Release compiled functions, and forget what was met."""
    _compiled.clear()
    _met.clear()


def _meet(key: Any) -> int:
    """Return how often something was met before."""
    count = _met.pop(key, 0)
    _met[key] = count + 1
    if len(_met) > COUNTED:
        _met.popitem(last=False)
    return count


def _found(
    kind: Any, closed: Any, key: Key, make: Callable[[Any], Callable[..., Any]], *, at_once: bool = False
) -> Callable[..., Any] | None:
    """Return what is compiled for a jaxpr, or None if compiling does not pay.

    For new shapes JAX must compile anyway. If only a number is new, the next example will most likely have
    another one.
    """
    name = kind, key.whole
    again, known = _meet(name), _meet((kind, key.shapes))
    if name not in _compiled:
        if known and not again and not at_once:
            return None
        if any(equation.primitive.name in OPAQUE for equation in equations(closed.jaxpr)):
            return None
        _compiled[name] = make(closed)
        if len(_compiled) > KEPT:
            _compiled.popitem(last=False)
    _compiled.move_to_end(name)
    return _compiled[name]


# -- values ------------------------------------------------------------------------------------------------


def evaluator(function: FunctionAtPoint) -> Evaluator | None:
    """Return what gives a function's values in float64; see `Framework.evaluator`."""
    try:
        closed, key = traces.of(function, double=True), traces.key_of(function, double=True)
        shapes = [aval.shape for aval in closed.out_avals]
        if shapes != [leaf.shape for leaf in function.outputs.leaves]:
            return None
        if any(EPS_BY_DTYPE.get(str(aval.dtype), EPS64) > EPS64 for aval in closed.out_avals):
            # It narrows its result by itself, which only single calls show.
            return None
        run = _found("values", closed, key, _values)
        if run is None or not _repeats(function, key):
            return None
        values = Values(function.inputs, function.outputs, closed, run)
        (here,) = values(function.point[None])
    except Exception:
        # A function that cannot be traced or compiled is called directly, and may raise.
        return None
    size = np.abs(function.primal[np.isfinite(function.primal)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(here - function.primal) > 4 * np.sqrt(function.trial_eps) * size
    # A function that detects tracing may compute something else.
    return None if apart.any() else values


def _repeats(function: FunctionAtPoint, key: Key) -> bool:
    """Whether another call gives the same value; a function that counts its calls also counts its tracing."""
    if _meet(("values", key.family)) >= BY_OPERATION:
        return True
    again = function.outputs.join(list(map(to_numpy, function.call(function.native_values(), double=False))))
    return np.array_equal(again, function.primal, equal_nan=True)


class Values:
    """The values of a function at many points, each as in a single call in float64."""

    def __init__(self, inputs: Layout, outputs: Layout, closed: Any, run: Callable[..., Any]) -> None:
        self._inputs, self._outputs, self._closed, self._run = inputs, outputs, closed, run
        self._dtypes = [var.aval.dtype for var in closed.jaxpr.invars]

    def __call__(self, points: Matrix) -> Matrix:
        """Return the values, shape ``(points, outputs.size)``."""
        width = max(self._inputs.size, self._outputs.size)
        with precision.double():
            return in_parts(points, width, self._part)

    def _part(self, rows: Matrix, count: int) -> Matrix:
        split = zip(self._inputs.split_many(rows), self._dtypes, strict=True)
        leaves = [np.asarray(array, dtype) for array, dtype in split]
        return self._outputs.join_many(
            [to_numpy(out) for out in self._run(self._closed.consts, count, leaves)]
        )


def in_parts(rows: Matrix, width: int, work: Callable[[Matrix, int], Matrix]) -> Matrix:
    """Process rows, as many at a time as the loop has room for."""
    room = ROWS if ROWS * width <= CHUNK else 1
    found = []
    for start in range(0, len(rows), room):
        part = rows[start : start + room]
        count = len(part)
        if count < room:
            part = np.concatenate([part, np.zeros((room - count, part.shape[1]))])
        # A copy: the memory of an array of JAX is not to be written to.
        found.append(np.array(work(part, count)[:count]))
    return found[0] if len(found) == 1 else np.concatenate(found)


def _values(closed: Any) -> Callable[..., Any]:
    jaxpr = closed.jaxpr

    def values(constants: Any, count: Any, rows: Any) -> Any:
        return _looped(lambda *leaves: jax.core.eval_jaxpr(jaxpr, constants, *leaves), count, rows)

    return jax.jit(values, compiler_options=OPTIONS)


def _looped(function: Callable[..., Sequence[Any]], count: Any, rows: Sequence[Any]) -> Any:
    """Return the results of a function for the first ``count`` of some rows, stacked."""
    shapes = jax.eval_shape(function, *(row[0] for row in rows))
    length = len(rows[0])
    room = [jnp.zeros((length, *out.shape), out.dtype) for out in shapes]

    def step(k: Any, filled: Any) -> Any:
        return [
            all_.at[k].set(one) for all_, one in zip(filled, function(*(row[k] for row in rows)), strict=True)
        ]

    return jax.lax.fori_loop(0, count, step, room)


def has_control_flow(function: FunctionAtPoint) -> bool:
    """Whether a function has a loop or a branch that JAX compiles; False for one that cannot be traced."""
    try:
        family = traces.key_of(function, double=False).family
    except Exception:
        return False
    return not CONTROL.isdisjoint(name for name in family if isinstance(name, str))


# -- gradients ---------------------------------------------------------------------------------------------


def gradient(function: FunctionAtPoint, *, double: bool = False, at_once: bool = False) -> Gradient | None:
    """Return the compiled gradient of a function in the user's own dtypes, or in float64.

    None where the function was not met often enough, unless ``at_once``, or cannot be compiled.
    """
    try:
        closed, key = traces.of(function, double=double), traces.key_of(function, double=double)
    except Exception:
        return None
    name = ("gradient", double)
    if not at_once and _meet(("examples", key.family)) < BY_OPERATION:
        return None
    run = _found(name, closed, key, _gradient, at_once=at_once)
    return None if run is None else Gradient(function.inputs, function.outputs, closed, run)


class Gradient:
    """The outputs of a function and its gradients along many cotangents, compiled as one."""

    def __init__(self, inputs: Layout, outputs: Layout, closed: Any, run: Callable[..., Any]) -> None:
        self._inputs, self._outputs, self._closed, self._run = inputs, outputs, closed, run
        #: The dtypes of the inputs, and those of the outputs.
        self.given = [var.aval.dtype for var in closed.jaxpr.invars]
        self.dtypes = [aval.dtype for aval in closed.out_avals]

    def __call__(self, leaves: Sequence[Any], cotangents: Matrix) -> tuple[Vector, Matrix]:
        """Return the value, and gradients of shape ``(cotangents, inputs.size)``, none of them conjugated."""
        values: list[Vector] = []

        def part(rows: Matrix, count: int) -> Matrix:
            split = zip(self._outputs.split_many(rows), self.dtypes, strict=True)
            seeds = [np.conj(each).astype(dtype) for each, dtype in split]
            value, found = self._run(self._closed.consts, list(leaves), count, seeds)
            values.append(self._outputs.join([to_numpy(out) for out in value]))
            return self._inputs.join_many([np.conj(to_numpy(each)) for each in found])

        gradients = in_parts(cotangents, max(self._inputs.size, self._outputs.size), part)
        return values[0], gradients


def _gradient(closed: Any) -> Callable[..., Any]:
    jaxpr = closed.jaxpr

    def gradients(constants: Any, leaves: Any, count: Any, cotangents: Any) -> Any:
        value, pull = jax.vjp(lambda *x: jax.core.eval_jaxpr(jaxpr, constants, *x), *leaves)
        return value, _looped(lambda *u: pull(list(u)), count, cotangents)

    return jax.jit(gradients, compiler_options=OPTIONS)
