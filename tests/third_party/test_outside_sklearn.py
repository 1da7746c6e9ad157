"""scikit-learn: gradients of kernels, likelihoods and losses, written by hand in NumPy and Cython."""

import numpy as np
import pytest
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import arrays, check_gradients

kernels = outside("sklearn.gaussian_process.kernels")
gaussian_process = outside("sklearn.gaussian_process")
huber = outside("sklearn.linear_model._huber")
linear_loss = outside("sklearn.linear_model._linear_loss")
losses = outside("sklearn._loss")
special = outside("scipy.special")
neighbors = outside("sklearn.neighbors")
t_sne = outside("sklearn.manifold._t_sne")

pytestmark = MARKS

X = np.array([[0.0, 0.3], [0.7, -0.4], [1.9, 1.0], [-0.5, 0.8]])
Y = np.array([0.3, -1.0, 0.4, 1.2])
CLASSES = np.array([0.0, 1.0, 1.0, 0.0])


def kernel_vjp(function, theta, cotangent):
    return np.einsum("ij,ijk->k", cotangent, function.clone_with_theta(theta)(X, eval_gradient=True)[1])


ONE_PARAMETER = [
    kernels.RBF(),
    kernels.Matern(nu=0.5),
    kernels.Matern(nu=1.5),
    kernels.Matern(nu=2.5),
    kernels.ConstantKernel(),
    kernels.WhiteKernel(),
    kernels.DotProduct(),
]
SEVERAL_PARAMETERS = [
    kernels.RBF([1.0, 2.0]),
    kernels.Matern([1.0, 2.0], nu=1.5),
    kernels.RationalQuadratic(),
    kernels.ExpSineSquared(),
    kernels.ConstantKernel() * kernels.RBF(),
    kernels.RBF() + kernels.WhiteKernel(),
    kernels.Exponentiation(kernels.ConstantKernel() * kernels.RBF(), 3),
]


# theta is the logarithm of the parameters.
@pytest.mark.gradcheck(
    theta=arrays(1, min_value=-2, max_value=2),
    vjp=lambda function, theta, cotangent: kernel_vjp(function, theta, cotangent),
)
@pytest.mark.parametrize("function", ONE_PARAMETER, ids=str)
def test_kernel_of_one_parameter(function, theta):
    return function.clone_with_theta(theta)(X)


@pytest.mark.gradcheck(
    theta=arrays(2, min_value=-2, max_value=2),
    vjp=lambda function, theta, cotangent: kernel_vjp(function, theta, cotangent),
)
@pytest.mark.parametrize("function", SEVERAL_PARAMETERS, ids=str)
def test_kernel_of_two_parameters(function, theta):
    return function.clone_with_theta(theta)(X)


# The gradient of a kernel is its Jacobian, with the parameters last.
@pytest.mark.parametrize("function", SEVERAL_PARAMETERS[:4], ids=str)
def test_kernel_by_its_jacobian(gradcheck, function):
    def jacobian(theta):
        return function.clone_with_theta(theta)(X, eval_gradient=True)[1]

    for theta in (np.array([0.5, -0.4]), np.array([-1.2, 1.1])):
        gradcheck(
            lambda t: function.clone_with_theta(t)(X),
            theta,
            jacobian=jacobian,
            jvp=lambda t, tangent: jacobian(t) @ tangent,
        )


def test_a_kernel_jacobian_with_respect_to_the_parameters_themselves_is_found():
    """theta is the logarithm: without the chain factor the derivative is that of another variable."""
    kernel, theta = kernels.RBF([1.0, 2.0]), np.array([0.5, -0.4])

    def jacobian(theta):
        return kernel.clone_with_theta(theta)(X, eval_gradient=True)[1] / np.exp(theta)

    result = check_gradients(lambda t: kernel.clone_with_theta(t)(X), theta, jacobian=jacobian)
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)


MODEL = gaussian_process.GaussianProcessRegressor(
    kernels.ConstantKernel() * kernels.RBF() + kernels.WhiteKernel(), optimizer=None
).fit(X, Y)


@pytest.mark.gradcheck(
    theta=arrays(3, min_value=-2, max_value=2),
    gradient=lambda theta: MODEL.log_marginal_likelihood(theta, eval_gradient=True)[1],
)
def test_log_marginal_likelihood(theta):
    return MODEL.log_marginal_likelihood(theta)


CLASSIFIER = gaussian_process.GaussianProcessClassifier(
    kernels.ConstantKernel() * kernels.RBF(), optimizer=None
).fit(X, CLASSES)


@pytest.mark.gradcheck(
    theta=arrays(2, min_value=-2, max_value=2),
    gradient=lambda theta: CLASSIFIER.log_marginal_likelihood(theta, eval_gradient=True)[1],
)
def test_laplace_marginal_likelihood(theta):
    return CLASSIFIER.log_marginal_likelihood(theta)


@pytest.mark.gradcheck(
    w=arrays(4, min_value=0.1, max_value=3),
    gradient=lambda w: huber._huber_loss_and_gradient(w, X, Y, 1.35, 0.1, np.ones(4))[1],
)
def test_huber_loss(w):
    return huber._huber_loss_and_gradient(w, X, Y, 1.35, 0.1, np.ones(4))[0]


def linear(name):
    return linear_loss.LinearModelLoss(base_loss=getattr(losses, name)(), fit_intercept=True)


@pytest.mark.gradcheck(
    coef=arrays(3, min_value=-2, max_value=2),
    gradient=lambda function, coef: linear(function).loss_gradient(coef, X, CLASSES, l2_reg_strength=0.3)[1],
)
@pytest.mark.parametrize("function", ["HalfBinomialLoss", "HalfSquaredError", "HalfPoissonLoss"])
def test_linear_model(function, coef):
    return linear(function).loss(coef, X, CLASSES, l2_reg_strength=0.3)


COEF = [np.array([0.3, -0.4, 0.2]), np.array([-1.5, 0.7, 1.0])]


# With the value, as the solvers take it.
@pytest.mark.parametrize("function", ["HalfBinomialLoss", "HalfSquaredError", "HalfPoissonLoss"])
def test_loss_with_its_gradient(gradcheck, function):
    for coef in COEF:
        gradcheck(
            lambda w: linear(function).loss_gradient(w, X, CLASSES, l2_reg_strength=0.3), coef, gradient=True
        )


# The product with the Hessian, which newton-cg takes.
@pytest.mark.parametrize("function", ["HalfBinomialLoss", "HalfSquaredError", "HalfPoissonLoss"])
def test_loss_with_its_hessian(gradcheck, function):
    loss, penalty = linear(function), {"l2_reg_strength": 0.3}
    for coef in COEF:
        gradcheck(
            lambda w: loss.loss(w, X, CLASSES, **penalty),
            coef,
            gradient=lambda w: loss.gradient(w, X, CLASSES, **penalty),
            hvp=lambda w, v: loss.gradient_hessian_product(w, X, CLASSES, **penalty)[1](v),
        )


def test_a_hessian_without_the_penalty_is_found():
    loss, coef = linear("HalfBinomialLoss"), np.array([0.3, -0.4, 0.2])
    with_penalty = {"l2_reg_strength": 0.3}
    result = check_gradients(
        lambda w: loss.loss(w, X, CLASSES, **with_penalty),
        coef,
        gradient=lambda w: loss.gradient(w, X, CLASSES, **with_penalty),
        hvp=lambda w, v: loss.gradient_hessian_product(w, X, CLASSES)[1](v),
    )
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)


NEIGHBORHOOD = neighbors.NeighborhoodComponentsAnalysis()
NEIGHBORHOOD.n_iter_ = 0
NEIGHBORHOOD.verbose = 0
SAME = CLASSES[:, None] == CLASSES[None, :]


@pytest.mark.gradcheck(
    a=arrays(4, min_value=-2, max_value=2),
    gradient=lambda a: NEIGHBORHOOD._loss_grad_lbfgs(a, X, SAME)[1],
)
def test_neighborhood_components(a):
    return NEIGHBORHOOD._loss_grad_lbfgs(a, X, SAME)[0]


# The probabilities of the pairs, each counted once: they sum to one half.
P = np.array([0.2, 0.1, 0.15, 0.25, 0.05, 0.25]) / 2


@pytest.mark.gradcheck(
    y=arrays(8, min_value=-2, max_value=2), gradient=lambda y: t_sne._kl_divergence(y, P, 1, 4, 2)[1]
)
def test_t_sne(y):
    return t_sne._kl_divergence(y, P, 1, 4, 2)[0]


# A fault: for nu other than 1/2, 3/2, 5/2 and inf, the gradient is a forward difference with a fixed step
# of 1e-10 or more, 3.7e-6 off here. With s = sqrt(2 nu) d / l the derivative by log l is 2^(1 - nu) /
# Γ(nu) s^(nu + 1) K(nu - 1, s).
def test_matern_of_any_smoothness_is_a_difference():
    points, nu, length = np.array([[0.0], [0.7], [1.9]]), 1.7, 0.8
    kernel = kernels.Matern(nu=nu)

    def value(theta):
        return kernel.clone_with_theta(theta)(points)

    def derivative(theta):
        return kernel.clone_with_theta(theta)(points, eval_gradient=True)[1]

    theta = np.log([length])
    # By the distances between the three points.
    s = np.sqrt(2 * nu) * np.array([0.7, 1.2, 1.9]) / length
    truth = 2 ** (1 - nu) / special.gamma(nu) * s ** (nu + 1) * special.kv(nu - 1, s)
    assert 1e-6 < abs(derivative(theta)[0, 1, 0] / truth[0] - 1) < 1e-5
    result = check_gradients(
        value, (theta,), vjp=lambda theta, cotangent: np.einsum("ij,ijk->k", cotangent, derivative(theta))
    )
    assert_fault(result, "wrong-values", "user")
    assert np.isclose(result.worst.values["central"], truth, rtol=1e-8, atol=0).any()
