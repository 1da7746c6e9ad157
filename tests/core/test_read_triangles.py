"""Matrices of which NumPy reads one triangle: the derivative lies in that triangle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check_gradients

RNG = np.random.default_rng(0)
HALF = RNG.normal(size=(3, 3))
A = HALF @ HALF.T + 3 * np.eye(3)
#: Other numbers in the upper triangle, which is not read.
LOWER = np.tril(A) + np.triu(HALF, 1)
UPPER = LOWER.T


def in_lower(g: Any) -> Any:
    return np.tril(g + g.T, -1) + np.diag(np.diag(g))


def values_gradient(a: Any) -> Any:
    """Of the sum of the exponentials of the eigenvalues."""
    w, v = np.linalg.eigh(a)
    return in_lower(v @ np.diag(np.exp(w)) @ v.T)


READ = {
    "eigvalsh": (lambda a: np.sum(np.exp(np.linalg.eigvalsh(a))), LOWER, values_gradient),
    "eigvalsh of the upper": (
        lambda a: np.sum(np.exp(np.linalg.eigvalsh(a, "U"))),
        UPPER,
        lambda a: values_gradient(a.T).T,
    ),
    "eigh": (lambda a: np.sum(np.exp(np.linalg.eigh(a)[0])), A, values_gradient),
    "cholesky": (
        lambda a: 2 * np.sum(np.log(np.diagonal(np.linalg.cholesky(a)))),
        LOWER,
        lambda a: in_lower(np.linalg.inv(np.tril(a) + np.tril(a, -1).T)),
    ),
    "svd of a Hermitian matrix": (
        lambda a: np.sum(np.exp(np.linalg.svd(a, compute_uv=False, hermitian=True))),
        LOWER,
        values_gradient,
    ),
    "pinv of a Hermitian matrix": (
        lambda a: np.trace(np.linalg.pinv(a, hermitian=True)),
        LOWER,
        lambda a: in_lower(-np.linalg.matrix_power(np.linalg.inv(np.tril(a) + np.tril(a, -1).T), 2)),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_the_engine_agrees_with_differences(name):
    function, a, _ = READ[name]
    result = check_gradients(function, a, methods=("central", "reference"))
    assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)


@pytest.mark.parametrize("name", READ)
def test_a_gradient_in_the_triangle_passes_and_one_in_both_fails(name):
    function, a, gradient = READ[name]
    right = check_gradients(function, a, gradient=gradient)
    assert right.verdict == "pass", str(right)

    def of_both(a: Any) -> Any:
        g = gradient(a)
        return (g + g.T) / 2

    wrong = check_gradients(function, a, gradient=of_both)
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_of_a_symmetrized_matrix_it_lies_in_both(factor):
    def function(a: Any) -> Any:
        return np.sum(np.log(np.linalg.eigvalsh((a + a.T) / 2)))

    result = check_gradients(function, A, gradient=lambda a: factor * np.linalg.inv(a))
    assert result.verdict == ("pass" if factor == 1 else "fail"), str(result)


def test_complex_matrices():
    z = HALF + 1j * RNG.normal(size=(3, 3))
    hermitian = z @ z.conj().T + 3 * np.eye(3)
    for function in (np.linalg.eigvalsh, lambda a: np.linalg.eigvalsh(a, "U"), np.linalg.cholesky):
        result = check_gradients(function, hermitian, methods=("central", "reference"))
        assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)
