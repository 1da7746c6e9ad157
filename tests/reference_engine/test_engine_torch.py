"""Layers against torch, values and gradients, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import reference_engine as engine

pytestmark = pytest.mark.kernels

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def array(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


LAYERS = {
    "conv1d": (
        lambda x, w: engine.convolution(x, w, stride=2, padding=1, groups=2),
        lambda x, w: functional.conv1d(x, w, stride=2, padding=1, groups=2),
        (array(2, 4, 7), array(6, 2, 3)),
    ),
    "conv2d": (
        lambda x, w: engine.convolution(x, w, stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        lambda x, w: functional.conv2d(x, w, stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        (array(2, 3, 7, 6), array(4, 3, 3, 2)),
    ),
    "conv3d": (engine.convolution, functional.conv3d, (array(1, 2, 4, 4, 4), array(3, 2, 2, 2, 2))),
    "conv_transpose2d": (
        lambda x, w: engine.convolution_transpose(x, w, stride=3, padding=1, output_padding=2, groups=2),
        lambda x, w: functional.conv_transpose2d(x, w, stride=3, padding=1, output_padding=2, groups=2),
        (array(2, 4, 3, 4), array(4, 3, 3, 2)),
    ),
    "unfold": (
        lambda x: engine.windows(x, (2, 3), stride=2),
        lambda x: x.unfold(1, 2, 2).unfold(2, 3, 2),
        (array(2, 5, 7),),
    ),
    "softmax": (
        lambda x: engine.softmax(x, axis=0),
        lambda x: functional.softmax(x, 0),
        (50 * array(3, 4),),
    ),
    "log_softmax": (engine.log_softmax, lambda x: functional.log_softmax(x, -1), (50 * array(3, 4),)),
    "logsumexp": (
        lambda x: engine.logsumexp(x, axis=(0, 1), keepdims=True),
        lambda x: torch.logsumexp(x, (0, 1), keepdim=True),
        (array(3, 4),),
    ),
    "solve_triangular": (
        lambda a, b: engine.solve_triangular(a, b, lower=True, unit_diagonal=True),
        lambda a, b: torch.linalg.solve_triangular(a, b, upper=False, unitriangular=True),
        (array(3, 3), array(3, 2)),
    ),
    "cholesky": (
        lambda x: np.linalg.cholesky(x @ x.T + np.eye(3)),
        lambda x: torch.linalg.cholesky(x @ x.T + torch.eye(3)),
        (array(3, 3),),
    ),
    "polygamma": (lambda x: engine.polygamma(2, x), lambda x: torch.polygamma(2, x), (1 + array(4) ** 2,)),
}


@pytest.mark.parametrize(("mine", "theirs", "args"), LAYERS.values(), ids=LAYERS)
def test_same_as_torch(mine, theirs, args):
    value, pullback = engine.vjp(mine, *args)
    tensors = [torch.tensor(x, requires_grad=True) for x in args]
    expected = theirs(*tensors)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    cotangent = np.cos(np.arange(value.size)).reshape(value.shape)
    expected.backward(torch.tensor(cotangent))
    for got, tensor in zip(pullback(cotangent), tensors, strict=True):
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-9, atol=1e-11)
