"""Whole models and losses: value and gradient on the engine are torch's, weights included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip where torch is missing
from torch.nn import functional as F  # noqa: E402, N812  # the same; everybody's name for it

import reference_engine as engine  # noqa: E402  # the same
from pytest_gradcheck.lowering import lower  # noqa: E402  # the same


def rand(*shape: int, dtype: Any = torch.float64) -> Any:
    return torch.randn(*shape, dtype=dtype)


def with_parameters(module: nn.Module, *inputs: Any) -> tuple[Any, list[Any]]:
    """A function of inputs and parameters, and the tensors to call it with."""
    names = [name for name, _ in module.named_parameters()]

    def fn(*tensors: Any) -> Any:
        parameters = dict(zip(names, tensors[len(inputs) :], strict=True))
        return torch.func.functional_call(module, parameters, tensors[: len(inputs)])

    return fn, [*inputs, *(p.detach().clone() for p in module.parameters())]


def mlp() -> tuple[nn.Module, list[Any]]:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), [
        rand(3, 5)
    ]


def lenet() -> tuple[nn.Module, list[Any]]:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.GroupNorm(2, 4),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4, 3),
        nn.LogSoftmax(-1),
    ), [rand(2, 1, 12, 12)]


class LastState(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)


MODELS = {
    "mlp": mlp,
    "lenet": lenet,
    "lstm cell": lambda: (nn.LSTMCell(3, 4), [rand(2, 3)]),
    "gru cell": lambda: (nn.GRUCell(3, 4), [rand(2, 3)]),
    "rnn cell": lambda: (nn.RNNCell(3, 4), [rand(2, 3)]),
    "lstm": lambda: (LastState(nn.LSTM(3, 4, 2, bidirectional=True)), [rand(5, 2, 3)]),
    "gru": lambda: (LastState(nn.GRU(3, 4, batch_first=True)), [rand(2, 5, 3)]),
    "transformer layer": lambda: (
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu"),
        [rand(2, 5, 8)],
    ),
    "embedding and layer norm": lambda: (
        nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 2), nn.Softplus()),
        [rand(2, 3)],
    ),
    "transposed convolution": lambda: (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        [rand(2, 4, 3, 3)],
    ),
    "convolution 1d": lambda: (nn.Conv1d(4, 6, 3, dilation=2, groups=2, padding="same"), [rand(2, 4, 7)]),
    "convolution 3d": lambda: (nn.Conv3d(2, 2, 2, stride=2), [rand(1, 2, 4, 4, 4)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_agree_with_torch(name: str, agree: Any) -> None:
    module, inputs = MODELS[name]()
    fn, tensors = with_parameters(module.double(), *inputs)
    agree(fn, *tensors)


@pytest.mark.parametrize("name", ["lenet", "transformer layer"])
def test_models_in_inference_mode_run_the_same_operations(name: str, agree: Any) -> None:
    module, inputs = MODELS[name]()
    fn, tensors = with_parameters(module.double().eval(), *inputs)
    agree(fn, *tensors)


def test_attention_with_mask(agree: Any) -> None:
    mask = torch.ones(4, 4, dtype=torch.bool).tril()

    def fn(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask) + F.scaled_dot_product_attention(
            q, k, v, is_causal=True
        )

    agree(fn, rand(1, 2, 4, 3), rand(1, 2, 4, 3), rand(1, 2, 4, 3))


LABELS = torch.tensor([0, 2, 1, 2])
LOSSES: dict[str, Any] = {
    "mse": lambda x: F.mse_loss(x, torch.ones_like(x)),
    "l1": lambda x: F.l1_loss(x, torch.ones_like(x)),
    "smooth l1": lambda x: F.smooth_l1_loss(x, torch.ones_like(x), beta=0.7),
    "huber": lambda x: F.huber_loss(x, torch.ones_like(x), reduction="sum"),
    "cross entropy": lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1),
    "cross entropy, weights": lambda x: F.cross_entropy(
        x, LABELS, weight=torch.tensor([0.5, 1.0, 2.0], dtype=x.dtype), ignore_index=1
    ),
    "cross entropy, probabilities": lambda x: F.cross_entropy(x, torch.softmax(x * 2, -1)),
    "nll, images": lambda x: F.nll_loss(
        F.log_softmax(x.reshape(1, 3, 2, 2), 1), LABELS.reshape(1, 2, 2), reduction="none"
    ),
    "binary cross entropy": lambda x: F.binary_cross_entropy(torch.sigmoid(x), torch.rand(4, 3).double()),
    "with logits": lambda x: F.binary_cross_entropy_with_logits(x, torch.rand(4, 3).double()),
    "kl": lambda x: F.kl_div(
        F.log_softmax(x, -1), torch.softmax(torch.ones_like(x), -1), reduction="batchmean"
    ),
    "poisson": lambda x: F.poisson_nll_loss(x, torch.ones_like(x), full=True),
    "gaussian": lambda x: F.gaussian_nll_loss(x, torch.ones_like(x), x * x + 1),
    "hinge": lambda x: F.multi_margin_loss(x, LABELS),
    "cosine": lambda x: F.cosine_embedding_loss(x, x.flip(0), torch.tensor([1, -1, 1, -1])),
    "triplet": lambda x: F.triplet_margin_loss(x, x.roll(1, 0), x.roll(2, 0)),
    "soft margin": lambda x: F.soft_margin_loss(x, torch.ones_like(x)),
    "ctc": lambda x: F.ctc_loss(
        F.log_softmax(x, -1), torch.tensor([1, 2]), torch.tensor(4), torch.tensor(2), reduction="sum"
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_agree_with_torch(name: str, agree: Any) -> None:
    agree(LOSSES[name], rand(4, 3))


def test_graph_convolution_with_scatter(agree: Any) -> None:
    edges = torch.tensor([[0, 1, 2, 3, 3, 0], [1, 2, 3, 0, 1, 2]])

    def convolve(x: Any, weight: Any, edge_weight: Any) -> Any:
        messages = (x @ weight)[edges[0]] * edge_weight[:, None]
        summed = torch.zeros(4, weight.shape[1], dtype=x.dtype).index_add(0, edges[1], messages)
        largest = torch.full_like(summed, -torch.inf).scatter_reduce(
            0, edges[1][:, None].expand_as(messages), messages, "amax"
        )
        return torch.relu(summed) + largest.exp()

    agree(convolve, rand(4, 3), rand(3, 2), rand(6))


def test_gaussian_process_marginal_likelihood(agree: Any) -> None:
    def negative_log_likelihood(x: Any, y: Any, log_scale: Any, log_noise: Any) -> Any:
        kernel = torch.exp(-0.5 * torch.cdist(x / log_scale.exp(), x / log_scale.exp()) ** 2)
        factor = torch.linalg.cholesky(kernel + log_noise.exp() * torch.eye(len(x), dtype=x.dtype))
        alpha = torch.cholesky_solve(y[:, None], factor)[:, 0]
        return 0.5 * y @ alpha + factor.diagonal().log().sum()

    agree(negative_log_likelihood, rand(6, 2), rand(6), rand(2), rand(1)[0], rtol=1e-8)


def test_linear_algebra(agree: Any) -> None:
    def fn(a: Any, b: Any) -> Any:
        s = a @ a.mT + 3 * torch.eye(4, dtype=a.dtype)
        values, vectors = torch.linalg.eigh(s)
        return (
            torch.linalg.solve(s, b),
            torch.linalg.inv(s),
            torch.linalg.slogdet(s),
            torch.linalg.det(a),
            values,
            vectors.abs(),
            torch.linalg.svdvals(a),
            torch.linalg.qr(a).R.abs(),
            torch.linalg.solve_triangular(s, b, upper=True),
            torch.linalg.matrix_exp(a),
            torch.einsum("ij,jk,ik->i", a, s, a),
            torch.linalg.lu(a)[2],
            torch.linalg.pinv(a),
        )

    agree(fn, rand(4, 4), rand(4, 2), rtol=1e-7)


def test_eigenvalues_that_happen_to_be_real_are_complex_all_the_same(agree: Any) -> None:
    def fn(a: Any) -> Any:
        values, vectors = torch.linalg.eig(a @ a.mT)
        return values * 1j, vectors.abs(), torch.linalg.eigvals(a @ a.mT)

    agree(fn, rand(3, 3), rtol=1e-8)


def test_factors_of_matrices_that_are_not_square(agree: Any) -> None:
    def fn(wide: Any, tall: Any) -> Any:
        fit = torch.linalg.lstsq(tall, tall.sin(), driver="gelsd")
        return (
            *torch.linalg.lu(wide)[1:],
            *torch.linalg.lu(tall)[1:],
            *torch.linalg.lu_factor(tall)[:1],
            fit.solution,
            fit.residuals,
        )

    agree(fn, rand(2, 5), rand(2, 4, 3), rtol=1e-8)


def test_residuals_of_an_exact_fit_are_smooth() -> None:
    a = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    lowered = lower(lambda b: torch.linalg.lstsq(a, b, driver="gelsd").residuals[0], [a.clone()])
    curvature = engine.hessian(lambda b: lowered(b)[0])(*lowered.inputs())
    # |r| ** 2 has the slope 2 |r| sign(r), which is 0 at 0, and so is what comes of differentiating that.
    np.testing.assert_allclose(np.reshape(curvature, (2, 2)), [[0, 0], [0, 2]], atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_resizing_with_anti_aliasing(mode: str, agree: Any) -> None:
    def fn(x: Any) -> Any:
        return (
            F.interpolate(x, (3, 7), mode=mode, antialias=True),
            F.interpolate(x, scale_factor=(0.4, 1.5), mode=mode, antialias=True),
            F.interpolate(x, (2, 3), mode=mode, antialias=True, align_corners=True),
        )

    agree(fn, rand(1, 2, 6, 5))


def test_fft(agree: Any) -> None:
    def fn(x: Any) -> Any:
        spectrum = torch.fft.rfft(x, norm="ortho")
        return (
            spectrum.abs(),
            torch.fft.irfft(spectrum * spectrum, n=7),
            torch.fft.fft2(x).real,
            torch.view_as_real(torch.fft.ifft(x.to(torch.complex128))),
        )

    agree(fn, rand(3, 7))


def test_runge_kutta_step_of_an_ode(agree: Any) -> None:
    torchdiffeq = pytest.importorskip("torchdiffeq")
    times = torch.linspace(0, 0.2, 3, dtype=torch.float64)

    def fn(y: Any, a: Any) -> Any:
        return torchdiffeq.odeint(lambda t, z: torch.tanh(z @ a) - t * z, y, times, method="rk4")

    agree(fn, rand(2, 3), rand(3, 3))


def test_entmax_functions(agree: Any) -> None:
    entmax = pytest.importorskip("entmax")

    def fn(x: Any) -> Any:
        return entmax.sparsemax(x, dim=-1), entmax.entmax15(x, dim=-1), entmax.sparsemax_loss(x, LABELS)

    agree(fn, rand(4, 3))


def test_float32_model_is_replayed_in_float64_and_in_float32() -> None:
    module, inputs = mlp()
    fn, tensors = with_parameters(module.float(), *(x.float() for x in inputs))
    exact = fn(*(t.double() for t in tensors)).detach().numpy()
    lowered = lower(fn, tensors)
    [wide] = lowered(*lowered.inputs())
    assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, exact, rtol=1e-12)
    own = lowered.in_precision("own")
    [narrow] = own(*own.inputs())
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, exact, rtol=1e-4)
    assert np.any(narrow != wide)
    single = lower(fn, [t.double() for t in tensors]).in_precision("float32")
    [value] = single(*single.inputs())
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, exact, rtol=1e-4)


def test_conversions_between_floats_vanish_in_float64() -> None:
    def fn(x: Any) -> Any:
        return (x.to(torch.bfloat16).to(torch.float16).float() ** 2).sum() + x.to(torch.int64).sum()

    lowered = lower(fn, [torch.tensor([1.25, 2.7182818])])
    [value] = lowered(np.array([1.25, 2.7182818284]))
    np.testing.assert_allclose(value, 1.25**2 + 2.7182818284**2 + 3, rtol=1e-15)


def test_complex64_is_replayed_in_complex128() -> None:
    lowered = lower(lambda z: z * z.conj(), [torch.tensor([1 + 2j], dtype=torch.complex64)])
    [value] = lowered(*lowered.inputs())
    assert value.dtype == np.complex128
    assert value == [5]
