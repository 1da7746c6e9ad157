"""Linear operators as the function: their adjoint is on trial, by the dot-product test."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from pytest_gradcheck import InvalidArgument, check_gradients

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 3))
C = A + 1j * RNG.normal(size=(4, 3))
X = np.array([0.3, -1.2, 0.7])


class Plain:
    """No callable, and nothing of scipy's."""

    def __init__(self, matrix, adjoint=None):
        self.matrix, self.adjoint = matrix, matrix.conj().T if adjoint is None else adjoint

    def matvec(self, v):
        return self.matrix @ v

    def rmatvec(self, u):
        return self.adjoint @ u


def operator(matvec, rmatvec, dtype=float):
    return LinearOperator((4, 3), matvec=matvec, rmatvec=rmatvec, dtype=dtype)


@pytest.mark.parametrize(
    "right",
    [
        Plain(A),
        aslinearoperator(A),
        aslinearoperator(sparse.csr_array(A)),
        operator(lambda v: A @ v, lambda u: A.T @ u),
        aslinearoperator(A) * 3,
    ],
    ids=["plain", "dense", "sparse", "functions", "product"],
)
@pytest.mark.parametrize(
    "inputs", [X, (X,), {"x": X}, X.astype(np.float32)], ids=["one", "tuple", "dict", "f32"]
)
def test_a_right_adjoint_passes(right, inputs):
    result = check_gradients(right, inputs)

    assert (result.verdict, result.methods["user"].status) == ("pass", "ok"), str(result)


@pytest.mark.parametrize(
    ("adjoint", "code"),
    [(1.01 * A.T, "constant-factor"), (-A.T, "sign"), (A.T * [1, 1, 1, 1.1], None), (A[::-1].T, None)],
)
def test_a_wrong_adjoint_fails(adjoint, code):
    for wrong in (Plain(A, adjoint), operator(lambda v: A @ v, lambda u: adjoint @ u)):
        result = check_gradients(wrong, X)

        assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
        assert result.diagnosis.text.startswith("rmatvec: the adjoint ")
        assert code in (None, result.diagnosis.code)
        assert "test_linear_operators.py:" in result.code


def test_one_wrong_entry_of_a_large_operator_is_named():
    matrix = RNG.normal(size=(60, 80))
    wrong = matrix.T.copy()
    wrong[17, 5] *= 1.5

    result = check_gradients(
        LinearOperator(matrix.shape, lambda v: matrix @ v, lambda u: wrong @ u), np.ones(80)
    )

    assert (result.culprit, result.worst.place.index) == ("user", (17,)), str(result)
    assert check_gradients(aslinearoperator(matrix), np.ones(80))


@pytest.mark.parametrize("x", [X, X + 0.5j], ids=["real", "complex"])
def test_complex_numbers(x):
    assert check_gradients(aslinearoperator(C), x)
    assert check_gradients(operator(lambda v: C @ v, lambda u: C.conj().T @ u, complex), x)
    # The transpose, which some libraries call the adjoint.
    wrong = check_gradients(operator(lambda v: C @ v, lambda u: C.T @ u, complex), x)
    assert (wrong.culprit, wrong.diagnosis.code) == ("user", "conjugate")


def test_a_complex_operator_on_real_numbers_alone():
    class Fourier:
        dtype, clinear = np.dtype(complex), False

        def matvec(self, v):
            return np.fft.fft(v.real)

        def rmatvec(self, u):
            return len(u) * np.fft.ifft(u)

    assert check_gradients(Fourier(), X)
    assert not check_gradients(Fourier(), X, mode="full", seed=1, methods=("central",)).methods["user"].reason


class TestLinearity:
    @pytest.mark.parametrize(
        ("product", "text"),
        [
            (lambda v: A @ v + 1e-3, "its product with zero is 0.001 at output[0]"),
            (lambda v: A @ np.abs(v), "A(-2 v + w) is"),
            (lambda v: A @ v**2, "A(-2 v + w) is"),
            (lambda v: A @ v / np.linalg.norm(v + 1e-30), "A(-2 v + w) is"),
        ],
    )
    def test_what_is_not_linear_fails(self, product, text):
        result = check_gradients(operator(product, lambda u: A.T @ u), X)

        assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "not-linear")
        assert result.diagnosis.text.startswith("rmatvec: the operator is not linear: ")
        assert text in result.diagnosis.text

    def test_a_product_that_conjugates_is_not_linear(self):
        result = check_gradients(
            operator(lambda v: C @ v.conj(), lambda u: C.T @ u.conj(), complex), X + 0.5j
        )
        assert result.diagnosis.code == "not-linear"

    def test_a_solver_with_a_tolerance_is_linear_enough(self):
        matrix = np.eye(3) * 4 + A[:3]

        def solve(m, b):
            x = np.zeros(3)
            for _ in range(200):
                step = b - m @ x
                if np.abs(step).max() < 1e-6 * np.abs(b).max():
                    break
                x = x + step / 4.5
            return x

        inverse = LinearOperator((3, 3), lambda b: solve(matrix, b), lambda b: solve(matrix.T, b))
        assert check_gradients(inverse, X, rtol=1e-4)


class TestWrongUse:
    def test_an_operator_without_an_adjoint(self):
        with pytest.raises(
            InvalidArgument, match="fn: got _CustomLinearOperator, whose rmatvec is not implemented"
        ):
            check_gradients(LinearOperator((4, 3), matvec=lambda v: A @ v), X)

    @pytest.mark.parametrize("x", [np.ones(4), np.ones((3, 2)), 1.0])
    def test_a_vector_of_another_size(self, x):
        with pytest.raises(InvalidArgument, match=r"got an array of shape .*give a vector of 3 numbers"):
            check_gradients(aslinearoperator(A), x)

    def test_what_is_no_operator_at_all(self):
        with pytest.raises(InvalidArgument, match="or a linear operator with matvec and rmatvec"):
            check_gradients(3.0, X)

    def test_an_adjoint_that_raises(self):
        result = check_gradients(operator(lambda v: A @ v, lambda u: u @ np.ones((7, 7))), X)
        assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "backward-raised")

    def test_an_adjoint_of_another_shape(self):
        with pytest.raises(
            InvalidArgument, match=r"rmatvec: got shape \(4,\) for x; the right shape is \(3,\)"
        ):
            check_gradients(Plain(A, np.eye(4)), X)


def test_it_is_asked_whatever_methods_are_named():
    assert check_gradients(Plain(A, 2 * A.T), X, methods=("central",)).culprit == "user"


def test_another_form_is_checked_as_well():
    result = check_gradients(aslinearoperator(A), X, jacobian=lambda x: 2 * A)
    assert result.diagnosis.text.startswith("jacobian: ")


class TestSparseJacobians:
    @staticmethod
    def fn(x):
        return np.sin(x) * x

    @staticmethod
    def diagonal(x):
        return np.cos(x) * x + np.sin(x)

    @pytest.mark.parametrize("make", [sparse.diags_array, lambda d: aslinearoperator(sparse.diags_array(d))])
    def test_products_are_compared(self, make):
        x = RNG.normal(size=3000)
        good = check_gradients(self.fn, x, jacobian=lambda x: make(self.diagonal(x)))

        def one_wrong(x):
            d = self.diagonal(x)
            d[1234] *= 1.5
            return make(d)

        bad = check_gradients(self.fn, x, jacobian=one_wrong)

        assert good, str(good)
        assert (bad.culprit, bad.worst.place.index) == ("user", (1234,)), str(bad)

    def test_it_is_never_made_dense(self):
        class Counting(LinearOperator):
            def __init__(self, d):
                super().__init__(float, (d.size, d.size))
                self.d = d

            def _matvec(self, v):
                return self.d * v

            def _rmatvec(self, u):
                products.append(1)
                return self.d * u

        products = []
        x = RNG.normal(size=20000)
        assert check_gradients(self.fn, x, jacobian=lambda x: Counting(self.diagonal(x)))
        assert len(products) < 20

    def test_a_sparse_hessian(self):
        def fn(x):
            return np.sum(x**4)

        assert check_gradients(fn, X, hessian=lambda x: sparse.diags_array(12 * x**2))
        wrong = check_gradients(fn, X, hessian=lambda x: sparse.diags_array(6 * x**2))
        assert wrong.diagnosis.text == "hessian: the Hessian is half the correct one"

    def test_complex(self):
        z = X + 0.5j
        assert check_gradients(lambda z: C @ z, z, jacobian=lambda z: sparse.csr_array(C))
        assert check_gradients(lambda z: C @ z, z, jacobian=lambda z: aslinearoperator(C))
        assert not check_gradients(lambda z: C @ z, z, jacobian=lambda z: sparse.csr_array(C.conj()))

    def test_the_wrong_way_round(self):
        result = check_gradients(lambda x: A @ x, X, jacobian=lambda x: sparse.csr_array(A.T))
        assert (result.culprit, result.diagnosis.code) == ("user", "transposed")
        with pytest.raises(InvalidArgument, match=r"jacobian: got shape \(2, 2\) for x"):
            check_gradients(lambda x: A @ x, X, jacobian=lambda x: sparse.eye_array(2))


def test_scipy_is_not_imported_where_it_is_not_used():
    script = """
import sys
import numpy as np
from pytest_gradcheck import check_gradients
class Twice:
    def matvec(self, v): return 2.0 * v
    def rmatvec(self, u): return 2.0 * u
assert check_gradients(Twice(), np.ones(3), methods=("central", "user"))
assert check_gradients(
    lambda x: np.sum(x**2), np.ones(3), hessian=lambda x: 2 * np.eye(3), methods=("central", "user")
)
print("scipy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
