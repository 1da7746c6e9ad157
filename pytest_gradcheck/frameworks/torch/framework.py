"""torch as a framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pytest_gradcheck.frameworks.base import Framework, FunctionAtPoint, HandWritten, Lowering, Property
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.frameworks.torch import function_properties, functions, lowered, pullback


class TorchFramework(Framework):
    """torch tensors, modules and autograd."""

    name = "torch"
    differentiates = True
    stands_in = True
    stops_gradients = True

    def owns(self, value: Any) -> bool:
        """Whether a value is a tensor; see `Framework.owns`."""
        return isinstance(value, torch.Tensor)

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
