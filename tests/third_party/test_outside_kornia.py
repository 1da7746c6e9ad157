"""kornia: rotations, losses, colours and filters; two of them with hand-written backwards."""

import pytest
import torch
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import tensors

color = outside("kornia.color")
conversions = outside("kornia.geometry.conversions")
epipolar = outside("kornia.geometry.epipolar.essential")
filters = outside("kornia.filters")
liegroup = outside("kornia.geometry.liegroup")
losses = outside("kornia.losses")

pytestmark = MARKS

TARGET = torch.tensor([0, 2, 1])
OTHER = torch.tensor([[[[0.2, 0.7], [0.4, 0.9]]]], dtype=torch.float64)


@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-20, max_value=20))
def test_focal_loss(x):
    return losses.focal_loss(x, TARGET, alpha=0.25, gamma=2.0, reduction="none")


@pytest.mark.gradcheck(x=tensors((1, 5, 9), min_value=-2, max_value=2))
@settings(max_examples=20)
def test_null_space_projector(x):
    # A projector onto the null space of five equations: the basis itself is free to turn.
    x = x + torch.eye(5, 9, dtype=x.dtype) * 10
    basis = epipolar._NullSpaceBasis.apply(x)[0]
    return basis @ basis.mT


@pytest.mark.gradcheck(x=tensors((1, 1, 2, 2), min_value=-3, max_value=3))
@pytest.mark.parametrize(
    "function", [losses.charbonnier_loss, losses.cauchy_loss, losses.geman_mcclure_loss, losses.welsch_loss]
)
def test_robust_loss(function, x):
    return function(x, OTHER, reduction="none")


@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-20, max_value=20))
def test_lovasz_free_dice_loss(x):
    return losses.dice_loss(x[None, :, None, :], TARGET[None, None, :])


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-2, max_value=2))
def test_axis_angle_to_rotation_matrix(x):
    return conversions.axis_angle_to_rotation_matrix(x)


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-2, max_value=2))
def test_axis_angle_to_quaternion(x):
    return conversions.axis_angle_to_quaternion(x)


@pytest.mark.gradcheck(q=tensors((2, 4), min_value=-2, max_value=2))
@pytest.mark.parametrize(
    "function", [conversions.quaternion_to_rotation_matrix, conversions.normalize_quaternion]
)
def test_quaternion(function, q):
    return function(q)


@pytest.mark.gradcheck(v=tensors((1, 3), min_value=-2, max_value=2))
def test_so3_exponential(v):
    return liegroup.So3.exp(v).matrix()


@pytest.mark.gradcheck(image=tensors((1, 3, 2, 2), min_value=0.01, max_value=1))
@pytest.mark.parametrize(
    "function", [color.rgb_to_xyz, color.rgb_to_ycbcr, color.rgb_to_linear_rgb, color.rgb_to_lab]
)
def test_color(function, image):
    return function(image)


@pytest.mark.gradcheck(image=tensors((1, 1, 4, 4), min_value=-2, max_value=2))
def test_gaussian_blur(image):
    return filters.gaussian_blur2d(image, (3, 3), (0.8, 0.8))


@pytest.mark.gradcheck(image=tensors((1, 1, 4, 4), min_value=-2, max_value=2))
def test_sobel(image):
    return filters.spatial_gradient(image)
