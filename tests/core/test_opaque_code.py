"""Code that no recording sees makes the engine unavailable, however it hides, and is not a constant."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from pytest_gradcheck.frameworks.torch import batched
from pytest_gradcheck.function.problem import Problem
from tests.opaque_kernels import IN_C, WAYS, Counted, compiled

DTYPES = [torch.float32, torch.float64]


def point(size: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def kernel(way: str, **options: Any) -> Counted:
    if way in IN_C and compiled() is None:
        pytest.skip("needs a compiler of C")
    return Counted(WAYS[way], **options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_the_engine_is_unavailable_with_the_name_of_the_function(way: str, dtype: torch.dtype) -> None:
    result = check_gradients(kernel(way), point(30, dtype))

    assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)
    engine = result.methods["reference"]
    assert engine.status == "unavailable"
    assert str(engine.reason).startswith("SiLU: ")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_one_percent_is_found_and_the_backward_is_the_culprit(way: str, dtype: torch.dtype) -> None:
    result = check_gradients(kernel(way, factor=1.01), point(30, dtype))

    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert result.diagnosis.code == "constant-factor"
    assert result.worst is not None
    assert result.worst.place.input == "x"


@pytest.mark.parametrize("way", WAYS)
def test_no_call_takes_many_points(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that is given the address of a tensor with an axis more reads what is not its own."""

    def never(*_: Any) -> Any:
        raise AssertionError("many points were tried")

    monkeypatch.setattr(batched, "values_at_many", never)
    fn = kernel(way)
    fn.function.generate_vmap_rule = True
    assert check_gradients(fn, point(30, torch.float64), mode="full").verdict == "pass"
    assert Problem(fn, point(3, torch.float64)).framework.evaluates_many


class Seen(torch.autograd.Function):
    """Written in torch's operations: constants of its own, a branch on values, and a loop."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        scale = torch.full_like(x, 0.5) if float(x.detach().abs().max()) < 100 else torch.ones_like(x)
        y = torch.zeros_like(x)
        for _ in range(3):
            y = y + scale * x * x
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 3 * g * ctx.saved_tensors[0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_function_that_the_recording_sees_keeps_the_engine(dtype: torch.dtype) -> None:
    result = check_gradients(Seen.apply, point(20, dtype))

    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "ok", result.methods["reference"].reason


class Half(torch.autograd.Function):
    """Only a part of the output comes from code that is hidden."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        y = torch.sin(x)
        hidden = torch.from_numpy(np.cos(x.detach().numpy()))
        return torch.cat([y, hidden[:1]])

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        out = g[:-1] * torch.cos(x)
        out[0] -= g[-1] * torch.sin(x[0])
        return out


def test_one_hidden_entry_of_many_is_noticed() -> None:
    result = check_gradients(Half.apply, point(20, torch.float64))

    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "unavailable"
    assert "Half: " in str(result.methods["reference"].reason)


class Together(torch.autograd.Function):
    """A softmax: a step of the same size in all entries does not move it."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        e = np.exp(x.detach().numpy() - float(x.detach().max()))
        y = torch.from_numpy(e / e.sum())
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum())


def test_a_function_that_does_not_see_a_shift_is_noticed() -> None:
    result = check_gradients(Together.apply, point(20, torch.float64))

    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "unavailable"


def test_an_operation_registered_with_torch_is_opaque() -> None:
    @torch.library.custom_op("opaque_code::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(2 * x.detach().numpy())

    twice.register_autograd(lambda ctx, g: 2 * g)
    result = check_gradients(twice, point(20, torch.float32))

    assert result.verdict == "pass", str(result)
    assert "opaque_code::twice" in str(result.methods["reference"].reason)


NUMBA = """
import numba, numpy as np, torch
from pytest_gradcheck import check_gradients

@numba.njit
def square(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = x[i] * x[i]
    return out

def gradient(factor):
    return lambda x, cotangent: factor * x * cotangent

for dtype in ("float32", "float64"):
    x = np.linspace(-2, 2, 30).astype(dtype)
    for factor, expected in ((2.0, "pass"), (2.02, "fail")):
        result = check_gradients(lambda x: square(x), x, vjp=gradient(np.dtype(dtype).type(factor)))
        assert result.verdict == expected, str(result)
        assert result.methods["reference"].status == "unavailable"
        assert result.culprit == (None if expected == "pass" else "user")

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(square(x.detach().numpy()))
    @staticmethod
    def backward(ctx, g):
        return 2.02 * g * ctx.saved_tensors[0]

result = check_gradients(Square.apply, torch.linspace(-2, 2, 30))
assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
assert str(result.methods["reference"].reason).startswith("Square: ")
"""

TRITON = """
import torch, triton, triton.language as tl
from pytest_gradcheck import check_gradients

@triton.jit
def forward_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.0)
    tl.store(y_ptr + at, x * tl.sigmoid(x), mask=at < n)

@triton.jit
def backward_kernel(x_ptr, g_ptr, d_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n, other=0.0)
    g = tl.load(g_ptr + at, mask=at < n, other=0.0)
    s = tl.sigmoid(x)
    tl.store(d_ptr + at, g * s * (1 + x * (1 - s)), mask=at < n)

def launch(kernel, *arrays, out):
    kernel[(triton.cdiv(out.numel(), 64),)](*(a.contiguous() for a in arrays), out, out.numel(), BLOCK=64)
    return out

def silu(factor):
    class SiLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return launch(forward_kernel, x, out=torch.empty_like(x))
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return factor * launch(backward_kernel, x, g, out=torch.empty_like(x))
    return SiLU.apply

x = torch.randn(50, generator=torch.Generator().manual_seed(0))
for factor, verdict, culprit in ((1.0, "pass", None), (1.01, "fail", "torch")):
    result = check_gradients(silu(factor), x)
    assert (result.verdict, result.culprit) == (verdict, culprit), str(result)
    assert str(result.methods["reference"].reason).startswith("SiLU: "), str(result)
"""


@pytest.mark.parametrize(("package", "script"), [("numba", NUMBA), ("triton", TRITON)])
def test_kernels_of(package: str, script: str, tmp_path: Path) -> None:
    """In a process of its own: Triton asks for its interpreter when it is imported."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": root}
    command = [sys.executable, "script.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["numpy_result", "into_zeros"])
def test_at_zeros_too(way: str) -> None:
    result = check_gradients(kernel(way), torch.zeros(20, dtype=torch.float64))
    assert str(result.methods["reference"].reason).startswith("SiLU: "), str(result)
