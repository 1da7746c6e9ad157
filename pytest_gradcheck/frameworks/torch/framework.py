"""torch as a framework.

This file itself does not import torch: strategies ask for the dtypes of tensors that may never be drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.frameworks.lazy import provided_by


class TorchFramework(Framework):
    """torch tensors, modules and autograd."""

    name = "torch"
    plural = "tensors"
    differentiates = True
    differentiator = "autograd"
    stops_gradients = True
    evaluates_many = True
    lowering = "pytest_gradcheck.frameworks.torch.lowering"
    drawn_dtypes = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
    # torch has no negative strides; its expanded tensors can be written to, other than NumPy's.
    drawn_layouts = {"": "contiguous", "fortran": "fortran", "strided": "strided", "backwards": "expanded"}  # noqa: RUF012  declared as a ClassVar in the base class

    owns = provided_by(".leaves.is_tensor")
    dtype_of = provided_by(".leaves.dtype_of")
    to_numpy = provided_by(".leaves.to_numpy")
    like = provided_by(".leaves.like")
    copy = provided_by(".leaves.copy")
    from_numpy = provided_by(".leaves.from_numpy")
    rounded = provided_by(".leaves.rounded")
    strides_if_scattered = provided_by(".leaves.strides_if_scattered")
    contiguous_copy = provided_by(".leaves.contiguous_copy")
    why_constants = provided_by(".leaves.why_constants")
    why_not_perturbed = provided_by(".leaves.why_not_perturbed")
    why_no_derivative = provided_by(".leaves.why_no_derivative")
    fingerprint = provided_by(".leaves.fingerprint")
    is_array_type = provided_by(".leaves.is_array_type")
    from_drawn = provided_by(".leaves.from_drawn")

    source_of = provided_by(".source.source_of")

    holding = provided_by(".modules.holding")
    describe = provided_by(".modules.describe")
    is_module_class = provided_by(".modules.is_module_class")
    drawn_module = provided_by(".modules.drawn_module")

    filling = provided_by(".fresh_memory.filling")

    values_at_many = provided_by(".batched.values_at_many")
    corrupted_call = provided_by(".corrupt.corrupted_call")

    random_state = provided_by("torch.get_rng_state")
    set_random_state = provided_by("torch.set_rng_state")

    why_not_measured = provided_by(".samplers.why_not_measured")
    pullback = provided_by(".pullback.prepare")
    stand_in = provided_by(".pullback.prepare_numpy")
    code_of_error = provided_by(".pullback.code_of_error")
    lower = provided_by(".lowered.lower")
    properties_of_run = provided_by(".function_properties.properties_of_run")
    properties_of_functions = provided_by(".function_properties.properties_of_functions")
    right_functions = provided_by(".function_properties.right_functions")
    hand_written_in = provided_by(".functions.hand_written_in")

    _parts_of_module = provided_by(".modules.parts_of")
    _signature_of_module = provided_by(".modules.signature_of")

    def parts_of(self, value: Any) -> dict[str, Any] | None:
        """Return the parameters and buffers of a module; see `Framework.parts_of`."""
        import torch

        return self._parts_of_module(value) if isinstance(value, torch.nn.Module) else None

    def signature_of(self, fn: Callable[..., Any]) -> inspect.Signature | None:
        """Return that of ``forward``; see `Framework.signature_of`."""
        if hasattr(fn, "forward") or getattr(fn, "__name__", None) == "apply":
            return self._signature_of_module(fn)  # type: ignore[no-any-return]  # see `provided_by`
        return None

    def evaluating(self, *, recording: bool = False) -> AbstractContextManager[Any]:
        """Return ``enable_grad`` or ``no_grad``; see `Framework.evaluating`."""
        import torch

        return torch.enable_grad() if recording else torch.no_grad()

    def may_differentiate_inside(self, error: Exception) -> bool:
        """Whether autograd may have raised it; see `Framework.may_differentiate_inside`."""
        return isinstance(error, RuntimeError)

    def recorded(self, inputs: Sequence[Any]) -> list[Any]:
        """Return tensors that require a gradient; see `Framework.recorded`."""
        return [leaf.detach().requires_grad_() for leaf in inputs]

    def is_missed(self, message: str) -> bool:
        """Whether torch was given something else than tensors; see `Framework.is_missed`."""
        return "must be Tensor" in message

    def seed(self, seed: int) -> None:
        """Seed the generators of all devices; see `Framework.seed`."""
        import torch

        if torch.accelerator.is_available():
            torch.manual_seed(seed)
        else:
            # For every kind of device that is not there `torch.manual_seed` formats the stack of its caller,
            # in case the device comes up later: that takes a millisecond.
            torch.default_generator.manual_seed(seed)

    def next_draw(self) -> Any:
        """Return the state; see `Framework.next_draw`."""
        return self.random_state().numpy().tobytes()
