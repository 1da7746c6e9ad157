"""Functions of a matrix in `scipy.linalg`: exponential, logarithm, powers and related functions.

The Fréchet derivative L(A, E) of a primary matrix function f is a block of f itself (R. Mathias, "A chain
rule for matrix functions and applications", 1996; N. Higham, "Functions of Matrices", 2008, theorem 3.6):

    f([[A, E], [0, A]]) = [[f(A), L(A, E)], [0, f(A)]]

Its adjoint takes C to L(A, C^H)^H, which is right on branch cuts too. A rule made of f is differentiable to
any order; every order doubles the size of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import adjoint, conj, is_complex
from reference_engine.primitives import Primitive, value_of
from reference_engine.scipy.front import define, table
from reference_engine.scipy.matrices import sl
from reference_engine.scipy.matrix_equations import sylvester_
from reference_engine.tensor import as_tensor


def _frechet(function: Callable[[Any], Any], a: Any, e: Any) -> Any:
    """L(a, e) of a matrix function."""
    size, height = (np.max(np.abs(value_of(m)), axis=(-2, -1), keepdims=True, initial=0.0) for m in (a, e))
    # L is linear in e, which a power of two brings to the size of a: a large block would cost a its digits.
    ratio = np.where(height > 0, height, 1.0) / np.where(size > 0, size, 1.0)
    with np.errstate(invalid="ignore"):
        scale = np.where(np.isfinite(ratio), np.exp2(np.round(np.log2(ratio))), 1.0)
    e = e / scale.astype(np.real(value_of(e)).dtype)
    n = a.shape[-1]
    shape = np.broadcast_shapes(a.shape, e.shape)
    a, e = np.broadcast_to(a, shape), np.broadcast_to(e, shape)
    upper = np.concatenate([a, e], axis=-1)
    lower = np.concatenate([np.zeros_like(value_of(a)), a], axis=-1)
    whole = function(np.concatenate([upper, lower], axis=-2))
    return whole[..., :n, n:] * scale.astype(np.real(value_of(whole)).dtype)


def _matrix_function(name: str, forward: Callable[..., Any]) -> Primitive:
    primitive: Primitive

    def rule(c: Any, result: Any, a: Any) -> Any:
        return adjoint(_frechet(primitive, a, adjoint(c)))

    primitive = define(name, forward, [rule])
    return primitive


# ---------------------------------------------------------------------------- exponential and its kin

expm_ = _matrix_function("expm", lambda a: sl().expm(a))


def expm(A: Any) -> Any:
    """The matrix exponential (A. Al-Mohy and N. Higham, 2009)."""
    return expm_(as_tensor(A))


def expm_frechet(A: Any, E: Any, compute_expm: bool = True) -> Any:
    """exp(A), by default, and its derivative in the direction E, in double precision.

    By the exponential of the block matrix above, whatever `method` says.
    """
    A, E = (m.astype(np.result_type(m.dtype, np.float64)) for m in (as_tensor(A), as_tensor(E)))
    if A.shape[-2:] != E.shape[-2:]:
        raise ValueError(f"A and E must have one shape, got {A.shape} and {E.shape}")
    derivative = _frechet(expm_, A, E)
    return (expm_(A), derivative) if compute_expm else derivative


def cosm(A: Any) -> Any:
    """The matrix cosine."""
    A = as_tensor(A)
    return (expm_(1j * A) + expm_(-1j * A)) * 0.5 if is_complex(A) else np.real(expm_(1j * A))


def sinm(A: Any) -> Any:
    """The matrix sine."""
    A = as_tensor(A)
    return (expm_(1j * A) - expm_(-1j * A)) * -0.5j if is_complex(A) else np.imag(expm_(1j * A))


def tanm(A: Any) -> Any:
    """The matrix tangent."""
    return np.linalg.solve(cosm(A), sinm(A))


def coshm(A: Any) -> Any:
    """The matrix hyperbolic cosine."""
    A = as_tensor(A)
    return (expm_(A) + expm_(-A)) * 0.5


def sinhm(A: Any) -> Any:
    """The matrix hyperbolic sine."""
    A = as_tensor(A)
    return (expm_(A) - expm_(-A)) * 0.5


def tanhm(A: Any) -> Any:
    """The matrix hyperbolic tangent."""
    return np.linalg.solve(coshm(A), sinhm(A))


# ---------------------------------------------------------------------------- logarithm, powers, sign

logm_ = _matrix_function("logm", lambda a: sl().logm(a))


def logm(A: Any) -> Any:
    """The principal logarithm, for matrices without eigenvalues on the closed negative real axis."""
    return logm_(as_tensor(A))


# With s = sqrtm(a): s ds + ds s = da (Higham, 2008, section 6.1).
sqrtm_ = define("sqrtm", lambda a: sl().sqrtm(a), [lambda c, s, a: sylvester_(adjoint(s), adjoint(s), c)])


def sqrtm(A: Any) -> Any:
    """The principal square root, for regular matrices without negative real eigenvalues."""
    return sqrtm_(as_tensor(A))


def _signm_rule(c: Any, s: Any, a: Any) -> Any:
    """N ds + ds N = da - s da s with N = s a (C. Kenney and A. Laub, 1991; Higham, 2008, theorem 5.3)."""
    n = adjoint(s @ a)
    y = sylvester_(n, n, c)
    return y - adjoint(s) @ y @ adjoint(s)


signm_ = define("signm", lambda a: sl().signm(a), [_signm_rule])


def signm(A: Any) -> Any:
    """The matrix sign, for matrices without eigenvalues on the imaginary axis."""
    return signm_(as_tensor(A))


power_: Primitive = define(
    "fractional_matrix_power",
    lambda a, t: sl().fractional_matrix_power(a, t),
    [
        lambda c, result, a, t: adjoint(_frechet(lambda m: power_(m, t), a, adjoint(c))),
        lambda c, result, a, t: np.sum(c * conj(logm_(a) @ result)),
    ],
)


def fractional_matrix_power(A: Any, t: Any) -> Any:
    """A^t, differentiated with respect to `A` and the real `t`; the latter involves the logarithm of `A`."""
    return power_(as_tensor(A), t)


TABLE = table(
    expm, expm_frechet, cosm, sinm, tanm, coshm, sinhm, tanhm, logm, sqrtm, signm, fractional_matrix_power,
)  # fmt: skip
