"""tad-mctc: solves, eigenvalues, distances and pair sums with hand-written derivatives."""

import pytest
import torch
from outside import MARKS, outside

from pytest_gradcheck import positive_definite, tensors

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


@pytest.mark.gradcheck(a=positive_definite(3, library="torch"))
def test_matrix_from_eigenvectors(a):
    values, vectors = linalg.eighb((a + a.mT) / 2)
    return vectors @ torch.diag(values.log()) @ vectors.mT


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


@pytest.mark.gradcheck(p=tensors(3, min_value=0.1, max_value=5))
def test_implicit_root(p):
    return implicit.implicit_root(lambda x, p: x + x**3 - p, newton(p), p)


def newton(p):
    x = p / (1 + p.square())
    for _ in range(60):
        x = x - (x + x**3 - p) / (1 + 3 * x**2)
    return x
