"""Record functions and replay them on the reference engine: the public names of the lowering.

Each name is looked up in the first installed framework that has a lowering, when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from pytest_gradcheck.frameworks import registry

__all__ = [  # noqa: F822  defined by __getattr__
    "Divergence",
    "Lowered",
    "LoweringError",
    "Site",
    "Trace",
    "first_divergence",
    "lower",
    "register",
    "trace",
    "unregister",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for framework in map(registry.named, registry.names()):
            if framework.lowering is not None:
                value = getattr(importlib.import_module(framework.lowering), name)
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
