"""pylops: the adjoints of its linear operators, by the dot-product test."""

import numpy as np
import pytest
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import check_gradients

pylops = outside("pylops")
signal = outside("pylops.signalprocessing")

pytestmark = MARKS

RNG = np.random.default_rng(0)
OPERATORS = {
    "MatrixMult": pylops.MatrixMult(RNG.normal(size=(5, 4))),
    "complex MatrixMult": pylops.MatrixMult(
        RNG.normal(size=(5, 4)) + 1j * RNG.normal(size=(5, 4)), dtype=complex
    ),
    "FirstDerivative": pylops.FirstDerivative(12),
    "CausalIntegration": pylops.CausalIntegration(12),
    "Restriction": pylops.Restriction(12, [1, 4, 7]),
    "FFT": signal.FFT(16, dtype=complex),
    "FFT of real numbers": signal.FFT(16, real=True),
    "Convolve1D": signal.Convolve1D(16, np.array([1.0, 2.0, 0.5]), offset=1),
    "Laplacian": pylops.Laplacian((6, 7)),
    "VStack": pylops.VStack([pylops.Identity(6), 2 * pylops.FirstDerivative(6)]),
    "Real": pylops.Real(5),
}


class Mixed:
    """The product with one operator, and the adjoint of another one."""

    def __init__(self, operator, other):
        self.matvec, self.rmatvec, self.shape = operator.matvec, other.rmatvec, operator.shape


@pytest.mark.parametrize("operator", OPERATORS)
def test_adjoint(gradcheck, operator):
    found = OPERATORS[operator]
    gradcheck(found, RNG.normal(size=found.shape[1]))


def test_the_adjoint_of_a_wrong_offset_is_found():
    """A filter whose adjoint is shifted by one."""
    filters = [signal.Convolve1D(16, np.array([1.0, 2.0, 0.5]), offset=k) for k in (0, 1)]
    result = check_gradients(Mixed(*filters), RNG.normal(size=16))
    assert (result.verdict, result.culprit) == ("fail", "user")


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_wrong_adjoint_of_each_is_found(operator):
    found = OPERATORS[operator]
    result = check_gradients(Mixed(found, 1.01 * found), RNG.normal(size=found.shape[1]))
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)


def test_the_adjoint_of_another_scale_is_found():
    derivative = pylops.FirstDerivative(12)
    result = check_gradients(Mixed(derivative, 2 * derivative), RNG.normal(size=12))
    assert_fault(result, "constant-factor", "user")
