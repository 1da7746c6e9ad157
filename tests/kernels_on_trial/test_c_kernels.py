"""Kernels in C, called with addresses: right ones pass and wrong ones fail, in few calls."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from c_kernels import COMPILER, KERNELS
from trials import assert_fails, assert_passes, right, wrong

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler, cc")

DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def alone(name, dtype, fault):
    return dtype == torch.float32


def next_to_an_oracle(name, dtype, fault):
    return dtype == torch.bfloat16


@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, alone, *DTYPES))
def test_a_right_kernel_passes(kernel, dtype):
    assert_passes(kernel, dtype)


@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, next_to_an_oracle, *DTYPES))
def test_a_right_kernel_passes_with_an_oracle(kernel, dtype):
    assert_passes(kernel, dtype, oracle=True)


@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, alone, *DTYPES))
def test_a_wrong_kernel_fails(kernel, dtype, fault):
    assert_fails(kernel, dtype, fault)


@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, next_to_an_oracle, *DTYPES))
def test_a_wrong_kernel_fails_with_an_oracle(kernel, dtype, fault):
    assert_fails(kernel, dtype, fault, oracle=True)
