"""`scipy.linalg` on arrays and on Tensors.

`TABLE` holds the functions that are differentiable, real and complex, and batched as far as the installed
scipy takes batches. Every other name is scipy's function, which refuses a Tensor by name. Parameters that
only say how to compute (`overwrite_a`, `check_finite`, ...) are accepted and ignored for a Tensor, except
that infinities are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_engine.definitions import values_of
from reference_engine.scipy import (
    eigenproblems,
    factorizations,
    matrix_equations,
    matrix_functions,
    solvers,
    special_matrices,
)
from reference_engine.scipy.front import Mirror, load
from reference_engine.scipy.matrices import sl

# ---------------------------------------------------------------------------- questions with discrete answers


def bandwidth(a: Any) -> Any:
    """`scipy.linalg.bandwidth`: numbers of diagonals, which are constant."""
    return sl().bandwidth(values_of(a))


def issymmetric(a: Any, atol: Any = None, rtol: Any = None) -> Any:
    """`scipy.linalg.issymmetric`."""
    return sl().issymmetric(values_of(a), atol=atol, rtol=rtol)


def ishermitian(a: Any, atol: Any = None, rtol: Any = None) -> Any:
    """`scipy.linalg.ishermitian`."""
    return sl().ishermitian(values_of(a), atol=atol, rtol=rtol)


# ---------------------------------------------------------------------------- what stands here

CONSTANT: dict[str, Callable[..., Any]] = {
    "bandwidth": bandwidth,
    "issymmetric": issymmetric,
    "ishermitian": ishermitian,
}
"""Functions whose results are constant between their jumps: they give plain values for a Tensor."""

TABLE: dict[str, Callable[..., Any]] = {
    **solvers.TABLE,
    **factorizations.TABLE,
    **eigenproblems.TABLE,
    **matrix_functions.TABLE,
    **matrix_equations.TABLE,
    **special_matrices.TABLE,
}
"""The implementation for Tensors of each function of scipy.linalg with a derivative."""

UNDEFINED = {
    "null_space": "any orthonormal basis of the null space will do, which the argument does not determine",
    "matrix_balance": "the scaling jumps between powers of two",
    "hessenberg": "the basis is the algorithm's choice",
    "schur": "the order of the eigenvalues and the phases of the basis are the algorithm's choice",
    "qz": "the order of the eigenvalues and the phases of the bases are the algorithm's choice",
    "ordqz": "the phases of the bases are the algorithm's choice",
    "clarkson_woodruff_transform": "the sketch is random; multiply with a sketch of your own",
}
"""Why others have none."""

MIRROR = Mirror("linalg", {**TABLE, **CONSTANT}, undefined=UNDEFINED)

load("linalg")


def __getattr__(name: str) -> Any:
    return MIRROR.find(name)


def __dir__() -> list[str]:
    return MIRROR.names()
