"""A recorded torch function as a function on the reference engine."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering.convert import to_numpy
from pytest_gradcheck.frameworks.torch.lowering.tape import Array, Precision, Replay, TapeNode, working_dtype
from pytest_gradcheck.frameworks.torch.lowering.trace import Trace, trace
from pytest_gradcheck.frameworks.torch.lowering.tree import tensors
from reference_engine import Tensor


class Divergence(NamedTuple):
    """The first operation whose replayed value is not the recorded one.

    ``difference`` is the largest absolute difference of its ``output``-th result; ``scale`` the largest
    absolute entry.
    """

    operation: str
    location: str
    output: int
    difference: float
    scale: float


class Lowered:
    """The forward computation of a torch function, replayed on NumPy arrays or engine tensors.

    ``lowered(*inputs)`` takes one array or engine tensor per input of the trace, of the recorded shapes, and
    returns the list of outputs, flat, in the order of the tensors in the function's result. It computes in
    float64 and complex128 whatever the function's dtypes; with ``precision="float32"`` in float32 and
    complex64, and with ``precision="own"`` in the dtypes that the function itself has. Inputs are cast.
    Integers and booleans keep their dtypes. Branches that the recording took, and what random operations
    drew, stay as they were.

    Differentiate it with ``reference_engine.vjp(lowered, *inputs)``, nested for second derivatives.

    Attributes:
        trace: the recording.
        precision: ``"float64"``, ``"float32"`` or ``"own"``.
        escapes, stop_gradients, frozen: see `Trace`.
    """

    def __init__(self, trace: Trace, precision: Precision = "float64") -> None:
        self.trace = trace
        self.precision: Precision = precision
        self.escapes = trace.escapes
        self.stop_gradients = trace.stop_gradients
        self.frozen = trace.frozen
        self._program = Replay(trace.tape, precision)
        self._dtypes = [working_dtype(dtype, precision) for dtype in trace.tape.input_dtypes]

    def __call__(self, *inputs: Any) -> list[Any]:
        """Outputs at a point; see the class."""
        outputs = self._program.run(self._cast(inputs))
        if any(isinstance(value, Tensor) for value in inputs):
            return outputs
        # Rules that go through the engine's own functions give tensors even for arrays.
        return [value.data if isinstance(value, Tensor) else np.asarray(value) for value in outputs]

    def _cast(self, inputs: Sequence[Any]) -> list[Any]:
        if len(inputs) != len(self._dtypes):
            raise TypeError(f"the function was recorded with {len(self._dtypes)} inputs, got {len(inputs)}")
        values = []
        for value, dtype in zip(inputs, self._dtypes, strict=True):
            if not isinstance(value, Tensor):
                value = np.asarray(value, dtype=dtype)
            elif value.dtype != dtype:
                value = value.astype(dtype)
            values.append(value)
        return values

    def inputs(self) -> list[Array]:
        """The inputs' present values, in the working dtypes."""
        return [
            to_numpy(tensor).astype(dtype, copy=False)
            for tensor, dtype in zip(self.trace.inputs, self._dtypes, strict=True)
        ]

    def holding_stops(self) -> Lowered:
        """The same recording as autograd sees it: behind ``detach`` and inside ``no_grad`` nothing moves.

        What such places gave at the recorded inputs is a constant. Needs a trace with ``hold_stops``.
        """
        held = copy.copy(self.trace)
        held.tape = self.trace.tape.held(self.inputs())
        return Lowered(held, self.precision)

    def in_precision(self, precision: Precision) -> Lowered:
        """The same recording, replayed in another precision."""
        return self if precision == self.precision else Lowered(self.trace, precision)

    @property
    def operations(self) -> list[str]:
        """The names of the recorded operations, in order."""
        return [node.name for node in self.trace.tape.nodes]

    def unflatten(self, values: Sequence[Any]) -> Any:
        """The function's result with its tensors replaced by ``values``, in order."""
        return self.trace.unflatten(values)


def lower(
    fn: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    inputs: Sequence[torch.Tensor] | None = None,
    grad_enabled: bool | None = None,
    hold_stops: bool = False,
    precision: Precision = "float64",
) -> Lowered:
    """Record ``fn(*args, **kwargs)`` and make it a function on the reference engine.

    Arguments and errors as for `trace`; ``precision`` as for `Lowered`.
    """
    made = trace(fn, args, kwargs, inputs=inputs, grad_enabled=grad_enabled, hold_stops=hold_stops)
    return Lowered(made, precision)


def first_divergence(
    fn: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    inputs: Sequence[torch.Tensor] | None = None,
    rtol: float = 1e-9,
) -> Divergence | None:
    """Where a replay in the function's own precision parts from the function; None if it nowhere does.

    Calls ``fn`` once more, keeps a copy of every intermediate value, and compares operation by operation.
    Random operations draw again. A difference counts beyond ``rtol`` times the largest entry, widened to a
    thousand roundings of the dtype.
    """
    recorded: dict[int, list[torch.Tensor | None]] = {}

    def observe(node: TapeNode, results: list[torch.Tensor | None]) -> None:
        recorded[id(node)] = results

    given = list(inputs) if inputs is not None else tensors((args, dict(kwargs or {})))
    start = [to_numpy(tensor) for tensor in given]
    made = trace(fn, args, kwargs, inputs=inputs, observer=observe)
    found: list[Divergence] = []

    def compare(node: TapeNode, results: list[Any]) -> None:
        if found or id(node) not in recorded:
            return
        for i, (tensor, value) in enumerate(zip(recorded[id(node)], results, strict=False)):
            if tensor is None or value is None or node.out[i] is None or not tensor.numel():
                continue
            expected = to_numpy(tensor)
            got = value.data if isinstance(value, Tensor) else np.asarray(value)
            if got.shape != expected.shape:
                found.append(Divergence(node.name, node.location, i, np.inf, np.inf))
                return
            with np.errstate(invalid="ignore", over="ignore"):
                same = (got == expected) | ((got != got) & (expected != expected))
                difference = float(
                    np.max(np.where(same, 0, np.abs(got.astype(complex) - expected.astype(complex))))
                )
                scale = float(np.max(np.abs(expected.astype(complex))))
            eps = np.finfo(expected.dtype).eps if expected.dtype.kind in "fc" else 0.0
            if not difference <= max(rtol, 1000 * eps) * scale:
                found.append(Divergence(node.name, node.location, i, difference, scale))
                return

    Replay(made.tape, "own").run(start, compare)
    return found[0] if found else None
