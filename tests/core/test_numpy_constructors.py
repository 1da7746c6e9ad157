"""NumPy code that makes arrays of its inputs: right gradients pass, wrong ones fail, nothing stays."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy import array

from pytest_gradcheck import check_gradients

X = np.array([0.3, -0.7, 1.1])


def polar(x):
    """A residual as it is written for SciPy."""
    return np.array([x[0] * np.cos(x[1]) - 1.0, x[0] * np.sin(x[1]), x[2] ** 2 - 2.0])


def polar_jacobian(x):
    jacobian = np.zeros((3, 3))
    jacobian[0, 0], jacobian[0, 1] = np.cos(x[1]), -x[0] * np.sin(x[1])
    jacobian[1, 0], jacobian[1, 1] = np.sin(x[1]), x[0] * np.cos(x[1])
    jacobian[2, 2] = 2 * x[2]
    return jacobian


def energy(x):
    out = np.zeros(2)
    out[0] = np.sum(array([x[0], x[1] ** 2]))
    out[1] = np.r_[x[2], x][0] * x[0]
    return np.sum(out**2)


def gradient(x):
    first, second = x[0] + x[1] ** 2, x[2] * x[0]
    return 2 * np.array([first + second * x[2], 2 * first * x[1], second * x[0]])


def test_without_a_gradient_the_engine_takes_part():
    result = check_gradients(polar, X, methods=("central", "reference"))
    assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)
    assert sys.modules[__name__].np is np


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail")])
def test_a_jacobian(factor, verdict):
    wrong = lambda x: polar_jacobian(x) * np.array([1.0, 1.0, factor])  # noqa: E731
    result = check_gradients(polar, X, jacobian=wrong)
    assert (result.verdict, result.culprit) == (verdict, None if factor == 1 else "user"), str(result)
    assert result.methods["reference"].reason is None


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail")])
def test_a_gradient_of_what_is_written_into(factor, verdict):
    result = check_gradients(energy, X, gradient=lambda x: gradient(x) * np.array([1.0, factor, 1.0]))
    assert (result.verdict, result.culprit) == (verdict, None if factor == 1 else "user"), str(result)
    assert result.methods["reference"].reason is None


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (2.0, "fail")])
def test_a_hessian_of_what_is_written_into(factor, verdict):
    def hessian(x):
        a, b, c = x
        return (
            factor
            * 2
            * np.array([[1 + c**2, 2 * b, 2 * a * c], [2 * b, 2 * a + 6 * b**2, 0.0], [2 * a * c, 0.0, a**2]])
        )

    result = check_gradients(energy, X, gradient=gradient, hessian=hessian)
    assert result.verdict == verdict, str(result)


def test_a_function_that_has_an_own_numpy_is_told_of_the_way_out():
    def local(x):
        import numpy as own

        return own.array([x[0], x[1] ** 2])

    result = check_gradients(local, X)
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nothing-checked")
    assert "use numpy.stack" in str(result)


class Counted:
    """Opaque code: it reads the numbers."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return float(np.sum(np.asarray([float(v) for v in x]) ** 2))


def test_opaque_code_is_called_as_often_as_before():
    function = Counted()
    assert check_gradients(function, X, gradient=lambda x: 2 * x).verdict == "pass"
    # One call to look, one or two that are refused, and at most 16 for a right gradient.
    assert function.calls <= 18


def test_a_module_is_as_it_was_after_a_failing_call():
    def raising(x):
        made = np.array([x[0], x[1]])
        if not isinstance(made, np.ndarray):
            raise KeyError("only arrays")
        return np.sum(made)

    result = check_gradients(raising, X)
    assert result.verdict == "inconclusive"
    assert "np.array([x[0], x[1]]) takes the value out of the graph" in str(result)
    assert np is sys.modules["numpy"]
    assert isinstance(np.zeros(1), np.ndarray)


@pytest.mark.parametrize("function", [polar, energy, lambda x: np.full((2, 2), x[0]) * x[1]])
@pytest.mark.parametrize("method", ["reference", "torch"])
def test_both_stand_ins_for_arrays_go_through(function, method):
    result = check_gradients(function, X, methods=("central", method))
    assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)
