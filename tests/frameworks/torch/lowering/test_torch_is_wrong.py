"""Where torch and the engine disagree, differences side with the engine: torch is the culprit."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gradcheck import check_gradients

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402, N812  # after the skip; everybody's name for it

pytestmark = pytest.mark.kernels

MATRIX = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.3, 0.1]], dtype=torch.float64)


def overwritten(x: Any) -> Any:
    return torch.as_strided_scatter(x, x.new_ones(2), (2,), (1,))


def put_twice(x: Any) -> Any:
    return torch.zeros(3, dtype=x.dtype).index_put((torch.tensor([0, 0, 1]),), x)


def unpooled_twice(x: Any) -> Any:
    return F.max_unpool1d(x[None, None], torch.tensor([[[0, 0, 3]]]), 2)


def in_chunks(x: Any) -> Any:
    options = torch.nn.LinearCrossEntropyOptions()
    return F.linear_cross_entropy(x[:2][None], MATRIX, torch.tensor([1]), options=options)


def triangle_alone(x: Any) -> Any:
    return torch.linalg.cholesky(x.reshape(2, 2) + 3 * torch.eye(2, dtype=x.dtype))


def scores(x: Any) -> Any:
    lengths = torch.tensor([1]), torch.tensor([1])
    return F.ctc_loss(x.reshape(1, 1, 3), torch.tensor([[1]]), *lengths, reduction="sum")


@pytest.mark.parametrize(
    ("fn", "order"),
    [(overwritten, 1), (put_twice, 1), (unpooled_twice, 1), (in_chunks, 2), (scores, 1)],
)
def test_torch_is_the_culprit(fn: Any, order: int) -> None:
    x = torch.tensor([0.5, -1.0, 0.3], dtype=torch.float64)
    result = check_gradients(fn, x, methods=("central", "reference", "torch"), order=order)
    assert result.verdict == "fail", str(result)
    assert result.culprit == "torch", str(result)


def test_one_triangle_of_a_matrix_that_is_not_kept_symmetric() -> None:
    x = torch.tensor([0.5, -1.0, 0.3, 0.7], dtype=torch.float64)
    result = check_gradients(triangle_alone, x, methods=("central", "reference", "torch"))
    assert result.verdict == "fail", str(result)
    assert result.culprit == "torch", str(result)


def test_one_triangle_of_a_symmetric_matrix_is_right() -> None:
    def kept(x: Any) -> Any:
        a = x.reshape(2, 2)
        return triangle_alone(((a + a.mT) / 2).reshape(-1))

    x = torch.tensor([0.5, -1.0, 0.3, 0.7], dtype=torch.float64)
    result = check_gradients(kept, x, methods=("central", "reference", "torch"))
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize("x", [2.685, 0.001, 40.0, -0.6, -1.97190977, -7.659])
def test_the_derivative_of_digamma_is_not_torchs_trigamma(x: float) -> None:
    """torch's is off by 4e-10 of itself; see DLMF 25.11.12 and 5.15.6."""
    mpmath = pytest.importorskip("mpmath")
    found = check_gradients(
        torch.digamma, torch.tensor(x, dtype=torch.float64), methods=("reference", "torch", "central")
    )
    assert found.verdict == "pass", str(found)
    truth = float(mpmath.psi(1, mpmath.mpf(x)))
    assert float(found.methods["reference"].value) == pytest.approx(truth, rel=1e-14)
