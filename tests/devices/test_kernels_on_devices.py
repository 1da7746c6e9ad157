"""Kernels with inputs on an accelerator: they run there, and are compared with what runs on the CPU.

Collected everywhere, and run where torch finds a device: ``python -m tests.run_on_device`` runs these alone.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch

from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.device


def devices() -> list[Any]:
    """Every device of the accelerator that torch finds, else one that is skipped."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None:
        return [pytest.param("none", marks=pytest.mark.skip(reason="torch finds no accelerator here"))]
    return [f"{found.type}:{k}" for k in range(torch.accelerator.device_count())]


def point(shape: Any, dtype: torch.dtype, device: str) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(
        device, dtype
    )


SEEN: set[str] = set()


def swish(factor: float) -> Any:
    class Swish(torch.autograd.Function):
        """In torch's operations: the recording sees it."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            SEEN.add(str(x.device))
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            s = torch.sigmoid(x)
            return factor * g * s * (1 + x * (1 - s))

    return Swish.apply


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail")])
def test_the_function_runs_on_the_device_and_the_engine_on_the_cpu(
    device: str, dtype: torch.dtype, factor: float, verdict: str
) -> None:
    SEEN.clear()
    try:
        x = point((6, 5), dtype, device)
    except (TypeError, RuntimeError) as error:
        pytest.skip(f"the device has no {dtype}: {error}")
    result = check_gradients(swish(factor), x)

    assert result.verdict == verdict, str(result)
    assert result.methods["reference"].status == "ok", result.methods["reference"].reason
    assert str(x.device) in SEEN
    assert result.culprit == (None if verdict == "pass" else "torch")


def triton_swish(factor: float) -> Any:
    import triton
    import triton.language as tl

    @triton.jit
    def forward_kernel(x_ptr: Any, y_ptr: Any, n: Any, block: tl.constexpr) -> None:
        at = tl.program_id(0) * block + tl.arange(0, block)
        x = tl.load(x_ptr + at, mask=at < n, other=0.0)
        tl.store(y_ptr + at, x * tl.sigmoid(x), mask=at < n)

    @triton.jit
    def backward_kernel(x_ptr: Any, g_ptr: Any, d_ptr: Any, n: Any, block: tl.constexpr) -> None:
        at = tl.program_id(0) * block + tl.arange(0, block)
        x = tl.load(x_ptr + at, mask=at < n, other=0.0)
        g = tl.load(g_ptr + at, mask=at < n, other=0.0)
        s = tl.sigmoid(x)
        tl.store(d_ptr + at, g * s * (1 + x * (1 - s)), mask=at < n)

    def launch(kernel: Any, *arrays: Any) -> Any:
        given = [a.contiguous() for a in arrays]
        out = torch.empty_like(given[0])
        kernel[(triton.cdiv(out.numel(), 64),)](*given, out, out.numel(), block=64)
        return out

    class TritonSwish(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return launch(forward_kernel, x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return factor * launch(backward_kernel, *ctx.saved_tensors, g)

    return TritonSwish.apply


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail")])
def test_a_triton_kernel_on_the_device(device: str, factor: float, verdict: str) -> None:
    if importlib.util.find_spec("triton") is None:
        pytest.skip("needs Triton")
    result = check_gradients(triton_swish(factor), point(50, torch.float32, device))

    assert result.verdict == verdict, str(result)
    assert str(result.methods["reference"].reason).startswith("TritonSwish: ")


@pytest.mark.parametrize("device", devices())
def test_a_graph_that_was_captured_is_opaque(device: str) -> None:
    """A CUDA graph replays kernels into memory of its own, which no operation of torch is seen to write."""
    if not device.startswith("cuda"):
        pytest.skip("only CUDA has graphs")
    given = torch.zeros(20, device=device)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = torch.sin(given)

    class Captured(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            given.copy_(x)
            graph.replay()
            return made.clone()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 1.01 * g * torch.cos(ctx.saved_tensors[0])

    result = check_gradients(Captured.apply, point(20, torch.float32, device))
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert str(result.methods["reference"].reason).startswith("Captured: ")
