"""Whole models and losses: value and gradient on the engine are torch's, weights included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lowering_gradients import cotangents, engine_gradients  # noqa: E402  # the same
from lowering_models import MODELS, rand, with_parameters  # noqa: E402  # the same
from torch import nn  # noqa: E402  # after the skip where torch is missing
from torch.nn import functional as F  # noqa: E402, N812  # the same; everybody's name for it

import reference_engine as engine  # noqa: E402  # the same
from pytest_gradcheck import check_gradients  # noqa: E402  # the same
from pytest_gradcheck.frameworks.torch.lowering import lower, tree  # noqa: E402  # the same

pytestmark = pytest.mark.kernels

LAYERS: dict[str, Any] = {
    "rnn cell": lambda: (nn.RNNCell(3, 4), rand(2, 3)),
    "layer norm": lambda: (
        nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 2), nn.Softplus()),
        rand(2, 3),
    ),
    "group norm": lambda: (nn.Sequential(nn.Conv2d(2, 4, 3, stride=2), nn.GroupNorm(2, 4)), rand(2, 2, 7, 7)),
    "transposed convolution": lambda: (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        rand(2, 4, 3, 3),
    ),
    "convolution 1d": lambda: (nn.Conv1d(4, 6, 3, dilation=2, groups=2, padding="same"), rand(2, 4, 7)),
    "convolution 3d": lambda: (nn.Conv3d(2, 2, 2, stride=2), rand(1, 2, 4, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree_with_torch(name: str, agree: Any) -> None:
    layer = with_parameters(*LAYERS[name]())
    agree(layer.fn, *layer.tensors)


@pytest.mark.parametrize("name", MODELS)
def test_models_agree_with_torch(name: str, agree: Any) -> None:
    model = MODELS[name](False)
    agree(model.fn, *model.tensors, rtol=1e-8 if name == "Gaussian process" else 1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_models_are_right_by_reference_and_torch_alone(name: str, dtype: Any) -> None:
    model = MODELS[name](False)
    result = check_gradients(model.fn, tuple(model.in_dtype(dtype)), methods=("reference", "torch"))
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "entmax"])
def test_second_derivatives_of_models_by_reference_and_torch_alone(name: str) -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    model = MODELS[name](False)
    with sdpa_kernel(SDPBackend.MATH):  # torch has no second derivative of its fused attention
        result = check_gradients(
            model.fn, tuple(model.in_dtype(torch.float64)), methods=("reference", "torch"), order=2
        )
    assert result.verdict == "pass", str(result)


def test_the_second_derivative_of_entmax_is_nan_where_an_entry_is_zero() -> None:
    # Its backward takes the root of the result, and the root of zero has no slope.
    entmax = pytest.importorskip("entmax")
    x = torch.tensor([2.0, 0.1, -3.0], dtype=torch.float64)
    for methods in [("reference", "torch"), ("central", "reference", "torch")]:
        result = check_gradients(lambda x: entmax.entmax15(x, dim=-1), x, methods=methods, order=2)
        assert result.verdict == "fail", str(result)
        assert result.worst is not None
        assert np.isnan(result.worst.values["torch"])
    assert result.culprit == "torch"


@pytest.mark.parametrize("name", MODELS)
def test_models_in_float32_have_the_gradient_that_they_have_in_float64(name: str) -> None:
    model = MODELS[name](False)
    narrow = model.in_dtype(torch.float32)
    lowered = lower(model.fn, narrow)
    values, ours = engine_gradients(lowered, range(len(narrow)))
    wide = [tensor.detach().double().requires_grad_() for tensor in narrow]
    outputs = tree.tensors(model.fn(*wide))
    theirs = torch.autograd.grad(outputs, wide, [torch.from_numpy(c) for c in cotangents(values)])
    # Entries that cancel to nothing carry the rounding of the others.
    floor = 1e-12 * max(float(b.abs().max()) for b in theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-9, atol=floor)


@pytest.mark.parametrize("name", ["LeNet with batch norm", "Transformer layer"])
def test_large_models_agree_with_torch(name: str, agree: Any) -> None:
    model = MODELS[name](True)
    agree(model.fn, *model.tensors, rtol=1e-8)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), (2, 1, 6, 6)),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    ],
    ids=["batch norm", "transformer layer"],
)
def test_models_in_inference_mode_run_the_same_operations(module: Any, shape: Any, agree: Any) -> None:
    model = with_parameters(module.eval(), rand(*shape))
    agree(model.fn, *model.tensors)


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


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("repeated", [2.0, torch.nan])
def test_equal_entries_keep_their_order_when_sorted(repeated: float, descending: bool) -> None:
    # Short lines are sorted by insertion, which keeps every order.
    x = rand(2, 200)
    x[:, ::3] = repeated

    def fn(x: Any) -> Any:
        return torch.sort(x, dim=1, descending=descending, stable=True)

    values, indices = lower(fn, [x])(x.numpy())
    np.testing.assert_array_equal(values, fn(x).values.numpy())
    np.testing.assert_array_equal(indices, fn(x).indices.numpy())


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


def test_losses_with_a_backward_of_their_own(agree: Any) -> None:
    entmax = pytest.importorskip("entmax")
    agree(lambda x: (entmax.sparsemax_loss(x, LABELS), entmax.entmax15_loss(x, LABELS)), rand(4, 3))


def test_float32_model_is_replayed_in_float64_and_in_float32() -> None:
    model = MODELS["MLP"](False)
    fn, tensors = model.fn, model.in_dtype(torch.float32)
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
