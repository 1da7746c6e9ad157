"""Wrong Jacobians, tangents, Hessians and adjoints by kind; see `faults`."""

from __future__ import annotations

from typing import Any

import numpy as np

from docs.diagnoses_page.faults import Fault

MATRIX = np.array([[0.9, -0.4, 0.3], [0.2, 1.1, -0.7], [-0.5, 0.6, 0.8]])
POINT = np.array([0.3, -0.7, 1.1])
SYMMETRIC = MATRIX + MATRIX.T


def residual(x: Any) -> Any:
    return np.sin(MATRIX @ x) * np.sum(x)


def jacobian(x: Any) -> Any:
    return np.cos(MATRIX @ x)[:, None] * MATRIX * np.sum(x) + np.sin(MATRIX @ x)[:, None]


def chained(x: Any) -> Any:
    return np.tanh(MATRIX @ np.exp(x))


def slope(x: Any) -> Any:
    return 1 - np.tanh(MATRIX @ np.exp(x)) ** 2


def energy(x: Any) -> Any:
    return 0.5 * x @ SYMMETRIC @ x + np.sum(x**4)


def hessian(x: Any) -> Any:
    return SYMMETRIC + np.diag(12 * x**2)


class Operator:
    """A linear operator of two functions."""

    def __init__(self, matvec: Any, rmatvec: Any) -> None:
        self.matvec, self.rmatvec = matvec, rmatvec


FORMS = [
    Fault(
        "a Jacobian transposed", "transposed", residual, POINT, by_hand={"jacobian": lambda x: jacobian(x).T}
    ),
    Fault(
        "the rows of a Jacobian permuted",
        "permuted",
        residual,
        POINT,
        by_hand={"jacobian": lambda x: jacobian(x)[[1, 0, 2]]},
    ),
    Fault(
        "the columns of a Jacobian permuted",
        "permuted",
        residual,
        POINT,
        by_hand={"jacobian": lambda x: jacobian(x)[:, [1, 0, 2]]},
    ),
    Fault(
        "the derivative of an inner function",
        "chain-factor",
        chained,
        POINT,
        by_hand={"jacobian": lambda x: slope(x)[:, None] * MATRIX},
    ),
    Fault(
        "the derivative of an outer function",
        "chain-factor",
        chained,
        POINT,
        by_hand={"jacobian": lambda x: MATRIX * np.exp(x)},
    ),
    Fault(
        "the sign of a block",
        "sign",
        residual,
        POINT,
        by_hand={"jacobian": lambda x: jacobian(x) * [1, 1, -1]},
    ),
    Fault(
        "a jvp that uses the magnitude of its tangent",
        "linear-backward",
        residual,
        POINT,
        by_hand={"jvp": lambda x, v: jacobian(x) @ np.abs(v)},
    ),
    Fault(
        "a Hessian without its factor of 2",
        "constant-factor",
        energy,
        POINT,
        by_hand={"hessian": lambda x: hessian(x) / 2},
    ),
    Fault(
        "one triangle of a Hessian",
        "not-symmetric",
        energy,
        POINT,
        by_hand={"hessian": lambda x: np.triu(hessian(x))},
    ),
    Fault(
        "a missing term in a Hessian-vector product",
        "wrong-values",
        energy,
        POINT,
        by_hand={"hvp": lambda x, v: SYMMETRIC @ v},
    ),
    Fault(
        "the transpose instead of the conjugate transpose",
        "conjugate",
        Operator(lambda v: (MATRIX + 1j * SYMMETRIC) @ v, lambda u: (MATRIX + 1j * SYMMETRIC).T @ u),
        POINT + 0.5j,
        is_by_hand=True,
    ),
    Fault(
        "an operator with an offset",
        "not-linear",
        Operator(lambda v: MATRIX @ v + 1, lambda u: MATRIX.T @ u),
        POINT,
        is_by_hand=True,
    ),
]
