"""Run a jaxpr on the reference engine, equation by equation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from pytest_gradcheck.errors import Opaque, Unavailable
from pytest_gradcheck.frameworks.jax import precision as jax_precision
from pytest_gradcheck.frameworks.jax.lowering.tools import Rules, data, is_tensor

Array = np.ndarray[Any, Any]
Precision = Literal["float64", "float32"]

#: Opaque primitives, and what each is, as the end of a sentence.
OPAQUE = {
    "pure_callback": "calls Python code",
    "io_callback": "calls Python code",
    "debug_callback": "calls Python code",
    "pallas_call": "is a kernel of Pallas",
    "ffi_call": "is compiled code",
    "custom_partitioning": "is partitioned by hand",
    "shard_map": "runs on several devices",
    "call_exported": "is an exported function",
    "cudnn_fusion": "is a kernel of cuDNN",
    "tpu_custom_call": "is a kernel of Mosaic",
    "triton_kernel_call": "is a kernel of Triton",
}


def working_dtype(dtype: Any, precision: Precision) -> Any:
    """Return the dtype in which numbers of a JAX dtype are replayed; whole numbers keep theirs."""
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return np.complex128 if precision == "float64" else np.complex64
    if jnp.issubdtype(dtype, jnp.floating):
        return np.float64 if precision == "float64" else np.float32
    return dtype


class Replay:
    """The computation of a jaxpr on NumPy arrays or engine tensors, one per input, in one precision.

    ``constants`` are those that the function closes over. With ``held`` values whose gradient the function
    stops are constants: those of the first run.
    """

    def __init__(
        self,
        jaxpr: Any,
        constants: Sequence[Any],
        rules: Rules,
        precision: Precision = "float64",
        *,
        held: list[Any] | None = None,
    ):
        self._jaxpr, self._constants, self.rules, self.precision = jaxpr, constants, rules, precision
        self._held = held
        #: How many stopped values the present run has met.
        self._met = 0

    def __call__(self, *inputs: Any) -> list[Any]:
        """Return the outputs at a point."""
        self._met = 0
        dtypes = [working_dtype(var.aval.dtype, self.precision) for var in self._jaxpr.invars]
        values = [self.cast(x, dtype) for x, dtype in zip(inputs, dtypes, strict=True)]
        found = self.run(self._jaxpr, self._constants, values)
        if any(map(is_tensor, inputs)):
            return found
        return [np.asarray(data(value)) for value in found]

    def in_precision(self, precision: Precision) -> Replay:
        """Return the same jaxpr in another precision."""
        return Replay(self._jaxpr, self._constants, self.rules, precision, held=self._held)

    def cast(self, value: Any, dtype: Any) -> Any:
        """Return a value in a dtype, recorded where it is a tensor."""
        if is_tensor(value):
            return value if value.dtype == dtype else value.astype(dtype)
        return np.asarray(value, dtype=dtype)

    def constant(self, value: Any) -> Any:
        """Return a constant of a jaxpr; keys of random numbers stay JAX's."""
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.extended):
            return value
        array = np.asarray(value)
        return np.asarray(array, working_dtype(array.dtype, self.precision))

    def closed(self, closed: Any, values: Sequence[Any]) -> list[Any]:
        """Run a closed jaxpr."""
        return self.run(closed.jaxpr, closed.consts, values)

    def run(self, jaxpr: Any, constants: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """Run the equations of a jaxpr in order."""
        known: dict[Any, Any] = dict(zip(jaxpr.invars, values, strict=True))
        known.update(zip(jaxpr.constvars, map(self.constant, constants), strict=True))

        def read(var: Any) -> Any:
            return self.constant(var.val) if isinstance(var, core.Literal) else known[var]

        for equation in jaxpr.eqns:
            operands = [read(var) for var in equation.invars]
            known.update(zip(equation.outvars, self.step(equation, operands), strict=True))
        return [read(var) for var in jaxpr.outvars]

    def step(self, equation: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Return the results of one equation."""
        name = equation.primitive.name
        if name == "stop_gradient" and self._held is not None:
            return self._stopped(operands)
        rule = self.rules.get(name)
        recorded = any(map(is_tensor, operands))
        keys = any(isinstance(operand, jax.Array) for operand in operands)
        # Keys of random numbers pass through calls and loops; JAX does everything else with them.
        if rule is None or (keys and not recorded and not any(True for _ in inner(equation))):
            found: Any = NotImplemented
        else:
            # What every rule may need besides operands: the results' shapes, and how to run a jaxpr inside.
            avals = [var.aval for var in equation.outvars]
            out = avals[0] if avals else None
            found = rule(SimpleNamespace(**equation.params, replay=self, outs=avals, out=out), *operands)
        if found is NotImplemented:
            if not recorded:
                return self.by_jax(equation, operands)
            if name in OPAQUE:
                raise Opaque(f"{name}{place_of(equation)} {OPAQUE[name]}")
            raise Unavailable(f"{name}{place_of(equation)} has no rule on the engine")
        results = list(found) if isinstance(found, tuple | list) else [found]
        return [self._settled(value, var.aval) for value, var in zip(results, equation.outvars, strict=True)]

    def _settled(self, value: Any, aval: Any) -> Any:
        """Return a result in its working dtype; whole numbers and booleans are not part of the graph."""
        if isinstance(value, jax.Array) or not hasattr(aval, "dtype"):
            return value
        dtype = working_dtype(aval.dtype, self.precision)
        if not jnp.issubdtype(dtype, jnp.inexact):
            return np.asarray(data(value)).astype(dtype, copy=False)
        return self.cast(value, dtype)

    def _stopped(self, operands: Sequence[Any]) -> Sequence[Any]:
        assert self._held is not None
        if self._met == len(self._held):
            self._held.append([np.array(data(value)) for value in operands])
        self._met += 1
        return list(self._held[self._met - 1])

    def by_jax(self, equation: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Let JAX compute an equation whose operands do not depend on the inputs."""
        with jax_precision.double():
            arrays = [
                value
                if isinstance(value, jax.Array)
                else jnp.asarray(value, getattr(var.aval, "dtype", None))
                for value, var in zip(operands, equation.invars, strict=True)
            ]
            functions, params = (), equation.primitive.get_bind_params(equation.params)
            if isinstance(params, tuple):
                # Before JAX 0.9.
                functions, params = params
            found = equation.primitive.bind(*functions, *arrays, **params)
        results = found if equation.primitive.multiple_results else [found]
        return [self.constant(value) if isinstance(value, jax.Array) else value for value in results]


def place_of(equation: Any) -> str:
    """Return where in the user's code an equation comes from, as `` at ops.py:12``; nothing if unknown."""
    try:
        from jax._src import source_info_util

        frame = source_info_util.user_frame(equation.source_info.traceback)
    except Exception:
        return ""
    return "" if frame is None else f" at {frame.file_name.rpartition('/')[2]}:{frame.start_line}"


def inner(equation: Any) -> Iterable[Any]:
    """Return the jaxprs among the parameters of an equation."""
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            found = getattr(part, "jaxpr", part)
            if hasattr(found, "eqns"):
                yield found


def subjaxprs(jaxpr: Any) -> Iterable[Any]:
    """Return the jaxprs inside of the equations of a jaxpr, however deep."""
    for equation in jaxpr.eqns:
        for found in inner(equation):
            yield found
            yield from subjaxprs(found)


def equations(jaxpr: Any) -> Iterable[Any]:
    """Return the equations of a jaxpr and of those inside of it."""
    for each in (jaxpr, *subjaxprs(jaxpr)):
        yield from each.eqns


def traced(call: Callable[..., Sequence[Any]], leaves: Sequence[Any]) -> Any:
    """Return the closed jaxpr of a function of leaves."""
    return jax.make_jaxpr(lambda *values: list(call(*values)))(*leaves)
