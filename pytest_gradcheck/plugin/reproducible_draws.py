"""What Hypothesis draws, made to depend on the seed and the test alone."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

_PROVIDERS = "hypothesis.internal.conjecture.providers"


@contextlib.contextmanager
def by_seed_alone() -> Iterator[None]:
    """Let Hypothesis leave out the numbers that it reads from the source of whatever module is loaded.

    Since 6.131 one draw in forty is a constant from any module of the project that has been imported by
    then. The same seed so gives other examples where another test ran before, which under pytest-xdist is
    always. Hypothesis has no setting for it. A backend of one's own would be the public way, and loses what
    only the built-in one has: no point is tried twice, and a failure needs no second run to be believed.

    The constants that Hypothesis always has stay in: 2**64, 1e-5, the smallest normal numbers.
    """
    try:
        providers: Any = importlib.import_module(_PROVIDERS)
    except ModuleNotFoundError:
        providers = None
    # Older versions of Hypothesis have no such constants, so there is nothing to leave out.
    if not hasattr(providers, "_get_local_constants"):
        yield
        return
    # What may be drawn is remembered by its constraints, the local constants included.
    own = {
        "_get_local_constants": providers.Constants,
        "CONSTANTS_CACHE": providers.LRUCache(providers.CONSTANTS_CACHE.max_size),
    }
    before = {name: getattr(providers, name) for name in own}
    vars(providers).update(own)
    try:
        yield
    finally:
        vars(providers).update(before)
