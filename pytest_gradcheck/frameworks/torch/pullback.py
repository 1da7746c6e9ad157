"""Torch autograd: usually the one on trial, in the dtype that the user gave."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import numpy as np
import torch

from pytest_gradcheck.errors import NotImplementedByFramework
from pytest_gradcheck.frameworks.base import FunctionAtPoint, HandWritten
from pytest_gradcheck.frameworks.flat import Matrix, Vector, is_rounding
from pytest_gradcheck.frameworks.fresh_memory import FILLED_WITH
from pytest_gradcheck.frameworks.leaves import EPS32, EPS64, EPS_BY_DTYPE
from pytest_gradcheck.frameworks.pullback import Program, Pullback, gradient_layouts, nudged, patience
from pytest_gradcheck.frameworks.registry import names
from pytest_gradcheck.frameworks.torch import functions
from pytest_gradcheck.frameworks.torch.functions import nodes_of
from pytest_gradcheck.frameworks.torch.leaves import to_numpy
from pytest_gradcheck.frameworks.torch.perturbed import SCALE, Counted, Disturbed
from pytest_gradcheck.frameworks.torch.private import dtypes_of, none_batched_afterwards, rules_only

Precision = Literal["own", "double", "single"]

#: Returns the context in which a pass runs.
Arithmetic = Callable[[], AbstractContextManager[Any]]

#: torch's error for an operation without a derivative, or whose backward has none.
NO_DERIVATIVE = re.compile(r"derivative for .+ is not implemented")

#: From so many cotangents on a batched backward pass pays, with three more to compare it with.
MANY = 12

#: torch's error for single gradients through a reentrant checkpoint.
REENTRANT = "use_reentrant=True"


def prepare(
    function: FunctionAtPoint,
    precision: Precision = "own",
    move: Callable[[list[Any]], list[Any]] | None = None,
    most: int | None = None,
) -> TorchPullback:
    """Run a torch function once under autograd and return its pullback.

    It works in the tensors' own dtypes, or in another precision to measure rounding, at a point that ``move``
    may shift a little (NumPy arrays, one per leaf, to the same), in ``most`` operations.
    """
    double = precision == "double"
    values, eps = function.native_values(), function.trial_eps
    if double:
        values, eps = function.values_at(function.point), EPS64
    elif precision == "single":
        arrays = function.inputs.split(function.point)
        values = [
            torch.as_tensor(a, device=v.device, dtype=torch.complex64 if v.is_complex() else torch.float32)
            for a, v in zip(move(arrays) if move else arrays, values, strict=True)
        ]
        eps = EPS32

    def run(*leaves: Any) -> Sequence[Any]:
        return function.call(leaves, double=double)

    def surroundings(leaves: Sequence[Any]) -> AbstractContextManager[None]:
        return function.substituted(leaves, double=double)

    program = Program(run, function.inputs, function.outputs)
    if function.has_modules:
        program = dataclasses.replace(program, surroundings=surroundings)
    arithmetic: Arithmetic = nullcontext if most is None else functools.partial(Counted, most)
    try:
        made = TorchPullback.at(program, [v.detach().requires_grad_() for v in values], eps, arithmetic)
    except RuntimeError as error:
        if "leaf" not in str(error) or "in-place" not in str(error):
            raise
        # Autograd refuses to change a leaf in place; a function that does so is called with copies, as
        # its users call it.
        copied = dataclasses.replace(program, run=lambda *leaves: run(*[leaf.clone() for leaf in leaves]))
        made = TorchPullback.at(copied, [v.detach().requires_grad_() for v in values], eps, arithmetic)
    made.function = function
    if precision == "own" and eps > EPS64:
        # Autocast uses another dtype internally.
        seen = {
            str(dtype).removeprefix("torch.") for node in nodes_of(made.outs) for dtype in dtypes_of(node)
        }
        made.eps = max([eps, *(EPS_BY_DTYPE.get(name, EPS64) for name in seen)])
    return made


def prepare_numpy(function: FunctionAtPoint) -> TorchPullback:
    """Run Python or NumPy code on tensors that behave as NumPy arrays, in float64."""
    # Imported here: with torch's own NumPy it takes 20 ms, and only NumPy code needs it.
    from pytest_gradcheck.frameworks.torch.numpy_code.dispatch import unwrap, wrap
    from pytest_gradcheck.frameworks.torch.numpy_code.refusals import refusal

    seen: Any = None

    # A NumPy array without dimensions is changed in place by what changes it; a float is not.
    scalars = [not isinstance(value, np.ndarray) for value in function.native_values()]

    def run(*leaves: Any) -> Sequence[Any]:
        nonlocal seen
        wrapped, raised = [wrap(x, scalar=s) for x, s in zip(leaves, scalars, strict=True)], None
        if seen is None:
            try:
                return [unwrap(out) for out in function.call(wrapped, double=True)]
            except Exception as error:
                if refusal(error) is None:
                    raise
                from reference_engine.constructors import Seen

                seen, raised = Seen(_is_refused, ["pytest_gradcheck", *names()]), error
        outs = seen.run(wrapped[0], lambda: function.call(wrapped, double=True), raised)
        return [unwrap(out) for out in outs]

    leaves = [torch.from_numpy(np.array(a)).requires_grad_() for a in function.inputs.split(function.point)]
    try:
        return TorchPullback.at(Program(run, function.inputs, function.outputs), leaves, EPS64)
    except Exception as error:
        raise refusal(error) or error from None


def _is_refused(error: BaseException) -> bool:
    """Whether an array was asked for a number."""
    from pytest_gradcheck.frameworks.torch.numpy_code.refusals import refusal

    return refusal(error) is not None


class TorchPullback(Pullback):
    """A pullback of torch's graph at one point: made in ``arithmetic``, walked in ``backward_arithmetic``."""

    leaves: list[Any]
    outs: list[Any]
    arithmetic: Arithmetic
    backward_arithmetic: Arithmetic
    #: Whether a backward pass with one axis more has not been seen to fail.
    takes_batches: bool = True
    #: Whether a reentrant checkpoint lies on the way, which only a plain backward passes.
    reentrant: bool = False
    #: The leaves whose ``.grad`` the program has filled: it calls a backward itself.
    called_backward: Sequence[str] = ()
    #: The torch function that it differentiates; None for NumPy code and for gradients of gradients.
    function: FunctionAtPoint | None = None

    @classmethod
    def at(
        cls,
        program: Program,
        leaves: list[Any],
        eps: float,
        arithmetic: Arithmetic = nullcontext,
        backward_arithmetic: Arithmetic = nullcontext,
    ) -> TorchPullback:
        """Run the program on leaves that require a gradient."""
        with torch.enable_grad(), arithmetic():
            outs = [as_tensor(out) for out in program.run(*leaves)]
        primal = program.outputs.join([to_numpy(out) for out in outs])
        self = cls(program, primal, eps)
        self.leaves, self.outs = leaves, outs
        self.called_backward = [
            leaf.name for leaf, x in zip(program.inputs.leaves, leaves, strict=True) if x.grad is not None
        ]
        self.arithmetic, self.backward_arithmetic = arithmetic, backward_arithmetic
        for leaf, out in zip(program.outputs.leaves, outs, strict=True):
            if not out.requires_grad:
                self.notes.append(("detached", f"{leaf.name} does not require a gradient under autograd"))
            elif out.grad_fn is not None and out.grad_fn.name() == "torch::autograd::Error":
                # What torch leaves in the graph of a backward marked once_differentiable; asked for a
                # gradient it may answer None instead of raising.
                self.notes.append(("once-differentiable", f"{leaf.name} is marked once_differentiable"))
        return self

    def begin(self, cotangent: Vector) -> Vector:
        """Pull a first cotangent back; see `Pullback.begin`.

        Memory that a hand-written backward allocates is filled with a number, and with another one in the
        pass that is compared with this one, which reveals unwritten entries.
        """
        if self.function is not None and any(map(functions.is_by_hand, nodes_of(self.outs))):
            from pytest_gradcheck.frameworks.torch.fresh_memory import filling

            # A pass that raises gives a better error when it runs unmodified.
            with contextlib.suppress(Exception), filling(FILLED_WITH[1]):
                return super().begin(cotangent)
        return super().begin(cotangent)

    def vjp(self, cotangent: Vector) -> Vector:
        """Pull a cotangent back through autograd's graph; see `Pullback.vjp`."""
        grads = self.pull(self.seeds(cotangent))
        return self.program.inputs.join([to_numpy(g) for g in grads])

    def vjps(self, cotangents: Matrix) -> Matrix:
        """Pull many cotangents back, in one backward pass where that gives what single passes give."""
        together = self._vjps_together(cotangents) if self.takes_batches and len(cotangents) >= MANY else None
        return super().vjps(cotangents) if together is None else together

    def _vjps_together(self, cotangents: Matrix) -> Matrix | None:
        """As `vjps`; None where the batch is refused, or differs from single passes."""
        self.takes_batches = False
        live = [k for k, out in enumerate(self.outs) if out.requires_grad]
        if not live or self.reentrant or self.backward_arithmetic is not nullcontext:
            return None
        outs, parts = [self.outs[k] for k in live], self.program.outputs.split_many(cotangents)
        seeds = [
            torch.from_numpy(parts[k]).to(out.device, out.dtype) for k, out in zip(live, outs, strict=True)
        ]
        try:
            surroundings = self.program.surroundings(self.leaves)
            with none_batched_afterwards(), surroundings, warnings.catch_warnings(), rules_only():
                # The user did not ask for this pass, so a missing rule of an operation is not reported.
                warnings.simplefilter("ignore")
                grads = torch.autograd.grad(
                    outs, self.leaves, seeds, retain_graph=True, allow_unused=True, is_grads_batched=True
                )
        except Exception:
            # A backward that inspects its numbers, or writes into unbatched memory.
            return None
        inputs, none = self.program.inputs, torch.zeros(len(cotangents), 1)
        filled = [
            none.expand(-1, leaf.numel()) if g is None else g
            for leaf, g in zip(self.leaves, grads, strict=True)
        ]
        values = inputs.join_many([to_numpy(g) for g in filled])
        # Single passes come last: they differ if the batch has changed what was saved.
        for k in (0, len(cotangents) // 2, len(cotangents) - 1):
            if not is_rounding(inputs, values[k], self.vjp(cotangents[k]), self.eps):
                return None
        self.takes_batches = True
        self.evaluations += len(cotangents)
        self.calls += 1
        return values

    def seeds(self, cotangent: Vector) -> list[Any]:
        """Return a flat cotangent as tensors of its own, one per output."""
        return [
            torch.from_numpy(part).to(device=out.device, dtype=out.dtype).reshape(out.shape)
            for part, out in zip(self.program.outputs.split(cotangent), self.outs, strict=True)
        ]

    def pull(self, seeds: Sequence[Any], *, create_graph: bool = False) -> list[Any]:
        """Return the gradient with respect to each leaf, zeros for None, for one cotangent per output."""
        self.evaluations += 1
        self.calls += 1
        live = [(out, seed) for out, seed in zip(self.outs, seeds, strict=True) if out.requires_grad]
        grads: Sequence[Any] = [None] * len(self.leaves)
        if live:
            with self.program.surroundings(self.leaves), self.backward_arithmetic():
                grads = self._gradients(*zip(*live, strict=True), create_graph=create_graph)
            for leaf, grad in zip(self.program.inputs.leaves, grads, strict=True):
                if grad is None:
                    note = ("none-gradient", f"autograd gives None for {leaf.name}")
                    if note not in self.notes:
                        self.notes.append(note)
        return [torch.zeros_like(x) if g is None else g for x, g in zip(self.leaves, grads, strict=True)]

    def _gradients(self, outs: Sequence[Any], seeds: Sequence[Any], *, create_graph: bool) -> Sequence[Any]:
        """Let torch compute the gradients with respect to the leaves; None for a leaf on which the outputs do
        not depend.

        Through a reentrant checkpoint they are read from ``.grad``, where ``backward()`` leaves them, and
        what was there is put back. Tensors that the function closes over get theirs added to.
        """
        if not self.reentrant:
            try:
                # With allow_unused some of them are None, which torch's annotation denies.
                found: Sequence[Any] = torch.autograd.grad(
                    outs, self.leaves, seeds, retain_graph=True, create_graph=create_graph, allow_unused=True
                )
                return found
            except RuntimeError as error:
                if NO_DERIVATIVE.search(str(error)):
                    raise NotImplementedByFramework(str(error).strip()) from error
                if REENTRANT not in str(error):
                    raise
            if create_graph:
                raise NotImplementedByFramework("a reentrant checkpoint has no second derivative")
            self.reentrant = True
        before = [leaf.grad for leaf in self.leaves]
        try:
            for leaf in self.leaves:
                leaf.grad = None
            torch.autograd.backward(outs, seeds, retain_graph=True)
            return [leaf.grad for leaf in self.leaves]
        finally:
            for leaf, grad in zip(self.leaves, before, strict=True):
                leaf.grad = grad

    def second_order(self, cotangent: Vector) -> Pullback:
        """Run the backward pass as a program of its own; see `Pullback.second_order`."""
        inputs, outputs = gradient_layouts(self.program)
        count = len(self.leaves)

        def run(*values: Any) -> Sequence[Any]:
            leaves, seeds = list(values[:count]), values[count:]
            with torch.enable_grad():
                leaves = [v if v.requires_grad else v.detach().requires_grad_() for v in leaves]
                inner = TorchPullback.at(self.program, leaves, self.eps)
                typed = [seed.to(out.dtype) for seed, out in zip(seeds, inner.outs, strict=True)]
                return inner.pull(typed, create_graph=True)

        program = Program(
            run, inputs, outputs, surroundings=lambda values: self.program.surroundings(values[:count])
        )
        seeds = list(map(_leaf_like, self.program.outputs.split(cotangent), self.outs))
        leaves = self.fresh() + seeds
        return TorchPullback.at(program, leaves, self.eps, self.arithmetic, self.backward_arithmetic)

    def fresh(self) -> list[Any]:
        """Return copies of the leaves, for another run."""
        return [x.detach().clone().requires_grad_() for x in self.leaves]

    def moved(self, vector: Vector) -> TorchPullback:
        """Return the pullback at another point."""
        leaves = list(map(_leaf_like, self.program.inputs.split(vector), self.leaves))
        return TorchPullback.at(self.program, leaves, self.eps, self.arithmetic, self.backward_arithmetic)

    def patience(self) -> int:
        """Return how many operations a coarse run may take: run the program once more, and count."""
        counted = Counted()
        TorchPullback.at(self.program, self.fresh(), self.eps, lambda: counted)
        return patience(counted.count)

    def in_double(self) -> TorchPullback | None:
        """Return the gradient in float64; see `Pullback.in_double`."""
        return self._in_double

    @functools.cached_property
    def _in_double(self) -> TorchPullback | None:
        if self.eps <= EPS64:
            return self
        function = self.function
        return prepare(function, "double") if function is not None and function.double else None

    def coarse_runs(self, count: int) -> Sequence[Pullback]:
        """Run the function in float32 at neighbouring points; see `Pullback.coarse_runs`."""
        fine = self.in_double()
        if self.function is None or fine is None:
            return ()
        # Compiled code runs as compiled where no mode counts its operations; see `private.uncompiled`.
        most = None if functions.runs_compiled(fine.outs) else fine.patience()
        return [prepare(self.function, "single", functools.partial(nudged, k=k), most) for k in range(count)]

    def own_runs(self, count: int, *, backward: bool) -> Sequence[Pullback]:
        """Run the program with every operation off by a random error; see `Pullback.own_runs`.

        Compiled code has no operations to disturb, and its source is a different program.
        """
        if functions.runs_compiled(self.outs):
            return ()
        most = self.patience()
        disturbed = [functools.partial(Disturbed, SCALE, seed, most) for seed in range(count)]
        return [
            TorchPullback.at(self.program, self.fresh(), SCALE, each, each if backward else nullcontext)
            for each in disturbed
        ]

    def hand_written(self, *, double: bool = False) -> tuple[HandWritten, ...]:
        """Return the users' Functions in the graph; see `Pullback.hand_written`."""
        return functions.in_graph(self.outs, self.leaves, double=double)

    def primal_at(self, vector: Vector) -> Vector:
        """Run the program at another point; see `Pullback.primal_at`."""
        leaves = map(_leaf_like, self.program.inputs.split(vector), self.leaves)
        return self.program.outputs.join([to_numpy(as_tensor(out)) for out in self.program.run(*leaves)])


#: torch's errors when a backward fails, with the code of each; the first match counts.
RAISED = (
    ("gradient-count", r"incorrect number of gradients"),
    ("stale-saved-tensor", r"modified by an inplace operation|backward through the graph a second time"),
    ("once-differentiable", r"marked with @once_differentiable"),
    ("device-mismatch", r"expected device|on the same device|on device \S+ is not"),
    ("dtype-mismatch", r"isFloatingType|same dtype|expected scalar type|[Ee]xpected .*dtype"),
    (
        "shape-mismatch",
        r"expected shape|must match the size|shapes cannot be multiplied|invalid for input of size"
        r"|size mismatch|same shape|inconsistent tensor size|incompatible",
    ),
)


def code_of_error(text: str) -> str | None:
    """Return the diagnosis code for torch's error when a backward fails; None for anything else."""
    return next((code for code, pattern in RAISED if re.search(pattern, text)), None)


def _leaf_like(array: Any, like: Any) -> Any:
    return torch.from_numpy(array).to(like.device, like.dtype).requires_grad_()


def as_tensor(value: Any) -> Any:
    """Return an output as a tensor; a Python number that a function returned among them too."""
    # Not torch's default dtype, in which a float loses half of its digits.
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
