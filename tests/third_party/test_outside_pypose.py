"""PyPose: exponentials, logarithms, products and actions of Lie groups with hand-written backwards.

Its gradients by the elements of a group are those in the tangent space, so every function here begins in the
Lie algebra and ends with numbers.
"""

import pytest
import torch
from outside import MARKS, outside

from pytest_gradcheck import check_gradients, tensors

pypose = outside("pypose")

pytestmark = MARKS

POINT = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)

# Rotations by less than half a turn: beyond that, the logarithm is another one.
ALGEBRAS = {
    "so3": (pypose.so3, 3),
    "se3": (pypose.se3, 6),
    "rxso3": (pypose.rxso3, 4),
    "sim3": (pypose.sim3, 7),
}


def element(function, x):
    algebra, size = ALGEBRAS[function]
    return algebra(x[:size]).Exp()
