"""Kernels built by torch.utils.cpp_extension: right ones pass and wrong ones fail, in few calls.

To build them takes a minute for the first time, and a second later on.
"""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from extension_kernels import COMPILER, KERNELS
from trials import assert_fails, assert_passes, right, wrong

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(not COMPILER, reason="needs a C++ compiler, c++, and ninja"),
]

DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def quick(name, dtype, fault):
    """None is: see ``pytestmark``."""
    return True


@pytest.mark.parametrize("oracle", [False, True])
@pytest.mark.parametrize(("kernel", "dtype"), right(KERNELS, quick, *DTYPES))
def test_a_right_kernel_passes(kernel, dtype, oracle):
    assert_passes(kernel, dtype, oracle=oracle)


@pytest.mark.parametrize("oracle", [False, True])
@pytest.mark.parametrize(("kernel", "dtype", "fault"), wrong(KERNELS, quick, *DTYPES))
def test_a_wrong_kernel_fails(kernel, dtype, fault, oracle):
    assert_fails(kernel, dtype, fault, oracle=oracle)
