"""A stand-in for torch, for reading docstrings where it is not installed.

autodoc's own mock returns another object at every access, which breaks tables with torch's dtypes as keys.
Here every name is one class, created at its first access.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any


class Named(type):
    """The class of the names: each has every attribute, which is a name again."""

    def __getattr__(cls, name: str) -> Any:
        return _made(cls, name)

    def __iter__(cls) -> Any:
        return iter(())

    def __or__(cls, other: Any) -> Any:
        return cls

    __ror__ = __getitem__ = __or__


class Name(metaclass=Named):
    """What every name is: it can be subclassed, called, and used as a decorator's argument."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return _made(type(self), name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return args[0] if args else self


class Module(ModuleType):
    """A module whose names are made at their first use."""

    __path__ = ()
    __version__ = "2"

    def __getattr__(self, name: str) -> Any:
        return _made(self, name)


def _made(owner: Any, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    made = Named(name, (Name,), {"__module__": "torch"})
    setattr(owner, name, made)
    return made


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Find and load a package and whatever is imported below it."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of a module of the package."""
        if name.partition(".")[0] != self.package:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> ModuleType:
        """Return the module."""
        return Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it is."""


def install(package: str) -> None:
    """Let imports of a package find its stand-in."""
    sys.meta_path.insert(0, Finder(package))
