"""Triton kernels under the interpreter: right ones pass and wrong ones fail, in few calls."""

from __future__ import annotations

import pytest
import torch
from trials import assert_fails, assert_passes, right, wrong
from triton_kernels import KERNELS

DTYPES = (torch.float32, torch.bfloat16)


def quick(name, dtype, fault):
    """The interpreter takes some ten milliseconds for a call: one fault of each kernel is for every run."""
    return fault in (None, KERNELS[name].faults[0]) and (dtype == torch.float32 or fault is None)


def alone(name, dtype, fault):
    return dtype == torch.float32 and fault is None


@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, quick, *DTYPES))
def test_a_right_kernel_passes_with_an_oracle(kernel, dtype):
    assert_passes(kernel, dtype, oracle=True)


@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, quick, *DTYPES))
def test_a_wrong_kernel_fails_with_an_oracle(kernel, dtype, fault):
    assert_fails(kernel, dtype, fault, oracle=True)


@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, alone, *DTYPES))
def test_a_right_kernel_passes(kernel, dtype):
    assert_passes(kernel, dtype)


# A wrong kernel without an oracle takes ten seconds in bfloat16 here: tests/core has such faults in NumPy.
CLOSELY = dict(list(KERNELS.items())[:2])


@pytest.mark.parametrize(
    ("kernel", "dtype", "fault"),
    wrong(KERNELS, alone, torch.float32) + wrong(CLOSELY, alone, torch.bfloat16),
)
def test_a_wrong_kernel_fails(kernel, dtype, fault):
    assert_fails(kernel, dtype, fault)
