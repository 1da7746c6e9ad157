"""pytest inside of pytest, in one process."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

#: Importing torch takes a process longer than all the rest.
FAST = ("-o", "gradcheck_methods=central,reference,user", "-p", "no:jaxtyping", "-p", "no:cacheprovider")


class Keeper:
    """Keeps what inner runs import, other than their own files.

    pytester forgets the modules that a run was the first to import. NumPy and torch cannot be imported
    twice.
    """

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        own = str(config.rootpath)
        for name, module in sys.modules.items():
            if not str(getattr(module, "__file__", None)).startswith(own):
                self.modules.setdefault(name, module)

    def restore(self) -> None:
        for name, module in self.modules.items():
            sys.modules.setdefault(name, module)
