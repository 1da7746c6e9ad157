"""What torch compiles is on trial as compiled: a backend that breaks the backward is found."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("torch")

import torch
from compiled_functions import BACKENDS, KERNELS
from trials import CALLS, right, wrong

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DTYPES = (torch.float64, torch.float32)


@pytest.fixture(autouse=True)
def anew():
    """The compiler gives a function up that it has compiled eight times."""
    torch._dynamo.reset()
    CALLS.clear()


def quick(name, dtype, fault):
    """Leave one function in one dtype to the quick tests: to compile takes seconds."""
    return (name, dtype) == ("RMS norm", torch.float32)


@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, quick, *DTYPES))
def test_a_right_function_passes(kernel, dtype):
    result, _ = kernel.check(dtype)
    assert result.verdict == "pass", str(result)
    assert CALLS["forward"]
    assert CALLS["backward"]


@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, quick, *DTYPES))
def test_a_wrong_backward_fails(kernel, dtype, fault):
    result, _ = kernel.check(dtype, fault)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, quick, *DTYPES, torch.bfloat16))
def test_a_right_function_passes_with_the_eager_one_as_its_oracle(kernel, dtype):
    result, _ = kernel.check(dtype, oracle=True)
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, quick, *DTYPES, torch.bfloat16))
def test_a_wrong_backward_fails_with_the_eager_one_as_its_oracle(kernel, dtype, fault):
    result, _ = kernel.check(dtype, fault, oracle=True)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


@pytest.mark.sweep
@pytest.mark.parametrize("oracle", [False, True])
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("by", BACKENDS)
def test_torchs_own_backends_pass(by, name, oracle):
    if by == "inductor" and not shutil.which("c++"):
        pytest.skip("inductor needs a C++ compiler, c++")
    result, _ = BACKENDS[by][name].check(torch.float32, oracle=oracle)
    assert result.verdict == "pass", str(result)
