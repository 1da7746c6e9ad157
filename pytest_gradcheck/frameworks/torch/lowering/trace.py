"""Run a torch function once and record it as a pure tape.

A bare dispatch mode sees the operations as they are, in place and on views, which `alias` resolves by memory
and strides. An MLP of three layers takes 0.24 ms to record. `make_fx` took 13 ms, and under
`torch.func.functionalize` it fails on old-style autograd.Functions. torch's FunctionalTensorMode took 1.1 ms
before anything was recorded, and shows views and writes in wrappers that have no stable interface.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from pytest_gradcheck.frameworks.torch.lowering.tape import LoweringError, Observer, Tape
from pytest_gradcheck.frameworks.torch.lowering.tree import replace, tensors
from pytest_gradcheck.frameworks.torch.private import without_mkldnn

if TYPE_CHECKING:
    from pytest_gradcheck.frameworks.torch.lowering.record import TapeRecorder


class Trace:
    """One recorded call of a torch function.

    Attributes:
        tape: the recording.
        inputs: the input tensors, in the order of the tape's inputs.
        output: what the function returned, as it returned it.
        escapes: operations that took a floating-point value out of the graph (``Tensor.item``,
            ``Tensor.__float__``, ``Tensor.numpy``, ...); what was computed from it is a constant of the tape.
            Inside of a custom Function, as each site says, autograd does not mind.
        stop_gradients: operations that stop autograd but not the tape (``Tensor.detach``, ``Tensor.data``,
            ``torch.no_grad``).
        frozen: operations without a rule whose integer results were taken as constants.
    """

    def __init__(self, recorder: TapeRecorder, inputs: list[torch.Tensor], output: Any) -> None:
        self.tape: Tape = recorder.tape
        self.inputs = inputs
        self.output = output
        self.escapes = recorder.escapes
        self.stop_gradients = recorder.stop_gradients
        self.frozen = recorder.frozen

    def outputs(self) -> list[torch.Tensor]:
        """The tensors in the function's result, in the order of the tape's outputs."""
        return tensors(self.output)

    def unflatten(self, values: Sequence[Any]) -> Any:
        """The function's result with its tensors replaced by ``values``, in order."""
        remaining = iter(values)
        return replace(self.output, lambda _: next(remaining))


def trace(
    fn: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    inputs: Sequence[torch.Tensor] | None = None,
    grad_enabled: bool | None = None,
    hold_stops: bool = False,
    observer: Observer | None = None,
) -> Trace:
    """Call ``fn(*args, **kwargs)`` once and record it as pure ATen operations.

    Sees inside modules, custom autograd.Functions of either style (whose backward is never called), in-place
    and view code, ``torch.func`` transforms and Python control flow. Random operations draw from the global
    generator as they do in any call, and what they drew is a constant of the recording. In-place changes of
    arguments and buffers happen as in any call.

    Args:
        fn: a callable of tensors.
        args: its positional arguments: tensors and anything else, in nested tuples, lists, mappings,
            dataclasses.
        kwargs: its keyword arguments, likewise.
        inputs: the tensors that become the tape's inputs, in this order; default: every tensor in ``args``
            and ``kwargs``. A tensor that ``fn`` uses and that is not an input is a constant of the tape.
            Tensors are known by identity: for a module, pass its parameters themselves, or use
            ``torch.func.functional_call``.
        grad_enabled: the grad mode of the call. By default ``no_grad``, and once more with gradients
            enabled if that call raised a RuntimeError or a Warning, for functions that call
            ``torch.autograd.grad``, register hooks, or the like; the random state of torch is put back in
            between.
        hold_stops: mark on the tape where autograd sees nothing, for `Tape.held`; the call then runs with
            gradients enabled, because a ``no_grad`` block shows in no other way.
        observer: called with every node and copies of the tensors that it gave.

    Returns:
        The recording.

    Raises:
        LoweringError: an operation has neither a rule nor a decomposition, a tensor is sparse, quantised or
            a subclass that hides its operations, or an input is given twice.
        Exception: whatever ``fn`` raises.
    """
    keywords = dict(kwargs or {})
    if inputs is None:
        inputs = tensors((args, keywords))
    unique = {id(tensor) for tensor in inputs}
    if len(unique) != len(inputs):
        raise LoweringError("the same tensor is given as an input twice; pass a clone for the second")
    inputs = list(inputs)
    run = functools.partial(_run, functools.partial(fn, *args, **keywords), inputs, observer, hold_stops)
    if hold_stops or grad_enabled is not None:
        return run(hold_stops or bool(grad_enabled))
    state = torch.get_rng_state()
    try:
        return run(False)
    except (RuntimeError, Warning):
        # A warning is raised where warnings are errors: a reentrant checkpoint has one for no_grad.
        torch.set_rng_state(state)
        return run(True)


def _run(
    fn: Callable[[], Any],
    inputs: list[torch.Tensor],
    observer: Observer | None,
    hold_stops: bool,
    grad_enabled: bool,
) -> Trace:
    try:
        # They use private modules of torch.
        from pytest_gradcheck.frameworks.torch.lowering.record import TapeRecorder
        from pytest_gradcheck.frameworks.torch.lowering.watch import ExitWatch
    except (ImportError, AttributeError) as error:
        raise LoweringError(
            f"recording needs torch >= 2.6, and this is torch {torch.__version__} ({error})"
        ) from error
    recorder = TapeRecorder(observer, hold_stops=hold_stops)
    try:
        for tensor in inputs:
            recorder.add_input(tensor)
        with torch.set_grad_enabled(grad_enabled), _plain_kernels(), recorder, ExitWatch(recorder):
            output = fn()
        with torch.no_grad():
            for tensor in tensors(output):
                recorder.add_output(tensor)
        recorder.tape.prune()
        return Trace(recorder, inputs, output)
    finally:
        recorder.release()


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Keep torch from fusing layers into operations that exist in inference only.

    Under ``no_grad`` a Transformer layer and multi-head attention would run as one opaque kernel, and an LSTM
    in float32 as one of oneDNN's, which are not the operations of the gradient on trial.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        if fused:
            torch.backends.mha.set_fastpath_enabled(False)
        with without_mkldnn():
            yield
    finally:
        if fused:
            torch.backends.mha.set_fastpath_enabled(True)
