"""Modules, closures and classes that keep tensors between calls have ordinary ones after a check."""

import dataclasses
import gc
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

from pytest_gradcheck import assert_gradients, check_gradients
from pytest_gradcheck.frameworks.torch import private
from pytest_gradcheck.function.problem import Problem

X = torch.tensor(
    [[0.3, -1.2, 0.7], [2.0, 0.1, -0.4], [1.1, -0.9, 0.2], [0.5, 1.5, -2.0]], dtype=torch.float64
)


def batched(tensor):
    functorch = torch._C._functorch
    return functorch.is_batchedtensor(tensor) or functorch.is_legacy_batchedtensor(tensor)


def ordinary(tensor):
    """Whether it is a tensor that any later call can use."""
    if type(tensor) not in (torch.Tensor, nn.Parameter) or batched(tensor) or tensor.requires_grad:
        return False
    tensor.numpy()
    return bool(torch.isfinite(tensor + 1).all())


class Running(nn.Module):
    """Statistics by assignment; the value does not depend on them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, dtype=torch.float64))

    def forward(self, x):
        mean = x.mean(0)
        self.mean = 0.9 * self.mean + 0.1 * mean
        return x - mean

    def kept(self):
        return [self.mean]


class InPlace(Running):
    def forward(self, x):
        self.mean.mul_(0.9).add_(0.1 * x.detach().mean(0))
        return x - x.mean(0)


class PlainAttribute(nn.Module):
    last = None

    def forward(self, x):
        self.last = (x * 2, {"sum": x.sum()})
        return torch.sin(x)

    def kept(self):
        return [self.last[0], self.last[1]["sum"]]


class SetOnce(nn.Module):
    """As layers that take their scale from the first batch."""

    scale = None

    def forward(self, x):
        if self.scale is None:
            self.scale = x.std(0)
        return x / self.scale

    def kept(self):
        return [self.scale]


class Distribution(nn.Module):
    posterior = None

    def forward(self, x):
        self.posterior = torch.distributions.Normal(x.mean(0), x.exp().sum(0))
        return self.posterior.mean * x

    def kept(self):
        return [self.posterior.loc, self.posterior.scale]


class OfTheClass:
    largest = torch.zeros((), dtype=torch.float64)

    def __call__(self, x):
        OfTheClass.largest = torch.maximum(OfTheClass.largest, x.abs().max())
        return torch.tanh(x)

    def kept(self):
        return [OfTheClass.largest]


@dataclasses.dataclass
class Memory:
    cell: torch.Tensor | None = None

    def __call__(self, x):
        self.cell = x.cumsum(0)
        return x * self.cell.detach().sign()

    def kept(self):
        return [self.cell]


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Running(), PlainAttribute(), Running()])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def kept(self):
        return [value for layer in self.layers for value in layer.kept()]


class BatchNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3, dtype=torch.float64)

    def forward(self, x):
        return self.norm(x)

    def kept(self):
        return [self.norm.running_mean, self.norm.running_var]


KEEPERS = [
    Running, InPlace, PlainAttribute, SetOnce, Distribution, OfTheClass, Memory, Nested, BatchNorm
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", KEEPERS)
def test_ordinary_tensors_are_left(kind, dtype):
    made = kind()
    if isinstance(made, nn.Module):
        made.to(dtype)
    x = X.to(dtype)
    for _ in range(3):
        result = check_gradients(lambda x: made(x), x, mode="full")
        # A batch norm of float32 computes in float32 for float64 too, whose noise leaves doubt.
        narrow = kind is BatchNorm and dtype is torch.float32
        assert result.verdict == "pass" or (narrow and result.verdict != "fail"), str(result)
        assert all(map(ordinary, made.kept())), made.kept()
    if isinstance(made, nn.Module):
        assert {value.dtype for value in made.kept()} == {dtype}
    made(x)


@pytest.mark.parametrize("how", ["itself", "argument", "constant"])
@pytest.mark.parametrize("kind", [Running, PlainAttribute, Nested, BatchNorm])
def test_modules_that_are_checked_themselves(kind, how):
    made = kind()
    for _ in range(2):
        if how == "constant":
            result = check_gradients(lambda layers, x: layers["a"](x), ({"a": made}, X), wrt=1)
        elif how == "argument":
            result = check_gradients(lambda layer, x: layer(x), (made, X), wrt="x")
        else:
            result = check_gradients(made, X)
        assert result.verdict == "pass", str(result)
        assert all(map(ordinary, made.kept())), made.kept()


@pytest.mark.parametrize("kind", KEEPERS)
def test_wrong_gradients_of_such_functions_still_fail(kind):
    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, cotangent):
            return cotangent * 1.01

    made = kind()
    result = check_gradients(lambda x: Off.apply(made(x)), X)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert not any(map(batched, made.kept()))


def test_three_checks_of_one_module(gradcheck):
    module = Running()
    for _ in range(3):
        gradcheck(lambda x: module(x), torch.rand(4, 3, dtype=torch.float64))
    assert ordinary(module.mean)


class Spectral(nn.Module):
    """One step of the power iteration per call."""

    def __init__(self):
        super().__init__()
        self.u = functional.normalize(torch.ones(3, dtype=torch.float64), dim=0)

    def forward(self, w):
        with torch.no_grad():
            v = functional.normalize(w.T @ self.u, dim=0)
            self.u = functional.normalize(w @ v, dim=0)
        return w / (self.u @ w @ v)


def test_spectral_norm_is_not_accused():
    module = Spectral()
    generator = torch.Generator().manual_seed(0)
    wild = torch.rand(3, 2, dtype=torch.float64, generator=generator)
    for w in (torch.ones(3, 2, dtype=torch.float64), torch.ones(3, 2, dtype=torch.float64), wild):
        result = check_gradients(lambda w: module(w), w)
        assert result.verdict != "fail", str(result)
        assert ordinary(module.u)
    with torch.no_grad():
        for _ in range(200):
            module(wild)
    assert check_gradients(lambda w: module(w), wild).verdict == "pass"


def test_the_spectral_norm_of_torch():
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2, dtype=torch.float64))
    for _ in range(3):
        assert check_gradients(lambda x: layer(x), X).verdict != "fail"
    assert all(map(ordinary, [*(b.detach() for b in layer.buffers()), layer.weight.detach()]))


def test_a_running_average_in_the_value_is_nondeterministic():
    module = Running()

    def fn(x):
        module(x)
        return x * module.mean.detach()

    result = check_gradients(fn, X)
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nondeterministic")
    assert ordinary(module.mean)


def test_a_check_that_raises():
    module = Running()

    def fn(x):
        out = module(x)
        if batched(x):
            raise KeyboardInterrupt
        return out

    with pytest.raises(KeyboardInterrupt):
        check_gradients(fn, torch.cat([X, X, X]), mode="full")
    assert ordinary(module.mean)
    assert_gradients(lambda x: module(x), X)


# -- where no one can look -------------------------------------------------------------------------------


def test_what_is_kept_out_of_reach():
    hidden = threading.local()
    hidden.log = []

    def fn(x):
        hidden.last = x * 2
        hidden.log.append((x, x.sum()))
        return torch.sin(x)

    assert check_gradients(fn, X, mode="full").verdict == "pass"
    assert hidden.log
    assert not any(batched(value) for entry in [*hidden.log, (hidden.last,)] for value in entry)
    # As a call at the first point alone: the batch has the point itself there.
    assert all(entry[0].shape == X.shape for entry in hidden.log)


class Keeps(torch.autograd.Function):
    """Its forward and its backward keep what they are given."""

    seen: list = []  # noqa: RUF012  it is shared on purpose
    last = None
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        Keeps.last = x * 1
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, cotangent):
        (x,) = ctx.saved_tensors
        Keeps.seen.append(cotangent)
        Keeps.cotangent = cotangent * 1
        return cotangent * x.cos()


def test_a_function_whose_backward_keeps_its_cotangents():
    Keeps.seen.clear()
    result = check_gradients(Keeps.apply, torch.linspace(0, 2, 20, dtype=torch.float64), mode="full")
    assert result.verdict == "pass", str(result)
    assert len(Keeps.seen) > 10
    assert not any(map(batched, Keeps.seen))
    assert not batched(Keeps.last)
    assert getattr(Keeps, "cotangent", None) is None


def test_a_block_leaves_no_tensor_with_an_axis_more():
    kept, weak = [], []

    def call(values):
        kept.append(values[0] * 2)
        kept.append(nn.Parameter(values[0], requires_grad=False))
        weak.append(torch.zeros(2))
        gc.collect()
        return [values[0].sum()]

    enabled = gc.isenabled()
    with private.none_batched_afterwards():
        assert not gc.isenabled()
        with private.rules_only():
            (out,) = private.mapped(call, [X], 4)
    assert gc.isenabled() == enabled
    torch.testing.assert_close(out, X.sum(1))
    torch.testing.assert_close(kept[0], 2 * X[0])
    assert type(kept[1]) is nn.Parameter
    assert all(map(ordinary, kept))


def test_a_block_that_raises_leaves_none_either():
    kept = []

    def call(values):
        kept.append(values[0] * 2)
        raise KeyError

    with pytest.raises(KeyError), private.none_batched_afterwards():
        private.mapped(call, [X], 4)
    assert ordinary(kept[0])


def test_other_tensors_stay_what_they_are():
    x = X.clone().requires_grad_()
    with private.none_batched_afterwards():
        y = x.exp()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, X.exp())


def test_a_release_without_these_names_calls_point_by_point(monkeypatch):
    monkeypatch.setattr(private, "HAS_PARTS", False)
    problem = Problem(torch.sin, X)
    points = problem.point + torch.rand(20, 12, dtype=torch.float64).numpy()
    _, calls = problem.evaluate_many(points)
    assert calls == 20
    assert check_gradients(torch.sin, X, mode="full").verdict == "pass"


def test_a_function_with_state_is_still_evaluated_together():
    module = Running()
    problem = Problem(lambda x: module(x), X)
    points = problem.point + torch.rand(20, 12, dtype=torch.float64).numpy()
    before = module.mean
    _, calls = problem.evaluate_many(points)
    assert calls < 10
    assert module.mean is before
