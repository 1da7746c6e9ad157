"""Whole models as functions of their inputs and weights, small and large, for tests and benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

__all__ = ["MODELS", "Model", "with_parameters"]


class Model(NamedTuple):
    """A function, and the tensors in float64 to call it with, weights included."""

    fn: Callable[..., Any]
    tensors: list[torch.Tensor]

    def in_dtype(self, dtype: torch.dtype) -> list[torch.Tensor]:
        """The tensors in another dtype, all of them leaves that require a gradient."""
        return [tensor.detach().to(dtype).requires_grad_() for tensor in self.tensors]


def rand(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def with_parameters(module: nn.Module, *inputs: torch.Tensor) -> Model:
    """A module as a function of its inputs and its parameters."""
    names = [name for name, _ in module.named_parameters()]

    def fn(*tensors: Any) -> Any:
        given = dict(zip(names, tensors[len(inputs) :], strict=True))
        buffers = {name: _as(buffer, tensors[0]) for name, buffer in module.named_buffers()}
        return torch.func.functional_call(module, given | buffers, tensors[: len(inputs)])

    return Model(fn, [*inputs, *(p.detach().double() for p in module.parameters())])


def _as(buffer: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A copy, so every call finds the same statistics."""
    return buffer.to(like.dtype, copy=True) if buffer.is_floating_point() else buffer.clone()


# ---------------------------------------------------------------------- layers


def mlp(large: bool) -> Model:
    if large:
        layers = [nn.Linear(256, 512), nn.Tanh(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
        return with_parameters(nn.Sequential(*layers), rand(128, 256))
    layers = [nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)]
    return with_parameters(nn.Sequential(*layers), rand(3, 5))


def lenet(large: bool) -> Model:
    """Like LeNet-5, with batch normalisation."""
    one, two, kernel, size, batch = (6, 16, 5, 28, 32) if large else (2, 3, 3, 12, 2)
    after = ((size // 2) - kernel + 1) // 2
    return with_parameters(
        nn.Sequential(
            # Without a bias: a batch norm takes it out again, and its gradient is zero, all rounding.
            nn.Conv2d(1, one, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(one),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(one, two, kernel, bias=False),
            nn.BatchNorm2d(two),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(two * after * after, 4),
            nn.LogSoftmax(-1),
        ),
        rand(batch, 1, size, size),
    )


def lstm_cell(large: bool) -> Model:
    return with_parameters(nn.LSTMCell(256, 512), rand(64, 256)) if large else _small(nn.LSTMCell(3, 4))


def gru_cell(large: bool) -> Model:
    return with_parameters(nn.GRUCell(256, 512), rand(64, 256)) if large else _small(nn.GRUCell(3, 4))


def _small(cell: nn.Module) -> Model:
    return with_parameters(cell, rand(2, 3))


def lstm(large: bool) -> Model:
    if large:
        return with_parameters(nn.LSTM(64, 128), rand(20, 32, 64))
    return with_parameters(nn.LSTM(3, 4, 2, bidirectional=True), rand(5, 2, 3))


def gru(large: bool) -> Model:
    if large:
        return with_parameters(nn.GRU(64, 128), rand(20, 32, 64))
    return with_parameters(nn.GRU(3, 4, batch_first=True), rand(2, 5, 3))


def transformer(large: bool) -> Model:
    width, heads, inner, shape = (128, 8, 512, (8, 64, 128)) if large else (8, 2, 16, (2, 5, 8))
    layer = nn.TransformerEncoderLayer(width, heads, inner, dropout=0.0, batch_first=True, activation="gelu")
    return with_parameters(layer, rand(*shape))


# ---------------------------------------------------------------------- functions


def graph_convolution(large: bool) -> Model:
    """Messages along edges, summed and compared at their targets."""
    nodes, edges, width, out = (1000, 5000, 64, 32) if large else (4, 6, 3, 2)
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randint(nodes, (2, edges), generator=generator)

    def fn(x: Any, weight: Any, edge_weight: Any) -> Any:
        messages = (x @ weight)[source] * edge_weight[:, None]
        summed = torch.zeros(nodes, out, dtype=x.dtype).index_add(0, target, messages)
        largest = torch.zeros_like(summed).scatter_reduce(
            0, target[:, None].expand_as(messages), messages, "amax"
        )
        return torch.relu(summed) + largest.tanh()

    return Model(fn, [rand(nodes, width), rand(width, out), rand(edges)])


def ode_step(large: bool) -> Model:
    """One step of Runge and Kutta's fourth order."""
    batch, width = (256, 128) if large else (2, 3)
    step = 0.125

    def field(y: Any, a: Any, b: Any) -> Any:
        return torch.tanh(y @ a + b) - y

    def fn(y: Any, a: Any, b: Any) -> Any:
        one = field(y, a, b)
        two = field(y + step / 2 * one, a, b)
        three = field(y + step / 2 * two, a, b)
        four = field(y + step * three, a, b)
        return y + step / 6 * (one + 2 * two + 2 * three + four)

    return Model(fn, [rand(batch, width), rand(width, width), rand(width)])


def gaussian_process(large: bool) -> Model:
    """The negative logarithm of the marginal likelihood, by cholesky."""
    points = 400 if large else 6

    def fn(x: Any, y: Any, log_scale: Any, log_noise: Any) -> Any:
        scaled = x / log_scale.exp()
        square = ((scaled[:, None] - scaled) ** 2).sum(-1)
        kernel = torch.exp(-0.5 * square) + log_noise.exp() * torch.eye(points, dtype=x.dtype)
        factor = torch.linalg.cholesky(kernel)
        alpha = torch.cholesky_solve(y[:, None], factor)[:, 0]
        return 0.5 * y @ alpha + factor.diagonal().log().sum()

    return Model(fn, [rand(points, 2), rand(points), rand(2), rand(1)[0]])


# ---------------------------------------------------------------------- from elsewhere


def entmax(large: bool) -> Model:
    """Functions of the package entmax, each with a backward of its own."""
    import entmax as package

    def fn(x: Any) -> Any:
        return package.sparsemax(x, dim=-1), package.entmax15(x, dim=-1)

    return Model(fn, [rand(1024, 128) if large else rand(4, 3)])


def torchdiffeq(large: bool) -> Model:
    """Two steps of the package torchdiffeq."""
    import torchdiffeq as package

    batch, width = (512, 128) if large else (2, 3)

    # The times too, because what is computed from constants alone is rounded to the dtype of the call.
    def fn(y: Any, a: Any, times: Any) -> Any:
        return package.odeint(lambda t, z: torch.tanh(z @ a) - t * z, y, times, method="rk4")

    return Model(fn, [rand(batch, width), rand(width, width), torch.tensor([0.0, 0.125, 0.25]).double()])


MODELS: dict[str, Callable[[bool], Model]] = {
    "MLP": mlp,
    "LeNet with batch norm": lenet,
    "LSTM cell": lstm_cell,
    "GRU cell": gru_cell,
    "LSTM": lstm,
    "GRU": gru,
    "Transformer layer": transformer,
    "graph convolution": graph_convolution,
    "ODE step": ode_step,
    "Gaussian process": gaussian_process,
    "entmax": entmax,
    "torchdiffeq": torchdiffeq,
}
