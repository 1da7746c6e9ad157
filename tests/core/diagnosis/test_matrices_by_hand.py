"""What kind of wrong a matrix of derivatives by hand is."""

import numpy as np
import pytest

from docs.diagnoses_page.forms import FORMS
from pytest_gradcheck import check_gradients

M = np.random.default_rng(3).normal(size=(4, 4))
X = np.array([0.3, -0.7, 1.1, 0.45])


def mixed(x):
    return np.sin(M @ x) * np.sum(x)


def jacobian(x):
    return np.cos(M @ x)[:, None] * M * np.sum(x) + np.sin(M @ x)[:, None]


def chained(x):
    return np.tanh(M @ np.exp(x))


def energy(x):
    return 0.5 * x @ (M @ M.T) @ x + np.sum(x**4)


def hessian(x):
    return M @ M.T + np.diag(12 * x**2)


def one_off_diagonal(x):
    matrix = hessian(x)
    matrix[0, 1] *= 3
    return matrix


ROWS, COLUMNS = [1, 0, 2, 3], [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("fn", "wrong", "code", "words"),
    [
        (mixed, {"jacobian": lambda x: jacobian(x).T}, "transposed", "the Jacobian for x is transposed"),
        (mixed, {"jacobian": lambda x: jacobian(x)[ROWS]}, "permuted", "its rows in the wrong order"),
        (
            mixed,
            {"jacobian": lambda x: jacobian(x)[:, COLUMNS]},
            "permuted",
            "for x has its columns in the wrong",
        ),
        (
            mixed,
            {"jvp": lambda x, v: (jacobian(x) @ v)[ROWS]},
            "permuted",
            "the jvp has its rows in the wrong",
        ),
        (mixed, {"jacobian": lambda x: jacobian(x) * [1, 1, -1, -1]}, "sign", "wrong sign in some entries"),
        (
            chained,
            {"jacobian": lambda x: (1 - np.tanh(M @ np.exp(x)) ** 2)[:, None] * M},
            "chain-factor",
            "each column of the Jacobian is off by a factor of its own",
        ),
        (
            chained,
            {"jacobian": lambda x: M * np.exp(x)},
            "chain-factor",
            "each row of the Jacobian is off by a factor of its own",
        ),
        (
            energy,
            {"hessian": lambda x: hessian(x) / 2},
            "constant-factor",
            "the Hessian is half the correct one",
        ),
        (
            energy,
            {"hessian": lambda x: 2 * hessian(x)},
            "constant-factor",
            "the Hessian is twice the correct one",
        ),
        (energy, {"hessian": lambda x: -hessian(x)}, "sign", "the Hessian has the wrong sign"),
        (energy, {"hessian": lambda x: np.triu(hessian(x))}, "not-symmetric", "its lower triangle is zero"),
        (energy, {"hessian": lambda x: np.tril(hessian(x))}, "not-symmetric", "its upper triangle is zero"),
        (
            energy,
            {"hvp": lambda x, v: np.triu(hessian(x)) @ v},
            "not-symmetric",
            "its lower triangle is zero",
        ),
        (
            energy,
            {"hessian": one_off_diagonal},
            "not-symmetric",
            "d grad x[0] / d x[1] is ",
        ),
        (energy, {"hvp": lambda x, v: one_off_diagonal(x) @ v}, "not-symmetric", "d grad x[0] / d x[1] is "),
    ],
)
def test_the_diagnosis_says_what_is_wrong(fn, wrong, code, words):
    result = check_gradients(fn, X, **wrong)

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", code), str(result)
    assert result.diagnosis.text.startswith(f"{next(iter(wrong))}: ")
    assert words in result.diagnosis.text


@pytest.mark.kernels
@pytest.mark.parametrize("fault", FORMS, ids=lambda fault: fault.what)
def test_a_fault_of_the_page_has_its_diagnosis(fault):
    result = check_gradients(fault.function, fault.inputs, **fault.by_hand)

    found = (result.verdict, result.culprit, result.diagnosis.code)
    assert found == ("fail", "user", fault.code), str(result)


def test_a_rectangular_jacobian_the_wrong_way_round():
    result = check_gradients(lambda x: M[:3] @ x, X, jacobian=lambda x: M[:3].T)

    assert (result.culprit, result.diagnosis.code) == ("user", "transposed")
    assert "its shape is (4, 3), and the right one is (3, 4)" in result.diagnosis.text


def test_the_sign_of_one_block():
    result = check_gradients(
        lambda a, b: np.sin(M @ a) * np.sum(b),
        (X, X[:2]),
        jacobian=lambda a, b: (np.cos(M @ a)[:, None] * M * np.sum(b), -np.sin(M @ a)[:, None] * np.ones(2)),
    )

    assert result.diagnosis.text == "jacobian: the Jacobian has the wrong sign for b"


def test_the_conjugate_of_a_jacobian():
    z = X + 0.5j
    result = check_gradients(lambda z: z**2, z, jvp=lambda z, v: 2 * z.conj() * v)
    assert (result.culprit, result.diagnosis.code) == ("user", "conjugate")


def test_a_diagonal_of_wrong_numbers_is_no_missing_factor():
    """One entry in a row is a multiple of anything."""
    result = check_gradients(lambda x: x**3, X, jacobian=lambda x: np.diag([1.0, 2.0, 3.0, 4.0]))
    assert result.diagnosis.code not in ("chain-factor", "not-symmetric")
