"""Modules that are imported when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Stands for a module until something of it is used.

    For a framework whose file must not import its library. A type checker is shown the module itself, under
    ``TYPE_CHECKING``.
    """

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._name), name)
        # Kept, because to import the module in each call takes as long as many a call.
        setattr(self, name, value)
        return value
