import pytest
from smoothops.arrays import GRADIENTS, soft_sign

from pytest_gradcheck import arrays


@pytest.mark.gradcheck(x=arrays(3, min_value=-4, max_value=4), vjp=GRADIENTS[soft_sign])
def test_soft_sign(x):
    return soft_sign(x)
