"""e3nn: smooth steps, radial bases, spherical harmonics and rotations."""

import pytest
import torch
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import check_gradients, tensors

e3nn_math = outside("e3nn.math")
o3 = outside("e3nn.o3")

pytestmark = MARKS

# All but numbers of 1e-160 and less, see the fault below.
ORDINARY = ("zeros", "negative_zeros", "ties", "signs", "bounds", "large", "layouts")


@pytest.mark.gradcheck(x=tensors(4, min_value=-5, max_value=10, special=ORDINARY))
def test_soft_unit_step(x):
    return e3nn_math.soft_unit_step(x)


@pytest.mark.gradcheck(x=tensors(3, min_value=-1, max_value=4))
@pytest.mark.parametrize("function", ["gaussian", "smooth_finite", "fourier", "bessel"])
def test_radial_basis(function, x):
    return e3nn_math.soft_one_hot_linspace(x, 0.0, 3.0, 4, basis=function, cutoff=True)


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-3, max_value=3))
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_spherical_harmonics(degree, x):
    return o3.spherical_harmonics(degree, x, normalize=False)


@pytest.mark.gradcheck(angles=tensors(3, min_value=-4, max_value=4))
def test_angles_to_matrix(angles):
    return o3.angles_to_matrix(*angles)


@pytest.mark.gradcheck(angles=tensors(3, min_value=-4, max_value=4))
def test_wigner_d(angles):
    return o3.wigner_D(2, *angles)


# A fault: the backward divides exp(-1 / x) = 0 by x², which is zero below the square root of the smallest
# number. The derivative exp(-1 / x) / x² is zero but for less than the smallest number.
@pytest.mark.parametrize(("x", "dtype"), [(1e-200, torch.float64), (1e-23, torch.float32)])
def test_soft_unit_step_of_tiny_numbers_is_nan(x, dtype):
    result = check_gradients(e3nn_math.soft_unit_step, (torch.tensor([x], dtype=dtype),))
    assert_fault(result, "non-finite-gradient")
