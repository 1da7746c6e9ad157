"""tad-mctc: solves, eigenvalues, distances and pair sums with hand-written derivatives."""

import pytest
import torch
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import check_gradients, positive_definite, tensors

attach = outside("tad_mctc.autograd.attach")
distance = outside("tad_mctc.storch.distance")
elemental = outside("tad_mctc.storch.elemental")
linalg = outside("tad_mctc.storch.linalg")
linsolve = outside("tad_mctc.storch.linsolve")
implicit = outside("tad_mctc.storch.implicit")

pytestmark = MARKS


@pytest.mark.gradcheck(a=positive_definite(3, library="torch"), b=tensors((3, 2)))
@pytest.mark.parametrize("method", ["lu", "cholesky"])
def test_dense_solve(method, a, b):
    return linsolve.dense_solve((a + a.mT) / 2, b, method)


@pytest.mark.gradcheck(a=positive_definite(3, library="torch"))
def test_eigenvalues(a):
    return linalg.eighb((a + a.mT) / 2)[0]


def logarithm(a):
    values, vectors = linalg.eighb((a + a.mT) / 2)
    return vectors @ torch.diag(values.log()) @ vectors.mT


# The eigenvalues stay apart: what eigenvectors do where they meet is below.
@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-0.2, max_value=0.2))
def test_matrix_from_eigenvectors(x):
    return logarithm(torch.diag(torch.tensor([1.0, 3.0, 6.0], dtype=x.dtype)) + x)


@pytest.mark.gradcheck(x=tensors((3, 2), min_value=-10, max_value=10))
@pytest.mark.parametrize(
    "function", [distance.cdist, distance.cdist_direct_expansion, distance.euclidean_dist_quadratic_expansion]
)
def test_distance(function, x):
    y = torch.tensor([[20.5, 0.0], [-11.0, 30.0]], dtype=torch.float64)
    return function(x, y)


@pytest.mark.gradcheck(x=tensors(4, min_value=1e-3, max_value=100))
def test_safe_sqrt(x):
    return elemental.safe_sqrt(x)


@pytest.mark.gradcheck(x=tensors(3, min_value=-10, max_value=10))
def test_attached_gradient(x):
    return attach.attach_gradient(lambda x: torch.sin(x), x, torch.cos(x))


# With batched cotangents, see the fault below.
@pytest.mark.gradcheck(p=tensors(3, min_value=0.1, max_value=5), properties=("-batched-cotangents",))
def test_implicit_root(p):
    return implicit.implicit_root(lambda x, p: x + x**3 - p, newton(p), p)


def newton(p):
    x = p / (1 + p.square())
    for _ in range(60):
        x = x - (x + x**3 - p) / (1 + 3 * x**2)
    return x


# A fault, or the price of a gradient that is always finite: for equal eigenvalues the terms between their
# eigenvectors are dropped. At the identity the logarithm of a matrix has the identity as its derivative:
# moving a[0, 1] moves the symmetric part, and so the logarithm, by one half.
def test_logarithm_by_eigenvectors_at_the_identity_is_wrong():
    result = check_gradients(logarithm, (torch.eye(3, dtype=torch.float64),))
    assert_fault(result, "special-values")
    assert result.worst.values["torch"] == 0
    assert result.worst.values["central"] == pytest.approx(0.5, rel=1e-9)


# A fault: the backward calls detach() where torch has mapped it, which torch refuses. The gradient itself is
# right.
def test_implicit_root_with_batched_cotangents_raises():
    def root(p):
        return implicit.implicit_root(lambda x, p: x + x**3 - p, newton(p), p)

    p = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"[Bb]atching rule"):
        torch.autograd.grad(root(p), p, torch.eye(2, dtype=p.dtype), is_grads_batched=True)
    assert_fault(check_gradients(root, (p.detach(),)), "batched-cotangents")
