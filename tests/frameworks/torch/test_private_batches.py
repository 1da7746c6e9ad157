"""What is taken of torch's private functions is there, and what happens without it."""

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from pytest_gradcheck.frameworks.torch import private
from pytest_gradcheck.function.problem import Problem


class OldStyle(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.exp(-x * x)

    @staticmethod
    def backward(ctx, cotangent):
        (x,) = ctx.saved_tensors
        return -2 * x * torch.exp(-x * x) * cotangent


X = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)


def test_the_installed_torch_has_all_of_it():
    assert private.HAS_LEVELS
    assert private.HAS_GUARD


@pytest.mark.parametrize(
    "fn", [torch.sin, lambda x: (x.sum(), x * x[0]), lambda x: 2.0], ids=["sin", "two", "number"]
)
def test_the_public_way_gives_the_same_values(fn, monkeypatch):
    def call(values):
        out = fn(*values)
        return list(out) if isinstance(out, tuple) else [out]

    leaf = torch.randn(9, 3, dtype=torch.float64)
    expected = private.mapped(call, [leaf], 9)
    monkeypatch.setattr(private, "HAS_LEVELS", False)

    for got, want in zip(private.mapped(call, [leaf], 9), expected, strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize(("fn", "together"), [(torch.sin, True), (OldStyle.apply, False)], ids=["sin", "old"])
def test_without_it_checks_do_without(fn, together, monkeypatch):
    monkeypatch.setattr(private, "HAS_LEVELS", False)
    monkeypatch.setattr(private, "HAS_GUARD", False)
    problem = Problem(fn, X)
    points = problem.point + np.random.default_rng(0).normal(size=(20, 3))

    values, calls = problem.evaluate_many(points)

    np.testing.assert_allclose(values, np.stack([problem.evaluate(point) for point in points]), rtol=1e-12)
    assert (calls < 20) is together
    assert check_gradients(fn, X).verdict == "pass"
