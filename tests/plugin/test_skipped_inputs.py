"""No floating input that a marked test draws is skipped without a word."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
import torch
from pytest_gradcheck import arrays, scalars, tensors

TWO = dict(min_value=-2, max_value=2)
WHERE = torch.tensor([[0, 0, 1, 2, 2], [0, 2, 1, 0, 2]])


def sparse(values):
    return torch.sparse_coo_tensor(WHERE, values, (3, 3), check_invariants=True).coalesce()


class SparseTimesVector(torch.autograd.Function):  # the gradient of A lies at the transposed places
    @staticmethod
    def forward(ctx, A, b):
        ctx.save_for_backward(A, b)
        return A @ b

    @staticmethod
    def backward(ctx, g):
        A, b = ctx.saved_tensors
        i, j = A.coalesce().indices()
        return torch.sparse_coo_tensor(A.coalesce().indices(), g[j] * b[i], A.shape), A.to_dense().T @ g


class Scale(torch.autograd.Function):  # the gradient of w is zero
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(w)
        return x * w

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0], g.sum() * 0


def scaled(x, w):
    return Scale.apply(x, torch.as_tensor(w, dtype=x.dtype))
"""

WRONG = """
@pytest.mark.gradcheck(A=tensors(5, **TWO).map(sparse), b=tensors(3, **TWO))
def test_sparse(A, b):
    return SparseTimesVector.apply(A, b)

def test_sparse_by_wrt(gradcheck):
    A, b = sparse(torch.arange(1.0, 6, dtype=torch.float64)), torch.arange(1.0, 4, dtype=torch.float64)
    gradcheck(SparseTimesVector.apply, (A, b), wrt=[0, 1])

@pytest.mark.gradcheck(x=tensors(3, **TWO), w=scalars(**TWO))
def test_scalar(x, w):
    return scaled(x, w)

@pytest.mark.gradcheck(x=tensors(3, **TWO), w=arrays((), **TWO))
def test_array(x, w):
    return scaled(x, float(w))

@pytest.mark.gradcheck(x=tensors(3, **TWO), w=st.tuples(st.just("a"), arrays((), dtype="float16", **TWO)))
def test_nested(x, w):
    return scaled(x, float(w[1]))

@pytest.mark.gradcheck(w=st.complex_numbers(max_magnitude=2))
def test_annotated(x: torch.Tensor, w):
    return scaled(x, abs(w))
"""

MESSAGES = [
    "A: got a tensor of layout torch.sparse_coo, whose entries cannot be moved one by one; pass its values "
    "as a dense array and make it from them inside the function, or leave it out: wrt=[[]'b'[]]",
    "w: got a float next to torch tensors, which is not differentiated; draw it with tensors(()), or leave "
    "it out: wrt=[[]'x'[]]",
    "w: got a NumPy array next to torch tensors, *",
    "w[[]1[]]: got a NumPy array next to torch tensors, *",
    "w: got a complex next to torch tensors, *",
]

RIGHT = """
@pytest.mark.gradcheck(A=tensors(5, **TWO), b=tensors(3, **TWO), methods=("central", "torch"))
def test_sparse(A, b):
    return sparse(A) @ b

@pytest.mark.gradcheck(x=tensors(3, **TWO), w=scalars(**TWO), wrt=["x"])
def test_left_out(x, w):
    return scaled(x, w)

@pytest.mark.parametrize("w", [0.5, np.ones(())])
@pytest.mark.gradcheck(x=tensors(3, **TWO))
def test_constant(x, w):
    return scaled(x, w)

@pytest.mark.gradcheck(x=tensors(3, **TWO), w=tensors((), **TWO))
def test_tensor(x, w):
    return x * w

def test_number(gradcheck):
    gradcheck(lambda x, eps: (x + eps).sum(), (torch.ones(3), 1e-5))
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_they_are_refused_by_name(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE + WRONG)
    result = project.run(workers=workers)
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines_random([f"*{message}*" for message in MESSAGES])


@pytest.mark.parametrize("workers", WORKERS)
def test_what_is_left_out_or_differentiated_passes(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE + RIGHT)
    project.run("--gradcheck-report=report.json", workers=workers).assert_outcomes(passed=6)
    found = {c["nodeid"].partition("::")[2]: c["not_checked"] for c in project.report()["checks"]}
    assert {"what": "w", "reason": "excluded by wrt"} in found["test_left_out"]
    assert {"what": "eps", "reason": "a float next to tensors"} in found["test_number"]


def test_a_wrong_gradient_next_to_what_is_left_out_is_found(project: Any) -> None:
    project.write(
        test_it=SOURCE
        + """
@pytest.mark.gradcheck(x=tensors(3, **TWO), w=tensors((), **TWO))
def test_scale(x, w):
    return Scale.apply(x, w)

@pytest.mark.gradcheck(x=tensors((), **TWO), w=scalars(**TWO), wrt="x")
def test_other(x, w):
    return Scale.apply(torch.tensor(w), x)
"""
    )
    project.run().assert_outcomes(failed=2)
