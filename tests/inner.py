"""pytest inside of pytest, in one process."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

#: Importing torch takes a process longer than all the rest.
FAST = ("-o", "gradcheck_methods=central,reference,user", "-p", "no:jaxtyping", "-p", "no:cacheprovider")

#: For pytest-xdist's processes: three more for each test, so the sweep has most of these.
WORKERS = [0, pytest.param(2, marks=pytest.mark.sweep)]


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
            # None hides a module for as long as the run lasts.
            if module is not None and not str(getattr(module, "__file__", None)).startswith(own):
                self.modules.setdefault(name, module)

    def restore(self) -> None:
        for name, module in self.modules.items():
            sys.modules.setdefault(name, module)


def share_constants(folder: Path) -> None:
    """Let Hypothesis, in a process that starts in ``folder``, read which constants our modules have.

    It looks for them in every module that is not an installed package, as ours are here, and keeps what it
    finds in the directory where it starts. To parse them again takes 0.5 s of the 1.1 s of a small run.
    """
    constants = ROOT / ".hypothesis" / "constants"
    constants.mkdir(parents=True, exist_ok=True)
    own = folder / ".hypothesis" / "constants"
    own.parent.mkdir(exist_ok=True)
    # It is there already, or the system has no links; then they are parsed again.
    with contextlib.suppress(OSError):
        own.symlink_to(constants, target_is_directory=True)
