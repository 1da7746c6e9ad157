"""Pyro: special functions and samplers with hand-written backwards."""

import pytest
import torch
from hypothesis import example
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import check_gradients, tensors

distributions = outside("pyro.distributions")
special = outside("pyro.ops.special")
tensor_utils = outside("pyro.ops.tensor_utils")
pyro_stats = outside("pyro.ops.stats")
hmm = outside("pyro.distributions.hmm")

pytestmark = MARKS

factors = tensors((2, 2), min_value=-2, max_value=2)


def cholesky_factor(a):
    return a.tril(-1) + torch.diag(0.5 + a.diagonal().square())


@pytest.mark.gradcheck(x=tensors(4, min_value=1e-3, max_value=100))
def test_safe_log(x):
    return special.safe_log(x)


@pytest.mark.gradcheck(x=tensors(3, min_value=0.1, max_value=20), y=tensors(3, min_value=0.1, max_value=20))
def test_log_beta(x, y):
    return special.log_beta(x, y, tol=0.02)


@pytest.mark.gradcheck(x=tensors(3, min_value=1e-2, max_value=20))
@pytest.mark.parametrize("order", [0, 1.5])
def test_log_i(order, x):
    if order != 0:
        order = 1
    return special.log_I1(order, x)


@pytest.mark.gradcheck(loc=tensors(2), factor=factors)
def test_avf_multivariate_normal(loc, factor):
    # With a control variate of zero the gradient is that of the sample.
    control = torch.zeros((2, 1, 2), dtype=loc.dtype)
    return distributions.AVFMultivariateNormal(loc, cholesky_factor(factor), control).rsample()


@pytest.mark.gradcheck(loc=tensors(2), log_scale=tensors(2, min_value=-2, max_value=2))
def test_affine_beta(loc, log_scale):
    return distributions.AffineBeta(
        torch.tensor(2.0, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64), loc, log_scale.exp()
    ).log_prob(loc + 0.3 * log_scale.exp())


@pytest.mark.gradcheck(
    skewness=tensors(3, min_value=-1, max_value=1),
    stability=tensors(3, min_value=0.1, max_value=0.9),
)
def test_stable_rsample(stability, skewness):
    return distributions.Stable(stability, skewness).rsample()


@pytest.mark.gradcheck(x=tensors(8, min_value=-3, max_value=3))
@pytest.mark.parametrize("function", [tensor_utils.dct, tensor_utils.idct, tensor_utils.haar_transform])
def test_transform(function, x):
    return function(x)


@pytest.mark.gradcheck(
    signal=tensors((1, 6), min_value=-3, max_value=3), kernel=tensors((1, 3), min_value=-3, max_value=3)
)
def test_convolve(signal, kernel):
    return tensor_utils.convolve(signal, kernel)


@pytest.mark.gradcheck(x=tensors((2, 3), min_value=-3, max_value=3))
@example(x=torch.zeros((2, 3), dtype=torch.float64))  # a jump: (0, 0, 0) goes to (1, 0, 0)
def test_safe_normalize(x):
    return tensor_utils.safe_normalize(x)


# On purpose: the gradient follows the transport of the distribution, not the sample at fixed noise. Both
# have the right mean. The sample is L ε, so its first entry does not depend on L[1, 0] at all.
def test_gradient_by_optimal_transport_is_not_that_of_the_sample():
    def sample(factor):
        return distributions.OMTMultivariateNormal(
            torch.zeros(2, dtype=factor.dtype), factor.tril()
        ).rsample()

    result = check_gradients(sample, (torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.float64),))
    assert_fault(result, "one-row")
    assert result.worst.values["torch"] != 0 == result.worst.values["central"]


# On purpose: the gradient of the logarithm is cut off at 1 / eps = 4.5e15, where the derivative is 1e30.
def test_safe_log_is_cut_off():
    result = check_gradients(special.safe_log, (torch.tensor([1e-30], dtype=torch.float64),))
    assert_fault(result, "wrong-values")
    assert result.worst.values["torch"] == 2.0**52


# A fault: where two components have one mean, the gradient by the logits divides zero by their distance
# zero. The mean of the mixture is zero for all logits.
def test_mixture_of_equal_means_is_nan():
    def sample(logits):
        means = torch.zeros((2, 1), dtype=logits.dtype)
        scales = torch.tensor([[1.0], [2.0]], dtype=logits.dtype)
        return distributions.MixtureOfDiagNormals(means, scales, logits).rsample()

    result = check_gradients(sample, (torch.tensor([0.0, 0.3], dtype=torch.float64),))
    assert_fault(result, "non-finite-gradient")
