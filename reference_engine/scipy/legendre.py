"""Legendre functions and spherical harmonics of `scipy.special`: DLMF 14, 18.

scipy gives each with its first derivatives along a new first axis; `diff_n` is how many of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference_engine.definitions import conj
from reference_engine.primitives import value_of
from reference_engine.rules.special.common import sp
from reference_engine.scipy.front import define, table
from reference_engine.tensor import as_tensor


def _check_diff_n(diff_n: Any) -> None:
    if isinstance(diff_n, bool) or not isinstance(diff_n, int | np.integer) or not 0 <= diff_n <= 2:
        raise ValueError(f"diff_n must be 0, 1 or 2, got {diff_n!r}")


def _whole(value: Any) -> Any:
    return np.asarray(value_of(value))


def legendre_p(n: Any, z: Any, *, diff_n: int = 0) -> Any:
    """`scipy.special.legendre_p`: P_n(z) and its derivatives, by the Gegenbauer polynomials (DLMF
    18.9.19).
    """
    _check_diff_n(diff_n)
    n, z = _whole(n), as_tensor(z)

    def derivative(k: int) -> Any:
        factor = math.prod(range(1, 2 * k, 2))
        value = sp().eval_gegenbauer(np.maximum(n - k, 0), k + 0.5, z) if k else sp().eval_legendre(n, z)
        return np.where(n < k, 0.0, factor * value)

    return np.stack([derivative(k) for k in range(diff_n + 1)]).astype(z.dtype)


# ---------------------------------------------------------------------------- associated functions


def _assoc_slope(value: Any, n: Any, m: Any, z: Any, **options: Any) -> Any:
    """((n + m) P_(n-1) - n z P_n) / (1 - z²) (DLMF 14.10.5)."""
    weight: Any = n + m
    if options["norm"]:
        # What normalisation makes of n + m; 0 for n = 0, where P_(n-1) is 0.
        weight = np.sqrt(np.maximum((2 * n + 1) * (n - m) * (n + m), 0) / np.maximum(2 * n - 1, 1))
    lower = np.where(n > 0, assoc_legendre_(np.maximum(n - 1, 0), m, z, **options), 0.0)
    return (weight * lower - n * z * value) / (1 - z * z)


assoc_legendre_ = define(
    "assoc_legendre_p",
    lambda n, m, z, *, branch_cut, norm: sp().assoc_legendre_p(n, m, z, branch_cut=branch_cut, norm=norm)[0],
    [
        None,
        None,
        lambda c, result, n, m, z, **options: c * conj(_assoc_slope(result, n, m, z, **options)),
    ],
)


def assoc_legendre_p(
    n: Any, m: Any, z: Any, *, branch_cut: int = 2, norm: bool = False, diff_n: int = 0
) -> Any:
    """`scipy.special.assoc_legendre_p`: P_n^m(z) and its derivatives, by `z`; not at z = ±1, where they
    may be infinite.
    """
    _check_diff_n(diff_n)
    n, m, z = _whole(n), _whole(m), as_tensor(z)
    options = {"branch_cut": branch_cut, "norm": norm}
    values = [assoc_legendre_(n, m, z, **options)]
    if diff_n > 0:
        values.append(_assoc_slope(values[0], n, m, z, **options))
    if diff_n > 1:
        # Legendre's equation, DLMF 14.2.2
        width = 1 - z * z
        values.append((2 * z * values[1] - (n * (n + 1) - m * m / width) * values[0]) / width)
    return np.stack([value.astype(values[0].dtype) for value in values])


# ---------------------------------------------------------------------------- spherical harmonics


def _sph_derivative(n: Any, m: Any, theta: Any, k: int) -> Any:
    """The k-th derivative by θ, by the ladder operators, which step from m to m ± 1 (DLMF 14.10, 14.30).

    scipy takes the sine of θ to be positive: beyond 0 and π its functions are mirrored.
    """
    if k == 0:
        return sph_legendre_(n, m, theta)
    up = np.sqrt(np.maximum((n - m) * (n + m + 1), 0))
    down = np.sqrt(np.maximum((n + m) * (n - m + 1), 0))
    step = up * _sph_derivative(n, m + 1, theta, k - 1) - down * _sph_derivative(n, m - 1, theta, k - 1)
    return step * np.where(np.sin(value_of(theta)) < 0, -0.5, 0.5)


sph_legendre_ = define(
    "sph_legendre_p",
    lambda n, m, theta: sp().sph_legendre_p(n, m, theta)[0],
    [None, None, lambda c, result, n, m, theta: c * _sph_derivative(n, m, theta, 1)],
)


def sph_legendre_p(n: Any, m: Any, theta: Any, *, diff_n: int = 0) -> Any:
    """`scipy.special.sph_legendre_p`: the spherical harmonic at azimuth 0 and its derivatives, by `theta`."""
    _check_diff_n(diff_n)
    n, m, theta = _whole(n), _whole(m), as_tensor(theta)
    return np.stack([_sph_derivative(n, m, theta, k).astype(theta.dtype) for k in range(diff_n + 1)])


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """`scipy.special.sph_harm_y`: Y_n^m(θ, φ) (DLMF 14.30.1), by both angles, with gradient and Hessian as
    asked.
    """
    _check_diff_n(diff_n)
    n, m, theta, phi = _whole(n), _whole(m), as_tensor(theta), as_tensor(phi)
    turn = np.exp(1j * m * phi)
    by_theta = [_sph_derivative(n, m, theta, k) * turn for k in range(diff_n + 1)]
    results = [by_theta[0]]
    if diff_n > 0:
        results.append(np.stack([by_theta[1], 1j * m * by_theta[0]], axis=-1))
    if diff_n > 1:
        mixed = 1j * m * by_theta[1]
        rows = [[by_theta[2], mixed], [mixed, -m * m * by_theta[0]]]
        results.append(np.stack([np.stack(row, axis=-1) for row in rows], axis=-2))
    return tuple(results) if diff_n else results[0]


TABLE = table(legendre_p, assoc_legendre_p, sph_legendre_p, sph_harm_y)
