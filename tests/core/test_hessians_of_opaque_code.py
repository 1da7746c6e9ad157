"""Hessians of code that only its values speak for: right ones cost few calls, wrong ones are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess

from pytest_gradcheck import check_gradients

X = np.array([1.3, 0.7, -0.8, 1.1])
FEATURES = np.random.default_rng(0).normal(size=(60, 20))
WEIGHTS = np.random.default_rng(1).normal(size=20)


class Opaque:
    """A function that reads its numbers, and counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, x):
        self.calls += 1
        return float(self.function(np.array([float(number) for number in x])))


def softplus(w):
    return np.sum(np.logaddexp(0, FEATURES @ w))


def softplus_hessian(w):
    p = 1 / (1 + np.exp(-FEATURES @ w))
    return FEATURES.T * (p * (1 - p)) @ FEATURES


def one_entry(h):
    out = np.array(h)
    out[1, 1] *= 1.01
    return out


def not_symmetric_by_little(h):
    out = np.array(h)
    out[0, 1] += 0.01 * np.abs(h).max()
    out[1, 0] -= 0.01 * np.abs(h).max()
    return out


FAULTS = {
    "sign": np.negative,
    "1 % too large": lambda h: 1.01 * h,
    "one entry": one_entry,
    "one triangle": np.triu,
    "antisymmetric part": not_symmetric_by_little,
    "no mixed derivatives": lambda h: np.diag(np.diag(h)),
}


@pytest.mark.parametrize("form", ["hessian", "hvp"])
def test_a_right_one_takes_calls_that_hardly_grow(form):
    for function, hessian, x in ((rosen, rosen_hess, X), (softplus, softplus_hessian, WEIGHTS)):
        opaque = Opaque(function)
        given = hessian if form == "hessian" else lambda x, v, h=hessian: h(x) @ v
        result = check_gradients(opaque, x, **{form: given})
        assert result.verdict == "pass", str(result)
        # Three lines of ten points, four points per input for the size of the gradient, and the first looks.
        assert opaque.calls <= 30 + 4 * x.size + 15


def test_a_gradient_makes_it_cheaper_still():
    opaque = Opaque(rosen)
    assert check_gradients(opaque, X, gradient=rosen_der, hessian=rosen_hess)
    assert opaque.calls <= 20


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_one_fails_and_says_what_makes_it_cheaper(fault):
    result = check_gradients(Opaque(rosen), X, hessian=lambda x: FAULTS[fault](rosen_hess(x)))
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
    assert "give gradient= too, which takes few" in str(result)


def test_a_wrong_product_fails():
    result = check_gradients(Opaque(rosen), X, hvp=lambda x, v: one_entry(rosen_hess(x)) @ v)
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail")])
def test_values_of_few_digits(factor, verdict):
    opaque = Opaque(lambda x: float(f"{rosen(x):.10e}"))
    result = check_gradients(opaque, X[:2], hessian=lambda x: factor * rosen_hess(x))
    assert result.verdict == verdict, str(result)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail")])
def test_at_the_edge_of_a_domain(factor, verdict):
    seen = []

    def entropy(x):
        seen.extend(float(t) for t in x)
        return sum(float(t) * np.log(float(t)) for t in x)

    point = np.array([0.1, 0.5])
    result = check_gradients(entropy, point, hessian=lambda x: factor * np.diag(1 / x), domain=(0.1, 1.0))
    assert result.verdict == verdict, str(result)
    assert min(seen) >= 0.1
    assert max(seen) <= 1.0


def sharp(x):
    return abs(x[0] - x[1]) + x[0] ** 3 + x[1] ** 2


def test_where_the_function_has_a_kink_no_hessian_is_accused():
    def smooth_part(x):
        return np.diag([6 * x[0], 2.0])

    at_the_kink = check_gradients(Opaque(sharp), np.array([0.7, 0.7]), hessian=smooth_part)
    assert (at_the_kink.verdict, at_the_kink.diagnosis.code) == ("inconclusive", "unresolved")
    near = check_gradients(Opaque(sharp), np.array([0.7, 0.69]), hessian=smooth_part)
    assert near.verdict == "pass", str(near)
    wrong = check_gradients(Opaque(sharp), np.array([0.7, 0.69]), hessian=lambda x: 1.1 * smooth_part(x))
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)
