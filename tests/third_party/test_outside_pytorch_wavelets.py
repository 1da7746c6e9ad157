"""pytorch_wavelets: filter banks and scattering layers with hand-written backwards."""

import pytest
import torch
from outside import MARKS, assert_fault, outside

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


# A reconstruction needs both of its inputs to require a gradient, see below.
BOTH = {"properties": ("-frozen-inputs",)}


@pytest.mark.gradcheck(low=tensors((1, 1, 4)), high=tensors((1, 1, 4)), **BOTH)
def test_inverse_dwt_1d(low, high):
    return wavelets.DWT1DInverse(wave="db1", mode="zero").double()((low, [high]))


@pytest.mark.gradcheck(x=tensors((1, 1, 4, 4)), **BOTH)
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


# A fault: with these modes the signal is mirrored at its ends, and the backward leaves out what came from
# the mirrored part. The transform is linear, so its columns are its values at unit vectors, exactly.
@pytest.mark.parametrize("mode", ["symmetric", "reflect"])
def test_mirrored_signal_is_wrong(mode):
    transform = wavelets.DWT1DForward(wave="db2", J=1, mode=mode).double()

    def low(x):
        return transform(x[None, None])[0][0, 0]

    x = torch.arange(4, dtype=torch.float64) ** 2
    matrix = torch.stack([low(unit) for unit in torch.eye(4, dtype=x.dtype)], dim=1)
    jacobian = torch.autograd.functional.jacobian(low, x)
    assert (jacobian - matrix).abs().max() > 0.1
    result = check_gradients(low, (x,))
    assert_fault(result, "wrong-values")
    i, j = result.worst.place.output_index[0], result.worst.place.index[0]
    assert result.worst.values["central"] == pytest.approx(matrix[i, j].item(), abs=1e-9)
    assert result.worst.values["torch"] == pytest.approx(jacobian[i, j].item(), abs=1e-9)


# A fault: where the low band does not require a gradient, that of the high bands is None. The transform
# is linear and not zero.
def test_high_bands_alone_get_no_gradient():
    inverse = wavelets.DWTInverse(wave="db1", mode="zero").double()
    low = torch.zeros((1, 1, 2, 2), dtype=torch.float64)
    assert inverse((low, [torch.ones((1, 1, 3, 2, 2), dtype=torch.float64)])).abs().max() > 0.1
    result = check_gradients(
        lambda high: inverse((low, [high])), (torch.ones((1, 1, 3, 2, 2), dtype=torch.float64),)
    )
    assert_fault(result, "none-gradient")


# A fault: the backward has no gradient for y where x does not require one. UnboundLocalError.
def test_magnitude_of_y_alone_raises():
    x = torch.tensor([0.3, -1.0], dtype=torch.float64)
    y = torch.tensor([0.5, 0.2], dtype=torch.float64, requires_grad=True)
    with pytest.raises(UnboundLocalError):
        scatter.SmoothMagFn.apply(x, y, 0.1).sum().backward()
    result = check_gradients(lambda y: scatter.SmoothMagFn.apply(x, y, 0.1), (y.detach(),))
    assert_fault(result, "backward-raised")
    assert "UnboundLocalError" in result.diagnosis.text
