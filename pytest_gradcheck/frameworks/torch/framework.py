"""torch as a framework.

This file itself does not import torch: strategies ask for the dtypes of tensors that may never be drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pytest_gradcheck.frameworks.base import Framework, FunctionAtPoint, HandWritten, Lowering, Property
from pytest_gradcheck.frameworks.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import torch

    from pytest_gradcheck.frameworks.flat import Matrix
    from pytest_gradcheck.frameworks.pullback import Pullback
    from pytest_gradcheck.frameworks.torch import (
        batched,
        corrupt,
        function_properties,
        functions,
        leaves,
        lowered,
        modules,
        pullback,
        source,
    )

    Array = np.ndarray[Any, Any]
else:
    torch = LazyModule("torch")
    batched, corrupt, function_properties, functions, leaves, lowered, modules, pullback, source = (
        LazyModule(f"{__package__}.{name}")
        for name in (
            "batched",
            "corrupt",
            "function_properties",
            "functions",
            "leaves",
            "lowered",
            "modules",
            "pullback",
            "source",
        )
    )


class TorchFramework(Framework):
    """torch tensors, modules and autograd."""

    name = "torch"
    plural = "tensors"
    differentiates = True
    stands_in = True
    stops_gradients = True
    evaluates_many = True
    lowering = "pytest_gradcheck.frameworks.torch.lowering"
    drawn_dtypes = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
    # torch has no negative strides; its expanded tensors can be written to, other than NumPy's.
    drawn_layouts = {"": "contiguous", "fortran": "fortran", "strided": "strided", "backwards": "expanded"}  # noqa: RUF012  declared as a ClassVar in the base class

    # -- leaves --------------------------------------------------------------------------------------

    def owns(self, value: Any) -> bool:
        """Whether a value is a tensor; see `Framework.owns`."""
        return isinstance(value, torch.Tensor)

    def dtype_of(self, leaf: Any) -> str:
        """Return the name without ``torch.``; see `Framework.dtype_of`."""
        return str(leaf.dtype).removeprefix("torch.")

    def to_numpy(self, leaf: Any) -> Array:
        """Return a tensor as float64 or complex128; see `Framework.to_numpy`."""
        return leaves.to_numpy(leaf)

    def like(self, array: Array, original: Any, *, double: bool) -> Any:
        """Return an array as a tensor; see `Framework.like`."""
        return leaves.like(array, original, double=double)

    def copy(self, leaf: Any, *, double: bool) -> Any:
        """Return a copy that needs no gradient; see `Framework.copy`."""
        return leaves.copy(leaf, double=double)

    def rounded(self, array: Array, original: Any) -> Array:
        """Go by way of the original's dtype; see `Framework.rounded`."""
        return leaves.rounded(array, original)

    def strides_if_scattered(self, leaf: Any) -> tuple[int, ...] | None:
        """Return the strides of a dense tensor; see `Framework.strides_if_scattered`."""
        return leaves.strides_if_scattered(leaf)

    def contiguous_copy(self, leaf: Any) -> Any:
        """Return a dense tensor contiguous; see `Framework.contiguous_copy`."""
        return leaves.contiguous_copy(leaf)

    def why_constants(self, inputs: Sequence[Any], in_module: Sequence[bool]) -> list[str | None]:
        """Go by dtype, layout and ``requires_grad``; see `Framework.why_constants`."""
        return leaves.why_constants(inputs, in_module)

    def why_no_derivative(self, leaf: Any) -> str | None:
        """Go by dtype and layout; see `Framework.why_no_derivative`."""
        return leaves.why_no_derivative(leaf)

    def fingerprint(self, leaf: Any) -> bytes | None:
        """Return the bytes of a dense tensor; see `Framework.fingerprint`."""
        return leaves.fingerprint(leaf)

    def source_of(self, value: Any, inner: Callable[[Any], str]) -> str | None:
        """Return the source of a tensor, or of a module that a strategy made; see `Framework.source_of`."""
        if not self.owns(value):
            return modules.source_of(value, inner)
        return source.of_tensor(value)

    # -- modules -------------------------------------------------------------------------------------

    def parts_of(self, value: Any) -> dict[str, Any] | None:
        """Return the parameters and buffers of a module; see `Framework.parts_of`."""
        return modules.parts_of(value) if isinstance(value, torch.nn.Module) else None

    def holding(self, module: Any, parts: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """Let a module hold other tensors; see `Framework.holding`."""
        return modules.holding(module, parts)

    def describe(self, module: Any) -> str:
        """Return how a module is put together, and whether it is in training; see `Framework.describe`."""
        return f"{module!r} {module.training}"

    def signature_of(self, fn: Callable[..., Any]) -> inspect.Signature | None:
        """Return that of ``forward``; see `Framework.signature_of`."""
        if isinstance(fn, torch.nn.Module) or getattr(fn, "__name__", None) == "apply":
            return modules.signature_of(fn)
        return None

    # -- calls ---------------------------------------------------------------------------------------

    def evaluating(self, *, recording: bool = False) -> AbstractContextManager[Any]:
        """Return ``enable_grad`` or ``no_grad``; see `Framework.evaluating`."""
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

    def values_at_many(self, function: FunctionAtPoint, points: Matrix) -> Matrix:
        """Call the function under `vmap`; see `Framework.values_at_many`."""
        return batched.values_at_many(function, points)

    def corrupted_call(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        fault: Callable[[Sequence[Any]], Sequence[Any]],
    ) -> Any:
        """Run the call in a Function of its own; see `Framework.corrupted_call`."""
        return corrupt.call(fn, args, kwargs, fault)

    # -- random numbers --------------------------------------------------------------------------------

    def random_state(self) -> Any:
        """Return that of the CPU's generator; see `Framework.random_state`."""
        return torch.get_rng_state()

    def set_random_state(self, state: Any) -> None:
        """Set that of the CPU's generator; see `Framework.set_random_state`."""
        torch.set_rng_state(state)

    def seed(self, seed: int) -> None:
        """Seed the generators of all devices; see `Framework.seed`."""
        if torch.accelerator.is_available():
            torch.manual_seed(seed)
        else:
            # For every kind of device that is not there `torch.manual_seed` formats the stack of its caller,
            # in case the device comes up later: that takes a millisecond.
            torch.default_generator.manual_seed(seed)

    def next_draw(self) -> Any:
        """Return the state; see `Framework.next_draw`."""
        return torch.get_rng_state().numpy().tobytes()

    # -- strategies ------------------------------------------------------------------------------------

    def is_array_type(self, annotation: Any) -> bool:
        """Whether it is ``torch.Tensor``; see `Framework.is_array_type`."""
        return annotation is torch.Tensor

    def from_drawn(self, array: Array, dtype: str, layout: str, **options: Any) -> Any:
        """Return a tensor, on a device and with ``requires_grad`` if asked; see `Framework.from_drawn`."""
        return leaves.from_drawn(array, dtype, layout, **options)

    def is_module_class(self, value: Any) -> bool:
        """Whether it is a subclass of ``torch.nn.Module``; see `Framework.is_module_class`."""
        return isinstance(value, type) and issubclass(value, torch.nn.Module)

    def drawn_module(
        self,
        module: type[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        seed: int,
        numbers: Callable[[tuple[int, ...], str], Array] | None,
    ) -> Any:
        """Make a module; torch's own random state stays as it is; see `Framework.drawn_module`."""
        return modules.drawn(module, args, kwargs, seed, numbers)

    # -- derivatives ---------------------------------------------------------------------------------

    def pullback(self, function: FunctionAtPoint) -> Pullback:
        """Run the function under autograd; see `Framework.pullback`."""
        return pullback.prepare(function)

    def stand_in(self, function: FunctionAtPoint) -> Pullback:
        """Run NumPy code on tensors that behave as arrays; see `Framework.stand_in`."""
        return pullback.prepare_numpy(function)

    def lower(self, function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
        """Record the function's ATen operations; see `Framework.lower`."""
        return lowered.lower(function, hold_stops=hold_stops)

    def properties_of_run(self, function: FunctionAtPoint, pulled: Pullback) -> Sequence[Property]:
        """Try one more backward pass; see `Framework.properties_of_run`."""
        assert isinstance(pulled, pullback.TorchPullback)
        return function_properties.of_run(function, pulled)

    def properties_of_functions(self, function: FunctionAtPoint, pulled: Pullback) -> Sequence[Property]:
        """Run each Function in every way that a caller may; see `Framework.properties_of_functions`."""
        assert isinstance(pulled, pullback.TorchPullback)
        return function_properties.of_ways(function, pulled)

    def code_of_error(self, text: str) -> str | None:
        """Return what kind of mistake made a backward raise; see `Framework.code_of_error`."""
        return pullback.code_of_error(text)

    def hand_written_in(self, packages: Sequence[str]) -> Sequence[HandWritten]:
        """Return the Functions and registered backwards of the packages; see `Framework.hand_written_in`."""
        return functions.defined_in(packages)
