"""botorch: smooth approximations, normal probabilities in the tails, and bivariate normal probabilities."""

import pytest
import torch
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import check_gradients, tensors

bvn = outside("botorch.utils.probability.bvn")
probability = outside("botorch.utils.probability.utils")
rounding = outside("botorch.utils.rounding")
safe_math = outside("botorch.utils.safe_math")
analytic = outside("botorch.acquisition.analytic")

pytestmark = MARKS

numbers = tensors(4, min_value=-30, max_value=30)


@pytest.mark.gradcheck(x=numbers)
@pytest.mark.parametrize(
    "function",
    [
        safe_math.log1pexp,
        safe_math.logexpit,
        safe_math.log_softplus,
        safe_math.fatplus,
        safe_math.log_fatplus,
        safe_math.fatmoid,
        safe_math.log_fatmoid,
        probability.log_phi,
        probability.log_ndtr,
        probability.log_erfc,
        probability.log_erfcx,
        probability.standard_normal_log_hazard,
        analytic._log_ei_helper,
        analytic._ei_helper,
    ],
)
def test_function(function, x):
    return function(x)


@pytest.mark.gradcheck(x=tensors(4, min_value=-30, max_value=-1e-3))
def test_log1mexp(x):
    return safe_math.log1mexp(x)


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-5, max_value=5))
@pytest.mark.parametrize(
    "function", [safe_math.smooth_amax, safe_math.smooth_amin, safe_math.fatmax, safe_math.fatmin]
)
def test_smooth_extremum(function, x):
    return function(x, dim=-1, tau=0.5)


@pytest.mark.gradcheck(x=tensors(3, min_value=-5, max_value=5), y=tensors(3, min_value=-5, max_value=5))
def test_logplusexp(x, y):
    return safe_math.logplusexp(x, y)


@pytest.mark.gradcheck(x=tensors(3, min_value=-3, max_value=3), width=tensors(3, min_value=0.1, max_value=3))
def test_log_prob_normal_in(x, width):
    return probability.log_prob_normal_in(x, x + width)


@pytest.mark.gradcheck(x=tensors(4, min_value=-3, max_value=3))
def test_approximate_round(x):
    return rounding.approximate_round(x, tau=0.1)


@pytest.mark.gradcheck(
    h=tensors(3, min_value=-3, max_value=3),
    k=tensors(3, min_value=-3, max_value=3),
    r=tensors(3, min_value=0.05, max_value=0.9),
)
def test_bivariate_normal(h, k, r):
    return bvn.bvnu(r, h, k)


# A fault: in a batch, the gradient with respect to a correlation of zero is zero. The derivative by the
# correlation is the density at (h, k) (Plackett 1954); without correlation, φ(h) φ(k) = 0.134273 at (0.3,
# 0.5).
def test_bivariate_normal_without_correlation_is_wrong():
    h = torch.tensor([0.3, -0.2], dtype=torch.float64)
    k = torch.tensor([0.5, 0.1], dtype=torch.float64)
    result = check_gradients(lambda r: bvn.bvnu(r, h, k), (torch.tensor([0.0, 0.5], dtype=torch.float64),))
    assert_fault(result, "special-values")
    truth = (probability.phi(h) * probability.phi(k))[0].item()
    assert result.worst.values["torch"] == 0
    assert result.worst.values["central"] == pytest.approx(truth, rel=1e-9)
