"""Methods of a framework that are functions of other modules, imported on first use."""

from __future__ import annotations

import importlib
from typing import Any


class _Provided:
    def __init__(self, place: str):
        self._place = place

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        module, _, name = self._place.rpartition(".")
        package = self._owner.__module__.rpartition(".")[0]
        function = getattr(importlib.import_module(module, package), name)
        # Replace the method by the function: an import statement can take as long as a call.
        setattr(self._owner, self._name, staticmethod(function))
        return function


def provided_by(place: str) -> Any:
    """Return a method that is a function of another module; that one is imported at the first call.

    ``place`` is ``"module.function"``, from a dot on in the folder of the class. The file of a class written
    so need not import the framework's library. A type checker does not look at the function's parameters:
    the framework's tests compare them with those of `Framework`.
    """
    return _Provided(place)
