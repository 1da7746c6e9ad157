"""Orthogonal polynomials in x: DLMF 18.9(iii) lowers the degree and raises the parameters by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference_engine.primitives import value_of
from reference_engine.rules.special.common import Row, sp


def _gegenbauer(n: Any, alpha: float, x: Any) -> Any:
    """C_(n-1)^(α)(x), and 0 for n = 0."""
    return _lowered("eval_gegenbauer", n, (alpha,), x)


def _lowered(name: str, n: Any, parameters: tuple[Any, ...], x: Any) -> Any:
    """The polynomial of degree n - 1, which is 0 for n = 0."""
    n = np.asarray(value_of(n))
    below = getattr(sp(), name)(np.where(n == 0, 0, n - 1).astype(n.dtype), *parameters, x)
    return np.where(n == 0, 0.0, below)


TABLE: dict[str, Row] = {
    "eval_jacobi": (
        None, None, None,
        lambda result, n, a, b, x: _lowered("eval_jacobi", n, (a + 1, b + 1), x) * ((n + a + b + 1) / 2),
    ),
    "eval_sh_jacobi": (
        None, None, None,
        lambda result, n, p, q, x: _lowered("eval_jacobi", n, (p - q + 1, q), 2 * x - 1)
        * ((n + p) / sp().binom(2 * n + p - 1, n)),
    ),
    "eval_gegenbauer": (
        None, None, lambda result, n, alpha, x: _lowered("eval_gegenbauer", n, (alpha + 1,), x) * (2 * alpha)
    ),
    "eval_chebyt": (None, lambda result, n, x: n * _lowered("eval_chebyu", n, (), x)),
    "eval_chebyu": (None, lambda result, n, x: 2 * _gegenbauer(n, 2.0, x)),
    "eval_chebyc": (None, lambda result, n, x: n * _lowered("eval_chebys", n, (), x)),
    "eval_chebys": (None, lambda result, n, x: _gegenbauer(n, 2.0, x / 2)),
    "eval_sh_chebyt": (None, lambda result, n, x: 2 * n * _lowered("eval_sh_chebyu", n, (), x)),
    "eval_sh_chebyu": (None, lambda result, n, x: 4 * _gegenbauer(n, 2.0, 2 * x - 1)),
    "eval_legendre": (None, lambda result, n, x: _gegenbauer(n, 1.5, x)),
    "eval_sh_legendre": (None, lambda result, n, x: 2 * _gegenbauer(n, 1.5, 2 * x - 1)),
    "eval_laguerre": (None, lambda result, n, x: -_lowered("eval_genlaguerre", n, (1.0,), x)),
    "eval_genlaguerre": (
        None, None, lambda result, n, alpha, x: -_lowered("eval_genlaguerre", n, (alpha + 1,), x)
    ),
    "eval_hermite": (None, lambda result, n, x: 2 * n * _lowered("eval_hermite", n, (), x)),
    "eval_hermitenorm": (None, lambda result, n, x: n * _lowered("eval_hermitenorm", n, (), x)),
    # 14.10.5
    "lpmv": (
        None,
        None,
        lambda result, m, v, x: (v * x * result - (v + m) * sp().lpmv(m, v - 1, x)) / (x * x - 1),
    ),
}  # fmt: skip
