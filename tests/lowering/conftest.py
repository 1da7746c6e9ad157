from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import reference_engine as engine  # noqa: E402  # after the skip where torch is missing
from pytest_gradcheck.lowering import Lowered, lower  # noqa: E402  # the same


@pytest.fixture(autouse=True)
def _one_thread_fixed_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def cotangents(outputs: Sequence[Any]) -> list[np.ndarray]:
    """A random cotangent for each output, complex for complex ones."""
    rng = np.random.default_rng(1)
    found = []
    for output in outputs:
        value = np.asarray(output)
        cotangent = rng.standard_normal(value.shape)
        if value.dtype.kind == "c":
            cotangent = cotangent + 1j * rng.standard_normal(value.shape)
        found.append(np.asarray(cotangent))
    return found


def differentiable(tensors: Sequence[Any]) -> list[int]:
    return [i for i, t in enumerate(tensors) if t.is_floating_point() or t.is_complex()]


def engine_gradients(lowered: Lowered, wrt: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """Values of the differentiable outputs and the gradients by the inputs ``wrt``."""
    start = lowered.inputs()
    chosen = differentiable(lowered.trace.outputs())

    def of_chosen(*values: Any) -> list[Any]:
        full: list[Any] = list(start)
        for i, value in zip(wrt, values, strict=True):
            full[i] = value
        outputs = lowered(*full)
        return [outputs[i] for i in chosen]

    values, pullback = engine.vjp(of_chosen, *(start[i] for i in wrt))
    return values, list(pullback(cotangents(values)))


@pytest.fixture
def agree() -> Callable[..., Lowered]:
    """Assert that values and gradients of the lowered function are those of torch in float64."""

    def check(fn: Callable[..., Any], *inputs: Any, rtol: float = 1e-9, args: Any = None) -> Lowered:
        for tensor in inputs:
            if tensor.is_floating_point() or tensor.is_complex():
                tensor.requires_grad_(True)
        state = torch.get_rng_state()
        lowered = lower(fn, inputs if args is None else args, inputs=inputs)
        torch.set_rng_state(state)
        result = fn(*(inputs if args is None else args))
        outputs = lowered.trace.outputs()
        from pytest_gradcheck.lowering.tree import tensors

        expected = tensors(result)
        assert len(expected) == len(outputs)
        chosen = differentiable(expected)
        wrt = differentiable(inputs)
        values, gradients = engine_gradients(lowered, wrt)
        replayed = lowered(*lowered.inputs())
        for value, want in zip(replayed, expected, strict=True):
            np.testing.assert_allclose(
                value, want.detach().resolve_conj().numpy(), rtol=rtol, atol=rtol, strict=True
            )
        theirs = torch.autograd.grad(
            [expected[i] for i in chosen],
            [inputs[i] for i in wrt],
            [
                torch.from_numpy(c).to(expected[i].dtype)
                for c, i in zip(cotangents(values), chosen, strict=True)
            ],
            allow_unused=True,
        )
        for i, ours, their in zip(wrt, gradients, theirs, strict=True):
            want = np.zeros(inputs[i].shape) if their is None else their.resolve_conj().numpy()
            np.testing.assert_allclose(
                ours, want, rtol=rtol, atol=rtol * max(1.0, float(np.abs(want).max(initial=0)))
            )
        return lowered

    return check
