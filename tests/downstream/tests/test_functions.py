import pytest
import smoothops

from pytest_gradcheck import tensors


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-4, max_value=4))
def test_soft_abs(x):
    return smoothops.soft_abs(x)


@pytest.mark.gradcheck(x=tensors(4, min_value=-3, max_value=3), b=tensors((), min_value=0.5, max_value=4))
def test_square_plus(x, b):
    return smoothops.square_plus(x, b)
