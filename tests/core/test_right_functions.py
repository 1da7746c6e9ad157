"""Right functions under the marker itself: a hundred points each, zeros, ties and kinks among them."""

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch.nn import functional

from pytest_gradcheck import arrays, tensors

pytestmark = pytest.mark.sweep

repeatable = settings(derandomize=True, database=None)

TORCH = {
    "softplus": functional.softplus,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": functional.relu,
    "softmax": lambda x: functional.softmax(x, -1),
    "logsm": lambda x: functional.log_softmax(x, -1),
    "lse": lambda x: torch.logsumexp(x, -1),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "ln": lambda x: functional.layer_norm(x, x.shape[-1:]),
    "max": lambda x: x.max(-1).values,
    "sort": lambda x: x.sort(-1).values,
    "cumsum": lambda x: x.cumsum(-1),
    "prod": lambda x: x.prod(-1),
    "std": lambda x: x.std(-1),
    "exp": torch.exp,
    "sin": torch.sin,
    "abs": torch.abs,
    "clamp": lambda x: x.clamp(-1, 1),
    "huber": lambda x: functional.huber_loss(x, torch.zeros_like(x)),
    "l1": lambda x: functional.l1_loss(x, torch.ones_like(x)),
    "atan2": lambda x: torch.atan2(x, x.flip(0) + 0.5),
    "mm": lambda x: x @ x.T,
    "elu": functional.elu,
    "mish": functional.mish,
    "hardswish": functional.hardswish,
    "logsig": functional.logsigmoid,
    "bce": lambda x: functional.binary_cross_entropy_with_logits(x, torch.full_like(x, 0.3)),
    "erf": torch.erf,
    "recip": lambda x: 1 / (x * x + 1),
    "var": lambda x: x.var(),
    "amax": lambda x: x.amax(),
    "median": lambda x: x.median(-1).values,
    "where": lambda x: torch.where(x > 0, x**2, -x),
    "sqrt": lambda x: torch.sqrt(x.abs()),
    "pow": lambda x: x.abs() ** 1.5,
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.gradcheck(x=tensors((3, 4)))
@repeatable
def test_float64(name, x):
    return TORCH[name](x)


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.gradcheck(x=tensors((3, 4), dtype="float32"))
@repeatable
def test_float32(name, x):
    return TORCH[name](x)


NUMPY = {
    "sin": np.sin,
    "logaddexp": lambda x: np.logaddexp(x, 1),
    "norm": np.linalg.norm,
    "sort": np.sort,
    "max": np.max,
    "std": np.std,
    "where": lambda x: np.where(x > 0, x, np.expm1(x)),
    "hyp": lambda x: np.hypot(x, 1),
    "mm": lambda x: x @ x.T,
    "cum": np.cumsum,
    "clip": lambda x: np.clip(x, -1, 2),
    "pow": lambda x: np.abs(x) ** 2.5,
    "prod": np.prod,
    "arctan2": lambda x: np.arctan2(x, 2),
    "mean": lambda x: ((x - x.mean()) ** 2).mean(),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "sinc": np.sinc,
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
}


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.gradcheck(x=arrays((3, 4)))
@repeatable
def test_numpy(name, x):
    return NUMPY[name](x)
