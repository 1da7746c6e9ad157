"""POT, optimal transport: values whose gradients are set from dual variables, and a matrix square root."""

import numpy as np
import pytest
import torch
from hypothesis import example, settings
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import arrays, check_gradients, positive_definite, tensors

ot = outside("ot")
smooth = outside("ot.smooth")

pytestmark = MARKS

A = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
B = torch.tensor([0.4, 0.6], dtype=torch.float64)

#: Twice the eigenvalue 1, but for rounding.
REPEATED = torch.tensor(
    [
        [0.9999999999999998, -1.0597828085351546e-15, 9.18312824286102e-16],
        [-1.0597828085351546e-15, 10.499999999999998, -9.5],
        [9.18312824286102e-16, -9.5, 10.500000000000002],
    ],
    dtype=torch.float64,
)

costs = tensors((3, 2), min_value=0, max_value=10)


@pytest.mark.gradcheck(M=costs)
@example(M=torch.zeros((3, 2), dtype=torch.float64))  # all plans are optimal, and this is the bound
@settings(max_examples=20)
def test_emd2(M):
    return ot.emd2(A, B, M)


def sinkhorn(M):
    return ot.sinkhorn2(A, B, M, reg=1.0, numItermax=2000, stopThr=1e-13)


# Equal rows and equal columns are below.
@pytest.mark.gradcheck(M=tensors((3, 2), min_value=0, max_value=10, special=False))
@settings(max_examples=20)
def test_sinkhorn2(M):
    return sinkhorn(M)


# A fault: with equal rows the plan is a bᵀ and found at once, and autograd differentiates the one iteration
# made. What a change of M does to the plan keeps its row and column sums, and the cost of equal rows does not
# see it. So the derivative with respect to M[0, 0] is the plan's entry, 0.2 · 0.4 = 0.08.
def test_sinkhorn2_of_equal_rows_is_wrong():
    M = torch.tensor([[1.0, 0.0]] * 3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(sinkhorn, M)
    assert jacobian[0, 0].item() == pytest.approx(0.112)
    result = check_gradients(sinkhorn, (M,), domain=(0, 10))
    assert_fault(result, "special-values")
    assert result.worst.values["central"] == pytest.approx(0.08)


@pytest.mark.gradcheck(M=costs)
@settings(max_examples=20)
def test_solve_with_entropy(M):
    return ot.solve(M, A, B, reg=1.0, grad="envelope", max_iter=2000, tol=1e-13).value


@pytest.mark.gradcheck(x=tensors((3, 1)), y=tensors((2, 1)))
def test_wasserstein_1d(x, y):
    return ot.wasserstein_1d(x, y, A, B, p=2)


@pytest.mark.gradcheck(a=positive_definite(3, library="torch"))
@example(a=REPEATED)
@settings(max_examples=20)
def test_matrix_square_root(a):
    return ot.backend.TorchBackend().sqrtm(a)


@pytest.mark.gradcheck(a=positive_definite(2, library="torch"), b=positive_definite(2, library="torch"))
@settings(max_examples=20)
def test_bures_distance(a, b):
    return ot.gaussian.bures_distance((a + a.mT) / 2, (b + b.mT) / 2 + 20 * torch.eye(2, dtype=a.dtype))


# Clouds that coincide are below.
@pytest.mark.gradcheck(
    x=tensors((3, 2), min_value=-5, max_value=5), y=tensors((2, 2), min_value=6, max_value=9)
)
def test_sliced_wasserstein(x, y):
    directions = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
    return ot.sliced_wasserstein_distance(x, y, A, B, projections=directions)


def dual_objective(alpha, beta):
    value, _, _ = smooth.dual_obj_grad(alpha, beta, A.numpy(), B.numpy(), COST, smooth.SquaredL2(1.0))
    return value


def dual_gradient(alpha, beta):
    _, by_alpha, by_beta = smooth.dual_obj_grad(
        alpha, beta, A.numpy(), B.numpy(), COST, smooth.SquaredL2(1.0)
    )
    return by_alpha, by_beta


COST = np.array([[0.3, 1.4], [2.1, 0.2], [0.7, 1.1]])


@pytest.mark.gradcheck(alpha=arrays(3), beta=arrays(2), gradient=dual_gradient)
def test_smooth_dual(alpha, beta):
    return dual_objective(alpha, beta)


def semi_dual_gradient(alpha):
    return smooth.semi_dual_obj_grad(alpha, A.numpy(), B.numpy(), COST, smooth.SquaredL2(1.0))[1]


@pytest.mark.gradcheck(alpha=arrays(3), gradient=semi_dual_gradient)
def test_smooth_semi_dual(alpha):
    return smooth.semi_dual_obj_grad(alpha, A.numpy(), B.numpy(), COST, smooth.SquaredL2(1.0))[0]


# A fault: where all points coincide, the distance is zero, its minimum, and zero is a subgradient. It
# is nan instead: the derivative of the root, inf, times zero.
def test_sliced_wasserstein_of_equal_points_is_nan():
    directions = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
    y = torch.zeros((2, 2), dtype=torch.float64)
    result = check_gradients(
        lambda x: ot.sliced_wasserstein_distance(x, y, A, B, projections=directions),
        (torch.zeros((3, 2), dtype=torch.float64),),
    )
    assert_fault(result, "non-finite-gradient")
