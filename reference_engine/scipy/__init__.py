"""The functions of `scipy.special` and `scipy.linalg` that do not dispatch, on arrays and on Tensors.

    from reference_engine.scipy import linalg, special

    linalg.expm(tensor)
    special.logsumexp(tensor, axis=0)

Names and signatures are scipy's. Plain arrays go to scipy itself; with a Tensor among the arguments a
function is computed in primitives and is differentiable to any order. scipy is imported with the module that
mirrors it.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["linalg", "special"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"reference_engine.scipy.{name}")
    raise AttributeError(f"reference_engine.scipy has linalg and special, not {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
