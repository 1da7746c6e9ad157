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


def add(key: Any, *samples: Any) -> None:
    """Samples of `key` itself, each a tuple of arguments, or a function of its own and its arguments."""
    for sample in samples:
        if callable(sample[0]):
            function, *args = sample
        else:
            function, args = (np.__dict__[key] if isinstance(key, str) else key), list(sample)
        SAMPLES.setdefault(key, []).append((function, tuple(args)))
