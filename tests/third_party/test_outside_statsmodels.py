"""statsmodels: scores as gradients of log-likelihoods, Hessians as derivatives of scores, and links."""

import numpy as np
import pytest
from hypothesis import example
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import arrays, check_gradients

sm = outside("statsmodels.api")
discrete = outside("statsmodels.discrete.discrete_model")
counts = outside("statsmodels.discrete.count_model")
links = outside("statsmodels.genmod.families.links")
ordinal = outside("statsmodels.miscmodels.ordinal_model")
conditional = outside("statsmodels.discrete.conditional_models")
truncated = outside("statsmodels.discrete.truncated_model")

pytestmark = MARKS

X = np.array([[1.0, 0.3], [1.0, -0.4], [1.0, 1.9], [1.0, -1.5], [1.0, 0.8], [1.0, -0.6]])
BINARY = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
COUNTS = np.array([0.0, 2.0, 3.0, 1.0, 0.0, 5.0])

MODELS = {
    "Logit": discrete.Logit(BINARY, X),
    "Probit": discrete.Probit(BINARY, X),
    "Poisson": discrete.Poisson(COUNTS, X),
    "GLM Poisson": sm.GLM(COUNTS, X, family=sm.families.Poisson()),
    "GLM Binomial": sm.GLM(BINARY, X, family=sm.families.Binomial()),
    "ConditionalLogit": conditional.ConditionalLogit(
        BINARY, X[:, 1:].repeat(2, 1), groups=np.repeat([0, 1], 3)
    ),
    "MNLogit": discrete.MNLogit(np.array([0, 1, 1, 0, 1, 0]), X),
}


def score(function, params):
    return MODELS[function].score(params)


@pytest.mark.gradcheck(params=arrays(2, min_value=-1.5, max_value=1.5), gradient=score)
@pytest.mark.parametrize("function", MODELS)
def test_score(function, params):
    return MODELS[function].loglike(params)


def hessian_product(function, params, cotangent):
    return MODELS[function].hessian(params) @ cotangent


@pytest.mark.gradcheck(params=arrays(2, min_value=-1.5, max_value=1.5), vjp=hessian_product)
@pytest.mark.parametrize("function", ["Logit", "Probit", "Poisson", "GLM Poisson", "MNLogit"])
@example(params=np.array([0.0, 1e-30]))
def test_hessian(function, params):
    return MODELS[function].score(params)


POINTS = [np.array([0.3, -0.4]), np.array([-1.2, 0.9])]


# The score, the Hessian and its product next to each other, as a user of SciPy has them.
@pytest.mark.parametrize("params", POINTS, ids=str)
@pytest.mark.parametrize("function", ["Logit", "Probit", "Poisson", "GLM Poisson", "GLM Binomial"])
def test_score_and_hessian(gradcheck, function, params):
    model = MODELS[function]
    gradcheck(
        model.loglike,
        params,
        gradient=model.score,
        hessian=model.hessian,
        hvp=lambda params, tangent: model.hessian(params) @ tangent,
    )


@pytest.mark.parametrize("function", ["Logit", "Probit", "Poisson", "GLM Poisson", "GLM Binomial"])
def test_a_wrong_score_and_a_wrong_hessian_are_found(function):
    model, params = MODELS[function], np.array([0.3, -0.4])
    result = check_gradients(
        model.loglike, params, gradient=lambda p: -model.score(p), hessian=model.hessian, name=function
    )
    assert_fault(result, "sign", "user")
    assert result.diagnosis.text.startswith("gradient: ")
    # statsmodels has the Hessian of the log-likelihood, optimizers take that of minus it.
    result = check_gradients(model.loglike, params, gradient=model.score, hessian=lambda p: -model.hessian(p))
    assert_fault(result, "sign", "user")
    assert result.diagnosis.text.startswith("hessian: ")


# The scores of single observations: a Jacobian with a row for each.
@pytest.mark.parametrize("function", ["Logit", "Probit", "Poisson"])
def test_scores_of_observations(gradcheck, function):
    model = MODELS[function]
    for params in POINTS:
        gradcheck(model.loglikeobs, params, jacobian=model.score_obs)
    wrong = check_gradients(model.loglikeobs, POINTS[0], jacobian=lambda p: model.score_obs(p)[::-1])
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)


# Two coefficients, and the dispersion.
DISPERSED = {
    "NegativeBinomial": discrete.NegativeBinomial(COUNTS, X),
    "NegativeBinomialP": discrete.NegativeBinomialP(COUNTS, X),
    "GeneralizedPoisson": discrete.GeneralizedPoisson(COUNTS, X),
}


@pytest.mark.gradcheck(
    coefficients=arrays(2, min_value=-1, max_value=1),
    dispersion=arrays(1, min_value=0.1, max_value=2),
    gradient=lambda function, coefficients, dispersion: np.split(
        DISPERSED[function].score(np.concatenate([coefficients, dispersion])), [2]
    ),
)
@pytest.mark.parametrize("function", DISPERSED)
def test_score_with_dispersion(function, coefficients, dispersion):
    return DISPERSED[function].loglike(np.concatenate([coefficients, dispersion]))


LINKS = [
    links.Logit(),
    links.Probit(),
    links.CLogLog(),
    links.LogLog(),
    links.Cauchy(),
    links.Log(),
    links.InversePower(),
]


@pytest.mark.gradcheck(
    p=arrays(3, min_value=0.01, max_value=0.99),
    vjp=lambda function, p, cotangent: cotangent * function.deriv(p),
)
@pytest.mark.parametrize("function", LINKS, ids=lambda link: type(link).__name__)
def test_link(function, p):
    return function(p)


@pytest.mark.gradcheck(
    z=arrays(3, min_value=-3, max_value=3),
    vjp=lambda function, z, cotangent: cotangent * function.inverse_deriv(z),
)
@pytest.mark.parametrize("function", LINKS[:5], ids=lambda link: type(link).__name__)
def test_inverse_link(function, z):
    return function.inverse(z)


GAMMA = sm.GLM(COUNTS + 1, X, family=sm.families.Gamma(links.Log()))


@pytest.mark.gradcheck(
    params=arrays(2, min_value=-1.5, max_value=1.5), gradient=lambda params: GAMMA.score(params, scale=0.7)
)
def test_score_at_a_given_scale(params):
    return GAMMA.loglike(params, scale=0.7)


# A fault: without scale=, loglike estimates the scale from the parameters, and score leaves out its
# derivative. With ll = loglike and s = estimate_scale, the gradient of params is score + d ll / d scale ·
# d s / d params.
def test_score_with_an_estimated_scale_is_wrong():
    params = np.array([0.2, 0.1])
    result = check_gradients(GAMMA.loglike, (params,), gradient=GAMMA.score)
    assert_fault(result, "missing-term", "user")

    def scale(params):
        return GAMMA.estimate_scale(GAMMA.predict(params))

    def slope(function, x, step):
        return (function(x + step) - function(x - step)) / (2 * np.max(np.abs(step)))

    (entry,) = result.worst.place.index
    step = 1e-5 * np.eye(2)[entry]
    by_scale = slope(lambda s: GAMMA.loglike(params, scale=s), scale(params), 1e-5)
    truth = GAMMA.score(params)[entry] + by_scale * slope(scale, params, step)
    assert result.worst.values["central"] == pytest.approx(truth, rel=1e-6)
