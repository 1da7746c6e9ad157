from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lowering_gradients import cotangents, differentiable, engine_gradients  # noqa: E402  # after the skip

from pytest_gradcheck.frameworks.torch.lowering import Lowered, lower  # noqa: E402  # the same


@pytest.fixture(autouse=True)
def _one_thread_fixed_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


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
        from pytest_gradcheck.frameworks.torch.lowering.tree import tensors

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
