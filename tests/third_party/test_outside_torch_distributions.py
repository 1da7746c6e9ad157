"""torch.distributions: log-densities, and samples by the reparameterization of their parameters."""

import pytest
import torch
from hypothesis import settings
from outside import MARKS

from pytest_gradcheck import tensors

d = torch.distributions

pytestmark = MARKS

positive = tensors(2, min_value=0.2, max_value=10)
numbers = tensors(2, min_value=-5, max_value=5)


@pytest.mark.gradcheck(a=positive, b=positive)
@pytest.mark.parametrize(
    "function", [d.Gamma, d.Beta, d.StudentT, d.Weibull, d.Kumaraswamy, d.FisherSnedecor]
)
def test_log_prob(function, a, b):
    return function(a, b).log_prob(torch.tensor([0.3, 0.8], dtype=torch.float64))


@pytest.mark.gradcheck(a=positive, b=positive)
@pytest.mark.parametrize("function", [d.Gamma, d.Beta, d.Weibull, d.LogNormal, d.InverseGamma])
@settings(max_examples=25)
def test_rsample(function, a, b):
    return function(a, b).rsample()


@pytest.mark.gradcheck(a=tensors(3, min_value=0.2, max_value=10))
@settings(max_examples=25)
def test_dirichlet_rsample(a):
    return d.Dirichlet(a).rsample()


@pytest.mark.gradcheck(loc=numbers, scale=positive)
@pytest.mark.parametrize("function", [d.Cauchy, d.Gumbel, d.Laplace, d.Normal])
@settings(max_examples=25)
def test_location_and_scale(function, loc, scale):
    distribution = function(loc, scale)
    return distribution.rsample(), distribution.log_prob(torch.tensor([0.25, 1.3], dtype=torch.float64))


@pytest.mark.gradcheck(mu=numbers, kappa=positive)
def test_von_mises_log_prob(mu, kappa):
    return d.VonMises(mu, kappa).log_prob(torch.tensor([0.3, 0.8], dtype=torch.float64))


@pytest.mark.gradcheck(a=positive, b=positive, c=positive, e=positive)
def test_gamma_divergence(a, b, c, e):
    return d.kl_divergence(d.Gamma(a, b), d.Gamma(c, e))
