"""The complex step: exact for analytic code, and refused for other code."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods import complex_step

pytestmark = pytest.mark.kernels

METHODS = ("complex_step", "central")


@pytest.mark.parametrize("x", [0.0, 1e-20, 1e-3, 0.7, -2.5, 1e4])
@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (np.sin, mpmath.sin),
        (np.arctan, mpmath.atan),
        (lambda x: np.exp(-x * x), lambda x: mpmath.exp(-x * x)),
        (lambda x: x / (1 + x * x), lambda x: x / (1 + x * x)),
    ],
)
def test_it_is_exact_to_the_last_digits(function, exact, x):
    slope = complex_step.prepare(Problem(function, x)).vjp(np.ones(1))[0]
    with mpmath.workdps(60):
        truth = float(mpmath.diff(exact, mpmath.mpf(x)))
    assert slope == pytest.approx(truth, rel=1e-14, abs=1e-300)


def test_it_checks_a_gradient_with_no_other_exact_method():
    x = np.array([[0.3, -1.2], [0.5, 2.0]])

    def fn(x):
        return np.sin(x) @ np.exp(x[0])

    result = check_gradients(fn, x, methods=METHODS)
    assert result.verdict == "pass", str(result)
    assert result.methods["complex_step"].status == "ok"
    np.testing.assert_allclose(
        result.methods["complex_step"].value, check_gradients(fn, x).methods["reference"].value, rtol=1e-13
    )


def test_it_names_a_wrong_gradient():
    x = np.array([0.3, -1.2])
    wrong = {"gradient": lambda x: 1.001 * np.diag(np.cos(x)), "methods": ("complex_step", "user")}
    assert check_gradients(np.sin, x, **wrong).verdict == "fail"
    result = check_gradients(np.sin, x, **wrong | {"methods": ("complex_step", "central", "user")})
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (np.abs, "real for complex inputs"),
        (lambda x: np.linalg.norm(x), "real for complex inputs"),
        (lambda x: x * np.abs(x), "not an analytic function"),
        (lambda x: x * np.conj(x), "not an analytic function"),
        (lambda x: np.arctan2(x, 1.0), "not supported"),
    ],
)
def test_what_is_not_analytic_is_refused_and_blames_nobody(function, why):
    result = check_gradients(function, np.array([0.7, -0.4]), methods=(*METHODS, "reference"))
    assert result.verdict == "pass", str(result)
    assert result.methods["complex_step"].status == "unavailable"
    assert why in result.methods["complex_step"].reason


def test_what_its_test_does_not_see_stands_alone_and_is_left_out(monkeypatch):
    monkeypatch.setattr(complex_step, "_must_be_analytic", lambda problem: None)
    result = check_gradients(lambda x: x * np.abs(x), np.array([0.7, -0.4]), methods=(*METHODS, "reference"))
    assert (result.verdict, result.culprit) == ("pass", None), str(result)
    assert "stands alone" in result.methods["complex_step"].reason


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (torch.sin, torch.ones(2, dtype=torch.float64)),
        (lambda x: x.real, np.ones(2) + 1j),
        (np.exp, np.ones(2) + 1j),
    ],
)
def test_torch_and_complex_functions_are_refused(function, x):
    result = check_gradients(function, x, methods=(*METHODS, "reference"))
    assert result.methods["complex_step"].status == "unavailable"


def test_it_does_not_run_unasked_and_has_no_second_order():
    assert "complex_step" not in check_gradients(np.sin, 0.5).methods
    result = check_gradients(np.sin, 0.5, methods=(*METHODS, "reference"), order=2)
    assert (result.verdict, result.order) == ("pass", 2), str(result)
    assert result.methods["complex_step"].status == "unavailable"


def test_integers_beside_the_inputs_stay_as_they_are():
    result = check_gradients(lambda x, n: x**n, {"x": np.array([1.5, 2.0]), "n": 3}, methods=METHODS)
    assert result.verdict == "pass", str(result)
