"""geoopt: maps of manifolds."""

import pytest
import torch
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import Verdict, check_gradients, tensors

geoopt = outside("geoopt")

pytestmark = MARKS

ball = geoopt.PoincareBall(c=1.0)
lorentz = geoopt.Lorentz()
sphere = geoopt.Sphere()
BASE = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
NORTH = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)

vectors = tensors(3, min_value=-2, max_value=2)
inside = tensors(3, min_value=-0.5, max_value=0.5)


@pytest.mark.gradcheck(v=vectors)
def test_ball_exponential_at_zero(v):
    return ball.expmap0(v)


@pytest.mark.gradcheck(x=inside)
def test_ball_logarithm_at_zero(x):
    return ball.logmap0(x)


@pytest.mark.gradcheck(v=vectors)
def test_ball_exponential(v):
    return ball.expmap(BASE, v)


@pytest.mark.gradcheck(x=inside, y=inside)
def test_mobius_addition(x, y):
    return ball.mobius_add(x, y)


@pytest.mark.gradcheck(x=inside)
def test_ball_distance(x):
    return ball.dist(x, torch.tensor([0.6, 0.3, -0.4], dtype=torch.float64))


@pytest.mark.gradcheck(x=inside, v=vectors)
def test_parallel_transport(x, v):
    return ball.transp(x, BASE, v)


@pytest.mark.gradcheck(x=inside)
def test_conformal_factor(x):
    return ball.lambda_x(x)


@pytest.mark.gradcheck(v=tensors(2, min_value=-2, max_value=2))
def test_lorentz_exponential(v):
    base = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    return lorentz.expmap(base, torch.cat([torch.zeros(1, dtype=v.dtype), v]))


# At zero, see the fault below.
@pytest.mark.gradcheck(v=tensors(2, min_value=0.01, max_value=2))
def test_sphere_exponential(v):
    return sphere.expmap(NORTH, torch.cat([v, torch.zeros(1, dtype=v.dtype)]))


@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-0.2, max_value=0.2))
def test_distance_of_positive_definite_matrices(x):
    manifold = geoopt.SymmetricPositiveDefinite()
    symmetric = torch.diag(torch.tensor([1.0, 3.0, 6.0], dtype=x.dtype)) + (x + x.mT) / 2
    return manifold.dist(symmetric, torch.eye(3, dtype=x.dtype))


# A fault: sin|u| / |u| is computed at zero too, and where() cannot keep its nan from the gradient. The
# exponential x cos|u| + u sin|u| / |u| has the identity as its derivative at zero.
def test_sphere_exponential_at_zero_is_nan():
    result = check_gradients(lambda v: sphere.expmap(NORTH, v), (torch.zeros(3, dtype=torch.float64),))
    assert_fault(result, "non-finite-gradient")
    assert result.worst.values["central"] == pytest.approx(1)


# A fault: tanh(|v|) v / |v| is v - |v|² v / 3 + ..., whose second derivatives at zero are zero. They are
# nan.
def test_second_derivative_of_the_ball_exponential_at_zero_is_nan():
    v = torch.zeros(3, dtype=torch.float64)
    assert check_gradients(ball.expmap0, (v,)).verdict is Verdict.PASS
    assert_fault(check_gradients(ball.expmap0, (v,), order=2), "non-finite-gradient")
