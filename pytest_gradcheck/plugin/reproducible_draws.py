"""Make Hypothesis's draws depend on the seed and the test alone.

Since 6.131 one draw in forty is a constant from any module of the project that has been imported by then. So
the same seed gives other examples if another test ran before, which under pytest-xdist is always.

The only public way to leave those constants out is a custom backend, which would try points twice. So this
module replaces two private names while a test runs: ``_get_local_constants``, which collects the constants,
and ``CONSTANTS_CACHE``, which remembers by constraint what may be drawn. If a release uses these names
differently, nothing is replaced, and ``tests/plugin/test_deterministic.py`` fails.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

_PROVIDERS = "hypothesis.internal.conjecture.providers"


@contextlib.contextmanager
def by_seed_alone() -> Iterator[None]:
    """Keep Hypothesis from drawing constants of the modules that happen to be imported."""
    with pytest.MonkeyPatch.context() as patch:
        # A release that differs fails one of these checks.
        with contextlib.suppress(ImportError, AttributeError, TypeError):
            providers = importlib.import_module(_PROVIDERS)
            for name, value in _replacements(providers).items():
                patch.setattr(providers, name, value)
        yield


def _replacements(providers: Any) -> dict[str, Any]:
    """Return by name what to put into the module; raises an error if the module is not as expected."""
    collect, constants, cache = providers._get_local_constants, providers.Constants, providers.CONSTANTS_CACHE
    if not inspect.isclass(constants) or inspect.signature(collect).parameters:
        raise TypeError("Hypothesis collects its constants in another way")
    constants()
    return {"_get_local_constants": constants, "CONSTANTS_CACHE": type(cache)(cache.max_size)}
