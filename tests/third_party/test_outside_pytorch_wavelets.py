"""pytorch_wavelets: filter banks and scattering layers with hand-written backwards."""

import pytest
import torch
from outside import MARKS, outside

from pytest_gradcheck import check_gradients, tensors

wavelets = outside("pytorch_wavelets")
scatter = outside("pytorch_wavelets.scatternet.lowlevel")

pytestmark = MARKS


@pytest.mark.gradcheck(x=tensors((1, 1, 8)))
@pytest.mark.parametrize("mode", ["zero", "periodization"])
def test_dwt_1d(mode, x):
    low, high = wavelets.DWT1DForward(wave="db2", J=1, mode=mode).double()(x)
    return low, high[0]


@pytest.mark.gradcheck(x=tensors((1, 1, 4, 6)))
@pytest.mark.parametrize("mode", ["zero", "periodization"])
def test_dwt_2d(mode, x):
    low, high = wavelets.DWTForward(wave="db2", J=1, mode=mode).double()(x)
    return low, high[0]


@pytest.mark.gradcheck(low=tensors((1, 1, 4)), high=tensors((1, 1, 4)))
def test_inverse_dwt_1d(low, high):
    return wavelets.DWT1DInverse(wave="db1", mode="zero").double()((low, [high]))


# Both inputs require a gradient here: with one of them alone the backward fails, see below.
@pytest.mark.gradcheck(x=tensors((1, 1, 4, 4)))
def test_there_and_back(x):
    low, high = wavelets.DWTForward(wave="db1", J=1, mode="zero").double()(x)
    return wavelets.DWTInverse(wave="db1", mode="zero").double()((low, high))


@pytest.mark.gradcheck(x=tensors((1, 1, 4, 4)))
def test_dual_tree_forward(x):
    low, high = wavelets.DTCWTForward(J=1).double()(x)
    return low, high[0]


@pytest.mark.gradcheck(x=tensors((1, 1, 4, 4)))
def test_dual_tree_there_and_back(x):
    low, high = wavelets.DTCWTForward(J=1).double()(x)
    return wavelets.DTCWTInverse().double()((low, high))


@pytest.mark.gradcheck(x=tensors((1, 1, 4, 4)))
def test_scattering(x):
    return wavelets.ScatLayer(magbias=0.1).double()(x)
