"""Kernels that Numba compiles: right ones pass and wrong ones fail, in few calls."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba", reason="needs Numba, which the extra test installs")

import torch
from numba_kernels import KERNELS
from trials import assert_fails, assert_passes, right, wrong

DTYPES = (torch.float64, torch.float32)


def quick(name, dtype, fault):
    """Leave one kernel in one dtype to the quick tests: Numba takes seconds to compile the others."""
    return (name, dtype) == ("scan", torch.float32)


@pytest.mark.parametrize("oracle", [False, True])
@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, quick, *DTYPES))
def test_a_right_kernel_passes(kernel, dtype, oracle):
    assert_passes(kernel, dtype, oracle=oracle)


@pytest.mark.parametrize("oracle", [False, True])
@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, quick, *DTYPES))
def test_a_wrong_kernel_fails(kernel, dtype, fault, oracle):
    assert_fails(kernel, dtype, fault, oracle=oracle)
