"""The register of samples, and what their arguments are made of."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Sample = tuple[Callable[..., Any], tuple[Any, ...]]
SAMPLES: dict[Any, list[Sample]] = {}


def name_of(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, tuple):
        return f"{key[0].__name__}.{key[1]}"
    module = (getattr(key, "__module__", None) or "").removeprefix("numpy").strip(".")
    return f"{module}.{key.__name__}" if module else key.__name__


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(text.encode()))


def real(*shape: int, seed: str = "") -> Any:
    return _rng(f"real{shape}{seed}").standard_normal(shape)


def positive(*shape: int, seed: str = "") -> Any:
    return _rng(f"positive{shape}{seed}").uniform(0.4, 2.5, shape)


def inner(*shape: int, seed: str = "") -> Any:
    return _rng(f"inner{shape}{seed}").uniform(0.1, 0.85, shape)


def cplx(*shape: int, seed: str = "") -> Any:
    rng = _rng(f"complex{shape}{seed}")
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


# LAPACK gives eigenvectors and singular vectors up to their signs, and general eigenvalues in any order.
# Both may change from one call to the next with some kernels, and differences then see a jump that is not a
# mistake of the rule. Samples have neither.


def onto(vectors: Any, others: Any = None) -> Any:
    """Return the outer product of each of some vectors in columns with itself, or with another one."""
    others = vectors if others is None else others
    return vectors[..., :, None, :] * np.conjugate(others)[..., None, :, :]


def eigenpairs(result: Any) -> Any:
    """Return eigenvalues, and vectors without their signs."""
    values, vectors = result
    return values, onto(vectors)


def singular(result: Any) -> Any:
    """Return singular values, and the vectors that belong to them without their signs."""
    u, s, vh = result
    u, v = u[..., : s.shape[-1]], np.conjugate(np.swapaxes(vh[..., : s.shape[-1], :], -1, -2))
    return onto(u), s, onto(u, v)


def in_order(values: Any, *vectors: Any) -> Any:
    """Return complex eigenvalues, and the vectors in columns that belong to them, ordered by the values."""
    # The real parts alone are equal within a conjugate pair.
    order = np.argsort(np.real(values) + 0.3 * np.imag(values), axis=-1)
    ordered = np.take_along_axis(values, order, -1)
    if not vectors:
        return ordered
    return ordered, *(np.take_along_axis(v, order[..., None, :], -1) for v in vectors)


def add(key: Any, *samples: Any) -> None:
    """Samples of `key` itself, each a tuple of arguments, or a function of its own and its arguments."""
    for sample in samples:
        if callable(sample[0]):
            function, *args = sample
        else:
            function, args = (np.__dict__[key] if isinstance(key, str) else key), list(sample)
        SAMPLES.setdefault(key, []).append((function, tuple(args)))
