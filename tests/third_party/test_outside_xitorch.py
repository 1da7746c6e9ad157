"""xitorch: eigenvalues, solves, roots, integrals and interpolation with hand-written backwards."""

import pytest
import torch
from hypothesis import settings
from outside import MARKS, outside

from pytest_gradcheck import positive_definite, tensors

xitorch = outside("xitorch")
integrate = outside("xitorch.integrate")
interpolate = outside("xitorch.interpolate")
linalg = outside("xitorch.linalg")
optimize = outside("xitorch.optimize")

pytestmark = MARKS


def operator(a):
    return xitorch.LinearOperator.m((a + a.mT) / 2, is_hermitian=True)


@pytest.mark.gradcheck(a=positive_definite(3, library="torch"), b=tensors((3, 2)))
@settings(max_examples=20)
def test_solve(a, b):
    return linalg.solve(operator(a), b, method="exactsolve")


@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-0.2, max_value=0.2))
@settings(max_examples=20)
def test_eigenvalues(x):
    a = torch.diag(torch.tensor([1.0, 3.0, 6.0], dtype=x.dtype)) + x
    return linalg.symeig(operator(a), method="exacteig")[0]


@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-0.2, max_value=0.2))
@settings(max_examples=20)
def test_projector(x):
    a = torch.diag(torch.tensor([1.0, 3.0, 6.0], dtype=x.dtype)) + x
    vectors = linalg.symeig(operator(a), neig=2, method="exacteig")[1]
    return vectors @ vectors.mT


# Some seconds for each example of these two: every value takes a search.
@pytest.mark.gradcheck(p=tensors(2, min_value=0.1, max_value=5))
@settings(max_examples=10)
def test_root(p):
    start = torch.ones(2, dtype=p.dtype)
    return optimize.rootfinder(lambda x, p: x + x**3 - p, start, params=(p,), f_tol=1e-10, x_tol=1e-10)


# Beyond 2 the solver gives up at some points ("Jacobian inversion yielded zero vector").
@pytest.mark.gradcheck(p=tensors(2, min_value=0.1, max_value=1.5))
@settings(max_examples=10)
def test_minimum(p):
    start = torch.zeros(2, dtype=p.dtype)
    return optimize.minimize(
        lambda x, p: (torch.cosh(x) - p * x).sum(), start, params=(p,), f_tol=1e-10, x_tol=1e-10
    )


@pytest.mark.gradcheck(
    a=tensors((), min_value=-2, max_value=0),
    b=tensors((), min_value=0.1, max_value=2),
    p=tensors((), min_value=-3, max_value=3),
)
def test_quadrature(a, b, p):
    return integrate.quad(lambda x, p: torch.exp(-p * x) * x, a, b, params=(p,), n=40)


@pytest.mark.gradcheck(y=tensors(5, min_value=-3, max_value=3))
@pytest.mark.parametrize("function", ["cspline", "linear"])
def test_interpolation(function, y):
    x = torch.tensor([0.0, 0.4, 1.0, 1.7, 2.0], dtype=y.dtype)
    at = torch.tensor([0.1, 0.5, 1.9], dtype=y.dtype)
    return interpolate.Interp1D(x, y, method=function)(at)
