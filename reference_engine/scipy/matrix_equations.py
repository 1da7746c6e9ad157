"""Sylvester, Lyapunov and Riccati equations of `scipy.linalg`.

The cotangent of a solution solves the adjoint equation, which is of the same kind (T.-C. Kao and G.
Hennequin, "Automatic differentiation of Sylvester, Lyapunov, and algebraic Riccati equations", 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import adjoint
from reference_engine.primitives import Primitive, value_of
from reference_engine.scipy.front import define, table
from reference_engine.scipy.matrices import right_solve, sl
from reference_engine.tensor import as_tensor

# ---------------------------------------------------------------------------- Sylvester and Lyapunov


def _sylvester(a: Any, b: Any, q: Any) -> Any:
    # In one dtype: of a real a with complex eigenvalues and a complex b scipy 1.17 makes something else.
    dtype = np.result_type(a, b, q)
    return sl().solve_sylvester(a.astype(dtype), b.astype(dtype), q.astype(dtype))


def _sylvester_adjoint(c: Any, a: Any, b: Any) -> Any:
    return sylvester_(adjoint(a), adjoint(b), c)


sylvester_ = define(
    "solve_sylvester",
    _sylvester,
    [
        lambda c, x, a, b, q: -_sylvester_adjoint(c, a, b) @ adjoint(x),
        lambda c, x, a, b, q: -adjoint(x) @ _sylvester_adjoint(c, a, b),
        lambda c, x, a, b, q: _sylvester_adjoint(c, a, b),
    ],
)


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """x with a x + x b = q, where no eigenvalue of `a` is the negative of one of `b`."""
    return sylvester_(as_tensor(a), as_tensor(b), as_tensor(q))


def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """x with a x + x a^H = q."""
    a, q = np.atleast_2d(as_tensor(a)), np.atleast_2d(as_tensor(q))
    return sylvester_(a, adjoint(a), q)


def solve_lyapunov(a: Any, q: Any) -> Any:
    """The same as `solve_continuous_lyapunov`."""
    return solve_continuous_lyapunov(a, q)


def _discrete_lyapunov_matrix(c: Any, x: Any, a: Any, q: Any, *, method: Any) -> Any:
    y = discrete_lyapunov_(adjoint(a), c, method=method)
    return y @ a @ adjoint(x) + adjoint(y) @ a @ x


discrete_lyapunov_: Primitive = define(
    "solve_discrete_lyapunov",
    lambda a, q, *, method: sl().solve_discrete_lyapunov(a, q, method),
    [
        _discrete_lyapunov_matrix,
        lambda c, x, a, q, *, method: discrete_lyapunov_(adjoint(a), c, method=method),
    ],
)


def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Any:
    """x with a x a^H - x + q = 0."""
    return discrete_lyapunov_(as_tensor(a), as_tensor(q), method=method)


# ---------------------------------------------------------------------------- Riccati


def _gain(discrete: bool, x: Any, a: Any, b: Any, r: Any) -> Any:
    """The gain k of the feedback, with which a - b k is the closed loop."""
    bx = adjoint(b) @ x
    return np.linalg.solve(r + bx @ b, bx @ a) if discrete else np.linalg.solve(r, bx)


def _riccati_rules(discrete: bool) -> list[Callable[..., Any]]:
    """One rule for each of a, b, q, r; x and q, r are Hermitian, and so are their cotangents."""

    def adjoint_solution(c: Any, x: Any, a: Any, b: Any, r: Any) -> tuple[Any, Any, Any]:
        c = (c + adjoint(c)) * 0.5
        k = _gain(discrete, x, a, b, r)
        loop = a - b @ k
        if discrete:
            return discrete_lyapunov_(loop, c, method=None), k, x @ loop
        return sylvester_(loop, adjoint(loop), -c), k, x

    def by_a(c: Any, x: Any, a: Any, b: Any, q: Any, r: Any) -> Any:
        y, _, factor = adjoint_solution(c, x, a, b, r)
        return 2 * factor @ y

    def by_b(c: Any, x: Any, a: Any, b: Any, q: Any, r: Any) -> Any:
        y, k, factor = adjoint_solution(c, x, a, b, r)
        return -2 * factor @ y @ adjoint(k)

    def by_q(c: Any, x: Any, a: Any, b: Any, q: Any, r: Any) -> Any:
        return adjoint_solution(c, x, a, b, r)[0]

    def by_r(c: Any, x: Any, a: Any, b: Any, q: Any, r: Any) -> Any:
        y, k, _ = adjoint_solution(c, x, a, b, r)
        return k @ y @ adjoint(k)

    return [by_a, by_b, by_q, by_r]


continuous_are_ = define(
    "solve_continuous_are", lambda a, b, q, r: sl().solve_continuous_are(a, b, q, r), _riccati_rules(False)
)
discrete_are_ = define(
    "solve_discrete_are", lambda a, b, q, r: sl().solve_discrete_are(a, b, q, r), _riccati_rules(True)
)


def _hermitian(name: str, m: Any) -> Any:
    value = value_of(m)
    if np.abs(value - adjoint(value)).max(initial=0.0) > 100 * np.spacing(np.abs(value).max(initial=0.0)):
        raise ValueError(f"{name} must be symmetric or Hermitian")
    return m


def _plain_form(a: Any, b: Any, q: Any, r: Any, e: Any, s: Any) -> tuple[Any, Any, Any, Any]:
    """The equation of the same solution without e and s.

    s is a feedback that was applied before; e is divided out of the state.
    """
    a, b, q, r = (np.atleast_2d(as_tensor(m)) for m in (a, b, q, r))
    _hermitian("q", q), _hermitian("r", r)
    if s is not None:
        s = np.atleast_2d(as_tensor(s))
        weighted = np.linalg.solve(r, adjoint(s))
        a, q = a - b @ weighted, q - s @ weighted
    if e is not None:
        e = np.atleast_2d(as_tensor(e))
        a, q = right_solve(e, a), np.linalg.solve(adjoint(e), right_solve(e, q))
    # Rounding must not make them non-Hermitian, which scipy would refuse.
    return a, b, (q + adjoint(q)) * 0.5, (r + adjoint(r)) * 0.5


def solve_continuous_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None) -> Any:
    """x with a^H x e + e^H x a - (e^H x b + s) inv(r) (b^H x e + s^H) + q = 0, the stabilising one.

    The gradients by `q` and `r` are those of a function of Hermitian matrices.
    """
    return continuous_are_(*_plain_form(a, b, q, r, e, s))


def solve_discrete_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None) -> Any:
    """x with a^H x a - e^H x e - (a^H x b + s) inv(r + b^H x b) (b^H x a + s^H) + q = 0, the stabilising one.

    The gradients by `q` and `r` are those of a function of Hermitian matrices; with `s`, r must be regular.
    """
    return discrete_are_(*_plain_form(a, b, q, r, e, s))


TABLE = table(
    solve_sylvester, solve_continuous_lyapunov, solve_lyapunov, solve_discrete_lyapunov, solve_continuous_are,
    solve_discrete_are,
)  # fmt: skip
