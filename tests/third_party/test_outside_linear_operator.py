"""linear_operator: solves, quadratic forms and decompositions with hand-written backwards."""

import pytest
import torch
from hypothesis import example, settings
from outside import MARKS, outside

from pytest_gradcheck import positive_definite, tensors

linear_operator = outside("linear_operator")
operators = outside("linear_operator.operators")
sparse = outside("linear_operator.functions._dsmm")

pytestmark = MARKS

matrices = positive_definite(3, library="torch")


def operator(a):
    return operators.DenseLinearOperator((a + a.mT) / 2)


@pytest.mark.gradcheck(a=matrices, b=tensors((3, 2)))
def test_solve(a, b):
    return linear_operator.solve(operator(a), b)


@pytest.mark.gradcheck(a=matrices, b=tensors((3, 2)))
def test_inverse_quadratic_form(a, b):
    return linear_operator.inv_quad(operator(a), b)


@pytest.mark.gradcheck(a=matrices, b=tensors((3, 2)))
def test_inverse_quadratic_form_and_log_determinant(a, b):
    return linear_operator.inv_quad_logdet(operator(a), b, logdet=True)


@pytest.mark.gradcheck(a=matrices)
def test_log_determinant(a):
    return operator(a).logdet()


@pytest.mark.gradcheck(a=tensors((3, 3)), b=tensors((3, 2)))
def test_matmul(a, b):
    return operators.DenseLinearOperator(a) @ b


@pytest.mark.gradcheck(column=tensors(4), b=tensors((4, 2)))
def test_toeplitz_matmul(column, b):
    return operators.ToeplitzLinearOperator(column) @ b


@pytest.mark.gradcheck(a=tensors((2, 2)), b=tensors((2, 2)), c=tensors((4, 1)))
def test_kronecker_matmul(a, b, c):
    return (
        operators.KroneckerProductLinearOperator(
            operators.DenseLinearOperator(a), operators.DenseLinearOperator(b)
        )
        @ c
    )


@pytest.mark.gradcheck(diagonal=tensors(3, min_value=0.1, max_value=10), b=tensors((3, 2)))
def test_solve_with_added_diagonal(diagonal, b):
    a = torch.tensor([[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.5]], dtype=torch.float64)
    return operators.DenseLinearOperator(a).add_diagonal(diagonal).solve(b)


@pytest.mark.gradcheck(b=tensors((3, 2)))
def test_sparse_matmul(b):
    sparse_matrix = torch.tensor([[0.0, 2.0, 0.0], [1.5, 0.0, -1.0]], dtype=torch.float64).to_sparse()
    return sparse.DSMM.apply(sparse_matrix, b)


# The square root of a matrix is differentiated by contour quadrature.
@pytest.mark.gradcheck(x=tensors((3, 3), min_value=-0.2, max_value=0.2), b=tensors((3, 1)), rtol=1e-3)
# The solver returns zero where b is below its threshold.
@example(
    x=torch.zeros((3, 3), dtype=torch.float64), b=torch.tensor([[1e-16], [0.0], [0.0]], dtype=torch.float64)
)
@settings(max_examples=5)
def test_inverse_square_root_matmul(x, b):
    a = torch.diag(torch.tensor([1.0, 3.0, 6.0], dtype=x.dtype)) + (x + x.mT) / 2
    return linear_operator.sqrt_inv_matmul(operators.DenseLinearOperator(a), b)
