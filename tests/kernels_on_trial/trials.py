"""A kernel on trial: right or with one fault, the eager code that it should equal, and its calls counted."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from pytest_gradcheck import CheckResult, check_gradients

#: Calls of the forwards and backwards that `counted` has wrapped.
CALLS: Counter[str] = Counter()

#: Whether a kernel of this name in this dtype with this fault is for every run of the tests.
Quick = Callable[[str, torch.dtype, str | None], bool]

Draw = Callable[[torch.Generator], tuple[torch.Tensor, ...]]


def counted(function: type[torch.autograd.Function]) -> type[torch.autograd.Function]:
    """Count the calls of a Function's forward and backward."""
    for name in ("forward", "backward"):
        inner = getattr(function, name)

        def wrapped(*args: Any, _inner: Any = inner, _name: str = name) -> Any:
            CALLS[_name] += 1
            return _inner(*args)

        setattr(function, name, staticmethod(functools.wraps(inner)(wrapped)))
    return function


@dataclass(frozen=True)
class Kernel:
    """A kernel with a backward written by hand.

    Attributes:
        apply: The kernel, a function of the inputs, of the constants by name and of ``fault``.
        oracle: The same in eager torch, a function of the inputs and of the constants by name.
        draw: Returns inputs in float64, of the sizes for which the faults are faults.
        faults: Names of the faults that the backward can have.
        constants: What is not differentiated: labels, segments, a scale.
    """

    apply: Callable[..., Any]
    oracle: Callable[..., Any]
    draw: Draw
    faults: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def function(self, fault: str | None = None) -> Callable[..., Any]:
        """Return the kernel as a function of its inputs alone."""

        def kernel(*inputs: torch.Tensor) -> Any:
            return self.apply(*inputs, **self.constants, fault=fault)

        return kernel

    def eager(self, *inputs: Any) -> Any:
        """Call the oracle."""
        return self.oracle(*inputs, **self.constants)

    def inputs(self, dtype: torch.dtype, seed: int = 0) -> tuple[torch.Tensor, ...]:
        """Draw inputs, the same ones for the same seed."""
        return tuple(x.to(dtype) for x in self.draw(torch.Generator().manual_seed(seed)))

    def check(
        self, dtype: torch.dtype, fault: str | None = None, *, oracle: bool = False, seed: int = 0
    ) -> tuple[CheckResult, Counter[str]]:
        """Check the kernel with default settings; return the result and the calls that it took."""
        options = {"oracle": self.eager} if oracle else {}
        CALLS.clear()
        result = check_gradients(self.function(fault), self.inputs(dtype, seed), **options)
        return result, Counter(CALLS)


#: The most calls of a check with default settings, forward and backward, of up to a hundred numbers that no
#: recording sees into.
RIGHT = {torch.float64: (16, 6), torch.float32: (24, 6), torch.bfloat16: (24, 8)}
WRONG = {torch.float64: (100, 20), torch.float32: (100, 20), torch.bfloat16: (200, 50)}
WITH_ORACLE = (3, 3)

#: Faults that take a close look too: the function does not depend on what the gradient says it depends on,
#: or the gradient is another one with every call.
CLOSE_LOOKS = ("ignore-index", "no-add")

#: Values in bfloat16 alone may leave these in doubt.
UNDECIDED_ALONE = ((torch.bfloat16, "ignore-index"),)

#: A backward that rounds to bfloat16 on its way is no worse than code in bfloat16 has to be.
BEARABLE_IN_BFLOAT16 = ("half",)


def assert_passes(kernel: Kernel, dtype: torch.dtype, *, oracle: bool = False) -> None:
    """Hold that a right kernel passes, within the calls that a check may take."""
    result, calls = kernel.check(dtype, oracle=oracle)
    assert result.verdict == "pass", str(result)
    assert_within(calls, WITH_ORACLE if oracle else RIGHT[dtype])


def assert_fails(kernel: Kernel, dtype: torch.dtype, fault: str, *, oracle: bool = False) -> None:
    """Hold that a wrong kernel fails, that its own backward is the culprit, and that it is known soon."""
    result, calls = kernel.check(dtype, fault, oracle=oracle)
    if (dtype, fault) in UNDECIDED_ALONE and not oracle:
        assert result.verdict != "pass", str(result)
        return
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    if fault not in CLOSE_LOOKS and not (oracle and dtype == torch.bfloat16):
        assert_within(calls, WRONG[dtype])


def assert_within(calls: Counter[str], most: tuple[int, int]) -> None:
    """Hold that a check took no more than so many forward and backward calls."""
    assert calls["forward"] <= most[0], calls
    assert calls["backward"] <= most[1], calls


def right(kernels: Mapping[str, Kernel], quick: Quick, *dtypes: torch.dtype) -> list[Any]:
    """Return parameters for `assert_passes`: every kernel in every dtype; the sweep has what is not quick."""
    return [
        _param(quick(name, dtype, None), _id(name, dtype), kernel, dtype)
        for name, kernel in kernels.items()
        for dtype in dtypes
    ]


def wrong(kernels: Mapping[str, Kernel], quick: Quick, *dtypes: torch.dtype) -> list[Any]:
    """Return parameters for `assert_fails`: every fault in every dtype that shows it."""
    return [
        _param(quick(name, dtype, fault), _id(name, dtype, fault), kernel, dtype, fault)
        for name, kernel in kernels.items()
        for dtype in dtypes
        for fault in kernel.faults
        if dtype.itemsize > 2 or fault not in BEARABLE_IN_BFLOAT16
    ]


def _param(quick: bool, name: str, *values: Any) -> Any:
    return pytest.param(*values, id=name, marks=[] if quick else [pytest.mark.sweep])


def _id(name: str, dtype: torch.dtype, *rest: str) -> str:
    return "-".join([name.replace(" ", "_"), str(dtype).removeprefix("torch."), *rest])


def uniform(*shape: int, low: float = -2.0, high: float = 2.0) -> Callable[[torch.Generator], torch.Tensor]:
    """Return a function that draws numbers evenly between two bounds."""
    return lambda generator: low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def together(*draws: Callable[[torch.Generator], torch.Tensor]) -> Draw:
    """Return a function that draws several inputs."""
    return lambda generator: tuple(draw(generator) for draw in draws)
