from __future__ import annotations

import contextlib
from collections.abc import Generator

import pytest

from pytest_gradcheck.plugin import reproducible_draws

pytest_plugins = ["pytester"]

# A project of its own, with a pytest of its own.
collect_ignore = ["downstream"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let derandomized tests of ours meet the same examples in every process, marked or not."""
    searched = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    with reproducible_draws.by_seed_alone() if searched else contextlib.nullcontext():
        yield
